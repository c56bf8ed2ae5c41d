import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WordArena } from './word-arena.ts';

test('runs keep their words while others come and go', () => {
  const step = fc.record({ length: fc.nat(145), value: fc.integer({ min: 1, max: 0xffff }), gives: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 2000, size: 'max' }), (steps) => {
      const arena = new WordArena();
      const kept: { at: number; words: number[] }[] = [];
      for (const [i, { length, value, gives }] of steps.entries()) {
        const words = Uint32Array.from({ length }, (_, j) => value * 65536 + j);
        kept.push({ at: arena.put(words, length), words: [...words] });
        if (gives === 0 && kept.length > 1) {
          const [gone] = kept.splice(value % kept.length, 1);
          arena.give(gone!.at, gone!.words.length);
        }
        if (i % 100 > 0 && i < steps.length - 1) continue;
        for (const { at, words: wanted } of kept) {
          const read = new Uint32Array(wanted.length + 1).fill(7);
          arena.read(at, wanted.length, read);
          assert.deepEqual([...read], [...wanted, 7]);
        }
      }
    }),
    { numRuns: 20 },
  );
});
