import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Json } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import { parseJson } from '../json/json-text.ts';
import { applyDiff, type Datum, datumDiff, datumsEqual, datumToJson, makeMap, makeSet, parseDatum } from './datum.ts';
import { OvsdbError } from './error.ts';
import { parseSchema, schemaToJson } from './schema.ts';
import { parseColumnType } from './type-json.ts';
import type { ColumnType } from './types.ts';

const integers: ColumnType = { key: { type: 'integer' }, min: 0, max: Number.POSITIVE_INFINITY };
const words: ColumnType = { key: { type: 'string' }, value: { type: 'string' }, min: 0, max: Number.POSITIVE_INFINITY };
const word = fc.oneof(fc.constantFrom('a', 'b', '__proto__', '\u{10000}', '\uffff'), fc.string({ maxLength: 2 }));
const sets = fc.array(fc.oneof(fc.nat(20), fc.bigInt(2n ** 60n, 2n ** 60n + 3n))).map((atoms) => makeSet(atoms));
const maps = fc.array(fc.tuple(word, word)).map((pairs) => makeMap(pairs));

function law(a: Datum, b: Datum, type: ColumnType): void {
  assert.ok(datumsEqual(applyDiff(a, datumDiff(a, b, type), type), b));
  assert.deepEqual(parseDatum(datumToJson(a, type), type), a);
}

test('applying the difference of two values to the first gives the second', () => {
  fc.assert(fc.property(sets, sets, (a, b) => law(a, b, integers)));
  fc.assert(fc.property(maps, maps, (a, b) => law(a, b, words)));
});

test('any JSON as a type, a value or a schema gives a result or an OvsdbError', () => {
  const json = fc.oneof(
    fc.json().map((text) => {
      try {
        return parseJson(text);
      } catch {
        return [] as Json;
      }
    }),
    fc
      .constantFrom('set', 'map', 'uuid')
      .chain((kind) => fc.tuple(fc.constant(kind), fc.array(fc.oneof(fc.nat(), fc.string(), fc.boolean())))) as fc.Arbitrary<Json>,
  );
  fc.assert(
    fc.property(json, (value) => {
      for (const parse of [parseColumnType, parseSchema, (v: Json) => parseDatum(v, integers), (v: Json) => parseDatum(v, words)]) {
        try {
          parse(value);
        } catch (error) {
          assert.ok(error instanceof OvsdbError, String(error));
        }
      }
    }),
  );
});

test('a schema comes back as it was, constraints and all', () => {
  const text =
    '{"name":"T","version":"1.2.3","cksum":"1 2","tables":{"A":{"columns":{"e":{"type":{"key":{"type":"string","enum":["set",["x","y"]]}}},' +
    '"i":{"type":{"key":{"type":"integer","minInteger":1,"maxInteger":9007199254740993},"min":0,"max":3}},"r":{"type":{"key":{"type":"uuid","refTable":"A","refType":"weak"},' +
    '"min":0,"max":"unlimited"}},"s":{"type":"string","mutable":false,"ephemeral":true}},"maxRows":7,"isRoot":true,"indexes":[["e","i"]]},"B":{"columns":{"x":{"type":"real"}}}}}';
  assert.equal(formatJson(schemaToJson(parseSchema(parseJson(text)))), text);
});

test('a bound that every value keeps is none, and a count is below what stands for no limit', () => {
  const schemaOf = (type: string): string => `{"name":"T","version":"1.0.0","tables":{"A":{"columns":{"x":{"type":${type}}}}}}`;
  for (const [type, told] of [
    ['{"key":{"type":"integer","minInteger":-9223372036854775808,"maxInteger":9223372036854775807}}', '"integer"'],
    ['{"key":{"type":"real","minReal":-1.7976931348623157e308,"maxReal":1.7976931348623157e308}}', '"real"'],
    ['{"key":{"type":"string","minLength":0,"maxLength":4294967295}}', '"string"'],
    ['{"key":"string","max":4294967294}', '{"key":"string","max":4294967294}'],
  ] as const)
    assert.equal(formatJson(schemaToJson(parseSchema(parseJson(schemaOf(type))))), schemaOf(told));
  assert.throws(() => parseSchema(parseJson(schemaOf('{"key":"string","max":4294967295}'))), /bad min or max value/);
});

test('constraints are told in the words of the reference', () => {
  const fault = (type: string, value: string): string => {
    try {
      parseDatum((parseJson(`[${value}]`) as Json[])[0] as Json, parseColumnType((parseJson(`[${type}]`) as Json[])[0] as Json));
      return '';
    } catch (error) {
      return (error as OvsdbError).message;
    }
  };
  const small = '{"key":{"type":"integer","minInteger":1,"maxInteger":9},"min":0,"max":3}';
  assert.equal(fault(small, '0'), 'constraint violation: 0 is not in the valid range 1 to 9 (inclusive)');
  assert.equal(
    fault(small, '["set",[1,2,3,4]]'),
    'syntax "["set",[1,2,3,4]]": syntax error: set must have 0 to 3 members but 4 are present',
  );
  assert.equal(fault(small, '["set",[1,1]]'), 'ovsdb error: set contains duplicate');
});
