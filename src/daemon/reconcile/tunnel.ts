// What an Interface's options must be before the switch sees them, with the words that Open vSwitch puts into Interface:error.
// Facts: ovs-vswitchd.conf.db(5) "Tunnel Options", "Patch Options", and the running reference.
import { parseIpv4, parseIpv6 } from '../../base/addresses.ts';
import { parseTos } from '../../switch/translate/tunnel-config.ts';

/** What was found: `error` makes the interface fail and is its Interface:error; `warnings` only go to the log. */
export interface OptionFindings {
  error: string;
  warnings: string[];
}

const common = ['remote_ip', 'local_ip', 'in_key', 'out_key', 'key', 'tos', 'ttl', 'df_default', 'egress_pkt_mark', 'packet_type', 'csum'];
const ipsec = ['psk', 'remote_cert', 'remote_name', 'certificate', 'private_key', 'use_ssl_cert', 'peer_cert'];
const known = new Map<string, ReadonlySet<string>>([
  ['gre', new Set([...common, ...ipsec, 'seq'])],
  ['ip6gre', new Set([...common, ...ipsec, 'seq'])],
  ['vxlan', new Set([...common, ...ipsec, 'dst_port', 'exts'])],
  ['geneve', new Set([...common, ...ipsec, 'dst_port'])],
]);
const packetTypes: ReadonlySet<string> = new Set(['legacy_l2', 'legacy_l3', 'ptap']);

/** An address as tunnels take it: a family and whether it is multicast; undefined when the text is no address. */
function address(text: string): { family: 4 | 6; multicast: boolean } | undefined {
  const ipv4 = parseIpv4(text);
  if (ipv4 !== undefined) return { family: 4, multicast: ipv4 >>> 28 === 0xe };
  const ipv6 = parseIpv6(text);
  return ipv6 === undefined ? undefined : { family: 6, multicast: ipv6[0] >>> 24 === 0xff };
}

/** Checks the options of a tunnel interface of `type` (gre, ip6gre, vxlan, geneve). */
export function checkTunnel(name: string, type: string, options: ReadonlyMap<string, string>): OptionFindings {
  const said: string[] = [];
  const fail = (text: string): OptionFindings => ({ error: [...said, `${name}: ${text}`].join('\n'), warnings: [] });
  const names = known.get(type) ?? new Set(common);
  let remote: { family: 4 | 6; multicast: boolean } | undefined;
  let local: { family: 4 | 6; multicast: boolean } | undefined;
  for (const [option, value] of [...options].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!names.has(option)) said.push(`${name}: unknown ${type} argument '${option}'`);
    else if (option === 'remote_ip' && value !== 'flow') {
      remote = address(value);
      if (remote === undefined) said.push(`${name}: bad ${type} 'remote_ip'`);
      else if (remote.multicast) return fail(`multicast remote_ip=${value} not allowed`);
    } else if (option === 'local_ip' && value !== 'flow') {
      local = address(value);
      if (local === undefined) said.push(`${name}: bad ${type} 'local_ip'`);
    } else if (option === 'tos' && value !== 'inherit') {
      if (parseTos(value) === undefined) said.push(`${name}: invalid TOS ${value}`);
    } else if (option === 'packet_type' && !packetTypes.has(value)) return fail(`unknown packet_type '${value}'`);
    else if (option === 'exts') {
      for (const extension of value.split(',')) {
        if (extension !== '' && extension !== 'gbp' && extension !== 'gpe') said.push(`${name}: unknown extension '${extension}'`);
      }
    }
  }
  const remoteFlow = options.get('remote_ip') === 'flow';
  if (remote === undefined && !remoteFlow) return fail(`${type} type requires valid 'remote_ip' argument`);
  if (options.get('local_ip') === 'flow' && !remoteFlow) return fail(`${type} type requires 'remote_ip=flow' with 'local_ip=flow'`);
  if (remote !== undefined && local !== undefined && remote.family !== local.family)
    return fail(`'remote_ip' and 'local_ip' has to be of the same address family`);
  return { error: '', warnings: said };
}

/** Checks the options of a patch interface. */
export function checkPatch(name: string, options: ReadonlyMap<string, string>): OptionFindings {
  const peer = options.get('peer');
  const error =
    peer === undefined
      ? `${name}: patch type requires valid 'peer' argument`
      : options.size > 1
        ? `${name}: patch type takes only a 'peer' argument`
        : peer === name
          ? `${name}: patch peer must not be self`
          : '';
  return { error, warnings: [] };
}
