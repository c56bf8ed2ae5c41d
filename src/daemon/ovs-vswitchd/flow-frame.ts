// A frame that a datapath flow's text describes, for `netdev-dummy/receive`:
// `in_port(1),eth(src=...,dst=...),eth_type(0x0800),ipv4(src=...,proto=6,...),tcp(src=1,dst=2),tcp_flags(syn)`.
import { parseIpv4, parseIpv6, parseMac } from '../../base/addresses.ts';

type Fields = ReadonlyMap<string, string>;

/** `name(inside)` groups in order, with what stands in `encap(...)` taken out; undefined for a syntax error. */
function groups(text: string): Map<string, string>[] | undefined {
  const levels: Map<string, string>[] = [new Map()];
  let rest = text.trim();
  while (rest !== '') {
    const open = /^([a-z0-9_]+)\(/.exec(rest);
    if (open === null) return undefined;
    let depth = 1;
    let at = open[0].length;
    while (at < rest.length && depth > 0) {
      if (rest[at] === '(') depth++;
      else if (rest[at] === ')') depth--;
      at++;
    }
    if (depth > 0) return undefined;
    const name = open[1] ?? '';
    const inside = rest.slice(open[0].length, at - 1);
    if (name === 'encap') {
      const inner = groups(inside);
      if (inner === undefined) return undefined;
      levels.push(...inner);
    } else {
      levels[0]?.set(name, inside);
    }
    rest = rest.slice(at);
    if (rest.startsWith(',')) rest = rest.slice(1);
    else if (rest !== '') return undefined;
  }
  return levels;
}

function fields(inside: string): Fields {
  return new Map(inside.split(',').map((part) => [part.split('=')[0]?.trim() ?? '', part.slice(part.indexOf('=') + 1).trim()]));
}

const number = (from: Fields, name: string, otherwise = 0): number => {
  const value = Number(from.get(name)?.split('/')[0] ?? otherwise);
  return Number.isInteger(value) && value >= 0 ? value : otherwise;
};

function mac(text: string | undefined): number[] {
  const [high, low] = parseMac(text ?? '') ?? [0, 0];
  return [high >>> 24, (high >>> 16) & 255, (high >>> 8) & 255, high & 255, low >>> 8, low & 255];
}

const be16 = (value: number): number[] => [(value >>> 8) & 255, value & 255];
const be32 = (value: number): number[] => [...be16(value >>> 16), ...be16(value & 0xffff)];
const ipv4 = (text: string | undefined): number[] => be32(parseIpv4(text ?? '') ?? 0);
const ipv6 = (text: string | undefined): number[] => [...(parseIpv6(text ?? '') ?? [0, 0, 0, 0])].flatMap(be32);

function checksum(bytes: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

const FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns'];

function tcpFlags(inside: string | undefined): number {
  if (inside === undefined) return 0;
  if (/^(0x)?[0-9a-f]+$/i.test(inside) && Number.isInteger(Number(inside))) return Number(inside) & 0xfff;
  return inside
    .split('|')
    .concat(inside.split(/[+-]/))
    .reduce((bits, name) => (FLAGS.includes(name) ? bits | (1 << FLAGS.indexOf(name)) : bits), 0);
}

function transport(level: ReadonlyMap<string, string>, protocol: number, payload: number): number[] {
  const body = new Array<number>(payload).fill(0);
  const of = (name: string): Fields => fields(level.get(name) ?? '');
  switch (protocol) {
    case 6: {
      const ports = of('tcp');
      const flags = tcpFlags(level.get('tcp_flags'));
      const head = [...be16(number(ports, 'src')), ...be16(number(ports, 'dst')), ...be32(0), ...be32(0)];
      return [...head, 0x50 | (flags >>> 8), flags & 255, 0, 0, 0, 0, 0, 0, ...body];
    }
    case 17: {
      const ports = of('udp');
      return [...be16(number(ports, 'src')), ...be16(number(ports, 'dst')), ...be16(8 + payload), 0, 0, ...body];
    }
    case 132: {
      const ports = of('sctp');
      return [...be16(number(ports, 'src')), ...be16(number(ports, 'dst')), ...be32(0), ...be32(0), ...body];
    }
    case 1: {
      const message = of('icmp');
      const bytes = [number(message, 'type'), number(message, 'code'), 0, 0, 0, 0, 0, 0, ...body];
      const sum = checksum(bytes);
      return [...bytes.slice(0, 2), ...be16(sum), ...bytes.slice(4)];
    }
    case 58: {
      const message = of('icmpv6');
      const type = number(message, 'type');
      const nd = of('nd');
      const options = [
        ...(nd.has('sll') ? [1, 1, ...mac(nd.get('sll'))] : []),
        ...(nd.has('tll') && !/^(00:){5}00$/.test(nd.get('tll') ?? '') ? [2, 1, ...mac(nd.get('tll'))] : []),
      ];
      const rest = type === 135 || type === 136 ? [...ipv6(nd.get('target')), ...options] : body;
      return [type, number(message, 'code'), 0, 0, 0, 0, 0, 0, ...rest];
    }
  }
  return body;
}

/** The addresses and layer 4 of the reference's made-up frames: 64 bytes of payload unless a length is asked for. */
function network(level: ReadonlyMap<string, string>, etherType: number, payload: number): number[] {
  switch (etherType) {
    case 0x0800: {
      const ip = fields(level.get('ipv4') ?? '');
      const protocol = number(ip, 'proto');
      const frag = ip.get('frag');
      const inner = transport(level, protocol, payload);
      const fragment = frag === 'first' ? 0x2000 : frag === 'later' ? 0x00b9 : 0;
      const head = [0x45, number(ip, 'tos'), ...be16(20 + inner.length), 0, 0, ...be16(fragment), number(ip, 'ttl'), protocol, 0, 0];
      const whole = [...head, ...ipv4(ip.get('src')), ...ipv4(ip.get('dst'))];
      const sum = be16(checksum(whole));
      return [...whole.slice(0, 10), ...sum, ...whole.slice(12), ...inner];
    }
    case 0x86dd: {
      const ip = fields(level.get('ipv6') ?? '');
      const protocol = number(ip, 'proto');
      const inner = transport(level, protocol, payload);
      const first = ((6 << 28) | (number(ip, 'tclass') << 20) | number(ip, 'label')) >>> 0;
      const addresses = [...ipv6(ip.get('src')), ...ipv6(ip.get('dst'))];
      return [...be32(first), ...be16(inner.length), protocol, number(ip, 'hlimit'), ...addresses, ...inner];
    }
    case 0x0806:
    case 0x8035: {
      const arp = fields(level.get('arp') ?? level.get('rarp') ?? '');
      const head = [0, 1, 8, 0, 6, 4, ...be16(number(arp, 'op'))];
      return [...head, ...mac(arp.get('sha')), ...ipv4(arp.get('sip')), ...mac(arp.get('tha')), ...ipv4(arp.get('tip'))];
    }
    case 0x8847:
    case 0x8848: {
      const lse = fields(level.get('mpls') ?? '');
      const word = (number(lse, 'label') << 12) | (number(lse, 'tc') << 9) | (number(lse, 'bos', 1) << 8) | number(lse, 'ttl');
      return [...be32(word >>> 0), ...new Array<number>(payload).fill(0)];
    }
  }
  return new Array<number>(payload).fill(0);
}

/** The frame, padded or filled to `length` when that is not 0; undefined when the text is no flow. */
export function frameOfFlow(text: string, length: number): Uint8Array | undefined {
  const levels = groups(text);
  const [outer] = levels ?? [];
  if (levels === undefined || outer === undefined || (!outer.has('eth') && !outer.has('in_port'))) return undefined;
  const ethernet = fields(outer.get('eth') ?? '');
  const head = [...mac(ethernet.get('dst')), ...mac(ethernet.get('src'))];
  const typeOf = (level: ReadonlyMap<string, string>): number => Number(level.get('eth_type')?.split('/')[0] ?? 0);
  for (let i = 0; i + 1 < levels.length; i++) {
    const tag = fields(levels[i]?.get('vlan') ?? '');
    head.push(...be16(typeOf(levels[i] ?? outer)), ...be16((number(tag, 'pcp') << 13) | number(tag, 'vid')));
  }
  const last = levels[levels.length - 1] ?? outer;
  const etherType = typeOf(last);
  if (etherType >= 0x600) head.push(...be16(etherType));
  else head.push(...be16(2), 0, 0);
  const empty = network(last, etherType, 0);
  const payload = length > 0 ? Math.max(0, Math.min(length, 65535) - head.length - empty.length) : 64;
  return Uint8Array.from([...head, ...network(last, etherType, payload)]);
}
