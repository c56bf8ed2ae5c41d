import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDatum } from './datum-text.ts';
import type { ColumnType } from './types.ts';
import { parseDatumText, ValueError } from './value-text.ts';

const many = Number.POSITIVE_INFINITY;
const integers: ColumnType = { key: { type: 'integer' }, min: 0, max: many };
const strings: ColumnType = { key: { type: 'string' }, min: 0, max: many };
const map: ColumnType = { key: { type: 'string' }, value: { type: 'string' }, min: 0, max: many };
const fault = (text: string, type: ColumnType): string => {
  try {
    parseDatumText(text, type);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
};

test('sets, ranges and maps', () => {
  assert.deepEqual(parseDatumText('[3, 1-2]', integers).keys, [1, 2, 3]);
  assert.deepEqual(parseDatumText('a "b c"', strings).keys, ['a', 'b c']);
  assert.deepEqual(parseDatumText('{b=1, a="x=y"}', map), { keys: ['a', 'b'], values: ['x=y', '1'] });
  assert.deepEqual(parseDatumText('[]', strings).keys, []);
  const numbered = { ...map, key: { type: 'integer' as const } };
  assert.deepEqual(parseDatumText('1-3=a,5=b', numbered), { keys: [1, 2, 3, 5], values: ['a', 'a', 'a', 'b'] });
  assert.equal(fault('1-9999=a', numbered), 'constraint violation: Range "1-9999" is too big. Maximum allowed size is 4096.');
  assert.equal(fault('1-3=a,2=b', numbered), '1-3=a,2=b: map contains duplicate key');
});

test('faults have the words of Open vSwitch', () => {
  assert.equal(fault('3-1', integers), '"3-1" is not a valid range. Range end cannot be before start.');
  assert.equal(fault('1,1', integers), '1,1: set contains duplicate value');
  assert.equal(fault('[1,2', integers), '[1,2: missing "]" at end of data');
  assert.equal(fault('{a=b,,c=d}', map), '{a=b,,c=d}: unexpected "," parsing map of (string, string) pairs');
  assert.equal(fault('a:b', map), 'a:b: syntax error at ":" expecting "="');
  assert.equal(fault('b é', map), 'b é: syntax error at "\udcc3" expecting "="');
  assert.equal(fault('"a', strings), '"a: quoted string extends past end of argument');
});

test('what can be but one is shown without brackets', () => {
  const one = { ...map, min: 0, max: 1 };
  assert.equal(formatDatum({ keys: ['a'], values: ['b'] }, one), 'a=b');
  assert.equal(formatDatum({ keys: [], values: [] }, one), '{}');
  assert.equal(formatDatum({ keys: ['a'], values: ['b'] }, map), '{a=b}');
});

test('what is printed is read back', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string()), (texts) => {
      const keys = [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      assert.deepEqual(parseDatumText(formatDatum({ keys }, strings), strings).keys, keys);
    }),
  );
});

test('any text gives a value or a ValueError', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '1', '-', '"', '\\', '=', ',', ' ', '[', ']', '{', '}', ':') }),
      fc.constantFrom(integers, strings, map),
      (text, type) => {
        try {
          parseDatumText(text, type);
        } catch (error) {
          assert.ok(error instanceof ValueError, String(error));
        }
      },
    ),
  );
});
