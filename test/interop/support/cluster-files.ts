// Files of clustered databases as their servers write them, and what may go wrong in them, for comparing what ovsdb-tool makes of both.
import { createHash } from 'node:crypto';
import type { Dice } from './ovsdb-random-schema.ts';

export type Member = Record<string, unknown>;

const id = (n: number, kind: number): string => `${String(n).repeat(8)}-${String(kind).repeat(4)}-4111-8111-111111111111`;
export const serverId = (n: number): string => id(n, 1);
const rowId = (n: number): string => id(n, 2);
const entryId = (n: number): string => id(n, 3);
const CLUSTER = id(7, 4);
const address = (n: number): string => `tcp:127.0.0.1:664${n}`;

const SCHEMA = {
  name: 'Small',
  version: '1.0.0',
  cksum: '12 34',
  tables: {
    T: {
      isRoot: true,
      columns: {
        name: { type: 'string' },
        n: { type: { key: 'integer', min: 0, max: 'unlimited' } },
        o: { type: { key: 'real', min: 0 } },
      },
    },
    U: { isRoot: true, columns: { m: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } } } },
  },
};

function record(text: string): Buffer {
  const body = Buffer.from(`${text}\n`);
  return Buffer.concat([Buffer.from(`OVSDB CLUSTER ${body.length} ${createHash('sha1').update(body).digest('hex')}\n`), body]);
}

/** A file's bytes; a record that is text already stands in it as it is. */
export const clusterFile = (records: readonly (Member | string)[]): Buffer =>
  Buffer.concat(records.map((one) => record(typeof one === 'string' ? one : JSON.stringify(one))));

export const header = (n: number): Member => ({
  server_id: serverId(n),
  cluster_id: CLUSTER,
  name: 'Small',
  local_address: address(n),
  prev_servers: { [serverId(1)]: address(1) },
  prev_index: 1,
  prev_term: 1,
  prev_eid: entryId(0),
  prev_data: [
    SCHEMA,
    { T: { [rowId(1)]: { name: 'a', n: ['set', [1, 2]] } }, _date: 1_795_956_556_294, _comment: 'made "here"', _is_diff: true },
  ],
});

export const joining = (n: number): Member => ({
  server_id: serverId(n),
  name: 'Small',
  local_address: address(n),
  remote_addresses: [address(1), address(2), 'ssl:[::1]:6645'],
});

const data = (n: number, transaction: unknown): Member => ({ eid: entryId(n), data: [null, transaction] });

/** The log of a server of a cluster of two, whose leader is the first. */
export function memberLog(n: number): Member[] {
  const servers = { [serverId(1)]: address(1), [serverId(2)]: address(2) };
  const log: Member[] = [
    header(n),
    { term: 1, leader: serverId(1) },
    { term: 1, index: 2 },
    { commit_index: 2 },
    { term: 1, index: 3, servers },
    { commit_index: 3 },
    {
      term: 1,
      index: 4,
      ...data(4, {
        T: { [rowId(2)]: { name: 'b', n: 3 } },
        U: { [rowId(3)]: { m: ['map', [['k', 'v w']]] } },
        _date: 1_795_956_685_490,
        _comment: 'hello',
      }),
    },
    { commit_index: 4 },
    { term: 1, index: 5, ...data(5, { T: { [rowId(1)]: { n: ['set', [2, 5]], name: 'c' } }, _date: 1_795_956_685_535, _is_diff: true }) },
    { term: 1, index: 6, ...data(6, { T: { [rowId(2)]: null }, _is_diff: true }) },
    { commit_index: 6 },
    { term: 1, index: 7, election_timer: 1500 },
    { comment: 'as told', note: 'transfer leadership' },
  ];
  if (n === 1) log.splice(1, 0, { term: 1, vote: serverId(1) });
  return log;
}

/** Records that may follow a sound log. */
function following(dice: Dice): Member {
  const term = dice.below(4);
  return dice.pick<Member>([
    { term },
    { term, vote: serverId(1 + dice.below(3)) },
    { term, leader: serverId(1 + dice.below(3)) },
    { commit_index: dice.below(10) },
    { note: dice.pick(['left', 'transfer leadership', '']), comment: 'c' },
    { term, index: 5 + dice.below(5) },
    {
      term,
      index: 7 + dice.below(3),
      ...data(dice.below(9), dice.pick<unknown>([{}, null, { _date: 5 }, { T: {} }, { T: { [rowId(4)]: { name: 'z', o: 1.5 } } }])),
    },
    { term, index: 8, servers: { [serverId(1 + dice.below(3))]: address(1) } },
    { term, index: 8, eid: entryId(1), data: [{ ...SCHEMA, version: '2.0.0' }, { T: {} }] },
  ]);
}

const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  1,
  7,
  1.5,
  '',
  'x',
  [],
  {},
  serverId(3),
  id(0, 0).replaceAll('4111-8111-111111111111', '0000-0000-000000000000'),
  'tcp:1.2.3.4:5',
  'unix:x',
  'tcp:1.2.3.4',
  [null, null],
  [SCHEMA, {}],
  [null, { T: { [rowId(1)]: { name: 'q' } } }],
  { [serverId(2)]: 'x' },
  { [serverId(1)]: 'tcp:1.1.1.1:1' },
  { x: 'tcp:1.1.1.1:1' },
  ['tcp:1.1.1.1:1'],
  [1],
];
const NAMES =
  'comment note term vote leader index servers election_timer data eid commit_index prev_election_timer remote_addresses a strange'.split(
    ' ',
  );

function damage(dice: Dice, member: Member): void {
  const names = Object.keys(member);
  const name = dice.chance(75) ? dice.pick(names) : dice.pick(NAMES);
  if (dice.chance(25)) delete member[name];
  else member[name] = structuredClone(dice.pick(VALUES));
}

/** One to three servers' files with something odd about them. */
export function randomFiles(dice: Dice): Buffer[] {
  if (dice.chance(15)) return [memberLog(1), memberLog(2).slice(0, 5 + dice.below(8))].map(clusterFile);
  const files = Array.from({ length: 1 + dice.below(3) }, (_, i): (Member | string)[] => {
    if (dice.chance(6)) return [joining(i + 1)];
    const log = memberLog(i + 1);
    // The third is in nobody's list of servers.
    if (dice.chance(30)) log.length = 1 + dice.below(log.length);
    for (let more = dice.below(4); more > 0; more--) log.push(following(dice));
    return log;
  });
  for (let more = dice.below(3); more > 0; more--) {
    const file = dice.pick(files);
    const at = dice.chance(40) ? 0 : dice.below(file.length);
    if (dice.chance(3)) file[at] = dice.pick(['x', '[1]', '"x"', '1', '{}', '{"a":']);
    else if (dice.chance(10)) file.splice(at, 1);
    else if (typeof file[at] === 'object') damage(dice, file[at]);
    if (file.length === 0) file.push(header(1));
  }
  return files.map((file) => {
    const bytes = clusterFile(file);
    if (dice.chance(3)) return bytes.subarray(0, -1 - dice.below(60));
    if (dice.chance(2)) bytes[dice.below(bytes.length)]! ^= 1;
    return bytes;
  });
}
