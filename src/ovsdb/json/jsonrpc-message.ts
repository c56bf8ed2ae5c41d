// The messages of JSON-RPC 1.0, and what is wrong with a value that is none, in the words of the reference.
import { asObject, type Json } from './json.ts';

export type Message =
  | { kind: 'request'; method: string; params: Json[]; id: Json }
  | { kind: 'notify'; method: string; params: Json[] }
  | { kind: 'reply'; id: Json; result: Json }
  | { kind: 'error'; id: Json; error: Json };

/** What a message of each kind has; it has nothing else. */
const MEMBERS: Readonly<Record<'request' | 'notification' | 'reply' | 'error', readonly string[]>> = {
  request: ['method', 'params', 'id'],
  notification: ['method', 'params'],
  reply: ['result', 'id'],
  error: ['error', 'id'],
};

/** All there are, in the order in which they are looked at. */
const memberNames = ['method', 'params', 'result', 'error', 'id'];

/** Sorts a JSON value into the kinds of message; a text says what is wrong with one that is none. */
export function parseRpcMessage(value: Json): Message | string {
  const object = asObject(value);
  if (object === undefined) return 'message is not a JSON object';
  const id = object.get('id') ?? null;
  const result = object.get('result') ?? null;
  const error = object.get('error') ?? null;
  const method = object.get('method');
  const params = object.get('params') ?? null;
  if (method !== undefined && typeof method !== 'string') return 'method is not a JSON string';
  for (const name of object.keys()) if (!memberNames.includes(name)) return `message has unexpected member "${name}"`;
  if (params !== null && !Array.isArray(params)) return '"params" must be JSON array';
  const kind = result !== null ? 'reply' : error !== null ? 'error' : id !== null ? 'request' : 'notification';
  for (const name of memberNames) {
    const has = (name === 'method' ? method : object.get(name)) != null;
    if (has !== MEMBERS[kind].includes(name)) return `${kind} must${has ? ' not' : ''} have "${name}"`;
  }
  switch (kind) {
    case 'request':
      return { kind, method: method as string, params: params as Json[], id };
    case 'notification':
      return { kind: 'notify', method: method as string, params: params as Json[] };
    case 'reply':
      return { kind, id, result };
    default:
      return { kind, id, error };
  }
}
