// Clients of a database server that cost little themselves: plain system calls in one loop that holds the thread, so that the server is measured
// and not the client. Each client has one small transaction under way; monitors are read and thrown away.
import { type Libc, libc, type Memory, mapMemory, unmapMemory } from '../src/host/ffi.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1 | 0o2000000;
const EPOLLIN = 1;
const EPOLL_CTL_ADD = 1;
const EVENT_SIZE = process.arch === 'x64' ? 12 : 16;
const FD_OFFSET = process.arch === 'x64' ? 4 : 8;
const MAX_EVENTS = 256;
const READ_SIZE = 65536;
const REQUEST_SIZE = 512;
const RESULT = Buffer.from('"result":');
const ROWS = 100;
const DIGITS = 8;

export const SCHEMA =
  '{"name":"B","version":"1.0.0","tables":{"T":{"isRoot":true,"columns":{"n":{"type":"integer"},"t":{"type":"string"}}}}}';

interface Client {
  readonly fd: number;
  /** The request stands in the shared memory; the places of its number, least digit last, in the id and in the value. */
  readonly at: number;
  readonly size: number;
  readonly numberPlaces: readonly number[];
  n: number;
  /** The end of what was read last, when a reply may be torn. */
  rest: Buffer;
}

export class Load {
  readonly #libc: Libc = libc();
  readonly #epoll: number;
  readonly #events: Memory;
  readonly #eventView: DataView;
  readonly #input: Memory;
  readonly #bytes: Buffer;
  readonly #requests: Memory;
  readonly #clients = new Map<number, Client>();
  readonly #fds: number[] = [];
  readonly #path: string;

  /** Connects, fills the table and begins to watch it. */
  constructor(path: string, clients: number, monitors: number, isDurable: boolean) {
    this.#path = path;
    this.#epoll = this.#libc.epollCreate(0o2000000);
    this.#events = mapMemory(MAX_EVENTS * EVENT_SIZE);
    this.#eventView = new DataView(this.#events.bytes.buffer, this.#events.bytes.byteOffset, this.#events.bytes.length);
    this.#input = mapMemory(READ_SIZE);
    this.#bytes = Buffer.from(this.#input.bytes.buffer, this.#input.bytes.byteOffset, READ_SIZE);
    this.#requests = mapMemory(clients * REQUEST_SIZE);
    const inserts = Array.from({ length: ROWS }, (_, n) => `{"op":"insert","table":"T","row":{"n":${n}}}`).join(',');
    this.#ask(this.#connect(), `{"id":0,"method":"transact","params":["B",${inserts}]}`);
    for (let i = 0; i < monitors; i++) {
      const fd = this.#connect();
      this.#ask(fd, '{"id":0,"method":"monitor_cond","params":["B",null,{"T":[{}]}]}');
      this.#watch(fd);
    }
    for (let i = 0; i < clients; i++) this.#addClient(i, isDurable);
  }

  #connect(): number {
    const path = Buffer.from(this.#path);
    const address = new Uint8Array(path.length + 3);
    address[0] = AF_UNIX;
    address.set(path, 2);
    const fd = this.#libc.socket(AF_UNIX, SOCK_STREAM, 0);
    // The socket is there before its owner listens.
    for (let tries = 0; this.#libc.connect(fd, address, address.length) < 0; tries++) {
      if (tries === 500) throw new Error(`cannot connect to ${this.#path}`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
    this.#fds.push(fd);
    return fd;
  }

  /** Sends a request and waits for the reply, which is the first that comes. */
  #ask(fd: number, request: string): void {
    const bytes = Buffer.from(request);
    this.#libc.send(fd, bytes, bytes.length, 0);
    let text = '';
    while (!text.endsWith(',"error":null}')) {
      const count = Number(this.#libc.recv(fd, this.#bytes, READ_SIZE, 0));
      if (count <= 0) throw new Error('the server closed the connection');
      text += this.#bytes.toString('latin1', 0, count);
    }
  }

  #watch(fd: number): void {
    const event = new Uint8Array(EVENT_SIZE);
    const view = new DataView(event.buffer);
    view.setUint32(0, EPOLLIN, true);
    view.setInt32(FD_OFFSET, fd, true);
    this.#libc.epollCtl(this.#epoll, EPOLL_CTL_ADD, fd, event);
  }

  #addClient(i: number, isDurable: boolean): void {
    const fd = this.#connect();
    this.#watch(fd);
    const commit = isDurable ? ',{"op":"commit","durable":true}' : '';
    const mark = '1'.padEnd(DIGITS, '0');
    const text = `{"id":${mark},"method":"transact","params":["B",{"op":"update","table":"T","where":[["n","==",${i % ROWS}]],"row":{"t":"v${mark}"}}${commit}]}`;
    const at = i * REQUEST_SIZE;
    this.#requests.bytes.set(Buffer.from(text), at);
    const numberPlaces = [text.indexOf(mark), text.lastIndexOf(mark)].map((place) => at + place + DIGITS - 1);
    this.#clients.set(fd, { fd, at, size: text.length, numberPlaces, n: 10 ** (DIGITS - 1), rest: Buffer.alloc(0) });
  }

  #send(client: Client): void {
    client.n++;
    const { bytes } = this.#requests;
    for (const place of client.numberPlaces) {
      for (let n = client.n, at = place, i = 0; i < DIGITS; i++, n = (n / 10) | 0) bytes[at--] = 48 + (n % 10);
    }
    this.#libc.sendAt(client.fd, this.#requests.address + client.at, client.size, 0);
  }

  /** Keeps every client busy for some time; gives the replies that came in it, a second. */
  run(ms: number): number {
    const end = performance.now() + ms;
    const start = performance.now();
    for (const client of this.#clients.values()) this.#send(client);
    let open = this.#clients.size;
    let count = 0;
    let elapsed = 0;
    while (open > 0) {
      const ready = this.#libc.epollWaitAt(this.#epoll, this.#events.address, MAX_EVENTS, 1000);
      if (ready <= 0) throw new Error('the server does not answer');
      const now = performance.now();
      const goesOn = now < end;
      if (!goesOn && elapsed === 0) elapsed = now - start;
      for (let i = 0; i < ready; i++) {
        const fd = this.#eventView.getInt32(i * EVENT_SIZE + FD_OFFSET, true);
        const size = Number(this.#libc.recvAt(fd, this.#input.address, READ_SIZE, 0));
        if (size <= 0) throw new Error('the server closed the connection');
        const client = this.#clients.get(fd);
        if (client === undefined || !this.#isReply(client, size)) continue;
        if (goesOn) {
          count++;
          this.#send(client);
        } else {
          open--;
        }
      }
    }
    this.#readRest();
    return (count * 1000) / elapsed;
  }

  #isReply(client: Client, size: number): boolean {
    const piece = this.#bytes.subarray(0, size);
    const bytes = client.rest.length === 0 ? piece : Buffer.concat([client.rest, piece]);
    const isReply = bytes.includes(RESULT);
    client.rest = isReply ? Buffer.alloc(0) : Buffer.from(bytes);
    return isReply;
  }

  /** What monitors are still told belongs to this slice too. */
  #readRest(): void {
    for (;;) {
      const ready = this.#libc.epollWaitAt(this.#epoll, this.#events.address, MAX_EVENTS, 5);
      if (ready <= 0) return;
      for (let i = 0; i < ready; i++) {
        this.#libc.recvAt(this.#eventView.getInt32(i * EVENT_SIZE + FD_OFFSET, true), this.#input.address, READ_SIZE, 0);
      }
    }
  }

  close(): void {
    for (const fd of this.#fds) this.#libc.close(fd);
    this.#libc.close(this.#epoll);
    for (const memory of [this.#events, this.#input, this.#requests]) unmapMemory(memory);
  }
}
