import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Commit } from '../engine/database.ts';
import { TransactionHistory } from './history.ts';

const commit = (id: string): Commit => ({ changes: [], comment: id, isDurable: false });

test('since(x) is what was added after x, as long as it is kept', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 250 }), fc.integer({ min: 0, max: 249 }), (count, from) => {
      const history = new TransactionHistory();
      history.reset('start');
      for (let i = 0; i < count; i++) history.add(`t${i}`, commit(`t${i}`));
      const expected = from >= count ? undefined : Array.from({ length: count - from - 1 }, (_, i) => `t${from + 1 + i}`);
      const found = history.since(`t${from}`)?.map(({ comment }) => comment);
      assert.deepEqual(found, expected !== undefined && expected.length > 100 ? undefined : expected);
      assert.equal(history.lastId, `t${count - 1}`);
      assert.equal(history.since('nosuch'), undefined);
      history.reset('anew');
      assert.equal(history.since(`t${count - 1}`), undefined);
      assert.deepEqual(history.since('anew'), []);
    }),
  );
});
