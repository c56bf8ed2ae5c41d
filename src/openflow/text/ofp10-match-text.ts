// OpenFlow 1.0's fixed match as text, field by field with `*` for what is left out: how a flow-mod of OpenFlow 1.0 is printed in detail.
import { formatIpv4, formatMac } from '../../base/addresses.ts';
import { formatPort, type PortNames } from '../../flow/field-text.ts';
import { ETH, IP } from '../../flow/prerequisites.ts';
import { ByteReader } from '../codec/bytes.ts';

const WILD = {
  IN_PORT: 1,
  VLAN: 2,
  SRC: 4,
  DST: 8,
  TYPE: 0x10,
  PROTO: 0x20,
  TP_SRC: 0x40,
  TP_DST: 0x80,
  NW_SRC: 8,
  NW_DST: 14,
  PCP: 0x100000,
  TOS: 0x200000,
} as const;

/** Protocol words that say an Ethernet type and a network protocol at once. */
const WORDS: ReadonlyMap<number, string> = new Map([
  [IP.ICMP, 'icmp'],
  [IP.TCP, 'tcp'],
  [IP.UDP, 'udp'],
  [IP.SCTP, 'sctp'],
]);

/** The 40 bytes of a match as text. */
export function formatOfp10Match(bytes: Uint8Array, names?: PortNames): string {
  const from = new ByteReader(bytes);
  const wild = from.u32();
  const parts: string[] = [];
  const isWild = (bit: number): boolean => (wild & bit) !== 0;
  const add = (name: string, bit: number, value: string): void => void parts.push(`${name}=${isWild(bit) ? '*' : value}`);
  const inPort = from.u16();
  const src = from.mac();
  const dst = from.mac();
  const vlan = from.u16();
  const pcp = from.u8();
  const type = from.skip(1).u16();
  const tos = from.u8();
  const proto = from.u8();
  const address = (shift: number, value: number): string => {
    const ignored = (wild >>> shift) & 0x3f;
    if (ignored >= 32) return '*';
    return ignored === 0 ? formatIpv4(value) : `${formatIpv4(value)}/${32 - ignored}`;
  };
  const nwSrc = address(WILD.NW_SRC, from.skip(2).u32());
  const nwDst = address(WILD.NW_DST, from.u32());
  let [skipsType, skipsProto] = [false, false];
  if (!isWild(WILD.TYPE)) {
    skipsType = true;
    if (type === ETH.IPV4) {
      const word = isWild(WILD.PROTO) ? undefined : WORDS.get(proto);
      skipsProto = word !== undefined;
      parts.push(word ?? 'ip');
    } else if (type === ETH.ARP) parts.push('arp');
    else if (type === ETH.RARP) parts.push('rarp');
    else if (type === ETH.MPLS) parts.push('mpls');
    else if (type === ETH.MPLS_MCAST) parts.push('mplsm');
    else skipsType = false;
  }
  add('in_port', WILD.IN_PORT, formatPort(inPort, names));
  add('dl_vlan', WILD.VLAN, String(vlan));
  add('dl_vlan_pcp', WILD.PCP, String(pcp));
  add('dl_src', WILD.SRC, formatMac(...src));
  add('dl_dst', WILD.DST, formatMac(...dst));
  if (!skipsType) add('dl_type', WILD.TYPE, `0x${type.toString(16).padStart(4, '0')}`);
  parts.push(`nw_src=${nwSrc}`, `nw_dst=${nwDst}`);
  if (!skipsProto) {
    if (type === ETH.ARP || type === ETH.RARP) add('arp_op', WILD.PROTO, String(proto));
    else add('nw_proto', WILD.PROTO, String(proto));
  }
  add('nw_tos', WILD.TOS, String(tos));
  const isIcmp = proto === IP.ICMP;
  add(isIcmp ? 'icmp_type' : 'tp_src', WILD.TP_SRC, String(from.u16()));
  add(isIcmp ? 'icmp_code' : 'tp_dst', WILD.TP_DST, String(from.u16()));
  return parts.join(',');
}
