import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJson } from '../json/json-text.ts';
import { joiningToJson, memberToJson, parseRaftHeader, parseRaftRecord } from './raft-file.ts';

const anyAddress = (): void => {};
const uuid = '11111111-1111-4111-8111-111111111111';
const common = { name: 'S', localAddress: 'tcp:[::1]:1', serverId: uuid, clusterId: uuid };
const record = (text: string) => parseRaftRecord(parseJson(text), anyAddress);

test('what a new server writes is what it reads', () => {
  const member = parseRaftHeader(memberToJson(common, uuid, [null, new Map()]), anyAddress);
  assert.ok(member.kind === 'member');
  assert.deepEqual([...member.prevServers], [[uuid, 'tcp:[::1]:1']]);
  assert.deepEqual([member.prevIndex, member.prevTerm, member.prevEid, member.clusterId], [1n, 1n, uuid, uuid]);
  const joining = parseRaftHeader(joiningToJson({ ...common, clusterId: undefined }, ['tcp:a:1', 'tcp:b:1']), anyAddress);
  assert.deepEqual(joining, { kind: 'joining', ...common, clusterId: undefined, remoteAddresses: ['tcp:a:1', 'tcp:b:1'] });
});

test('addresses of other servers are judged, its own is not', () => {
  const judge = (address: string): void => assert.notEqual(address, 'x', 'judged');
  const odd = { ...common, localAddress: 'x', clusterId: undefined };
  assert.equal(parseRaftHeader(joiningToJson(odd, ['tcp:a:1']), judge).localAddress, 'x');
  assert.throws(() => parseRaftHeader(joiningToJson(common, ['x']), judge), /judged/);
});

test('records: numbers beyond 2^63 are negative in the file', () => {
  assert.deepEqual(record('{"term":-1}'), { kind: 'term', comment: undefined, term: 2n ** 64n - 1n });
  assert.deepEqual(record('{"commit_index":9007199254740993}'), { kind: 'commit', comment: undefined, commitIndex: 9007199254740993n });
  assert.deepEqual(record('{"note":"left","comment":"c"}'), { kind: 'note', comment: 'c', note: 'left' });
});

test('records that are none', () => {
  const fault = (text: string): string => {
    try {
      record(text);
      return '';
    } catch (error) {
      return (error as { details: string }).details.replace('Parsing raft log record failed: ', '');
    }
  };
  assert.equal(fault('{}'), "Required 'term' member is missing.");
  assert.equal(fault('{"term":1.5}'), "Type mismatch for member 'term'.");
  assert.equal(fault('{"term":1,"index":2,"data":[null,null]}'), "Required 'eid' member is missing.");
  assert.equal(fault('{"term":1,"index":2,"strange":1,"other":2}'), "Member 'other' and 1 other member are present but not allowed here.");
  assert.equal(fault('{"term":1,"vote":"00000000-0000-0000-0000-000000000000"}'), 'record votes for all-zeros SID');
  assert.equal(fault('{"term":1,"index":2,"servers":{"__proto__":"tcp:x:1"}}'), '__proto__ is not a UUID');
});
