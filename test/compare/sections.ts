// What is compared: a section makes cases of one kind from a source of choices.
import { FIELDS } from '../../src/flow/fields.ts';
import { OXM_CLASSES } from '../../src/openflow/codec/oxm-table.ts';
import { errorNames } from '../../src/openflow/errors.ts';
import { messageHeads } from '../../src/openflow/message-table.ts';
import { flowText, spoil } from './flow-lines.ts';
import type { Case } from './programs.ts';
import type { Dice } from './random.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const VERSIONS = ['OpenFlow10', 'OpenFlow11', 'OpenFlow12', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'];
const FORMATS = [...VERSIONS.map((name) => ['-O', name]), ['-F', 'nxm'], []];

/** tun_metadata has no width before a switch's TLV table says so; see DIFFERENCES. */
const CODED = FIELDS.filter((field) => field.codes.length > 0 && !field.name.startsWith('tun_metadata') && field.name !== 'packet_type');

const FREE = CODED.filter((field) => field.prereq === 'none');

/** NXM or OXM entries as text, with and without masks and prerequisites, few of them wrong. */
export function entriesLine(d: Dice, strict: boolean): string {
  const parts = d.some(4, () => {
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
function fixed10(d: Dice): string {
  const bytes = d.bytes(40);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, d.u32() & (d.chance(1, 2) ? 0x3fffff : 0xffffffff));
  if (d.chance(2, 3)) view.setUint32(0, view.getUint32(0) & ~0x10);
  if (d.chance(4, 5)) view.setUint16(22, d.pick([0x800, 0x806, 0x8035, 0x86dd, 0x5ff]));
  if (d.chance(4, 5)) bytes[25] = d.pick([1, 6, 17, 132, 58, 2]);
  if (d.chance(1, 2)) view.setUint16(18, d.pick([0xffff, 0, 5, 4095, 0x1005]));
  // The upper byte of an ICMP type has no place in a key; see DIFFERENCES.
  if (bytes[25] === 1 || bytes[25] === 58) bytes[36] = bytes[38] = 0;
  return hex(bytes);
}

function fixed11(d: Dice): string {
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

const HEADS = messageHeads();

/** A message that exists, of a size that it may have, with a body that is half zeros. */
export function wireMessage(d: Dice): string {
  const { form, head } = d.pick(HEADS);
  const steps = form.step === 0 ? 0 : d.below(form.step > 8 ? 3 : 9);
  const size = Math.max(head.length, form.minSize + steps * (form.step === 1 ? 7 : form.step));
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (let at = head.length & ~1; at + 2 <= size; at += 2) {
    view.setUint16(at, d.chance(3, 5) ? 0 : d.pick([1, 2, 8, 16, d.below(64), d.below(256), d.below(65536), 0xffff, 0x8000]));
  }
  bytes.set(head);
  view.setUint16(2, d.chance(1, 60) ? d.below(size + 9) : size);
  if (form.isMultipart && d.chance(1, 20)) view.setUint16(10, d.below(4));
  return hex(bytes);
}

const lines = (d: Dice, count: number, make: (d: Dice) => string): string => `${Array.from({ length: count }, () => make(d)).join('\n')}\n`;

/** Cases by section; `count` is about how many comparisons there should be. */
export const SECTIONS: Readonly<Record<string, (d: Dice, count: number) => Case[]>> = {
  nxm: (d, count) =>
    Array.from({ length: count }, () => {
      const strict = d.chance(3, 4);
      const line = entriesLine(d, strict);
      const args = d.chance(1, 2) ? ['parse-nxm'] : ['parse-oxm', d.pick(VERSIONS.slice(2))];
      if (strict) args.unshift('--strict');
      return { args, stdin: `${d.chance(1, 15) && line !== '' ? spoil(d, line) : line}\n` };
    }),
  nxmLines: (d, count) =>
    Array.from({ length: count }, () => ({
      args: ['--strict', ...(d.chance(1, 2) ? ['parse-nxm'] : ['parse-oxm', d.pick(VERSIONS.slice(2))])],
      stdin: `${entriesLine(d, true) || 'NXM_OF_ETH_TYPE(0800)'}\n`,
    })),
  ofp10: (d, count) => Array.from({ length: count }, () => ({ args: ['parse-ofp10-match'], stdin: lines(d, 1, fixed10) })),
  ofp11: (d, count) => Array.from({ length: count }, () => ({ args: ['parse-ofp11-match'], stdin: lines(d, 1, fixed11) })),
  actions: (d, count) =>
    Array.from({ length: count }, () => ({ args: ['parse-actions', d.pick(VERSIONS)], stdin: lines(d, 1, wireActions) })),
  instructions: (d, count) =>
    Array.from({ length: count }, () => ({ args: ['parse-instructions', d.pick(VERSIONS)], stdin: lines(d, 1, wireInstructions) })),
  flows: (d, count) => Array.from({ length: count }, () => ({ args: [...d.pick(FORMATS), 'parse-flow', flowText(d, 1)] })),
  badflows: (d, count) => Array.from({ length: count }, () => ({ args: [...d.pick(FORMATS), 'parse-flow', spoil(d, flowText(d, 3))] })),
  small: (d, count) =>
    Array.from({ length: count }, (): Case => {
      const word = (): string => hex(d.bytes(2));
      switch (d.below(5)) {
        case 0: {
          const mask = d.number(16);
          return { args: ['check-vlan', (d.number(16) & mask).toString(16), mask.toString(16)] };
        }
        case 1:
          return { args: ['print-error', d.pick(errorNames())] };
        case 2:
          return { args: ['encode-error-reply', d.pick(errorNames()), `0${1 + d.below(6)}02000a00000001${word()}`] };
        case 3:
          return { args: ['encode-hello', `0x${((d.u32() & 0x7e) | 2).toString(16)}`] };
        default:
          return { args: ['parse-key-value', flowText(d), spoil(d, flowText(d))] };
      }
    }),
  messages: (d, count) =>
    Array.from({ length: count }, () => ({ args: ['ofp-print', wireMessage(d), ...(d.chance(1, 2) ? [] : [String(d.below(4))])] })),
  packets: (d, count) =>
    Array.from({ length: count }, () => ({ args: ['parse-packet'], stdin: Buffer.from(d.bytes(1 + d.below(80))).toString('latin1') })),
};

/**
 * What is known to differ, and why. Where the reason is ours the difference is a debt, not a feature.
 *
 * - nxm, parse-oxm: tun_metadata is left out: a key has room for it only where a TLV table says so, the reference makes room in each match.
 *   packet_type (0,0) is left out: every key without another is Ethernet, the reference keeps whether that was said.
 *   ICMP types and codes fill 16 bits in the reference, 8 here: in matches without their prerequisites the mask shows it.
 * - ofp10: as above, types and codes over 255.
 * - actions, instructions: order of checks in actions with several faults at once; the reference logs each of them.
 * - flows: log lines of matches without prerequisites (`eth` and 16-bit ICMP types, as above); order of several faults in one text.
 * - badflows: the place that a message quotes after a spoilt number, parenthesis or field.
 * - messages: lists whose later entries are bad are printed up to there by the reference, not at all here.
 */
export const ALLOWANCE: Readonly<Record<string, { share: number; onErrors: boolean }>> = {
  nxm: { share: 0.03, onErrors: true },
  nxmLines: { share: 0.03, onErrors: true },
  actions: { share: 0.15, onErrors: true },
  instructions: { share: 0.15, onErrors: true },
  flows: { share: 0.1, onErrors: true },
  badflows: { share: 0.2, onErrors: true },
  small: { share: 0.03, onErrors: true },
  messages: { share: 0.4, onErrors: false },
};
