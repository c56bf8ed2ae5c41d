// Rules of one mask, by the hash of their values.
import { Heap } from '../base/heap.ts';
import type { FieldTrie } from './classifier-prefixes.ts';
import type { ClassifierRule } from './classifier-rule.ts';
import { PrefixTrie, packedValue } from './classifier-trie.ts';
import { W } from './key.ts';
import { type PackedMask, type PackedValues, valuesAgree } from './mask.ts';

export const mix = (hash: number, word: number): number => {
  let h = Math.imul(hash ^ word, 0x9e3779b1);
  h ^= h >>> 15;
  h = Math.imul(h, 0x85ebca6b);
  return h ^ (h >>> 13);
};

/** Hashes of the stages before the last, of the values that were hashed last. */
const STAGE_HASHES = new Int32Array(3);

/** The hash of all values; those of the stages are left in `STAGE_HASHES`. */
function hashValues({ ends }: PackedMask, values: PackedValues): number {
  let hash = 0;
  let at = 0;
  for (let stage = 0; stage < 3; stage++) {
    for (const end = ends[stage]!; at < end; at++) hash = mix(hash, values[at]!);
    STAGE_HASHES[stage] = hash;
  }
  for (; at < values.length; at++) hash = mix(hash, values[at]!);
  return hash;
}

/** How long a mask's prefix of each field is. */
export const prefixesOf = (mask: PackedMask, tries: readonly FieldTrie[]): Uint8Array =>
  Uint8Array.from(tries, (trie) => trie.prefixLength(mask));

const isHigher = (a: number, b: number): boolean => a > b;

/** The rules of one mask: `classifier.ts`, 1 to 6. */
export class Subtable<R extends ClassifierRule> {
  readonly mask: PackedMask;
  readonly rules = new Map<number, R>();
  /** Hashes after stages 0..2 with the number of rules; absent where a stage adds nothing to what the next one ends with. */
  readonly indices: (Map<number, number> | undefined)[];
  /** For each of the classifier's tries, how long this mask's prefix of it is; 0 = no prefix of it in this mask. */
  prefixes: Uint8Array;
  /** Values of the transport ports under this mask, so that a miss un-wildcards only the bits that differ from all of them. */
  readonly ports: PrefixTrie | undefined;
  readonly #portsLength: number;
  readonly #priorities = new Map<number, number>();
  readonly #heap = new Heap<number>(isHigher);
  count = 0;

  constructor(mask: PackedMask, tries: readonly FieldTrie[]) {
    this.mask = mask;
    const { ends } = mask;
    this.indices = [0, 1, 2].map((s) => {
      const begin = s === 0 ? 0 : ends[s - 1]!;
      return ends[s]! > begin && ends[s]! < ends[3] ? new Map<number, number>() : undefined;
    });
    this.prefixes = prefixesOf(mask, tries);
    const at = mask.words.indexOf(W.TP);
    const portBits = at < 0 ? 0 : mask.bits[at]!;
    this.ports = portBits === 0 ? undefined : new PrefixTrie();
    // Up to the lowest bit of the mask.
    this.#portsLength = portBits === 0 ? 0 : Math.clz32(portBits & -portBits) + 1;
  }

  get maxPriority(): number {
    return this.#heap.top ?? -1;
  }

  insert(rule: R): void {
    const hash = hashValues(this.mask, rule.values);
    for (let stage = 0; stage < 3; stage++) {
      const index = this.indices[stage];
      if (index === undefined) continue;
      const h = STAGE_HASHES[stage]!;
      index.set(h, (index.get(h) ?? 0) + 1);
    }
    this.#link(hash, rule);
    if (this.ports !== undefined) this.ports.insert(packedValue(this.mask, rule.values, W.TP), this.#portsLength);
    this.count++;
    const same = this.#priorities.get(rule.priority) ?? 0;
    this.#priorities.set(rule.priority, same + 1);
    if (same === 0) this.#heap.push(rule.priority);
  }

  /** Puts a rule into the chain of its hash. */
  #link(hash: number, rule: R): void {
    const head = this.rules.get(hash);
    if (head === undefined || head.priority < rule.priority) {
      rule.next = head;
      this.rules.set(hash, rule);
    } else {
      let at: ClassifierRule = head;
      while (at.next !== undefined && at.next.priority >= rule.priority) at = at.next;
      rule.next = at.next;
      at.next = rule;
    }
  }

  /** Takes a rule out of the chain of its hash; false when it is not there. */
  #unlink(hash: number, rule: R): boolean {
    const head = this.rules.get(hash);
    if (head === rule) {
      if (rule.next === undefined) this.rules.delete(hash);
      else this.rules.set(hash, rule.next as R);
    } else {
      let at: ClassifierRule | undefined = head;
      while (at !== undefined && at.next !== rule) at = at.next;
      if (at === undefined) return false;
      at.next = rule.next;
    }
    rule.next = undefined;
    return true;
  }

  /** Puts a rule beside one of the same match and priority, on whose account it goes until one of the two is taken out with `endShared`. */
  share(rule: R): void {
    this.#link(hashValues(this.mask, rule.values), rule);
    this.count++;
  }

  endShared(rule: R): boolean {
    if (!this.#unlink(hashValues(this.mask, rule.values), rule)) return false;
    this.count--;
    return true;
  }

  remove(rule: R): boolean {
    const hash = hashValues(this.mask, rule.values);
    if (!this.#unlink(hash, rule)) return false;
    for (let stage = 0; stage < 3; stage++) {
      const index = this.indices[stage];
      if (index === undefined) continue;
      const h = STAGE_HASHES[stage]!;
      const left = index.get(h)! - 1;
      if (left === 0) index.delete(h);
      else index.set(h, left);
    }
    if (this.ports !== undefined) this.ports.remove(packedValue(this.mask, rule.values, W.TP), this.#portsLength);
    this.count--;
    const same = this.#priorities.get(rule.priority)! - 1;
    if (same > 0) this.#priorities.set(rule.priority, same);
    else {
      this.#priorities.delete(rule.priority);
      while (this.#heap.size > 0 && !this.#priorities.has(this.#heap.top!)) this.#heap.pop();
    }
    return true;
  }

  /** Rules with exactly these values, highest priority first. */
  *exact(values: PackedValues): Generator<R> {
    let rule: ClassifierRule | undefined = this.rules.get(hashValues(this.mask, values));
    while (rule !== undefined) {
      const next: ClassifierRule | undefined = rule.next;
      if (valuesAgree(this.mask, rule.values, this.mask, values)) yield rule as R;
      rule = next;
    }
  }

  /** The rule with exactly these values and this priority in `version`. */
  find(values: PackedValues, priority: number, version: number): R | undefined {
    let rule: ClassifierRule | undefined = this.rules.get(hashValues(this.mask, values));
    for (; rule !== undefined && rule.priority >= priority; rule = rule.next) {
      if (rule.priority !== priority || !rule.isVisible(version)) continue;
      if (valuesAgree(this.mask, rule.values, this.mask, values)) return rule as R;
    }
    return undefined;
  }

  *all(): Generator<R> {
    for (const head of this.rules.values()) {
      let rule: ClassifierRule | undefined = head;
      while (rule !== undefined) {
        const next: ClassifierRule | undefined = rule.next;
        yield rule as R;
        rule = next;
      }
    }
  }
}
