import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSubfield } from '../../openflow/text/subfield-text.ts';
import { FixtureDatabase } from './fixture.ts';
import { readWanted } from './wanted.ts';

test('rows of Flow_Table become requests, and what is wrong in them warnings', () => {
  const db = new FixtureDatabase();
  db.add('Flow_Table', 'good', {
    name: 'a-name-that-is-longer-than-31-bytes',
    flow_limit: 5,
    overflow_policy: 'evict',
    groups: ['NXM_OF_IN_PORT[]', 'eth_src[3..90]', 'nosuch'],
    prefixes: ['ip_dst', 'tcp_dst', 'tun_id', 'what'],
  });
  db.add('Flow_Table', 'none', { prefixes: ['ip_src', 'none'] });
  const flowTables = new Map<number, string>([
    [3, 'Flow_Table:good'],
    [0, 'Flow_Table:none'],
    [9, 'Flow_Table:gone'],
  ]);
  db.bridge('br0', {}, { flow_tables: flowTables });
  const options = { dummy: true, dummyOverride: false, dummySystem: false, runDirectory: '/run/ovs' };
  const tables = readWanted(db, options).bridges.get('br0')!.flowTables;
  assert.deepEqual([...tables.keys()], [0, 3]);
  const { request, warnings, notes } = tables.get(3)!;
  assert.deepEqual(
    { ...request, groups: request.groups.map(formatSubfield) },
    { name: 'a-name-that-is-longer-than-31-b', maxFlows: 5, evicts: true, groups: ['NXM_OF_IN_PORT[]'], prefixes: ['ip_dst', 'tun_id'] },
  );
  assert.deepEqual(warnings, [
    "bridge br0 table 3: error parsing 'groups' (eth_src[3..90]: ending bit 90 is not valid because field is only 48 bits wide)",
    "bridge br0 table 3: error parsing 'groups' (nosuch: unknown field `nosuch')",
    "bridge br0: 'prefixes' with incompatible field: tcp_dst",
    "bridge br0: 'prefixes' with unknown field: what",
  ]);
  assert.deepEqual(notes, ['bridge br0 table 3: Prefix lookup with: ip_dst,tun_id.']);
  assert.deepEqual(tables.get(0)!.request, { name: 'none', maxFlows: undefined, evicts: false, groups: [], prefixes: [] });
  assert.deepEqual(tables.get(0)!.notes, ['bridge br0 table 0: Prefix lookup with: none.']);
});
