import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { extractKey, layoutL3, layoutL4, setVlanLimit } from './extract.ts';
import { mustField } from './fields.ts';
import { keyBits, newKey, W } from './key.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(hex.replaceAll(' ', '').match(/../g) ?? [], (b) => Number.parseInt(b, 16));
const eth = '50540000000a 505400000009 ';
const tcp = '0014 0050 00000001 00000002 5012 7210 0000 0000';

function keyOf(frame: Uint8Array): { get(name: string): bigint; layout: number } {
  const key = newKey();
  const layout = extractKey(frame, 0, frame.length, key);
  return {
    layout,
    get: (name) => {
      const field = mustField(name);
      return keyBits(key, field.at, field.bits);
    },
  };
}

test('IPv4 TCP', () => {
  const key = keyOf(bytes(`${eth}0800 45b80028 00000000 40060000 0a000001 0a000002 ${tcp}`));
  assert.equal(key.get('eth_dst'), 0x50540000000an);
  assert.equal(key.get('eth_src'), 0x505400000009n);
  assert.equal(key.get('eth_type'), 0x800n);
  assert.equal(key.get('nw_proto'), 6n);
  assert.equal(key.get('nw_tos'), 0xb8n);
  assert.equal(key.get('nw_ttl'), 64n);
  assert.equal(key.get('ip_src'), 0x0a000001n);
  assert.equal(key.get('ip_dst'), 0x0a000002n);
  assert.equal(key.get('tcp_src'), 20n);
  assert.equal(key.get('tcp_dst'), 80n);
  assert.equal(key.get('tcp_flags'), 0x12n);
  assert.deepEqual([layoutL3(key.layout), layoutL4(key.layout)], [14, 34]);
});

test('a tag, and a second one only within the limit', () => {
  const frame = bytes(`${eth}88a8 2064 8100 4005 0800 45000014 00000000 40ff0000 0a000001 0a000002`);
  const one = keyOf(frame);
  assert.equal(one.get('vlan_tci'), 0x3064n);
  assert.equal(one.get('eth_type'), 0x8100n);
  setVlanLimit(2);
  const two = keyOf(frame);
  setVlanLimit(1);
  assert.equal(two.get('vlan_vid'), 100n);
  assert.equal(two.get('eth_type'), 0x800n);
  assert.equal(two.get('ip_dst'), 0x0a000002n);
});

test('ARP', () => {
  const key = keyOf(bytes(`${eth}0806 0001 0800 0604 0002 505400000009 0a000001 50540000000a 0a000002 0000`));
  assert.equal(key.get('arp_op'), 2n);
  assert.equal(key.get('arp_sha'), 0x505400000009n);
  assert.equal(key.get('arp_tha'), 0x50540000000an);
  assert.equal(key.get('arp_spa'), 0x0a000001n);
  assert.equal(key.get('arp_tpa'), 0x0a000002n);
});

test('a later fragment has no ports', () => {
  const key = keyOf(bytes(`${eth}0800 45000028 00000001 40060000 0a000001 0a000002 ${tcp}`));
  assert.equal(key.get('ip_frag'), 3n);
  assert.equal(key.get('tcp_dst'), 0n);
  assert.equal(layoutL4(key.layout), 0);
});

test('an IPv4 packet longer than its frame has a type only', () => {
  const key = keyOf(bytes(`${eth}0800 45000128 00000000 40060000 0a000001 0a000002 ${tcp}`));
  assert.equal(key.get('eth_type'), 0x800n);
  assert.equal(key.get('nw_proto'), 0n);
  assert.equal(key.get('ip_src'), 0n);
});

test('IPv6 behind hop-by-hop options, and neighbour solicitation', () => {
  const addresses = 'fe800000000000000000000000000001 ff0200000000000000000001ff000002';
  const nd = '8700 0000 00000000 fe800000000000000000000000000002 0101 505400000009';
  const key = keyOf(bytes(`${eth}86dd 6ab12345 0028 00 ff ${addresses} 3a00050200000100 ${nd}`));
  assert.equal(key.get('nw_proto'), 58n);
  assert.equal(key.get('ipv6_label'), 0x12345n);
  assert.equal(key.get('nw_tos'), 0xabn);
  assert.equal(key.get('nw_ttl'), 255n);
  assert.equal(key.get('icmpv6_type'), 135n);
  assert.equal(key.get('nd_target'), 0xfe800000000000000000000000000002n);
  assert.equal(key.get('nd_sll'), 0x505400000009n);
  assert.equal(key.get('nd_options_type'), 1n);
});

test('MPLS stack and 802.3', () => {
  const key = keyOf(bytes(`${eth}8847 00064040 000c8140`));
  assert.equal(key.get('mpls_label'), 100n);
  assert.equal(key.get('mpls_ttl'), 64n);
  assert.equal(key.get('mpls_bos'), 0n);
  assert.equal(keyOf(bytes(`${eth}0026 424203 000000`)).get('eth_type'), 0x5ffn);
  assert.equal(keyOf(bytes(`${eth}0026 aaaa03 000000 0806`)).get('eth_type'), 0x806n);
});

const starts = ['0800 4500', '0800 4f00', '86dd 60000000', '8100 0001 0800 45', '0806 00010800', '8847', '0010 aaaa03', ''];
const hostile = fc.tuple(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 200 })).map(([start, rest]) => {
  const head = start === '' ? new Uint8Array(0) : bytes(eth + start);
  return Uint8Array.from([...head, ...rest]);
});

test('any bytes are a frame: never throws, reads nothing outside, leaves metadata alone', () => {
  fc.assert(
    fc.property(hostile, fc.nat(40), fc.uint8Array({ minLength: 64, maxLength: 64 }), (frame, pad, junk) => {
      const key = newKey().fill(0xdeadbeef);
      const layout = extractKey(frame, 0, frame.length, key);
      assert.equal(key[W.IN_PORT], 0xdeadbeef);
      assert.equal(key[W.RECIRC_ID], 0xdeadbeef);
      assert.ok(layoutL3(layout) <= frame.length && layoutL4(layout) <= frame.length);
      // The same frame elsewhere, between other bytes, has the same key.
      const around = Uint8Array.from([...junk.subarray(0, pad), ...frame, ...junk]);
      const again = newKey().fill(0xdeadbeef);
      assert.equal(extractKey(around, pad, frame.length, again), layout);
      assert.deepEqual(again, key);
    }),
  );
});
