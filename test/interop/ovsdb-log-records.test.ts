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

function log(records: readonly unknown[], first: object = schema): Buffer {
  return Buffer.concat(
    [first, ...records].map((one) => {
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
    ...bad.map(([name]) => server('--remote=punix:s', '--unixctl=ctl', '--run=ovsdb-client --no-headings dump unix:s Small', name)),
  ]);
});

const uuidsOf = (table: string): object => ({ type: { key: { type: 'uuid', refTable: table }, min: 0, max: 'unlimited' } });
const RULES = {
  name: 'Small',
  tables: {
    T: {
      isRoot: true,
      maxRows: 2,
      indexes: [['n']],
      columns: {
        n: { type: 'integer' },
        kept: uuidsOf('U'),
        weak: { type: { key: { type: 'uuid', refTable: 'T', refType: 'weak' }, min: 0, max: 'unlimited' } },
      },
    },
    U: { columns: { n: { type: 'integer' } } },
  },
};
const [a, b, c] = ['a', 'b', 'c'].map((digit) => `${digit.repeat(8)}-1111-4111-8111-111111111111`) as [string, string, string];
const list = (...uuids: string[]): unknown => ['set', uuids.map((uuid) => ['uuid', uuid])];
const BROKEN: Readonly<Record<string, readonly unknown[]>> = {
  index: [{ T: { [b]: { n: 1 } } }],
  rows: [{ T: { [b]: { n: 2 }, [c]: { n: 3 } } }],
  strong: [{ T: { [a]: { kept: list(u, b) } } }],
  weak: [{ T: { [a]: { weak: list(a, b) } } }],
  held: [{ U: { [u]: null } }],
  collected: [{ U: { [v]: { n: 5 } } }, { T: { [a]: { kept: list(u, v) } } }],
  released: [{ T: { [a]: { kept: list() } } }],
};

test('records that break a rule of the schema change nothing; what nothing refers to is collected', { skip }, async () => {
  const names = Object.keys(BROKEN);
  await compareExactly([
    ...names.map((name) => (side: Side): void => {
      const records = [
        { T: { [a]: { n: 1, kept: ['uuid', u] } }, U: { [u]: { n: 1 } } },
        ...(BROKEN[name] ?? []),
        { T: { [a]: { n: 4 } } },
      ];
      writeFileSync(join(side.dir, name), log(records, RULES));
    }),
    ...names.map((name) => tool('query', name, '["Small",{"op":"select","table":"T","where":[]},{"op":"select","table":"U","where":[]}]')),
    ...names.map((name) => server('--remote=punix:s', '--unixctl=ctl', '--run=ovsdb-client --no-headings dump unix:s Small', name)),
  ]);
});
