// Which rule applies to a key: tuple space search.
//
// What. A classifier holds rules: match (key under a mask), priority, and the versions in which they exist. `lookup` gives the rule of
// highest priority whose match holds, and adds to the caller's mask every bit of the key that the answer depended on (the megaflow law).
// Two rules of one priority that both match make the answer undefined, as in OpenFlow.
//
// How.
// 1. Rules of one mask share a subtable: a hash map from the masked values to a chain of rules, highest priority first.
// 2. Subtables are visited in order of the highest priority they hold; once a rule is found, subtables that cannot beat it are not visited.
// 3. Within a subtable a key is looked up in stages (metadata, Ethernet, network, transport). The hashes of the first stages are kept
//    with a count; when one is absent no rule of the subtable can match, and only the bits read so far are un-wildcarded.
// 4. Address prefixes are kept in tries (`classifier-prefixes.ts`). A trie tells which prefix lengths can match the key at all and how many
//    leading bits say so; a subtable whose length cannot match is skipped at the cost of these bits.
// 5. When the last stage finds nothing, a trie of the subtable's port numbers tells how many leading bits of them say so.
// 6. The highest priority of a subtable is the top of a heap with lazy deletion, so adding and removing cost O(log n).
// 7. Rules may be parts of a conjunction (conjunction(id, k/n)). Those that match are set aside. When at some priority above that of the best
//    other rule all n parts of an id are there, the key is looked up again with that conj_id, among ordinary rules only; what that finds is
//    the answer, and if it finds nothing the conjunction counts as not there.
// 8. What asks for fields of a packet without naming its type is for Ethernet frames: of its subtable others read the first stage, in which the
//    type would stand, and no more.
//
// Versions. A rule exists in versions [addedIn, removedIn). A bundle adds rules in the next version and marks removed ones; the owner
// then moves its current version on, and frames see everything at once. Rules that no version needs are removed by the owner.
//
// Threads: none; all calls come from the main thread. `lookup` allocates nothing.

import { FieldTrie, prefixFields } from './classifier-prefixes.ts';
import type { ClassifierRule } from './classifier-rule.ts';
import { mix, prefixesOf, Subtable } from './classifier-subtable.ts';
import { type Key, type Match, W } from './key.ts';
import { asPacked, maskCovers, matchesOverlap, type PackedMask, type PackedMatch, valuesAgree } from './mask.ts';

const stagesOf = (tries: readonly FieldTrie[]): number => tries.reduce((bits, { field }) => bits | (1 << field.stage), 0);

/** Rules of one table. */
export class Classifier<R extends ClassifierRule> {
  readonly #subtables = new Map<PackedMask, Subtable<R>>();
  /** By falling highest priority. */
  #ordered: Subtable<R>[] = [];
  #tries = prefixFields().map((field) => new FieldTrie(field));
  #count = 0;
  /** A bit for each stage of a lookup that has a field with a trie. */
  #trieStages = stagesOf(this.#tries);
  /** Which tries were asked about the key being looked up. */
  #isAsked = new Uint8Array(this.#tries.length);

  get count(): number {
    return this.#count;
  }

  get maskCount(): number {
    return this.#ordered.length;
  }

  /** Whose prefixes lookups go by, by the names of the fields; undefined = the usual ones. */
  trackPrefixes(names: readonly string[] | undefined): void {
    const fields = prefixFields(names);
    if (fields.length === this.#tries.length && fields.every((field, i) => field === this.#tries[i]?.field)) return;
    this.#tries = fields.map((field) => new FieldTrie(field));
    this.#isAsked = new Uint8Array(fields.length);
    this.#trieStages = stagesOf(this.#tries);
    for (const subtable of this.#ordered) {
      subtable.prefixes = prefixesOf(subtable.mask, this.#tries);
      for (const rule of subtable.all()) this.#addPrefixes(subtable, rule);
    }
  }

  #addPrefixes({ prefixes }: Subtable<R>, { mask, values }: ClassifierRule): void {
    for (let i = 0; i < prefixes.length; i++) if (prefixes[i] !== 0) this.#tries[i]!.insert(mask, values, prefixes[i]!);
  }

  #removePrefixes(prefixes: Uint8Array, { mask, values }: ClassifierRule): void {
    for (let i = 0; i < prefixes.length; i++) if (prefixes[i] !== 0) this.#tries[i]!.remove(mask, values, prefixes[i]!);
  }

  insert(rule: R): void {
    let subtable = this.#subtables.get(rule.mask);
    if (subtable === undefined) {
      subtable = new Subtable(rule.mask, this.#tries);
      this.#subtables.set(rule.mask, subtable);
      this.#ordered.push(subtable);
    }
    const before = subtable.maxPriority;
    subtable.insert(rule);
    this.#addPrefixes(subtable, rule);
    this.#count++;
    if (subtable.maxPriority !== before) this.#place(subtable);
  }

  remove(rule: R): void {
    const subtable = this.#subtables.get(rule.mask);
    if (subtable === undefined) return;
    const before = subtable.maxPriority;
    if (!subtable.remove(rule)) return;
    this.#removePrefixes(subtable.prefixes, rule);
    this.#count--;
    if (subtable.count === 0) {
      this.#subtables.delete(rule.mask);
      this.#ordered.splice(this.#ordered.indexOf(subtable), 1);
    } else if (subtable.maxPriority !== before) this.#place(subtable);
  }

  /** Takes many rules out, each of them once. Of masks that none is left of nothing is taken apart. */
  removeAll(rules: readonly R[]): void {
    const leaving = new Map<Subtable<R>, number>();
    let last: Subtable<R> | undefined;
    let count = 0;
    for (const { mask } of rules) {
      if (mask !== last?.mask) {
        if (last !== undefined) leaving.set(last, count);
        last = this.#subtables.get(mask);
        count = last === undefined ? 0 : (leaving.get(last) ?? 0);
      }
      count++;
    }
    if (last !== undefined) leaving.set(last, count);
    for (const [subtable, number] of leaving) {
      if (number !== subtable.count) continue;
      this.#subtables.delete(subtable.mask);
      this.#count -= number;
    }
    this.#ordered = this.#ordered.filter(({ mask }) => this.#subtables.has(mask));
    const isEmpty = this.#tries.map((_, i) => !this.#ordered.some(({ prefixes }) => prefixes[i] !== 0));
    for (const [i, empty] of isEmpty.entries()) if (empty) this.#tries[i] = new FieldTrie(this.#tries[i]!.field);
    if (this.#ordered.length === 0) return;
    for (const rule of rules) {
      if (this.#subtables.has(rule.mask)) {
        this.remove(rule);
        continue;
      }
      const lengths = prefixesOf(rule.mask, this.#tries);
      for (const [i, empty] of isEmpty.entries()) if (empty) lengths[i] = 0;
      this.#removePrefixes(lengths, rule);
    }
  }

  /**
   * Puts a rule in the place of `old`, which has the same match and priority, in another version. One of the two is to be taken out with
   * `endReplacement` before the other goes or stays: what the table keeps of matches is kept once for both.
   */
  replace(old: R, rule: R): void {
    this.#subtables.get(old.mask)!.share(rule);
    this.#count++;
  }

  /** Takes the one of the two out that is not to stay. */
  endReplacement(rule: R): void {
    if (this.#subtables.get(rule.mask)?.endShared(rule) === true) this.#count--;
  }

  /** Moves one subtable to its place; the others are in order. */
  #place(subtable: Subtable<R>): void {
    const order = this.#ordered;
    let at = order.indexOf(subtable);
    for (; at > 0 && order[at - 1]!.maxPriority < subtable.maxPriority; at--) order[at] = order[at - 1]!;
    for (; at + 1 < order.length && order[at + 1]!.maxPriority > subtable.maxPriority; at++) order[at] = order[at + 1]!;
    order[at] = subtable;
  }

  /** The rule for `key` in `version`. Bits that the answer depends on are added to `wild`. */
  lookup(key: Key, version: number, wild: Key | undefined, allowsConjunctions = true): R | undefined {
    // 8.
    if (wild !== undefined) wild[W.PACKET_TYPE] = -1;
    let parts: ClassifierRule[] | undefined;
    let best: ClassifierRule | undefined;
    let bestPriority = -1;
    const order = this.#ordered;
    const isEthernet = key[W.PACKET_TYPE] === 0;
    this.#isAsked.fill(0);
    for (let t = 0; t < order.length; t++) {
      const subtable = order[t]!;
      if (subtable.maxPriority <= bestPriority) break;
      const { words, bits, ends } = subtable.mask;
      if (!isEthernet && subtable.mask.isForEthernet) {
        if (wild !== undefined) unwildcard(wild, key, subtable, ends[0], false);
        continue;
      }
      const { indices } = subtable;
      let hash = 0;
      let at = 0;
      let isPossible = true;
      for (let stage = 0; stage < 4 && isPossible; stage++) {
        const end = ends[stage]!;
        if (at === end) continue;
        if (((this.#trieStages >> stage) & 1) === 1 && !this.#trieAllows(subtable, stage, key, wild)) {
          isPossible = false;
          break;
        }
        for (; at < end; at++) hash = mix(hash, (key[words[at]!]! & bits[at]!) >>> 0);
        const index = stage < 3 ? indices[stage] : undefined;
        if (index !== undefined && !index.has(hash)) isPossible = false;
      }
      let rule: ClassifierRule | undefined = isPossible ? subtable.rules.get(hash) : undefined;
      if (wild !== undefined) unwildcard(wild, key, subtable, at, isPossible && rule === undefined);
      for (; rule !== undefined && rule.priority > bestPriority; rule = rule.next) {
        if (!rule.isVisible(version)) continue;
        const { values } = rule;
        let i = 0;
        while (i < values.length && ((key[words[i]!]! & bits[i]!) ^ values[i]!) === 0) i++;
        if (i === values.length) {
          if (rule.conjunctions !== undefined) {
            if (!allowsConjunctions) continue;
            parts ??= [];
            parts.push(rule);
            continue;
          }
          best = rule;
          bestPriority = rule.priority;
          break;
        }
      }
    }
    return (parts === undefined ? best : this.#conjunctive(key, version, wild, parts, bestPriority, best)) as R | undefined;
  }

  /** 7. */
  #conjunctive(
    key: Key,
    version: number,
    wild: Key | undefined,
    parts: ClassifierRule[],
    bestPriority: number,
    best: ClassifierRule | undefined,
  ): ClassifierRule | undefined {
    parts.sort((a, b) => b.priority - a.priority);
    for (let from = 0; from < parts.length && parts[from]!.priority > bestPriority; ) {
      let end = from;
      const clauses = new Map<number, bigint>();
      for (; end < parts.length && parts[end]!.priority === parts[from]!.priority; end++) {
        for (const { id, clause, clauses: count } of parts[end]!.conjunctions!) {
          const before = clauses.get(id) ?? 0n;
          const all = (1n << BigInt(count)) - 1n;
          const now = before | (1n << BigInt(clause));
          clauses.set(id, now);
          if (before === all || (now & all) !== all) continue;
          const saved = key[W.CONJ_ID]!;
          key[W.CONJ_ID] = id;
          const rule = this.lookup(key, version, wild, false);
          key[W.CONJ_ID] = saved;
          if (rule !== undefined) return rule;
        }
      }
      from = end;
    }
    return best;
  }

  /** Whether the tries leave it open that a rule of this subtable matches; un-wildcards the leading bits that say no. */
  #trieAllows(subtable: Subtable<R>, stage: number, key: Key, wild: Key | undefined): boolean {
    const { prefixes } = subtable;
    for (let i = 0; i < prefixes.length; i++) {
      const length = prefixes[i]!;
      const trie = this.#tries[i]!;
      const { field } = trie;
      if (length === 0 || field.stage !== stage) continue;
      // The words hold ARP addresses too.
      if (field.ethType !== 0 && key[W.TYPE]! >>> 16 !== field.ethType) continue;
      if (this.#isAsked[i] === 0) {
        trie.lookup(key);
        this.#isAsked[i] = 1;
      }
      if (trie.allows(length)) continue;
      // Never reads more bits than the subtable itself would, but those that were read anyway.
      if (trie.bits > length && (wild === undefined || !trie.isIn(wild))) continue;
      if (wild !== undefined) {
        trie.unwildcard(wild);
        if (field.ethType !== 0) wild[W.TYPE] = wild[W.TYPE]! | 0xffff0000;
      }
      return false;
    }
    return true;
  }

  /** The rule with exactly this match and priority in `version`. */
  find(match: Match | PackedMatch, priority: number, version: number): R | undefined {
    const { mask, values } = asPacked(match);
    return this.#subtables.get(mask)?.find(values, priority, version);
  }

  /** Adds to `into` the rules at least as specific as `match` in `version`: what a non-strict command means. */
  collect(match: Match | PackedMatch, version: number, into: R[]): void {
    const { mask: criteria, values: wanted } = asPacked(match);
    for (const subtable of this.#ordered) {
      const { mask } = subtable;
      if (mask === criteria) {
        for (const rule of subtable.exact(wanted)) if (rule.isVisible(version)) into.push(rule);
      } else if (maskCovers(mask, criteria)) {
        for (const head of subtable.rules.values()) {
          for (let rule: ClassifierRule | undefined = head; rule !== undefined; rule = rule.next) {
            if (rule.isVisible(version) && (wanted.length === 0 || valuesAgree(mask, rule.values, criteria, wanted))) into.push(rule as R);
          }
        }
      }
    }
  }

  /** Whether a rule of this priority can match a key that `match` matches too. */
  overlaps(match: Match | PackedMatch, priority: number, version: number): boolean {
    const { mask, values } = asPacked(match);
    for (const subtable of this.#ordered) {
      if (subtable.maxPriority < priority) break;
      for (const rule of subtable.all()) {
        if (rule.priority === priority && rule.isVisible(version) && matchesOverlap(mask, values, rule.mask, rule.values)) return true;
      }
    }
    return false;
  }

  /** All rules of any version. */
  *rules(): Generator<R> {
    for (const subtable of [...this.#ordered]) yield* subtable.all();
  }
}

/** Adds the first `count` words of a subtable's mask. When all was read and nothing found, only as much of the ports as says so. */
function unwildcard(wild: Key, key: Key, subtable: Subtable<ClassifierRule>, count: number, isMiss: boolean): void {
  const { words, bits } = subtable.mask;
  const { ports } = subtable;
  for (let i = 0; i < count; i++) {
    const word = words[i]!;
    let read = bits[i]!;
    if (isMiss && ports !== undefined && word === W.TP) {
      ports.lookup(key[W.TP]! & read);
      read &= ports.bits >= 32 ? -1 : ~(0xffffffff >>> ports.bits);
    }
    wild[word] = wild[word]! | read;
  }
}
