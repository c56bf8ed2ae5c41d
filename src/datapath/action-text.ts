// Datapath actions as `ovs-appctl dpctl/dump-flows` and `ofproto/trace` print them. Observed on Open vSwitch 3.1.
import { formatIpv4, formatIpv6, formatMac } from '../base/addresses.ts';
import { newKey, TUN_FLAG, W } from '../flow/key.ts';
import type { DpAction, SetGroup, TunnelKey, UserspaceCookie } from './datapath.ts';
import { headerText, type PortText, sharpHex } from './flow-text.ts';

/** What a text needs from others: port names, and the insides of a userspace cookie, which only the switch knows. */
export interface ActionTextOptions {
  port?: PortText;
  cookie?: (cookie: UserspaceCookie) => string;
}

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** An action list; `drop` when it is empty. */
export function formatDpActions(actions: readonly DpAction[], options: ActionTextOptions = {}): string {
  return actions.length === 0 ? 'drop' : actions.map((action) => formatAction(action, options)).join(',');
}

function formatAction(action: DpAction, options: ActionTextOptions): string {
  switch (action.kind) {
    case 'output':
      return options.port?.(action.port) ?? String(action.port);
    case 'userspace':
      return `userspace(pid=0,${options.cookie?.(action.cookie) ?? action.cookie.reason})`;
    case 'pushVlan': {
      const tpid = action.tpid === 0x8100 ? '' : `tpid=0x${action.tpid.toString(16).padStart(4, '0')},`;
      return `push_vlan(${tpid}vid=${action.tci & 0xfff},pcp=${(action.tci >>> 13) & 7}${(action.tci & 0x1000) === 0 ? ',cfi=0' : ''})`;
    }
    case 'popVlan':
      return 'pop_vlan';
    case 'pushMpls': {
      const lse = action.lse >>> 0;
      const entry = `label=${lse >>> 12},tc=${(lse >>> 9) & 7},ttl=${lse & 255},bos=${(lse >>> 8) & 1}`;
      return `push_mpls(${entry},eth_type=${hex(action.ethertype)})`;
    }
    case 'popMpls':
      return `pop_mpls(eth_type=${hex(action.ethertype)})`;
    case 'set':
      return `set(${setText(action.group, action.words)})`;
    case 'setTunnel':
      return `set(${tunnelKeyText(action.tunnel)})`;
    case 'recirc':
      return `recirc(${sharpHex(action.id)})`;
    case 'hash':
      return action.algorithm === 0 ? `hash(hash_l4(${action.basis}))` : `hash(sym_l4(${action.basis}))`;
    case 'ct':
      return ctText(action);
    case 'ctClear':
      return 'ct_clear';
    case 'sample':
      return `sample(sample=${(((action.probability >>> 0) / 0xffffffff) * 100).toFixed(1)}%,actions(${formatDpActions(action.actions, options)}))`;
    case 'clone':
      return `clone(${formatDpActions(action.actions, options)})`;
    case 'meter':
      return `meter(${action.meter})`;
    case 'trunc':
      return `trunc(${action.maxLength})`;
    case 'checkPktLen':
      return `check_pkt_len(size=${action.length},gt(${formatDpActions(action.larger, options)}),le(${formatDpActions(action.smaller, options)}))`;
    case 'pushEth':
      return `push_eth(src=${formatMac(...action.src)},dst=${formatMac(...action.dst)})`;
    case 'popEth':
      return 'pop_eth';
    case 'pushNsh':
      return 'push_nsh()';
    case 'popNsh':
      return 'pop_nsh()';
    case 'drop':
      return 'drop';
  }
}

/** The fields of a masked set are those of a key. */
function setText(group: SetGroup, words: Uint32Array): string {
  const key = newKey();
  const mask = newKey();
  for (let i = 0; i + 2 < words.length; i += 3) {
    key[words[i]!] = words[i + 1]!;
    mask[words[i]!] = words[i + 2]!;
  }
  const pick = (type: number, proto: number): string =>
    headerText(key, mask, type, proto).find((part) => part.startsWith(`${group}(`)) ?? `${group}()`;
  switch (group) {
    case 'eth': {
      const macs: string[] = [];
      const whole = (m: [number, number]): boolean => m[0] === 0xffffffff && m[1] === 0xffff;
      const src = (k: Uint32Array): [number, number] => [
        (((k[W.ETH + 1]! & 0xffff) << 16) | (k[W.ETH + 2]! >>> 16)) >>> 0,
        k[W.ETH + 2]! & 0xffff,
      ];
      const dst = (k: Uint32Array): [number, number] => [k[W.ETH]!, k[W.ETH + 1]! >>> 16];
      for (const [name, part] of [
        ['src', src],
        ['dst', dst],
      ] as const) {
        const m = part(mask);
        if (m[0] !== 0 || m[1] !== 0) macs.push(`${name}=${formatMac(...part(key))}${whole(m) ? '' : `/${formatMac(...m)}`}`);
      }
      return `eth(${macs.join(',')})`;
    }
    case 'mpls': {
      const lse = key[W.MPLS]!;
      return `mpls(label=${lse >>> 12},tc=${(lse >>> 9) & 7},ttl=${lse & 255},bos=${(lse >>> 8) & 1})`;
    }
    case 'vlan':
      return `vlan(vid=${key[W.VLAN0]! & 0xfff},pcp=${(key[W.VLAN0]! >>> 13) & 7})`;
    case 'skb_mark':
    case 'skb_priority': {
      const whole = (words[2] ?? 0) === 0xffffffff;
      return `${group}(${sharpHex(words[1] ?? 0)}${whole ? '' : `/${hex(words[2] ?? 0)}`})`;
    }
    case 'ipv4':
      return pick(0x0800, 0);
    case 'ipv6':
      return pick(0x86dd, 0);
    case 'arp':
      return pick(0x0806, 0);
    case 'tcp':
      return pick(0x0800, 6);
    case 'udp':
      return pick(0x0800, 17);
    case 'sctp':
      return pick(0x0800, 132);
    case 'icmp':
      return pick(0x0800, 1);
    case 'icmpv6':
    case 'nd':
      return pick(0x86dd, 58);
    case 'nsh':
      return 'nsh()';
  }
}

/** `tunnel(...)` of a set. */
function tunnelKeyText(tunnel: TunnelKey): string {
  const parts: string[] = [];
  if ((tunnel.flags & TUN_FLAG.KEY) !== 0 || tunnel.id !== 0n) parts.push(`tun_id=0x${tunnel.id.toString(16)}`);
  const isSet = (a: readonly number[]): boolean => a.some((word) => word !== 0);
  if (tunnel.ipv6) {
    if (isSet(tunnel.src)) parts.push(`ipv6_src=${formatIpv6(tunnel.src)}`);
    parts.push(`ipv6_dst=${formatIpv6(tunnel.dst)}`);
  } else {
    if (isSet(tunnel.src)) parts.push(`src=${formatIpv4(tunnel.src[3]!)}`);
    parts.push(`dst=${formatIpv4(tunnel.dst[3]!)}`);
  }
  if (tunnel.tos !== 0) parts.push(`tos=${hex(tunnel.tos)}`);
  if (tunnel.ttl !== 0) parts.push(`ttl=${tunnel.ttl}`);
  if (tunnel.tpSrc !== 0) parts.push(`tp_src=${tunnel.tpSrc}`);
  if (tunnel.tpDst !== 0) parts.push(`tp_dst=${tunnel.tpDst}`);
  if (tunnel.gbpId !== 0 || tunnel.gbpFlags !== 0) parts.push(`vxlan(gbp(id=${tunnel.gbpId},flags=${hex(tunnel.gbpFlags)}))`);
  const names: [string, number][] = [
    ['df', TUN_FLAG.DONT_FRAGMENT],
    ['csum', TUN_FLAG.CSUM],
    ['key', TUN_FLAG.KEY],
    ['oam', TUN_FLAG.OAM],
  ];
  const flags = names.filter(([, bit]) => (tunnel.flags & bit) !== 0).map(([name]) => name);
  parts.push(`flags(${flags.join('|')})`);
  return `tunnel(${parts.join(',')})`;
}

function ctText(ct: Extract<DpAction, { kind: 'ct' }>): string {
  const parts: string[] = [];
  if (ct.commit) parts.push(ct.force ? 'force_commit' : 'commit');
  if (ct.zone !== 0) parts.push(`zone=${ct.zone}`);
  if (ct.mark !== undefined) parts.push(`mark=${hex(ct.mark[0])}/${hex(ct.mark[1])}`);
  if (ct.label !== undefined) {
    const big = (words: readonly number[]): string =>
      `0x${words.reduce((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n).toString(16)}`;
    parts.push(`label=${big(ct.label[0])}/${big(ct.label[1])}`);
  }
  if (ct.helper !== '') parts.push(`helper=${ct.helper}`);
  if (ct.timeout !== '') parts.push(`timeout=${ct.timeout}`);
  if (ct.nat !== undefined) parts.push(ct.nat.direction === '' ? 'nat' : `nat(${ct.nat.direction})`);
  return parts.length === 0 ? 'ct' : `ct(${parts.join(',')})`;
}
