// The tables of a bridge as a set: which there are, what is set of them, what is told of them. They come into being when first used.
import type { TableStats } from '../../openflow/message.ts';
import type { TableDesc, TableSettings } from '../../openflow/table.ts';
import { ALL_COOKIE_BITS, ALL_TABLES, FlowTable, INTERNAL_TABLE, TABLE_COUNT, type TableMiss } from './flow-table.ts';
import { MAX_ENTRIES, TableRoom } from './table-room.ts';

/** As table statistics tell of it. */
const MISS_NUMBER: Readonly<Record<TableMiss, number>> = { default: 0, controller: 1, continue: 2, drop: 3 };

export class TableSet {
  protected readonly tables: (FlowTable | undefined)[] = new Array(INTERNAL_TABLE + 1).fill(undefined);

  table(id: number): FlowTable | undefined {
    return this.tables[id];
  }

  /** A table, made if need be. */
  tableFor(id: number): FlowTable {
    let table = this.tables[id];
    if (table === undefined) {
      table = new FlowTable(id);
      this.tables[id] = table;
    }
    return table;
  }

  get ruleCount(): number {
    let count = 0;
    for (const table of this.tables) count += table?.classifier.count ?? 0;
    return count;
  }

  /** The tables that a number means. Who names a cookie in all its bits sees the bridge's own flows among all tables, as in the reference. */
  *range(id: number, cookieMask: bigint): Generator<FlowTable> {
    if (id === ALL_TABLES) {
      const count = cookieMask === ALL_COOKIE_BITS ? INTERNAL_TABLE + 1 : TABLE_COUNT;
      for (let i = 0; i < count; i++) {
        const table = this.tables[i];
        if (table !== undefined) yield table;
      }
    } else {
      const table = this.tables[id];
      if (table !== undefined) yield table;
    }
  }

  missOf(table: number): TableMiss {
    return this.tables[table]?.miss ?? 'default';
  }

  setMiss(table: number, miss: TableMiss): void {
    if (table === ALL_TABLES) for (let i = 0; i < TABLE_COUNT; i++) this.tableFor(i).miss = miss;
    else this.tableFor(table).miss = miss;
  }

  /** What controllers set of one table, or of all. */
  setTable(id: number, settings: TableSettings): void {
    const ids = id === ALL_TABLES ? Array.from({ length: TABLE_COUNT }, (_, i) => i) : [id];
    for (const one of ids) {
      const table = this.tableFor(one);
      table.room.set(settings, table.classifier.rules(), table.count);
    }
  }

  /** Whether some table ends flows to make room. */
  get evicts(): boolean {
    // Asked for every flow mod.
    for (let i = 0; i < this.tables.length; i++) if (this.tables[i]?.room.evicts === true) return true;
    return false;
  }

  /** What can be set of tables, as it stands. */
  describeTables(): TableDesc[] {
    return Array.from({ length: TABLE_COUNT }, (_, id) => {
      const table = this.tables[id];
      return table === undefined ? new TableRoom().describe(id, 0) : table.room.describe(id, table.count);
    });
  }

  stats(): TableStats[] {
    return Array.from({ length: TABLE_COUNT }, (_, id) => {
      const table = this.tables[id];
      return {
        table: id,
        name: table?.room.limit.name ?? '',
        maxEntries: table?.room.maxFlows ?? MAX_ENTRIES,
        activeCount: (table?.classifier.count ?? 0) - (table?.hidden ?? 0),
        lookupCount: BigInt(table?.lookups ?? 0),
        matchedCount: BigInt(table?.matches ?? 0),
        miss: MISS_NUMBER[table?.miss ?? 'default'],
      };
    });
  }
}
