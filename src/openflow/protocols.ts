// Which flow formats can carry a flow-mod, and how they are named: ovs-ofctl(8), "Flow Syntax" and --flow-format.

import { ConfigError } from '../base/errors.ts';
import type { Field } from '../flow/fields.ts';
import { type Match, W } from '../flow/key.ts';
import { ETH, matchedEthType, matchedProto } from '../flow/prerequisites.ts';
import type { Action } from './action.ts';
import { checkActionList, checkActions } from './action-check.ts';
import { fitsOfp10, fitsOfp11 } from './codec/fields/ofp10-match.ts';
import type { GroupMod } from './group.ts';
import type { FlowMod, NamedField, PacketOut } from './message.ts';
import { normalizeLogged } from './normalize.ts';

const ANY_GROUP = 0xffffffff;

/** All formats, the most wanted first. */
export const PROTOCOLS = [
  'OpenFlow10-table_id',
  'OpenFlow10+table_id',
  'NXM-table_id',
  'NXM+table_id',
  'OpenFlow11',
  'OXM-OpenFlow12',
  'OXM-OpenFlow13',
  'OXM-OpenFlow14',
  'OXM-OpenFlow15',
] as const;

const ONE_THREE_ON = new Set(['OXM-OpenFlow13', 'OXM-OpenFlow14', 'OXM-OpenFlow15']);

/** Fields that OpenFlow 1.0 sets by an action of its own, and those that 1.1 does besides. */
const SET_IN_10 = new Set(
  'vlan_tci vlan_vid dl_vlan vlan_pcp dl_vlan_pcp eth_src eth_dst ip_src ip_dst nw_tos ip_dscp tcp_src tcp_dst udp_src udp_dst in_port arp_op arp_spa arp_tpa icmp_type icmp_code'.split(
    ' ',
  ),
);
const SET_IN_11 = new Set(['nw_ecn', 'metadata', 'mpls_label', 'mpls_tc', 'in_port_oxm', 'sctp_src', 'sctp_dst']);

/** Takes from `keep` the formats that cannot carry these. */
function needs(actions: readonly Action[], keep: Set<string>): void {
  const left = carriers(actions);
  for (const name of [...keep]) if (!left.has(name)) keep.delete(name);
}

/** Formats that can carry these. In the eyes of the reference a clone makes what stands before it forgotten. */
function carriers(actions: readonly Action[], before: ReadonlySet<string> = new Set(PROTOCOLS)): Set<string> {
  let left = new Set(before);
  const drop = (pattern: RegExp): void => {
    for (const name of [...left]) if (pattern.test(name)) left.delete(name);
  };
  for (const action of actions) {
    if (action.kind === 'writeActions') left = carriers(action.actions, left);
    else if (action.kind === 'ct') left = carriers(action.exec, left);
    if (action.kind === 'pushVlan') drop(/^(OpenFlow10|NXM)/);
    else if (action.kind === 'meter' || action.kind === 'encap') drop(/^(OpenFlow1|NXM|OXM-OpenFlow12)/);
    else if (action.kind === 'writeMetadata') drop(/^OpenFlow10/);
    else if (action.kind === 'setField' && action.isLoad2 !== true && !SET_IN_10.has(action.field.name))
      drop(SET_IN_11.has(action.field.name) ? /^OpenFlow10/ : /^OpenFlow1/);
    else if (action.kind === 'clone') left = carriers(action.actions);
  }
  return left;
}

function flagNeeds({ flags, table }: FlowMod, keep: Set<string>): void {
  const { noPacketCounts, noByteCounts, resetCounts } = flags;
  if (noPacketCounts || noByteCounts) for (const name of [...keep]) if (!ONE_THREE_ON.has(name)) keep.delete(name);
  if (resetCounts) for (const name of [...keep]) if (!name.startsWith('OXM')) keep.delete(name);
  if (table !== 255) {
    keep.delete('OpenFlow10-table_id');
    keep.delete('NXM-table_id');
  }
}

/** Fields that OpenFlow 1.0 matches. */
const IN_10 = new Set([...SET_IN_10, 'eth_type', 'nw_proto']);

/** Fields that OpenFlow 1.1 matches besides, and those that it matches with any mask. */
const IN_11 = new Set([...IN_10, 'mpls_label', 'mpls_tc', 'nw_ecn', 'sctp_src', 'sctp_dst', 'metadata', 'in_port_oxm']);
const MASKED_IN_11 = new Set('eth_src eth_dst ip_src ip_dst arp_spa arp_tpa metadata'.split(' '));
/** Fields that OpenFlow 1.0 matches by prefix. */
const PREFIX_IN_10 = new Set('ip_src ip_dst arp_spa arp_tpa'.split(' '));

/** Whether the fixed matches of OpenFlow 1.0 and 1.1 can tell a field under a mask. */
function fieldFits({ name, bits }: Field, mask: bigint): { in10: boolean; in11: boolean } {
  if (mask === 0n) return { in10: true, in11: true };
  const free = ~mask & ((1n << BigInt(name === 'vlan_vid' ? bits + 1 : bits)) - 1n);
  const isWhole = free === 0n || (name === 'nw_tos' && (mask & 0xfcn) === 0xfcn);
  if (isWhole) return { in10: IN_10.has(name), in11: IN_11.has(name) };
  return { in10: PREFIX_IN_10.has(name) && (free & (free + 1n)) === 0n, in11: MASKED_IN_11.has(name) };
}

/** Formats of the versions that have meters. */
export const METER_PROTOCOLS: readonly string[] = [...ONE_THREE_ON];

/** Whether a format can say that a bucket comes or goes, or how a group chooses. */
const HAS_BUCKET_COMMANDS = /^(OpenFlow10|NXM|OXM-OpenFlow15)/;

/** Formats that can carry one group. What is said last decides: a bucket makes the reference forget what was before it. */
function groupCarriers({ command, buckets, selection, namesSelection }: GroupMod): Set<string> {
  const last = buckets.at(-1);
  const keep = new Set<string>(PROTOCOLS);
  const only = (pattern: RegExp): void => {
    for (const name of [...keep]) if (!pattern.test(name)) keep.delete(name);
  };
  if (last !== undefined) {
    needs(last.actions, keep);
    // As an action of a bucket a meter is of OpenFlow 1.5.
    if (last.actions.some((action) => action.kind === 'meter')) only(/^OXM-OpenFlow15$/);
    return keep;
  }
  if (command === 'insert_bucket' || command === 'remove_bucket') only(HAS_BUCKET_COMMANDS);
  if (namesSelection === true || selection.method !== '') {
    const isPlain = selection.fields.every(({ field, mask }) => IN_10.has(field.name) && mask === (1n << BigInt(field.wireBytes * 8)) - 1n);
    only(isPlain ? HAS_BUCKET_COMMANDS : /^(NXM|OXM-OpenFlow15)/);
  }
  return keep;
}

/** Formats that can carry all of these groups. */
export function groupProtocols(mods: readonly GroupMod[]): string[] {
  const each = mods.map(groupCarriers);
  return PROTOCOLS.filter((name) => each.every((carriers) => carriers.has(name)));
}

/** Whether the fixed matches of OpenFlow 1.0 and 1.1 can tell all that a text named. */
function namedFit(named: readonly NamedField[]): { in10: boolean; in11: boolean } {
  const each = named.flatMap(({ field, mask }) => (mask === undefined ? [] : [fieldFits(field, mask)]));
  return { in10: each.every((fit) => fit.in10), in11: each.every((fit) => fit.in11) };
}

/** Whether any format can carry a match: none has the socket's priority, or a tunnel's type of service and TTL. */
const isSayable = ({ mask }: Match): boolean => mask[W.SKB_PRIORITY] === 0 && ((mask[W.TUN_FLAGS] ?? 0) & 0xffff) === 0;

/** A match as text tells it: a packet whose type is an Ethernet type has that, too, once it gets an Ethernet header. On the wire nothing says so. */
function told(match: Match): Match {
  const type = (match.key[W.PACKET_TYPE] ?? 0) & (match.mask[W.PACKET_TYPE] ?? 0);
  if (type >>> 16 !== 1 || (match.mask[W.TYPE] ?? 0) >>> 16 !== 0) return match;
  const [key, mask] = [match.key.slice(), match.mask.slice()];
  key[W.TYPE] = (((type & 0xffff) << 16) | ((key[W.TYPE] ?? 0) & 0xffff)) >>> 0;
  mask[W.TYPE] = ((mask[W.TYPE] ?? 0) | 0xffff0000) >>> 0;
  return { key, mask };
}

/** Formats that can carry all of these. */
export function usableProtocols(mods: readonly FlowMod[]): string[] {
  const keep = new Set<string>(PROTOCOLS);
  for (const mod of mods) {
    needs(mod.actions, keep);
    if (!checkActionList(mod.actions, told(mod.match)))
      for (const name of [...keep]) if (!/^(OpenFlow10|NXM)/.test(name)) keep.delete(name);
    const named = mod.named === undefined ? undefined : namedFit(mod.named);
    // Neither has protocols, traffic classes or ports of IPv6 packets.
    const { mask: asked } = mod.match;
    const isOld =
      matchedEthType(mod.match) !== ETH.IPV6 ||
      (matchedProto(mod.match) < 0 && (asked[W.TOS] ?? 0) >>> 24 === 0 && (asked[W.TP] ?? 0) === 0);
    const in10 = named === undefined ? fitsOfp10(mod.match) : isOld && named.in10;
    const in11 = named === undefined ? fitsOfp11(mod.match) : isOld && named.in11;
    if (!in10 || mod.cookieMask !== 0n) {
      keep.delete('OpenFlow10-table_id');
      keep.delete('OpenFlow10+table_id');
    }
    if (!in11) keep.delete('OpenFlow11');
    if (mod.isUnsayable === true || !isSayable(mod.match)) keep.clear();
    // OpenFlow 1.0 has no groups.
    if (mod.namesGroup === true || mod.outGroup !== ANY_GROUP)
      for (const name of [...keep]) if (/^(OpenFlow10|NXM)/.test(name)) keep.delete(name);
    flagNeeds(mod, keep);
  }
  return PROTOCOLS.filter((name) => keep.has(name));
}

/** The formats that can carry a packet-out: what its actions would need of a flow's match is not looked at. */
export function packetOutProtocols({ named = [], actions }: PacketOut): string[] {
  const keep = new Set<string>(PROTOCOLS);
  needs(actions, keep);
  // A meter is an instruction before OpenFlow 1.5, and there are none here.
  const hasMeter = actions.some(({ kind }) => kind === 'meter');
  const { in10, in11 } = namedFit(named);
  const fits = (name: string): boolean => (name.startsWith('OpenFlow10') ? in10 : name !== 'OpenFlow11' || in11);
  return PROTOCOLS.filter((name) => keep.has(name) && (!hasMeter || name === 'OXM-OpenFlow15') && fits(name));
}

/** Formats among the versions allowed, further cut by names from --flow-format. */
export function allowedProtocols(versions: number, names: readonly string[] | undefined): string[] {
  const byVersion = PROTOCOLS.filter((name) => {
    const version = /^(OpenFlow10|NXM)/.test(name) ? 1 : name === 'OpenFlow11' ? 2 : Number(name.slice(-1)) + 1;
    return (versions & (1 << version)) !== 0;
  });
  return names === undefined ? byVersion : byVersion.filter((name) => names.some((wanted) => protocolIs(name, wanted)));
}

/** Whether a format is meant by a name or abbreviation of --flow-format. */
export function protocolIs(name: string, wanted: string): boolean {
  const w = wanted.toLowerCase();
  const n = name.toLowerCase();
  return (
    w === 'any' || n === w || n.startsWith(`${w}-`) || n.startsWith(`${w}+`) || n === `oxm-${w}` || (w === 'oxm' && n.startsWith('oxm'))
  );
}

/** Formats in words: whole families by their short names. */
export function protocolNames(list: readonly string[]): string {
  const rest = new Set(list);
  if (PROTOCOLS.every((name) => rest.has(name))) return 'any';
  const words: string[] = [];
  const family = (word: string, members: readonly string[]): void => {
    if (!members.every((name) => rest.has(name))) return;
    words.push(word);
    for (const name of members) rest.delete(name);
  };
  family('OpenFlow10', ['OpenFlow10-table_id', 'OpenFlow10+table_id']);
  family('NXM', ['NXM-table_id', 'NXM+table_id']);
  family('OXM', ['OXM-OpenFlow12', 'OXM-OpenFlow13', 'OXM-OpenFlow14', 'OXM-OpenFlow15']);
  for (const name of PROTOCOLS) if (rest.has(name)) words.push(name);
  return words.length === 0 ? 'none' : words.join(',');
}

/**
 * Checks a flow's actions for its match, and says in the log which of its fields lack prerequisites. Throws ConfigError: also when what
 * they need leaves no format that could carry them.
 */
export function checkFlow(mod: FlowMod): void {
  if (!mod.command.startsWith('delete')) checkSayable(mod);
  normalizeLogged(mod.match);
}

/** As `checkFlow`, silently. */
export function checkSayable(mod: FlowMod): void {
  const consistent = checkActions(mod.actions, told(mod.match), mod.table);
  const keep = new Set<string>(PROTOCOLS);
  needs(mod.actions, keep);
  flagNeeds(mod, keep);
  if (mod.isUnsayable !== true && isSayable(mod.match) && [...keep].some((name) => consistent || /^(OpenFlow10|NXM)/.test(name))) return;
  throw new ConfigError('actions are invalid with specified match (OFPBAC_MATCH_INCONSISTENT)');
}
