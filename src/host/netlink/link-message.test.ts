import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeLinkEvents, encodeLinkChange, encodeLinkDelete, encodeLinkDump } from './link-message.ts';

test('a link message', () => {
  // RTM_NEWLINK of index 5, up, named "v0", MTU 1500, address 50:54:00:00:00:01.
  const bytes = new Uint8Array(32 + 8 + 8 + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, 16, true);
  view.setInt32(20, 5, true);
  view.setUint32(24, 0x10001, true);
  bytes.set([7, 0, 3, 0, 0x76, 0x30, 0, 0], 32);
  bytes.set([8, 0, 4, 0, 0xdc, 5, 0, 0], 40);
  bytes.set([10, 0, 1, 0, 0x50, 0x54, 0, 0, 0, 1, 0, 0], 48);
  const [event] = decodeLinkEvents(bytes);
  assert.deepEqual(event, {
    kind: 'link',
    link: {
      index: 5,
      name: 'v0',
      mac: [0x50540000, 1],
      mtu: 1500,
      flags: 0x10001,
      carrierChanges: 0,
      hasCarrier: false,
      alias: '',
      kind: '',
      counters: undefined,
    },
  });
});

test('our own requests decode as what they are', () => {
  assert.deepEqual(decodeLinkEvents(encodeLinkDump(1)), []);
  const [change] = decodeLinkEvents(encodeLinkChange(1, 9, { mac: [0x02030405, 0x0607], mtu: 1400, flags: 1, flagMask: 1 }));
  assert.ok(change?.kind === 'link');
  assert.deepEqual([change.link.index, change.link.mac, change.link.mtu, change.link.flags], [9, [0x02030405, 0x0607], 1400, 1]);
  assert.deepEqual(decodeLinkEvents(encodeLinkDelete(1, 9)), [{ kind: 'gone', index: 9, name: '' }]);
});

test('any bytes decode to something', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeLinkEvents(bytes)));
  const header = new Uint8Array(encodeLinkChange(1, 9, { mac: [1, 2], mtu: 3 }));
  fc.assert(
    fc.property(fc.nat(header.length - 1), fc.nat(255), (at, value) => {
      const bytes = header.slice();
      bytes[at] = value;
      decodeLinkEvents(bytes);
    }),
  );
});
