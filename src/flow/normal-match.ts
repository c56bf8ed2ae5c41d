// The one form of a match that tables keep.
import { copyMatch, KEY_WORDS, type Match, W } from './key.ts';

/** Whether a match is in that form already: most are, and need no copy. */
function isNormal({ key, mask }: Match): boolean {
  const inPort = mask[W.IN_PORT];
  if (inPort !== 0 && inPort !== 0xffffffff) return false;
  for (let i = 0; i < KEY_WORDS; i++) if ((key[i]! & ~mask[i]!) !== 0) return false;
  return true;
}

/** A match in the one form that tables keep: in_port is matched in all of its word, no value bit outside the mask. `scratch` may be given for what has to be written anew. */
export function normalizeMatch(match: Match, scratch?: Match): Match {
  if (isNormal(match)) return match;
  const normal = scratch ?? copyMatch(match);
  if (scratch !== undefined) {
    scratch.key.set(match.key);
    scratch.mask.set(match.mask);
    if (match.tunFields === undefined) delete scratch.tunFields;
    else scratch.tunFields = match.tunFields;
  }
  if (normal.mask[W.IN_PORT] !== 0) {
    normal.mask[W.IN_PORT] = 0xffffffff;
    normal.key[W.IN_PORT] = normal.key[W.IN_PORT]! & 0xffff;
  }
  for (let i = 0; i < KEY_WORDS; i++) normal.key[i] = normal.key[i]! & normal.mask[i]!;
  return normal;
}
