// How people name rows, per table, beside their UUIDs (end of `ovs-vsctl --help`).

/** A row is named by a column of its own (`by`), as the only row (`only`), or through a referring row's column. */
export type RowNaming =
  | { kind: 'by'; column: string }
  | { kind: 'only' }
  | { kind: 'via'; table: string; nameColumn: string; column: string };

const byName: RowNaming = { kind: 'by', column: 'name' };
const viaBridge = (column: string): RowNaming => ({ kind: 'via', table: 'Bridge', nameColumn: 'name', column });

export const ROW_NAMING: ReadonlyMap<string, RowNaming> = new Map<string, RowNaming>([
  ['AutoAttach', viaBridge('auto_attach')],
  ['Bridge', byName],
  ['Controller', viaBridge('controller')],
  ['Flow_Sample_Collector_Set', { kind: 'by', column: 'id' }],
  ['Flow_Table', byName],
  ['IPFIX', viaBridge('ipfix')],
  ['Interface', byName],
  ['Manager', { kind: 'by', column: 'target' }],
  ['Mirror', byName],
  ['NetFlow', viaBridge('netflow')],
  ['Open_vSwitch', { kind: 'only' }],
  ['Port', byName],
  ['QoS', { kind: 'via', table: 'Port', nameColumn: 'name', column: 'qos' }],
  ['SSL', { kind: 'only' }],
  ['sFlow', viaBridge('sflow')],
]);

/** What `show` prints of each table. */
export const SHOW: ReadonlyMap<string, { name?: string; columns: readonly string[] }> = new Map<
  string,
  { name?: string; columns: readonly string[] }
>([
  ['Open_vSwitch', { columns: ['manager_options', 'bridges', 'ovs_version'] }],
  ['Bridge', { name: 'name', columns: ['controller', 'fail_mode', 'datapath_type', 'ports'] }],
  ['Port', { name: 'name', columns: ['tag', 'trunks', 'interfaces'] }],
  ['Interface', { name: 'name', columns: ['type', 'options', 'error', 'bfd_status'] }],
  ['Controller', { name: 'target', columns: ['is_connected'] }],
  ['Manager', { name: 'target', columns: ['is_connected'] }],
]);
