import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extractKey } from '../flow/extract.ts';
import { newKey, W } from '../flow/key.ts';
import { formatDpActions } from './action-text.ts';
import { hex } from './contract-suite.ts';
import type { DpAction } from './datapath.ts';
import { formatDpKey, formatDpStats } from './flow-text.ts';

const frame = hex(
  '50540000000a 505400000009 0800 45000028 00000000 40060000 0a000001 0a000002 00140050 00000001 00000002 50107210 00000000',
);

function text(set: (mask: Uint32Array, key: Uint32Array) => void): string {
  const key = newKey();
  const mask = newKey();
  extractKey(frame, 0, frame.length, key);
  key[W.IN_PORT] = 1;
  set(mask, key);
  return formatDpKey(key, mask);
}
const start = 'recirc_id(0),in_port(1),packet_type(ns=0,id=0),';

test('keys as the reference printed them', () => {
  assert.equal(
    text((m) => {
      m[W.TYPE] = 0xffff03ff;
      m[W.NW_DST] = 0xffffff00;
      m[W.TP] = 0x0000ffff;
    }),
    `${start}eth_type(0x0800),ipv4(dst=10.0.0.2/255.255.255.0,proto=6,frag=no),tcp(dst=80)`,
  );
  assert.equal(
    text((m) => {
      m[W.TYPE] = 0xffff03ff;
      m[W.TOS] = 2;
    }),
    `${start}eth_type(0x0800),ipv4(proto=6,frag=no),tcp_flags(-syn)`,
  );
  assert.equal(
    text((m) => {
      m[W.TYPE] = 0xffff0300;
      m[W.TOS] = 0xfcff0000;
      m[W.ETH + 1] = 0x0000ffff;
      m[W.ETH + 2] = 0xff000000;
    }),
    `${start}eth(src=50:54:00:00:00:09/ff:ff:ff:00:00:00),eth_type(0x0800),ipv4(tos=0/0xfc,ttl=64,frag=no)`,
  );
  assert.equal(
    text((m, k) => {
      k[W.VLAN0] = 0x81007005;
      m[W.VLAN0] = 0xffff1fff;
      m[W.TYPE] = 0xffff0300;
    }),
    `${start}eth_type(0x8100),vlan(vid=5,pcp=3/0x0),encap(eth_type(0x0800),ipv4(frag=no))`,
  );
});

test('actions as the reference printed them', () => {
  const actions: DpAction[] = [
    { kind: 'set', group: 'eth', words: Uint32Array.of(W.ETH + 1, 0x1122, 0xffff, W.ETH + 2, 0x33000000, 0xff000000) },
    { kind: 'set', group: 'ipv4', words: Uint32Array.of(W.TOS, 0x103f0000, 0xfcff0000) },
    { kind: 'set', group: 'tcp', words: Uint32Array.of(W.TP, 99, 0xffff) },
    { kind: 'pushVlan', tpid: 0x88a8, tci: 0x1009 },
    { kind: 'output', port: 2 },
  ];
  assert.equal(
    formatDpActions(actions),
    'set(eth(src=11:22:33:00:00:00/ff:ff:ff:00:00:00)),set(ipv4(tos=0x10/0xfc,ttl=63)),set(tcp(dst=99)),push_vlan(tpid=0x88a8,vid=9,pcp=0),2',
  );
  assert.equal(formatDpActions([]), 'drop');
});

test('counters', () => {
  assert.equal(formatDpStats({ packets: 0n, bytes: 0n, usedMs: 0, tcpFlags: 0 }, 5), 'packets:0, bytes:0, used:never');
  assert.equal(
    formatDpStats({ packets: 3n, bytes: 294n, usedMs: 1000, tcpFlags: 0x1b }, 1123.4),
    'packets:3, bytes:294, used:0.123s, flags:SFP.',
  );
});
