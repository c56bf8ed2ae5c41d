// Rows without a database, for tests of the reconciliation.
import type { Atom, ColumnValue, IdlRow } from '../../ovsdb/client/idl.ts';
import type { RowSource } from './wanted.ts';

const scalars = new Map<string, Atom>([
  ['type', ''],
  ['datapath_type', ''],
  ['fake_bridge', false],
  ['protected', false],
  ['bond_updelay', 0],
  ['bond_downdelay', 0],
  ['next_cfg', 0],
  ['cur_cfg', 0],
]);

class FixtureRow implements IdlRow {
  readonly uuid: string;
  readonly table: string;
  readonly columns: Record<string, ColumnValue>;
  constructor(table: string, uuid: string, columns: Record<string, ColumnValue>) {
    this.table = table;
    this.uuid = uuid;
    this.columns = columns;
  }
  scalar(column: string): Atom {
    const value = (this.columns[column] ?? scalars.get(column)) as Atom | undefined;
    if (value === undefined) throw new Error(`${this.table}.${column} has no value`);
    return value;
  }
  optional(column: string): Atom | undefined {
    return this.set(column)[0];
  }
  set(column: string): readonly Atom[] {
    const value = this.columns[column];
    return value === undefined ? [] : Array.isArray(value) ? (value as Atom[]) : [value as Atom];
  }
  map(column: string): ReadonlyMap<Atom, Atom> {
    return (this.columns[column] as ReadonlyMap<Atom, Atom> | undefined) ?? new Map();
  }
}

/** A database of rows that tests write down: name -> columns. The UUID of a row is `TABLE:NAME`. */
export class FixtureDatabase implements RowSource {
  readonly tables = new Map<string, Map<string, FixtureRow>>();

  add(table: string, name: string, columns: Record<string, ColumnValue> = {}): string {
    const uuid = `${table}:${name}`;
    const rows = this.tables.get(table) ?? new Map<string, FixtureRow>();
    rows.set(uuid, new FixtureRow(table, uuid, { name, ...columns }));
    this.tables.set(table, rows);
    return uuid;
  }

  rows(table: string): ReadonlyMap<string, IdlRow> {
    return this.tables.get(table) ?? new Map();
  }

  row(table: string, uuid: string): IdlRow | undefined {
    return this.tables.get(table)?.get(uuid);
  }

  /** A bridge with one port for each interface; the local port is added by itself. */
  bridge(name: string, interfaces: Record<string, Record<string, ColumnValue>>, columns: Record<string, ColumnValue> = {}): string {
    const ports = Object.entries({ [name]: { type: 'internal' }, ...interfaces }).map(([port, settings]) => {
      const { tag, trunks, vlan_mode, ...rest } = settings as Record<string, ColumnValue>;
      const uuid = this.add('Interface', port, rest);
      const vlan: Record<string, ColumnValue> = {};
      for (const [column, value] of Object.entries({ tag, trunks, vlan_mode })) if (value !== undefined) vlan[column] = value;
      return this.add('Port', port, { interfaces: [uuid], ...vlan });
    });
    const uuid = this.add('Bridge', name, { ports, ...columns });
    const bridges = [...(this.tables.get('Bridge')?.keys() ?? [])];
    this.add('Open_vSwitch', '.', { bridges, next_cfg: 1, cur_cfg: 0 });
    return uuid;
  }
}
