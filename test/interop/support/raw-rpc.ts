// A JSON-RPC client that sends and shows texts as they are, so that how a number or a string is written can be compared too.
import { createConnection, type Socket } from 'node:net';

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** Rows that a request did not choose the UUID of have none to compare. */
function plain(token: string): string {
  return token.length === 38 && /^"(?!1[0-9a-f]{7}-1111-|00000000-)[0-9a-f-]{36}"$/.test(token) ? '"RANDOM"' : token;
}

/** A set or a map with a row in it that a server named comes in an order of chance. */
const isUnordered = (name: string, items: readonly string[]): boolean =>
  name === '"rows"' || (name === '"elements"' && items.some((item) => item.includes('"RANDOM"')));

/** A JSON text with its members sorted by name, `rows` in any order sorted, and without what a server draws at random. */
export function canonical(text: string): string {
  const tokens = text.match(TOKEN) ?? [];
  let at = 0;
  const value = (name = ''): string => {
    const token = tokens[at++] as string;
    if (token === '[') {
      const items: string[] = [];
      while (tokens[at] !== ']') {
        items.push(value(items.length === 1 && (items[0] === '"set"' || items[0] === '"map"') ? '"elements"' : ''));
        if (tokens[at] === ',') at++;
      }
      at++;
      return `[${(isUnordered(name, items) ? items.sort() : items).join(',')}]`;
    }
    if (token !== '{') return plain(token);
    const members: string[] = [];
    while (tokens[at] !== '}') {
      const member = plain(tokens[at] as string);
      at += 2;
      const text = value(member);
      if (member !== '"_version"') members.push(`${member}:${text}`);
      if (tokens[at] === ',') at++;
    }
    at++;
    return `{${members.sort().join(',')}}`;
  };
  return tokens.length === 0 ? '' : value();
}

/** One connection; messages that are no answers are kept in `notices`. */
export class RawRpc {
  readonly #socket: Socket;
  readonly #waiting = new Map<string, (text: string) => void>();
  #text = '';
  #scanned = 0;
  #depth = 0;
  #inString = false;
  #nextId = 1;
  notices: string[] = [];
  /** The last transaction that each monitor of `monitor_cond_since` was told of, by its id's text. */
  readonly lastIds = new Map<string, string>();
  isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (piece: string) => this.#take(piece));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      for (const done of this.#waiting.values()) done('closed');
      this.#waiting.clear();
    });
  }

  /** Connects; a server that has just made its socket may not listen yet. */
  static async open(path: string): Promise<RawRpc> {
    for (let tries = 0; ; tries++) {
      try {
        return await new Promise((resolve, reject) => {
          const socket = createConnection(path, () => resolve(new RawRpc(socket)));
          socket.once('error', reject);
        });
      } catch (error) {
        if (tries === 1200) throw error;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
  }

  #take(piece: string): void {
    this.#text += piece;
    for (; this.#scanned < this.#text.length; this.#scanned++) {
      const c = this.#text[this.#scanned];
      if (this.#inString) {
        if (c === '\\') this.#scanned++;
        else if (c === '"') this.#inString = false;
      } else if (c === '"') this.#inString = true;
      else if (c === '{' || c === '[') this.#depth++;
      else if ((c === '}' || c === ']') && --this.#depth === 0) {
        this.#message(this.#text.slice(0, this.#scanned + 1));
        this.#text = this.#text.slice(this.#scanned + 1);
        this.#scanned = -1;
      }
    }
  }

  #message(text: string): void {
    const { id, method, params } = JSON.parse(text) as { id: unknown; method?: string; params?: unknown[] };
    if (method === 'update3') this.lastIds.set(JSON.stringify(params?.[0]), String(params?.[1]));
    if (method === 'echo') this.#socket.write(`{"id":${JSON.stringify(id)},"result":[],"error":null}`);
    if (method !== undefined) {
      if (method !== 'echo') this.notices.push(canonical(text));
      return;
    }
    const done = this.#waiting.get(String(id));
    this.#waiting.delete(String(id));
    done?.(canonical(text.replace(/"id":\d+,?/, '')));
  }

  /** The answer, whole but for its id; `closed` when the connection ends first. */
  call(method: string, params: string): Promise<string> {
    if (this.isClosed) return Promise.resolve('closed');
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(String(id), resolve);
      this.#socket.write(`{"id":${id},"method":"${method}","params":${params}}`);
    });
  }

  /** The id that the next call will have. */
  get nextId(): number {
    return this.#nextId;
  }

  notify(method: string, params: string): void {
    this.#socket.write(`{"id":null,"method":"${method}","params":${params}}`);
  }

  takeNotices(): string[] {
    const { notices } = this;
    this.notices = [];
    return notices;
  }

  close(): void {
    this.#socket.destroy();
  }
}
