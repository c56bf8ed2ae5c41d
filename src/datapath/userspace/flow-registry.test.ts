import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newKey, W } from '../../flow/key.ts';
import type { FlowId } from '../datapath.ts';
import { FlowRegistry } from './flow-registry.ts';
import { sharedState } from './shared-state.ts';

const words = [W.IN_PORT, W.NW_DST] as const;
const small = fc.constantFrom(0, 1, 2, 3);
const pair = fc.tuple(small, small);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), key: pair, mask: pair }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('delete' as const), at: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
);

test('flows are booked as in a plain map by match', () => {
  const state = sharedState();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const registry = new FlowRegistry(state);
      const plain = new Map<string, { id: FlowId; slot: number }>();
      const key = newKey();
      const mask = newKey();
      for (const one of steps) {
        if (one.kind === 'clear') {
          registry.clear();
          plain.clear();
        } else if (one.kind === 'delete') {
          const [match, flow] = [...plain][one.at % Math.max(1, plain.size)] ?? [];
          assert.equal(registry.delete(flow?.id ?? 0), flow?.slot);
          if (match !== undefined) plain.delete(match);
        } else {
          words.forEach((word, i) => {
            key[word] = one.key[i]!;
            mask[word] = one.mask[i]!;
          });
          const match = `${one.mask}/${one.key.map((value, i) => value & one.mask[i]!)}`;
          const before = plain.get(match);
          const put = registry.put(key, mask, []);
          assert.equal(put.replaced, before?.id);
          assert.deepEqual(
            [...put.indices].map((word, i) => [word, put.masks[i], put.words[i]]),
            words.flatMap((word, i) => (one.mask[i] === 0 ? [] : [[word, one.mask[i], one.key[i]! & one.mask[i]!]])),
          );
          if (before !== undefined) assert.equal(put.slot, before.slot);
          else assert.ok([...plain.values()].every(({ slot }) => slot !== put.slot));
          plain.set(match, { id: put.id, slot: put.slot });
          const flow = [...registry.flows()].find(({ id }) => id === put.id);
          assert.deepEqual([flow?.key, flow?.mask], [key.map((value, i) => value & mask[i]!), mask]);
        }
        assert.deepEqual(
          [...registry.flows()].map(({ id }) => id),
          [...plain.values()].map(({ id }) => id).sort((a, b) => a - b),
        );
      }
    }),
  );
});
