// Messages about groups and meters as text.
import type { GroupFeatures } from '../group.ts';
import type { OfVersion } from '../message.ts';
import { formatGroup } from './action-format.ts';
import { formatGroupDesc, formatGroupMod, formatGroupStats } from './group-text.ts';
import { formatMeter, formatMeterConfig, formatMeterFeatures, formatMeterMod, formatMeterStats } from './meter-text.ts';
import type { BodyPrinters } from './print-context.ts';

/** Names of action bits in the reference's order; OpenFlow 1.0, 1.1 and 1.2 on number them each in their own way. */
const ACTIONS10 =
  'output:0 enqueue:11 set_vlan_vid:1 set_vlan_pcp:2 strip_vlan:3 mod_dl_src:4 mod_dl_dst:5 mod_nw_src:6 mod_nw_dst:7 mod_nw_tos:8 mod_tp_src:9 mod_tp_dst:10';
const ACTIONS11 =
  'output:0 group:22 set_vlan_vid:1 set_vlan_pcp:2 strip_vlan:18 push_vlan:17 mod_dl_src:3 mod_dl_dst:4 mod_nw_src:5 mod_nw_dst:6 mod_nw_tos:7 mod_nw_ecn:8 mod_nw_ttl:23 mod_tp_src:9 mod_tp_dst:10 dec_ttl:24 set_mpls_label:13 set_mpls_tc:14 set_mpls_ttl:15 dec_mpls_ttl:16 push_mpls:19 pop_mpls:20 set_queue:21';
const ACTIONS12 =
  'output:0 group:22 set_field:25 strip_vlan:18 push_vlan:17 mod_nw_ttl:23 dec_ttl:24 set_mpls_ttl:15 dec_mpls_ttl:16 push_mpls:19 pop_mpls:20 set_queue:21';

function actionBitsText(bits: number, version: OfVersion): string {
  const table = version === 1 ? ACTIONS10 : version === 2 ? ACTIONS11 : ACTIONS12;
  const names: string[] = [];
  for (const row of table.split(' ')) {
    const [name = '', bit = ''] = row.split(':');
    if (((bits >>> Number(bit)) & 1) === 1) names.push(name);
  }
  return names.length === 0 ? '(none)' : names.join(' ');
}

function featuresText(features: GroupFeatures, version: OfVersion): string {
  let text = `\n Group table:\n    Types:  0x${features.types.toString(16)}\n    Capabilities:  0x${features.capabilities.toString(16)}\n`;
  for (const [i, name] of ['all', 'select', 'indirect', 'fast failover'].entries()) {
    if ((features.types & (1 << i)) === 0) continue;
    const most = features.maxGroups[i] ?? 0;
    text += `    ${name} group:\n       max_groups=${most === 0 ? '0' : `0x${most.toString(16)}`}\n`;
    text += `       actions: ${actionBitsText(features.actions[i] ?? 0, version)}\n`;
  }
  return text;
}

const list = (lines: readonly string[]): string => `\n${lines.map((line) => ` ${line}\n`).join('')}`;

/** Bodies of these messages. */
export const GROUP_BODIES: BodyPrinters = {
  groupMod: (mod, { version, names }) => `\n ${formatGroupMod(mod, version, names)}\n`,
  groupStatsRequest: ({ group }) => ` group_id=${formatGroup(group)}\n`,
  groupDescRequest: ({ group }) => ` group_id=${formatGroup(group)}\n`,
  groupStatsReply: ({ groups }) => list(groups.map(formatGroupStats)),
  groupDescReply: ({ groups }, { version, names }) => list(groups.map((group) => formatGroupDesc(group, version, names))),
  groupFeaturesReply: ({ features }, { version }) => featuresText(features, version),
  meterMod: (mod) => ` ${formatMeterMod(mod)}\n`,
  meterStatsRequest: ({ meter }) => ` meter=${formatMeter(meter)}\n`,
  meterConfigRequest: ({ meter }) => ` meter=${formatMeter(meter)}\n`,
  meterStatsReply: ({ meters }) => (meters.length === 0 ? '\n' : meters.map((meter) => `\n${formatMeterStats(meter)}`).join('')),
  meterConfigReply: ({ meters }) => (meters.length === 0 ? '\n' : meters.map((meter) => `\n${formatMeterConfig(meter)}\n`).join('')),
  meterFeaturesReply: ({ features }) => `\n${formatMeterFeatures(features)}`,
};
