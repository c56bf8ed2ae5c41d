// What `ofproto/trace` prints of a walk, a flow and a megaflow.
import type { PortNames } from '../../flow/field-text.ts';
import { FRAG, type Key, keyBits, type Match, matchAll, newKey, setKeyBits, TUN_FLAG, tunPresentBit, VLAN_CFI, W } from '../../flow/key.ts';
import { formatMatch } from '../../flow/match-text.ts';
import type { TlvTable } from '../../openflow/tlv-table.ts';
import { isArp, isIp, isIpv4 } from './subfield.ts';
import type { TraceNode, Translation } from './translation.ts';
import { placeOptions, presentFields, readFields } from './tunnel-options.ts';

/** Prints the nodes of a walk, indented where more follows. */
export function formatNodes(nodes: readonly TraceNode[], level: number, out: string[]): void {
  for (const [i, node] of nodes.entries()) {
    const isLine = node.kind !== 'bridge' && node.kind !== 'table' && node.kind !== 'thaw';
    const more = isLine || i < nodes.length - 1 ? 1 : 0;
    const indent = '    '.repeat(level + more);
    switch (node.kind) {
      case 'bridge':
        out.push('', indent + node.text, indent + '-'.repeat(node.text.length));
        break;
      case 'detail':
        out.push(`${indent} -> ${node.text}`);
        break;
      case 'warn':
        out.push(`${indent} >> ${node.text}`);
        break;
      case 'error':
        out.push(`${indent} >>>> ${node.text} <<<<`);
        break;
      default:
        out.push(indent + node.text);
    }
    formatNodes(node.subs, level + more + more, out);
  }
}

/** C's `%#x`. */
export const number = (value: number | bigint): string => (Number(value) === 0 ? '0' : `0x${value.toString(16)}`);
const words = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);
/** Metadata that is shown where it is not zero. */
const METADATA_WORDS = [
  W.RECIRC_ID,
  W.DP_HASH,
  W.CT_STATE,
  W.CT_ZONE,
  W.CT_MARK,
  ...words(W.CT_LABEL, W.TUN_ID - W.CT_LABEL),
  W.PKT_MARK,
  W.SKB_PRIORITY,
  ...words(W.TUN_ID, 12),
  W.TUN_GBP,
  ...words(W.METADATA, 2),
  ...words(W.REGS, 16),
];
/** What is printed before the kind of packet. */
const FIRST_WORDS = [
  W.PKT_MARK,
  W.RECIRC_ID,
  W.DP_HASH,
  W.SKB_PRIORITY,
  W.CONJ_ID,
  W.ACTSET_OUTPUT,
  W.CT_STATE,
  W.CT_ZONE,
  W.CT_MARK,
  ...words(W.CT_LABEL, W.TUN_ID - W.CT_LABEL),
];

/** Whether it has an outer header. */
export const hasOuter = (key: Key): boolean => key[W.TUN_DST] !== 0 || words(W.TUN_IPV6_DST, 4).some((word) => key[word] !== 0);

/** The fields that a frame of this kind has, all exact. */
function wholeMask(key: Key): Key {
  const mask = newKey();
  mask[W.IN_PORT] = 0xffff;
  mask.fill(0xffffffff, W.ETH, W.ETH + 3);
  mask[W.TYPE] = 0xffff0000;
  mask[W.VLAN0] = 0xffff;
  for (const word of METADATA_WORDS) if (key[word] !== 0) mask[word] = 0xffffffff;
  // Fields of two words are shown whole.
  for (const word of [W.TUN_ID, W.METADATA]) if (key[word] !== 0 || key[word + 1] !== 0) mask.fill(0xffffffff, word, word + 2);
  if (!hasOuter(key)) {
    mask.fill(0, W.TUN_SRC, W.TUN_FLAGS + 1);
    mask[W.TUN_GBP] = 0;
  } else {
    mask.fill(0xffffffff, W.TUN_SRC, W.TUN_FLAGS + 1);
    if (((key[W.TUN_FLAGS]! >>> 16) & TUN_FLAG.KEY) === 0) mask.fill(0, W.TUN_ID, W.TUN_ID + 2);
    mask[W.TUN_GBP] = 0xffffffff;
    mask[W.TUN_EXTRA] = 0xffffffff;
  }
  if (words(W.CT_LABEL, 4).some((word) => key[word] !== 0)) mask.fill(0xffffffff, W.CT_LABEL, W.CT_LABEL + 4);
  mask[W.CT_ZONE] = key[W.CT_ZONE]! >>> 16 === 0 ? 0 : 0xffff0000;
  // Of a connection's first packet all is shown or nothing.
  mask.fill(0, W.CT_NW_SRC, W.TUN_ID);
  const hasFirst = key[W.CT_STATE] !== 0 && ((key[W.CT_ZONE]! >>> 8) & 0xff) !== 0 && isIp(key);
  if (hasFirst) {
    mask[W.CT_ZONE] = mask[W.CT_ZONE]! | 0xff00;
    mask[W.CT_TP] = 0xffffffff;
    if (isIpv4(key)) mask.fill(0xffffffff, W.CT_NW_SRC, W.CT_NW_DST + 1);
    else mask.fill(0xffffffff, W.CT_IPV6_SRC, W.CT_IPV6_DST + 4);
  }
  if (key[W.PACKET_TYPE] !== 0) {
    mask[W.PACKET_TYPE] = 0xffffffff;
    mask.fill(0, W.ETH, W.ETH + 3);
    mask[W.VLAN0] = 0;
  }
  const etherType = key[W.TYPE]! >>> 16;
  if (key[W.PACKET_TYPE] !== 0) mask[W.TYPE] = 0;
  if (etherType === 0x8847 || etherType === 0x8848) mask[W.MPLS] = 0xffffffff;
  if (etherType === 0x894f) {
    mask.fill(0xffffffff, W.NSH, W.NSH + 2);
    if (((key[W.NSH]! >>> 8) & 0xff) === 1) mask.fill(0xffffffff, W.NSH_C, W.NSH_C + 4);
    mask[W.TYPE] = key[W.PACKET_TYPE] === 0 ? 0xffff03ff : 0x3ff;
    mask[W.TOS] = 0xffff0000;
  }
  if (isIp(key)) {
    // A packet of another type than Ethernet is of its kind by that type.
    mask[W.TYPE] = key[W.PACKET_TYPE] === 0 ? 0xffff03ff : 0x3ff;
    mask[W.TOS] = 0xffff0000;
    if (isIpv4(key)) mask.fill(0xffffffff, W.NW_SRC, W.NW_DST + 1);
    else {
      mask[W.IPV6_LABEL] = 0xfffff;
      mask.fill(0xffffffff, W.IPV6_SRC, W.IPV6_DST + 4);
    }
    const proto = key[W.TYPE]! & 0xff;
    // A later fragment has no header of its protocol.
    const isLater = ((key[W.TYPE]! >>> 8) & FRAG.LATER) !== 0;
    if (!isLater && proto === 6) mask[W.TOS] = 0xffff0fff;
    // The one whose header is told of a later fragment, too.
    const isIcmp6 = proto === 58 && !isIpv4(key);
    if (isIcmp6 || (!isLater && [1, 2, 6, 17, 58, 132].includes(proto))) mask[W.TP] = 0xffffffff;
    const isNd = !isLater && proto === 58 && (key[W.TP]! === 135 << 16 || key[W.TP]! === 136 << 16);
    if (isNd) {
      mask.fill(0xffffffff, W.ND_TARGET, W.ND_TARGET + 4);
      mask.fill(0xffffffff, W.ARP_HW, W.ARP_HW + 3);
    }
  } else if (isArp(key)) {
    mask[W.TYPE] = key[W.PACKET_TYPE] === 0 ? 0xffff00ff : 0xff;
    mask.fill(0xffffffff, W.NW_SRC, W.NW_DST + 1);
    mask.fill(0xffffffff, W.ARP_HW, W.ARP_HW + 3);
  }
  return mask;
}

/** A match as text, in two parts: what goes before the kind of packet, and the rest. */
function twoParts(match: Match, names?: PortNames): [string, string] {
  const first = matchAll();
  const rest: Match = { ...match, key: match.key.slice(), mask: match.mask.slice() };
  for (const word of FIRST_WORDS) {
    first.key[word] = match.key[word]!;
    first.mask[word] = match.mask[word]!;
    rest.key[word] = 0;
    rest.mask[word] = 0;
  }
  // Type of service and TTL of a tunnel are told apart from the rest.
  rest.mask[W.TUN_FLAGS] = rest.mask[W.TUN_FLAGS]! & 0xffff0000;
  return [formatMatch(first, 0x8000, names), formatMatch(rest, 0x8000, names)];
}

const CT_STATE_NAMES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];
export const ctStateText = (state: number): string => CT_STATE_NAMES.filter((_, bit) => (state & (1 << bit)) !== 0).join('|');

/** A key of the datapath with its options as the tables have them. */
export function withPlacedOptions(key: Key, options: TlvTable): Key {
  const placed = key.slice();
  placeOptions(placed, options);
  return placed;
}

/** A whole key of the tables as text. */
export function formatFlow(key: Key, options: TlvTable, names?: PortNames): string {
  const mask = wholeMask(key);
  const tunFields = hasOuter(key) ? presentFields(key, options) : [];
  for (const { index, at, bits } of tunFields) {
    setKeyBits(mask, at, bits, (1n << BigInt(bits)) - 1n);
    setKeyBits(mask, tunPresentBit(index), 1, 1n);
  }
  const [before, text] = twoParts({ key: key.map((word, i) => word & mask[i]!), mask, tunFields }, names);
  const first = before.replace(/ct_state=[^,]*/, `ct_state=${ctStateText(key[W.CT_STATE]!)}`).replace(/,eth$/, '');
  const isRecirculated = key[W.RECIRC_ID] !== 0;
  const all = [first, isRecirculated && key[W.PACKET_TYPE] === 0 ? 'eth' : '', text].filter((part) => part !== '').join(',');
  const shown = all.replace(/in_port=65535|in_port=NONE/, 'in_port=ANY');
  const shownTunnel = hasOuter(key) ? wholeTunnel(key, shown) : shown;
  const shownLabels = shownTunnel.replace(/(mpls_bos=\d)/, `$1${lowerLabels(key)}`);
  if ((key[W.VLAN0]! & VLAN_CFI) === 0) return shownLabels.replace(/\bvlan_tci=0x(?!0000)[0-9a-f]{4}/, '$&,vlan_tci1=0x0000');
  const inner = key[W.VLAN1]!;
  const second = (inner & VLAN_CFI) === 0 ? 'vlan_tci1=0x0000' : `dl_vlan1=${inner & 0xfff},dl_vlan_pcp1=${(inner >>> 13) & 7}`;
  return shownLabels.replace(/(dl_vlan_pcp=\d+)/, `$1,${second}`);
}

const TUNNEL_FLAGS = [
  [TUN_FLAG.DONT_FRAGMENT, 'df'],
  [TUN_FLAG.CSUM, 'csum'],
  [TUN_FLAG.KEY, 'key'],
  [TUN_FLAG.OAM, 'oam'],
] as const;

/** Flags by name: all of them as they are, or with a sign those that are matched. */
function tunnelFlags(flags: number, mask: number): string {
  const known = TUNNEL_FLAGS.filter(([bit]) => (mask & bit) !== 0);
  if (known.length < TUNNEL_FLAGS.length) return known.map(([bit, name]) => `${(flags & bit) === 0 ? '-' : '+'}${name}`).join('');
  const set = known.filter(([bit]) => (flags & bit) !== 0);
  return set.length === 0 ? '0' : set.map(([, name]) => name).join('|');
}

/** What a whole outer header shows that a match cannot: type of service and TTL, and flags as they are and not as they are matched. */
function wholeTunnel(key: Key, text: string): string {
  const word = key[W.TUN_FLAGS]!;
  return text
    .replace(/(tun_gbp_flags=[^,]*)/, `$1,tun_tos=${number((word >>> 8) & 0xff)},tun_ttl=${word & 0xff}`)
    .replace(/(?<=tun_flags=)[-+]oam/, tunnelFlags(word >>> 16, 0xffff));
}

/** The same of what a megaflow read of it. */
function readTunnel(key: Key, mask: Key, text: string): string {
  const [word, read] = [key[W.TUN_FLAGS]!, mask[W.TUN_FLAGS]!];
  const tos = (read & 0xff00) === 0 ? '' : `tun_tos=${number((word >>> 8) & 0xff)},`;
  const flags = read >>> 16 === 0 ? '' : `tun_flags=${tunnelFlags(word >>> 16, read >>> 16)},`;
  return text
    .replace(/tun_flags=[-+]oam,/, '')
    .replace(/(?=(?:tun_erspan|gtpu|tun_metadata|in_port)\w*=)/, tos)
    .replace(/(?=(?:tun_metadata|in_port)\w*=)/, flags);
}

/** Labels below the outermost, as the reference shows them. */
function lowerLabels(key: Key): string {
  let text = '';
  for (let i = 1; i < 3 && (key[W.MPLS + i - 1]! & 0x100) === 0; i++) text += `,mpls_lse${i}=${key[W.MPLS + i]!}`;
  return text;
}

function packetTypeText(key: Key): string {
  const type = key[W.PACKET_TYPE]! & 0xffff;
  return `packet_type=(${key[W.PACKET_TYPE]! >>> 16},${type === 0 ? '0' : `0x${type.toString(16)}`})`;
}

/** A megaflow as text, of a key of the tables. */
export function formatMegaflow(key: Key, translation: Translation, options: TlvTable, names?: PortNames): string {
  const mask = translation.mask.slice();
  const { readUntilError } = translation;
  if (readUntilError !== undefined) for (let i: number = W.DP_END; i < mask.length; i++) mask[i] = readUntilError[i]!;
  mask[W.IN_PORT] = 0xffff;
  mask[W.VLAN0] = mask[W.VLAN0]! & 0xffff;
  // The reference shows that there is no tag only when it gave up.
  const isTagged = (key[W.VLAN0]! & VLAN_CFI) !== 0;
  if (!translation.isVlanRead || (!isTagged && translation.error === undefined)) mask[W.VLAN0] = 0;
  mask[W.VLAN1] = 0;
  // Two bits are the field; the others of the byte are always zero.
  mask[W.TYPE] = mask[W.TYPE]! & 0xffff03ff;
  mask[W.PACKET_TYPE] = 0;
  if (key[W.PACKET_TYPE] !== 0) mask.fill(0, W.ETH, W.ETH + 3);
  const recircId = key[W.RECIRC_ID]!;
  mask[W.RECIRC_ID] = 0;
  const { optionsRead } = translation;
  const tunFields = optionsRead === undefined ? [] : readFields(optionsRead, options);
  mask.fill(0, W.TUN_METADATA, W.TUN_METADATA_MAP + 2);
  for (const { index, at, bits } of tunFields) {
    setKeyBits(mask, at, bits, keyBits(optionsRead!, at, bits));
    setKeyBits(mask, tunPresentBit(index), 1, 1n);
  }
  const [first, text] = twoParts({ key: key.map((word, i) => word & mask[i]!), mask, tunFields }, names);
  const [, mark = '', others = ''] = /^(pkt_mark=[^,]*)?,?(.*)$/.exec(first) ?? [];
  const before = [
    mark,
    `recirc_id=${recircId === 0 ? '0' : `0x${recircId.toString(16)}`}`,
    others,
    key[W.PACKET_TYPE] === 0 ? 'eth' : packetTypeText(key),
  ].filter((part) => part !== '');
  // Masked ports are hexadecimal even when they are zero.
  const shown = readTunnel(key, mask, text).replace(/\b(tp_(?:src|dst))=0\//g, '$1=0x0/');
  return [...before, shown].join(',').replace(/in_port=65535|in_port=NONE/, 'in_port=ANY');
}
