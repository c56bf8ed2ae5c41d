// Control commands about the process and about features that are read only here: coverage, memory, QoS, tunnels.
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../../base/addresses.ts';
import { coverageCounter, formatCoverage, readCoverage } from '../../base/coverage.ts';
import { ConfigError } from '../../base/errors.ts';
import { COVERAGE_NAMES, DROP_COUNTERS } from './coverage-names.ts';
import { bridgesByName, type CommandParts } from './parts.ts';

const QOS_TYPES = ['linux-netem', 'linux-fq_codel', 'linux-codel', 'linux-hfsc', 'linux-noop', 'linux-sfq', 'linux-htb'];

function endpoint(value: string | undefined): string {
  if (value === undefined) return '::';
  if (value === 'flow') return 'flow';
  const ipv4 = parseIpv4(value);
  if (ipv4 !== undefined) return formatIpv4(ipv4);
  const ipv6 = parseIpv6(value);
  return ipv6 === undefined ? '::' : formatIpv6(ipv6);
}

function keyText(options: ReadonlyMap<string, string>, name: 'in_key' | 'out_key'): string {
  const value = options.get(name) ?? options.get('key');
  if (value === 'flow') return 'flow';
  const number = value === undefined || !/^(0x[0-9a-f]+|\d+)$/i.test(value) ? 0n : BigInt(value);
  return number === 0n ? '0' : `0x${number.toString(16)}`;
}

function listTunnels(parts: CommandParts): string {
  const lines: string[] = [];
  for (const bridge of bridgesByName(parts.host)) {
    for (const { name, kind } of bridge.ports()) {
      if (kind.kind !== 'tunnel') continue;
      const { options, protocol } = kind;
      const standard = protocol === 'vxlan' ? 4789 : protocol === 'geneve' ? 6081 : 0;
      const dstPort = protocol === 'gre' ? 0 : Number(options.get('dst_port') ?? standard);
      const info = [...bridge.datapath.ports()].find(
        ({ spec }) => spec.kind === 'tunnel' && spec.protocol === protocol && (protocol === 'gre' || spec.dstPort === dstPort),
      );
      const inKey = keyText(options, 'in_key');
      const outKey = keyText(options, 'out_key');
      // A key that each frame brings is told apart from the one that is fixed.
      const isFree = outKey === 'flow' && inKey !== 'flow';
      const keys = inKey === outKey || isFree ? `key=${inKey}` : `in_key=${inKey}, out_key=${outKey}`;
      const ttl = options.get('ttl') ?? '64';
      const extra = [
        options.has('tos') ? `, tos=${options.get('tos')}` : '',
        options.get('df_default') === 'false' ? ', df=false' : '',
        options.get('csum') === 'true' ? ', csum=true' : '',
        dstPort !== standard && !isFree ? `, dst_port=${dstPort}` : '',
      ].join('');
      const place = `dp port=${info?.port ?? 'none'}${isFree ? ', out_key=flow' : ''}, ttl=${ttl}${extra}`;
      lines.push(
        `port ${info?.port ?? 'none'}: ${name} (${protocol}: ${endpoint(options.get('local_ip'))}->${endpoint(options.get('remote_ip'))}, ${keys}, legacy_l2, ${place})`,
      );
    }
  }
  return lines.sort().join('\n');
}

function memory(parts: CommandParts): string {
  let ports = 0;
  let rules = 0;
  for (const bridge of parts.host.bridges()) {
    ports += [...bridge.ports()].length;
    rules += bridge.ruleCount?.() ?? 0;
  }
  let keys = 0;
  for (const datapath of parts.host.datapaths()) keys += datapath.flowCount();
  return ['handlers:1', `ports:${ports}`, 'revalidators:1', `rules:${rules}`, ...(keys > 0 ? [`udpif keys:${keys}`] : [])].join(' ');
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
  unixctl.register('qos/show', 'interface', 1, 1, ([name]) => `QoS not configured on ${device(name)}`);
  unixctl.register('qos/show-types', 'interface', 1, 1, ([name]) => {
    const kind = reconciler.find(device(name))?.kind.kind;
    // Only devices of the kernel have queueing disciplines.
    if (kind !== 'system' && kind !== 'internal') return `No QoS types supported for interface: ${name}`;
    return QOS_TYPES.map((type) => `QoS type: ${type}`).join('\n');
  });
}
