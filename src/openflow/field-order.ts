// The reference's numbering of fields: the order in which lists of fields stand on the wire and in text.
import type { Field } from '../flow/fields.ts';
import type { HashField } from './group.ts';

const ORDER =
  'dp_hash recirc_id packet_type conj_id tun_id tun_src tun_dst tun_ipv6_src tun_ipv6_dst tun_flags tun_tos tun_ttl tun_gbp_id tun_gbp_flags ' +
  'tun_erspan_idx tun_erspan_ver tun_erspan_dir tun_erspan_hwid tun_gtpu_flags tun_gtpu_msgtype metadata in_port in_port_oxm actset_output ' +
  'skb_priority pkt_mark ct_state ct_zone ct_mark ct_label ct_nw_proto ct_nw_src ct_nw_dst ct_ipv6_src ct_ipv6_dst ct_tp_src ct_tp_dst ' +
  'reg0 reg1 reg2 reg3 reg4 reg5 reg6 reg7 reg8 reg9 reg10 reg11 reg12 reg13 reg14 reg15 xreg0 xreg1 xreg2 xreg3 xreg4 xreg5 xreg6 xreg7 ' +
  'xxreg0 xxreg1 xxreg2 xxreg3 eth_src eth_dst eth_type vlan_tci vlan_vid vlan_pcp mpls_label mpls_tc mpls_bos mpls_ttl ip_src ip_dst ' +
  'ipv6_src ipv6_dst ipv6_label nw_proto nw_tos ip_dscp nw_ecn nw_ttl ip_frag arp_op arp_spa arp_tpa arp_sha arp_tha tcp_src tcp_dst ' +
  'tcp_flags udp_src udp_dst sctp_src sctp_dst icmp_type icmp_code icmpv6_type icmpv6_code nd_target nd_sll nd_tll nd_reserved ' +
  'nd_options_type nsh_flags nsh_mdtype nsh_np nsh_spi nsh_si nsh_c1 nsh_c2 nsh_c3 nsh_c4 nsh_ttl';

let places: Map<string, number> | undefined;

function load(): Map<string, number> {
  const options = Array.from({ length: 64 }, (_, i) => `tun_metadata${i}`).join(' ');
  return new Map(
    ORDER.replace(' metadata ', ` ${options} metadata `)
      .split(' ')
      .map((name, index) => [name, index]),
  );
}

/** A field's place in that order. */
export function fieldPlace(field: Field): number {
  places ??= load();
  return places.get(field.name) ?? 1000 + field.id;
}

/** Puts a select group's fields into that order. */
export const sortHashFields = (fields: HashField[]): HashField[] => fields.sort((a, b) => fieldPlace(a.field) - fieldPlace(b.field));

/** Fields in that order. */
export const inFieldOrder = (fields: Iterable<Field>): Field[] => [...fields].sort((a, b) => fieldPlace(a) - fieldPlace(b));
