// Commands on bridges, ports, bonds and interfaces.
import type { Context, Invocation } from './context.ts';
import { setColumn } from './database-commands.ts';
import { CommandError, ExitWith } from './error.ts';
import {
  type BridgeInfo,
  changeInterface,
  changeSet,
  checkConflicts,
  dropPorts,
  dropRow,
  type PortInfo,
  requireBridge,
  requireInterface,
  requirePort,
  switchModel,
} from './switch-model.ts';

type Command = (ctx: Context, invocation: Invocation) => void;

const sorted = (names: Iterable<string>): string[] => [...names].sort();

export const addBridge: Command = (ctx, { args, options }) => {
  const [name = '', parentName, vlanText = ''] = args;
  const mayExist = options.has('--may-exist');
  if (args.length === 2) throw new CommandError("'add-br' command takes exactly 1 or 3 arguments");
  if (name === '') throw new CommandError('bridge name must not be empty string');
  const vlan = parentName === undefined ? 0 : parseLeadingInteger(vlanText);
  if (parentName !== undefined && (vlan < 0 || vlan > 4095)) throw new CommandError(`add-br: vlan must be between 0 and 4095`);
  const model = switchModel(ctx);
  const existing = model.bridges.get(name);
  if (mayExist && existing !== undefined) {
    if (parentName === undefined) {
      if (existing.parent !== undefined)
        throw new CommandError(`"--may-exist add-br ${name}" but ${name} is a VLAN bridge for VLAN ${existing.vlan}`);
    } else {
      const call = `"--may-exist add-br ${name} ${parentName} ${vlan}"`;
      if (existing.parent === undefined) throw new CommandError(`${call} but ${name} is not a VLAN bridge`);
      if (existing.parent.name !== parentName) throw new CommandError(`${call} but ${name} has the wrong parent ${existing.parent.name}`);
      if (existing.vlan !== vlan) throw new CommandError(`${call} but ${name} is a VLAN bridge for the wrong VLAN ${existing.vlan}`);
    }
    return;
  }
  checkConflicts(model, name, `cannot create a bridge named ${name}`);
  const parent = parentName === undefined ? undefined : requireParent(model, parentName, vlan);
  const iface = ctx.txn.insert('Interface', { name, type: 'internal' });
  const port = ctx.txn.insert('Port', { name, interfaces: [iface], ...(parent === undefined ? {} : { fake_bridge: true, tag: vlan }) });
  if (parent !== undefined) {
    changeSet(ctx, parent.row, 'ports', [port]);
  } else {
    const bridge = ctx.txn.insert('Bridge', { name, ports: [port] });
    changeSet(ctx, ctx.root(), 'bridges', [bridge]);
  }
  ctx.newPorts.add(name);
};

/** As atoi reads it: 0 when there is no number. */
function parseLeadingInteger(text: string): number {
  const value = Number.parseInt(text, 10);
  return Number.isNaN(value) ? 0 : value;
}

function requireParent(model: ReturnType<typeof switchModel>, name: string, vlan: number): BridgeInfo {
  const parent = model.bridges.get(name);
  if (parent?.parent !== undefined) throw new CommandError('cannot create bridge with fake bridge as parent');
  if (parent === undefined) throw new CommandError(`parent bridge ${name} does not exist`);
  for (const other of model.bridges.values()) {
    if (other.parent === parent && other.vlan === vlan) {
      throw new CommandError(`bridge ${name} already has a child VLAN bridge ${other.name} on VLAN ${vlan}`);
    }
  }
  return parent;
}

export const deleteBridge: Command = (ctx, { args, options }) => {
  const [name = ''] = args;
  const model = switchModel(ctx);
  const bridge = options.has('--if-exists') ? model.bridges.get(name) : requireBridge(model, name);
  if (bridge === undefined) return;
  if (bridge.parent !== undefined) {
    const ports = bridge.ports.map((port) => port.row);
    dropPorts(ctx, bridge.row, bridge.localPort === undefined ? ports : [...ports, bridge.localPort]);
    return;
  }
  for (const uuid of bridge.row.set('ports')) {
    for (const iface of ctx.txn.row('Port', String(uuid))?.set('interfaces') ?? []) dropRow(ctx, 'Interface', String(iface));
    dropRow(ctx, 'Port', String(uuid));
  }
  changeSet(ctx, ctx.root(), 'bridges', [], [bridge.row.uuid]);
  dropRow(ctx, 'Bridge', bridge.row.uuid);
};

export const listBridges: Command = (ctx, { options }) => {
  const onlyReal = options.has('--real');
  const onlyFake = options.has('--fake');
  const wanted = [...switchModel(ctx).bridges.values()].filter(
    (bridge) => onlyReal === onlyFake || onlyReal === (bridge.parent === undefined),
  );
  ctx.printLines(sorted(wanted.map((bridge) => bridge.name)));
};

export const bridgeExists: Command = (ctx, { args }) => {
  if (!switchModel(ctx).bridges.has(args[0] ?? '')) throw new ExitWith(2);
};

export const bridgeToVlan: Command = (ctx, { args }) => {
  ctx.print(`${requireBridge(switchModel(ctx), args[0] ?? '').vlan}\n`);
};

export const bridgeToParent: Command = (ctx, { args }) => {
  const bridge = requireBridge(switchModel(ctx), args[0] ?? '');
  ctx.print(`${(bridge.parent ?? bridge).name}\n`);
};

/** External IDs of a fake bridge stand in its port, with a prefix. */
function externalIds(bridge: BridgeInfo): { row: BridgeInfo['row']; prefix: string } {
  return bridge.localPort === undefined ? { row: bridge.row, prefix: '' } : { row: bridge.localPort, prefix: 'fake-bridge-' };
}

export const setExternalId: Command = (ctx, { args }) => {
  const [name = '', key = '', value] = args;
  const { row, prefix } = externalIds(requireBridge(switchModel(ctx), name));
  const ids = new Map(row.map('external_ids'));
  if (value === undefined) ids.delete(prefix + key);
  else ids.set(prefix + key, value);
  ctx.txn.verify(row.table, row.uuid, 'external_ids');
  ctx.txn.set(row.table, row.uuid, 'external_ids', ids);
};

export const getExternalId: Command = (ctx, { args }) => {
  const [name = '', key] = args;
  const { row, prefix } = externalIds(requireBridge(switchModel(ctx), name));
  const ids = [...row.map('external_ids')]
    .filter(([k]) => String(k).startsWith(prefix))
    .map(([k, v]) => [String(k).slice(prefix.length), v] as const);
  if (key === undefined) ctx.printLines(ids.sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => `${k}=${v}`));
  else ctx.printLines(ids.filter(([k]) => k === key).map(([, value]) => String(value)));
};

export const listPorts: Command = (ctx, { args }) => {
  ctx.printLines(sorted(requireBridge(switchModel(ctx), args[0] ?? '').ports.map((port) => port.name)));
};

export const listInterfaces: Command = (ctx, { args }) => {
  const { ports } = requireBridge(switchModel(ctx), args[0] ?? '');
  ctx.printLines(sorted(ports.flatMap((port) => port.interfaces.map((iface) => iface.name))));
};

export const portToBridge: Command = (ctx, { args }) => {
  ctx.print(`${requirePort(switchModel(ctx), args[0] ?? '').bridge.name}\n`);
};

export const interfaceToBridge: Command = (ctx, { args }) => {
  ctx.print(`${requireInterface(switchModel(ctx), args[0] ?? '').port.bridge.name}\n`);
};

function addPortWith(
  ctx: Context,
  bridgeName: string,
  portName: string,
  interfaces: readonly string[],
  settings: readonly string[],
  mayExist: boolean,
  isFakeInterface: boolean,
  line: string,
): void {
  if (portName === '') throw new CommandError('port name must not be empty string');
  if (interfaces.includes('')) throw new CommandError('interface name must not be empty string');
  const model = switchModel(ctx);
  const existing = mayExist ? model.ports.get(portName) : undefined;
  if (existing !== undefined) {
    checkSamePort(existing, bridgeName, interfaces, `"${line}"`);
    return;
  }
  checkConflicts(model, portName, `cannot create a port named ${portName}`);
  for (const name of interfaces) checkConflicts(model, name, `cannot create an interface named ${name}`);
  const bridge = requireBridge(model, bridgeName);
  const uuids = interfaces.map((name) => ctx.txn.insert('Interface', { name }));
  const port = ctx.txn.insert('Port', {
    name: portName,
    interfaces: uuids,
    ...(isFakeInterface ? { bond_fake_iface: true } : {}),
    ...(bridge.parent === undefined ? {} : { tag: bridge.vlan }),
  });
  const row = ctx.txn.row('Port', port);
  for (const setting of settings) if (row !== undefined) setColumn(ctx, row.schema, row, setting);
  changeSet(ctx, bridge.row, 'ports', [port]);
  ctx.newPorts.add(portName);
}

function checkSamePort(port: PortInfo, bridge: string, interfaces: readonly string[], call: string): void {
  if (port.bridge.name !== bridge) throw new CommandError(`${call} but ${port.name} is actually attached to bridge ${port.bridge.name}`);
  const want = sorted(interfaces);
  const have = sorted(port.interfaces.map((iface) => iface.name));
  if (want.join('\0') !== have.join('\0')) throw new CommandError(`${call} but ${port.name} actually has interface(s) ${have.join(', ')}`);
}

export const addPort: Command = (ctx, { args, options, line }) => {
  const [bridge = '', port = '', ...settings] = args;
  addPortWith(ctx, bridge, port, [port], settings, options.has('--may-exist'), false, line);
};

export const addBond: Command = (ctx, { args, options, line }) => {
  const [bridge = '', port = '', ...rest] = args;
  // Interfaces end where the first setting begins.
  let count = rest.findIndex((arg) => arg.includes('='));
  if (count < 0) count = rest.length;
  const interfaces = rest.slice(0, count);
  if (count < 2) throw new CommandError(`add-bond requires at least 2 interfaces, but only ${count} were specified`);
  addPortWith(ctx, bridge, port, interfaces, rest.slice(count), options.has('--may-exist'), options.has('--fake-iface'), line);
};

export const deletePort: Command = (ctx, { args, options }) => {
  const mustExist = !options.has('--if-exists');
  const withInterface = options.has('--with-iface');
  const target = args.at(-1) ?? '';
  const model = switchModel(ctx);
  const port = model.ports.get(target) ?? (withInterface ? model.interfaces.get(target)?.port : undefined);
  if (port === undefined) {
    if (!mustExist) return;
    if (model.bridges.has(target)) failLocalPort(target, target);
    throw new CommandError(withInterface ? `no port or interface named ${target}` : `no port named ${target}`);
  }
  const bridge = args.length === 2 ? requireBridge(model, args[0] ?? '') : undefined;
  if (bridge !== undefined && port.bridge !== bridge) {
    if (port.bridge.parent === bridge) {
      throw new CommandError(`bridge ${bridge.name} does not have a port ${target} (although its child bridge ${port.bridge.name} does)`);
    }
    throw new CommandError(`bridge ${bridge.name} does not have a port ${target}`);
  }
  dropPorts(ctx, port.bridge.row, [port.row]);
};

function failLocalPort(port: string, bridge: string): never {
  throw new CommandError(
    `cannot delete port ${port} because it is the local port for bridge ${bridge} (deleting this port requires deleting the entire bridge)`,
  );
}

export const addBondInterface: Command = (ctx, { args, options }) => {
  const [portName = '', name = ''] = args;
  const model = switchModel(ctx);
  const port = requirePort(model, portName);
  const existing = options.has('--may-exist') ? model.interfaces.get(name) : undefined;
  if (existing?.port === port) return;
  if (existing !== undefined) {
    throw new CommandError(
      `"--may-exist add-bond-iface ${portName} ${name}" but ${name} is actually attached to port ${existing.port.name}`,
    );
  }
  checkConflicts(model, name, `cannot create an interface named ${name}`);
  changeInterface(ctx, port.row, 'insert', ctx.txn.insert('Interface', { name }));
  ctx.newPorts.add(portName);
};

export const deleteBondInterface: Command = (ctx, { args, options }) => {
  const name = args.at(-1) ?? '';
  const model = switchModel(ctx);
  const iface = options.has('--if-exists') ? model.interfaces.get(name) : requireInterface(model, name);
  if (iface === undefined) return;
  const port = args.length === 2 ? requirePort(model, args[0] ?? '') : undefined;
  if (port !== undefined && iface.port !== port) throw new CommandError(`port ${port.name} does not have an interface ${name}`);
  if (iface.port.interfaces.length === 1) throw new CommandError(`cannot delete last interface from port ${iface.port.name}`);
  changeInterface(ctx, iface.port.row, 'delete', iface.row.uuid);
  dropRow(ctx, 'Interface', iface.row.uuid);
};
