// What a command line needs to see of the database, so that `list-br` need not wait for the statistics of ten thousand interfaces.
//
// A column that is not asked for reads as empty and must not be verified or shown: what a command below does to a table, its entry must cover.
import type { Invocation } from './context.ts';
import { matchName } from './names.ts';
import { ROW_NAMING } from './tables.ts';

type Needs = Map<string, 'all' | readonly string[]>;

const switchTables = ['Open_vSwitch', 'Bridge', 'Port', 'Interface'];
/** Of an interface, without its statistics; setting up a port looks at the first three. */
const interfaceColumns: readonly string[] = ['name', 'ofport', 'error', 'type', 'options', 'bfd_status'];

/** Tables beside those of the switch, by command. */
const further: ReadonlyMap<string, readonly string[]> = new Map([
  ['show', ['Controller', 'Manager']],
  ['get-controller', ['Controller']],
  ['del-controller', ['Controller']],
  ['set-controller', ['Controller']],
  ['get-manager', ['Manager']],
  ['del-manager', ['Manager']],
  ['set-manager', ['Manager']],
  ['get-ssl', ['SSL']],
  ['del-ssl', ['SSL']],
  ['set-ssl', ['SSL']],
  ['add-aa-mapping', ['AutoAttach']],
  ['del-aa-mapping', ['AutoAttach']],
  ['get-aa-mapping', ['AutoAttach']],
  ['add-zone-tp', ['Datapath', 'CT_Zone', 'CT_Timeout_Policy']],
  ['del-zone-tp', ['Datapath', 'CT_Zone', 'CT_Timeout_Policy']],
  ['list-zone-tp', ['Datapath', 'CT_Zone', 'CT_Timeout_Policy']],
  ['list-dp-cap', ['Datapath']],
]);
/** What commands that only name bridges, ports and interfaces look at. */
const names: ReadonlyMap<string, readonly string[]> = new Map([
  ['Open_vSwitch', ['bridges', 'cur_cfg', 'next_cfg']],
  ['Bridge', ['name', 'ports']],
  ['Port', ['name', 'interfaces', 'tag', 'fake_bridge']],
  ['Interface', ['name']],
]);
const namersOnly = new Set([
  'list-br',
  'br-exists',
  'br-to-vlan',
  'br-to-parent',
  'list-ports',
  'port-to-br',
  'list-ifaces',
  'iface-to-br',
]);
const onRecords = new Set(['get', 'list', 'find', 'set', 'add', 'remove', 'clear', 'create', 'destroy', 'wait-until']);
const onRootAlone = new Set(['init', 'comment']);

/** Tables and columns that the commands read. */
export function neededTables(commands: readonly { invocation: Invocation }[], tables: readonly string[]): 'all' | Needs {
  if (commands.every(({ invocation }) => namersOnly.has(invocation.name))) return new Map(names);
  const needs: Needs = new Map([['Open_vSwitch', 'all']]);
  for (const { invocation } of commands) {
    const { name, args } = invocation;
    if (name === 'emer-reset') return 'all';
    if (onRootAlone.has(name)) continue;
    if (onRecords.has(name)) {
      const [match] = matchName(
        tables.map((table): [string, undefined] => [table, undefined]),
        args[0] ?? '',
      );
      if (match === undefined) continue;
      needs.set(match[0], 'all');
      const naming = ROW_NAMING.get(match[0]);
      if (naming?.kind === 'via') needs.set(naming.table, 'all');
      continue;
    }
    for (const table of [...switchTables, ...(further.get(name) ?? [])]) {
      if (!needs.has(table)) needs.set(table, table === 'Interface' ? interfaceColumns : 'all');
    }
  }
  return needs;
}
