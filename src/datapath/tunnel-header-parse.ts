// The inside of `tnl_push(...)` from text, the other way round from `tunnel-header-text.ts`. Facts: the running reference.
import { parseIpv4, parseIpv6, parseMac } from '../base/addresses.ts';
import type { TunnelProtocol } from '../wire/tunnel-headers.ts';
import type { DpAction } from './datapath.ts';
import type { TextScan } from './text-scan.ts';

const PROTOCOLS: ReadonlyMap<number, TunnelProtocol> = new Map([
  [3, 'gre'],
  [4, 'vxlan'],
  [5, 'geneve'],
]);
const MOST_HEADER = 512;
const MAC = /[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}/iy;
const IPV4 = /\d+\.\d+\.\d+\.\d+/y;
const IPV6 = /[0-9a-f:.]+/iy;

/** Writes a header from its start; every method is false when the text is otherwise. */
class HeaderReader {
  readonly #scan: TextScan;
  readonly #view = new DataView(new ArrayBuffer(MOST_HEADER));
  size = 0;

  constructor(scan: TextScan) {
    this.#scan = scan;
  }

  get header(): Uint8Array {
    return new Uint8Array(this.#view.buffer.slice(0, this.size));
  }

  #mac(at: number): boolean {
    const mac = parseMac(this.#scan.match(MAC)?.[0] ?? '');
    if (mac === undefined) return false;
    this.#view.setUint32(at, mac[0]);
    this.#view.setUint16(at + 4, mac[1]);
    return true;
  }

  #ipv4(at: number): boolean {
    const address = parseIpv4(this.#scan.match(IPV4)?.[0] ?? '');
    if (address !== undefined) this.#view.setUint32(at, address);
    return address !== undefined;
  }

  #ipv6(at: number): boolean {
    const words = parseIpv6(this.#scan.match(IPV6)?.[0] ?? '');
    if (words !== undefined) for (const [i, word] of [...words].entries()) this.#view.setUint32(at + 4 * i, word);
    return words !== undefined;
  }

  outer(): boolean {
    if (!this.#scan.word('eth(dst=') || !this.#mac(0) || !this.#scan.word(',src=') || !this.#mac(6)) return false;
    const [type] = this.#scan.pattern(',dl_type=0x%x),') ?? [];
    if (type === undefined) return false;
    this.#view.setUint16(12, type);
    return (type & 0xffff) === 0x0800 ? this.#ipv4Header() : (type & 0xffff) === 0x86dd && this.#ipv6Header();
  }

  #ipv4Header(): boolean {
    if (!this.#scan.word('ipv4(src=') || !this.#ipv4(26) || !this.#scan.word(',dst=') || !this.#ipv4(30)) return false;
    const [proto = 0, tos = 0, ttl = 0, frag] = this.#scan.pattern(',proto=%i,tos=%i,ttl=%i,frag=0x%x),') ?? [];
    if (frag === undefined) return false;
    this.#view.setUint8(14, 0x45);
    this.#view.setUint8(15, tos);
    this.#view.setUint16(20, frag);
    this.#view.setUint8(22, ttl);
    this.#view.setUint8(23, proto);
    this.size = 34;
    return true;
  }

  #ipv6Header(): boolean {
    if (!this.#scan.word('ipv6(src=') || !this.#ipv6(22) || !this.#scan.word(',dst=') || !this.#ipv6(38)) return false;
    const [label = 0, proto = 0, traffic = 0, limit] = this.#scan.pattern(',label=%i,proto=%i,tclass=0x%x,hlimit=%i),') ?? [];
    if (limit === undefined) return false;
    this.#view.setUint32(14, ((6 << 28) | ((traffic & 255) << 20) | (label & 0xfffff)) >>> 0);
    this.#view.setUint8(20, proto);
    this.#view.setUint8(21, limit);
    this.size = 54;
    return true;
  }

  tunnel(protocol: TunnelProtocol): boolean {
    if (protocol === 'gre') return this.#gre();
    const [from = 0, to = 0, sum] = this.#scan.pattern('udp(src=%i,dst=%i,csum=0x%x),') ?? [];
    if (sum === undefined) return false;
    const at = this.size;
    this.#view.setUint16(at, from);
    this.#view.setUint16(at + 2, to);
    this.#view.setUint16(at + 6, sum);
    this.size += 8;
    return protocol === 'vxlan' ? this.#vxlan() : this.#geneve();
  }

  #vxlan(): boolean {
    const [flags = 0, vni] = this.#scan.pattern('vxlan(flags=0x%x,vni=0x%x))') ?? [];
    if (vni === undefined) return false;
    this.#view.setUint32(this.size, flags);
    this.#view.setUint32(this.size + 4, vni << 8);
    this.size += 8;
    return true;
  }

  #geneve(): boolean {
    if (!this.#scan.word('geneve(')) return false;
    const marks = (this.#scan.word('oam,') ? 0x80 : 0) | (this.#scan.word('crit,') ? 0x40 : 0);
    const [vni] = this.#scan.pattern('vni=%i') ?? [];
    if (vni === undefined) return false;
    const at = this.size;
    this.#view.setUint8(at + 1, marks);
    this.#view.setUint16(at + 2, 0x6558);
    this.#view.setUint32(at + 4, vni << 8);
    this.size += 8;
    if (this.#scan.word(',options(') && !this.#options()) return false;
    this.#view.setUint8(at, (this.size - at - 8) / 4);
    return this.#scan.word('))');
  }

  #options(): boolean {
    while (!this.#scan.word(')')) {
      const [cls = 0, type = 0, length] = this.#scan.pattern('{class=%i,type=%i,len=%i') ?? [];
      if (length === undefined || length % 4 !== 0 || this.size + 4 + length > MOST_HEADER) return false;
      const digits = this.#scan.match(/,0x([0-9a-f]*)/iy)?.[1] ?? '';
      if (digits.replace(/^0+/, '').length > length * 2 || !this.#scan.word('}')) return false;
      this.#view.setUint16(this.size, cls);
      this.#view.setUint8(this.size + 2, type);
      this.#view.setUint8(this.size + 3, length / 4);
      const bytes = Buffer.from(digits.replace(/^0+/, '').padStart(length * 2, '0'), 'hex');
      new Uint8Array(this.#view.buffer).set(bytes, this.size + 4);
      this.size += 4 + length;
    }
    return true;
  }

  #gre(): boolean {
    // Over IPv6 the reference reads none.
    if (this.size !== 34) return false;
    const [flags = 0, protocol] = this.#scan.pattern('gre((flags=0x%x,proto=0x%x)') ?? [];
    if (protocol === undefined) return false;
    this.#view.setUint16(this.size, flags);
    this.#view.setUint16(this.size + 2, protocol);
    this.size += 4;
    if ((flags & 0x8000) !== 0) {
      const [sum] = this.#scan.pattern(',csum=0x%x') ?? [];
      if (sum === undefined) return false;
      this.#view.setUint16(this.size, sum);
      this.size += 4;
    }
    if ((flags & 0x2000) !== 0) {
      const [key] = this.#scan.pattern(',key=0x%x') ?? [];
      if (key === undefined) return false;
      this.#view.setUint32(this.size, key);
      this.size += 4;
    }
    return this.#scan.word('))');
  }
}

/** What follows `tnl_push(`. */
export function readTunnelPush(scan: TextScan): DpAction | undefined {
  const [tunnelPort, size, type = 0] = scan.pattern('tnl_port(%i),header(size=%i,type=%i,') ?? [];
  const protocol = PROTOCOLS.get(type);
  const reader = new HeaderReader(scan);
  if (tunnelPort === undefined || protocol === undefined || !reader.outer() || !reader.tunnel(protocol)) return undefined;
  const [outPort] = scan.pattern(',out_port(%i))') ?? [];
  if (outPort === undefined || reader.size !== size) return undefined;
  return { kind: 'tunnelPush', tunnelPort, outPort, protocol, header: reader.header };
}
