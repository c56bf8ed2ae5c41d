// Control commands about datapaths: dpif/*, dpctl/*, upcall/*, revalidator/*. Text as in the running reference.
import { ConfigError } from '../../base/errors.ts';
import type { ActionTextOptions } from '../../datapath/action-text.ts';
import type { Datapath, DpFlow, DpOffload, DpPortCounters, DpPortInfo, FlowId } from '../../datapath/datapath.ts';
import { formatDpFlow } from '../../datapath/flow-text.ts';
import type { KeyTextOptions } from '../../datapath/key-text.ts';
import { W } from '../../flow/key.ts';
import type { PortKind, SwitchBridge } from '../../switch/contract.ts';
import { registerConntrackCommands } from './conntrack-commands.ts';
import { registerFeatureCommands } from './feature-commands.ts';
import { bridgeNamed, bridgesByName, type CommandParts } from './parts.ts';
import { registerUpcallCommands } from './upcall-commands.ts';

const ANY = Number.POSITIVE_INFINITY;
const fullName = (datapath: Datapath): string => `${datapath.type}@${datapath.name}`;

/** What the reference calls an internal device of that datapath. */
const internalName = (type: string): string => (type === 'system' ? 'internal' : type === 'dummy' ? 'dummy-internal' : 'tap');

function kindText(kind: PortKind, isLocal: boolean, type: string, datapathType: string): string {
  switch (kind.kind) {
    case 'system':
      return 'system';
    case 'internal':
      return internalName(datapathType);
    case 'dummy':
      return isLocal || type === 'internal' ? 'dummy-internal' : 'dummy';
    case 'patch':
      return `patch: peer=${kind.peer}`;
    case 'tunnel': {
      const options = [...kind.options].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${value}`);
      return `${kind.protocol}: ${options.join(', ')}`;
    }
  }
}

/** The datapath's port behind a port of a bridge. */
function datapathPort(bridge: SwitchBridge, name: string, kind: PortKind): DpPortInfo | undefined {
  for (const info of bridge.datapath.ports()) {
    if (info.spec.kind !== 'tunnel') {
      if (kind.kind !== 'tunnel' && info.name === name) return info;
    } else if (kind.kind === 'tunnel' && info.spec.protocol === kind.protocol) {
      const standard = kind.protocol === 'vxlan' ? 4789 : kind.protocol === 'geneve' ? 6081 : 0;
      if (kind.protocol === 'gre' || info.spec.dstPort === Number(kind.options.get('dst_port') ?? standard)) return info;
    }
  }
  return undefined;
}

function dpifShow(parts: CommandParts): string {
  const lines: string[] = [];
  for (const datapath of parts.host.datapaths()) {
    const { hit, missed } = datapath.lookupStats();
    const place = datapath.type !== 'system' ? '' : datapath.offload === undefined ? ' (user space)' : ' (eBPF)';
    lines.push(`${fullName(datapath)}: hit:${hit} missed:${missed}${place}`);
    for (const bridge of bridgesByName(parts.host)) {
      if (bridge.datapath !== datapath) continue;
      lines.push(`  ${bridge.name}:`);
      const types = parts.reconciler.bridges.get(bridge.name)?.ports;
      for (const { port, name, kind } of [...bridge.ports()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const number = kind.kind === 'patch' ? 'none' : (datapathPort(bridge, name, kind)?.port ?? 'none');
        const text = kindText(kind, name === bridge.name, types?.get(name)?.type ?? '', datapath.type);
        lines.push(`    ${name} ${port}/${number}: (${text})`);
      }
    }
  }
  return lines.join('\n');
}

/** The datapath that an optional `[TYPE@]NAME` means; the reference's words when there is none. */
function datapathNamed(parts: CommandParts, name: string | undefined): Datapath {
  const all = [...parts.host.datapaths()];
  if (name !== undefined) {
    const wanted = name.includes('@') ? name : `system@${name}`;
    const found = all.find((datapath) => fullName(datapath) === wanted);
    if (found === undefined) throw new ConfigError('ovs-vswitchd: datapath not found (Invalid argument)');
    return found;
  }
  const [only] = all;
  if (only === undefined) {
    throw new ConfigError('ovs-vswitchd: no datapaths exist\novs-vswitchd: datapath not found (Invalid argument)');
  }
  if (all.length > 1) {
    throw new ConfigError('ovs-vswitchd: multiple datapaths, specify one\novs-vswitchd: datapath not found (Invalid argument)');
  }
  return only;
}

function dpctlPort(parts: CommandParts, datapath: Datapath, info: DpPortInfo, withStatistics: boolean): string[] {
  const { spec } = info;
  const isInternalDummy =
    spec.kind === 'dummy' && [...parts.reconciler.bridges.values()].some((live) => live.ports.get(info.name)?.type === 'internal');
  const type =
    spec.kind === 'tunnel'
      ? ` (${spec.protocol}: packet_type=ptap)`
      : spec.kind === 'internal' || isInternalDummy
        ? ` (${internalName(datapath.type)})`
        : spec.kind === 'dummy'
          ? ' (dummy)'
          : '';
  const lines = [`  port ${info.port}: ${info.name}${type}`];
  if (!withStatistics) return lines;
  lines.push(...counterLines(datapath.portCounters(info.port), spec.kind === 'system' || spec.kind === 'internal'));
  return lines;
}

/** Counters of a port; a `?` stands for what only a kernel device counts. */
function counterLines(c: DpPortCounters | undefined, isReal: boolean): string[] {
  const detail = (value: bigint | undefined): string => (isReal ? String(value ?? 0n) : '?');
  const zero = isReal ? '0' : '?';
  return [
    `    RX packets:${c?.rxPackets ?? 0n} errors:${detail(c?.rxErrors)} dropped:${detail(c?.rxDropped)} overruns:${zero} frame:${zero}`,
    `    TX packets:${c?.txPackets ?? 0n} errors:${detail(c?.txErrors)} dropped:${detail(c?.txDropped)} aborted:${zero} carrier:${zero}`,
    `    collisions:${zero}`,
    `    RX bytes:${bytesText(c?.rxBytes ?? 0n)}  TX bytes:${bytesText(c?.txBytes ?? 0n)}`,
  ];
}

/** A byte count with its size in larger units from 1 KiB on, as the reference prints it. */
export function bytesText(bytes: bigint): string {
  const units: readonly (readonly [number, string])[] = [
    [1024 ** 4, 'TiB'],
    [1024 ** 3, 'GiB'],
    [1024 ** 2, 'MiB'],
    [1024, 'KiB'],
  ];
  const value = Number(bytes);
  for (const [size, unit] of units) if (value >= size) return `${bytes} (${(value / size).toFixed(1)} ${unit})`;
  return String(bytes);
}

function dpctlShow(parts: CommandParts, args: readonly string[]): string {
  let withStatistics = false;
  const names: string[] = [];
  for (const arg of args) {
    if (arg === '-s' || arg === '--statistics') withStatistics = true;
    else if (arg.startsWith('-')) throw new ConfigError(`Unrecognized option ${arg}`);
    else names.push(arg);
  }
  const all = [...parts.host.datapaths()];
  const shown = names.map((name) => {
    const found = all.find((datapath) => fullName(datapath) === (name.includes('@') ? name : `system@${name}`));
    if (found === undefined) throw new ConfigError(`ovs-vswitchd: opening datapath ${name} failed (No such file or directory)`);
    return found;
  });
  const lines: string[] = [];
  for (const datapath of names.length === 0 ? all : shown) {
    const { hit, missed, lost } = datapath.lookupStats();
    lines.push(`${fullName(datapath)}:`, `  lookups: hit:${hit} missed:${missed} lost:${lost}`, `  flows: ${datapath.flowCount()}`);
    // Number 0 belongs to the datapath itself.
    lines.push(`  port 0: ${datapath.name} (${internalName(datapath.type)})`);
    if (withStatistics) lines.push(...counterLines(undefined, datapath.type !== 'dummy'));
    for (const info of [...datapath.ports()].sort((a, b) => a.port - b.port))
      lines.push(...dpctlPort(parts, datapath, info, withStatistics));
  }
  return lines.join('\n');
}

interface DumpOptions {
  more: boolean;
  names: boolean;
  rest: string[];
}

function dumpOptions(args: readonly string[]): DumpOptions {
  const options: DumpOptions = { more: false, names: false, rest: [] };
  let names: boolean | undefined;
  for (const arg of args) {
    if (arg === '-m' || arg === '--more') options.more = true;
    else if (arg === '--names') names = true;
    else if (arg === '--no-names') names = false;
    else if (arg.startsWith('-')) throw new ConfigError(`Unrecognized option ${arg}`);
    else options.rest.push(arg);
  }
  options.names = names ?? options.more;
  return options;
}

function* flowLines(parts: CommandParts, datapath: Datapath, flows: Iterable<DpFlow>, options: DumpOptions): Generator<string> {
  const names = new Map<number, string>();
  if (options.names) for (const info of datapath.ports()) names.set(info.port, info.name);
  const text: KeyTextOptions & ActionTextOptions = {
    full: options.more,
    port: (port) => names.get(port) ?? String(port),
    cookie: (cookie) =>
      parts.host.cookieText?.(datapath, cookie) ?? (cookie.reason === 'controller' ? 'controller()' : `${cookie.reason}(action)`),
  };
  const now = parts.clock.now();
  const offload = datapath.offload?.();
  for (const flow of flows) {
    const stats = datapath.flowStats(flow.id);
    if (stats === undefined) continue;
    const line = formatDpFlow(flow, stats, now, text);
    if (!options.more) {
      yield line;
    } else {
      const id = flow.id.toString(16).padStart(32, '0');
      const ufid = `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`;
      const place = offload === undefined ? 'dp:ovs' : offloadText(offload, flow.id);
      yield `ufid:${ufid}, ${line.replace(/, actions:/, `, ${place}, actions:`)}`;
    }
  }
}

function dpctlDumpFlows(parts: CommandParts, args: readonly string[]): string {
  const options = dumpOptions(args);
  const words: string[] = [];
  let types: ReadonlySet<string> | undefined;
  let thread: string | undefined;
  for (const word of options.rest) {
    if (word.startsWith('filter=')) throw new ConfigError('ovs-vswitchd: flow filters are not supported yet');
    if (word.startsWith('type=') && types === undefined) types = flowTypes(word.slice('type='.length));
    else if (word.startsWith('pmd=') && thread === undefined) thread = word.slice('pmd='.length);
    else words.push(word);
  }
  const datapath = datapathNamed(parts, words[0]);
  if (thread !== undefined && !/^\s*[-+]?\d+$/.test(thread)) throw new ConfigError('');
  if (thread !== undefined && Number(thread) !== -1) return '';
  const flows = types === undefined || types.has('all') ? datapath.flows() : flowsOfTypes(datapath, types);
  const lines = [...flowLines(parts, datapath, flows, options)];
  if (lines.length > 0 && datapath.type !== 'system' && thread === undefined) lines.unshift('flow-dump from the main thread:');
  return lines.join('\n');
}

/** The words of `type=`, ovs-dpctl(8). */
const FLOW_TYPES: ReadonlySet<string> = new Set(['ovs', 'tc', 'dpdk', 'offloaded', 'non-offloaded', 'partially-offloaded', 'all']);

function flowTypes(text: string): ReadonlySet<string> {
  const types = text.split(',').filter((word) => word !== '');
  const unknown = types.find((word) => !FLOW_TYPES.has(word));
  if (unknown !== undefined) throw new ConfigError(`ovs-vswitchd: Failed to parse type (${unknown}) (Invalid argument)`);
  return new Set(types);
}

function* flowsOfTypes(datapath: Datapath, types: ReadonlySet<string>): Generator<DpFlow> {
  const offload = datapath.offload?.();
  const user = types.has('ovs') || types.has('non-offloaded');
  const whole = types.has('tc') || types.has('offloaded');
  const part = types.has('tc') || types.has('partially-offloaded');
  for (const flow of datapath.flows()) {
    if (offload?.isOffloaded(flow.id) !== true ? user : offload.isPartial(flow.id) ? part : whole) yield flow;
  }
}

function dpifDumpFlows(parts: CommandParts, args: readonly string[]): string {
  const options = dumpOptions(args);
  const bridge = bridgeNamed(parts.host, options.rest[0]);
  const own = new Set<number>();
  for (const { name, kind } of bridge.ports()) {
    const info = kind.kind === 'patch' ? undefined : datapathPort(bridge, name, kind);
    if (info !== undefined) own.add(info.port);
  }
  const flows = [...bridge.datapath.flows()].filter((flow) => own.has(flow.key[W.IN_PORT] ?? 0));
  return [...flowLines(parts, bridge.datapath, flows, options)].map((line) => line.replace(/^(ufid:[^ ,]*),/, '$1')).join('\n');
}

/** Registers them. */
export function registerDatapathCommands(parts: CommandParts): void {
  const { unixctl, host } = parts;
  const purge = (): string => {
    host.purge?.();
    return '';
  };
  unixctl.register('dpif/show', '', 0, 0, () => dpifShow(parts));
  unixctl.register('dpif/dump-dps', '', 0, 0, () =>
    bridgesByName(host)
      .map((bridge) => `${bridge.datapath.type}@${bridge.name}`)
      .join('\n'),
  );
  unixctl.register('dpif/dump-flows', '[-m] [--names | --no-names] bridge', 1, ANY, (args) => dpifDumpFlows(parts, args));
  unixctl.register('dpctl/show', '[-s] [dp...]', 0, ANY, (args) => dpctlShow(parts, args));
  unixctl.register('dpctl/dump-dps', '', 0, ANY, () => [...host.datapaths()].map(fullName).join('\n'));
  unixctl.register('dpctl/dump-flows', '[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]', 0, 6, (args) => dpctlDumpFlows(parts, args));
  unixctl.register('dpctl/del-flows', '[dp] [file]', 0, 2, ([name]) => {
    datapathNamed(parts, name);
    return purge();
  });
  registerFeatureCommands(parts);
  registerUpcallCommands(parts);
  registerConntrackCommands(parts, (name) => datapathNamed(parts, name));
  unixctl.register('revalidator/purge', '', 0, 0, purge);
  unixctl.register('revalidator/wait', '', 0, 0, () => {
    host.settle?.();
    return '';
  });
}

function offloadText(offload: DpOffload, id: FlowId): string {
  if (!offload.isOffloaded(id)) return 'offloaded:no, dp:ovs';
  return offload.isPartial(id) ? 'offloaded:partial, dp:tc' : 'offloaded:yes, dp:tc';
}
