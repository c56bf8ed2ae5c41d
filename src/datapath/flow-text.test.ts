import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KEY_WORDS, newKey, setKeyBits, W } from '../flow/key.ts';
import { formatDpActions } from './action-text.ts';
import { formatDpFlow } from './flow-text.ts';
import { formatDpKey } from './key-text.ts';

const brief = { full: false, port: String };
const full = { full: true, port: (n: number) => `p${n}` };

function tcpKey() {
  const key = newKey();
  key[W.IN_PORT] = 1;
  setKeyBits(key, W.ETH * 32, 48, 0x50540000000an);
  setKeyBits(key, W.ETH * 32 + 48, 48, 0x505400000009n);
  key[W.TYPE] = 0x08000006;
  key[W.NW_SRC] = 0x0a000002;
  key[W.NW_DST] = 0x0a000001;
  key[W.TP] = (1234 << 16) | 80;
  key[W.TOS] = (64 << 16) | 2;
  return key;
}

test('what the reference prints for tcp,tp_dst=80', () => {
  const mask = newKey();
  mask[W.TYPE] = 0xffffffff;
  mask[W.TP] = 0xffff;
  mask[W.PACKET_TYPE] = 0xffffffff;
  assert.equal(
    formatDpKey(tcpKey(), mask, brief),
    'recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(proto=6,frag=no),tcp(dst=80)',
  );
  assert.equal(
    formatDpKey(tcpKey(), mask, full),
    'skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0/0),recirc_id(0),dp_hash(0/0),in_port(p1),packet_type(ns=0,id=0),eth(src=50:54:00:00:00:09/00:00:00:00:00:00,dst=50:54:00:00:00:0a/00:00:00:00:00:00),eth_type(0x0800),ipv4(src=10.0.0.2/0.0.0.0,dst=10.0.0.1/0.0.0.0,proto=6,tos=0/0,ttl=64/0,frag=no),tcp(src=1234/0,dst=80),tcp_flags(0/0)',
  );
});

test('VLAN, MPLS and set actions', () => {
  const key = tcpKey();
  key[W.VLAN0] = 0x81007009;
  const mask = newKey();
  mask[W.VLAN0] = 0xffffffff;
  mask[W.TYPE] = 0xffffff00;
  mask[W.PACKET_TYPE] = 0xffffffff;
  assert.equal(
    formatDpKey(key, mask, brief),
    'recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x8100),vlan(vid=9,pcp=3),encap(eth_type(0x0800),ipv4(frag=no))',
  );
  const mpls = newKey();
  mpls[W.IN_PORT] = 1;
  mpls[W.TYPE] = 0x88470000;
  mpls[W.MPLS] = (100 << 12) | 0x100 | 64;
  const mplsMask = newKey();
  mplsMask[W.TYPE] = 0xffff0000;
  mplsMask[W.MPLS] = 0xfffff100;
  assert.match(formatDpKey(mpls, mplsMask, brief), /eth_type\(0x8847\),mpls\(label=100\/0xfffff,tc=0\/0,ttl=64\/0x0,bos=1\/1\)$/);
  const set = (group: 'tcp' | 'ipv4', ...words: number[]) => ({ kind: 'set' as const, group, words: Uint32Array.from(words) });
  assert.equal(formatDpActions([set('tcp', W.TP, 25, 0xffff), { kind: 'output', port: 2 }], { port: String }), 'set(tcp(dst=25)),2');
  assert.equal(formatDpActions([set('ipv4', W.TOS, 63 << 16, 0xff0000)], { port: String }), 'set(ipv4(ttl=63))');
  assert.equal(formatDpActions([], { port: String }), 'drop');
  assert.equal(
    formatDpActions([{ kind: 'popVlan' }, { kind: 'pushVlan', tpid: 0x8100, tci: 0x7007 }], { port: String }),
    'pop_vlan,push_vlan(vid=7,pcp=3)',
  );
});

test('counters', () => {
  const flow = { id: 1, key: tcpKey(), mask: newKey(), actions: [] };
  const line = formatDpFlow(flow, { packets: 3n, bytes: 180n, usedMs: 1000, tcpFlags: 0x12 }, 1265, brief);
  assert.match(line, /, packets:3, bytes:180, used:0\.265s, flags:S\., actions:drop$/);
  assert.match(
    formatDpFlow(flow, { packets: 0n, bytes: 0n, usedMs: 0, tcpFlags: 0 }, 5, brief),
    /packets:0, bytes:0, used:never, actions:drop$/,
  );
});

test('any key under any mask has a text', () => {
  const words = fc.uint32Array({ minLength: KEY_WORDS, maxLength: KEY_WORDS });
  fc.assert(
    fc.property(words, words, fc.boolean(), (key, mask, isFull) => {
      assert.match(formatDpKey(key, mask, { full: isFull, port: String }), /recirc_id\(/);
    }),
  );
});
