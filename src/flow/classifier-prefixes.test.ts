import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Classifier } from './classifier.ts';
import { LinearClassifier } from './classifier-linear.ts';
import { PREFIX_FIELD_NAMES, prefixFields } from './classifier-prefixes.ts';
import { ClassifierRule } from './classifier-rule.ts';
import { KEY_WORDS, type Key, type Match, newKey, setKeyBits, W } from './key.ts';

const FIELDS = prefixFields([...PREFIX_FIELD_NAMES]);
const TYPES = [0x08000006, 0x86dd0006, 0x08060001];
/** Words so alike that prefixes meet. */
const VALUES = [0, 0x20010db8, 0x20010db9, 0x80000000, 0xffffffff, 1];
const LENGTHS = [1, 2, 8, 31, 32, 33, 48, 63, 64, 65, 96, 97, 127, 128];

const arbKey: fc.Arbitrary<Key> = fc
  .tuple(fc.constantFrom(...TYPES), fc.infiniteStream(fc.constantFrom(...VALUES)))
  .map(([type, values]) => {
    const key = newKey();
    key[W.TYPE] = type;
    for (const { words } of FIELDS) for (const word of words) key[word] = values.next().value;
    return key;
  });
const arbMatch: fc.Arbitrary<Match> = fc
  .tuple(arbKey, fc.array(fc.tuple(fc.nat(FIELDS.length - 1), fc.constantFrom(...LENGTHS)), { maxLength: 3 }), fc.boolean())
  .map(([from, prefixes, hasType]) => {
    const mask = newKey();
    if (hasType) mask[W.TYPE] = 0xffff0000;
    for (const [i, length] of prefixes) {
      const { words } = FIELDS[i]!;
      const bits = Math.min(length, 32 * words.length);
      setKeyBits(mask, 32 * words[0]!, bits, (1n << BigInt(bits)) - 1n);
    }
    return { key: from.map((value, word) => value & mask[word]!), mask };
  });
const arbNames = fc.uniqueArray(fc.constantFrom(...PREFIX_FIELD_NAMES), { maxLength: 3 });

test('whatever prefixes are tracked, and from whenever on: the linear oracle’s answer, and the megaflow law', () => {
  const part = fc.record({ match: arbMatch, priority: fc.nat(3), leaves: fc.boolean() });
  let found = 0;
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 20 }),
      arbNames,
      arbNames,
      fc.array(arbKey, { minLength: 2, maxLength: 6 }),
      (parts, names, later, keys) => {
        const fast = new Classifier<ClassifierRule>();
        const naive = new LinearClassifier<ClassifierRule>();
        fast.trackPrefixes(names);
        const rules = parts.map(({ match, priority }) => new ClassifierRule(match, priority));
        const check = (): void => {
          for (const [i, key] of keys.entries()) {
            const wild = newKey();
            const rule = fast.lookup(key, 0, wild);
            const all = naive.lookup(key, 0);
            assert.ok(all.length === 0 ? rule === undefined : rule !== undefined && all.includes(rule));
            if (rule !== undefined) found++;
            const noise = keys[(i + 1) % keys.length]!;
            const other = newKey();
            for (let word = 0; word < KEY_WORDS; word++) other[word] = (key[word]! & wild[word]!) | (noise[word]! & ~wild[word]!);
            assert.equal(naive.lookup(other, 0)[0]?.priority, rule?.priority);
          }
        };
        for (const rule of rules) {
          fast.insert(rule);
          naive.insert(rule);
        }
        check();
        fast.trackPrefixes(later);
        check();
        const leaving = rules.filter((_, i) => parts[i]!.leaves);
        for (const [i, rule] of leaving.entries()) {
          if (i % 2 === 0) fast.remove(rule);
          naive.remove(rule);
        }
        fast.removeAll(leaving.filter((_, i) => i % 2 === 1));
        check();
      },
    ),
    { numRuns: 400 },
  );
  assert.ok(found > 500, `only ${found} lookups found a rule`);
});

test('a lookup reads as many leading bits of a wide field as tell which prefixes match', () => {
  const rule = (field: string, high: bigint, length: number, priority: number): ClassifierRule => {
    const { words, ethType } = FIELDS.find(({ name }) => name === field)!;
    const [key, mask] = [newKey(), newKey()];
    const width = 32 * words.length;
    setKeyBits(key, 32 * words[0]!, width, high << BigInt(width - 32));
    setKeyBits(mask, 32 * words[0]!, length, (1n << BigInt(length)) - 1n);
    key[W.TYPE] = (ethType << 16) >>> 0;
    mask[W.TYPE] = ethType === 0 ? 0 : 0xffff0000;
    return new ClassifierRule({ key: key.map((value, i) => value & mask[i]!), mask }, priority);
  };
  const table = new Classifier<ClassifierRule>();
  for (const one of [rule('ipv6_src', 0x20010db8n, 32, 1), rule('ipv6_src', 0x20010db8n, 48, 2), rule('ipv6_src', 0xfe800000n, 128, 3)])
    table.insert(one);
  const read = (): string[] => {
    const key = newKey();
    key[W.TYPE] = 0x86dd0000;
    key.set([0x20010db8, 0x10000, 0, 5], W.IPV6_SRC);
    const wild = newKey();
    assert.equal(table.lookup(key, 0, wild)?.priority, 1);
    return [...wild.subarray(W.IPV6_SRC, W.IPV6_SRC + 4)].map((word) => word.toString(16));
  };
  assert.deepEqual(read(), ['ffffffff', 'ffffffff', 'ffffffff', 'ffffffff']);
  table.trackPrefixes(['tun_id', 'ipv6_src']);
  assert.deepEqual(read(), ['ffffffff', 'ffff0000', '0', '0']);
  table.trackPrefixes([]);
  assert.deepEqual(read(), ['ffffffff', 'ffffffff', 'ffffffff', 'ffffffff']);
});
