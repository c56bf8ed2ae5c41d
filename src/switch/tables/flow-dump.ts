// The text of `ovs-appctl bridge/dump-flows`: every flow of a bridge, hidden ones too. Facts: the running reference.
import { formatMatch } from '../../flow/match-text.ts';
import { formatActions } from '../../openflow/text/action-format.ts';
import type { FlowTables } from './flow-tables.ts';

/** One line a flow, by table and then by priority. What was forwarded in hardware is none of it. */
export function dumpFlows(tables: FlowTables, nowMs: number, showsOffload = false): string {
  const offload = showsOffload ? ' n_offload_packets=0, n_offload_bytes=0,' : '';
  const lines: string[] = [];
  for (const rule of tables.rules()) {
    const { match, priority, table, durationSec, packetCount, byteCount, actions } = { ...rule.describe(nowMs), table: rule.table };
    const text = formatMatch(match, priority);
    const place = table === 0 ? '' : `table_id=${table}, `;
    lines.push(
      `${place}duration=${durationSec}s, n_packets=${packetCount}, n_bytes=${byteCount},${offload} ${text},actions=${formatActions(actions)}`,
    );
  }
  return lines.join('\n');
}
