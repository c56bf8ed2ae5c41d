// Tunnel ports as `dpif/show` and `ofproto/list-tunnels` tell them. Text as in the running reference.
import { formatIpv4, formatIpv6 } from '../../base/addresses.ts';
import { DEFAULT_PORT, DEFAULT_TTL, type TunnelAddress, type TunnelConfig } from './tunnel-config.ts';

const isV4 = (a: TunnelAddress): boolean => a[0] === 0 && a[1] === 0 && a[2] === 0;

/** Text of a tunnel endpoint. */
export const formatEndpoint = (a: TunnelAddress): string => (isV4(a) ? formatIpv4(a[3]) : formatIpv6(a));

const tosText = ({ tos }: TunnelConfig): string => (tos === 'inherit' ? tos : `0x${tos.toString(16)}`);

/** The options that matter, sorted by name. */
export function describeTunnel(config: TunnelConfig): string {
  const out: [string, string][] = [['remote_ip', config.remote === 'flow' ? 'flow' : formatEndpoint(config.remote)]];
  if (config.local !== 'any') out.push(['local_ip', config.local === 'flow' ? 'flow' : formatEndpoint(config.local)]);
  if (config.hasInKey && config.hasOutKey && config.inKey === config.outKey) out.push(['key', String(config.inKey)]);
  else {
    if (config.hasInKey) out.push(['in_key', String(config.inKey)]);
    if (config.hasOutKey) out.push(['out_key', String(config.outKey)]);
  }
  if (config.tos !== 0) out.push(['tos', tosText(config)]);
  if (config.ttl !== DEFAULT_TTL) out.push(['ttl', String(config.ttl)]);
  if (config.hasCsum) out.push(['csum', 'true']);
  if (config.hasSequence) out.push(['seq', 'true']);
  if (!config.dontFragment) out.push(['df_default', 'false']);
  if (config.dstPort !== DEFAULT_PORT[config.protocol]) out.push(['dst_port', String(config.dstPort)]);
  if (config.egressPktMark !== undefined) out.push(['egress_pkt_mark', String(config.egressPktMark)]);
  if (config.packetType !== 'legacy_l2') out.push(['packet_type', config.packetType]);
  return out
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

const keyText = (key: bigint | 'flow'): string => (key === 'flow' || key === 0n ? String(key) : `0x${key.toString(16)}`);

/** What tells a tunnel from others. */
export function tunnelIdentity({ inKey, local, remote, packetType }: TunnelConfig): string {
  const from = local === 'any' ? '::' : local === 'flow' ? 'flow' : formatEndpoint(local);
  return `${from}->${remote === 'flow' ? 'flow' : formatEndpoint(remote)}, key=${keyText(inKey)}, ${packetType}`;
}

/** A line of `ofproto/list-tunnels`. */
export function tunnelLine(name: string, type: string, dpPort: number | undefined, config: TunnelConfig): string {
  const place = dpPort ?? 'none';
  return [
    `port ${place}: ${name} (${type}: ${tunnelIdentity(config)}`,
    `dp port=${place}`,
    ...(config.outKey === config.inKey ? [] : [`out_key=${keyText(config.outKey)}`]),
    `ttl=${config.ttl}`,
    ...(config.tos === 0 ? [] : [`tos=${tosText(config)}`]),
    ...(config.dontFragment ? [] : ['df=false']),
    ...(config.hasCsum ? ['csum=true'] : []),
  ]
    .join(', ')
    .concat(')');
}
