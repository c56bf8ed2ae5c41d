// Actions that set fields: whole ones by number, parts of them, time to live.
import { type Field, tunFieldIndex } from '../../flow/fields.ts';
import { KEY_WORDS, keyBits, setKeyBits, tunPresentBit, VLAN_CFI, W } from '../../flow/key.ts';
import type { Action, Subfield } from '../../openflow/action.ts';
import { fixVlan, hasPrereq, isIp, isIpv4, markSubfield, readSubfield, wholeField, writeSubfield } from './subfield.ts';
import { toController } from './to-controller.ts';
import type { Walk } from './translate.ts';

/** delete_field: of what can be deleted there are only the options of a tunnel. */
export function deleteField(walk: Walk, action: Extract<Action, { kind: 'deleteField' }>): void {
  walk.report('detail', `delete ${action.field.name}`);
  markSubfield(walk.wild, walk.placed(wholeField(action.field)));
  // It is not there any more. What it held can still be read, as in the reference.
  const option = tunFieldIndex(action.field);
  if (option >= 0) setKeyBits(walk.key, tunPresentBit(option), 1, 0n);
}

/** Whoever touches a field of IP asks for the protocol too: without one no header is set (see `commit`). */
export function touchesIp(walk: Walk, field: Field): void {
  const { prereq } = field;
  if ((prereq === 'ip' || prereq === 'ipv4' || prereq === 'ipv6') && field.name !== 'ip_dscp') walk.mark(W.TYPE, 0xff);
}

/** Sets a part of a field. The two bits of the type of service that belong to congestion notification stay. */
export function load(walk: Walk, dst: Subfield, value: bigint): void {
  const part = walk.placed(dst);
  const spared = part.field.name === 'nw_tos' ? Math.max(0, 2 - part.offset) : 0;
  if (spared >= part.bits) return;
  const written = spared === 0 ? part : { field: part.field, offset: part.offset + spared, bits: part.bits - spared };
  markSubfield(walk.wild, written);
  writeSubfield(walk.key, written, value >> BigInt(spared));
}

export function prereqs(walk: Walk, part: Subfield, verb: string): boolean {
  if (hasPrereq(walk.key, walk.wild, part.field.prereq)) return true;
  walk.report('warn', `unmet prerequisites for ${part.field.name}, ${verb} ignored`);
  return false;
}

export function setField(walk: Walk, action: Action & { kind: 'setField' }): void {
  const { key } = walk;
  const { field, value, mask } = action;
  if (!hasPrereq(key, walk.wild, field.prereq)) {
    walk.report('warn', `unmet prerequisites for ${field.name}, set_field ignored`);
    return;
  }
  if (field.isUnplaced === true) {
    setOption(walk, action);
    return;
  }
  touchesIp(walk, field);
  for (let i = 0; i < KEY_WORDS; i++) {
    // The type of service has two bits that belong to congestion notification.
    const bits = field.name === 'nw_tos' ? mask[i]! & 0xfc000000 : mask[i]!;
    if (bits === 0) continue;
    walk.mark(i, bits);
    key[i] = (key[i]! & ~bits) | (value[i]! & bits);
  }
  if (field.at >> 5 === W.VLAN0) {
    // Writing a part of a tag makes one, except through the raw TCI.
    if (field.name !== 'vlan_tci') key[W.VLAN0] = key[W.VLAN0]! | VLAN_CFI;
    fixVlan(key);
  }
}

/** Sets an option that has been named without its place. Of what is longer than it is the end counts. */
function setOption(walk: Walk, { field, value, mask }: Action & { kind: 'setField' }): void {
  const { key } = walk;
  const whole = walk.placed(wholeField(field));
  const bits = keyBits(mask, field.at, field.bits);
  writeSubfield(key, whole, (readSubfield(key, whole) & ~bits) | (keyBits(value, field.at, field.bits) & bits));
  markSubfield(walk.wild, whole);
}

export function setTos(walk: Walk, bits: number, value: number): void {
  walk.mark(W.TYPE, 0xff);
  walk.mark(W.TOS, bits);
  walk.key[W.TOS] = (walk.key[W.TOS]! & ~bits) | (value & bits);
}

/** Who hears of a frame that has lived out, when nobody is named. */
const DEFAULT_CONTROLLERS: readonly number[] = [0];

export function decrementTtl(walk: Walk, controllerIds: readonly number[] = DEFAULT_CONTROLLERS): 'stop' | undefined {
  const { key } = walk;
  const ttl = (key[W.TOS]! >>> 16) & 0xff;
  walk.mark(W.TYPE, 0xff);
  walk.mark(W.TOS, 0x00ff0000);
  if (!isIp(key)) return;
  if (ttl > 1) {
    setTos(walk, 0x00ff0000, (ttl - 1) << 16);
    return;
  }
  for (const id of controllerIds) toController(walk, 'invalid_ttl', 0xffff, id, undefined, 0);
  walk.report('warn', `IPv${isIpv4(key) ? 4 : 6} decrement TTL exception`);
  return 'stop';
}
