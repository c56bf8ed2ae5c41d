import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newKey, W } from '../../flow/key.ts';
import type { DpAction } from '../datapath.ts';
import type { Command } from './command.ts';
import { applyPacked, CommandPacker } from './packed-commands.ts';

const action: fc.Arbitrary<DpAction> = fc.oneof(
  fc.record({ kind: fc.constant('output' as const), port: fc.nat(3) }),
  fc.record({ kind: fc.constant('trunc' as const), maxLength: fc.nat(2) }),
);
const actions = fc.array(action, { maxLength: 3 });
const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const masks = [
  { indices: Int32Array.of(0), masks: Int32Array.of(-1) },
  { indices: Int32Array.of(3, 9, 40), masks: Int32Array.of(1, -1, 0xff) },
];
const flow: fc.Arbitrary<Command> = fc
  .record({
    slot: fc.nat(),
    id: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    mask: fc.constantFrom(...masks),
    actions,
    seed: word,
  })
  .map(({ slot, id, mask, actions: list, seed }) => {
    return { op: 'flowPut', slot, id, ...mask, words: mask.indices.map((_, i) => seed ^ i), actions: list };
  });
const frame: fc.Arbitrary<Command> = fc
  .record({ frame: fc.uint8Array({ maxLength: 100 }), words: fc.array(fc.tuple(fc.nat(W.DP_END - 1), word), { maxLength: 20 }), actions })
  .map(({ frame: bytes, words, actions: list }) => {
    const key = newKey();
    for (const [at, value] of words) key[at] = value;
    const offload = { csumStart: bytes.length, csumOffset: 16, gsoType: 1, gsoSize: 1448 };
    return { op: 'execute', frame: bytes, key, actions: list, offload };
  });

test('what is packed is carried out as it was said, in its order', () => {
  const packer = new CommandPacker();
  fc.assert(
    fc.property(fc.array(fc.oneof(flow, frame), { maxLength: 60 }), (commands) => {
      for (const command of commands) assert.ok(packer.add(command));
      const got: Command[] = [];
      const core = {
        flowPut: (slot: number, id: number, indices: Int32Array, of: Int32Array, words: Int32Array, list: readonly DpAction[]) =>
          void got.push({ op: 'flowPut', slot, id, indices, masks: of, words, actions: list }),
        execute: (bytes: Uint8Array, key: Uint32Array, list: readonly DpAction[], offload: never) =>
          void got.push({ op: 'execute', frame: bytes.slice(), key: key.slice(), actions: list, offload }),
        flush: () => {},
      };
      applyPacked(core, structuredClone(packer.take()), (error) => assert.fail(String(error)));
      assert.deepEqual(got, structuredClone(commands));
      assert.ok(packer.isEmpty);
    }),
  );
});

test('a command that fails does not keep the others', () => {
  const packer = new CommandPacker();
  for (let slot = 0; slot < 3; slot++)
    packer.add({ op: 'flowPut', slot, id: slot + 1, ...masks[0]!, words: Int32Array.of(1), actions: [] });
  const seen: number[] = [];
  const errors: unknown[] = [];
  const core = {
    flowPut(slot: number) {
      if (slot === 1) throw new Error('no');
      seen.push(slot);
    },
    execute() {},
    flush() {},
  };
  applyPacked(core, packer.take(), (error) => void errors.push(error));
  assert.deepEqual([seen, errors.length], [[0, 2], 1]);
});

test('other commands are left alone', () => {
  assert.equal(new CommandPacker().add({ op: 'flowFlush' }), false);
});
