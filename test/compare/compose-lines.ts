// Flows in which every field is exact, for compose-packet, and what may be wrong with them.
import { FIELDS } from '../../src/flow/fields.ts';
import { valueText } from './flow-lines.ts';
import type { Dice } from './random.ts';

const WORDS = ['ip', 'ipv6', 'tcp', 'tcp6', 'udp', 'udp6', 'sctp', 'sctp6', 'icmp', 'icmp6', 'arp', 'rarp', 'mpls', 'mplsm', ''];
const EXACT = new Set(['tcpFlags', 'ctState', 'tunFlags', 'frag', 'packetType']);
const NETWORK = 'nw_tos nw_ecn nw_ttl';
const OF_WORD: Readonly<Record<string, string>> = {
  ip: `nw_src nw_dst nw_proto ${NETWORK}`,
  ipv6: `ipv6_src ipv6_dst nw_proto ipv6_label ${NETWORK}`,
  tcp: `nw_src nw_dst tcp_src tcp_dst tcp_flags ${NETWORK}`,
  tcp6: `ipv6_src ipv6_dst tcp_src tcp_dst tcp_flags ${NETWORK}`,
  udp: `nw_src nw_dst udp_src udp_dst ${NETWORK}`,
  udp6: `ipv6_src ipv6_dst udp_src udp_dst ipv6_label ${NETWORK}`,
  sctp: `nw_src nw_dst sctp_src sctp_dst`,
  sctp6: `ipv6_src sctp_src sctp_dst`,
  icmp: `nw_src nw_dst icmp_type icmp_code ${NETWORK}`,
  icmp6: `ipv6_src icmpv6_type icmpv6_code nd_target nd_sll nd_tll`,
  arp: 'arp_op arp_spa arp_tpa arp_sha arp_tha',
  rarp: 'arp_op arp_spa arp_tpa arp_sha arp_tha',
  mpls: 'mpls_label mpls_tc mpls_bos mpls_ttl',
  mplsm: 'mpls_label mpls_tc mpls_bos mpls_ttl',
  '': 'dl_type metadata reg1 pkt_mark tun_id ct_mark',
};

const TYPE_OF: Readonly<Record<string, number>> = { arp: 0x806, rarp: 0x8035, mpls: 0x8847, mplsm: 0x8848 };
/** A packet type: mostly what the word says. */
function packetType(d: Dice, word: string): string {
  const own = TYPE_OF[word] ?? (word.endsWith('6') ? 0x86dd : 0x800);
  const type = d.chance(2, 3) ? own : d.pick([0x800, 0x806, 0x86dd, 0x8847, 0x894f, 0x1234, 0x5ff, 1, 0]);
  return `packet_type=(${d.chance(5, 6) ? 1 : d.below(4)},${type})`;
}

export function exactFlow(d: Dice): string {
  const word = d.pick(WORDS);
  const parts = d.some(2, () => d.pick(['dl_src', 'dl_dst', 'dl_vlan', 'in_port', 'vlan_tci', 'dl_vlan_pcp'])).concat(word);
  for (const name of (OF_WORD[word] ?? '').split(' ')) if (d.chance(1, 2)) parts.push(name);
  if (d.chance(1, 15)) parts.push(d.pick(FIELDS).name);
  if (d.chance(1, 12))
    parts.push('ct_state', ...d.some(2, () => d.pick(['ct_nw_proto', 'ct_nw_src', 'ct_ipv6_dst', 'ct_tp_dst', 'ct_zone'])));
  // The packet type says what a packet is as a protocol's name does, or something else.
  if (d.chance(1, 8)) parts.splice(d.below(parts.length + 1), word !== '' && d.chance(1, 2) ? 1 : 0, packetType(d, word));
  return parts
    .filter((name) => name !== '')
    .map((name) => {
      if (WORDS.includes(name) || name.includes('=')) return name;
      if (name === 'ct_state') return `ct_state=${d.pick([0x20, 0x22, 0x21, 0x30, 2])}`;
      if (name === 'icmpv6_type' && d.chance(3, 4)) return `icmpv6_type=${d.pick([135, 136, 128])}`;
      if (name === 'icmpv6_code' && d.chance(3, 4)) return 'icmpv6_code=0';
      if (name === 'arp_op' && d.chance(3, 4)) return `arp_op=${1 + d.below(3)}`;
      const field = FIELDS.find((row) => row.name === name || row.alias === name);
      if (field === undefined) return name;
      if (field.format === 'tcpFlags') return `${name}=${d.number(12)}`;
      const plain = EXACT.has(field.format) || d.chance(1, 30) ? field : { ...field, maskable: false };
      return `${name}=${valueText(d, plain)}`;
    })
    .join(',');
}
