// Multipart requests that come in parts, OpenFlow 1.3.5 section 7.3.5: all but the last have the "more" flag. Parts belong together by their
// transaction id and type; what does not end within a second is given up. As in the reference only lists of table features and of flow
// monitors may have a body in more than one part, no entry reaches from one part into the next, and any part may be empty.
import type { Clock } from '../../base/clock.ts';
import { PeerError } from '../../base/errors.ts';

const OFPT_MULTIPART_REQUEST = 18;
const HEADER_SIZE = 16;
/** With an experimenter's number and its own. */
const EXPERIMENTER_HEADER_SIZE = 24;
const EXPERIMENTER = 0xffff;
const MORE = 1;
const TABLE_FEATURES = 12;
const FLOW_MONITOR = 16;
const MAX_SIZE = 0xffff;
const TIMEOUT_MS = 1000;
/** Requests that one peer may have begun at a time. */
const MAX_OPEN = 64;

interface Begun {
  last: Uint8Array;
  type: number;
  /** Those with a body. */
  parts: Uint8Array[];
  /** Of the bodies, and a header. */
  size: number;
  cancel: () => void;
}

export class RequestAssembler {
  readonly #clock: Clock;
  readonly #begun = new Map<number, Begun>();
  /** Told of the last part of a request that did not end in time. */
  readonly #timedOut: (last: Uint8Array) => void;

  constructor(clock: Clock, timedOut: (last: Uint8Array) => void) {
    this.#clock = clock;
    this.#timedOut = timedOut;
  }

  /**
   * The parts of the request that these bytes complete, those without a body left out; undefined while more is to come. What is no part is its
   * own only one. `fault` is what its header says against it by itself. Throws PeerError.
   */
  take(bytes: Uint8Array, fault?: PeerError): readonly Uint8Array[] | undefined {
    if ((bytes[0] ?? 0) < 4 || bytes[1] !== OFPT_MULTIPART_REQUEST || bytes.length < HEADER_SIZE) {
      if (fault !== undefined) throw fault;
      return [bytes];
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const hasMore = (view.getUint16(10) & MORE) !== 0;
    const known = this.#begun.size > 0 ? this.#begun.get(view.getUint32(4)) : undefined;
    const type = view.getUint16(8);
    const header = type === EXPERIMENTER ? EXPERIMENTER_HEADER_SIZE : HEADER_SIZE;
    const isPart = hasMore || known !== undefined;
    if (fault !== undefined && !(isPart && bytes.length === header && fault.code === 'OFPBRC_BAD_LEN')) throw fault;
    if (!isPart) return [bytes];
    const xid = view.getUint32(4);
    const begun = known ?? this.#begin(xid, type, bytes);
    const size = bytes.length - header;
    const mayGrow = type === TABLE_FEATURES || type === FLOW_MONITOR;
    if (type !== begun.type || (!mayGrow && begun.parts.length > 0 && size > 0)) {
      this.#end(xid, begun);
      throw new PeerError('OFPBRC_BAD_STAT', 'parts do not belong together');
    }
    begun.last = bytes;
    begun.size += size;
    if (begun.size > MAX_SIZE) {
      this.#end(xid, begun);
      throw new PeerError('OFPBRC_MULTIPART_BUFFER_OVERFLOW', `${begun.size} bytes`);
    }
    if (size > 0) begun.parts.push(bytes);
    if (hasMore) return undefined;
    this.#end(xid, begun);
    return begun.parts.length > 0 ? begun.parts : [bytes];
  }

  #begin(xid: number, type: number, last: Uint8Array): Begun {
    if (this.#begun.size >= MAX_OPEN) throw new PeerError('OFPBRC_MULTIPART_BUFFER_OVERFLOW', `${MAX_OPEN} requests have been begun`);
    const cancel = this.#clock.after(TIMEOUT_MS, () => {
      this.#begun.delete(xid);
      this.#timedOut(begun.last);
    });
    const begun: Begun = { last, type, parts: [], size: HEADER_SIZE, cancel };
    this.#begun.set(xid, begun);
    return begun;
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
