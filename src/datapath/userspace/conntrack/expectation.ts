// Connections that a control connection announces: FTP's data connections and TFTP's transfers. An expectation is used once, and forgotten
// after a while; there is a bound on how many there are.
import { formatIpv4 } from '../../../base/addresses.ts';
import type { Connection } from './table.ts';
import { IPV4, T, type Tuple, tupleFamily, tupleProto, tupleZone } from './tuple.ts';

const MOST = 4096;
const LIFE_MS = 60_000;
const MOST_LINE = 512;

interface Expectation {
  parent: Connection;
  expiresMs: number;
}

const addressText = (tuple: Tuple, at: number): string => tuple.subarray(at, at + 4).join('.');

const nameOf = (zone: number, proto: number, source: string, destination: string, port: number): string =>
  `${zone}/${proto}/${source}/${destination}/${port}`;

export class Expectations {
  readonly #all = new Map<string, Expectation>();

  get size(): number {
    return this.#all.size;
  }

  /** The connection that announced one with this first packet; once it has been committed it is expected no longer. */
  find(tuple: Tuple, nowMs: number, isCommitted: boolean): Connection | undefined {
    const source = addressText(tuple, T.SRC);
    const name = nameOf(tupleZone(tuple), tupleProto(tuple), source, addressText(tuple, T.DST), tuple[T.PORTS]! & 0xffff);
    const found = this.#all.get(name);
    if (found === undefined) return undefined;
    if (isCommitted) this.#all.delete(name);
    return found.expiresMs > nowMs && !found.parent.isGone ? found.parent : undefined;
  }

  #expect(parent: Connection, proto: number, source: string, destination: string, port: number, nowMs: number): void {
    const name = nameOf(parent.zone, proto, source, destination, port);
    this.#all.delete(name);
    this.#all.set(name, { parent, expiresMs: nowMs + LIFE_MS });
    if (this.#all.size <= MOST) return;
    for (const oldest of this.#all.keys()) {
      this.#all.delete(oldest);
      return;
    }
  }

  /** Looks at the payload of a packet of a control connection. `isReply`: it goes to the side that opened the connection. */
  read(connection: Connection, tuple: Tuple, payload: Uint8Array, isReply: boolean, nowMs: number): void {
    if (connection.helper === 'tftp') {
      // A read or write request (RFC 1350): the answer comes from another port of the server to the client's port.
      const operation = payload.length >= 2 ? (payload[0]! << 8) | payload[1]! : 0;
      if (isReply || (operation !== 1 && operation !== 2)) return;
      this.#expect(connection, 17, addressText(tuple, T.DST), addressText(tuple, T.SRC), tuple[T.PORTS]! >>> 16, nowMs);
      return;
    }
    if (connection.helper !== 'ftp' || payload.length === 0) return;
    const line = String.fromCharCode(...payload.subarray(0, MOST_LINE));
    const announced = parseFtp(line, isReply);
    if (announced === undefined) return;
    // An address other than the speaker's own would let a client open ports of third parties.
    const speaker = addressText(tuple, T.SRC);
    if (announced.address !== undefined && tupleFamily(tuple) === IPV4 && announced.address !== formatIpv4(tuple[3]!)) return;
    this.#expect(connection, 6, addressText(tuple, T.DST), speaker, announced.port, nowMs);
  }
}

/** The address and port that a line of FTP announces (RFC 959, RFC 2428). */
export function parseFtp(line: string, isReply: boolean): { address: string | undefined; port: number } | undefined {
  const six = isReply
    ? /^227 [^\r\n]*?(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)/i.exec(line)
    : /^PORT (\d+),(\d+),(\d+),(\d+),(\d+),(\d+)/i.exec(line);
  if (six !== null) {
    const numbers = six.slice(1).map(Number);
    if (numbers.some((number) => number > 255)) return undefined;
    const port = numbers[4]! * 256 + numbers[5]!;
    return port === 0 ? undefined : { address: numbers.slice(0, 4).join('.'), port };
  }
  const extended = isReply ? /^229 [^\r\n]*?\(\|\|\|(\d+)\|\)/i.exec(line) : /^EPRT \|[12]\|[^|]*\|(\d+)\|/i.exec(line);
  if (extended === null) return undefined;
  const port = Number(extended[1]);
  return port > 0 && port < 65536 ? { address: undefined, port } : undefined;
}
