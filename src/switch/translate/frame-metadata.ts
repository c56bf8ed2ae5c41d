// What a controller is told of a frame beside its bytes: the pipeline's fields of a packet-in (OpenFlow 1.5.1 section 7.4.1).
import { copyMatch, type Key, keyBits, type Match, matchAll, W } from '../../flow/key.ts';
import { addTunField } from '../../flow/tun-fields.ts';
import type { TlvTable } from '../../openflow/tlv-table.ts';
import { CT_WORDS } from './subfield.ts';
import { presentFields } from './tunnel-options.ts';

const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);
/** Of the outer header, what identifies the tunnel. */
export const TUNNEL_WORDS = [W.TUN_ID, W.TUN_ID + 1, W.TUN_SRC, W.TUN_DST, ...range(W.TUN_IPV6_SRC, 8), W.TUN_GBP];
const METADATA_WORDS = [...TUNNEL_WORDS.filter((word) => word > W.TUN_ID + 1), ...range(W.REGS, 16)];
/** The bits of ct_state that there are. */
const KNOWN_STATES = 0xff;
/** Values of two words, of which both count when one is not zero. */
const METADATA_PAIRS = [W.TUN_ID, W.METADATA];

/** The same with its mark and, where the walk knew of it, what connection tracking says of it; both the frame brings itself. */
export function withFrameMetadata(match: Match, frameKey: Key, isConntracked: boolean): Match {
  const isTracked = isConntracked && frameKey[W.CT_STATE] !== 0;
  if (!isTracked && frameKey[W.PKT_MARK] === 0) return match;
  const both = copyMatch(match);
  for (const word of isTracked ? [W.PKT_MARK, ...CT_WORDS] : [W.PKT_MARK]) {
    const bits = frameKey[word]!;
    if (bits === 0) continue;
    // The zone shares its word with the protocol of the connection's first packet.
    const mask =
      word === W.CT_STATE
        ? KNOWN_STATES
        : word === W.CT_ZONE
          ? bits >>> 16 === 0
            ? 0xff00
            : (bits & 0xff00) === 0
              ? 0xffff0000
              : 0xffffff00
          : 0xffffffff;
    both.key[word] = bits & mask;
    both.mask[word] = mask;
  }
  // Addresses of that packet need the type of its protocol.
  if (isTracked) {
    both.key[W.TYPE] = frameKey[W.TYPE]! & 0xffff0000;
    both.mask[W.TYPE] = 0xffff0000;
  }
  return both;
}

/** The pipeline fields that a packet-in carries: in_port always, the others where they are not zero. */
export function metadataOf(key: Key, table?: TlvTable): Match {
  const match = matchAll();
  match.key[W.IN_PORT] = key[W.IN_PORT]!;
  match.mask[W.IN_PORT] = 0xffffffff;
  for (const word of METADATA_WORDS) {
    if (key[word] === 0) continue;
    match.key[word] = key[word]!;
    match.mask[word] = 0xffffffff;
  }
  for (const word of METADATA_PAIRS) {
    if (key[word] === 0 && key[word + 1] === 0) continue;
    match.key.set(key.subarray(word, word + 2), word);
    match.mask.fill(0xffffffff, word, word + 2);
  }
  const fields = table === undefined ? [] : presentFields(key, table);
  for (const field of fields) addTunField(match, field, keyBits(key, field.at, field.bits), (1n << BigInt(field.bits)) - 1n);
  return match;
}
