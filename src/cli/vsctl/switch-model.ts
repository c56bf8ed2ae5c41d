// The rows seen as a person sees the switch: bridges (real, and fake ones that are a VLAN of a real one), ports and interfaces by name.
// A bridge's local port and its interface are not among them.
import type { ReplicaRow } from '../../ovsdb/client/replica-row.ts';
import type { Context } from './context.ts';
import { CommandError } from './error.ts';

export interface BridgeInfo {
  name: string;
  /** The row of the real bridge. */
  row: ReplicaRow;
  /** Of a fake bridge: the real one, its VLAN, and the port that stands for it. */
  parent?: BridgeInfo;
  vlan: number;
  localPort?: ReplicaRow;
  ports: PortInfo[];
}

export interface PortInfo {
  name: string;
  row: ReplicaRow;
  bridge: BridgeInfo;
  interfaces: InterfaceInfo[];
}

export interface InterfaceInfo {
  name: string;
  row: ReplicaRow;
  port: PortInfo;
}

export interface SwitchModel {
  bridges: Map<string, BridgeInfo>;
  ports: Map<string, PortInfo>;
  interfaces: Map<string, InterfaceInfo>;
}

const text = (row: ReplicaRow, column: string): string => String(row.optional(column) ?? '');

/** The rows that others refer to. One that `destroy` has taken away is still among them: nothing but the database takes back what refers to it. */
function rowsOf(ctx: Context, table: string, uuids: readonly unknown[]): ReplicaRow[] {
  return uuids
    .map(String)
    .map((uuid) => ctx.txn.row(table, uuid) ?? ctx.txn.deletedRow(table, uuid))
    .filter((row) => row !== undefined);
}

function isFakeBridge(port: ReplicaRow): boolean {
  const tag = port.optional('tag');
  return port.optional('fake_bridge') === true && typeof tag === 'number' && tag >= 0 && tag <= 4095;
}

/** Reads the rows as this transaction has made them. */
export function switchModel(ctx: Context): SwitchModel {
  const model: SwitchModel = { bridges: new Map(), ports: new Map(), interfaces: new Map() };
  for (const row of rowsOf(ctx, 'Bridge', ctx.root().set('bridges'))) {
    const bridge: BridgeInfo = { name: text(row, 'name'), row, vlan: 0, ports: [] };
    model.bridges.set(bridge.name, bridge);
    const ports = rowsOf(ctx, 'Port', row.set('ports'));
    const children = new Map<number, BridgeInfo>();
    for (const port of ports) {
      if (!isFakeBridge(port)) continue;
      const child: BridgeInfo = {
        name: text(port, 'name'),
        row,
        parent: bridge,
        vlan: Number(port.scalar('tag')),
        localPort: port,
        ports: [],
      };
      model.bridges.set(child.name, child);
      children.set(child.vlan, child);
    }
    for (const port of ports) {
      const name = text(port, 'name');
      if (isFakeBridge(port) || name === bridge.name) continue;
      const tag = port.optional('tag');
      const owner = (typeof tag === 'number' ? children.get(tag) : undefined) ?? bridge;
      const info: PortInfo = { name, row: port, bridge: owner, interfaces: [] };
      owner.ports.push(info);
      model.ports.set(name, info);
      for (const row of rowsOf(ctx, 'Interface', port.set('interfaces'))) {
        const iface: InterfaceInfo = { name: text(row, 'name'), row, port: info };
        info.interfaces.push(iface);
        model.interfaces.set(iface.name, iface);
      }
    }
  }
  return model;
}

export function requireBridge(model: SwitchModel, name: string): BridgeInfo {
  const bridge = model.bridges.get(name);
  if (bridge === undefined) throw new CommandError(`no bridge named ${name}`);
  return bridge;
}

export function requirePort(model: SwitchModel, name: string): PortInfo {
  const port = model.ports.get(name);
  if (port === undefined) throw new CommandError(`no port named ${name}`);
  return port;
}

export function requireInterface(model: SwitchModel, name: string): InterfaceInfo {
  const iface = model.interfaces.get(name);
  if (iface === undefined) throw new CommandError(`no interface named ${name}`);
  return iface;
}

/** Fails when something of that name exists already. */
export function checkConflicts(model: SwitchModel, name: string, what: string): void {
  if (model.bridges.has(name)) throw new CommandError(`${what} because a bridge named ${name} already exists`);
  const port = model.ports.get(name);
  if (port !== undefined) throw new CommandError(`${what} because a port named ${name} already exists on bridge ${port.bridge.name}`);
  const iface = model.interfaces.get(name);
  if (iface !== undefined) {
    throw new CommandError(`${what} because an interface named ${name} already exists on bridge ${iface.port.bridge.name}`);
  }
}

/** Adds references to a set column, or takes them away. */
export function changeSet(ctx: Context, row: ReplicaRow, column: string, added: readonly string[], removed: readonly string[] = []): void {
  const now = ctx.txn.row(row.table, row.uuid);
  if (now === undefined) {
    // `destroy` of a row that is referred to takes nothing away, and what is changed in it is changed.
    if (added.length > 0) ctx.txn.mutate(row.table, row.uuid, column, 'insert', added);
    if (removed.length > 0) ctx.txn.mutate(row.table, row.uuid, column, 'delete', removed);
    return;
  }
  const gone = new Set(removed);
  const next = [...now.set(column).filter((uuid) => !gone.has(String(uuid))), ...added];
  ctx.txn.verify(row.table, row.uuid, column);
  ctx.txn.set(row.table, row.uuid, column, next);
}

/** Takes ports, with their interfaces, off a real bridge. */
export function dropPorts(ctx: Context, bridge: ReplicaRow, ports: readonly ReplicaRow[]): void {
  if (ports.length === 0) return;
  for (const port of ports) for (const uuid of port.set('interfaces')) dropRow(ctx, 'Interface', String(uuid));
  for (const port of ports) dropRow(ctx, 'Port', port.uuid);
  changeSet(
    ctx,
    bridge,
    'ports',
    [],
    ports.map((port) => port.uuid),
  );
}

/** Deletes a row, if it is still there. */
export function dropRow(ctx: Context, table: string, uuid: string): void {
  if (ctx.txn.row(table, uuid) !== undefined) ctx.txn.delete(table, uuid);
}
