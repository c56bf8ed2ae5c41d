// Commands on what surrounds bridges: controllers, managers, SSL, fail mode, conntrack zones, auto-attach, and the whole database.
import { logger } from '../../base/log.ts';
import { splitKeyValues } from '../../openflow/text/key-value-text.ts';
import type { ReplicaRow } from '../../ovsdb/client/replica-row.ts';
import type { Atom } from '../../ovsdb/engine/atom.ts';
import { datumsEqual, makeMap } from '../../ovsdb/engine/datum.ts';
import { formatDatum } from '../../ovsdb/engine/datum-text.ts';
import { defaultDatum } from '../../ovsdb/engine/types.ts';
import { exactInteger, MAX_INTEGER, MIN_INTEGER } from '../../ovsdb/json/json.ts';
import type { Context, Invocation } from './context.ts';
import { CommandError } from './error.ts';
import { dropRow, requireBridge, switchModel } from './switch-model.ts';
import { SHOW } from './tables.ts';

type Command = (ctx: Context, invocation: Invocation) => void;
const log = logger('vsctl');

const text = (row: ReplicaRow, column: string): string => String(row.optional(column) ?? '');

export const init: Command = (ctx) => void ctx.root();

export const show: Command = (ctx) => {
  const top = ctx.schema.tables.get('Open_vSwitch');
  for (const row of ctx.txn.rows('Open_vSwitch')) {
    ctx.print(`${row.uuid}\n`);
    if (top !== undefined) showColumns(ctx, row, 1, new Set());
  }
};

function showColumns(ctx: Context, row: ReplicaRow, level: number, above: ReadonlySet<string>): void {
  const shown = SHOW.get(row.table);
  const indent = '    '.repeat(level);
  for (const name of shown?.columns ?? []) {
    const column = row.schema.columns.get(name);
    if (column === undefined) continue;
    const datum = row.datum(name);
    const { refTable, refType } = column.type.key;
    const reference = refTable !== undefined && refType === 'strong' && column.type.value === undefined ? SHOW.get(refTable) : undefined;
    if (refTable !== undefined && reference !== undefined && !above.has(refTable)) {
      for (const uuid of datum.keys) {
        const target = ctx.txn.row(refTable, String(uuid));
        if (target === undefined) continue;
        const label =
          reference.name === undefined ? target.uuid : formatDatum(target.datum(reference.name), columnType(target, reference.name));
        ctx.print(`${indent}${refTable} ${label}\n`);
        showColumns(ctx, target, level + 1, new Set([...above, row.table]));
      }
    } else if (!datumsEqual(datum, defaultDatum(column.type))) {
      ctx.print(`${indent}${name}: ${formatDatum(datum, column.type)}\n`);
    }
  }
}

function columnType(row: ReplicaRow, name: string) {
  const type = row.schema.columns.get(name)?.type;
  if (type === undefined) throw new CommandError(`${row.table} has no column ${name}`);
  return type;
}

/** Writes the column's default value, unless it has that already. */
function reset(ctx: Context, row: ReplicaRow, ...columns: string[]): void {
  for (const name of columns) {
    const column = row.schema.columns.get(name);
    if (column !== undefined) ctx.txn.setDatum(row.table, row.uuid, name, defaultDatum(column.type));
  }
}

export const emergencyReset: Command = (ctx) => {
  // The reference dies of it.
  if (ctx.txn.rows('Open_vSwitch').length === 0) throw new CommandError('emer-reset: this command line has destroyed what is to be reset');
  reset(ctx, ctx.root(), 'manager_options', 'ssl');
  for (const bridge of ctx.txn.rows('Bridge')) {
    reset(ctx, bridge, 'controller', 'fail_mode', 'flood_vlans', 'mirrors', 'netflow', 'sflow', 'ipfix');
    const address = bridge.map('other_config').get('hwaddr');
    ctx.txn.set('Bridge', bridge.uuid, 'other_config', new Map<Atom, Atom>(address === undefined ? [] : [['hwaddr', address]]));
  }
  for (const port of ctx.txn.rows('Port')) reset(ctx, port, 'other_config');
  for (const iface of ctx.txn.rows('Interface')) reset(ctx, iface, 'ingress_policing_rate', 'ingress_policing_burst');
  for (const table of ['Mirror', 'NetFlow', 'sFlow', 'IPFIX', 'Controller', 'Manager', 'SSL']) {
    for (const row of ctx.txn.rows(table)) dropRow(ctx, table, row.uuid);
  }
};

const TARGET_TYPES = /^(tcp|ssl|unix|ptcp|pssl|punix):/;

function checkTarget(target: string): void {
  if (!TARGET_TYPES.test(target)) log.warn(`target type "${target}" is possibly erroneous`);
}

/** As strtoll reads it: what is too large or too small comes out at the end of the range. */
function probeInterval(text: string): Atom {
  const value = BigInt(/^\s*\+?(-?\d+)/.exec(text)?.[1] ?? 0);
  return exactInteger(value > MAX_INTEGER ? MAX_INTEGER : value < MIN_INTEGER ? MIN_INTEGER : value);
}

/** Gives `row.column` new rows of `table`, one a target, in place of those it had. */
function replaceTargets(
  ctx: Context,
  row: ReplicaRow,
  column: string,
  table: string,
  targets: readonly string[],
  probe: string | undefined,
): void {
  for (const uuid of row.set(column)) dropRow(ctx, table, String(uuid));
  const uuids = targets.map((target) =>
    ctx.txn.insert(table, { target, ...(probe === undefined ? {} : { inactivity_probe: probeInterval(probe) }) }),
  );
  ctx.txn.set(row.table, row.uuid, column, uuids);
}

function targetsOf(ctx: Context, row: ReplicaRow, column: string, table: string): string[] {
  return row
    .set(column)
    .map((uuid) => ctx.txn.row(table, String(uuid)))
    .filter((found) => found !== undefined)
    .map((found) => text(found, 'target'));
}

function sameTargets(ctx: Context, row: ReplicaRow, column: string, table: string, targets: readonly string[]): boolean {
  const have = targetsOf(ctx, row, column, table).sort();
  const want = [...targets].sort();
  return have.length === want.length && have.every((target, i) => target === want[i]);
}

/** The row that a real or fake bridge stands on. */
function bridgeRow(ctx: Context, name: string): ReplicaRow {
  return requireBridge(switchModel(ctx), name).row;
}

/** Controllers and fail mode belong to the real bridge: they are changed there alone, though a fake one may show them. */
function realBridge(ctx: Context, name: string): ReplicaRow {
  const bridge = requireBridge(switchModel(ctx), name);
  if (bridge.parent !== undefined) throw new CommandError(`${name} is a fake bridge`);
  return bridge.row;
}

export const getController: Command = (ctx, { args }) => {
  ctx.printLines(targetsOf(ctx, bridgeRow(ctx, args[0] ?? ''), 'controller', 'Controller').sort());
};

export const deleteController: Command = (ctx, { args }) => {
  const row = realBridge(ctx, args[0] ?? '');
  if (row.set('controller').length > 0) replaceTargets(ctx, row, 'controller', 'Controller', [], undefined);
};

export const setController: Command = (ctx, { args, options }) => {
  const row = realBridge(ctx, args[0] ?? '');
  const targets = args.slice(1);
  const probe = options.get('--inactivity-probe');
  for (const target of targets) checkTarget(target);
  if (probe === undefined && sameTargets(ctx, row, 'controller', 'Controller', targets)) return;
  replaceTargets(ctx, row, 'controller', 'Controller', targets, probe);
};

export const getManager: Command = (ctx) => {
  ctx.printLines(targetsOf(ctx, ctx.root(), 'manager_options', 'Manager').sort());
};

export const deleteManager: Command = (ctx) => {
  if (ctx.root().set('manager_options').length > 0) replaceTargets(ctx, ctx.root(), 'manager_options', 'Manager', [], undefined);
};

export const setManager: Command = (ctx, { args, options }) => {
  const root = ctx.root();
  const probe = options.get('--inactivity-probe');
  for (const target of args) checkTarget(target);
  if (probe === undefined && sameTargets(ctx, root, 'manager_options', 'Manager', args)) return;
  replaceTargets(ctx, root, 'manager_options', 'Manager', args, probe);
};

export const getFailMode: Command = (ctx, { args }) => {
  const mode = text(bridgeRow(ctx, args[0] ?? ''), 'fail_mode');
  if (mode !== '') ctx.print(`${mode}\n`);
};

export const deleteFailMode: Command = (ctx, { args }) => reset(ctx, realBridge(ctx, args[0] ?? ''), 'fail_mode');

export const setFailMode: Command = (ctx, { args }) => {
  const [name = '', mode = ''] = args;
  const row = realBridge(ctx, name);
  if (mode !== 'standalone' && mode !== 'secure') throw new CommandError('fail-mode must be "standalone" or "secure"');
  ctx.txn.set('Bridge', row.uuid, 'fail_mode', mode);
};

function sslRow(ctx: Context): ReplicaRow | undefined {
  return ctx.txn.row('SSL', String(ctx.root().optional('ssl') ?? ''));
}

export const getSsl: Command = (ctx) => {
  const ssl = sslRow(ctx);
  if (ssl === undefined) return;
  ctx.print(`Private key: ${text(ssl, 'private_key')}\nCertificate: ${text(ssl, 'certificate')}\n`);
  ctx.print(`CA Certificate: ${text(ssl, 'ca_cert')}\nBootstrap: ${text(ssl, 'bootstrap_ca_cert')}\n`);
};

export const deleteSsl: Command = (ctx) => {
  const ssl = sslRow(ctx);
  if (ssl === undefined) return;
  reset(ctx, ctx.root(), 'ssl');
  dropRow(ctx, 'SSL', ssl.uuid);
};

export const setSsl: Command = (ctx, invocation) => {
  deleteSsl(ctx, invocation);
  const [privateKey = '', certificate = '', authority = ''] = invocation.args;
  const uuid = ctx.txn.insert('SSL', {
    private_key: privateKey,
    certificate,
    ca_cert: authority,
    bootstrap_ca_cert: invocation.options.has('--bootstrap'),
  });
  const root = ctx.root();
  ctx.txn.set('Open_vSwitch', root.uuid, 'ssl', uuid);
};

function datapath(ctx: Context, name: string, message: string): ReplicaRow {
  const uuid = ctx.root().map('datapaths').get(name);
  const row = uuid === undefined ? undefined : ctx.txn.row('Datapath', String(uuid));
  if (row === undefined) throw new CommandError(message);
  return row;
}

/** As `%i` of scanf reads it. Where there is no number at all the reference takes what lies in memory; we say so. */
function zoneId(arg: string): number {
  const match = /^zone=\s*([-+]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|(\d+))/.exec(arg);
  if (match === null) throw new CommandError(`${arg}: argument is not "zone=ZONE_ID"`);
  const [, sign, hex, octal, decimal] = match;
  const value = hex !== undefined ? Number.parseInt(hex, 16) : octal !== undefined ? Number.parseInt(octal, 8) : Number(decimal);
  return sign === '-' ? -value : value;
}

/** As the reference prints it, whose zones are 64 bits without a sign. */
const unsigned = (zone: number): string => String(BigInt.asUintN(64, BigInt(zone)));

/** As C's atoi reads it where a long has 64 bits: the nearest of those, and of that the lower 32. */
function atoi(text: string): number {
  const digits = /^\s*([-+]?\d+)/.exec(text)?.[1];
  if (digits === undefined) return 0;
  const value = BigInt(digits.replace('+', ''));
  return Number(BigInt.asIntN(32, value > MAX_INTEGER ? MAX_INTEGER : value < MIN_INTEGER ? MIN_INTEGER : value));
}

/** The policy row with these timeouts: zones that agree share one. The first of two values for a key counts, and none is 0. */
function timeoutPolicy(ctx: Context, policies: readonly string[]): string {
  const timeouts = new Map<Atom, Atom>();
  for (const policy of policies) {
    const { key, value = '' } = splitKeyValues(policy)[0] ?? { key: '' };
    if (!timeouts.has(key)) timeouts.set(key, atoi(value));
  }
  const wanted = makeMap([...timeouts]);
  const same = ctx.txn.rows('CT_Timeout_Policy').find((row) => datumsEqual(row.datum('timeouts'), wanted));
  return same?.uuid ?? ctx.txn.insert('CT_Timeout_Policy', { timeouts });
}

export const addZonePolicy: Command = (ctx, { args, options }) => {
  const [name = '', zoneArg = '', ...policies] = args;
  const row = datapath(ctx, name, `datapath ${name} does not exist`);
  const zone = zoneId(zoneArg);
  const zones = new Map(row.map('ct_zones'));
  const existing = zones.get(zone);
  if (existing !== undefined) {
    if (!options.has('--may-exist')) throw new CommandError(`zone id ${unsigned(zone)} already exists`);
    ctx.txn.set('CT_Zone', String(existing), 'timeout_policy', timeoutPolicy(ctx, policies));
    return;
  }
  const policy = timeoutPolicy(ctx, policies);
  zones.set(zone, ctx.txn.insert('CT_Zone', { timeout_policy: policy }));
  ctx.txn.set('Datapath', row.uuid, 'ct_zones', zones);
};

export const deleteZonePolicy: Command = (ctx, { args, options }) => {
  const [name = '', zoneArg = ''] = args;
  const row = datapath(ctx, name, `datapath ${name} does not exist`);
  const zone = zoneId(zoneArg);
  const zones = new Map(row.map('ct_zones'));
  const uuid = zones.get(zone);
  if (uuid === undefined) {
    if (options.has('--if-exists')) return;
    throw new CommandError(`zone id ${unsigned(zone)} does not exist`);
  }
  zones.delete(zone);
  ctx.txn.set('Datapath', row.uuid, 'ct_zones', zones);
};

export const listZonePolicies: Command = (ctx, { args }) => {
  const name = args[0] ?? '';
  const row = datapath(ctx, name, `datapath: ${name} record not found`);
  for (const [zone, uuid] of row.map('ct_zones')) {
    const policy = ctx.txn.row('CT_Zone', String(uuid))?.optional('timeout_policy');
    const timeouts = policy === undefined ? undefined : ctx.txn.row('CT_Timeout_Policy', String(policy))?.map('timeouts');
    if (timeouts === undefined || timeouts.size === 0) ctx.print(`Zone:${zone}, Timeout Policies: system default\n`);
    else ctx.print(`Zone:${zone}, Timeout Policies: ${[...timeouts].map(([key, value]) => `${key}=${value}`).join(' ')}\n`);
  }
};

export const listCapabilities: Command = (ctx, { args }) => {
  const name = args[0] ?? '';
  const row = datapath(ctx, name, `datapath "${name}" record not found`);
  ctx.print(`${[...row.map('capabilities')].map(([key, value]) => `${key}=${value}`).join(' ')}\n`);
};

/** As strtoull reads them, in the signed 64 bits that the database has. */
function isidAndVlan(args: readonly string[]): { isid: Atom; vlan: Atom } {
  const [isid = 0, vlan = 0] = args.slice(1).map((arg) => {
    const digits = /^\s*([-+]?\d+)/.exec(arg)?.[1];
    if (digits === undefined) throw new CommandError(`Invalid argument ${arg}`);
    const value = BigInt(digits.replace('+', ''));
    return value > -(2n ** 64n) && value < 2n ** 64n ? exactInteger(BigInt.asIntN(64, value)) : -1;
  });
  return { isid, vlan };
}

export const addMapping: Command = (ctx, { args }) => {
  const { isid, vlan } = isidAndVlan(args);
  const bridge = bridgeRow(ctx, args[0] ?? '');
  let uuid = bridge.optional('auto_attach');
  if (uuid === undefined) {
    uuid = ctx.txn.insert('AutoAttach');
    ctx.txn.set('Bridge', bridge.uuid, 'auto_attach', uuid);
  }
  const row = ctx.txn.row('AutoAttach', String(uuid));
  const mappings = new Map(row?.map('mappings'));
  // Of two VLANs for one I-SID the reference keeps the lower.
  const before = mappings.get(isid);
  mappings.set(isid, before !== undefined && before < vlan ? before : vlan);
  ctx.txn.set('AutoAttach', String(uuid), 'mappings', mappings);
};

export const deleteMapping: Command = (ctx, { args }) => {
  const { isid, vlan } = isidAndVlan(args);
  const bridge = bridgeRow(ctx, args[0] ?? '');
  const row = ctx.txn.row('AutoAttach', String(bridge.optional('auto_attach') ?? ''));
  if (row === undefined) return;
  ctx.txn.set('AutoAttach', row.uuid, 'mappings', new Map([...row.map('mappings')].filter(([i, v]) => i !== isid || v !== vlan)));
};

export const getMappings: Command = (ctx, { args }) => {
  const bridge = bridgeRow(ctx, args[0] ?? '');
  const row = ctx.txn.row('AutoAttach', String(bridge.optional('auto_attach') ?? ''));
  for (const [isid, vlan] of row?.map('mappings') ?? []) ctx.print(`${isid} ${vlan}\n`);
};
