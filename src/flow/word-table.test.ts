import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newKey, W } from './key.ts';
import { WordTable } from './word-table.ts';

const indices = Int32Array.of(W.IN_PORT, W.NW_DST);
const masks = Int32Array.of(-1, 0x7fffffff | 0);
const step = fc.record({ isPut: fc.boolean(), port: fc.nat(3), address: fc.constantFrom(0, 1, 2, 0x80000001, 0xffffffff), at: fc.nat(30) });

test('keys under a mask are numbered as in a plain map, whatever was added and removed before', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const table = new WordTable(indices, masks);
      const plain = new Map<string, number>();
      const key = newKey();
      for (const { isPut, port, address, at } of steps) {
        key[W.IN_PORT] = port;
        key[W.NW_DST] = address;
        // A word that the mask does not have.
        key[W.NW_SRC] = at;
        const name = `${port} ${address & 0x7fffffff}`;
        const found = table.find(key);
        assert.equal(found, plain.get(name) ?? -1);
        if (isPut && found < 0) {
          const index = table.add();
          assert.ok(![...plain.values()].includes(index));
          plain.set(name, index);
        } else if (!isPut && plain.size > 0) {
          const [gone, index] = [...plain][at % plain.size]!;
          table.remove(index);
          plain.delete(gone);
        }
        assert.equal(table.count, plain.size);
        for (const [text, index] of plain) {
          const written = newKey();
          table.write(index, written);
          assert.equal(`${written[W.IN_PORT]} ${written[W.NW_DST]}`, text);
        }
      }
    }),
  );
});
