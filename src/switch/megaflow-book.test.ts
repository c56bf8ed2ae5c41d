import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newKey, W } from '../flow/key.ts';
import { type Megaflow, MegaflowBook, writeKey } from './megaflow-book.ts';

const words = [W.IN_PORT, W.TYPE, W.NW_DST] as const;
const small = fc.constantFrom(0, 1, 0x10000, 0x80000001);
const triple = fc.tuple(small, small, small);
const step = fc.record({ isPut: fc.boolean(), key: triple, mask: triple, at: fc.nat(20) });

test('megaflows are found by match, whatever was put and deleted before, and say their masked key', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const book = new MegaflowBook();
      const plain = new Map<string, number>();
      let nextId = 1;
      for (const one of steps) {
        const key = newKey();
        const mask = newKey();
        words.forEach((word, i) => {
          key[word] = one.key[i]!;
          mask[word] = one.mask[i]!;
        });
        const masked = key.map((value, i) => value & mask[i]!);
        const name = `${mask.join()}/${masked.join()}`;
        const under = book.under(mask);
        const found = book.find(under, key);
        assert.equal(found?.id, plain.get(name));
        if (found !== undefined) assert.deepEqual(writeKey(found, newKey()), masked);
        if (one.isPut && found === undefined) {
          const id = nextId++;
          book.add(under, key, { id, actions: [], effects: [], packets: 0, bytes: 0, usedMs: 0, generation: 0 });
          plain.set(name, id);
        } else if (!one.isPut) {
          const [match, id] = [...plain][one.at % Math.max(1, plain.size)] ?? [];
          const flow: Megaflow | undefined = id === undefined ? undefined : book.get(id);
          if (flow !== undefined) book.delete(flow);
          if (match !== undefined) plain.delete(match);
        }
        assert.deepEqual([...book.values()].map(({ id }) => id).sort(), [...plain.values()].sort());
        assert.equal(book.size, plain.size);
      }
    }),
  );
});
