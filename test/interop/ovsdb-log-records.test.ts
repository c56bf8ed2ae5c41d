// Logs whose records are whole and say odd or impossible things: what ovsdb-tool shows of them, and what a server makes of them, word for word.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compareExactly, type Side, server, skip, tool } from './support/ovsdb-sides.ts';

const u = '11111111-2222-4222-8222-222222222222';
const v = '22222222-2222-4222-8222-222222222222';
const schema = {
  name: 'Small',
  version: '1.0.0',
  tables: {
    T: {
      isRoot: true,
      columns: {
        name: { type: 'string' },
        n: { type: { key: 'integer', min: 0, max: 'unlimited' } },
        o: { type: { key: 'integer', min: 0 } },
        m: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
      },
    },
    U: { isRoot: true, columns: { r: { type: { key: 'real', min: 0, max: 'unlimited' } } } },
  },
};

function log(records: readonly unknown[]): Buffer {
  return Buffer.concat(
    [schema, ...records].map((one) => {
      const body = Buffer.from(`${JSON.stringify(one)}\n`);
      return Buffer.concat([Buffer.from(`OVSDB JSON ${body.length} ${createHash('sha1').update(body).digest('hex')}\n`), body]);
    }),
  );
}

const write =
  (name: string, records: readonly unknown[]) =>
  (side: Side): void =>
    writeFileSync(join(side.dir, name), log(records));

const ODD: readonly unknown[] = [
  { T: { [u]: { name: 'q', o: 1 } }, _date: 1_500_000_000_000 },
  { T: { [u]: { n: ['set', [1, 2]], m: ['map', [['a', 'b']]] } } },
  { T: { [u]: { name: 'renamed' } }, _is_diff: true },
  { T: { [u]: null } },
  { T: { [u]: null } },
  { T: { [v]: null }, _is_diff: true },
  { T: { [v]: { n: 3 } }, _is_diff: true },
  {
    T: { [v]: { n: ['set', [3]], o: ['set', [3]], nosuch: 1, m: ['map', [['a', 'b c']]] }, x: { name: 1 } },
    _is_diff: true,
    _comment: 'two\nlines',
  },
  { Nosuch: { [v]: { a: 1 } }, T: 5 },
  { T: { [v]: 5 } },
  { T: { [v]: { name: 5 } } },
  { _date: 'x', _comment: 5, _strange: 1 },
  {},
  { T: {} },
  { T: { [u]: {} }, U: { [v]: { r: 1.5 } } },
  { _date: 1.5, T: { [v]: { name: '' } } },
  { _date: -1 },
];

const BAD: Readonly<Record<string, unknown>> = {
  table: { Nosuch: { [u]: {} } },
  column: { T: { [u]: { nosuch: 1 } } },
  duplicate: { T: { [u]: { n: ['set', [1, 1]] } } },
  uuid: { T: { x: { name: 'a' } } },
  row: { T: { [u]: 5 } },
  rows: { T: 5 },
  type: { T: { [u]: { name: 5 } } },
  absent: { T: { [v]: null } },
  text: { U: { [v]: { r: ['set', [1e16, 10000000000000002, 1e16]] } } },
};

test('odd records: show-log shows them, and a server passes over what it cannot take', { skip }, async () => {
  const bad = Object.entries(BAD);
  await compareExactly([
    write('odd', ODD),
    ...[[], ['-m'], ['-mm'], ['-mmm']].map((more) => tool(...more, 'show-log', 'odd')),
    ...bad.map(([name, record]) => write(name, [{ T: { [u]: { name: 'first' } } }, record, { U: { [u]: { r: 1.5 } } }])),
    ...bad.map(([name]) => tool('query', name, '["Small",{"op":"select","table":"T","where":[],"columns":["name"]}]')),
    ...bad.map(([name]) =>
      server('--remote=punix:s', '--unixctl=ctl', '--run=ovsdb-client --no-headings dump unix:s Small T name U r', name),
    ),
  ]);
});
