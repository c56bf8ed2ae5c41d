// Control commands about bridges, their flows, MAC tables and controllers. Text as in the running reference; ovs-vswitchd(8) describes them.
import { formatMac, parseMac } from '../../../base/addresses.ts';
import { ConfigError } from '../../../base/errors.ts';
import { OFPP } from '../../../openflow/action.ts';
import type { SwitchBridge } from '../../../switch/contract.ts';
import { bridgeNamed, bridgesByName, type CommandParts } from './parts.ts';

const INT64_MAX = 2n ** 63n - 1n;

const portText = (port: number): string => (port === OFPP.LOCAL ? 'LOCAL' : String(port));

function fdbShow(bridge: SwitchBridge): string {
  const lines = [' port  VLAN  MAC                Age'];
  for (const { port, vlan, mac, ageSec } of bridge.macTable()) {
    const age = ageSec < 0 ? 'static' : String(ageSec).padStart(3);
    lines.push(`${portText(port).padStart(5)}  ${String(vlan).padStart(4)}  ${formatMac(mac[0], mac[1])}  ${age}`);
  }
  return lines.join('\n');
}

function fdbStatistics(bridge: SwitchBridge): string {
  const s = bridge.macStatistics?.();
  if (s === undefined) return '';
  return [
    `Statistics for bridge "${bridge.name}":`,
    `  Current/maximum MAC entries in the table: ${s.current}/${s.maximum}`,
    `  Current static MAC entries in the table : ${s.fixed}`,
    `  Total number of learned MAC entries     : ${s.learned}`,
    `  Total number of expired MAC entries     : ${s.expired}`,
    `  Total number of evicted MAC entries     : ${s.evicted}`,
    `  Total number of port moved MAC entries  : ${s.moved}`,
  ].join('\n');
}

/** Registers them. */
export function registerBridgeCommands(parts: CommandParts): void {
  const { unixctl, host } = parts;
  const each = (name: string | undefined, fn: (bridge: SwitchBridge) => void): void => {
    if (name !== undefined) fn(bridgeNamed(host, name));
    else for (const bridge of bridgesByName(host)) fn(bridge);
  };
  unixctl.register('ofproto/list', '', 0, 0, () =>
    bridgesByName(host)
      .map((bridge) => bridge.name)
      .join('\n'),
  );
  unixctl.register('bridge/dump-flows', '[--offload-stats] bridge', 1, 2, (args) => {
    const showsOffload = args.length > 1 && args[0] === '--offload-stats';
    return bridgeNamed(host, args.at(-1), 'Unknown bridge').dumpFlows?.(showsOffload) ?? '';
  });
  unixctl.register('bridge/reconnect', '[bridge]', 0, 1, ([name]) => {
    if (name !== undefined && host.bridge(name) === undefined) throw new ConfigError('Unknown bridge');
    each(name, (bridge) => bridge.reconnect?.());
    return '';
  });
  unixctl.register('fdb/show', 'bridge', 1, 1, ([name]) => fdbShow(bridgeNamed(host, name)));
  unixctl.register('fdb/flush', '[bridge]', 0, 1, ([name]) => {
    each(name, (bridge) => bridge.flushMacTable());
    return 'table successfully flushed';
  });
  unixctl.register('fdb/stats-show', 'bridge', 1, 1, ([name]) => fdbStatistics(bridgeNamed(host, name)));
  unixctl.register('fdb/stats-clear', '[bridge]', 0, 1, ([name]) => {
    each(name, (bridge) => bridge.clearMacStatistics?.());
    return 'statistics successfully cleared';
  });
  const station = (vlanText: string | undefined, macText: string | undefined): { vlan: number; mac: readonly [number, number] } => {
    // The reference takes any text for a number and 16 bits of it.
    const number = BigInt(/^\s*([+-]?\d{1,30})/.exec(vlanText ?? '')?.[1]?.replace('+', '') ?? 0);
    const vlan = Number(BigInt.asUintN(16, number < INT64_MAX ? number : INT64_MAX));
    const mac = parseMac(macText ?? '');
    if (mac === undefined) throw new ConfigError('bad MAC address');
    return { vlan, mac };
  };
  unixctl.register('fdb/add', 'bridge port vlan mac', 4, 4, ([name, port, vlanText, macText]) => {
    const bridge = bridgeNamed(host, name);
    const { vlan, mac } = station(vlanText, macText);
    const before = bridge.macAdd?.(port ?? '', vlan, mac);
    if (before === undefined) throw new ConfigError('software error, odp port is present but no ofp port');
    if (before === 'unchanged') return '';
    return `Overriding already existing ${before.isStatic ? 'static' : 'dynamic'} entry on ${portText(before.port)}`;
  });
  unixctl.register('fdb/del', 'bridge vlan mac', 3, 3, ([name, vlanText, macText]) => {
    const bridge = bridgeNamed(host, name);
    const { vlan, mac } = station(vlanText, macText);
    if (bridge.macDelete?.(vlan, mac) !== true) throw new ConfigError('could not find static mac entry');
    return '';
  });
}
