// What all netlink messages share (netlink(7), rtnetlink(7)): the header, acknowledgements, attributes. Pure: bytes in, bytes out.

/** Flags of a request. */
export const NLM = { REQUEST: 1, ACK: 4, DUMP: 0x300, REPLACE: 0x100, EXCLUDE: 0x200, CREATE: 0x400 } as const;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const HEADER_SIZE = 16;

/** The end of a dump, or an acknowledgement: errno 0 is success. */
export type NetlinkAnswer = { kind: 'done' } | { kind: 'ack'; sequence: number; errno: number };

/** One message: `body` is behind the header, both are offsets into the view. */
export interface NetlinkMessage {
  type: number;
  sequence: number;
  body: number;
  end: number;
}

const align = (size: number): number => (size + 3) & ~3;

/** Cuts a datagram into messages and gives what `decode` makes of each, or the answer that it is; stops at the first that does not fit. */
export function decodeMessages<Event>(
  bytes: Uint8Array,
  decode: (view: DataView, message: NetlinkMessage) => Event | undefined,
): (Event | NetlinkAnswer)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: (Event | NetlinkAnswer)[] = [];
  for (let at = 0; at + HEADER_SIZE <= bytes.length; ) {
    const size = view.getUint32(at, true);
    const end = at + size;
    if (size < HEADER_SIZE || end > bytes.length) break;
    const message = { type: view.getUint16(at + 4, true), sequence: view.getUint32(at + 8, true), body: at + HEADER_SIZE, end };
    if (message.type === NLMSG_DONE) events.push({ kind: 'done' });
    else if (message.type === NLMSG_ERROR) {
      if (size >= 20) events.push({ kind: 'ack', sequence: message.sequence, errno: -view.getInt32(message.body, true) });
    } else {
      const event = decode(view, message);
      if (event !== undefined) events.push(event);
    }
    at += align(size);
  }
  return events;
}

/** Calls `take` for each attribute of [start, end); stops at the first that does not fit. */
export function attributes(view: DataView, start: number, end: number, take: (type: number, at: number, size: number) => void): void {
  let at = start;
  while (at + 4 <= end) {
    const size = view.getUint16(at, true);
    if (size < 4 || at + size > end) return;
    take(view.getUint16(at + 2, true) & 0x3fff, at + 4, size - 4);
    at += align(size);
  }
}

/** An attribute, padded. */
export function encodeAttribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(align(value.length + 4));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, value.length + 4, true);
  view.setUint16(2, type, true);
  bytes.set(value, 4);
  return bytes;
}

/** 32 bits in this machine's order: what most attributes hold. */
export const word = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

/** A request: NLM_F_REQUEST and `flags`, the family's own header, and attributes. */
export function encodeRequest(
  type: number,
  flags: number,
  sequence: number,
  head: Uint8Array,
  attributes: readonly Uint8Array[] = [],
): Uint8Array {
  const size = attributes.reduce((sum, { length }) => sum + length, HEADER_SIZE + head.length);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, size, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM.REQUEST | flags, true);
  view.setUint32(8, sequence, true);
  let at = HEADER_SIZE;
  for (const part of [head, ...attributes]) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
