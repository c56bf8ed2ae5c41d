// Control commands about the network below tunnels: ovs/route/*, tnl/*. Text as in the running reference.
import { formatMac, parseMac } from '../../../base/addresses.ts';
import { ConfigError } from '../../../base/errors.ts';
import { tunnelDevice } from '../../../switch/translate/tunnel-config.ts';
import { formatAddress, isIpv4, parseAddress, parsePrefix } from '../../../switch/underlay/address.ts';
import type { FoundNeighbor } from '../../../switch/underlay/neighbors.ts';
import { sourceOf } from '../../../switch/underlay/routes.ts';
import type { Underlay } from '../../../switch/underlay/underlay.ts';
import { isSystem } from './datapath-names.ts';
import type { CommandParts } from './parts.ts';

type UnderlayParts = CommandParts & { underlay: Underlay };

/** `pkt_mark=N`; a number that fits no 32 bits is cut, as C does. */
function markOf(word: string): number | undefined {
  const digits = /^pkt_mark=\s*([+-]?(?:0[xX][0-9a-fA-F]+|\d+))/.exec(word)?.[1];
  return digits === undefined ? undefined : Number(BigInt.asUintN(32, BigInt(digits)));
}

function prefixOf(text: string | undefined): { address: bigint; length: number } {
  const prefix = parsePrefix(text ?? '');
  if (prefix === undefined) throw new ConfigError('Invalid parameters');
  return prefix;
}

function addRoute(underlay: Underlay, [prefixText, device = '', ...rest]: readonly string[]): string {
  const { address, length } = prefixOf(prefixText);
  let gateway = 0n;
  let mark = 0;
  const [first, second] = rest;
  const gatewayFault = `Invalid pkt_mark or ${isIpv4(address) ? '' : 'IPv6 '}gateway`;
  const gatewayOf = (text: string): bigint | undefined => {
    const parsed = parseAddress(text);
    return parsed !== undefined && isIpv4(parsed) === isIpv4(address) ? parsed : undefined;
  };
  if (second !== undefined) mark = markArgument(second);
  if (first !== undefined) {
    const parsed = gatewayOf(first);
    const number = parsed === undefined && second === undefined ? markOf(first) : undefined;
    if (parsed === undefined && number === undefined) throw new ConfigError(gatewayFault);
    gateway = parsed ?? 0n;
    mark = number ?? mark;
  }
  const source = sourceOf(underlay.devices.addressesOf(device), gateway === 0n ? address : gateway);
  if (source === undefined) throw new ConfigError('Error while inserting route.');
  underlay.routes.add({ address, length, mark, device, gateway, source });
  return 'OK';
}

function markArgument(word: string | undefined): number {
  if (word === undefined) return 0;
  const mark = markOf(word);
  if (mark === undefined) throw new ConfigError('Invalid pkt_mark');
  return mark;
}

function lookupRoute(underlay: Underlay, [text, markText]: readonly string[]): string {
  const address = parseAddress(text ?? '');
  if (address === undefined) throw new ConfigError('Invalid parameters');
  const route = underlay.routes.lookup(address, markArgument(markText));
  if (route === undefined) throw new ConfigError('Not found');
  return `src ${formatAddress(route.source)}\ngateway ${formatAddress(route.gateway)}\ndev ${route.device}`;
}

function portRange({ host, underlay }: UnderlayParts, args: readonly string[]): string {
  const { low, high } = underlay.sourcePorts;
  if (args.length < 2) return `Tunnel UDP source port range: ${low}-${high}`;
  const port = (text: string | undefined, fault: string): number | string => {
    const number = /^\s*[+-]?\d+/.test(text ?? '') ? Number.parseInt(text ?? '', 10) : 0;
    return number <= 0 || number > 65535 ? fault : number;
  };
  // The reference answers a fault as it answers success.
  const first = port(args[0], 'Invalid min.');
  if (typeof first === 'string') return first;
  const second = port(args[1], 'Invalid max.');
  if (typeof second === 'string') return second;
  const range = { low: Math.min(first, second), high: Math.max(first, second) };
  underlay.sourcePorts = range;
  for (const datapath of host.datapaths()) if (!isSystem(datapath)) datapath.setSourcePorts?.(range.low, range.high);
  return 'OK';
}

/** `tnl/ports/show`: the ports that tunnels share, or what each takes: those of one protocol and network together. */
function listening(underlay: Underlay, withMatches: boolean): string {
  const lines: string[] = [];
  const matches = new Map<string, string[]>();
  for (const { udpPort, port, users } of underlay.listeners()) {
    if (port.tunnel === undefined) continue;
    const place = `${tunnelDevice(port.tunnel.protocol, udpPort)} (${port.dpPort})`;
    lines.push(`${place} ref_cnt=${users}`);
    const [proto, transport] = port.tunnel.protocol === 'gre' ? [47, ''] : [17, `,udp(dst=${udpPort})`];
    for (const name of underlay.routes.devices()) {
      const mac = underlay.devices.macOf(name);
      if (mac === undefined) continue;
      for (const { address } of underlay.devices.addressesOf(name)) {
        const network = isIpv4(address) ? 'eth_type(0x0800),ipv4' : 'eth_type(0x86dd),ipv6';
        const group = `${network} ${proto}`;
        const ip = `${network}(dst=${formatAddress(address)},proto=${proto},frag=no)`;
        const others = matches.get(group) ?? [];
        matches.set(group, others);
        others.push(`${place} : eth(dst=${formatMac(...mac)}),${ip}${transport}`);
      }
    }
  }
  return ['Listening ports:', ...(withMatches ? [...matches.values()].flat() : lines)].join('\n');
}

/** Where `netdev` has tunnels the host finds the neighbours behind its bridges, whose devices have the bridges' names. */
function foundByHost({ host, underlay }: UnderlayParts): readonly FoundNeighbor[] {
  const found = underlay.hasListeners ? (underlay.devices.neighbors?.() ?? []) : [];
  return found.filter(({ bridge }) => {
    const datapath = host.bridge(bridge)?.datapath;
    return datapath !== undefined && !isSystem(datapath);
  });
}

/** Registers them. */
export function registerUnderlayCommands(parts: UnderlayParts): void {
  const { unixctl, underlay } = parts;
  const { routes, neighbors } = underlay;
  unixctl.register('ovs/route/add', 'ip_addr/prefix_len out_br_name [gw] [pkt_mark=mark]', 2, 4, (args) => addRoute(underlay, args));
  unixctl.register('ovs/route/show', '', 0, 0, () => routes.show());
  unixctl.register('ovs/route/del', 'ip_addr/prefix_len [pkt_mark=mark]', 1, 2, ([text, markText]) => {
    const { address, length } = prefixOf(text);
    if (!routes.delete(address, length, markArgument(markText))) throw new ConfigError('Not found');
    return 'OK';
  });
  unixctl.register('ovs/route/lookup', 'ip_addr [pkt_mark=mark]', 1, 2, (args) => lookupRoute(underlay, args));

  for (const prefix of ['tnl/arp', 'tnl/neigh']) {
    unixctl.register(`${prefix}/show`, '', 0, 0, () => neighbors.show(foundByHost(parts)));
    unixctl.register(`${prefix}/set`, 'BRIDGE IP MAC', 3, 3, ([bridge = '', addressText = '', macText = '']) => {
      const address = parseAddress(addressText);
      if (address === undefined) throw new ConfigError('bad IP address');
      const mac = parseMac(macText);
      if (mac === undefined) throw new ConfigError('bad MAC address');
      neighbors.set(bridge, address, mac);
      return 'OK';
    });
    unixctl.register(`${prefix}/flush`, '', 0, 0, () => {
      neighbors.flush();
      return 'OK';
    });
    unixctl.register(`${prefix}/aging`, '[SECS]', 0, 1, ([text]) => {
      if (text === undefined) return String(neighbors.agingSec);
      const seconds = Number.parseInt(text, 10);
      if (!(seconds > 0 && seconds <= 3600)) throw new ConfigError('bad aging value');
      neighbors.agingSec = seconds;
      return 'OK';
    });
  }
  unixctl.register('tnl/egress_port_range', 'min max', 0, 2, (args) => portRange(parts, args));
  unixctl.register('tnl/ports/show', '-v', 0, 1, ([option]) => listening(underlay, option === '-v'));
}
