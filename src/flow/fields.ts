// The field table: every match field of OpenFlow and its extensions, once. Extraction, the NXM and OXM codecs, match text, masks,
// prerequisites and help follow from it. Facts: ovs-fields(7), OpenFlow 1.5.1 section 7.2.3.
import { W } from './key.ts';

/** OXM classes: NXM 0x0000 and 0x0001, OpenFlow basic 0x8000, packet registers 0x8001, and experimenters under 0xffff. */
export type OxmClass = 'nxm0' | 'nxm1' | 'oxm' | 'pktReg' | 'nxoxm' | 'nsh' | 'onf' | 'eric';

/** How a value is written as text. */
export type FieldFormat =
  | 'decimal'
  | 'hex'
  | 'mac'
  | 'ipv4'
  | 'ipv6'
  | 'port16'
  | 'port32'
  | 'frag'
  | 'tcpFlags'
  | 'tunFlags'
  | 'ctState'
  | 'packetType';

/** What must hold for the field to exist in a frame. */
export type Prereq =
  | 'none'
  | 'ethernet'
  | 'vlan'
  | 'ct'
  | 'mpls'
  | 'ipv4'
  | 'ipv6'
  | 'ip'
  | 'arp'
  | 'nsh'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmpv4'
  | 'icmpv6'
  | 'nd'
  | 'ndSolicit'
  | 'ndAdvert';

/** One number of a field on the wire. */
export interface FieldCode {
  cls: OxmClass;
  num: number;
  /** The specification's name, as ovs-ofctl prints it. */
  label: string;
  /** The first OpenFlow version in which a peer may be sent it. */
  since?: string;
}

export interface FieldRow {
  name: string;
  alias?: string;
  /** Bits that may be nonzero. */
  bits: number;
  /** Bits that parts of the field may name, where that is another number: of those that there are not more than `bits`, which are always 0. */
  partBits?: number;
  /** Bits that a mask may have set, where that is more: nothing is ever in those above. */
  maskBits?: number;
  /** Bits of the mask of a whole value, where that is more: a mask of `bits` ones leaves some out. */
  wholeBits?: number;
  /** Bytes of the value in an NXM or OXM entry. */
  wireBytes: number;
  /** Bit offset of the value in the key. */
  at: number;
  format: FieldFormat;
  maskable: boolean;
  prereq: Prereq;
  writable: boolean;
  /** Of a tun_metadata field as it is named: whoever uses it looks up its place. Without one, what is written is lost and what is read is 0. */
  isUnplaced?: true;
  /** The code preferred on the wire first. */
  codes: readonly FieldCode[];
}

/** A row of the table with its index, which is stable only within a process. */
export interface Field extends FieldRow {
  id: number;
}

const w = (word: number): number => word * 32;
/** NXM code of tun_metadata0. */
const FIRST_TUN_METADATA = 40;

function registerRows(prefix: string, count: number, words: number, cls: OxmClass, firstNum: number, label: string): FieldRow[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `${prefix}${i}`,
    bits: words * 32,
    wireBytes: words * 4,
    at: w(W.REGS + i * words),
    format: 'hex' as const,
    maskable: true,
    prereq: 'none' as const,
    writable: true,
    codes: [{ cls, num: firstNum + i, label: `${label}${i}` }],
  }));
}

/** tun_metadata0..63: where a value lies in the key, and how long it is, is decided by the TLV table; `bits` is the most it can be. */
function tunMetadataRows(): FieldRow[] {
  return Array.from({ length: 64 }, (_, i) => ({
    name: `tun_metadata${i}`,
    bits: 992,
    wireBytes: 124,
    at: w(W.TUN_METADATA),
    format: 'hex' as const,
    maskable: true,
    prereq: 'none' as const,
    writable: true,
    isUnplaced: true as const,
    codes: [{ cls: 'nxm1' as const, num: FIRST_TUN_METADATA + i, label: `NXM_NX_TUN_METADATA${i}` }],
  }));
}

// biome-ignore format: one row a line
const rows: FieldRow[] = [
  { name: 'recirc_id', bits: 32, wireBytes: 4, at: w(W.RECIRC_ID), format: 'decimal', maskable: false, prereq: 'none', writable: false, codes: [{ cls: 'nxm1', num: 36, label: 'NXM_NX_RECIRC_ID' }] },
  { name: 'dp_hash', bits: 32, wireBytes: 4, at: w(W.DP_HASH), format: 'hex', maskable: true, prereq: 'none', writable: false, codes: [{ cls: 'nxm1', num: 35, label: 'NXM_NX_DP_HASH' }, { cls: 'nxoxm', num: 0, label: 'NXOXM_ET_DP_HASH' }] },
  { name: 'dl_vlan', bits: 12, wireBytes: 2, at: w(W.VLAN0) + 20, format: 'decimal', maskable: false, prereq: 'ethernet', writable: true, codes: [] },
  { name: 'dl_vlan_pcp', bits: 3, wireBytes: 1, at: w(W.VLAN0) + 16, format: 'decimal', maskable: false, prereq: 'ethernet', writable: true, codes: [] },
  { name: 'conj_id', bits: 32, wireBytes: 4, at: w(W.CONJ_ID), format: 'decimal', maskable: false, prereq: 'none', writable: false, codes: [{ cls: 'nxm1', num: 37, label: 'NXM_NX_CONJ_ID' }] },
  { name: 'tun_id', alias: 'tunnel_id', bits: 64, wireBytes: 8, at: w(W.TUN_ID), format: 'hex', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'oxm', num: 38, label: 'OXM_OF_TUNNEL_ID', since: '1.3' }, { cls: 'nxm1', num: 16, label: 'NXM_NX_TUN_ID' }] },
  { name: 'tun_src', bits: 32, wireBytes: 4, at: w(W.TUN_SRC), format: 'ipv4', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'nxm1', num: 31, label: 'NXM_NX_TUN_IPV4_SRC' }] },
  { name: 'tun_dst', bits: 32, wireBytes: 4, at: w(W.TUN_DST), format: 'ipv4', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'nxm1', num: 32, label: 'NXM_NX_TUN_IPV4_DST' }] },
  { name: 'tun_ipv6_src', bits: 128, wireBytes: 16, at: w(W.TUN_IPV6_SRC), format: 'ipv6', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'nxm1', num: 109, label: 'NXM_NX_TUN_IPV6_SRC' }] },
  { name: 'tun_ipv6_dst', bits: 128, wireBytes: 16, at: w(W.TUN_IPV6_DST), format: 'ipv6', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'nxm1', num: 110, label: 'NXM_NX_TUN_IPV6_DST' }] },
  { name: 'tun_gbp_id', bits: 16, wireBytes: 2, at: w(W.TUN_GBP), format: 'decimal', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'nxm1', num: 38, label: 'NXM_NX_TUN_GBP_ID' }] },
  { name: 'tun_gbp_flags', bits: 8, wireBytes: 1, at: w(W.TUN_GBP) + 16, format: 'hex', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'nxm1', num: 39, label: 'NXM_NX_TUN_GBP_FLAGS' }] },
  { name: 'tun_tos', bits: 8, wireBytes: 1, at: w(W.TUN_FLAGS) + 16, format: 'hex', maskable: false, prereq: 'none', writable: false, codes: [] },
  { name: 'tun_ttl', bits: 8, wireBytes: 1, at: w(W.TUN_FLAGS) + 24, format: 'decimal', maskable: false, prereq: 'none', writable: false, codes: [] },
  { name: 'tun_erspan_ver', bits: 8, partBits: 4, wireBytes: 1, at: w(W.TUN_GBP) + 24, format: 'decimal', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'nxoxm', num: 12, label: 'NXOXM_ET_ERSPAN_VER' }] },
  { name: 'tun_erspan_idx', bits: 32, partBits: 20, wireBytes: 4, at: w(W.TUN_ERSPAN_IDX), format: 'hex', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'nxoxm', num: 11, label: 'NXOXM_ET_ERSPAN_IDX' }] },
  { name: 'tun_erspan_dir', bits: 8, partBits: 1, wireBytes: 1, at: w(W.TUN_EXTRA), format: 'decimal', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'nxoxm', num: 13, label: 'NXOXM_ET_ERSPAN_DIR' }] },
  { name: 'tun_erspan_hwid', bits: 8, partBits: 6, wireBytes: 1, at: w(W.TUN_EXTRA) + 8, format: 'hex', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'nxoxm', num: 14, label: 'NXOXM_ET_ERSPAN_HWID' }] },
  { name: 'tun_gtpu_flags', bits: 8, wireBytes: 1, at: w(W.TUN_EXTRA) + 16, format: 'hex', maskable: true, prereq: 'none', writable: false, codes: [{ cls: 'nxoxm', num: 15, label: 'NXOXM_ET_GTPU_FLAGS' }] },
  { name: 'tun_gtpu_msgtype', bits: 8, wireBytes: 1, at: w(W.TUN_EXTRA) + 24, format: 'decimal', maskable: true, prereq: 'none', writable: false, codes: [{ cls: 'nxoxm', num: 16, label: 'NXOXM_ET_GTPU_MSGTYPE' }] },
  ...tunMetadataRows(),
  { name: 'tun_flags', bits: 1, wireBytes: 2, at: w(W.TUN_FLAGS) + 15, format: 'tunFlags', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'nxm1', num: 104, label: 'NXM_NX_TUN_FLAGS' }] },
  { name: 'in_port', bits: 16, wireBytes: 2, at: w(W.IN_PORT) + 16, format: 'port16', maskable: false, prereq: 'none', writable: true, codes: [{ cls: 'nxm0', num: 0, label: 'NXM_OF_IN_PORT' }] },
  { name: 'in_port_oxm', bits: 32, wireBytes: 4, at: w(W.IN_PORT), format: 'port32', maskable: false, prereq: 'none', writable: true, codes: [{ cls: 'oxm', num: 0, label: 'OXM_OF_IN_PORT', since: '1.2' }] },
  { name: 'skb_priority', bits: 32, wireBytes: 4, at: w(W.SKB_PRIORITY), format: 'hex', maskable: false, prereq: 'none', writable: false, codes: [] },
  { name: 'pkt_mark', bits: 32, wireBytes: 4, at: w(W.PKT_MARK), format: 'hex', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'nxm1', num: 33, label: 'NXM_NX_PKT_MARK' }] },
  { name: 'actset_output', bits: 32, wireBytes: 4, at: w(W.ACTSET_OUTPUT), format: 'port32', maskable: false, prereq: 'none', writable: false, codes: [{ cls: 'onf', num: 43, label: 'ONFOXM_ET_ACTSET_OUTPUT', since: '1.3' }, { cls: 'oxm', num: 43, label: 'OXM_OF_ACTSET_OUTPUT', since: '1.5' }] },
  { name: 'packet_type', bits: 32, wireBytes: 4, at: w(W.PACKET_TYPE), format: 'packetType', maskable: false, prereq: 'none', writable: false, codes: [{ cls: 'oxm', num: 44, label: 'OXM_OF_PACKET_TYPE', since: '1.5' }] },
  { name: 'ct_state', bits: 32, wireBytes: 4, at: w(W.CT_STATE), format: 'ctState', maskable: true, prereq: 'none', writable: false, codes: [{ cls: 'nxm1', num: 105, label: 'NXM_NX_CT_STATE' }] },
  { name: 'ct_zone', bits: 16, wireBytes: 2, at: w(W.CT_ZONE), format: 'hex', maskable: false, prereq: 'none', writable: false, codes: [{ cls: 'nxm1', num: 106, label: 'NXM_NX_CT_ZONE' }] },
  { name: 'ct_mark', bits: 32, wireBytes: 4, at: w(W.CT_MARK), format: 'hex', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'nxm1', num: 107, label: 'NXM_NX_CT_MARK' }] },
  { name: 'ct_label', bits: 128, wireBytes: 16, at: w(W.CT_LABEL), format: 'hex', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'nxm1', num: 108, label: 'NXM_NX_CT_LABEL' }] },
  { name: 'ct_nw_src', bits: 32, wireBytes: 4, at: w(W.CT_NW_SRC), format: 'ipv4', maskable: true, prereq: 'ct', writable: false, codes: [{ cls: 'nxm1', num: 120, label: 'NXM_NX_CT_NW_SRC' }] },
  { name: 'ct_nw_dst', bits: 32, wireBytes: 4, at: w(W.CT_NW_DST), format: 'ipv4', maskable: true, prereq: 'ct', writable: false, codes: [{ cls: 'nxm1', num: 121, label: 'NXM_NX_CT_NW_DST' }] },
  { name: 'ct_ipv6_src', bits: 128, wireBytes: 16, at: w(W.CT_IPV6_SRC), format: 'ipv6', maskable: true, prereq: 'ct', writable: false, codes: [{ cls: 'nxm1', num: 122, label: 'NXM_NX_CT_IPV6_SRC' }] },
  { name: 'ct_ipv6_dst', bits: 128, wireBytes: 16, at: w(W.CT_IPV6_DST), format: 'ipv6', maskable: true, prereq: 'ct', writable: false, codes: [{ cls: 'nxm1', num: 123, label: 'NXM_NX_CT_IPV6_DST' }] },
  { name: 'ct_nw_proto', bits: 8, wireBytes: 1, at: w(W.CT_ZONE) + 16, format: 'decimal', maskable: false, prereq: 'ct', writable: false, codes: [{ cls: 'nxm1', num: 119, label: 'NXM_NX_CT_NW_PROTO' }] },
  { name: 'ct_tp_src', bits: 16, wireBytes: 2, at: w(W.CT_TP), format: 'decimal', maskable: true, prereq: 'ct', writable: false, codes: [{ cls: 'nxm1', num: 124, label: 'NXM_NX_CT_TP_SRC' }] },
  { name: 'ct_tp_dst', bits: 16, wireBytes: 2, at: w(W.CT_TP) + 16, format: 'decimal', maskable: true, prereq: 'ct', writable: false, codes: [{ cls: 'nxm1', num: 125, label: 'NXM_NX_CT_TP_DST' }] },
  { name: 'metadata', bits: 64, wireBytes: 8, at: w(W.METADATA), format: 'hex', maskable: true, prereq: 'none', writable: true, codes: [{ cls: 'oxm', num: 2, label: 'OXM_OF_METADATA', since: '1.2' }] },
  ...registerRows('reg', 16, 1, 'nxm1', 0, 'NXM_NX_REG'),
  ...registerRows('xreg', 8, 2, 'pktReg', 0, 'OXM_OF_PKT_REG'),
  ...registerRows('xxreg', 4, 4, 'nxm1', 111, 'NXM_NX_XXREG'),
  { name: 'eth_src', alias: 'dl_src', bits: 48, wireBytes: 6, at: w(W.ETH) + 48, format: 'mac', maskable: true, prereq: 'ethernet', writable: true, codes: [{ cls: 'oxm', num: 4, label: 'OXM_OF_ETH_SRC', since: '1.2' }, { cls: 'nxm0', num: 2, label: 'NXM_OF_ETH_SRC' }] },
  { name: 'eth_dst', alias: 'dl_dst', bits: 48, wireBytes: 6, at: w(W.ETH), format: 'mac', maskable: true, prereq: 'ethernet', writable: true, codes: [{ cls: 'oxm', num: 3, label: 'OXM_OF_ETH_DST', since: '1.2' }, { cls: 'nxm0', num: 1, label: 'NXM_OF_ETH_DST' }] },
  { name: 'eth_type', alias: 'dl_type', bits: 16, wireBytes: 2, at: w(W.TYPE), format: 'hex', maskable: false, prereq: 'ethernet', writable: false, codes: [{ cls: 'oxm', num: 5, label: 'OXM_OF_ETH_TYPE', since: '1.2' }, { cls: 'nxm0', num: 3, label: 'NXM_OF_ETH_TYPE' }] },
  { name: 'vlan_vid', bits: 12, wireBytes: 2, at: w(W.VLAN0) + 20, format: 'decimal', maskable: true, prereq: 'ethernet', writable: true, codes: [{ cls: 'oxm', num: 6, label: 'OXM_OF_VLAN_VID', since: '1.2' }] },
  { name: 'vlan_pcp', bits: 3, wireBytes: 1, at: w(W.VLAN0) + 16, format: 'decimal', maskable: false, prereq: 'vlan', writable: true, codes: [{ cls: 'oxm', num: 7, label: 'OXM_OF_VLAN_PCP', since: '1.2' }] },
  { name: 'vlan_tci', bits: 16, wireBytes: 2, at: w(W.VLAN0) + 16, format: 'hex', maskable: true, prereq: 'ethernet', writable: true, codes: [{ cls: 'nxm0', num: 4, label: 'NXM_OF_VLAN_TCI' }] },
  { name: 'mpls_label', bits: 20, wireBytes: 4, at: w(W.MPLS), format: 'decimal', maskable: false, prereq: 'mpls', writable: true, codes: [{ cls: 'oxm', num: 34, label: 'OXM_OF_MPLS_LABEL', since: '1.2' }] },
  { name: 'mpls_tc', bits: 3, wireBytes: 1, at: w(W.MPLS) + 20, format: 'decimal', maskable: false, prereq: 'mpls', writable: true, codes: [{ cls: 'oxm', num: 35, label: 'OXM_OF_MPLS_TC', since: '1.2' }] },
  { name: 'mpls_bos', bits: 1, wireBytes: 1, at: w(W.MPLS) + 23, format: 'decimal', maskable: false, prereq: 'mpls', writable: false, codes: [{ cls: 'oxm', num: 36, label: 'OXM_OF_MPLS_BOS', since: '1.3' }] },
  { name: 'mpls_ttl', bits: 8, wireBytes: 1, at: w(W.MPLS) + 24, format: 'decimal', maskable: false, prereq: 'mpls', writable: true, codes: [{ cls: 'nxm1', num: 30, label: 'NXM_NX_MPLS_TTL' }] },
  { name: 'ip_src', alias: 'nw_src', bits: 32, wireBytes: 4, at: w(W.NW_SRC), format: 'ipv4', maskable: true, prereq: 'ipv4', writable: true, codes: [{ cls: 'oxm', num: 11, label: 'OXM_OF_IPV4_SRC', since: '1.2' }, { cls: 'nxm0', num: 7, label: 'NXM_OF_IP_SRC' }] },
  { name: 'ip_dst', alias: 'nw_dst', bits: 32, wireBytes: 4, at: w(W.NW_DST), format: 'ipv4', maskable: true, prereq: 'ipv4', writable: true, codes: [{ cls: 'oxm', num: 12, label: 'OXM_OF_IPV4_DST', since: '1.2' }, { cls: 'nxm0', num: 8, label: 'NXM_OF_IP_DST' }] },
  { name: 'ipv6_src', bits: 128, wireBytes: 16, at: w(W.IPV6_SRC), format: 'ipv6', maskable: true, prereq: 'ipv6', writable: true, codes: [{ cls: 'oxm', num: 26, label: 'OXM_OF_IPV6_SRC', since: '1.2' }, { cls: 'nxm1', num: 19, label: 'NXM_NX_IPV6_SRC' }] },
  { name: 'ipv6_dst', bits: 128, wireBytes: 16, at: w(W.IPV6_DST), format: 'ipv6', maskable: true, prereq: 'ipv6', writable: true, codes: [{ cls: 'oxm', num: 27, label: 'OXM_OF_IPV6_DST', since: '1.2' }, { cls: 'nxm1', num: 20, label: 'NXM_NX_IPV6_DST' }] },
  { name: 'ipv6_label', bits: 20, maskBits: 32, wireBytes: 4, at: w(W.IPV6_LABEL) + 12, format: 'hex', maskable: true, prereq: 'ipv6', writable: true, codes: [{ cls: 'oxm', num: 28, label: 'OXM_OF_IPV6_FLABEL', since: '1.2' }, { cls: 'nxm1', num: 27, label: 'NXM_NX_IPV6_LABEL' }] },
  { name: 'nw_proto', alias: 'ip_proto', bits: 8, wireBytes: 1, at: w(W.TYPE) + 24, format: 'decimal', maskable: false, prereq: 'ip', writable: false, codes: [{ cls: 'oxm', num: 10, label: 'OXM_OF_IP_PROTO', since: '1.2' }, { cls: 'nxm0', num: 6, label: 'NXM_OF_IP_PROTO' }] },
  { name: 'nw_ttl', bits: 8, wireBytes: 1, at: w(W.TOS) + 8, format: 'decimal', maskable: false, prereq: 'ip', writable: true, codes: [{ cls: 'nxm1', num: 29, label: 'NXM_NX_IP_TTL' }] },
  { name: 'ip_frag', alias: 'nw_frag', bits: 2, wireBytes: 1, at: w(W.TYPE) + 16 + 6, format: 'frag', maskable: true, prereq: 'ip', writable: false, codes: [{ cls: 'nxm1', num: 26, label: 'NXM_NX_IP_FRAG' }] },
  { name: 'nw_tos', bits: 8, wireBytes: 1, at: w(W.TOS), format: 'decimal', maskable: false, prereq: 'ip', writable: true, codes: [{ cls: 'nxm0', num: 5, label: 'NXM_OF_IP_TOS' }] },
  { name: 'ip_dscp', bits: 6, wireBytes: 1, at: w(W.TOS), format: 'decimal', maskable: false, prereq: 'ip', writable: true, codes: [{ cls: 'oxm', num: 8, label: 'OXM_OF_IP_DSCP', since: '1.2' }] },
  { name: 'nw_ecn', alias: 'ip_ecn', bits: 2, wireBytes: 1, at: w(W.TOS) + 6, format: 'decimal', maskable: false, prereq: 'ip', writable: true, codes: [{ cls: 'oxm', num: 9, label: 'OXM_OF_IP_ECN', since: '1.2' }, { cls: 'nxm1', num: 28, label: 'NXM_NX_IP_ECN' }] },
  { name: 'arp_op', bits: 8, partBits: 16, wireBytes: 2, at: w(W.TYPE) + 24, format: 'decimal', maskable: false, prereq: 'arp', writable: true, codes: [{ cls: 'oxm', num: 21, label: 'OXM_OF_ARP_OP', since: '1.2' }, { cls: 'nxm0', num: 15, label: 'NXM_OF_ARP_OP' }] },
  { name: 'arp_spa', bits: 32, wireBytes: 4, at: w(W.NW_SRC), format: 'ipv4', maskable: true, prereq: 'arp', writable: true, codes: [{ cls: 'oxm', num: 22, label: 'OXM_OF_ARP_SPA', since: '1.2' }, { cls: 'nxm0', num: 16, label: 'NXM_OF_ARP_SPA' }] },
  { name: 'arp_tpa', bits: 32, wireBytes: 4, at: w(W.NW_DST), format: 'ipv4', maskable: true, prereq: 'arp', writable: true, codes: [{ cls: 'oxm', num: 23, label: 'OXM_OF_ARP_TPA', since: '1.2' }, { cls: 'nxm0', num: 17, label: 'NXM_OF_ARP_TPA' }] },
  { name: 'arp_sha', bits: 48, wireBytes: 6, at: w(W.ARP_HW), format: 'mac', maskable: true, prereq: 'arp', writable: true, codes: [{ cls: 'oxm', num: 24, label: 'OXM_OF_ARP_SHA', since: '1.2' }, { cls: 'nxm1', num: 17, label: 'NXM_NX_ARP_SHA' }] },
  { name: 'arp_tha', bits: 48, wireBytes: 6, at: w(W.ARP_HW) + 48, format: 'mac', maskable: true, prereq: 'arp', writable: true, codes: [{ cls: 'oxm', num: 25, label: 'OXM_OF_ARP_THA', since: '1.2' }, { cls: 'nxm1', num: 18, label: 'NXM_NX_ARP_THA' }] },
  { name: 'nsh_flags', bits: 8, wireBytes: 1, at: w(W.NSH), format: 'decimal', maskable: true, prereq: 'nsh', writable: true, codes: [{ cls: 'nsh', num: 1, label: 'NXOXM_NSH_FLAGS' }] },
  { name: 'nsh_ttl', bits: 8, wireBytes: 1, at: w(W.NSH) + 8, format: 'decimal', maskable: false, prereq: 'nsh', writable: true, codes: [{ cls: 'nsh', num: 10, label: 'NXOXM_NSH_TTL' }] },
  { name: 'nsh_mdtype', bits: 8, wireBytes: 1, at: w(W.NSH) + 16, format: 'decimal', maskable: false, prereq: 'nsh', writable: false, codes: [{ cls: 'nsh', num: 2, label: 'NXOXM_NSH_MDTYPE' }] },
  { name: 'nsh_np', bits: 8, wireBytes: 1, at: w(W.NSH) + 24, format: 'decimal', maskable: false, prereq: 'nsh', writable: false, codes: [{ cls: 'nsh', num: 3, label: 'NXOXM_NSH_NP' }] },
  { name: 'nsh_spi', alias: 'nsp', bits: 24, wireBytes: 4, at: w(W.NSH_PATH), format: 'hex', maskable: false, prereq: 'nsh', writable: true, codes: [{ cls: 'nsh', num: 4, label: 'NXOXM_NSH_SPI' }] },
  { name: 'nsh_si', alias: 'nsi', bits: 8, wireBytes: 1, at: w(W.NSH_PATH) + 24, format: 'decimal', maskable: false, prereq: 'nsh', writable: true, codes: [{ cls: 'nsh', num: 5, label: 'NXOXM_NSH_SI' }] },
  { name: 'nsh_c1', alias: 'nshc1', bits: 32, wireBytes: 4, at: w(W.NSH_C), format: 'hex', maskable: true, prereq: 'nsh', writable: true, codes: [{ cls: 'nsh', num: 6, label: 'NXOXM_NSH_C1' }] },
  { name: 'nsh_c2', alias: 'nshc2', bits: 32, wireBytes: 4, at: w(W.NSH_C + 1), format: 'hex', maskable: true, prereq: 'nsh', writable: true, codes: [{ cls: 'nsh', num: 7, label: 'NXOXM_NSH_C2' }] },
  { name: 'nsh_c3', alias: 'nshc3', bits: 32, wireBytes: 4, at: w(W.NSH_C + 2), format: 'hex', maskable: true, prereq: 'nsh', writable: true, codes: [{ cls: 'nsh', num: 8, label: 'NXOXM_NSH_C3' }] },
  { name: 'nsh_c4', alias: 'nshc4', bits: 32, wireBytes: 4, at: w(W.NSH_C + 3), format: 'hex', maskable: true, prereq: 'nsh', writable: true, codes: [{ cls: 'nsh', num: 9, label: 'NXOXM_NSH_C4' }] },
  { name: 'tcp_src', alias: 'tp_src', bits: 16, wireBytes: 2, at: w(W.TP), format: 'decimal', maskable: true, prereq: 'tcp', writable: true, codes: [{ cls: 'oxm', num: 13, label: 'OXM_OF_TCP_SRC', since: '1.2' }, { cls: 'nxm0', num: 9, label: 'NXM_OF_TCP_SRC' }] },
  { name: 'tcp_dst', alias: 'tp_dst', bits: 16, wireBytes: 2, at: w(W.TP) + 16, format: 'decimal', maskable: true, prereq: 'tcp', writable: true, codes: [{ cls: 'oxm', num: 14, label: 'OXM_OF_TCP_DST', since: '1.2' }, { cls: 'nxm0', num: 10, label: 'NXM_OF_TCP_DST' }] },
  { name: 'tcp_flags', bits: 12, maskBits: 16, wholeBits: 16, wireBytes: 2, at: w(W.TOS) + 20, format: 'tcpFlags', maskable: true, prereq: 'tcp', writable: false, codes: [{ cls: 'onf', num: 42, label: 'ONFOXM_ET_TCP_FLAGS', since: '1.3' }, { cls: 'oxm', num: 42, label: 'OXM_OF_TCP_FLAGS', since: '1.5' }, { cls: 'nxm1', num: 34, label: 'NXM_NX_TCP_FLAGS' }] },
  { name: 'udp_src', bits: 16, wireBytes: 2, at: w(W.TP), format: 'decimal', maskable: true, prereq: 'udp', writable: true, codes: [{ cls: 'oxm', num: 15, label: 'OXM_OF_UDP_SRC', since: '1.2' }, { cls: 'nxm0', num: 11, label: 'NXM_OF_UDP_SRC' }] },
  { name: 'udp_dst', bits: 16, wireBytes: 2, at: w(W.TP) + 16, format: 'decimal', maskable: true, prereq: 'udp', writable: true, codes: [{ cls: 'oxm', num: 16, label: 'OXM_OF_UDP_DST', since: '1.2' }, { cls: 'nxm0', num: 12, label: 'NXM_OF_UDP_DST' }] },
  { name: 'sctp_src', bits: 16, wireBytes: 2, at: w(W.TP), format: 'decimal', maskable: true, prereq: 'sctp', writable: true, codes: [{ cls: 'oxm', num: 17, label: 'OXM_OF_SCTP_SRC', since: '1.2' }] },
  { name: 'sctp_dst', bits: 16, wireBytes: 2, at: w(W.TP) + 16, format: 'decimal', maskable: true, prereq: 'sctp', writable: true, codes: [{ cls: 'oxm', num: 18, label: 'OXM_OF_SCTP_DST', since: '1.2' }] },
  { name: 'icmp_type', bits: 8, wireBytes: 1, at: w(W.TP) + 8, format: 'decimal', maskable: false, prereq: 'icmpv4', writable: true, codes: [{ cls: 'oxm', num: 19, label: 'OXM_OF_ICMPV4_TYPE', since: '1.2' }, { cls: 'nxm0', num: 13, label: 'NXM_OF_ICMP_TYPE' }] },
  { name: 'icmp_code', bits: 8, wireBytes: 1, at: w(W.TP) + 24, format: 'decimal', maskable: false, prereq: 'icmpv4', writable: true, codes: [{ cls: 'oxm', num: 20, label: 'OXM_OF_ICMPV4_CODE', since: '1.2' }, { cls: 'nxm0', num: 14, label: 'NXM_OF_ICMP_CODE' }] },
  { name: 'icmpv6_type', bits: 8, wireBytes: 1, at: w(W.TP) + 8, format: 'decimal', maskable: false, prereq: 'icmpv6', writable: true, codes: [{ cls: 'oxm', num: 29, label: 'OXM_OF_ICMPV6_TYPE', since: '1.2' }, { cls: 'nxm1', num: 21, label: 'NXM_NX_ICMPV6_TYPE' }] },
  { name: 'icmpv6_code', bits: 8, wireBytes: 1, at: w(W.TP) + 24, format: 'decimal', maskable: false, prereq: 'icmpv6', writable: true, codes: [{ cls: 'oxm', num: 30, label: 'OXM_OF_ICMPV6_CODE', since: '1.2' }, { cls: 'nxm1', num: 22, label: 'NXM_NX_ICMPV6_CODE' }] },
  { name: 'nd_target', bits: 128, wireBytes: 16, at: w(W.ND_TARGET), format: 'ipv6', maskable: true, prereq: 'nd', writable: true, codes: [{ cls: 'oxm', num: 31, label: 'OXM_OF_IPV6_ND_TARGET', since: '1.2' }, { cls: 'nxm1', num: 23, label: 'NXM_NX_ND_TARGET' }] },
  { name: 'nd_sll', bits: 48, wireBytes: 6, at: w(W.ARP_HW), format: 'mac', maskable: true, prereq: 'ndSolicit', writable: true, codes: [{ cls: 'oxm', num: 32, label: 'OXM_OF_IPV6_ND_SLL', since: '1.2' }, { cls: 'nxm1', num: 24, label: 'NXM_NX_ND_SLL' }] },
  { name: 'nd_tll', bits: 48, wireBytes: 6, at: w(W.ARP_HW) + 48, format: 'mac', maskable: true, prereq: 'ndAdvert', writable: true, codes: [{ cls: 'oxm', num: 33, label: 'OXM_OF_IPV6_ND_TLL', since: '1.2' }, { cls: 'nxm1', num: 25, label: 'NXM_NX_ND_TLL' }] },
  { name: 'nd_reserved', bits: 32, wireBytes: 4, at: w(W.ND_RESERVED), format: 'decimal', maskable: false, prereq: 'nd', writable: true, codes: [{ cls: 'eric', num: 1, label: 'ERICOXM_OF_ICMPV6_ND_RESERVED' }] },
  { name: 'nd_options_type', bits: 8, wireBytes: 1, at: w(W.ND_OPTIONS), format: 'decimal', maskable: false, prereq: 'nd', writable: true, codes: [{ cls: 'eric', num: 2, label: 'ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE' }] },
];

/** The number of a tun_metadata field, -1 for all others. A TLV table gives it a place. */
export const tunFieldIndex = (field: FieldRow): number =>
  field.at >= w(W.TUN_METADATA) && field.at < w(W.TUN_METADATA_MAP) ? field.codes[0]!.num - FIRST_TUN_METADATA : -1;

/** A tun_metadata field where and as wide as a TLV table says. */
export function placedTunField(index: number, at: number, bytes: number): Field {
  const { isUnplaced: _, ...named } = mustField(`tun_metadata${index}`);
  return { ...named, at, bits: bytes * 8, wireBytes: bytes };
}

/** Every field, in the order in which matches are printed on the wire. */
export const FIELDS: readonly Field[] = rows.map((row, id) => ({ ...row, id }));

const byName = new Map<string, Field>();
for (const field of FIELDS) {
  byName.set(field.name, field);
  if (field.alias !== undefined) byName.set(field.alias, field);
}

/** The field of that name or alias; undefined when there is none. */
export const fieldNamed = (name: string): Field | undefined => byName.get(name);

/** How many bits a field has for those who name parts of it. */
export const partBits = (field: Field): number => field.partBits ?? field.bits;

/** Bits that a mask of the field may have set. */
export const maskBits = (field: Field): number => field.maskBits ?? field.bits;

/** The mask of a match on all of a field. */
export const wholeMask = (field: Field): bigint => (1n << BigInt(field.wholeBits ?? field.bits)) - 1n;

/** The field of that name; a mistake in our own code when there is none. */
export function mustField(name: string): Field {
  const field = byName.get(name);
  if (field === undefined) throw new Error(`no field ${name}`);
  return field;
}
