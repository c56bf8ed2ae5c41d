// Control commands about datapaths: dpif/*, dpctl/*, upcall/*, revalidator/*. Text as in the running reference.
import { ConfigError } from '../../../base/errors.ts';
import type { Datapath, DpPortCounters, DpPortInfo } from '../../../datapath/datapath.ts';
import type { DeviceCounters, PortSummary } from '../../../switch/contract.ts';
import { describeTunnel } from '../../../switch/translate/tunnel-text.ts';
import { registerConntrackCommands } from './conntrack-commands.ts';
import { allDatapaths, fullName, isSystem, openFault, registerDpctl } from './datapath-names.ts';
import { registerDpctlCommands } from './dpctl-commands.ts';
import { said } from './dpctl-fault.ts';
import { registerFeatureCommands } from './feature-commands.ts';
import { registerFlowCommands } from './flow-commands.ts';
import { registerFlowDumpCommands } from './flow-dump-commands.ts';
import { registerFragmentCommands } from './fragment-commands.ts';
import { registerNormalizeCommand } from './normalize-command.ts';
import { bridgesByName, type CommandParts } from './parts.ts';
import { registerSpareCommands, spareType } from './spare-commands.ts';
import { registerUpcallCommands } from './upcall-commands.ts';

const ANY = Number.POSITIVE_INFINITY;

/** What the reference calls an internal device of that datapath. */
const internalName = (datapath: Datapath): string =>
  datapath.isSimulated === true ? 'dummy-internal' : datapath.type === 'system' ? 'internal' : 'tap';

/** What a simulated device of that Interface:type is called. */
const simulatedType = (type: string): string => (type === 'internal' ? 'dummy-internal' : type === '' ? 'system' : type);

function kindText({ kind, tunnel }: PortSummary, isLocal: boolean, type: string, datapath: Datapath): string {
  switch (kind.kind) {
    case 'system':
      return 'system';
    case 'internal':
      return internalName(datapath);
    case 'dummy':
      return isLocal ? 'dummy-internal' : simulatedType(type);
    case 'patch':
      return `patch: peer=${kind.peer}`;
    case 'tunnel':
      return `${type}: ${tunnel === undefined ? '' : describeTunnel(tunnel)}`;
  }
}

function dpifShow(parts: CommandParts): string {
  const lines: string[] = [];
  for (const datapath of parts.host.datapaths()) {
    const { hit, missed } = datapath.lookupStats();
    const place = !isSystem(datapath) ? '' : datapath.offload === undefined ? ' (user space)' : ' (eBPF)';
    lines.push(`${fullName(datapath)}: hit:${hit} missed:${missed}${place}`);
    for (const bridge of bridgesByName(parts.host)) {
      if (bridge.datapath !== datapath) continue;
      lines.push(`  ${bridge.name}:`);
      const types = parts.reconciler.bridges.get(bridge.name)?.ports;
      for (const summary of [...bridge.ports()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const { port, name } = summary;
        const number = summary.dpPort ?? 'none';
        const text = kindText(summary, name === bridge.name, types?.get(name)?.type ?? '', datapath);
        lines.push(`    ${name} ${port}/${number}: (${text})`);
      }
    }
  }
  return lines.join('\n');
}

function dpctlPort(parts: CommandParts, datapath: Datapath, info: DpPortInfo, withStatistics: boolean): string[] {
  const { spec } = info;
  let type = '';
  if (spec.kind === 'tunnel') {
    const standard = { gre: 0, vxlan: 4789, geneve: 6081 }[spec.protocol];
    type = ` (${spec.protocol}: ${spec.dstPort === standard ? '' : `dst_port=${spec.dstPort}, `}packet_type=ptap)`;
  } else if (spec.kind === 'internal') type = ` (${internalName(datapath)})`;
  else if (spec.kind === 'dummy') {
    const live = [...parts.reconciler.bridges.values()].find((one) => one.ports.has(info.name));
    const name = spareType(datapath, info.name) ?? simulatedType(live?.ports.get(info.name)?.type ?? '');
    type = name === 'system' ? '' : ` (${name})`;
  }
  const lines = [`  port ${info.port}: ${info.name}${type}`];
  if (!withStatistics) return lines;
  const device = spec.kind === 'system' ? parts.devices.counters(info.name) : undefined;
  lines.push(...counterLines(device ?? datapath.portCounters(info.port), spec.kind === 'system' || spec.kind === 'internal'));
  return lines;
}

/** Counters of a port; a `?` stands for what only a kernel device counts. */
function counterLines(c: DpPortCounters | DeviceCounters | undefined, isReal: boolean): string[] {
  const detail = (value: bigint | undefined): string => (isReal ? String(value ?? 0n) : '?');
  const zero = isReal ? '0' : '?';
  const device = c !== undefined && 'collisions' in c ? c : undefined;
  return [
    `    RX packets:${c?.rxPackets ?? 0n} errors:${detail(c?.rxErrors)} dropped:${detail(c?.rxDropped)} overruns:${detail(device?.rxOverErrors)} frame:${detail(device?.rxFrameErrors)}`,
    `    TX packets:${c?.txPackets ?? 0n} errors:${detail(c?.txErrors)} dropped:${detail(c?.txDropped)} aborted:${zero} carrier:${zero}`,
    `    collisions:${detail(device?.collisions)}`,
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

function dpctlShow(parts: CommandParts, names: readonly string[], flags: ReadonlySet<string>): string {
  const withStatistics = flags.has('-s') || flags.has('--statistics');
  const all = allDatapaths(parts);
  const lines: string[] = [];
  let hasFault = false;
  const shown = names.map((name) => all.find((datapath) => fullName(datapath) === (name.includes('@') ? name : `system@${name}`)) ?? name);
  for (const datapath of names.length === 0 ? all : shown) {
    if (typeof datapath === 'string') {
      lines.push(said(`opening datapath ${datapath} failed`, openFault(parts, datapath)));
      hasFault = true;
      continue;
    }
    const { hit, missed, lost } = datapath.lookupStats();
    lines.push(`${fullName(datapath)}:`, `  lookups: hit:${hit} missed:${missed} lost:${lost}`, `  flows: ${datapath.flowCount()}`);
    // Number 0 belongs to the datapath itself.
    lines.push(`  port 0: ${datapath.name} (${internalName(datapath)})`);
    if (withStatistics) lines.push(...counterLines(undefined, datapath.isSimulated !== true));
    for (const info of [...datapath.ports()].sort((a, b) => a.port - b.port))
      lines.push(...dpctlPort(parts, datapath, info, withStatistics));
  }
  if (hasFault) throw new ConfigError(lines.join('\n'));
  return lines.join('\n');
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
  registerDpctl(parts, 'show', '[-s] [dp...]', 0, ANY, (names, flags) => dpctlShow(parts, names, flags));
  registerDpctl(parts, 'dump-dps', '', 0, 0, () => allDatapaths(parts).map(fullName).join('\n'));
  registerDpctlCommands(parts);
  registerFlowDumpCommands(parts);
  registerFlowCommands(parts);
  registerFeatureCommands(parts);
  registerUpcallCommands(parts);
  registerConntrackCommands(parts);
  registerFragmentCommands(parts);
  registerSpareCommands(parts);
  registerNormalizeCommand(parts);
  unixctl.register('revalidator/purge', '', 0, 0, purge);
  for (const [verb, isPaused] of [
    ['pause', true],
    ['resume', false],
  ] as const) {
    unixctl.register(`revalidator/${verb}`, undefined, 0, 0, () => {
      host.setPaused?.(isPaused);
      return '';
    });
  }
  unixctl.register('revalidator/wait', '', 0, 0, () => {
    host.settle?.();
    return '';
  });
}
