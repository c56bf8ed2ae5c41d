// What `-vjsonrpc:dbg` shows: each message, sent or received, in one line.
import { encodeText } from '../../base/byte-text.ts';
import { logger } from '../../base/log.ts';
import { asObject, type Json, JsonError, type JsonObject } from './json.ts';
import { formatJson } from './json-format.ts';
import { JsonStream } from './json-stream.ts';

const log = logger('jsonrpc');

/** Whether lines are wanted; asked before a message is looked at. */
export const tracesRpc = (): boolean => log.shows('dbg');

function kindOf(message: JsonObject): string {
  const has = (name: string): boolean => message.get(name) != null;
  if (has('method')) return has('id') ? 'request' : 'notification';
  return 'reply';
}

/** One message of a connection. */
export function traceMessage(name: string, verb: 'send' | 'received', value: Json): void {
  const message = asObject(value);
  if (message === undefined) return;
  let text = `${name}: ${verb} ${kindOf(message)}`;
  const method = message.get('method');
  if (typeof method === 'string') text += `, method="${method}"`;
  for (const member of ['params', 'result', 'error', 'id']) {
    const part = message.get(member);
    if (part !== undefined && part !== null) text += `, ${member}=${formatJson(part)}`;
  }
  log.dbg(text);
}

/** Puts messages together that are sent in pieces, and traces each. */
export class SendTrace {
  readonly #name: string;
  readonly #pieces = new JsonStream();

  constructor(name: string) {
    this.#name = name;
  }

  take(piece: string | Uint8Array): void {
    this.#pieces.push(typeof piece === 'string' ? encodeText(piece) : piece);
    try {
      for (let value = this.#pieces.next(); value !== undefined; value = this.#pieces.next()) traceMessage(this.#name, 'send', value);
    } catch (error) {
      // The trace began in the middle of a message.
      if (!(error instanceof JsonError)) throw error;
    }
    this.#pieces.keep();
  }
}
