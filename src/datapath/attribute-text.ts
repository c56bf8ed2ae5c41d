// Attributes of a datapath flow as the reference prints them where they are no flow of its own: as the whole of a key that was read
// (`dpctl/normalize-actions`), and within a `set` action. Facts: the running reference.
import { formatIpv4, formatIpv6, formatMac } from '../base/addresses.ts';
import { FRAG } from '../flow/key.ts';
import { type FieldValue, type KeyAttribute, ones, type TunnelOption } from './attribute-parse.ts';
import { type FieldPlace, FLAGS, type FlagNames, GROUPS, SINGLE } from './key-groups.ts';
import { optionText } from './option-text.ts';

const hex = (value: bigint): string => (value === 0n ? '0' : `0x${value.toString(16)}`);
const zeroHex = (value: bigint): string => `0x${value.toString(16)}`;

function plainText(value: bigint, { kind, isHex }: FieldPlace): string {
  const words = (): number[] => [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffffffffn));
  switch (kind) {
    case 'mac':
      return formatMac(Number(value >> 16n), Number(value & 0xffffn));
    case 'ipv4':
      return formatIpv4(Number(value));
    case 'ipv6':
      return formatIpv6(words());
    case 'frag':
      return value === 0n ? 'no' : value === BigInt(FRAG.ANY) ? 'first' : 'later';
    case 'number':
      return isHex === true ? hex(value) : String(value);
  }
}

function fieldText([value, mask]: FieldValue, place: FieldPlace): string {
  const isAddress = place.kind !== 'number';
  const maskText = mask === ones(place.bits) ? '' : `/${isAddress ? plainText(mask, place) : hex(mask)}`;
  return `${plainText(value, place)}${maskText}`;
}

function flagsText(value: bigint, names: FlagNames): string {
  const set = names.filter(([, bit]) => (value & BigInt(bit)) !== 0n).map(([name]) => name);
  return set.length === 0 ? '0' : set.join('|');
}

const signedText = ([value, mask]: FieldValue, names: FlagNames): string =>
  names
    .filter(([, bit]) => (mask & BigInt(bit)) !== 0n)
    .map(([name, bit]) => `${(value & BigInt(bit)) === 0n ? '-' : '+'}${name}`)
    .join('');

const nameOf = (group: string, name: string): string => (group === 'ct_tuple6' ? name.replace(/^tp_(src|dst)$/, '$1_port') : name);

/** Fields of a group: all of them, or those of which some bit is said. */
function groupText({ group, fields }: KeyAttribute, isWhole: boolean): string {
  const parts: string[] = [];
  for (const [name, place] of Object.entries(GROUPS.get(group) ?? {})) {
    const [value, mask] = fields.get(name) ?? [0n, isWhole ? ones(place.bits) : 0n];
    if (group === 'nd_ext' && name === 'nd_reserved') parts.push(`${name}=${zeroHex(value)}`);
    else if (mask !== 0n) parts.push(`${nameOf(group, name)}=${fieldText([value, mask], place)}`);
  }
  return `${group}(${parts.join(',')})`;
}

function vlanText({ fields }: KeyAttribute, isWhole: boolean): string {
  const parts: string[] = [];
  for (const [name, place] of Object.entries(GROUPS.get('vlan')!)) {
    const field = fields.get(name) ?? (isWhole ? ([0n, ones(place.bits)] as const) : undefined);
    if (name === 'cfi') {
      if (fields.get('cfi')?.[0] === 0n) parts.push('cfi=0');
    } else if (field !== undefined) {
      parts.push(`${name}=${field[0]}${field[1] === ones(place.bits) ? '' : `/${zeroHex(field[1])}`}`);
    }
  }
  return `vlan(${parts.join(',')})`;
}

function mplsText({ entries = [] }: KeyAttribute, isWhole: boolean): string {
  const places = Object.entries(GROUPS.get('mpls')!);
  const isExact = isWhole || entries.every((entry) => places.every(([name, { bits }]) => entry.get(name)?.[1] === ones(bits)));
  const parts = entries.flatMap((entry) =>
    places.map(([name]) => {
      const [value, mask] = entry.get(name) ?? [0n, 0n];
      const isPlain = name === 'tc' || name === 'bos';
      return `${name}=${value}${isExact ? '' : `/${isPlain ? mask.toString(16) : zeroHex(mask)}`}`;
    }),
  );
  return `mpls(${parts.join(',')})`;
}

export const optionsText = (options: readonly TunnelOption[]): string =>
  `geneve(${options.map(({ header, value }) => optionText(header, value, undefined, (header & 0x1f) * 4)).join('')})`;

/** Parts in the order of the text; the flags come last, and that there is an id is one of them. */
function tunnelText({ fields, extras }: KeyAttribute, isWhole: boolean, hidesSome: boolean): string {
  const places = GROUPS.get('tunnel')!;
  const parts = (extras?.order ?? []).map((name): string => {
    if (name === 'geneve') return optionsText(extras?.options ?? []);
    const extra = name === 'vxlan' ? extras?.vxlan : name === 'erspan' ? extras?.erspan : name === 'gtpu' ? extras?.gtpu : undefined;
    const value = (of: string): bigint => extra?.get(of)?.[0] ?? 0n;
    switch (name) {
      case 'vxlan':
        return extra?.size === 0 ? '' : `vxlan(gbp(id=${value('id')},flags=${hex(value('flags'))}))`;
      case 'gtpu':
        return `gtpu(flags=${hex(value('flags'))},msgtype=${value('msgtype')})`;
      case 'erspan':
        if (value('ver') === 1n) return `erspan(ver=1,idx=${hex(value('idx'))})`;
        return `erspan(ver=2,dir=${value('dir') & 1n},hwid=${hex(value('hwid') & 63n)})`;
      case 'flags':
        return '';
      case 'tun_id':
        return hidesSome ? '' : `tun_id=${zeroHex(fields.get(name)?.[0] ?? 0n)}`;
    }
    return `${name}=${plainText(fields.get(name)?.[0] ?? 0n, places[name]!)}`;
  });
  const { names } = FLAGS.get('flags')!;
  const said = fields.get('flags')?.[0];
  const flags = ((said ?? 0n) & ~8n) | (fields.has('tun_id') ? 8n : 0n);
  if (isWhole || said !== undefined) parts.push(`flags(${flagsText(flags, names)})`);
  else if (flags !== 0n) parts.push(`flags(${signedText([flags, flags], names)})`);
  return `tunnel(${parts.filter((part) => part !== '').join(',')})`;
}

function singleText(group: string, place: FieldPlace, [value, mask]: FieldValue, hidesSome: boolean): string {
  const isExact = mask === ones(place.bits);
  if (group === 'in_port') return `in_port(${value}${isExact ? '' : `/${hex(mask)}`})`;
  if (group === 'eth_type') {
    const digits = (bits: bigint): string => `0x${bits.toString(16).padStart(4, '0')}`;
    return `eth_type(${digits(value)}${isExact ? '' : `/${digits(mask)}`})`;
  }
  // Without a mask beside it, the reference prints nothing of these.
  if (hidesSome && (group === 'ct_zone' || group === 'ct_mark' || group === 'ct_label')) return `${group}()`;
  return `${group}(${hex(value)}${isExact ? '' : `/${hex(mask)}`})`;
}

/**
 * `isWhole`: of a key without a mask, where what was not said is zero. Otherwise what was not said is not there. `hidesSome`: as the reference prints
 * what it has read, which leaves out values of connection tracking and the id of a tunnel.
 */
export function formatAttribute(attribute: KeyAttribute, isWhole: boolean, hidesSome = false): string {
  const { group, fields, inner } = attribute;
  if (inner !== undefined) {
    const isSaid = ({ group: name, fields: some }: KeyAttribute): boolean =>
      isWhole || !GROUPS.has(name) || [...some.values()].some(([, mask]) => mask !== 0n);
    return `encap(${formatAttributes(inner.filter(isSaid), isWhole, hidesSome)})`;
  }
  const single = SINGLE.get(group);
  if (single !== undefined) return singleText(group, single, fields.get('')!, hidesSome);
  const flags = FLAGS.get(group);
  if (flags !== undefined) {
    const field = fields.get('')!;
    const isExact = field[1] === ones(flags.place.bits);
    if (group === 'ct_state' && !hidesSome && attribute.isSigned !== true) return `ct_state(${hex(field[0])})`;
    const isPlain = group === 'ct_state' ? isWhole : isExact;
    return `${group}(${isPlain ? flagsText(field[0], flags.names) : signedText(field, flags.names)})`;
  }
  if (group === 'vlan') return vlanText(attribute, isWhole);
  if (group === 'mpls') return mplsText(attribute, isWhole);
  if (group === 'tunnel') return tunnelText(attribute, isWhole, hidesSome);
  return groupText(attribute, isWhole);
}

export const formatAttributes = (attributes: readonly KeyAttribute[], isWhole: boolean, hidesSome = false): string =>
  attributes.map((attribute) => formatAttribute(attribute, isWhole, hidesSome)).join(',');
