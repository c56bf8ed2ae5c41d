// The flow key: what a frame and its metadata say, as 32-bit words in one Uint32Array.
//
// One layout serves OpenFlow matches, the classifier, megaflows and eBPF. A mask is a second array of the same shape.
// Multi-word values stand most significant word first; a field's place is a bit offset, bit 0 being the top bit of word 0.
// Words below W.DP_END exist in the datapath; the rest (registers, metadata, action set) live only while OpenFlow tables are walked.
// Hot words come first, so that an Ethernet + IPv4 + TCP/UDP key is the first ten words.
//
// Shared places: arp_op = nw_proto, arp_spa/arp_tpa = nw_src/nw_dst, nd_sll/nd_tll = arp_sha/arp_tha, ICMP type and code are the
// 16-bit values of tp_src and tp_dst. Register xregN is regs 2N (upper) and 2N+1; xxregN is regs 4N..4N+3.

export const W = {
  /** Port number, in the space of whoever holds the key: datapath port below the switch, OpenFlow port (16 bits) in tables. */
  IN_PORT: 0,
  /** eth_dst (48 bits), then eth_src (48 bits). */
  ETH: 1,
  /** eth_type (16) | nw_frag (8: bit 0 any, bit 1 later) | nw_proto (8). eth_type below 0x600 frames is 0x05ff. */
  TYPE: 4,
  /** Outer VLAN: TPID (16) | TCI (16, bit 12 set when a tag is present). 0 = no tag. */
  VLAN0: 5,
  NW_SRC: 6,
  NW_DST: 7,
  /** tp_src (16) | tp_dst (16) */
  TP: 8,
  /** nw_tos (8) | nw_ttl (8) | tcp_flags (16) */
  TOS: 9,
  RECIRC_ID: 10,
  CT_STATE: 11,
  /** ct_zone (16) | ct_nw_proto (8) | 0 (8) */
  CT_ZONE: 12,
  CT_MARK: 13,
  DP_HASH: 14,
  SKB_PRIORITY: 15,
  PKT_MARK: 16,
  /** Inner VLAN tag, as VLAN0. */
  VLAN1: 17,
  /** Namespace (16) | type (16); 0 is Ethernet. */
  PACKET_TYPE: 18,
  IPV6_LABEL: 19,
  IPV6_SRC: 20,
  IPV6_DST: 24,
  ND_TARGET: 28,
  /** arp_sha/nd_sll (48), arp_tha/nd_tll (48) */
  ARP_HW: 32,
  /** Three label stack entries as on the wire, outermost first. */
  MPLS: 35,
  IGMP_GROUP: 38,
  ND_RESERVED: 39,
  /** nd_options_type (8) in the top byte. */
  ND_OPTIONS: 40,
  CT_LABEL: 41,
  CT_NW_SRC: 45,
  CT_NW_DST: 46,
  /** ct_tp_src (16) | ct_tp_dst (16) */
  CT_TP: 47,
  CT_IPV6_SRC: 48,
  CT_IPV6_DST: 52,
  TUN_ID: 56,
  TUN_SRC: 58,
  TUN_DST: 59,
  TUN_IPV6_SRC: 60,
  TUN_IPV6_DST: 64,
  /** tun_flags (16; see TUN_FLAG) | tos (8) | ttl (8) */
  TUN_FLAGS: 68,
  /** Outer transport ports: source (16) | destination (16) */
  TUN_TP: 69,
  /** gbp_id (16) | gbp_flags (8) | erspan_ver (8) */
  TUN_GBP: 70,
  TUN_ERSPAN_IDX: 71,
  /** erspan_dir (8) | erspan_hwid (8) | gtpu_flags (8) | gtpu_msgtype (8) */
  TUN_EXTRA: 72,
  /** flags (8) | ttl (8) | mdtype (8) | np (8) */
  NSH: 73,
  /** spi (24) | si (8) */
  NSH_PATH: 74,
  NSH_C: 75,
  /**
   * In tables: 256 bytes of option data placed by the bridge's TLV table, then a 64-bit map of the tun_metadata fields present.
   * In the datapath: the Geneve options of the outer header as they came, then their size in bytes.
   */
  TUN_METADATA: 79,
  TUN_METADATA_MAP: 143,
  DP_END: 145,
  METADATA: 145,
  ACTSET_OUTPUT: 147,
  REGS: 148,
  CONJ_ID: 164,
} as const;

/** Words in a key. */
export const KEY_WORDS = 165;

/** Bits of the 16 tunnel flags. Only OAM is an OpenFlow field. */
export const TUN_FLAG = { OAM: 1 << 0, DONT_FRAGMENT: 1 << 1, CSUM: 1 << 2, KEY: 1 << 3 } as const;

/** Bits of nw_frag. */
export const FRAG = { ANY: 1, LATER: 2 } as const;

/** Bits of ct_state. */
export const CT_STATE = { NEW: 1, EST: 2, REL: 4, RPL: 8, INV: 16, TRK: 32, SNAT: 64, DNAT: 128 } as const;

/** "VLAN tag present", bit 12 of a TCI. */
export const VLAN_CFI = 0x1000;

export type Key = Uint32Array;

/** A key of zeros. */
export const newKey = (): Key => new Uint32Array(KEY_WORDS);

/** Keys that their owners have given back: one lies outside the collector's own memory, so that to make it anew costs a microsecond. */
const SPARE_KEYS: Key[] = [];
const MAX_SPARE_KEYS = 64;

/** A key of zeros that may be given back. */
export function takeKey(): Key {
  const key = SPARE_KEYS.pop();
  return key === undefined ? newKey() : key.fill(0);
}

/** A copy that may be given back. */
export function copyKey(from: Key): Key {
  const key = from.length === KEY_WORDS ? SPARE_KEYS.pop() : undefined;
  if (key === undefined) return from.slice();
  key.set(from);
  return key;
}

/** Gives back a key that nobody has a hold of any more. */
export function giveKey(key: Key): void {
  if (SPARE_KEYS.length < MAX_SPARE_KEYS && key.length === KEY_WORDS) SPARE_KEYS.push(key);
}

/** Bits [offset, offset+bits) of a key as a bigint; any width. Not for the frame path. */
export function keyBits(key: ArrayLike<number>, offset: number, bits: number): bigint {
  let value = 0n;
  let at = offset;
  let left = bits;
  while (left > 0) {
    const inWord = at & 31;
    const take = Math.min(32 - inWord, left);
    const part = ((key[at >> 5] ?? 0) >>> (32 - inWord - take)) & (take === 32 ? 0xffffffff : (1 << take) - 1);
    value = (value << BigInt(take)) | BigInt(part >>> 0);
    at += take;
    left -= take;
  }
  return value;
}

/** Stores `value` in bits [offset, offset+bits) of a key. Not for the frame path. */
export function setKeyBits(key: Key, offset: number, bits: number, value: bigint): void {
  let end = offset + bits;
  let left = bits;
  let rest = value;
  while (left > 0) {
    const lastInWord = ((end - 1) & 31) + 1;
    const take = Math.min(lastInWord, left);
    const low = take === 32 ? 0xffffffff : (1 << take) - 1;
    const shift = 32 - lastInWord;
    const word = (end - 1) >> 5;
    const part = Number(rest & BigInt(low >>> 0));
    key[word] = (((key[word] ?? 0) & ~(low << shift)) | (part << shift)) >>> 0;
    rest >>= BigInt(take);
    end -= take;
    left -= take;
  }
}

/** A match: `key` holds no bit that `mask` does not. */
export interface Match {
  key: Key;
  mask: Key;
  /** The tun_metadata fields matched, with the places that they have in this match. */
  tunFields?: readonly TunField[];
}

/** A tun_metadata field in a key: where it lies there and the bytes that its value takes at least on the wire. */
export interface TunField {
  /** 0 to 63 */
  index: number;
  /** Bit offset and width in the key. */
  at: number;
  bits: number;
  wireBytes: number;
  /** Its place is that of a TLV table, which knows how long the option is. */
  isBound: boolean;
  /** Its mask is told although it is all ones: it was one of fewer bytes than an option may have. */
  isMasked?: boolean;
}

/** The bit of a key that says that a tun_metadata field is there. */
export const tunPresentBit = (index: number): number => W.TUN_METADATA_MAP * 32 + index;

/** A copy that may be changed. */
export const copyMatch = (match: Match): Match => ({ ...match, key: match.key.slice(), mask: match.mask.slice() });
/** Matches that their owners have given back: to make one anew costs more than to read a message. */
const SPARE: Match[] = [];
const MAX_SPARE = 64;

/** The match of everything. */
export const matchAll = (): Match => SPARE.pop() ?? { key: newKey(), mask: newKey() };

/** Gives back a match that nobody has a hold of any more, from `matchAll` or `unpackMatch`. */
export function recycleMatch(match: Match): void {
  if (SPARE.length >= MAX_SPARE) return;
  match.key.fill(0);
  match.mask.fill(0);
  delete match.tunFields;
  SPARE.push(match);
}
