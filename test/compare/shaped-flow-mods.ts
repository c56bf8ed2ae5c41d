// Flow mods read by the shapes of others, beside the same read alone: whatever has been read before, and however damaged they are.
import { deepStrictEqual } from 'node:assert';
import { PeerError } from '../../src/base/errors.ts';
import { type Match, newKey } from '../../src/flow/key.ts';
import { unpackMatch } from '../../src/flow/mask.ts';
import { normalizeMatch } from '../../src/flow/normal-match.ts';
import { ByteReader } from '../../src/openflow/codec/bytes.ts';
import { decodeMessage } from '../../src/openflow/codec/codec.ts';
import { decodeOxmMatch } from '../../src/openflow/codec/oxm.ts';

const OXM_MATCH_AT = 48;

/** What decoding gives, in one form for all ways; the code of the fault where it gives none. */
function outcome(bytes: Uint8Array, way: 'packed' | 'whole' | 'alone'): unknown {
  try {
    const framed = decodeMessage(bytes, { packsFlows: way === 'packed' });
    if (framed.message.kind !== 'flowMod') return framed;
    const { match: whole, packed, ...rest } = framed.message;
    let decoded: Match = packed === undefined ? whole : unpackMatch(packed.mask, packed.values);
    if (way === 'alone' && framed.version >= 3 && bytes[1] === 14)
      decoded = decodeOxmMatch(new ByteReader(bytes.subarray(OXM_MATCH_AT))).match;
    const { key, mask } = normalizeMatch(decoded, { key: newKey(), mask: newKey() });
    return { ...framed, message: rest, key: [...key], mask: [...mask] };
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    return error.code;
  }
}

/** Throws when a flow mod is not read the same in all ways. */
export function sameInAllWays(bytes: Uint8Array): void {
  const alone = outcome(bytes, 'alone');
  for (const way of ['packed', 'whole', 'packed'] as const) deepStrictEqual(outcome(bytes, way), alone);
}
