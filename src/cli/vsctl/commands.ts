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
}

const any = Number.POSITIVE_INFINITY;
const rows: readonly (readonly [string, number, number, string, CommandSpec['run']])[] = [
  ['init', 0, 0, '', service.init],
  ['show', 0, 0, '', service.show],
  ['emer-reset', 0, 0, '', service.emergencyReset],
  ['add-br', 1, 3, '--may-exist', bridge.addBridge],
  ['del-br', 1, 1, '--if-exists', bridge.deleteBridge],
  ['list-br', 0, 0, '--real --fake', bridge.listBridges],
  ['br-exists', 1, 1, '', bridge.bridgeExists],
  ['br-to-vlan', 1, 1, '', bridge.bridgeToVlan],
  ['br-to-parent', 1, 1, '', bridge.bridgeToParent],
  ['br-set-external-id', 2, 3, '', bridge.setExternalId],
  ['br-get-external-id', 1, 2, '', bridge.getExternalId],
  ['list-ports', 1, 1, '', bridge.listPorts],
  ['add-port', 2, any, '--may-exist', bridge.addPort],
  ['add-bond', 4, any, '--may-exist --fake-iface', bridge.addBond],
  ['add-bond-iface', 2, 2, '--may-exist', bridge.addBondInterface],
  ['del-bond-iface', 1, 2, '--if-exists', bridge.deleteBondInterface],
  ['del-port', 1, 2, '--if-exists --with-iface', bridge.deletePort],
  ['port-to-br', 1, 1, '', bridge.portToBridge],
  ['list-ifaces', 1, 1, '', bridge.listInterfaces],
  ['iface-to-br', 1, 1, '', bridge.interfaceToBridge],
  ['get-controller', 1, 1, '', service.getController],
  ['del-controller', 1, 1, '', service.deleteController],
  ['set-controller', 1, any, '--inactivity-probe=', service.setController],
  ['get-fail-mode', 1, 1, '', service.getFailMode],
  ['del-fail-mode', 1, 1, '', service.deleteFailMode],
  ['set-fail-mode', 2, 2, '', service.setFailMode],
  ['get-manager', 0, 0, '', service.getManager],
  ['del-manager', 0, 0, '', service.deleteManager],
  ['set-manager', 1, any, '--inactivity-probe=', service.setManager],
  ['get-ssl', 0, 0, '', service.getSsl],
  ['del-ssl', 0, 0, '', service.deleteSsl],
  ['set-ssl', 3, 3, '--bootstrap', service.setSsl],
  ['add-aa-mapping', 3, 3, '', service.addMapping],
  ['del-aa-mapping', 3, 3, '', service.deleteMapping],
  ['get-aa-mapping', 1, 1, '', service.getMappings],
  ['add-zone-tp', 3, 18, '--may-exist', service.addZonePolicy],
  ['del-zone-tp', 2, 2, '--if-exists', service.deleteZonePolicy],
  ['list-zone-tp', 1, 1, '', service.listZonePolicies],
  ['list-dp-cap', 1, 1, '', service.listCapabilities],
  ['comment', 0, any, '', database.comment],
  ['get', 2, any, '--if-exists --id=', database.get],
  ['list', 1, any, '--if-exists --columns=', database.list],
  ['find', 1, any, '--columns=', database.find],
  ['set', 3, any, '--if-exists', database.set],
  ['add', 4, any, '--if-exists', database.add],
  ['remove', 4, any, '--if-exists', database.remove],
  ['clear', 3, any, '--if-exists', database.clear],
  ['create', 2, any, '--id=', database.create],
  ['destroy', 1, any, '--if-exists --all', database.destroy],
  ['wait-until', 2, any, '', database.waitUntil],
];

/** All commands by name. */
export const COMMANDS: ReadonlyMap<string, CommandSpec> = new Map(
  rows.map(([name, minArgs, maxArgs, options, run]) => [
    name,
    { name, minArgs, maxArgs, options: options.split(' ').filter((option) => option !== ''), run },
  ]),
);

/** The options of all commands, which may also stand among the global ones before the first command. */
export const COMMAND_OPTIONS: readonly string[] = [...new Set(rows.flatMap(([, , , options]) => options.split(' ')))].filter(
  (o) => o !== '',
);
