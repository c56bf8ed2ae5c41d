import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newKey, W } from '../../flow/key.ts';
import { FlowTable, packMatch } from './flow-table.ts';
import { compileActions, type Op } from './program.ts';
import { FLOW_WORD, RECORD_WORDS, sharedState } from './shared-state.ts';

const state = sharedState();

interface Plain {
  slot: number;
  key: Uint32Array;
  mask: Uint32Array;
  program: readonly Op[];
}

const words = [W.IN_PORT, W.NW_DST, W.TP] as const;
const small = fc.constantFrom(0, 1, 2, 3);
/** `isLong`: the mask has more words than a record, all 0 in each key. */
const match = fc.record({ key: fc.tuple(small, small, small), mask: fc.tuple(small, small, small), isLong: fc.boolean() });
const program = fc.nat(3).map((port) => compileActions([{ kind: 'output', port }]));
const step = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), slot: fc.nat(30), match, program }),
  fc.record({ kind: fc.constant('setProgram' as const), slot: fc.nat(30), program }),
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
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

test('the table finds what a linear search finds, with the program that it has, whatever was put and removed', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const table = new FlowTable(state);
      state.flowWords.fill(0, 0, 31 * FLOW_WORD.SIZE);
      const plain = new Map<number, Plain>();
      for (const one of steps) {
        if (one.kind === 'put') {
          const flow = { slot: one.slot, key: keyOf(one.match.key), mask: keyOf(one.match.mask), program: one.program };
          if (one.match.isLong) flow.mask.fill(0xff, W.CT_LABEL, W.CT_LABEL + RECORD_WORDS + 1);
          const same = [...plain.values()].find(
            (other) =>
              other.slot !== one.slot &&
              packMatch(other.key, other.mask).words.join() === packMatch(flow.key, flow.mask).words.join() &&
              other.mask.join() === flow.mask.join(),
          );
          if (same !== undefined) continue;
          const packed = packMatch(flow.key, flow.mask);
          table.put(one.slot, packed.indices, packed.masks, packed.words, one.program);
          plain.set(one.slot, flow);
        } else if (one.kind === 'setProgram') {
          table.setProgram(one.slot, one.program);
          const flow = plain.get(one.slot);
          if (flow !== undefined) flow.program = one.program;
        } else if (one.kind === 'clear') {
          table.clear();
          plain.clear();
        } else if (one.kind === 'remove') {
          table.remove(one.slot);
          plain.delete(one.slot);
        } else {
          const key = keyOf(one.key);
          const fits = [...plain.values()].filter((flow) => words.every((w) => ((key[w]! ^ flow.key[w]!) & flow.mask[w]!) === 0));
          const found = table.lookup(key);
          if (fits.length === 0) assert.equal(found, -1);
          else assert.ok(fits.some((flow) => flow.slot === found));
        }
        for (const { slot, program } of plain.values()) assert.deepEqual(table.program(slot), program);
        assert.equal(table.maskCount, new Set([...plain.values()].map((flow) => flow.mask.join())).size);
      }
    }),
  );
});
