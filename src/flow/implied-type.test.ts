import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Classifier } from './classifier.ts';
import { ClassifierRule } from './classifier-rule.ts';
import { asksForPacket } from './implied-type.ts';
import { type Match, newKey, W } from './key.ts';

const IPV4 = 0x1_0800;
const ALL = 0xffffffff;

function match(...words: [word: number, value: number, bits?: number][]): Match {
  const made = { key: newKey(), mask: newKey() };
  for (const [word, value, bits = ALL] of words) {
    made.key[word] = value;
    made.mask[word] = bits;
  }
  return made;
}

const IP = match([W.TYPE, 0x0800_0000, 0xffff0000]);
const NAMED = match([W.PACKET_TYPE, IPV4]);
const ETHERNET = match([W.PACKET_TYPE, 0]);
const METADATA = match([W.IN_PORT, 1]);

function packet(type: number) {
  const key = newKey();
  key[W.IN_PORT] = 1;
  key[W.TYPE] = 0x0800_0000;
  key[W.PACKET_TYPE] = type;
  return key;
}

test('a packet that is no Ethernet frame meets what names its type, or asks for nothing of a packet', () => {
  const classifier = new Classifier<ClassifierRule>();
  const [ip, named, metadata] = [IP, NAMED, METADATA].map((one, i) => new ClassifierRule(one, 9 - i));
  for (const rule of [metadata!, ip!]) classifier.insert(rule);
  assert.equal(classifier.lookup(packet(0), 0, undefined), ip);
  assert.equal(classifier.lookup(packet(IPV4), 0, undefined), metadata);
  classifier.insert(named!);
  assert.equal(classifier.lookup(packet(0), 0, undefined), ip);
  assert.equal(classifier.lookup(packet(IPV4), 0, undefined), named);
});

test('what began a connection is of a packet; its zone and its state are not', () => {
  const met = (one: Match): boolean => {
    const classifier = new Classifier<ClassifierRule>();
    classifier.insert(new ClassifierRule(one, 5));
    return classifier.lookup(packet(IPV4), 0, undefined) !== undefined;
  };
  const asked = [match([W.CT_ZONE, 0, 0xff00]), match([W.CT_NW_SRC, 0]), match([W.CT_IPV6_DST, 0]), match([W.CT_TP, 0])];
  const known = [match([W.CT_ZONE, 0, 0xffff0000]), match([W.CT_STATE, 0]), match([W.CT_LABEL, 0]), match([W.TUN_ID, 0])];
  assert.deepEqual([...asked, ...known].map(met), [false, false, false, false, true, true, true, true]);
  assert.deepEqual(
    [...asked, ...known].map(({ mask }) => asksForPacket(mask)),
    [true, true, true, true, false, false, false, false],
  );
});

test('a type that is implied counts in selections and overlaps, as in the reference', () => {
  const classifier = new Classifier<ClassifierRule>();
  const rules = [IP, NAMED, METADATA].map((one) => new ClassifierRule(one, 5));
  for (const rule of rules) classifier.insert(rule);
  const selected = (criteria: Match): ClassifierRule[] => {
    const found: ClassifierRule[] = [];
    classifier.collect(criteria, 0, found);
    return found;
  };
  assert.deepEqual(selected(ETHERNET), [rules[0]]);
  assert.deepEqual(selected(NAMED), [rules[1]]);
  assert.deepEqual(selected(IP), [rules[0]]);
  const one = new Classifier<ClassifierRule>();
  one.insert(rules[0]!);
  assert.deepEqual(
    [NAMED, ETHERNET, METADATA].map((other) => one.overlaps(other, 5, 0)),
    [false, true, true],
  );
});

test('a packet that is no Ethernet frame and that nothing matches costs no more than one, and reads no more', () => {
  const classifier = new Classifier<ClassifierRule>();
  for (let i = 0; i < 100_000; i++)
    classifier.insert(new ClassifierRule(match([W.TYPE, 0x0800_0000, 0xffff0000], [W.NW_DST, 0x0b000000 + i]), 7));
  const wild = newKey();
  assert.equal(classifier.lookup(packet(IPV4), 0, wild), undefined);
  assert.equal(wild[W.PACKET_TYPE], ALL);
  wild[W.PACKET_TYPE] = 0;
  assert.deepEqual(wild, newKey());
  const [frame, other] = [packet(0), packet(IPV4)];
  const milliseconds = (key: Uint32Array): number => {
    const start = performance.now();
    for (let i = 0; i < 20_000; i++) classifier.lookup(key, 0, wild);
    return performance.now() - start;
  };
  const times = Array.from({ length: 5 }, () => [milliseconds(frame), milliseconds(other)] as const);
  const best = (which: 0 | 1): number => Math.min(...times.map((pair) => pair[which]));
  assert.ok(best(1) < 3 * best(0) + 1, `${best(1)} ms against ${best(0)} ms`);
});
