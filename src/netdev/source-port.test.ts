import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newPacket } from './packet.ts';
import { FIRST_SOURCE_PORT, SOURCE_PORTS, setSourcePorts, sourcePort } from './source-port.ts';

const packet = newPacket();
function portOf(frame: ArrayLike<number>): number {
  packet.bytes.set(frame, packet.start);
  packet.length = frame.length;
  return sourcePort(packet);
}

function udp(port: number, ttl: number, tag: number[] = []): number[] {
  const ip = [0x45, 0, 0, 32, 0, 0, 0, 0, ttl, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
  return [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ...tag, 8, 0, ...ip, port >> 8, port & 255, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4];
}

test('any bytes have a port in the range', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      const port = portOf(bytes);
      assert.ok(port >= FIRST_SOURCE_PORT && port < FIRST_SOURCE_PORT + SOURCE_PORTS);
    }),
  );
});

test('another range', () => {
  setSourcePorts(4000, 4010);
  const ports = new Set(Array.from({ length: 200 }, (_, i) => portOf(udp(1000 + i, 64))));
  assert.deepEqual([...ports].sort(), [4000, 4001, 4002, 4003, 4004, 4005, 4006, 4007, 4008, 4009]);
  setSourcePorts(7, 7);
  assert.equal(portOf(udp(5, 64)), 7);
  setSourcePorts(FIRST_SOURCE_PORT, FIRST_SOURCE_PORT + SOURCE_PORTS);
});

test('flows differ, the packets of a flow do not', () => {
  const ports = new Set(Array.from({ length: 1000 }, (_, i) => portOf(udp(1000 + i, 64))));
  assert.ok(ports.size > 950, String(ports.size));
  assert.equal(portOf(udp(5, 64)), portOf(udp(5, 63)));
  assert.equal(portOf(udp(5, 64)), portOf(udp(5, 64, [0x81, 0, 0, 7])));
});
