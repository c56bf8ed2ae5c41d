// Which flow formats can carry a flow-mod, and how they are named: ovs-ofctl(8), "Flow Syntax" and --flow-format.

import { ConfigError } from '../base/errors.ts';
import { W } from '../flow/key.ts';
import type { Action } from './action.ts';
import { checkActionList, checkActions } from './action-check.ts';
import { fitsOfp10, fitsOfp11 } from './codec/ofp10-match.ts';
import type { GroupMod } from './group.ts';
import type { FlowMod } from './message.ts';

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
  'vlan_tci vlan_vid dl_vlan vlan_pcp dl_vlan_pcp eth_src eth_dst ip_src ip_dst nw_tos ip_dscp tcp_src tcp_dst udp_src udp_dst in_port'.split(
    ' ',
  ),
);
const SET_IN_11 = new Set(['nw_ecn', 'metadata', 'mpls_label', 'mpls_tc']);

function needs(actions: readonly Action[], keep: Set<string>): void {
  const drop = (pattern: RegExp): void => {
    for (const name of [...keep]) if (pattern.test(name)) keep.delete(name);
  };
  for (const action of actions) {
    if (action.kind === 'pushVlan') drop(/^(OpenFlow10|NXM)/);
    else if (action.kind === 'meter' || action.kind === 'encap') drop(/^(OpenFlow1|NXM|OXM-OpenFlow12)/);
    else if (action.kind === 'writeMetadata') drop(/^OpenFlow10/);
    else if (action.kind === 'setField' && !SET_IN_10.has(action.field.name))
      drop(SET_IN_11.has(action.field.name) ? /^OpenFlow10/ : /^OpenFlow1/);
    else if (action.kind === 'clone' || action.kind === 'writeActions') needs(action.actions, keep);
    else if (action.kind === 'ct') needs(action.exec, keep);
  }
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
const IN_10 = new Set([...SET_IN_10, 'eth_type', 'nw_proto', 'icmp_type', 'icmp_code', 'arp_op', 'arp_spa', 'arp_tpa']);

/** Formats of the versions that have meters. */
export const METER_PROTOCOLS: readonly string[] = [...ONE_THREE_ON];

/** Formats that can carry all of these groups. */
export function groupProtocols(mods: readonly GroupMod[]): string[] {
  const keep = new Set<string>(PROTOCOLS);
  for (const { command, buckets, selection } of mods) {
    // The reference minds the selection only where no bucket follows it.
    if (selection.method !== '' && buckets.length === 0) {
      const isPlain = selection.fields.every(
        ({ field, mask }) => IN_10.has(field.name) && mask === (1n << BigInt(field.wireBytes * 8)) - 1n,
      );
      const fits = isPlain ? /^(OpenFlow10|NXM|OXM-OpenFlow15)/ : /^(NXM|OXM-OpenFlow15)/;
      for (const name of [...keep]) if (!fits.test(name)) keep.delete(name);
    }
    for (const { actions } of buckets) {
      needs(actions, keep);
      // As an action of a bucket a meter is of OpenFlow 1.5.
      if (actions.some((action) => action.kind === 'meter')) for (const name of [...keep]) if (name !== 'OXM-OpenFlow15') keep.delete(name);
    }
    if (command === 'remove_bucket') for (const name of [...keep]) if (!/^(OpenFlow10|NXM|OXM-OpenFlow15)/.test(name)) keep.delete(name);
  }
  return PROTOCOLS.filter((name) => keep.has(name));
}

/** Formats that can carry all of these. */
export function usableProtocols(mods: readonly FlowMod[]): string[] {
  const keep = new Set<string>(PROTOCOLS);
  for (const mod of mods) {
    needs(mod.actions, keep);
    if (!checkActionList(mod.actions, mod.match)) for (const name of [...keep]) if (!/^(OpenFlow10|NXM)/.test(name)) keep.delete(name);
    if (!fitsOfp10(mod.match) || mod.cookieMask !== 0n) {
      keep.delete('OpenFlow10-table_id');
      keep.delete('OpenFlow10+table_id');
    }
    if (!fitsOfp11(mod.match)) keep.delete('OpenFlow11');
    flagNeeds(mod, keep);
  }
  return PROTOCOLS.filter((name) => keep.has(name));
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

/** Checks a flow's actions for its match. Throws ConfigError: also when what they need leaves no format that could carry them. */
export function checkFlow(mod: FlowMod): void {
  const consistent = checkActions(mod.actions, mod.match, mod.table);
  const keep = new Set<string>(PROTOCOLS);
  needs(mod.actions, keep);
  flagNeeds(mod, keep);
  // No format has the socket's priority.
  const isSayable = (mod.match.mask[W.SKB_PRIORITY] ?? 0) === 0;
  if (isSayable && [...keep].some((name) => consistent || /^(OpenFlow10|NXM)/.test(name))) return;
  throw new ConfigError('actions are invalid with specified match (OFPBAC_MATCH_INCONSISTENT)');
}
