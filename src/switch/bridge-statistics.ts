// What statistics requests are told of a bridge's flows and tables.
import type { Clock } from '../base/clock.ts';
import { type Field, tunFieldIndex } from '../flow/fields.ts';
import type { FlowStats, FlowStatsRequest, TableStats } from '../openflow/message.ts';
import type { Megaflows } from './megaflows.ts';
import type { FlowTables } from './tables/flow-tables.ts';
import type { FlowRule } from './tables/rule.ts';

export class BridgeStatistics {
  readonly #bridge: { readonly clock: Clock; readonly megaflows: Megaflows; readonly tables: FlowTables };

  constructor(bridge: { readonly clock: Clock; readonly megaflows: Megaflows; readonly tables: FlowTables }) {
    this.#bridge = bridge;
  }

  *flows(request: FlowStatsRequest): Generator<FlowStats> {
    this.#bridge.megaflows.settleAll();
    const now = this.#bridge.clock.now();
    for (const rule of this.#bridge.tables.select(request)) yield rule.describe(now);
  }

  flowRows(request: FlowStatsRequest): { rows: readonly FlowRule[]; describe(row: unknown): FlowStats } {
    this.#bridge.megaflows.settleAll();
    const now = this.#bridge.clock.now();
    return { rows: this.#bridge.tables.select(request), describe: (row) => (row as FlowRule).describePacked(now) };
  }

  aggregate(request: FlowStatsRequest): { packetCount: bigint; byteCount: bigint; flowCount: number } {
    this.#bridge.megaflows.settleAll();
    let packetCount = 0n;
    let byteCount = 0n;
    let flowCount = 0;
    for (const rule of this.#bridge.tables.select(request)) {
      packetCount += BigInt(rule.stats.packets);
      byteCount += BigInt(rule.stats.bytes);
      flowCount++;
    }
    return { packetCount, byteCount, flowCount };
  }

  tableStats(): TableStats[] {
    this.#bridge.megaflows.settleAll();
    return this.#bridge.tables.stats();
  }

  /** Whether a flow matches or changes one of these tun_metadata fields. */
  isOptionUsed(fields: ReadonlySet<number>): boolean {
    for (const rule of this.#bridge.tables.rules()) {
      if (rule.match().tunFields?.some(({ index }) => fields.has(index)) === true) return true;
      if (namesOption(rule.settings.actions, fields)) return true;
    }
    return false;
  }
}

/** Whether actions, or what stands in them, name one of these tun_metadata fields. */
function namesOption(value: unknown, fields: ReadonlySet<number>): boolean {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
  if ('wireBytes' in value) return fields.has(tunFieldIndex(value as Field));
  return Object.values(value).some((part) => namesOption(part, fields));
}
