// The table of commands: how many arguments, which options (`=` for one that takes a value), and what it does.
import * as bridge from './bridge-commands.ts';
import type { Context, Invocation } from './context.ts';
import * as database from './database-commands.ts';
import * as service from './service-commands.ts';

export interface CommandSpec {
  name: string;
  minArgs: number;
  maxArgs: number;
  options: readonly string[];
  run(ctx: Context, invocation: Invocation): void;
  /** Its arguments, as `--commands` prints them. */
  syntax: string;
}

const any = Number.POSITIVE_INFINITY;
/** Name, fewest and most arguments, options, what it does, and what `--commands` says of its arguments: `!` one, `?` one or none, `*` any, `+` one or more. */
const rows: readonly (readonly [string, number, number, string, CommandSpec['run'], string])[] = [
  ['init', 0, 0, '', service.init, ''],
  ['show', 0, 0, '', service.show, ''],
  ['emer-reset', 0, 0, '', service.emergencyReset, ''],
  ['add-br', 1, 3, '--may-exist', bridge.addBridge, '!NEW-BRIDGE ?PARENT ?NEW-VLAN'],
  ['del-br', 1, 1, '--if-exists', bridge.deleteBridge, '!BRIDGE'],
  ['list-br', 0, 0, '--real --fake', bridge.listBridges, ''],
  ['br-exists', 1, 1, '', bridge.bridgeExists, '!BRIDGE'],
  ['br-to-vlan', 1, 1, '', bridge.bridgeToVlan, '!BRIDGE'],
  ['br-to-parent', 1, 1, '', bridge.bridgeToParent, '!BRIDGE'],
  ['br-set-external-id', 2, 3, '', bridge.setExternalId, '!BRIDGE !KEY ?VALUE'],
  ['br-get-external-id', 1, 2, '', bridge.getExternalId, '!BRIDGE ?KEY'],
  ['list-ports', 1, 1, '', bridge.listPorts, '!BRIDGE'],
  ['add-port', 2, any, '--may-exist', bridge.addPort, '!BRIDGE !NEW-PORT *COLUMN?:KEY=VALUE'],
  ['add-bond', 4, any, '--may-exist --fake-iface', bridge.addBond, '!BRIDGE !BOND +IFACE *COLUMN?:KEY=VALUE'],
  ['add-bond-iface', 2, 2, '--may-exist', bridge.addBondInterface, '!BOND !IFACE'],
  ['del-bond-iface', 1, 2, '--if-exists', bridge.deleteBondInterface, '?BOND !IFACE'],
  ['del-port', 1, 2, '--if-exists --with-iface', bridge.deletePort, '?BRIDGE !PORT|IFACE'],
  ['port-to-br', 1, 1, '', bridge.portToBridge, '!PORT'],
  ['list-ifaces', 1, 1, '', bridge.listInterfaces, '!BRIDGE'],
  ['iface-to-br', 1, 1, '', bridge.interfaceToBridge, '!IFACE'],
  ['get-controller', 1, 1, '', service.getController, '!BRIDGE'],
  ['del-controller', 1, 1, '', service.deleteController, '!BRIDGE'],
  ['set-controller', 1, any, '--inactivity-probe=', service.setController, '!BRIDGE +TARGET'],
  ['get-fail-mode', 1, 1, '', service.getFailMode, '!BRIDGE'],
  ['del-fail-mode', 1, 1, '', service.deleteFailMode, '!BRIDGE'],
  ['set-fail-mode', 2, 2, '', service.setFailMode, '!BRIDGE !MODE'],
  ['get-manager', 0, 0, '', service.getManager, ''],
  ['del-manager', 0, 0, '', service.deleteManager, ''],
  ['set-manager', 1, any, '--inactivity-probe=', service.setManager, '+TARGET'],
  ['get-ssl', 0, 0, '', service.getSsl, ''],
  ['del-ssl', 0, 0, '', service.deleteSsl, ''],
  ['set-ssl', 3, 3, '--bootstrap', service.setSsl, '!PRIVATE-KEY !CERTIFICATE !CA-CERT'],
  ['add-aa-mapping', 3, 3, '', service.addMapping, '!BRIDGE !ARG !ARG'],
  ['del-aa-mapping', 3, 3, '', service.deleteMapping, '!BRIDGE !ARG !ARG'],
  ['get-aa-mapping', 1, 1, '', service.getMappings, '!BRIDGE'],
  ['add-zone-tp', 3, 18, '--may-exist', service.addZonePolicy, ''],
  ['del-zone-tp', 2, 2, '--if-exists', service.deleteZonePolicy, ''],
  ['list-zone-tp', 1, 1, '', service.listZonePolicies, ''],
  ['list-dp-cap', 1, 1, '', service.listCapabilities, ''],
  ['comment', 0, any, '', database.comment, '*ARG'],
  ['get', 2, any, '--if-exists --id=', database.get, '!TABLE !RECORD *COLUMN?:KEY'],
  ['list', 1, any, '--if-exists --columns=', database.list, '!TABLE *RECORD'],
  ['find', 1, any, '--columns=', database.find, '!TABLE *COLUMN?:KEY=VALUE'],
  ['set', 3, any, '--if-exists', database.set, '!TABLE !RECORD +COLUMN?:KEY=VALUE'],
  ['add', 4, any, '--if-exists', database.add, '!TABLE !RECORD !COLUMN +?KEY=VALUE'],
  ['remove', 4, any, '--if-exists', database.remove, '!TABLE !RECORD !COLUMN +KEY|VALUE|KEY=VALUE'],
  ['clear', 3, any, '--if-exists', database.clear, '!TABLE !RECORD +COLUMN'],
  ['create', 2, any, '--id=', database.create, '!TABLE +COLUMN?:KEY=VALUE'],
  ['destroy', 1, any, '--if-exists --all', database.destroy, '!TABLE *RECORD'],
  ['wait-until', 2, any, '', database.waitUntil, '!TABLE !RECORD *COLUMN?:KEY=VALUE'],
];

/** Commands that read only; a call with any other is noted in the system log. */
const readers = new Set(
  'show list-br br-exists br-to-vlan br-to-parent br-get-external-id list-ports port-to-br list-ifaces iface-to-br get-controller get-fail-mode get-manager get-ssl get-aa-mapping list-zone-tp list-dp-cap comment get list find wait-until'.split(
    ' ',
  ),
);

/** Whether a command may change the database. */
export const isWriter = (name: string): boolean => !readers.has(name);

/** All commands by name. */
export const COMMANDS: ReadonlyMap<string, CommandSpec> = new Map(
  rows.map(([name, minArgs, maxArgs, options, run, syntax]) => [
    name,
    { name, minArgs, maxArgs, options: options.split(' ').filter((option) => option !== ''), run, syntax },
  ]),
);

/** The options of all commands, which may also stand among the global ones before the first command. */
export const COMMAND_OPTIONS: readonly string[] = [
  // Those of the database commands come first where the reference names several.
  ...new Set(['--if-exists', '--id=', ...rows.flatMap(([, , , options]) => options.split(' '))]),
].filter((o) => o !== '');
