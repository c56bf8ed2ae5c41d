import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDpKey } from '../../datapath/key-text.ts';
import { extractKey } from '../../flow/extract.ts';
import { newKey } from '../../flow/key.ts';
import { frameOfFlow } from './flow-frame.ts';

const exact = newKey().fill(0xffffffff);

/** The network and transport part of what extraction sees in the frame. */
function seen(text: string): string {
  const frame = frameOfFlow(text, 0);
  assert.ok(frame !== undefined);
  const key = newKey();
  extractKey(frame, 0, frame.length, key);
  const all = formatDpKey(key, exact, { full: false, port: String });
  return all.slice(all.indexOf('eth('));
}

test('extraction sees in the frame what the text said', () => {
  for (const text of [
    'eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.2,dst=10.0.0.1,proto=17,tos=0,ttl=64,frag=no),udp(src=1234,dst=53)',
    'eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.2,dst=10.0.0.1,proto=1,tos=0x4,ttl=9,frag=no),icmp(type=8,code=0)',
    'eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x8100),vlan(vid=9,pcp=3),encap(eth_type(0x0800),ipv4(src=10.0.0.2,dst=10.0.0.1,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2))',
    'eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0806),arp(sip=10.0.0.2,tip=10.0.0.1,op=1,sha=50:54:00:00:00:09,tha=00:00:00:00:00:00)',
  ]) {
    assert.equal(seen(`in_port(1),${text}`), text);
  }
});

test('length, and text that is no flow', () => {
  assert.equal(frameOfFlow('in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x1234)', 100)?.length, 100);
  assert.equal(frameOfFlow('zz', 0), undefined);
  assert.equal(frameOfFlow('eth(', 0), undefined);
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
  );
  fc.assert(fc.property(fc.array(part), fc.nat(200), (parts, length) => void frameOfFlow(parts.join(''), length)));
  fc.assert(fc.property(fc.string(), (text) => void frameOfFlow(text, 0)));
});
