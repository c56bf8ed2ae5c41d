import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Classifier } from './classifier.ts';
import { LinearClassifier } from './classifier-linear.ts';
import { ClassifierRule, NEVER } from './classifier-rule.ts';
import { KEY_WORDS, type Key, type Match, newKey, W } from './key.ts';

const WORDS = [W.IN_PORT, W.ETH, W.TYPE, W.NW_SRC, W.NW_DST, W.TP, W.VLAN0, W.REGS, W.TOS];
const MASKS = [0xffffffff, 0xffff0000, 0xffff, 0xff000000, 0xfffffe00, 0x80000000, 0x00ff00ff, 0xfff00000];
const VALUES = [0, 1, 0x08000006, 0x08060001, 0xffffffff, 0x0a000001, 0x0a000102, 0x80000001, 0x1234abcd, 0x0050];

const arbKey: fc.Arbitrary<Key> = fc
  .array(fc.constantFrom(...VALUES), { minLength: WORDS.length, maxLength: WORDS.length })
  .map((values) => {
    const key = newKey();
    for (const [i, value] of values.entries()) key[WORDS[i]!] = value;
    return key;
  });
const arbMatch: fc.Arbitrary<Match> = fc
  .tuple(arbKey, fc.array(fc.tuple(fc.constantFrom(...WORDS), fc.constantFrom(...MASKS)), { maxLength: 4 }))
  .map(([from, pairs]) => {
    const mask = newKey();
    for (const [word, bits] of pairs) mask[word] = mask[word]! | bits;
    return { key: from.map((v, i) => v & mask[i]!), mask };
  });
const arbRules = fc.array(fc.record({ match: arbMatch, priority: fc.integer({ min: 0, max: 4 }), removed: fc.boolean() }), {
  maxLength: 30,
});

function build(
  rules: { match: Match; priority: number; removed: boolean }[],
): [Classifier<ClassifierRule>, LinearClassifier<ClassifierRule>] {
  const fast = new Classifier<ClassifierRule>();
  const naive = new LinearClassifier<ClassifierRule>();
  const made = rules.map(({ match, priority }) => new ClassifierRule(match, priority));
  for (const rule of made) {
    fast.insert(rule);
    naive.insert(rule);
  }
  for (const [i, rule] of made.entries()) {
    if (!rules[i]!.removed) continue;
    fast.remove(rule);
    naive.remove(rule);
  }
  return [fast, naive];
}

test('the classifier equals the linear oracle', () => {
  fc.assert(
    fc.property(arbRules, fc.array(arbKey, { minLength: 1, maxLength: 8 }), (rules, keys) => {
      const [fast, naive] = build(rules);
      for (const key of keys) {
        const all = naive.lookup(key, 0);
        const found = fast.lookup(key, 0, undefined);
        if (all.length === 0) assert.equal(found, undefined);
        else assert.ok(found !== undefined && all.includes(found));
      }
    }),
    { numRuns: 500 },
  );
});

test('rules put in the place of others, and many taken out together, leave what the linear oracle has', () => {
  const part = fc.record({ match: arbMatch, priority: fc.integer({ min: 0, max: 4 }), isReplaced: fc.boolean(), leaves: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 30 }),
      fc.boolean(),
      fc.array(arbKey, { minLength: 1, maxLength: 8 }),
      (parts, isKept, keys) => {
        const fast = new Classifier<ClassifierRule>();
        const naive = new LinearClassifier<ClassifierRule>();
        const rules = parts.map(({ match, priority }) => new ClassifierRule(match, priority));
        for (const rule of rules) {
          fast.insert(rule);
          naive.insert(rule);
        }
        const compare = (version: number): void => {
          for (const key of keys) {
            const all = naive.lookup(key, version);
            const found = fast.lookup(key, version, newKey());
            if (all.length === 0) assert.equal(found, undefined);
            else assert.ok(found !== undefined && all.includes(found));
          }
        };
        const pairs: [number, ClassifierRule, ClassifierRule][] = [];
        for (const [i, { match, priority, isReplaced }] of parts.entries()) {
          if (!isReplaced) continue;
          const next = new ClassifierRule(match, priority);
          next.addedIn = 2;
          rules[i]!.removedIn = 2;
          fast.replace(rules[i]!, next);
          naive.insert(next);
          pairs.push([i, rules[i]!, next]);
        }
        compare(1);
        compare(2);
        for (const [i, old, next] of pairs) {
          const gone = isKept ? old : next;
          fast.endReplacement(gone);
          naive.remove(gone);
          if (isKept) rules[i] = next;
          else old.removedIn = NEVER;
        }
        compare(2);
        const leaving = rules.filter((_, i) => parts[i]!.leaves);
        fast.removeAll(leaving);
        for (const rule of leaving) naive.remove(rule);
        compare(2);
        assert.equal(fast.count, rules.length - leaving.length);
        fast.removeAll(rules.filter((rule) => !leaving.includes(rule)));
        assert.deepEqual([fast.count, fast.maskCount], [0, 0]);
        fast.insert(new ClassifierRule({ key: newKey(), mask: newKey() }, 1));
        for (const key of keys) assert.notEqual(fast.lookup(key, 2, undefined), undefined);
      },
    ),
    { numRuns: 500 },
  );
});

test('conjunctive matches equal the linear oracle', () => {
  const conjunction = fc.record({ id: fc.integer({ min: 1, max: 3 }), clause: fc.integer({ min: 0, max: 1 }), clauses: fc.constant(2) });
  const part = fc.record({
    match: arbMatch,
    priority: fc.integer({ min: 0, max: 4 }),
    conjunctions: fc.array(conjunction, { minLength: 1, maxLength: 2 }),
  });
  let conjunctive = 0;
  fc.assert(
    fc.property(arbRules, fc.array(part, { maxLength: 12 }), fc.array(arbKey, { minLength: 1, maxLength: 8 }), (rules, parts, keys) => {
      const [fast, naive] = build(rules);
      const rows = parts.map(({ match, priority, conjunctions }) => new ClassifierRule(match, priority, conjunctions));
      for (const id of [1, 2, 3]) {
        const match = { key: newKey(), mask: newKey() };
        match.key[W.CONJ_ID] = id;
        match.mask[W.CONJ_ID] = 0xffffffff;
        rows.push(new ClassifierRule(match, id));
      }
      for (const row of rows) {
        fast.insert(row);
        naive.insert(row);
      }
      for (const key of keys) {
        const all = naive.lookup(key, 0);
        const found = fast.lookup(key, 0, newKey());
        if (all.length === 0) assert.equal(found, undefined);
        else assert.ok(found !== undefined && all.includes(found));
        if (found !== undefined && rows.includes(found)) conjunctive++;
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(conjunctive > 50, `only ${conjunctive} conjunctive matches`);
});

test('megaflow law: bits that lookup did not un-wildcard do not change its answer', () => {
  fc.assert(
    fc.property(arbRules, arbKey, arbKey, (rules, key, noise) => {
      const [fast, naive] = build(rules);
      const wild = newKey();
      const found = fast.lookup(key, 0, wild);
      const other = newKey();
      for (let i = 0; i < KEY_WORDS; i++) other[i] = (key[i]! & wild[i]!) | (noise[i]! & ~wild[i]!);
      // Compared as sets: where the table is ambiguous only the priority is defined.
      assert.equal(naive.lookup(other, 0)[0]?.priority, found?.priority);
      for (let bit = 0; bit < KEY_WORDS * 32; bit += 7) {
        const at = bit >> 5;
        if ((wild[at]! >>> (bit & 31)) & 1) continue;
        const flipped = key.slice();
        flipped[at] = flipped[at]! ^ (1 << (bit & 31));
        assert.equal(fast.lookup(flipped, 0, undefined), found);
      }
    }),
    { numRuns: 500 },
  );
});

test('a version is seen whole', () => {
  const classifier = new Classifier<ClassifierRule>();
  const match = { key: newKey(), mask: newKey() };
  const old = new ClassifierRule(match, 1);
  classifier.insert(old);
  const next = new ClassifierRule(match, 1);
  next.addedIn = 1;
  old.removedIn = 1;
  classifier.insert(next);
  assert.equal(classifier.lookup(newKey(), 0, undefined), old);
  assert.equal(classifier.lookup(newKey(), 1, undefined), next);
});

test('100,000 rules with their own priorities are added, found and removed in reasonable time', () => {
  const classifier = new Classifier<ClassifierRule>();
  const rules: ClassifierRule[] = [];
  const start = performance.now();
  const match = { key: newKey(), mask: newKey() };
  match.mask[W.NW_DST] = 0xffffffff;
  for (let i = 0; i < 100_000; i++) {
    match.key[W.NW_DST] = i;
    const rule = new ClassifierRule(match, i % 60_000);
    rules.push(rule);
    classifier.insert(rule);
  }
  const key = newKey();
  for (let i = 0; i < 100_000; i++) {
    key[W.NW_DST] = i;
    assert.equal(classifier.lookup(key, 0, undefined), rules[i]);
  }
  for (const rule of rules.reverse()) classifier.remove(rule);
  assert.equal(classifier.count, 0);
  assert.ok(performance.now() - start < 20_000);
});
