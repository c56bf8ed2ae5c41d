import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeRouteEvents, encodeAddressDump, encodeRouteDump, encodeRouteRequest } from './route-message.ts';

test('any bytes decode to events or to nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.constantFrom(2, 3, 20, 24), (bytes, type) => {
      if (bytes.length >= 16) {
        const view = new DataView(bytes.buffer, bytes.byteOffset);
        view.setUint32(0, bytes.length, true);
        view.setUint16(4, type, true);
      }
      for (const event of decodeRouteEvents(bytes)) assert.ok(event.kind.length > 0);
    }),
  );
});

test('a route says where to, by which device and gateway, from which address, and its MTU', () => {
  // As the kernel answers: rtmsg, RTA_DST 10.2.0.0, RTA_OIF 3, RTA_GATEWAY 10.0.0.9, RTA_PREFSRC 10.0.0.1, RTA_METRICS { RTAX_MTU 1400 }
  const where = [8, 0, 1, 0, 10, 2, 0, 0, 8, 0, 4, 0, 3, 0, 0, 0, 8, 0, 5, 0, 10, 0, 0, 9];
  const attributes = [...where, 8, 0, 7, 0, 10, 0, 0, 1, 12, 0, 8, 0, 8, 0, 2, 0, 120, 5, 0, 0];
  const size = 28 + attributes.length;
  const bytes = Uint8Array.from([size, 0, 0, 0, 24, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 2, 16, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0, ...attributes]);
  assert.deepEqual(decodeRouteEvents(bytes), [
    {
      kind: 'route',
      sequence: 9,
      route: {
        destination: Uint8Array.of(10, 2, 0, 0),
        isIpv6: false,
        length: 16,
        ifindex: 3,
        gateway: Uint8Array.of(10, 0, 0, 9),
        mark: 0,
        source: Uint8Array.of(10, 0, 0, 1),
        mtu: 1400,
        type: 1,
      },
    },
  ]);
});

test('requests have the lengths that they say', () => {
  const request = encodeRouteRequest(7, new Uint8Array(16).fill(1), new Uint8Array(16).fill(2), 5);
  assert.equal(new DataView(request.buffer).getUint32(0, true), request.length);
  assert.deepEqual([...request.subarray(16, 19)], [10, 128, 128]);
  assert.equal(encodeAddressDump(1).length, 24);
  assert.equal(encodeRouteDump(1).length, 28);
});
