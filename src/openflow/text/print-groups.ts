// Messages about groups and meters as text.
import type { GroupFeatures } from '../group.ts';
import type { OfVersion } from '../message.ts';
import { actionBitNames } from '../table-features.ts';
import { formatGroup } from './action-format.ts';
import { formatGroupDesc, formatGroupMod, formatGroupStats } from './group-text.ts';
import { formatMeter, formatMeterConfig, formatMeterFeatures, formatMeterMod, formatMeterStats } from './meter-text.ts';
import type { BodyPrinters } from './print-context.ts';

function actionBitsText(bits: number, version: OfVersion): string {
  const names = actionBitNames(bits, version);
  return names.length === 0 ? '<none>' : names.join(' ');
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

const none = (fault: string | undefined): string => (fault === undefined ? '\n' : '');

/** Bodies of these messages. */
export const GROUP_BODIES: BodyPrinters = {
  groupMod: (mod, { version, names }) => `\n ${formatGroupMod(mod, version, names)}\n`,
  groupStatsRequest: ({ group }) => ` group_id=${formatGroup(group)}\n`,
  groupDescRequest: ({ group }) => ` group_id=${formatGroup(group)}\n`,
  groupStatsReply: ({ groups }, { framed }) => {
    if (framed.fault === undefined) return list(groups.map(formatGroupStats));
    return `${groups.length === 0 ? '' : '\n'}${groups.map((group) => ` ${formatGroupStats(group)}`).join('\n')} ***parse error***\n`;
  },
  groupDescReply: ({ groups }, { version, names, framed }) =>
    framed.fault !== undefined && groups.length === 0 ? '' : list(groups.map((group) => formatGroupDesc(group, version, names))),
  groupFeaturesReply: ({ features }, { version }) => featuresText(features, version),
  meterMod: (mod) => ` ${formatMeterMod(mod)}\n`,
  meterStatsRequest: ({ meter }) => ` meter=${formatMeter(meter)}\n`,
  meterConfigRequest: ({ meter }) => ` meter=${formatMeter(meter)}\n`,
  meterStatsReply: ({ meters }, { framed }) =>
    meters.length === 0 ? none(framed.fault) : meters.map((meter) => `\n${formatMeterStats(meter)}`).join(''),
  meterConfigReply: ({ meters }, { framed }) =>
    meters.length === 0 ? none(framed.fault) : meters.map((meter) => `\n${formatMeterConfig(meter)}\n`).join(''),
  meterFeaturesReply: ({ features }) => `\n${formatMeterFeatures(features)}`,
};
