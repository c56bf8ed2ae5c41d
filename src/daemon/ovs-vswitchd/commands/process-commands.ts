// Control commands about the process and about features that are read only here: coverage, memory, QoS, tunnels.
import { coverageCounter, formatCoverage, readCoverage } from '../../../base/coverage.ts';
import { ConfigError } from '../../../base/errors.ts';
import { tunnelLine } from '../../../switch/translate/tunnel-text.ts';
import { hasQos } from '../../reconcile/wanted.ts';
import { COVERAGE_NAMES, DROP_COUNTERS } from './coverage-names.ts';
import { bridgesByName, type CommandParts } from './parts.ts';
import { notBuilt } from './protocol-commands.ts';

const QOS_TYPES = ['linux-netem', 'linux-fq_codel', 'linux-codel', 'linux-hfsc', 'linux-noop', 'linux-sfq', 'linux-htb'];

function listTunnels(parts: CommandParts): string {
  const lines: string[] = [];
  for (const bridge of bridgesByName(parts.host)) {
    const live = parts.reconciler.bridges.get(bridge.name)?.ports;
    for (const { name, dpPort, tunnel } of bridge.ports()) {
      if (tunnel !== undefined) lines.push(tunnelLine(name, live?.get(name)?.type ?? tunnel.protocol, dpPort, tunnel));
    }
  }
  return lines.sort().join('\n');
}

/** Columns of the tables of Open vSwitch's schema 8.3.1 that the daemon reads rows of. */
const COLUMNS: readonly (readonly [table: string, columns: number])[] = [
  ['Open_vSwitch', 17],
  ['Bridge', 22],
  ['Port', 22],
  ['Interface', 35],
  ['Flow_Table', 6],
  ['Mirror', 10],
  ['Controller', 17],
  ['Manager', 8],
  ['SSL', 5],
];

function memory(parts: CommandParts): string {
  const cells = COLUMNS.reduce((sum, [table, columns]) => sum + parts.rows(table).size * columns, 0);
  let ports = 0;
  let rules = 0;
  for (const bridge of parts.host.bridges()) {
    ports += [...bridge.ports()].length;
    rules += bridge.ruleCount?.() ?? 0;
  }
  let keys = 0;
  for (const datapath of parts.host.datapaths()) keys += datapath.flowCount();
  const usage: [name: string, count: number][] = [
    ['idl-cells-Open_vSwitch', cells],
    ['ports', ports],
    ['rules', rules],
    ['udpif keys', keys],
  ];
  if (ports > 0) usage.push(['handlers', 1], ['revalidators', 1]);
  return usage
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name}:${count}`)
    .sort()
    .join(' ');
}

/** Drops that datapaths count by reason, under the names of the reference's counters. */
function countDrops(parts: CommandParts): void {
  const totals = new Map<string, number>();
  for (const datapath of parts.host.datapaths()) {
    for (const [reason, count] of datapath.drops()) {
      const name = DROP_COUNTERS.get(reason);
      if (name !== undefined) totals.set(name, (totals.get(name) ?? 0) + Number(count));
    }
  }
  for (const [name, total] of totals) coverageCounter(name).total = total;
}

/** Registers them. */
export function registerProcessCommands(parts: CommandParts): void {
  const { unixctl, reconciler } = parts;
  for (const name of COVERAGE_NAMES) coverageCounter(name);
  unixctl.register('coverage/show', '', 0, 0, () => {
    countDrops(parts);
    return formatCoverage();
  });
  unixctl.register('coverage/read-counter', 'COUNTER', 1, 1, ([name]) => {
    countDrops(parts);
    const total = readCoverage(name ?? '');
    if (total === undefined) throw new ConfigError('No such counter');
    return String(total);
  });
  unixctl.register('memory/show', '', 0, 0, () => memory(parts));
  unixctl.register('ofproto/list-tunnels', '', 0, 0, () => listTunnels(parts));
  const device = (name: string | undefined): string => {
    if (reconciler.find(name ?? '') === undefined) throw new ConfigError('no such interface');
    return name ?? '';
  };
  unixctl.register('qos/show', 'interface', 1, 1, ([text]) => {
    const name = device(text);
    const interfaces = parts.rows('Interface');
    for (const port of parts.rows('Port').values()) {
      const isPort = port.set('interfaces').some((uuid) => interfaces.get(String(uuid))?.scalar('name') === name);
      if (isPort && hasQos((uuid) => parts.rows('QoS').get(uuid), port)) notBuilt('QoS', name);
    }
    return `QoS not configured on ${name}`;
  });
  unixctl.register('qos/show-types', 'interface', 1, 1, ([name]) => {
    const kind = reconciler.find(device(name))?.kind.kind;
    // Only devices of the kernel have queueing disciplines.
    if (kind !== 'system' && kind !== 'internal') return `No QoS types supported for interface: ${name}`;
    return QOS_TYPES.map((type) => `QoS type: ${type}`).join('\n');
  });
}
