import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Assembler } from './instructions.ts';

test('instructions are encoded as RFC 9669 lays them out', () => {
  const program = new Assembler().mov(0, 2).exit().finish();
  assert.deepEqual([...program.bytes], [0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]);
});

test('labels become relative jumps, forward and backward', () => {
  const program = new Assembler().label('top').jump('eq', 1, 0, 'end').goto('top').label('end').exit().finish();
  const view = new DataView(program.bytes.buffer);
  assert.equal(view.getInt16(2, true), 1);
  assert.equal(view.getInt16(10, true), -2);
});

test('a label that is missing or stands twice is refused', () => {
  assert.throws(() => new Assembler().goto('nowhere').finish(), /no label nowhere/);
  assert.throws(() => new Assembler().label('a').label('a'), /stands twice/);
});

test('map references are listed for the loader', () => {
  const program = new Assembler().loadMap(1, 'flows').exit().finish();
  assert.deepEqual(program.relocations, [{ index: 0, map: 'flows' }]);
  assert.equal(program.length, 3);
});

test('instructions that nothing leads to are left out, and jumps over them shortened', () => {
  const program = new Assembler().jump('eq', 1, 0, 'end').goto('end').mov(0, 1).label('never').loadMap(1, 'm').label('end').exit().finish();
  assert.equal(program.length, 3);
  assert.deepEqual(program.relocations, []);
  assert.equal(new DataView(program.bytes.buffer).getInt16(2, true), 1);
});
