// Writing what `continuation-codec.ts` reads. Of table and cookie each stands for the actions behind it until another comes.
import type { Action } from '../action.ts';
import type { OfVersion } from '../message.ts';
import { encodeActions } from './actions/action-codec.ts';
import { ByteWriter } from './bytes.ts';
import { type Continuation, PROPERTY } from './continuation-codec.ts';

/** The bytes of a continuation, whose `stack` has two digits for each byte behind its `0x`. */
export function encodeContinuation(c: Continuation, version: OfVersion): Uint8Array {
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
    if (list.length > 0) property(type, () => encodeActions(out.zeros(4), list, version));
  };
  property(PROPERTY.BRIDGE, () => {
    const digits = (c.bridge ?? '').replaceAll('-', '').padStart(32, '0');
    for (let at = 0; at < 32; at += 8) out.put(Buffer.from(digits.slice(at, at + 8), 'hex').reverse());
  });
  for (const value of c.stack) property(PROPERTY.STACK, () => out.put(Buffer.from(value.slice(2), 'hex')));
  if (c.mirrors !== 0) property(PROPERTY.MIRRORS, () => out.u32(c.mirrors));
  if (c.conntracked) property(PROPERTY.CONNTRACKED, () => {});
  let [table, cookie] = [0, 0n];
  let part: Action[] = [];
  for (const action of c.actions ?? []) {
    if (action.kind !== 'unrollXlate') {
      part.push(action);
      continue;
    }
    actions(PROPERTY.ACTIONS, part);
    part = [];
    if (action.table !== table) property(PROPERTY.TABLE, () => out.u8(action.table));
    if (action.cookie !== cookie) property(PROPERTY.COOKIE, () => out.zeros(4).u64(action.cookie));
    ({ table, cookie } = action);
  }
  actions(PROPERTY.ACTIONS, part);
  actions(PROPERTY.ACTION_SET, c.actionSet ?? []);
  if (c.odpPort !== undefined) property(PROPERTY.ODP_PORT, () => out.u32(c.odpPort!));
  return out.result();
}
