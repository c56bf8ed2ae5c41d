// An outer tunnel header as Open vSwitch's tools print it: the inside of `tnl_push(...)`. Facts: the running reference.
import { formatIpv4, formatIpv6, formatMac } from '../base/addresses.ts';
import type { TunnelProtocol } from '../wire/tunnel-headers.ts';
import { optionText } from './option-text.ts';

/** Numbers of the kinds of datapath ports. */
const PORT_TYPES: Readonly<Record<TunnelProtocol, number>> = { gre: 3, vxlan: 4, geneve: 5 };

const hex = (value: number): string => `0x${value.toString(16)}`;

export function tunnelHeaderText(protocol: TunnelProtocol, header: Uint8Array): string {
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const mac = (at: number): string => formatMac(view.getUint32(at), view.getUint16(at + 4));
  const words = (at: number): number[] => [0, 4, 8, 12].map((i) => view.getUint32(at + i));
  const type = view.getUint16(12);
  const isIpv6 = type === 0x86dd;
  const parts = [`size=${header.length}`, `type=${PORT_TYPES[protocol]}`];
  parts.push(`eth(dst=${mac(0)},src=${mac(6)},dl_type=0x${type.toString(16).padStart(4, '0')})`);
  if (isIpv6) {
    const first = view.getUint32(14);
    const addresses = `src=${formatIpv6(words(22))},dst=${formatIpv6(words(38))}`;
    const traffic = `label=${first & 0xfffff},proto=${view.getUint8(20)},tclass=${hex((first >>> 20) & 255)},hlimit=${view.getUint8(21)}`;
    parts.push(`ipv6(${addresses},${traffic})`);
  } else {
    const addresses = `src=${formatIpv4(view.getUint32(26))},dst=${formatIpv4(view.getUint32(30))}`;
    const tos = view.getUint8(15);
    const rest = `proto=${view.getUint8(23)},tos=${tos === 0 ? '0' : hex(tos)},ttl=${view.getUint8(22)},frag=${hex(view.getUint16(20))}`;
    parts.push(`ipv4(${addresses},${rest})`);
  }
  let at = isIpv6 ? 54 : 34;
  if (protocol === 'gre') {
    const flags = view.getUint16(at);
    let text = `gre((flags=${hex(flags)},proto=${hex(view.getUint16(at + 2))})`;
    at += 4;
    if ((flags & 0x8000) !== 0) {
      text += `,csum=${hex(view.getUint16(at))}`;
      at += 4;
    }
    if ((flags & 0x2000) !== 0) text += `,key=${hex(view.getUint32(at))}`;
    parts.push(`${text})`);
    return parts.join(',');
  }
  parts.push(`udp(src=${view.getUint16(at)},dst=${view.getUint16(at + 2)},csum=${hex(view.getUint16(at + 6))})`);
  at += 8;
  const vni = hex(view.getUint32(at + 4) >>> 8);
  if (protocol === 'vxlan') parts.push(`vxlan(flags=${hex(view.getUint32(at))},vni=${vni})`);
  else parts.push(geneveText(view, at, vni));
  return parts.join(',');
}

function geneveText(view: DataView, at: number, vni: string): string {
  const flags = view.getUint8(at + 1);
  const options: string[] = [];
  const end = at + 8 + (view.getUint8(at) & 0x3f) * 4;
  for (let next = at + 8; next + 4 <= end && next + 4 <= view.byteLength; ) {
    const length = (view.getUint8(next + 3) & 0x1f) * 4;
    let value = 0n;
    for (let i = 0; i < length; i++) value = (value << 8n) | BigInt(view.getUint8(next + 4 + i));
    options.push(optionText(view.getUint32(next), value, undefined, length));
    next += 4 + length;
  }
  const marks = `${(flags & 0x80) !== 0 ? 'oam,' : ''}${(flags & 0x40) !== 0 ? 'crit,' : ''}`;
  return `geneve(${marks}vni=${vni}${options.length === 0 ? '' : `,options(${options.join('')})`})`;
}
