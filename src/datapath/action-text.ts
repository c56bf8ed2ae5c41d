// Datapath actions as Open vSwitch's tools print them: `set(ipv4(ttl=63)),2`. Facts: the running reference.
import { formatIpv4, formatIpv6, formatMac } from '../base/addresses.ts';
import { keyBits, newKey, TUN_FLAG, VLAN_CFI, W } from '../flow/key.ts';
import type { DpAction, DpNat, SetGroup, TunnelKey, UserspaceCookie } from './datapath.ts';
import { ethernetText, hex, networkText, transportText } from './key-text.ts';
import { formatOptions } from './option-text.ts';
import { tunnelHeaderText } from './tunnel-header-text.ts';

/** How ports and the switch's cookies are printed. */
export interface ActionTextOptions {
  port(port: number): string;
  /** The inside of `userspace(pid=0,...)`; a plain reason without it. */
  cookie?(cookie: UserspaceCookie): string;
}

function setText(group: SetGroup, words: Uint32Array): string {
  const key = newKey();
  const mask = newKey();
  for (let i = 0; i + 2 < words.length; i += 3) {
    const word = words[i] ?? 0;
    key[word] = words[i + 1] ?? 0;
    mask[word] = words[i + 2] ?? 0;
  }
  switch (group) {
    case 'eth':
      return ethernetText(key, mask, false).join();
    case 'ipv4':
      return networkText(key, mask, 0x0800, false, false).join();
    case 'ipv6':
      return networkText(key, mask, 0x86dd, false, false).join();
    case 'arp':
      return networkText(key, mask, 0x0806, false).join();
    case 'tcp':
    case 'udp':
    case 'sctp':
    case 'icmp':
    case 'icmpv6': {
      key[W.TYPE] = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmpv6: 58 }[group];
      return transportText(key, mask, group === 'icmpv6', false).join();
    }
    case 'skb_mark':
    case 'skb_priority': {
      const word = group === 'skb_mark' ? W.PKT_MARK : W.SKB_PRIORITY;
      const bits = mask[word] ?? 0;
      return `${group}(${hex(key[word] ?? 0)}${bits === 0xffffffff ? '' : `/${hex(bits)}`})`;
    }
    case 'mpls': {
      const lse = key[W.MPLS] ?? 0;
      return `mpls(label=${lse >>> 12},tc=${(lse >>> 9) & 7},ttl=${lse & 255},bos=${(lse >>> 8) & 1})`;
    }
    case 'vlan': {
      const tci = (key[W.VLAN0] ?? 0) & 0xffff;
      return `vlan(vid=${tci & 0xfff},pcp=${tci >>> 13})`;
    }
    case 'nd': {
      const parts: string[] = [];
      if (mask.subarray(W.ND_TARGET, W.ND_TARGET + 4).some((w) => w !== 0)) parts.push(`target=${formatIpv6(key, W.ND_TARGET)}`);
      for (const [name, bit] of [
        ['sll', W.ARP_HW * 32],
        ['tll', W.ARP_HW * 32 + 48],
      ] as const) {
        const value = keyBits(key, bit, 48);
        if (keyBits(mask, bit, 48) !== 0n) parts.push(`${name}=${formatMac(Number(value >> 16n), Number(value & 0xffffn))}`);
      }
      return `nd(${parts.join(',')})`;
    }
    case 'nsh':
      return nshSetText(key, mask);
  }
}

const wordsOf = (bytes: Uint8Array): number[] =>
  Array.from({ length: bytes.length >> 2 }, (_, i) => bytes.subarray(i * 4, i * 4 + 4).reduce((all, byte) => all * 256 + byte, 0));

function tunnelText(tunnel: TunnelKey): string {
  const isZero = (address: readonly number[]): boolean => address.every((word) => word === 0);
  const address = (words: readonly number[]): string => (tunnel.ipv6 ? formatIpv6(words) : formatIpv4(words[3] ?? 0));
  const prefix = tunnel.ipv6 ? 'ipv6_' : '';
  const flags: string[] = [];
  if (tunnel.flags & TUN_FLAG.DONT_FRAGMENT) flags.push('df');
  if (tunnel.flags & TUN_FLAG.CSUM) flags.push('csum');
  if (tunnel.flags & TUN_FLAG.KEY) flags.push('key');
  if (tunnel.flags & TUN_FLAG.OAM) flags.push('oam');
  const parts = [
    tunnel.flags & TUN_FLAG.KEY || tunnel.id !== 0n ? `tun_id=${tunnel.id === 0n ? '0x0' : hex(tunnel.id)}` : '',
    isZero(tunnel.src) ? '' : `${prefix}src=${address(tunnel.src)}`,
    isZero(tunnel.dst) ? '' : `${prefix}dst=${address(tunnel.dst)}`,
    tunnel.tos === 0 ? '' : `tos=${hex(tunnel.tos)}`,
    `ttl=${tunnel.ttl}`,
    tunnel.tpSrc === 0 ? '' : `tp_src=${tunnel.tpSrc}`,
    tunnel.tpDst === 0 ? '' : `tp_dst=${tunnel.tpDst}`,
    tunnel.options.length === 0 ? '' : formatOptions(wordsOf(tunnel.options), tunnel.options.length >> 2),
    flags.length === 0 ? '' : `flags(${flags.join('|')})`,
  ];
  return `tunnel(${parts.filter((part) => part !== '').join(',')})`;
}

function natText(nat: DpNat): string {
  const { direction, addrMin, addrMax, portMin, portMax } = nat;
  if (direction === '') return 'nat';
  const isIpv6 = nat.family === undefined ? addrMin.slice(0, 3).some((word) => word !== 0) : nat.family === 6;
  if (nat.family === undefined && addrMin.every((word) => word === 0) && portMin === 0) return `nat(${direction})`;
  const hasPorts = portMin !== 0;
  const address = (words: readonly number[]): string => {
    if (!isIpv6) return formatIpv4(words[3] ?? 0);
    return hasPorts ? `[${formatIpv6(words)}]` : formatIpv6(words);
  };
  const isRange = addrMax.some((word) => word !== 0) && addrMax.some((word, i) => word !== addrMin[i]);
  let text = `${direction}=${address(addrMin)}${isRange ? `-${address(addrMax)}` : ''}`;
  if (hasPorts) text += `:${portMin}${portMax !== 0 && portMax !== portMin ? `-${portMax}` : ''}`;
  const flags = [nat.persistent ? 'persistent' : '', nat.hash ? 'hash' : '', nat.random ? 'random' : ''].filter((flag) => flag !== '');
  return `nat(${[text, ...flags].join(',')})`;
}

const isZero = (words: readonly number[]): boolean => words.every((word) => word === 0);
const wide = (words: readonly number[]): bigint => words.reduce((all, word) => (all << 32n) | BigInt(word >>> 0), 0n);

function labelText([value, mask]: readonly [readonly number[], readonly number[]]): string {
  const isExact = mask.every((word) => word >>> 0 === 0xffffffff);
  return isZero(mask) ? '' : `label=${hex(wide(value))}${isExact ? '' : `/${hex(wide(mask))}`}`;
}

function ctText(action: Extract<DpAction, { kind: 'ct' }>): string {
  const { mark, label } = action;
  const parts = [
    action.force ? 'force_commit' : action.commit ? 'commit' : '',
    action.zone === 0 ? '' : `zone=${action.zone}`,
    mark === undefined || mark[1] === 0 ? '' : `mark=${hex(mark[0])}/${hex(mark[1])}`,
    label === undefined ? '' : labelText(label),
    action.helper === '' ? '' : `helper=${action.helper}`,
    action.timeout === '' ? '' : `timeout=${action.timeout}`,
    action.nat === undefined ? '' : natText(action.nat),
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'ct' : `ct(${parts.join(',')})`;
}

function pushNshText(header: Uint8Array): string {
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const first = view.getUint16(0);
  const path = view.getUint32(4);
  const mdType = (header[2] ?? 0) & 0xf;
  const parts = [
    `flags=${(first >>> 12) & 3}`,
    `ttl=${(first >>> 6) & 0x3f}`,
    `mdtype=${mdType}`,
    `np=${header[3] ?? 0}`,
    `spi=0x${(path >>> 8).toString(16)}`,
    `si=${path & 255}`,
  ];
  if (mdType === 1) for (let i = 0; i < 4; i++) parts.push(`c${i + 1}=0x${view.getUint32(8 + 4 * i).toString(16)}`);
  else parts.push(`md2=${hex(wide(wordsOf(header.subarray(8))))}`);
  return `push_nsh(${parts.join(',')})`;
}

/** Masked set of NSH fields; a field with some bits of its mask shows them. */
function nshSetText(key: Uint32Array, mask: Uint32Array): string {
  const parts: string[] = [];
  const add = (name: string, value: number, bits: number, exact: number, format: (n: number) => string): void => {
    if (bits !== 0) parts.push(`${name}=${format(value)}${bits === exact ? '' : `/${hex(bits)}`}`);
  };
  const zeroHex = (n: number): string => `0x${n.toString(16)}`;
  const [word = 0, bits = 0] = [key[W.NSH], mask[W.NSH]];
  const [path = 0, pathBits = 0] = [key[W.NSH_PATH], mask[W.NSH_PATH]];
  add('flags', word >>> 24, bits >>> 24, 255, String);
  add('ttl', (word >>> 16) & 255, (bits >>> 16) & 255, 255, String);
  add('mdtype', (word >>> 8) & 255, (bits >>> 8) & 255, 255, String);
  add('np', word & 255, bits & 255, 255, String);
  add('spi', path >>> 8, pathBits >>> 8, 0xffffff, zeroHex);
  add('si', path & 255, pathBits & 255, 255, String);
  for (let i = 0; i < 4; i++) add(`c${i + 1}`, key[W.NSH_C + i] ?? 0, mask[W.NSH_C + i] ?? 0, 0xffffffff, zeroHex);
  return `nsh(${parts.join(',')})`;
}

function pushVlanText(tpid: number, tci: number): string {
  const type = tpid === 0x8100 ? '' : `tpid=0x${tpid.toString(16).padStart(4, '0')},`;
  return `push_vlan(${type}vid=${tci & 0xfff},pcp=${(tci >>> 13) & 7}${(tci & VLAN_CFI) === 0 ? ',cfi=0' : ''})`;
}

function actionText(action: DpAction, options: ActionTextOptions): string {
  if (action.said !== undefined) return action.said;
  switch (action.kind) {
    case 'output':
      return options.port(action.port);
    case 'userspace':
      return `userspace(pid=0,${options.cookie?.(action.cookie) ?? (action.cookie.reason === 'slow_path' ? 'slow_path(action)' : `${action.cookie.reason}()`)})`;
    case 'pushVlan':
      return pushVlanText(action.tpid, action.tci);
    case 'popVlan':
      return 'pop_vlan';
    case 'pushMpls':
      return `push_mpls(label=${action.lse >>> 12},tc=${(action.lse >>> 9) & 7},ttl=${action.lse & 255},bos=${(action.lse >>> 8) & 1},eth_type=0x${action.ethertype.toString(16)})`;
    case 'addMpls':
      return `add_mpls(label=${action.lse >>> 12},tc=${(action.lse >>> 9) & 7},ttl=${action.lse & 255},bos=${(action.lse >>> 8) & 1},eth_type=0x${action.ethertype.toString(16)})`;
    case 'popMpls':
      return `pop_mpls(eth_type=0x${action.ethertype.toString(16)})`;
    case 'set':
      return `set(${setText(action.group, action.words)})`;
    case 'setTunnel':
      return `set(${tunnelText(action.tunnel)})`;
    case 'tunnelPush': {
      const header = tunnelHeaderText(action.protocol, action.header);
      return `tnl_push(tnl_port(${options.port(action.tunnelPort)}),header(${header}),out_port(${options.port(action.outPort)}))`;
    }
    case 'tunnelPop':
      return `tnl_pop(${options.port(action.port)})`;
    case 'recirc':
      return `recirc(${hex(action.id)})`;
    case 'hash':
      return `hash(${action.algorithm === 1 ? 'sym_l4' : 'l4'}(${action.basis}))`;
    case 'ct':
      return ctText(action);
    case 'ctClear':
      return 'ct_clear';
    case 'sample':
      return `sample(sample=${((action.probability * 100) / 0xffffffff).toFixed(1)}%,actions(${formatDpActions(action.actions, options)}))`;
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
      return pushNshText(action.header);
    case 'popNsh':
      return 'pop_nsh()';
    case 'drop':
      return 'drop';
  }
}

/** An action list as text; `drop` when there is none. */
export function formatDpActions(actions: readonly DpAction[], options: ActionTextOptions): string {
  return actions.length === 0 ? 'drop' : actions.map((action) => actionText(action, options)).join(',');
}
