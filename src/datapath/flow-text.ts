// Datapath flows as `ovs-appctl dpctl/dump-flows` prints them. A field appears when its mask is not zero; `/mask` follows when the mask is
// not all ones; the value is what the key holds, also outside the mask. Observed on Open vSwitch 3.1.
import { formatIpv4, formatIpv6, formatMac } from '../base/addresses.ts';
import { FRAG, type Key, TUN_FLAG, VLAN_CFI, W } from '../flow/key.ts';
import type { DpFlow, DpFlowStats, DpPort } from './datapath.ts';

/** How ports are written: numbers, or names where known. */
export type PortText = (port: DpPort) => string;
const byNumber: PortText = (port) => String(port >>> 0);

const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns', '[200]', '[400]', '[800]'];
const CT_FLAGS = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];

/** C's `%#x`: 0 has no prefix. */
export const sharpHex = (value: number): string => (value >>> 0 === 0 ? '0' : `0x${(value >>> 0).toString(16)}`);
const hex0x = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** `+a-b` for the flags within the mask. */
function flagText(names: readonly string[], value: number, mask: number): string {
  return names.map((name, i) => ((mask >> i) & 1 ? `${(value >> i) & 1 ? '+' : '-'}${name}` : '')).join('');
}

/** A part of a word, as `name=value` or `name=value/mask`, or nothing. */
class Fields {
  readonly #key: Key;
  readonly #mask: Key;
  readonly #parts: string[] = [];

  constructor(key: Key, mask: Key) {
    this.#key = key;
    this.#mask = mask;
  }

  number(name: string, word: number, shift: number, bits: number, text: (value: number) => string = String): this {
    const all = bits === 32 ? 0xffffffff : (1 << bits) - 1;
    const mask = (this.#mask[word]! >>> shift) & all;
    if (mask === 0) return this;
    const value = (this.#key[word]! >>> shift) & all;
    this.#parts.push(`${name}=${text(value >>> 0)}${mask >>> 0 === all >>> 0 ? '' : `/${sharpHex(mask)}`}`);
    return this;
  }

  ipv4(name: string, word: number): this {
    const mask = this.#mask[word]!;
    if (mask !== 0) this.#parts.push(`${name}=${formatIpv4(this.#key[word]!)}${mask === 0xffffffff ? '' : `/${formatIpv4(mask)}`}`);
    return this;
  }

  ipv6(name: string, word: number): this {
    const mask = this.#mask.subarray(word, word + 4);
    if (mask.some((w) => w !== 0)) {
      const suffix = mask.every((w) => w === 0xffffffff) ? '' : `/${formatIpv6(mask)}`;
      this.#parts.push(`${name}=${formatIpv6(this.#key, word)}${suffix}`);
    }
    return this;
  }

  /** 48 bits from bit 0 or bit 16 of a word. */
  mac(name: string, word: number, atBit16 = false): this {
    const [value, mask] = [this.#key, this.#mask].map((k): [number, number] =>
      atBit16 ? [(((k[word]! & 0xffff) << 16) | (k[word + 1]! >>> 16)) >>> 0, k[word + 1]! & 0xffff] : [k[word]!, k[word + 1]! >>> 16],
    ) as [[number, number], [number, number]];
    if (mask[0] === 0 && mask[1] === 0) return this;
    const suffix = mask[0] === 0xffffffff && mask[1] === 0xffff ? '' : `/${formatMac(...mask)}`;
    this.#parts.push(`${name}=${formatMac(...value)}${suffix}`);
    return this;
  }

  raw(part: string): this {
    if (part !== '') this.#parts.push(part);
    return this;
  }

  toString(): string {
    return this.#parts.join(',');
  }

  /** `name(...)`, or nothing when no field is there. */
  in(name: string): string {
    return this.#parts.length === 0 ? '' : `${name}(${this.#parts.join(',')})`;
  }
}

/** The headers behind eth_type, for keys and for sets. */
export function headerText(key: Key, mask: Key, type: number, proto: number): string[] {
  const f = (): Fields => new Fields(key, mask);
  const out: string[] = [];
  if (type === 0x0800) {
    const frag = (mask[W.TYPE]! >>> 8) & 3 ? `frag=${fragText(key)}` : '';
    out.push(
      f()
        .ipv4('src', W.NW_SRC)
        .ipv4('dst', W.NW_DST)
        .number('proto', W.TYPE, 0, 8)
        .number('tos', W.TOS, 24, 8, sharpHex)
        .number('ttl', W.TOS, 16, 8)
        .raw(frag)
        .in('ipv4'),
    );
  } else if (type === 0x86dd) {
    const frag = (mask[W.TYPE]! >>> 8) & 3 ? `frag=${fragText(key)}` : '';
    out.push(
      f()
        .ipv6('src', W.IPV6_SRC)
        .ipv6('dst', W.IPV6_DST)
        .number('label', W.IPV6_LABEL, 0, 20, sharpHex)
        .number('proto', W.TYPE, 0, 8)
        .number('tclass', W.TOS, 24, 8, sharpHex)
        .number('hlimit', W.TOS, 16, 8)
        .raw(frag)
        .in('ipv6'),
    );
  } else if (type === 0x0806 || type === 0x8035) {
    out.push(
      f()
        .ipv4('sip', W.NW_SRC)
        .ipv4('tip', W.NW_DST)
        .number('op', W.TYPE, 0, 8)
        .mac('sha', W.ARP_HW)
        .mac('tha', W.ARP_HW + 1, true)
        .in('arp'),
    );
    return out;
  } else if (type === 0x8847 || type === 0x8848) {
    return [mplsText(key, mask)];
  } else {
    return out;
  }
  const isIpv6 = type === 0x86dd;
  if (proto === 6) {
    out.push(f().number('src', W.TP, 16, 16).number('dst', W.TP, 0, 16).in('tcp'));
    const flags = mask[W.TOS]! & 0xfff;
    if (flags !== 0) out.push(`tcp_flags(${flagText(TCP_FLAGS, key[W.TOS]!, flags)})`);
  } else if (proto === 17) {
    out.push(f().number('src', W.TP, 16, 16).number('dst', W.TP, 0, 16).in('udp'));
  } else if (proto === 132) {
    out.push(f().number('src', W.TP, 16, 16).number('dst', W.TP, 0, 16).in('sctp'));
  } else if (proto === (isIpv6 ? 58 : 1)) {
    out.push(
      f()
        .number('type', W.TP, 16, 8)
        .number('code', W.TP, 0, 8)
        .in(isIpv6 ? 'icmpv6' : 'icmp'),
    );
    if (isIpv6)
      out.push(
        f()
          .ipv6('target', W.ND_TARGET)
          .mac('sll', W.ARP_HW)
          .mac('tll', W.ARP_HW + 1, true)
          .in('nd'),
      );
  }
  return out;
}

function fragText(key: Key): string {
  const frag = (key[W.TYPE]! >>> 8) & 3;
  if ((frag & FRAG.LATER) !== 0) return 'later';
  return (frag & FRAG.ANY) !== 0 ? 'first' : 'no';
}

/** Labels always carry their masks; labels beyond the first are numbered. */
function mplsText(key: Key, mask: Key): string {
  const parts: string[] = [];
  for (let i = 0; i < 3; i++) {
    const value = key[W.MPLS + i]!;
    const m = mask[W.MPLS + i]!;
    if (m === 0) break;
    const n = i === 0 ? '' : String(i);
    const label = `label${n}=${value >>> 12}/${hex0x(m >>> 12)},tc${n}=${(value >>> 9) & 7}/${((m >>> 9) & 7).toString(16)}`;
    parts.push(`${label},ttl${n}=${value & 255}/${hex0x(m & 255)},bos${n}=${(value >>> 8) & 1}/${((m >>> 8) & 1).toString(16)}`);
  }
  return parts.length === 0 ? '' : `mpls(${parts.join(',')})`;
}

function tunnelText(key: Key, mask: Key): string {
  const f = new Fields(key, mask);
  const idMask = (BigInt(mask[W.TUN_ID]!) << 32n) | BigInt(mask[W.TUN_ID + 1]!);
  const id = (BigInt(key[W.TUN_ID]!) << 32n) | BigInt(key[W.TUN_ID + 1]!);
  if (idMask !== 0n) f.raw(`tun_id=0x${id.toString(16)}${idMask === 0xffffffffffffffffn ? '' : `/0x${idMask.toString(16)}`}`);
  f.ipv4('src', W.TUN_SRC).ipv4('dst', W.TUN_DST).ipv6('ipv6_src', W.TUN_IPV6_SRC).ipv6('ipv6_dst', W.TUN_IPV6_DST);
  f.number('tos', W.TUN_FLAGS, 8, 8, sharpHex).number('ttl', W.TUN_FLAGS, 0, 8);
  f.number('tp_src', W.TUN_TP, 16, 16).number('tp_dst', W.TUN_TP, 0, 16);
  const flagMask = mask[W.TUN_FLAGS]! >>> 16;
  if (flagMask !== 0) f.raw(`flags(${tunnelFlagText(key[W.TUN_FLAGS]! >>> 16, flagMask)})`);
  return f.in('tunnel');
}

/** In the reference's order: df, csum, key, oam. */
function tunnelFlagText(value: number, mask: number): string {
  const flags: [string, number][] = [
    ['df', TUN_FLAG.DONT_FRAGMENT],
    ['csum', TUN_FLAG.CSUM],
    ['key', TUN_FLAG.KEY],
    ['oam', TUN_FLAG.OAM],
  ];
  return flags.map(([name, bit]) => ((mask & bit) === 0 ? '' : `${(value & bit) === 0 ? '-' : '+'}${name}`)).join('');
}

function vlanText(tag: number, mask: number): string {
  const tci = tag & 0xffff;
  const parts: string[] = [];
  if ((mask & 0xefff) !== 0) {
    parts.push(`vid=${tci & 0xfff}${(mask & 0xfff) === 0xfff ? '' : `/0x${(mask & 0xfff).toString(16)}`}`);
    parts.push(`pcp=${tci >>> 13}${(mask & 0xe000) === 0xe000 ? '' : `/0x${((mask & 0xe000) >>> 13).toString(16)}`}`);
  }
  return `vlan(${parts.join(',')})`;
}

/** Key and mask of a flow. */
export function formatDpKey(key: Key, mask: Key, port: PortText = byNumber): string {
  const out: string[] = [];
  const masked = (word: number, name: string, text: (value: number) => string = hex0x): void => {
    const m = mask[word]!;
    if (m !== 0) out.push(`${name}(${text(key[word]!)}${m === 0xffffffff ? '' : `/${hex0x(m)}`})`);
  };
  masked(W.SKB_PRIORITY, 'skb_priority', sharpHex);
  out.push(tunnelText(key, mask));
  masked(W.PKT_MARK, 'skb_mark', sharpHex);
  if ((mask[W.CT_STATE]! & 0xff) !== 0) out.push(`ct_state(${flagText(CT_FLAGS, key[W.CT_STATE]!, mask[W.CT_STATE]!)})`);
  if (mask[W.CT_ZONE]! >>> 16 !== 0) out.push(`ct_zone(${sharpHex(key[W.CT_ZONE]! >>> 16)})`);
  masked(W.CT_MARK, 'ct_mark', sharpHex);
  out.push(labelText(key, mask));
  // Open vSwitch prints these two whether or not they are masked.
  out.push(`recirc_id(${sharpHex(key[W.RECIRC_ID]!)})`);
  masked(W.DP_HASH, 'dp_hash');
  out.push(`in_port(${port(key[W.IN_PORT]!)})`);
  out.push(`packet_type(ns=${key[W.PACKET_TYPE]! >>> 16},id=${sharpHex(key[W.PACKET_TYPE]! & 0xffff)})`);
  out.push(
    new Fields(key, mask)
      .mac('src', W.ETH + 1, true)
      .mac('dst', W.ETH)
      .in('eth'),
  );
  const type = key[W.TYPE]! >>> 16;
  const proto = key[W.TYPE]! & 0xff;
  const inner = [type === 0x5ff ? '' : `eth_type(0x${type.toString(16).padStart(4, '0')})`, ...headerText(key, mask, type, proto)];
  const tags = [W.VLAN0, W.VLAN1].filter((word) => (key[word]! & VLAN_CFI) !== 0 && mask[word] !== 0);
  let text = inner.filter((part) => part !== '').join(',');
  for (const word of tags.reverse()) {
    const tpid = (key[word]! >>> 16).toString(16).padStart(4, '0');
    text = `eth_type(0x${tpid}),${vlanText(key[word]!, mask[word]!)},encap(${text})`;
  }
  out.push(text);
  return out.filter((part) => part !== '').join(',');
}

function labelText(key: Key, mask: Key): string {
  const value = (k: Key): bigint => [0, 1, 2, 3].reduce((sum, i) => (sum << 32n) | BigInt(k[W.CT_LABEL + i]!), 0n);
  const m = value(mask);
  if (m === 0n) return '';
  const text = (v: bigint): string => (v === 0n ? '0' : `0x${v.toString(16)}`);
  return `ct_label(${text(value(key))}${m === (1n << 128n) - 1n ? '' : `/${text(m)}`})`;
}

/** Counters as they stand between key and actions. */
export function formatDpStats(stats: DpFlowStats, nowMs: number): string {
  const used = stats.usedMs === 0 ? 'never' : `${(Math.max(0, Math.round(nowMs - stats.usedMs)) / 1000).toFixed(3)}s`;
  const flags = stats.tcpFlags === 0 ? '' : `, flags:${tcpFlagLetters(stats.tcpFlags)}`;
  return `packets:${stats.packets}, bytes:${stats.bytes}, used:${used}${flags}`;
}

function tcpFlagLetters(flags: number): string {
  const letters: [number, string][] = [
    [2, 'S'],
    [1, 'F'],
    [8, 'P'],
    [4, 'R'],
    [0x20, 'U'],
    [0x10, '.'],
    [0x40, 'E'],
    [0x80, 'C'],
    [0x100, 'N'],
  ];
  return letters.map(([bit, letter]) => ((flags & bit) !== 0 ? letter : '')).join('');
}

/** A whole line of `dpctl/dump-flows`; the actions' text comes from `action-text.ts`. */
export function formatDpFlow(flow: DpFlow, stats: DpFlowStats, actions: string, nowMs: number, port: PortText = byNumber): string {
  return `${formatDpKey(flow.key, flow.mask, port)}, ${formatDpStats(stats, nowMs)}, actions:${actions}`;
}
