// Pieces of messages at random, as bytes or as text that stands for bytes: entries of matches, fixed matches, actions, instructions.
import { FIELDS } from '../../src/flow/fields.ts';
import { OXM_CLASSES } from '../../src/openflow/codec/fields/oxm-table.ts';
import type { Dice } from './random.ts';

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Options have no width before a switch's TLV table says so. */
const CODED = FIELDS.filter((field) => field.codes.length > 0 && !field.name.startsWith('tun_metadata'));

const FREE = CODED.filter((field) => field.prereq === 'none');

/** An option as long as it likes to be. */
function optionText(d: Dice): string {
  const value = d.bytes(d.chance(1, 4) ? d.below(124) + 1 : d.pick([0, 1, 2, 4, 8]));
  const name = `NXM_NX_TUN_METADATA${d.below(64)}`;
  if (d.chance(2, 3)) return `${name}(${hex(value)})`;
  const mask = d.bytes(value.length);
  if (d.chance(4, 5)) for (let i = 0; i < value.length; i++) value[i] = (value[i] ?? 0) & (mask[i] ?? 0);
  return `${name}_W(${hex(value)}/${hex(mask)})`;
}

/** NXM or OXM entries as text, with and without masks and prerequisites, few of them wrong. */
export function entriesLine(d: Dice, strict: boolean): string {
  const parts = d.some(4, () => {
    if (d.chance(1, 15)) return optionText(d);
    if (d.chance(1, 60)) return d.pick(['NXM_NX_COOKIE(0000000000000005)', 'NXM_NX_COOKIE_W(0000000000000005/00000000000000ff)']);
    const field = d.pick(strict ? CODED : FREE);
    const code = d.pick(field.codes);
    const masked = field.maskable && d.chance(1, 3);
    const size = field.wireBytes;
    const value = d.bytes(size);
    const spare = size * 8 - field.bits;
    if (spare > 0 && (d.chance(4, 5) || field.name.startsWith('tun_')))
      for (let i = 0; i < size * 8 && i < spare; i++) value[i >> 3] = (value[i >> 3] ?? 0) & ~(0x80 >> (i & 7));
    if (!masked) return `${code.label}(${hex(value)})`;
    const mask = d.bytes(size);
    if (field.name.startsWith('tun_')) for (let i = 0; i < spare; i++) mask[i >> 3] = (mask[i >> 3] ?? 0) & ~(0x80 >> (i & 7));
    if (d.chance(4, 5)) for (let i = 0; i < size; i++) value[i] = (value[i] ?? 0) & (mask[i] ?? 0);
    return `${code.label}_W(${hex(value)}/${hex(mask)})`;
  });
  const type = d.pick(['0800', '86dd', '0806', '8847', '894f', '8035', '8848']);
  const needs = d.chance(2, 3) ? [d.pick([`NXM_OF_ETH_TYPE(${type})`, `OXM_OF_ETH_TYPE(${type})`])] : [];
  if (needs.length > 0 && d.chance(1, 2)) needs.push(`NXM_OF_IP_PROTO(${d.pick(['06', '11', '84', '01', '3a'])})`);
  if (needs.length > 1 && d.chance(1, 3)) needs.push(`OXM_OF_ICMPV6_TYPE(${d.pick(['87', '88'])})`);
  return [...needs, ...parts].join(', ');
}

/** A 40-byte match whose interesting fields have interesting values. */
export function fixed10(d: Dice): string {
  const bytes = d.bytes(40);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, d.u32() & (d.chance(1, 2) ? 0x3fffff : 0xffffffff));
  if (d.chance(2, 3)) view.setUint32(0, view.getUint32(0) & ~0x10);
  if (d.chance(4, 5)) view.setUint16(22, d.pick([0x800, 0x806, 0x8035, 0x86dd, 0x5ff]));
  if (d.chance(4, 5)) bytes[25] = d.pick([1, 6, 17, 132, 58, 2]);
  if (d.chance(1, 2)) view.setUint16(18, d.pick([0xffff, 0, 5, 4095, 0x1005]));
  return hex(bytes);
}

export function fixed11(d: Dice): string {
  const bytes = d.bytes(88);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, d.chance(1, 20) ? 1 : 0);
  view.setUint16(2, d.chance(1, 20) ? 87 : 88);
  view.setUint32(4, d.pick([1, 0xfffffffe, 0x10005, 0xffffff01, 7]));
  view.setUint32(8, d.u32() & 0x3ff);
  if (d.chance(4, 5)) view.setUint16(42, d.pick([0x800, 0x806, 0x8035, 0x86dd, 0x8847, 0x8848, 0x5ff]));
  if (d.chance(4, 5)) bytes[45] = d.pick([1, 6, 17, 132, 58, 2]);
  if (d.chance(1, 2)) view.setUint16(36, d.pick([0xffff, 0xfffe, 0, 5, 4095, 0x1005]));
  return hex(bytes);
}

/** A header of a field as actions name it. */
function fieldHeader(d: Dice): string {
  const field = d.pick(CODED);
  const code = d.pick(field.codes);
  const { cls, experimenter } = OXM_CLASSES[code.cls];
  const long = cls === 0xffff;
  const size = field.wireBytes + (long ? 4 : 0);
  return (
    (((cls << 16) | (code.num << 9) | size) >>> 0).toString(16).padStart(8, '0') + (long ? experimenter.toString(16).padStart(8, '0') : '')
  );
}

/** Random actions as bytes: a type or subtype that exists, a plausible length, a body of which parts are plausible. */
function wireAction(d: Dice): string {
  const sizes = [8, 16, 24, 32, 40, 48];
  let body = '';
  const nicira = d.chance(2, 3);
  const size = nicira ? d.pick(sizes.slice(1)) : d.pick(sizes.slice(0, 3));
  const head = nicira
    ? `ffff${size.toString(16).padStart(4, '0')}${d.chance(1, 40) ? '4f4e4600' : '00002320'}${(d.chance(1, 30) ? 3200 : d.below(52)).toString(16).padStart(4, '0')}`
    : `${d.below(30).toString(16).padStart(4, '0')}${size.toString(16).padStart(4, '0')}`;
  while ((head.length + body.length) / 2 < size) {
    body += d.chance(1, 4)
      ? fieldHeader(d)
      : d.chance(1, 2)
        ? '0000'
        : d.chance(1, 2)
          ? hex(d.bytes(2))
          : d.below(16).toString(16).padStart(4, '0');
  }
  const whole = (head + body).slice(0, size * 2);
  return d.chance(1, 50) ? whole.slice(0, -2) : whole;
}

export const wireActions = (d: Dice): string => Array.from({ length: 1 + d.below(2) }, () => wireAction(d)).join('');

export function wireInstructions(d: Dice): string {
  return ['', ...d.some(2, () => '')]
    .map(() => {
      const type = d.pick([1, 2, 3, 4, 5, 6, 7, 0xffff]);
      const body =
        type === 3 || type === 4 ? `00000000${wireActions(d)}` : type === 2 ? hex(d.bytes(20)) : hex(d.bytes(d.pick([4, 4, 4, 12])));
      return type.toString(16).padStart(4, '0') + (body.length / 2 + 4).toString(16).padStart(4, '0') + body;
    })
    .join('');
}
