// Multipart requests that come in parts, OpenFlow 1.3.5 section 7.3.5: all but the last have the "more" flag. Parts belong together by their
// transaction id and type; what does not end within a second is given up. As in the reference only lists of table features and of flow
// monitors may have a body in more than one part.
import type { Clock } from '../../base/clock.ts';
import { PeerError } from '../../base/errors.ts';

const OFPT_MULTIPART_REQUEST = 18;
const HEADER_SIZE = 16;
const MORE = 1;
const TABLE_FEATURES = 12;
const FLOW_MONITOR = 16;
const MAX_SIZE = 0xffff;
const TIMEOUT_MS = 1000;
/** Requests that one peer may have begun at a time. */
const MAX_OPEN = 64;

interface Begun {
  first: Uint8Array;
  type: number;
  bodies: Uint8Array[];
  size: number;
  cancel: () => void;
}

export class RequestAssembler {
  readonly #clock: Clock;
  readonly #begun = new Map<number, Begun>();
  /** Told of the first part of a request that did not end in time. */
  readonly #timedOut: (first: Uint8Array) => void;

  constructor(clock: Clock, timedOut: (first: Uint8Array) => void) {
    this.#clock = clock;
    this.#timedOut = timedOut;
  }

  /** The whole message that these bytes complete, the bytes themselves when they are no part; undefined while more is to come. Throws PeerError. */
  take(bytes: Uint8Array): Uint8Array | undefined {
    if ((bytes[0] ?? 0) < 4 || bytes[1] !== OFPT_MULTIPART_REQUEST || bytes.length < HEADER_SIZE) return bytes;
    const hasMore = ((bytes[11] ?? 0) & MORE) !== 0;
    if (!hasMore && this.#begun.size === 0) return bytes;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const xid = view.getUint32(4);
    const type = view.getUint16(8);
    const known = this.#begun.get(xid);
    if (known === undefined) {
      if (!hasMore) return bytes;
      this.#begin(xid, type, bytes);
      return undefined;
    }
    const body = bytes.subarray(HEADER_SIZE);
    const mayGrow = type === TABLE_FEATURES || type === FLOW_MONITOR;
    if (type !== known.type || (!mayGrow && known.size > HEADER_SIZE && body.length > 0)) {
      this.#end(xid, known);
      throw new PeerError('OFPBRC_BAD_STAT', 'parts do not belong together');
    }
    known.size += body.length;
    if (known.size > MAX_SIZE) {
      this.#end(xid, known);
      throw new PeerError('OFPBRC_MULTIPART_BUFFER_OVERFLOW', `${known.size} bytes`);
    }
    known.bodies.push(body);
    if (hasMore) return undefined;
    this.#end(xid, known);
    return whole(known);
  }

  #begin(xid: number, type: number, first: Uint8Array): void {
    if (this.#begun.size >= MAX_OPEN) throw new PeerError('OFPBRC_MULTIPART_BUFFER_OVERFLOW', `${MAX_OPEN} requests have been begun`);
    const cancel = this.#clock.after(TIMEOUT_MS, () => {
      this.#begun.delete(xid);
      this.#timedOut(first);
    });
    this.#begun.set(xid, { first, type, bodies: [], size: first.length, cancel });
  }

  #end(xid: number, begun: Begun): void {
    begun.cancel();
    this.#begun.delete(xid);
  }

  /** The peer is gone. */
  clear(): void {
    for (const begun of this.#begun.values()) begun.cancel();
    this.#begun.clear();
  }
}

/** One message of all parts, without the flag. */
function whole({ first, bodies, size }: Begun): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(first);
  let at = first.length;
  for (const body of bodies) {
    bytes.set(body, at);
    at += body.length;
  }
  const view = new DataView(bytes.buffer);
  view.setUint16(2, size);
  view.setUint16(10, view.getUint16(10) & ~MORE);
  return bytes;
}
