import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../base/clock.ts';
import { PeerError } from '../../base/errors.ts';
import { RequestAssembler } from './openflow-assembler.ts';

const part = (xid: number, type: number, more: boolean, body: readonly number[] = [], version = 5): Uint8Array =>
  Uint8Array.from([version, 18, 0, 16 + body.length, 0, 0, 0, xid, 0, type, 0, more ? 1 : 0, 0, 0, 0, 0, ...body]);

test('parts of one request come together, empty ones left out; others pass', () => {
  const late: number[] = [];
  const clock = new VirtualClock();
  const parts = new RequestAssembler(clock, (first) => late.push(first[7] ?? 0));
  const plain = part(1, 3, false);
  assert.deepEqual(parts.take(plain), [plain]);
  assert.equal(parts.take(part(2, 16, true, [1, 2])), undefined);
  assert.equal(parts.take(part(3, 0, true)), undefined);
  assert.equal(parts.take(part(2, 16, true, [3])), undefined);
  assert.deepEqual(parts.take(part(2, 16, false, [4])), [part(2, 16, true, [1, 2]), part(2, 16, true, [3]), part(2, 16, false, [4])]);
  assert.deepEqual(parts.take(part(3, 0, false)), [part(3, 0, false)]);
  assert.equal(parts.take(part(6, 15, true), new PeerError('OFPBRC_BAD_LEN', 'no port')), undefined, 'a part may be empty');
  assert.deepEqual(parts.take(part(6, 15, false, [1])), [part(6, 15, false, [1])]);
  assert.throws(() => parts.take(part(6, 15, true, [1]), new PeerError('OFPBRC_BAD_LEN', 'half a port')), { code: 'OFPBRC_BAD_LEN' });
  const old = part(4, 0, true, [], 3);
  assert.deepEqual(parts.take(old), [old], 'OpenFlow 1.2 has no parts');
  assert.deepEqual(late, []);
});

test('parts that do not belong together, grow where they may not, or never end', () => {
  const late: number[] = [];
  const clock = new VirtualClock();
  const parts = new RequestAssembler(clock, (last) => late.push(last[3] ?? 0));
  parts.take(part(1, 1, true, [9]));
  assert.throws(() => parts.take(part(1, 1, false, [9])), { code: 'OFPBRC_BAD_STAT' });
  parts.take(part(1, 0, true));
  assert.throws(() => parts.take(part(1, 3, false)), { code: 'OFPBRC_BAD_STAT' });
  parts.take(part(5, 16, true, [1]));
  parts.take(part(5, 16, true));
  clock.advance(999);
  assert.deepEqual(late, []);
  clock.advance(2);
  assert.deepEqual(late, [16], 'the size of the last part');
});
