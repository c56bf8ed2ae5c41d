import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Heap } from './heap.ts';

test('a heap gives the first of what it holds', () => {
  // A number is pushed, undefined pops.
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined })), (steps) => {
      const heap = new Heap<number>((a, b) => a < b);
      let held: number[] = [];
      for (const step of steps) {
        if (step === undefined) {
          held.sort((a, b) => a - b);
          assert.equal(heap.pop(), held[0]);
          held = held.slice(1);
        } else {
          heap.push(step);
          held.push(step);
        }
        assert.equal(heap.size, held.length);
        assert.equal(heap.top, held.length === 0 ? undefined : Math.min(...held));
      }
    }),
  );
});
