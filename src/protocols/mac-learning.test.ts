import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MacTable } from './mac-learning.ts';

test('an address is learned, moves and ages', () => {
  const table = new MacTable<string>();
  assert.equal(table.lookup(0, 0x50540000, 1, 0), undefined);
  assert.equal(table.learn(0, 0x50540000, 1, 'a', 0), true);
  assert.equal(table.learn(0, 0x50540000, 1, 'a', 10), false);
  assert.equal(table.lookup(0, 0x50540000, 1, 10)?.port, 'a');
  assert.equal(table.lookup(1, 0x50540000, 1, 10), undefined);
  assert.equal(table.learn(0, 0x50540000, 1, 'b', 20), true);
  assert.equal(table.lookup(0, 0x50540000, 1, 300_019)?.port, 'b');
  assert.equal(table.lookup(0, 0x50540000, 1, 300_020), undefined);
  table.expire(300_020);
  assert.equal(table.count, 0);
});

test('group addresses are nobody', () => {
  const table = new MacTable<string>();
  assert.equal(table.learn(0, 0x01005e00, 1, 'a', 0), false);
  assert.equal(table.count, 0);
});

test('a noisy port evicts only its own addresses', () => {
  const table = new MacTable<string>();
  table.configure(300_000, 10);
  table.learn(0, 2, 1, 'quiet', 0);
  for (let i = 0; i < 1000; i++) table.learn(0, 4, i, 'noisy', i);
  assert.equal(table.count, 10);
  assert.equal(table.lookup(0, 2, 1, 1000)?.port, 'quiet');
  assert.equal(table.lookup(0, 4, 999, 1000)?.port, 'noisy');
});

test('a gratuitous ARP locks its entry against those from a bond', () => {
  const table = new MacTable<string>();
  table.learn(0, 2, 1, 'a', 0, 'gratuitous');
  assert.equal(table.learn(0, 2, 1, 'bond', 100, 'gratuitousFromBond'), false);
  assert.equal(table.lookup(0, 2, 1, 100)?.port, 'a');
  assert.equal(table.learn(0, 2, 1, 'c', 200, 'gratuitous'), true);
  assert.equal(table.learn(0, 2, 1, 'bond', 5200, 'gratuitousFromBond'), true);
});

test('a new station changes an answer only where it was asked for, one that moves always', () => {
  const table = new MacTable<string>();
  const { generation } = table;
  assert.equal(table.learn(0, 2, 1, 'a', 0), false);
  assert.equal(table.generation, generation);
  assert.equal(table.lookup(0, 2, 2, 0), undefined);
  assert.equal(table.learn(1, 2, 2, 'a', 0), false, 'another VLAN');
  assert.equal(table.learn(0, 2, 2, 'a', 0), true);
  assert.ok(table.generation > generation);
  assert.equal(table.learn(0, 2, 1, 'b', 0), true, 'it moved');
  assert.equal(table.lookup(0, 2, 3, 0), undefined);
  table.forgetMisses();
  assert.equal(table.learn(0, 2, 3, 'a', 0), false);
  // More questions than are kept: then all count.
  for (let i = 0; i < 10_000; i++) table.lookup(0, 4, i, 0);
  assert.equal(table.learn(0, 6, 1, 'a', 0), true);
});
