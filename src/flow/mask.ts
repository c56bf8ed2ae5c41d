// Packed masks and values: only the words that a mask touches. A rule keeps packed values and shares its packed mask with every rule of
// the same mask, so that 100,000 rules cost tens of bytes each and not two keys of 660 bytes.
import { impliesEthernet } from './implied-type.ts';
import { KEY_WORDS, type Key, type Match, matchAll, type TunField, W } from './key.ts';

/** A mask as (word, bits) pairs in ascending order of stage, then word. One object for each distinct mask: compare by identity. */
export interface PackedMask {
  /** Index into the key. A word whose bits belong to two stages stands twice. */
  readonly words: Uint8Array;
  readonly bits: Uint32Array;
  /** Ends of the stages in `words`: metadata, Ethernet, network, transport. The last is `words.length`. */
  readonly ends: readonly [number, number, number, number];
  /** It asks for fields of a packet without its type, and so for type 0, as if that stood in the first stage. */
  readonly isForEthernet: boolean;
}

/** Stages of a lookup: fields that change least come first, so that a miss there leaves the later ones wildcarded. */
const STAGE_METADATA = 0;
const STAGE_ETHERNET = 1;
const STAGE_NETWORK = 2;
const STAGE_TRANSPORT = 3;

/** Words that stand in two stages: their upper half (Ethernet type, type of service and TTL) in that of the word, the lower one in the next. */
const isSplit = (word: number): boolean => word === W.TYPE || word === W.TOS;

const stageOfWord = new Uint8Array(KEY_WORDS).fill(STAGE_METADATA);
const stage = (from: number, count: number, at: number): void => void stageOfWord.fill(at, from, from + count);
stage(W.ETH, 3, STAGE_ETHERNET);
stage(W.TYPE, 1, STAGE_ETHERNET);
stage(W.VLAN0, 1, STAGE_ETHERNET);
stage(W.VLAN1, 1, STAGE_ETHERNET);
stage(W.MPLS, 3, STAGE_ETHERNET);
stage(W.NW_SRC, 2, STAGE_NETWORK);
stage(W.TOS, 1, STAGE_NETWORK);
stage(W.IPV6_LABEL, 9, STAGE_NETWORK);
stage(W.CT_NW_SRC, 2, STAGE_NETWORK);
stage(W.CT_IPV6_SRC, 8, STAGE_NETWORK);
stage(W.ND_TARGET, 4, STAGE_TRANSPORT);
stage(W.ARP_HW, 3, STAGE_TRANSPORT);
stage(W.ND_RESERVED, 2, STAGE_TRANSPORT);
stage(W.NSH, 6, STAGE_TRANSPORT);
stage(W.TP, 1, STAGE_TRANSPORT);
stage(W.CT_TP, 1, STAGE_TRANSPORT);
stage(W.IGMP_GROUP, 1, STAGE_TRANSPORT);

// Weak, so that masks which no rule has any more are forgotten however many a peer makes.
const interned = new Map<string, WeakRef<PackedMask>>();
const gone = new FinalizationRegistry<string>((id) => {
  if (interned.get(id)?.deref() === undefined) interned.delete(id);
});

/** The packed form of `mask`. */
export function packMask(mask: Key): PackedMask {
  let hash = 0;
  for (let word = 0; word < KEY_WORDS; word++) {
    const bits = mask[word]!;
    if (bits !== 0) hash = Math.imul((hash ^ word) + bits, 0x9e3779b1) ^ (hash >>> 15);
  }
  const slot = (hash ^ (hash >>> 16)) & (RECENT_SIZE - 1);
  const recent = RECENT[slot];
  if (recent !== undefined && isPackedOf(recent, mask)) return recent;
  const packed = internMask(mask);
  RECENT[slot] = packed;
  return packed;
}

/** Masks packed lately, by a hash of theirs: most masks are those of many flows. */
const RECENT_SIZE = 256;
const RECENT: (PackedMask | undefined)[] = new Array(RECENT_SIZE).fill(undefined);

function isPackedOf(packed: PackedMask, mask: Key): boolean {
  const { words, bits } = packed;
  let count = 0;
  for (let word = 0; word < KEY_WORDS; word++) if (mask[word] !== 0) count++;
  let inTwo = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!isSplit(word)) {
      if (bits[i] !== mask[word]) return false;
      continue;
    }
    const whole = mask[word]!;
    if (bits[i] !== (whole & 0xffff0000) >>> 0 && bits[i] !== (whole & 0xffff)) return false;
    if ((whole & 0xffff0000) !== 0 && (whole & 0xffff) !== 0) inTwo++;
  }
  // A word in two stages stands twice.
  return count === words.length - inTwo / 2;
}

function internMask(mask: Key): PackedMask {
  let id = '';
  for (let word = 0; word < KEY_WORDS; word++) {
    const bits = mask[word]!;
    if (bits !== 0) id += `${word}:${bits},`;
  }
  const known = interned.get(id)?.deref();
  if (known !== undefined) return known;
  const perStage: [number, number][][] = [[], [], [], []];
  for (let word = 0; word < KEY_WORDS; word++) {
    const bits = mask[word]!;
    if (bits === 0) continue;
    const own = stageOfWord[word]!;
    if (!isSplit(word)) {
      perStage[own]!.push([word, bits]);
      continue;
    }
    const upper = (bits & 0xffff0000) >>> 0;
    if (upper !== 0) perStage[own]!.push([word, upper]);
    if ((bits & 0xffff) !== 0) perStage[own + 1]!.push([word, bits & 0xffff]);
  }
  const flat = perStage.flat();
  let end = 0;
  const ends = perStage.map((pairs) => (end += pairs.length)) as [number, number, number, number];
  const words = flat.map(([word]) => word);
  const packed: PackedMask = {
    words: Uint8Array.from(words),
    bits: Uint32Array.from(flat, (p) => p[1]),
    ends,
    isForEthernet: impliesEthernet(
      words,
      flat.map((p) => p[1]),
    ),
  };
  interned.set(id, new WeakRef(packed));
  gone.register(packed, id);
  return packed;
}

/** Values under a packed mask, in its order, as signed numbers: a small list of those takes a third of the room of a typed array. */
export type PackedValues = readonly number[];

/** The values of `key` under a mask. */
export function packValues(mask: PackedMask, key: Key): PackedValues {
  const { words, bits } = mask;
  const values = new Array<number>(words.length);
  for (let i = 0; i < words.length; i++) values[i] = key[words[i]!]! & bits[i]!;
  return values;
}

/** A match in little room. */
export interface PackedMatch {
  readonly mask: PackedMask;
  readonly values: PackedValues;
  readonly tunFields?: readonly TunField[] | undefined;
}

export function packMatch({ key, mask, tunFields }: Match): PackedMatch {
  const packed = packMask(mask);
  return { mask: packed, values: packValues(packed, key), tunFields };
}

/** The packed form of a match in either. */
export const asPacked = (match: Match | PackedMatch): PackedMatch => ('values' in match ? match : packMatch(match));

/** Writes what was packed over `match`. */
export function unpackInto(match: Match, { mask, values, tunFields }: PackedMatch): Match {
  match.key.fill(0);
  match.mask.fill(0);
  if (tunFields !== undefined) match.tunFields = tunFields;
  else if (match.tunFields !== undefined) delete match.tunFields;
  for (let i = 0; i < values.length; i++) {
    const word = mask.words[i]!;
    match.key[word] = match.key[word]! | values[i]!;
    match.mask[word] = match.mask[word]! | mask.bits[i]!;
  }
  return match;
}

/** The match that was packed. */
export function unpackMatch(mask: PackedMask, values: PackedValues): Match {
  const match = matchAll();
  for (let i = 0; i < values.length; i++) {
    const word = mask.words[i]!;
    match.key[word] = match.key[word]! | values[i]!;
    match.mask[word] = match.mask[word]! | mask.bits[i]!;
  }
  return match;
}

/** Whether every bit of `criteria` is also a bit of `mask`. */
export function maskCovers(mask: PackedMask, criteria: PackedMask): boolean {
  if (mask === criteria) return true;
  if (criteria.isForEthernet && !mask.isForEthernet) return false;
  let j = 0;
  for (let i = 0; i < criteria.words.length; i++) {
    const word = criteria.words[i]!;
    j = 0;
    let bits = word === W.PACKET_TYPE && mask.isForEthernet ? -1 : 0;
    for (; j < mask.words.length; j++) if (mask.words[j] === word) bits |= mask.bits[j]!;
    if ((criteria.bits[i]! & ~bits) !== 0) return false;
  }
  return true;
}

/** The values of a rule under a mask that its own mask covers. */
export function valuesAgree(mask: PackedMask, values: PackedValues, criteria: PackedMask, wanted: PackedValues): boolean {
  if (mask === criteria) {
    for (let i = 0; i < wanted.length; i++) if (values[i] !== wanted[i]) return false;
    return true;
  }
  for (let i = 0; i < criteria.words.length; i++) {
    const word = criteria.words[i]!;
    let value = 0;
    for (let j = 0; j < mask.words.length; j++) if (mask.words[j] === word) value |= values[j]!;
    if (((value & criteria.bits[i]!) ^ wanted[i]!) !== 0) return false;
  }
  return true;
}

/** Whether a match names a packet type that is not that of Ethernet frames. */
const namesOtherType = ({ words }: PackedMask, values: PackedValues): boolean =>
  words.some((word, i) => word === W.PACKET_TYPE && values[i] !== 0);

/** Whether two matches can both hold for one key. */
export function matchesOverlap(a: PackedMask, av: PackedValues, b: PackedMask, bv: PackedValues): boolean {
  if ((a.isForEthernet && namesOtherType(b, bv)) || (b.isForEthernet && namesOtherType(a, av))) return false;
  for (let i = 0; i < a.words.length; i++) {
    for (let j = 0; j < b.words.length; j++) {
      if (a.words[i] === b.words[j] && ((av[i]! ^ bv[j]!) & a.bits[i]! & b.bits[j]!) !== 0) return false;
    }
  }
  return true;
}
