import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newKey, W } from '../../flow/key.ts';
import { FlowTable, packMatch } from './flow-table.ts';

interface Plain {
  slot: number;
  key: Uint32Array;
  mask: Uint32Array;
}

const words = [W.IN_PORT, W.NW_DST, W.TP] as const;
const small = fc.constantFrom(0, 1, 2, 3);
const match = fc.record({ key: fc.tuple(small, small, small), mask: fc.tuple(small, small, small) });
const step = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), slot: fc.nat(30), match }),
  fc.record({ kind: fc.constant('remove' as const), slot: fc.nat(30) }),
  fc.record({ kind: fc.constant('lookup' as const), key: fc.tuple(small, small, small) }),
);

const keyOf = (values: readonly number[]): Uint32Array => {
  const key = newKey();
  values.forEach((value, i) => {
    key[words[i]!] = value;
  });
  return key;
};

test('the table finds what a linear search finds, whatever was put and removed', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const table = new FlowTable();
      const plain = new Map<number, Plain>();
      for (const one of steps) {
        if (one.kind === 'put') {
          const flow = { slot: one.slot, key: keyOf(one.match.key), mask: keyOf(one.match.mask) };
          const same = [...plain.values()].find(
            (other) =>
              other.slot !== one.slot &&
              packMatch(other.key, other.mask).words.join() === packMatch(flow.key, flow.mask).words.join() &&
              other.mask.join() === flow.mask.join(),
          );
          if (same !== undefined) continue;
          const packed = packMatch(flow.key, flow.mask);
          table.put(one.slot, packed.indices, packed.masks, packed.words, []);
          plain.set(one.slot, flow);
        } else if (one.kind === 'remove') {
          table.remove(one.slot);
          plain.delete(one.slot);
        } else {
          const key = keyOf(one.key);
          const fits = [...plain.values()].filter((flow) => words.every((w) => ((key[w]! ^ flow.key[w]!) & flow.mask[w]!) === 0));
          const found = table.lookup(key);
          if (fits.length === 0) assert.equal(found, undefined);
          else assert.ok(fits.some((flow) => flow.slot === found?.slot));
        }
        assert.equal(table.maskCount, new Set([...plain.values()].map((flow) => flow.mask.join())).size);
      }
    }),
  );
});
