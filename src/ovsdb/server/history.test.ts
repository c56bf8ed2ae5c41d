import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Commit, Row, Table } from '../engine/database.ts';
import { TransactionHistory } from './history.ts';

const row = (atoms: number): Row => ({ table: {} as Table, uuid: 'x', fields: [{ keys: Array.from({ length: atoms }, (_, i) => i) }] });
const commit = (comment: string, before: number, after: number): Commit => ({
  changes: [{ table: {} as Table, uuid: 'x', before: before === 0 ? undefined : row(before), after: after === 0 ? undefined : row(after) }],
  comment,
  isDurable: false,
});

test('since(x) is what was added after x, as long as it is kept', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 250 }), fc.integer({ min: 0, max: 249 }), (count, from) => {
      const history = new TransactionHistory();
      history.reset('start');
      for (let i = 0; i < count; i++) history.add(`t${i}`, commit(`t${i}`, 0, 3));
      const expected = from >= count ? undefined : Array.from({ length: count - from - 1 }, (_, i) => `t${from + 1 + i}`);
      const found = history.since(`t${from}`)?.map(({ comment }) => comment);
      assert.deepEqual(found, expected !== undefined && expected.length >= 100 ? undefined : expected);
      assert.equal(history.lastId, `t${count - 1}`);
      assert.equal(history.since('nosuch'), undefined);
      history.reset('anew');
      assert.equal(history.since(`t${count - 1}`), undefined);
      assert.deepEqual(history.since('anew'), []);
    }),
  );
});

// What ovsdb-server 3.1 says in memory/show of a relay whose source makes these transactions.
test('a history is no larger than the database', () => {
  const history = new TransactionHistory();
  history.reset('0');
  const sizes: string[] = [];
  const steps: [before: number, after: number][] = [
    [0, 3],
    [0, 6],
    [0, 7],
    [3, 3],
    [6, 4],
    [7, 9],
    [9, 0],
  ];
  for (const [i, [before, after]] of steps.entries()) {
    history.add(`${i + 1}`, commit('', before, after));
    sizes.push(`${history.size.transactions} ${history.size.atoms}`);
  }
  assert.deepEqual(sizes, ['2 3', '3 9', '4 16', '2 13', '1 10', '1 16', '1 9']);
  history.add('8', undefined);
  assert.deepEqual(history.size, { transactions: 1, atoms: 9 });
});
