// OXM matches read by the shapes of those before them (`match-shape.ts`), as whole matches: the way of controllers and of commands.
import { matchAll } from '../../../flow/key.ts';
import { packMatch, unpackInto } from '../../../flow/mask.ts';
import type { ByteReader } from '../bytes.ts';
import { type DecodedMatch, decodeOxmMatch } from '../fields/oxm.ts';
import { MatchShape, MatchShapes } from './match-shape.ts';

/** Longer matches are few, and no peer shall fill memory with them. */
const MAX_SIZE = 256;

const shapes = new MatchShapes();

/** Reads an OXM match with its envelope, as `decodeOxmMatch` does. */
export function decodeShapedOxm(from: ByteReader): DecodedMatch {
  const { bytes, at } = from;
  const length = from.left < 4 ? 0 : (bytes[at + 2]! << 8) | bytes[at + 3]!;
  const size = (length + 7) & ~7;
  const mayFit = length >= 4 && size <= from.left && size <= MAX_SIZE;
  const shape = mayFit ? shapes.find(bytes, at, size) : undefined;
  if (shape !== undefined) {
    from.skip(size);
    return { match: unpackInto(matchAll(), { mask: shape.mask, values: shape.read(bytes, at) }) };
  }
  const decoded = decodeOxmMatch(from);
  if (mayFit && decoded.match.tunFields === undefined) {
    const learned = MatchShape.learn(bytes, at, size, 4, length - 4, packMatch(decoded.match));
    if (learned !== undefined) shapes.add(learned);
  }
  return decoded;
}
