// Numbers and names shared by the action codecs and the action text. Facts: ovs-actions(7).
import type { PacketInReason } from '../../action.ts';

/** Experimenter (vendor) of Nicira extensions. */
export const NX_VENDOR = 0x00002320;
/** Experimenter of the Open Networking Foundation's extensions. */
export const ONF_VENDOR = 0x4f4e4600;

/** Reasons of packet-ins by wire number in OpenFlow 1.4 and in Nicira messages. */
export const PACKET_IN_REASONS: readonly PacketInReason[] = [
  'no_match',
  'action',
  'invalid_ttl',
  'action_set',
  'group',
  'packet_out',
  'explicit_miss',
  'implicit_miss',
];

/** Subtypes of Nicira actions. */
export const NXAST = {
  RESUBMIT: 1,
  SET_TUNNEL: 2,
  SET_QUEUE: 4,
  POP_QUEUE: 5,
  REG_MOVE: 6,
  REG_LOAD: 7,
  NOTE: 8,
  SET_TUNNEL64: 9,
  MULTIPATH: 10,
  BUNDLE: 12,
  BUNDLE_LOAD: 13,
  RESUBMIT_TABLE: 14,
  OUTPUT_REG: 15,
  LEARN: 16,
  EXIT: 17,
  DEC_TTL: 18,
  FIN_TIMEOUT: 19,
  CONTROLLER: 20,
  DEC_TTL_CNT_IDS: 21,
  WRITE_METADATA: 22,
  PUSH_MPLS: 23,
  POP_MPLS: 24,
  SET_MPLS_TTL: 25,
  DEC_MPLS_TTL: 26,
  STACK_PUSH: 27,
  STACK_POP: 28,
  SAMPLE: 29,
  SET_MPLS_LABEL: 30,
  SET_MPLS_TC: 31,
  OUTPUT_REG2: 32,
  REG_LOAD2: 33,
  CONJUNCTION: 34,
  CT: 35,
  NAT: 36,
  CONTROLLER2: 37,
  SAMPLE2: 38,
  OUTPUT_TRUNC: 39,
  GROUP: 40,
  SAMPLE3: 41,
  CLONE: 42,
  CT_CLEAR: 43,
  RESUBMIT_TABLE_CT: 44,
  LEARN2: 45,
  ENCAP: 46,
  DECAP: 47,
  DEC_NSH_TTL: 48,
  CHECK_PKT_LARGER: 49,
  DELETE_FIELD: 50,
  DEBUG_SLOW: 254,
  DEBUG_RECIRC: 255,
} as const;

/** Hash field sets of bundle and multipath by wire number. */
export const HASH_FIELDS = ['eth_src', 'symmetric_l4', 'symmetric_l3l4', 'symmetric_l3l4+udp', 'nw_src', 'nw_dst', 'symmetric_l3'] as const;
export const MULTIPATH_ALGORITHMS = ['modulo_n', 'hash_threshold', 'hrw', 'iter_hash'] as const;
export const BUNDLE_ALGORITHMS = ['active_backup', 'hrw'] as const;
export const SAMPLE_DIRECTIONS = ['', 'ingress', 'egress'] as const;
export const NAT_FLAG = { SRC: 1, DST: 2, PERSISTENT: 4, HASH: 8, RANDOM: 16 } as const;
export const NAT_RANGE = { V4_MIN: 1, V4_MAX: 2, V6_MIN: 4, V6_MAX: 8, PORT_MIN: 16, PORT_MAX: 32 } as const;
/** "Use the next protocol" of decap. */
export const PT_USE_NEXT_PROTO = 0xfffe;
/** Connection tracking helpers by the port that names them on the wire. */
export const CT_ALG: ReadonlyMap<number, string> = new Map([
  [21, 'ftp'],
  [69, 'tftp'],
]);

/** The type of an experimenter's action. */
export const EXPERIMENTER = 0xffff;
