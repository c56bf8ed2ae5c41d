import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { composeFrame } from '../flow/compose.ts';
import { extractKey } from '../flow/extract.ts';
import { newKey } from '../flow/key.ts';
import { parseAttributes } from './attribute-parse.ts';
import { frameKeyOf } from './key-frame.ts';
import { parseDpKey } from './key-parse.ts';
import { formatDpKey } from './key-text.ts';

const exact = newKey().fill(0xffffffff);

function frameOf(text: string, length?: number): Uint8Array | undefined {
  const attributes = parseAttributes(text, { masked: false });
  const described = typeof attributes === 'string' ? attributes : frameKeyOf(attributes, 1);
  return typeof described === 'string' ? undefined : composeFrame(described.key, length);
}

/** The network and transport part of what extraction sees in the frame. */
function seen(text: string): string {
  const frame = frameOf(text);
  assert.ok(frame !== undefined);
  const key = newKey();
  extractKey(frame, 0, frame.length, key);
  const all = formatDpKey(key, exact, { full: false, port: String });
  return all.slice(all.indexOf('eth('));
}

const ETH = 'eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a)';

test('extraction sees in the frame what the text said', () => {
  for (const text of [
    `${ETH},eth_type(0x0800),ipv4(src=10.0.0.2,dst=10.0.0.1,proto=17,tos=0,ttl=64,frag=no),udp(src=1234,dst=53)`,
    `${ETH},eth_type(0x0800),ipv4(src=10.0.0.2,dst=10.0.0.1,proto=1,tos=0x4,ttl=9,frag=no),icmp(type=8,code=0)`,
    `${ETH},eth_type(0x8100),vlan(vid=9,pcp=3),encap(eth_type(0x0800),ipv4(src=10.0.0.2,dst=10.0.0.1,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2))`,
    `${ETH},eth_type(0x0806),arp(sip=10.0.0.2,tip=10.0.0.1,op=1,sha=50:54:00:00:00:09,tha=00:00:00:00:00:00)`,
  ]) {
    assert.equal(seen(`in_port(1),${text}`), text);
  }
});

test('a frame is as long as asked for, or there is none', () => {
  assert.equal(frameOf(`in_port(1),${ETH},eth_type(0x1234)`, 100)?.length, 100);
  assert.equal(frameOf(`in_port(1),${ETH},eth_type(0x0800),ipv4(proto=17),udp(src=1,dst=2)`, 42), undefined);
});

test('masks, names of ports and where a fault is', () => {
  const parse = (text: string, masked = true) =>
    parseDpKey(text, { masked, vlanLimit: 1, port: (name) => (name === 'p7' ? 7 : undefined) });
  const good = parse('in_port(p7),eth_type(0x0800),ipv4(dst=10.0.0.0/255.0.0.0,frag=no),ct_state(+trk-new)');
  assert.ok(typeof good !== 'string');
  assert.match(
    formatDpKey(good.key, good.mask, { full: false, port: String }),
    /^ct_state\(-new\+trk\),recirc_id\(0\),in_port\(7\),.*ipv4\(dst=10\.0\.0\.0\/255\.0\.0\.0,frag=no\)$/,
  );
  assert.equal(parse('in_port(1),ipv4(src=1.2.3.4/8),tcp()', false), 'syntax error at ipv4(src=1.2.3.4/8),tcp()');
  assert.equal(parse('in_port(1),foo(1)'), 'syntax error at foo(1)');
  assert.equal(parse('in_port(1),skb_mark(08)'), 'syntax error at skb_mark(08)');
  assert.ok(typeof parse('in_port(1),skb_mark(010)') !== 'string');
  assert.equal(parse('in_port(p8)'), 'syntax error at in_port(p8)');
});

test('no text makes it throw', () => {
  const part = fc.constantFrom(
    'eth(',
    'src=1',
    ')',
    ',',
    'ipv4(',
    'encap(',
    'eth_type(0x0800)',
    'tcp(',
    'proto=6',
    'in_port(1)',
    'frag=no',
    'vlan(',
    'mpls(',
  );
  fc.assert(fc.property(fc.array(part), fc.nat(200), (parts, length) => void frameOf(parts.join(''), length)));
  fc.assert(fc.property(fc.string(), (text) => void frameOf(text)));
});
