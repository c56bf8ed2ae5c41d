import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bond, type BondSettings } from './bond.ts';

const settings = (changes: Partial<BondSettings> = {}): BondSettings => ({
  mode: 'active-backup',
  updelayMs: 0,
  downdelayMs: 0,
  hashBasis: 0,
  primary: '',
  takesAllByAll: false,
  fallsBack: false,
  ...changes,
});
const links = (...up: boolean[]): { name: string; isUp: boolean }[] => up.map((isUp, i) => ({ name: `p${i + 1}`, isUp }));

test('active-backup: one member sends and takes all, and another follows it', () => {
  const bond = new Bond('b', settings());
  assert.equal(bond.run(links(true, true), 0), true);
  assert.equal(bond.active?.name, 'p1');
  assert.deepEqual([bond.choose(3)?.name, bond.admission('p1', false), bond.admission('p2', false)], ['p1', 'accept', 'drop']);
  assert.equal(bond.run(links(true, true), 1), false);
  assert.equal(bond.run(links(false, true), 2), true);
  assert.deepEqual([bond.active?.name, bond.admission('p1', true), bond.admission('p2', true)], ['p2', 'drop', 'accept']);
  // Who came back waits for its turn, unless it is the primary.
  bond.run(links(true, true), 3);
  assert.equal(bond.active?.name, 'p2');
  bond.configure(settings({ primary: 'p1' }));
  assert.equal(bond.run(links(true, true), 4), true);
  assert.equal(bond.active?.name, 'p1');
  bond.run(links(false, false), 5);
  assert.deepEqual([bond.active, bond.choose(0), bond.admission('p1', false)], [undefined, undefined, 'drop']);
});

test('delays: what comes back meanwhile changes nothing; the first of all links needs not wait', () => {
  const bond = new Bond('b', settings({ updelayMs: 500, downdelayMs: 300 }));
  bond.run(links(true, true), 0);
  assert.equal(bond.run(links(false, true), 10), false);
  assert.equal(bond.nextMs, 310);
  bond.run(links(true, true), 100);
  assert.equal(bond.nextMs, undefined);
  bond.run(links(false, true), 200);
  assert.equal(bond.run(links(false, true), 499), false);
  assert.equal(bond.run(links(false, true), 500), true);
  assert.equal(bond.active?.name, 'p2');
  bond.run(links(true, true), 600);
  assert.deepEqual([bond.nextMs, bond.member('p1')?.isEnabled], [1100, false]);
  bond.run(links(true, true), 1100);
  assert.equal(bond.member('p1')?.isEnabled, true);
  bond.run(links(false, false), 2000);
  bond.run(links(false, false), 2300);
  assert.equal(bond.choose(0), undefined);
  bond.run(links(false, true), 2400);
  assert.equal(bond.choose(0)?.name, 'p2');
});

test('balance-slb: buckets in turn, kept while their member is enabled; what is for many by the active member alone', () => {
  const bond = new Bond('b', settings({ mode: 'balance-slb' }));
  bond.run(links(true, true), 0);
  assert.deepEqual(
    [7, 8, 9, 7, 8].map((bucket) => bond.choose(bucket)?.name),
    ['p1', 'p2', 'p1', 'p1', 'p2'],
  );
  assert.deepEqual(
    [bond.admission('p2', false), bond.admission('p2', true), bond.admission('p1', true)],
    ['drop if moved', 'drop', 'drop if moved'],
  );
  bond.migrate(7, bond.member('p2')!);
  assert.equal(bond.choose(7)?.name, 'p2');
  bond.run(links(true, false), 1);
  assert.deepEqual(
    [7, 8, 9].map((bucket) => bond.choose(bucket)?.name),
    ['p1', 'p1', 'p1'],
  );
  bond.run([{ name: 'p1', isUp: true }], 2);
  assert.equal(bond.member('p2'), undefined);
});

test('balance-tcp without LACP carries nothing, unless it is told to fall back', () => {
  const bond = new Bond('b', settings({ mode: 'balance-tcp' }));
  bond.run(links(true, true), 0);
  assert.deepEqual([bond.choose(1), bond.admission('p1', false)], [undefined, 'drop']);
  bond.configure(settings({ mode: 'balance-tcp', fallsBack: true }));
  assert.deepEqual([bond.choose(1)?.name, bond.admission('p1', false)], ['p1', 'accept']);
});
