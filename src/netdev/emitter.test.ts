import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Emitter, NOT_EMITTED } from './emitter.ts';
import { GSO, newPacket } from './packet.ts';

test('which frames may leave by the program', () => {
  const packet = newPacket();
  packet.bytes.set([0x86, 0xdd], packet.start + 12);
  const kindOf = (length: number, csumStart = 0, csumOffset = 0, gsoType = 0): number => {
    Object.assign(packet, { length, csumStart, csumOffset, gsoType });
    return Emitter.kindOf(packet);
  };
  assert.equal(kindOf(60), 0x186dd);
  assert.equal(kindOf(1600), 0x186dd);
  assert.equal(kindOf(256, 54, 16), 0x186dd);
  assert.equal(kindOf(72, 54, 16), 0x186dd);
  for (const none of [
    kindOf(13),
    kindOf(1601),
    kindOf(1514, 34, 16, GSO.TCPV4),
    kindOf(257, 54, 16),
    kindOf(71, 54, 16),
    kindOf(200, 34, 65),
  ])
    assert.equal(none, NOT_EMITTED);
});
