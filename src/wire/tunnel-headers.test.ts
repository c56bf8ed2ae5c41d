import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeTunnel, encodeTunnel, FLAG, type TunnelHeader, type TunnelProtocol } from './tunnel-headers.ts';

const empty = (): TunnelHeader => ({ idHigh: 0, idLow: 0, flags: 0, gbpId: 0, gbpFlags: 0, optionsSize: 0 });
const protocol = fc.constantFrom<TunnelProtocol>('gre', 'vxlan', 'geneve');

test('decode(encode(x)) = x', () => {
  fc.assert(
    fc.property(protocol, fc.nat(0xffffff), fc.boolean(), fc.nat(3), (kind, idLow, hasKey, words) => {
      const header = { ...empty(), idLow: kind === 'gre' && !hasKey ? 0 : idLow, flags: kind !== 'gre' || hasKey ? FLAG.KEY : 0 };
      const bytes = new Uint8Array(64);
      const size = encodeTunnel(kind, bytes, 3, header, new Uint8Array(words * 4).fill(1));
      const again = empty();
      assert.equal(decodeTunnel(kind, bytes, 3, bytes.length, again), size);
      assert.deepEqual(again, { ...header, optionsSize: kind === 'geneve' ? words * 4 : 0 });
    }),
  );
});

test('any bytes give a size within them, or -1', () => {
  fc.assert(
    fc.property(protocol, fc.uint8Array({ maxLength: 40 }), fc.boolean(), (kind, bytes, plausible) => {
      if (plausible && bytes.length > 4) bytes.set(kind === 'vxlan' ? [8] : [bytes[0]! & 0xb0, 0, 0x65, 0x58]);
      const size = decodeTunnel(kind, bytes, 0, bytes.length, empty());
      assert.ok(size === -1 || (size >= 4 && size <= bytes.length));
    }),
  );
});

test('GRE as on the wire, with sequence number', () => {
  const header = empty();
  assert.equal(decodeTunnel('gre', Uint8Array.of(0x30, 0, 0x65, 0x58, 0, 0, 0, 42, 0, 0, 0, 1), 0, 12, header), 12);
  assert.equal(header.idLow, 42);
  const bytes = new Uint8Array(8);
  assert.equal(encodeTunnel('gre', bytes, 0, { ...empty(), idLow: 42, flags: FLAG.KEY }, new Uint8Array(0)), 8);
  assert.deepEqual([...bytes], [0x20, 0, 0x65, 0x58, 0, 0, 0, 42]);
});
