// What a switch must remember of a frame that waits at a controller (NXT_PACKET_IN2, NXT_RESUME): controllers hand it back as it was, so its
// form is the switch's own matter. It is Open vSwitch's all the same: other programs of its kind print it. Facts: the running reference.
//
// A list of properties. Of table and cookie, each stands for the actions behind it until another comes.
import { PeerError } from '../../base/errors.ts';
import type { Action } from '../action.ts';
import type { OfVersion } from '../message.ts';
import { decodeActions, encodeActions } from './action-codec.ts';
import { ByteReader, ByteWriter, bytesToBig } from './bytes.ts';

const PROPERTY = {
  BRIDGE: 0x8000,
  STACK: 0x8001,
  MIRRORS: 0x8002,
  CONNTRACKED: 0x8003,
  TABLE_ID: 0x8004,
  COOKIE: 0x8005,
  ACTIONS: 0x8006,
  ACTION_SET: 0x8007,
  ODP_PORT: 0x8008,
} as const;
/** Actions stand in this version's form, whatever the connection's. */
const VERSION: OfVersion = 4;

/** Actions that are left to do, and the table and flow that they belong to. */
export interface ContinuationPart {
  table: number;
  cookie: bigint;
  actions: readonly Action[];
}

export interface Continuation {
  /** 16 bytes that name the bridge. */
  bridge: Uint8Array;
  /** Top first. */
  stack: readonly { value: bigint; bytes: number }[];
  mirrors: number;
  isConntracked: boolean;
  parts: readonly ContinuationPart[];
  actionSet: readonly Action[];
  /** The datapath's number of the port that the frame came in by. */
  dpPort: number;
}

export function encodeContinuation(c: Continuation): Uint8Array {
  const out = new ByteWriter();
  // All stands behind the property's own header of four bytes.
  out.zeros(4);
  const property = (type: number, body: () => void): void => {
    const start = out.size;
    out.u16(type).u16(0);
    body();
    out.patch16(start + 2, out.size - start);
    out.pad(start, 8);
  };
  const actions = (type: number, list: readonly Action[]): void => {
    if (list.length > 0) property(type, () => encodeActions(out.zeros(4), list, VERSION));
  };
  property(PROPERTY.BRIDGE, () => out.put(c.bridge));
  for (const { value, bytes } of c.stack) property(PROPERTY.STACK, () => out.big(value, bytes));
  if (c.mirrors !== 0) property(PROPERTY.MIRRORS, () => out.u32(c.mirrors));
  if (c.isConntracked) property(PROPERTY.CONNTRACKED, () => {});
  let table = 0;
  let cookie = 0n;
  for (const part of c.parts) {
    if (part.table !== table) property(PROPERTY.TABLE_ID, () => out.u8(part.table));
    if (part.cookie !== cookie) property(PROPERTY.COOKIE, () => out.zeros(4).u64(part.cookie));
    ({ table, cookie } = part);
    actions(PROPERTY.ACTIONS, part.actions);
  }
  actions(PROPERTY.ACTION_SET, c.actionSet);
  if (c.dpPort !== 0) property(PROPERTY.ODP_PORT, () => out.u32(c.dpPort));
  return out.result();
}

/** Reads what `encodeContinuation` wrote. Throws PeerError. */
export function decodeContinuation(bytes: Uint8Array): Continuation {
  const from = new ByteReader(bytes, 'OFPBPC_BAD_LEN').skip(4);
  const stack: { value: bigint; bytes: number }[] = [];
  const parts: ContinuationPart[] = [];
  const c = { bridge: new Uint8Array(16), stack, mirrors: 0, isConntracked: false, parts, actionSet: [] as Action[], dpPort: 0 };
  let table = 0;
  let cookie = 0n;
  while (from.left >= 4) {
    const type = from.u16();
    const size = from.u16();
    if (size < 4) throw new PeerError('OFPBPC_BAD_LEN', `property of ${size} bytes`);
    const body = from.sub(size - 4, 'OFPBPC_BAD_LEN');
    from.skip(Math.min(from.left, (8 - (size % 8)) % 8));
    if (type === PROPERTY.BRIDGE) c.bridge = body.take(16).slice();
    else if (type === PROPERTY.STACK) stack.push({ bytes: body.left, value: bytesToBig(body.rest()) });
    else if (type === PROPERTY.MIRRORS) c.mirrors = body.u32();
    else if (type === PROPERTY.CONNTRACKED) c.isConntracked = true;
    else if (type === PROPERTY.TABLE_ID) table = body.u8();
    else if (type === PROPERTY.COOKIE) cookie = body.skip(4).u64();
    else if (type === PROPERTY.ACTIONS) parts.push({ table, cookie, actions: decodeActions(body.skip(4), VERSION) });
    else if (type === PROPERTY.ACTION_SET) c.actionSet = decodeActions(body.skip(4), VERSION);
    else if (type === PROPERTY.ODP_PORT) c.dpPort = body.u32();
    else throw new PeerError('OFPBPC_BAD_TYPE', `continuation property 0x${type.toString(16)}`);
  }
  return c;
}
