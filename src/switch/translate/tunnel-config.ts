// Options of a tunnel port (ovs-vswitchd.conf.db(5), "Tunnel Options") as values, and finding the port that a received frame belongs to.
import { parseIpv4, parseIpv6 } from '../../base/addresses.ts';
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
  hasSequence: boolean;
  dontFragment: boolean;
  dstPort: number;
  /** Undefined when it is not given. */
  egressPktMark: number | undefined;
  packetType: string;
  /** VXLAN's group policy extension. */
  hasGroupPolicy: boolean;
}

export const DEFAULT_PORT = { gre: 0, vxlan: 4789, geneve: 6081 } as const;
export const DEFAULT_TTL = 64;
const MAX_KEY = 0xffffffffffffffffn;
const log = logger('netdev_vport');

/** The name of the datapath port that tunnels of one kind, to one UDP port, share. */
export function tunnelDevice(protocol: TunnelProtocol, dstPort: number): string {
  return { gre: 'gre_sys', vxlan: `vxlan_sys_${dstPort}`, geneve: `genev_sys_${dstPort}` }[protocol];
}

const isV4 = (a: TunnelAddress): boolean => a[0] === 0 && a[1] === 0 && a[2] === 0;

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
  return {
    protocol,
    isIpv6: remote === 'flow' ? localIsV6(local) : !isV4(remote),
    remote,
    local,
    inKey: inKey.value,
    hasInKey: inKey.isPresent,
    outKey: outKey.value,
    hasOutKey: outKey.isPresent,
    tos: options.get('tos') === 'inherit' ? 'inherit' : (parseTos(options.get('tos') ?? '0') ?? 0),
    ttl: options.get('ttl') === 'inherit' ? 'inherit' : decimal(options.get('ttl')) & 0xff || DEFAULT_TTL,
    hasCsum: options.get('csum') === 'true',
    hasSequence: options.get('seq') === 'true',
    dontFragment: options.get('df_default') !== 'false',
    dstPort: (protocol === 'gre' ? 0 : decimal(options.get('dst_port')) & 0xffff) || DEFAULT_PORT[protocol],
    egressPktMark: options.has('egress_pkt_mark') ? decimal(options.get('egress_pkt_mark')) >>> 0 : undefined,
    packetType: options.get('packet_type') ?? 'legacy_l2',
    hasGroupPolicy: protocol === 'vxlan' && (options.get('exts') ?? '').split(',').includes('gbp'),
  };
}

const localIsV6 = (local: TunnelConfig['local']): boolean => typeof local !== 'string' && !isV4(local);

/** As strtoull with base 0: what does not start a number is 0, a sign wraps, and what is too large is the largest. */
function parseNumber(text: string): bigint {
  const m = /^\s*([+-]?)(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)/i.exec(text);
  if (m === null) return 0n;
  const isOctal = /^0[0-7]/.test(m[2]!);
  const value = BigInt(isOctal ? `0o${m[2]!.slice(1)}` : m[2]!);
  if (value > MAX_KEY) return MAX_KEY;
  return BigInt.asUintN(64, m[1] === '-' ? -value : value);
}

/** As atoi: what does not start a number is 0. 32 bits. */
function decimal(text: string | undefined): number {
  const m = /^\s*([+-]?\d{1,20})/.exec(text ?? '');
  return m === null ? 0 : Number(BigInt.asIntN(32, BigInt(m[1]!.replace('+', ''))));
}

/** A type of service without bits of ECN, in any base, and nothing behind it; else undefined. */
export function parseTos(text: string): number | undefined {
  const m = /^\s*\+?(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i.exec(text);
  const tos = m === null ? undefined : Number(parseNumber(m[1]!));
  return tos !== undefined && tos <= 0xff && (tos & 3) === 0 ? tos : undefined;
}

const addressId = (a: TunnelConfig['local']): string => (typeof a === 'string' ? a : a.join('.'));
const tunnelId = (dpPort: number, key: bigint | 'flow', remote: TunnelConfig['remote'], local: TunnelConfig['local']): string =>
  `${dpPort}/${key}/${addressId(remote)}/${addressId(local)}`;

/** Tunnel ports of one datapath by what they accept. */
export class TunnelMap<P> {
  readonly #ports = new Map<string, P>();
  readonly #groupPolicies = new Map<number, { has: boolean; users: number }>();

  /** Whether the VXLAN ports that share a port of the datapath have the group policy extension; undefined where there are none. */
  hasGroupPolicy(dpPort: number): boolean | undefined {
    return this.#groupPolicies.get(dpPort)?.has;
  }

  /** The port that already accepts the same, if any. */
  holder(dpPort: number, config: TunnelConfig): P | undefined {
    return this.#ports.get(tunnelId(dpPort, config.inKey, config.remote, config.local));
  }

  insert(dpPort: number, config: TunnelConfig, port: P): void {
    this.#ports.set(tunnelId(dpPort, config.inKey, config.remote, config.local), port);
    const users = this.#groupPolicies.get(dpPort)?.users ?? 0;
    this.#groupPolicies.set(dpPort, { has: config.hasGroupPolicy, users: users + 1 });
  }

  remove(dpPort: number, config: TunnelConfig): void {
    this.#ports.delete(tunnelId(dpPort, config.inKey, config.remote, config.local));
    const policy = this.#groupPolicies.get(dpPort);
    if (policy !== undefined && --policy.users === 0) this.#groupPolicies.delete(dpPort);
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
