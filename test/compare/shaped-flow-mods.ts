// Flow mods read by the shapes of others, beside the same read alone: whatever has been read before, and however damaged they are.
import { deepStrictEqual } from 'node:assert';
import { PeerError } from '../../src/base/errors.ts';
import { type Match, newKey } from '../../src/flow/key.ts';
import { unpackMatch } from '../../src/flow/mask.ts';
import { normalizeMatch } from '../../src/flow/normal-match.ts';
import { ByteReader } from '../../src/openflow/codec/bytes.ts';
import { decodeMessage } from '../../src/openflow/codec/codec.ts';
import { decodeOxmMatch } from '../../src/openflow/codec/fields/oxm.ts';
import type { Message } from '../../src/openflow/message.ts';

const OFPT_FLOW_MOD = 14;
const OXM_MATCH_AT = 48;
const INNER_AT = 16;

/** What decoding gives, in one form for all ways; the code of the fault where it gives none. */
function outcome(bytes: Uint8Array, way: 'packed' | 'whole' | 'alone'): unknown {
  try {
    const framed = decodeMessage(bytes, { packsFlows: way === 'packed' });
    if (framed.message.kind === 'bundleAdd') return bundled(bytes, framed.message, way);
    if (framed.message.kind !== 'flowMod') return framed;
    const { match: whole, packed, fitting: _remembered, ...rest } = framed.message;
    let decoded: Match = packed === undefined ? whole : unpackMatch(packed.mask, packed.values);
    // OpenFlow 1.1 has another match beside OXM, which nothing is learned from.
    const isOxm = framed.version >= 3 && bytes[1] === OFPT_FLOW_MOD && bytes[OXM_MATCH_AT + 1] === 1;
    if (way === 'alone' && isOxm) decoded = decodeOxmMatch(new ByteReader(bytes.subarray(OXM_MATCH_AT))).match;
    const { key, mask } = normalizeMatch(decoded, { key: newKey(), mask: newKey() });
    return { ...framed, message: rest, key: [...key], mask: [...mask] };
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    return error.code;
  }
}

/** What is in a bundle's message, read as a switch reads it when it gets there. */
function bundled(
  bytes: Uint8Array,
  { inner, decoded }: Extract<Message, { kind: 'bundleAdd' }>,
  way: 'packed' | 'whole' | 'alone',
): unknown {
  if (decoded instanceof PeerError) return decoded.code;
  return outcome(decoded === undefined ? inner : bytes.subarray(INNER_AT), way);
}

/** Throws when a flow mod is not read the same in all ways. */
export function sameInAllWays(bytes: Uint8Array): void {
  const alone = outcome(bytes, 'alone');
  for (const way of ['packed', 'whole', 'packed'] as const) deepStrictEqual(outcome(bytes, way), alone);
}
