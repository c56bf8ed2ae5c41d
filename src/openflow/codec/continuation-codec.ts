// What goes with a frame that `controller(pause)` sends up, so that NXT_RESUME can go on where it stopped: a list of properties inside the
// continuation property of NXT_PACKET_IN2. Controllers give it back as it is; the layout is the reference's, so that its tools print it.
import { PeerError } from '../../base/errors.ts';
import type { Action } from '../action.ts';
import type { OfVersion } from '../message.ts';
import { decodeActions, encodeActions } from './action-codec.ts';
import { ByteReader, ByteWriter } from './bytes.ts';

/** Actions that are left of one flow, with its table and cookie. */
export interface ContinuationSection {
  table: number;
  cookie: bigint;
  actions: readonly Action[];
}

export interface Continuation {
  /** 16 bytes that name the bridge where the frame goes on. */
  bridge: Uint8Array;
  /** Bottom first. */
  stack: readonly { value: bigint; bits: number }[];
  /** Bits of mirrors that have had the frame. */
  mirrors: number;
  isConntracked: boolean;
  sections: readonly ContinuationSection[];
  actionSet: readonly Action[];
  /** The datapath's number of the port that the frame came in by. */
  odpPort: number;
}

const PROPERTY = {
  BRIDGE: 0x8000,
  STACK: 0x8001,
  MIRRORS: 0x8002,
  CONNTRACKED: 0x8003,
  TABLE: 0x8004,
  COOKIE: 0x8005,
  ACTIONS: 0x8006,
  ACTION_SET: 0x8007,
  ODP_PORT: 0x8008,
} as const;
/** Zeros between the header of the continuation and the first property. */
const HEAD_PADDING = 4;

/** The continuation's bytes behind its header. */
export function encodeContinuation(c: Continuation, version: OfVersion): Uint8Array {
  const out = new ByteWriter();
  out.zeros(HEAD_PADDING);
  const property = (type: number, body: (out: ByteWriter) => void): void => {
    const start = out.size;
    out.u16(type).u16(0);
    body(out);
    out.patch16(start + 2, out.size - start);
    out.pad(start, 8);
  };
  property(PROPERTY.BRIDGE, (o) => o.put(c.bridge));
  for (const { value, bits } of c.stack) property(PROPERTY.STACK, (o) => o.big(value, Math.ceil(bits / 8)));
  if (c.mirrors !== 0) property(PROPERTY.MIRRORS, (o) => o.u32(c.mirrors));
  if (c.isConntracked) property(PROPERTY.CONNTRACKED, () => {});
  let table = 0;
  let cookie = 0n;
  for (const section of c.sections) {
    if (section.table !== table) property(PROPERTY.TABLE, (o) => o.u8(section.table));
    if (section.cookie !== cookie) property(PROPERTY.COOKIE, (o) => o.u32(0).u64(section.cookie));
    table = section.table;
    cookie = section.cookie;
    property(PROPERTY.ACTIONS, (o) => encodeActions(o.u32(0), section.actions, version));
  }
  if (c.actionSet.length > 0) property(PROPERTY.ACTION_SET, (o) => encodeActions(o.u32(0), c.actionSet, version));
  property(PROPERTY.ODP_PORT, (o) => o.u32(c.odpPort));
  return out.result();
}

/** Reads what `encodeContinuation` wrote, or a peer made up. Throws PeerError. */
export function decodeContinuation(bytes: Uint8Array, version: OfVersion): Continuation {
  const from = new ByteReader(bytes, 'OFPBPC_BAD_LEN').skip(Math.min(HEAD_PADDING, bytes.length));
  const stack: { value: bigint; bits: number }[] = [];
  const sections: ContinuationSection[] = [];
  const made: Continuation = {
    bridge: new Uint8Array(16),
    stack,
    mirrors: 0,
    isConntracked: false,
    sections,
    actionSet: [],
    odpPort: 0,
  };
  let table = 0;
  let cookie = 0n;
  while (from.left > 0) {
    const type = from.u16();
    const size = from.u16();
    if (size < 4) throw new PeerError('OFPBPC_BAD_LEN', `property of ${size} bytes`);
    const body = from.sub(size - 4, 'OFPBPC_BAD_LEN');
    from.skip(Math.min(from.left, (8 - (size % 8)) % 8));
    if (type === PROPERTY.BRIDGE) made.bridge = body.take(16).slice();
    else if (type === PROPERTY.STACK) {
      const bits = body.left * 8;
      stack.push({ value: body.big(body.left), bits });
    } else if (type === PROPERTY.MIRRORS) made.mirrors = body.u32();
    else if (type === PROPERTY.CONNTRACKED) made.isConntracked = true;
    else if (type === PROPERTY.TABLE) table = body.u8();
    else if (type === PROPERTY.COOKIE) cookie = body.skip(4).u64();
    else if (type === PROPERTY.ACTIONS) sections.push({ table, cookie, actions: decodeActions(body.skip(4), version) });
    else if (type === PROPERTY.ACTION_SET) made.actionSet = decodeActions(body.skip(4), version);
    else if (type === PROPERTY.ODP_PORT) made.odpPort = body.u32();
    else throw new PeerError('OFPBPC_BAD_TYPE', `property ${type} of a continuation`);
  }
  return made;
}
