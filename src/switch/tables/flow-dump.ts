// The text of `ovs-appctl bridge/dump-flows`: every flow of a bridge, hidden ones too. Facts: the running reference.
import { formatMatch } from '../../flow/match-text.ts';
import { formatActions } from '../../openflow/text/action-format.ts';
import type { FlowTables } from './flow-tables.ts';

/** What Open vSwitch keeps in its internal table; our misses need no flows, so these have nothing to count. */
const INTERNAL_FLOWS = ['priority=2,recirc_id=0', 'priority=0,reg0=0x1', 'priority=0,reg0=0x2', 'priority=0,reg0=0x3'] as const;

/** One line a flow, by table and then by priority. */
export function dumpFlows(tables: FlowTables, nowMs: number, bridgeAgeMs: number): string {
  const lines: string[] = [];
  for (const rule of tables.rules()) {
    const { match, priority, table, durationSec, packetCount, byteCount, actions } = { ...rule.describe(nowMs), table: rule.table };
    const text = formatMatch(match, priority);
    const place = table === 0 ? '' : `table_id=${table}, `;
    lines.push(
      `${place}duration=${durationSec}s, n_packets=${packetCount}, n_bytes=${byteCount}, ${text},actions=${formatActions(actions)}`,
    );
  }
  const age = Math.floor(bridgeAgeMs / 1000);
  for (const match of INTERNAL_FLOWS) {
    const actions = match.endsWith('0x1') ? 'controller(reason=)' : 'drop';
    lines.push(`table_id=254, duration=${age}s, n_packets=0, n_bytes=0, ${match},actions=${actions}`);
  }
  return lines.join('\n');
}
