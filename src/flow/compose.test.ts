import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { composeFrame } from './compose.ts';
import { extractKey } from './extract.ts';
import { FRAG, newKey, W } from './key.ts';

const word = fc.integer({ min: 0, max: 0xffffffff });
const protocol = fc.constantFrom(1, 2, 6, 17, 58, 132, 47);

/** A key of a frame: what it cannot say is not in it. */
const key = fc
  .record({
    type: fc.constantFrom(0x800, 0x86dd, 0x806, 0x8847, 0x88cc),
    proto: protocol,
    tag: fc.integer({ min: 0, max: 0xffff }),
    words: fc.array(word, { minLength: 30, maxLength: 30 }),
  })
  .map(({ type, proto, tag, words }) => {
    const made = newKey();
    const at = (i: number): number => words[i] ?? 0;
    made.set(words.slice(0, 3), W.ETH);
    if ((tag & 1) !== 0) made[W.VLAN0] = 0x81000000 | tag | 0x1000;
    made[W.TYPE] = (type << 16) >>> 0;
    if (type === 0x8847) made[W.MPLS] = (at(4) | 0x100) >>> 0;
    if (type === 0x806) {
      made[W.TYPE] = ((type << 16) | (1 + (tag & 1))) >>> 0;
      made.set(words.slice(4, 6), W.NW_SRC);
      made.set(words.slice(6, 9), W.ARP_HW);
    }
    if (type !== 0x800 && type !== 0x86dd) return made;
    made[W.TYPE] = ((type << 16) | proto) >>> 0;
    made[W.TOS] = (at(9) & 0xffff0000) >>> 0;
    if (type === 0x800) made.set(words.slice(10, 12), W.NW_SRC);
    else {
      made.set(words.slice(10, 18), W.IPV6_SRC);
      made[W.IPV6_LABEL] = at(18) & 0xfffff;
    }
    if (proto === 6 || proto === 17 || proto === 132) made[W.TP] = at(19);
    if (proto === 6) made[W.TOS] = (made[W.TOS]! | (at(20) & 0xfff)) >>> 0;
    if ((proto === 1 || proto === 2) && type === 0x800) made[W.TP] = at(19) & 0x00ff00ff;
    return made;
  });

test('what is extracted from a composed frame is the key that it was made for', () => {
  fc.assert(
    fc.property(key, (wanted) => {
      const frame = composeFrame(wanted)!;
      const found = newKey();
      extractKey(frame, 0, frame.length, found);
      assert.deepEqual(found, wanted);
    }),
  );
});

test('later fragments have no transport header, and a TCP header that contradicts itself has no ports', () => {
  const made = newKey();
  made[W.TYPE] = ((0x800 << 16) | ((FRAG.ANY | FRAG.LATER) << 8) | 6) >>> 0;
  assert.equal(composeFrame(made)?.length, 34);
  made[W.TYPE] = ((0x800 << 16) | 6) >>> 0;
  made[W.TP] = 0x00500051;
  const frame = composeFrame(made)!;
  for (const [header, hasPorts] of [
    [5, true],
    [4, false],
    [15, true],
    [0, false],
  ] as const) {
    frame[46] = header << 4;
    const found = newKey();
    extractKey(frame, 0, frame.length, found);
    assert.equal(found[W.TP] !== 0, hasPorts, `header of ${header} words`);
  }
});
