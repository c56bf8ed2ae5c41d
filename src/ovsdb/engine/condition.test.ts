import { test } from 'node:test';
import fc from 'fast-check';
import type { Json } from '../json/json.ts';
import { parseJson } from '../json/json-text.ts';
import { type Condition, conditionHolds, differenceTest, parseCondition, rowTest } from './condition.ts';
import { ownDatum, parseDatum } from './datum.ts';
import { parseSchema } from './schema.ts';

const schema = parseSchema(
  parseJson(
    '{"name":"D","tables":{"T":{"columns":{"n":{"type":"integer"},"o":{"type":{"key":"string","min":0}},"s":{"type":{"key":"integer","min":0,"max":"unlimited"}}}}}}',
  ),
);
const table = schema.tables.get('T')!;
const columns = ['n', 'o', 's'].map((name) => table.columns.get(name)!);
const integer = fc.integer({ min: 0, max: 3 }).map(String);
const value = [
  integer,
  fc.constantFrom('["set",[]]', '"a"', '"b"'),
  fc.uniqueArray(integer, { maxLength: 3 }).map((list) => `["set",[${list.join()}]]`),
];
const row = fc.tuple(...value).map((texts) => {
  const fields: ReturnType<typeof ownDatum>[] = [];
  for (const [i, column] of columns.entries())
    fields[column.index] = ownDatum(parseDatum((parseJson(`[${texts[i]}]`) as Json[])[0]!, column.type));
  return fields;
});
const clause = fc.oneof(
  fc.constantFrom('true', 'false'),
  ...columns.map((column, i) =>
    fc
      .tuple(fc.constantFrom('==', '!=', 'includes', 'excludes', ...(i === 0 ? ['<', '>='] : [])), value[i]!)
      .map(([how, text]) => `["${column.name}","${how}",${text}]`),
  ),
);
const condition = fc.array(clause, { maxLength: 5 }).map((list): Condition => parseCondition(parseJson(`[${list.join()}]`), table));
const shown = (one: Condition, fields: Parameters<typeof conditionHolds>[1]): boolean =>
  one.length === 0 || one.some((part) => conditionHolds([part], fields));

test('a condition made ready shows the rows that one of its clauses holds for', () => {
  fc.assert(fc.property(condition, row, (one, fields) => rowTest(one)(fields) === shown(one, fields)));
});

test('a row that is shown by one of two conditions alone is found by their difference', () => {
  fc.assert(
    fc.property(condition, condition, row, (a, b, fields) => shown(a, fields) === shown(b, fields) || differenceTest(a, b)(fields)),
  );
  fc.assert(fc.property(condition, row, (one, fields) => one.length === 0 || !differenceTest(one, [...one])(fields)));
});
