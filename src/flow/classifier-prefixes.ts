// The fields whose prefixes a classifier may keep track of (Flow_Table:prefixes), and for each a trie as wide as the field: one trie of 32
// bits for the first word; below a whole word that rules spell, one for the next word.
import { PrefixTrie, topMask } from './classifier-trie.ts';
import { type Key, W } from './key.ts';
import type { PackedMask, PackedValues } from './mask.ts';

export interface PrefixField {
  name: string;
  /** Words of the key, the most significant first. */
  words: readonly number[];
  /** In which stage of a lookup its words come. */
  stage: number;
  /** What the words hold the field for; 0 = for every frame. */
  ethType: number;
}

const METADATA = 0;
const NETWORK = 2;
const words = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

const PREFIX_FIELDS: readonly PrefixField[] = [
  { name: 'ip_dst', words: [W.NW_DST], stage: NETWORK, ethType: 0x0800 },
  { name: 'ip_src', words: [W.NW_SRC], stage: NETWORK, ethType: 0x0800 },
  { name: 'ipv6_dst', words: words(W.IPV6_DST, 4), stage: NETWORK, ethType: 0x86dd },
  { name: 'ipv6_src', words: words(W.IPV6_SRC, 4), stage: NETWORK, ethType: 0x86dd },
  { name: 'tun_id', words: words(W.TUN_ID, 2), stage: METADATA, ethType: 0 },
  { name: 'tun_dst', words: [W.TUN_DST], stage: METADATA, ethType: 0 },
  { name: 'tun_src', words: [W.TUN_SRC], stage: METADATA, ethType: 0 },
  { name: 'tun_ipv6_dst', words: words(W.TUN_IPV6_DST, 4), stage: METADATA, ethType: 0 },
  { name: 'tun_ipv6_src', words: words(W.TUN_IPV6_SRC, 4), stage: METADATA, ethType: 0 },
];

/** Names of the fields that there are tries for. */
export const PREFIX_FIELD_NAMES: ReadonlySet<string> = new Set(PREFIX_FIELDS.map(({ name }) => name));

/** Open vSwitch's choice where a table's row says nothing. */
const USUAL = ['ip_dst', 'ip_src'];

/** The fields of these names, in this order; the usual ones when there is no list. */
export function prefixFields(names: readonly string[] = USUAL): PrefixField[] {
  return names.flatMap((name) => PREFIX_FIELDS.find((field) => field.name === name) ?? []);
}

/** What rules spell with one word of a field, below those words before it that they spell whole. */
interface Level {
  trie: PrefixTrie;
  /** By a whole word: how many rules end with it, how many go on, and what these go on with. */
  whole: Map<number, { ending: number; going: number; next: Level }> | undefined;
}

const newLevel = (): Level => ({ trie: new PrefixTrie(), whole: undefined });

const bitsOf = (mask: PackedMask, word: number): number => {
  const at = mask.words.indexOf(word);
  return at < 0 ? 0 : mask.bits[at]!;
};

/** The prefixes of one field that the rules of a classifier have. */
export class FieldTrie {
  readonly field: PrefixField;
  /** Of the last `lookup`: how many leading bits decided. */
  bits = 0;
  readonly #root: Level = newLevel();
  /** Of the last `lookup`, for each word: bit n-1 is set when a prefix that ends with its first n bits matches. */
  readonly #lengths: Int32Array;

  constructor(field: PrefixField) {
    this.field = field;
    this.#lengths = new Int32Array(field.words.length);
  }

  /** The length of the prefix that a mask has of the field; 0 when it has none, or bits that are no prefix. */
  prefixLength(mask: PackedMask): number {
    let length = 0;
    let isOver = false;
    for (const word of this.field.words) {
      const bits = bitsOf(mask, word);
      const ones = Math.clz32(~bits);
      if (topMask(ones) >>> 0 !== bits >>> 0 || (isOver && bits !== 0)) return 0;
      length += ones;
      isOver = ones < 32;
    }
    return length;
  }

  insert(mask: PackedMask, values: PackedValues, length: number): void {
    this.#change(mask, values, length, 1);
  }

  remove(mask: PackedMask, values: PackedValues, length: number): void {
    this.#change(mask, values, length, -1);
  }

  #change(mask: PackedMask, values: PackedValues, length: number, by: 1 | -1): void {
    const last = this.field.words.length - 1;
    let level = this.#root;
    for (let i = 0, left = length; ; i++, left -= 32) {
      const at = mask.words.indexOf(this.field.words[i]!);
      const value = at < 0 ? 0 : values[at]!;
      if (by === 1) level.trie.insert(value, Math.min(left, 32));
      else level.trie.remove(value, Math.min(left, 32));
      // The last word has nothing below it.
      if (left < 32 || i === last) return;
      level.whole ??= new Map();
      let whole = level.whole.get(value >>> 0);
      if (whole === undefined) {
        whole = { ending: 0, going: 0, next: newLevel() };
        level.whole.set(value >>> 0, whole);
      }
      if (left === 32) whole.ending += by;
      else whole.going += by;
      if (whole.ending + whole.going === 0) level.whole.delete(value >>> 0);
      if (left === 32) return;
      level = whole.next;
    }
  }

  /** Finds which prefixes match the key. */
  lookup(key: Key): void {
    const { words: at } = this.field;
    this.#lengths.fill(0);
    let level = this.#root;
    for (let i = 0; ; i++) {
      const value = key[at[i]!]!;
      level.trie.lookup(value);
      this.bits = 32 * i + level.trie.bits;
      this.#lengths[i] = level.trie.lengths;
      if (level.trie.lengths >= 0 || i === at.length - 1) return;
      const whole = level.whole?.get(value);
      if (whole === undefined) return;
      if (whole.ending === 0) this.#lengths[i] = level.trie.lengths & 0x7fffffff;
      if (whole.going === 0) return;
      level = whole.next;
    }
  }

  /** Whether rules whose prefix has this length may match the key looked up last. */
  allows(length: number): boolean {
    return (this.#lengths[(length - 1) >> 5]! & (1 << ((length - 1) & 31))) !== 0;
  }

  /** Adds the bits that decided to a mask. */
  unwildcard(wild: Key): void {
    for (let i = 0, left = this.bits; left > 0; i++, left -= 32) {
      const word = this.field.words[i]!;
      wild[word] = wild[word]! | topMask(Math.min(left, 32));
    }
  }

  /** Whether a mask has the bits that decided. */
  isIn(wild: Key): boolean {
    for (let i = 0, left = this.bits; left > 0; i++, left -= 32) {
      if ((~wild[this.field.words[i]!]! & topMask(Math.min(left, 32))) !== 0) return false;
    }
    return true;
  }
}
