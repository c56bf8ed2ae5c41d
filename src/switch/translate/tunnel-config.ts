// Options of a tunnel port (ovs-vswitchd.conf.db(5), "Tunnel Options") as values, and finding the port that a received frame belongs to.
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../../base/addresses.ts';
import { ConfigError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';

export type TunnelProtocol = 'gre' | 'vxlan' | 'geneve';

/** 4 words, IPv4 in the last with the first three 0. */
export type TunnelAddress = readonly [number, number, number, number];

export interface TunnelConfig {
  protocol: TunnelProtocol;
  isIpv6: boolean;
  remote: TunnelAddress | 'flow';
  local: TunnelAddress | 'any' | 'flow';
  inKey: bigint | 'flow';
  hasInKey: boolean;
  outKey: bigint | 'flow';
  hasOutKey: boolean;
  tos: number | 'inherit';
  ttl: number | 'inherit';
  hasCsum: boolean;
  dontFragment: boolean;
  dstPort: number;
  egressPktMark: number;
}

const DEFAULT_PORT = { gre: 0, vxlan: 4789, geneve: 6081 } as const;
const DEFAULT_TTL = 64;
const log = logger('netdev_vport');

const isV4 = (a: TunnelAddress): boolean => a[0] === 0 && a[1] === 0 && a[2] === 0;

/** Text of a tunnel endpoint. */
export const formatEndpoint = (a: TunnelAddress): string => (isV4(a) ? formatIpv4(a[3]) : formatIpv6(a));

function parseAddress(text: string): TunnelAddress | undefined {
  const v4 = parseIpv4(text);
  if (v4 !== undefined) return [0, 0, 0, v4];
  return parseIpv6(text);
}

function isMulticast(a: TunnelAddress): boolean {
  return isV4(a) ? a[3] >>> 28 === 14 : a[0] >>> 24 === 0xff;
}

/** Reads the options of a tunnel; throws ConfigError with the words that Interface.error shows. */
export function parseTunnelOptions(name: string, protocol: TunnelProtocol, options: ReadonlyMap<string, string>): TunnelConfig {
  const faults: string[] = [];
  const known = new Set(
    'remote_ip local_ip key in_key out_key tos ttl csum df_default dst_port exts egress_pkt_mark packet_type pmtud seq'.split(' '),
  );
  let remote: TunnelConfig['remote'] | undefined;
  let local: TunnelConfig['local'] = 'any';
  const remoteText = options.get('remote_ip');
  const localText = options.get('local_ip');
  if (remoteText === 'flow') remote = 'flow';
  else if (remoteText !== undefined) {
    const address = parseAddress(remoteText);
    if (address === undefined) faults.push(`${name}: bad ${protocol} 'remote_ip'`);
    else if (isMulticast(address)) throw new ConfigError(`${name}: multicast remote_ip=${remoteText} not allowed`);
    else remote = address;
  }
  if (localText === 'flow') local = 'flow';
  else if (localText !== undefined) {
    const address = parseAddress(localText);
    if (address === undefined) log.warn(`${name}: bad ${protocol} 'local_ip'`);
    else local = address;
  }
  if (remote === undefined) throw new ConfigError([...faults, `${name}: ${protocol} type requires valid 'remote_ip' argument`].join('\n'));
  if (local === 'flow' && remote !== 'flow')
    throw new ConfigError(`${name}: ${protocol} type requires 'remote_ip=flow' with 'local_ip=flow'`);
  if (remote !== 'flow' && local !== 'any' && local !== 'flow' && isV4(remote) !== isV4(local)) {
    throw new ConfigError(`${name}: 'remote_ip' and 'local_ip' has to be of the same address family`);
  }
  for (const option of options.keys()) if (!known.has(option)) log.warn(`${name}: unknown ${protocol} argument '${option}'`);

  const key = (which: string): { value: bigint | 'flow'; isPresent: boolean } => {
    const text = options.get(which) ?? options.get('key');
    if (text === undefined) return { value: 0n, isPresent: false };
    if (text === 'flow') return { value: 'flow', isPresent: true };
    return { value: parseNumber(text), isPresent: true };
  };
  const inKey = key('in_key');
  const outKey = key('out_key');
  const inheritable = (text: string | undefined, normal: number): number | 'inherit' =>
    text === undefined ? normal : text === 'inherit' ? 'inherit' : Number(parseNumber(text) & 0xffn);
  return {
    protocol,
    isIpv6: remote === 'flow' ? localIsV6(local) : !isV4(remote),
    remote,
    local,
    inKey: inKey.value,
    hasInKey: inKey.isPresent,
    outKey: outKey.value,
    hasOutKey: outKey.isPresent,
    tos: inheritable(options.get('tos'), 0),
    ttl: inheritable(options.get('ttl'), DEFAULT_TTL),
    hasCsum: options.get('csum') === 'true',
    dontFragment: options.get('df_default') !== 'false',
    dstPort:
      options.has('dst_port') && protocol !== 'gre' ? Number(parseNumber(options.get('dst_port')!) & 0xffffn) : DEFAULT_PORT[protocol],
    egressPktMark: Number(parseNumber(options.get('egress_pkt_mark') ?? '0') & 0xffffffffn),
  };
}

const localIsV6 = (local: TunnelConfig['local']): boolean => typeof local !== 'string' && !isV4(local);

/** As strtoull with base 0: what does not start a number is 0. */
function parseNumber(text: string): bigint {
  const m = /^\s*(0x[0-9a-f]+|\d+)/i.exec(text);
  return m === null ? 0n : BigInt(m[1]!) & 0xffffffffffffffffn;
}

/** The text after the type in `dpif/show`, options sorted by name. */
export function describeTunnel(config: TunnelConfig): string {
  const out: [string, string][] = [];
  if (config.remote === 'flow' || config.remote.some((w) => w !== 0)) {
    out.push(['remote_ip', config.remote === 'flow' ? 'flow' : formatEndpoint(config.remote)]);
  }
  if (config.local !== 'any') out.push(['local_ip', config.local === 'flow' ? 'flow' : formatEndpoint(config.local)]);
  const keyText = (key: bigint | 'flow'): string => String(key);
  if (config.hasInKey && config.hasOutKey && config.inKey === config.outKey) out.push(['key', keyText(config.inKey)]);
  else {
    if (config.hasInKey) out.push(['in_key', keyText(config.inKey)]);
    if (config.hasOutKey) out.push(['out_key', keyText(config.outKey)]);
  }
  if (config.tos === 'inherit') out.push(['tos', 'inherit']);
  else if (config.tos !== 0) out.push(['tos', `0x${config.tos.toString(16)}`]);
  if (config.ttl === 'inherit') out.push(['ttl', 'inherit']);
  else if (config.ttl !== DEFAULT_TTL) out.push(['ttl', String(config.ttl)]);
  if (config.hasCsum) out.push(['csum', 'true']);
  if (!config.dontFragment) out.push(['df_default', 'false']);
  if (config.dstPort !== DEFAULT_PORT[config.protocol]) out.push(['dst_port', String(config.dstPort)]);
  if (config.egressPktMark !== 0) out.push(['egress_pkt_mark', String(config.egressPktMark)]);
  return out
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

const addressId = (a: TunnelConfig['local']): string => (typeof a === 'string' ? a : a.join('.'));
const tunnelId = (dpPort: number, key: bigint | 'flow', remote: TunnelConfig['remote'], local: TunnelConfig['local']): string =>
  `${dpPort}/${key}/${addressId(remote)}/${addressId(local)}`;

/** Tunnel ports of one datapath by what they accept. */
export class TunnelMap<P> {
  readonly #ports = new Map<string, P>();

  /** The port that already accepts the same, if any. */
  holder(dpPort: number, config: TunnelConfig): P | undefined {
    return this.#ports.get(tunnelId(dpPort, config.inKey, config.remote, config.local));
  }

  insert(dpPort: number, config: TunnelConfig, port: P): void {
    this.#ports.set(tunnelId(dpPort, config.inKey, config.remote, config.local), port);
  }

  remove(dpPort: number, config: TunnelConfig): void {
    this.#ports.delete(tunnelId(dpPort, config.inKey, config.remote, config.local));
  }

  /** The port for a received frame: `outerSrc` is the other end. Given values win over `flow`. */
  find(dpPort: number, key: bigint, outerSrc: TunnelAddress, outerDst: TunnelAddress): P | undefined {
    for (const inKey of [key, 'flow'] as const) {
      for (const remote of [outerSrc, 'flow'] as const) {
        for (const local of [outerDst, 'any', 'flow'] as const) {
          const port = this.#ports.get(tunnelId(dpPort, inKey, remote, local));
          if (port !== undefined) return port;
        }
      }
    }
    return undefined;
  }
}
