import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FIELDS } from '../../flow/fields.ts';
import { KEY_WORDS } from '../../flow/key.ts';
import type { Subfield } from '../../openflow/action.ts';
import { moveSubfield, readSubfield, writeSubfield } from './subfield.ts';

test('to move a part is to read it and to write it', () => {
  const word = fc.integer({ min: 0, max: 0xffffffff });
  const key = fc.uint32Array({ minLength: KEY_WORDS, maxLength: KEY_WORDS });
  const field = fc.constantFrom(...FIELDS);
  fc.assert(
    fc.property(key, field, field, word, word, word, (words, from, to, a, b, c) => {
      const bits = 1 + (a % Math.min(from.bits, to.bits, c % 2 === 0 ? 32 : 1024));
      const part = (of: Subfield['field'], at: number): Subfield => ({ field: of, offset: at % (of.bits - bits + 1), bits });
      const [source, target] = [part(from, b), part(to, c >>> 1)];
      const moved = words.slice();
      moveSubfield(moved, source, target);
      const written = words.slice();
      writeSubfield(written, target, readSubfield(written, source));
      assert.deepEqual(moved, written);
    }),
    { numRuns: 3000 },
  );
});
