// A line of `ovs-appctl dpctl/dump-flows` and `dpif/dump-flows`. Facts: the running reference.
import { type ActionTextOptions, formatDpActions } from './action-text.ts';
import type { DpFlow, DpFlowStats } from './datapath.ts';
import { formatDpKey, type KeyTextOptions } from './key-text.ts';

const FLAG_LETTERS: readonly (readonly [number, string])[] = [
  [1, 'F'],
  [2, 'S'],
  [4, 'R'],
  [8, 'P'],
  [16, '.'],
  [32, 'U'],
  [64, 'E'],
  [128, 'C'],
  [256, 'N'],
];

/** `packets:3, bytes:180, used:0.265s, flags:S., ` and so on, up to the actions. */
export function formatFlowStats(stats: DpFlowStats, nowMs: number): string {
  const used = stats.usedMs === 0 ? 'never' : `${(Math.max(0, nowMs - stats.usedMs) / 1000).toFixed(3)}s`;
  const flags = stats.tcpFlags === 0 ? '' : `, flags:${FLAG_LETTERS.map(([bit, letter]) => (stats.tcpFlags & bit ? letter : '')).join('')}`;
  return `packets:${stats.packets}, bytes:${stats.bytes}, used:${used}${flags}`;
}

/** One flow as one line without its end. */
export function formatDpFlow(flow: DpFlow, stats: DpFlowStats, nowMs: number, options: KeyTextOptions & ActionTextOptions): string {
  return `${formatDpKey(flow.sample ?? flow.key, flow.mask, options)}, ${formatFlowStats(stats, nowMs)}, actions:${formatDpActions(flow.actions, options)}`;
}
