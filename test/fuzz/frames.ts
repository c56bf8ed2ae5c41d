// Hostile frames for all that reads them: extraction, tunnel headers, offload state, the tracker and the whole datapath in user space.
import assert from 'node:assert/strict';
import { VirtualClock } from '../../src/base/clock.ts';
import { parseDpActions } from '../../src/datapath/action-parse.ts';
import type { DpAction } from '../../src/datapath/datapath.ts';
import { type DummyDatapath, openDummyDatapath } from '../../src/datapath/userspace/dummy.ts';
import { extractBare, extractKey, layoutL3, layoutL4 } from '../../src/flow/extract.ts';
import { newKey, W } from '../../src/flow/key.ts';
import { formatMatch } from '../../src/flow/match-text.ts';
import { MAX_FRAME, Packet } from '../../src/netdev/packet.ts';
import {
  completeChecksum,
  newSegmentPlan,
  pieceLength,
  planSegments,
  recognizePartialChecksum,
  writePieceHeader,
} from '../../src/netdev/segment.ts';
import { readVirtioHeader, VIRTIO_HEADER_SIZE } from '../../src/netdev/virtio-header.ts';
import { formatPacket, keyMatch } from '../../src/openflow/text/packet-text.ts';
import { decodeTunnel } from '../../src/wire/tunnel-headers.ts';
import type { Dice } from '../compare/random.ts';
import { anyFrame, harm } from './frame-maker.ts';
import type { Target } from './runner.ts';

const MARGIN = 64;

/** A frame with bytes of one kind before and behind it. */
function between(frame: Uint8Array, filler: number): Uint8Array {
  const bytes = new Uint8Array(frame.length + 2 * MARGIN).fill(filler);
  bytes.set(frame, MARGIN);
  return bytes;
}

/** What is around a frame must make no difference, and offsets stay within it. */
function extract(d: Dice): void {
  const frame = anyFrame(d);
  const isBare = d.chance(1, 8);
  const type = d.pick([0x0800, 0x86dd, 0x8847, 0x894f]);
  const keys = [0, 0xff].map((filler) => {
    const key = newKey();
    const bytes = between(frame, filler);
    const layout = isBare
      ? extractBare(bytes.subarray(MARGIN, MARGIN + frame.length), type, key)
      : extractKey(bytes, MARGIN, frame.length, key);
    assert.ok(layoutL3(layout) <= frame.length && layoutL4(layout) <= frame.length);
    return [layout, ...key];
  });
  assert.deepEqual(keys[0], keys[1]);
  const key = newKey();
  extractKey(frame, 0, frame.length, key);
  formatMatch(keyMatch(key));
  formatPacket(frame);
}

function tunnel(d: Dice): void {
  const bytes = d.chance(1, 2) ? d.bytes(d.below(48)) : harm(d, Uint8Array.from(Buffer.from(d.pick(TUNNELS), 'hex')));
  const kind = d.pick(['gre', 'vxlan', 'geneve'] as const);
  const results = [0, 0xff].map((filler) => {
    const header = { idHigh: 0, idLow: 0, flags: 0, gbpId: 0, gbpFlags: 0, optionsSize: 0 };
    const size = decodeTunnel(kind, between(bytes, filler), MARGIN, MARGIN + bytes.length, header, d.chance(1, 1));
    assert.ok(size === -1 || (size >= 4 && size <= bytes.length && header.optionsSize <= size), `${size} of ${bytes.length}`);
    return { size, ...(size < 0 ? {} : header) };
  });
  assert.deepEqual(results[0], results[1]);
}

const TUNNELS = [
  '00006558',
  '2000655800000007',
  '300065580000000700000001',
  'b000655812340000000000070000000100000000',
  '0800000000000700',
  '8800000700000700',
  '0000655800000700',
  '0240655800000700ffff800112345678',
  '0380655800000700ffff800212345678',
];

/** Offload state that a guest gives with its frame. */
function offload(d: Dice): void {
  const frame = anyFrame(d);
  const bytes = between(frame, 0xaa);
  const packet = new Packet(bytes, 0);
  packet.point(bytes, 0, MARGIN, frame.length);
  const head = d.chance(1, 2)
    ? d.bytes(VIRTIO_HEADER_SIZE)
    : Uint8Array.of(d.below(2), d.pick([0, 1, 3, 4, 5, 0x81]), 54, 0, d.below(256), d.below(6));
  const header = new Uint8Array(VIRTIO_HEADER_SIZE);
  header.set(head);
  if (d.chance(3, 4)) header.set([d.pick([34, 38, 54, 14, frame.length & 255]), 0, d.pick([6, 16, 8, 2]), 0], 6);
  if (d.chance(1, 4)) recognizePartialChecksum(packet);
  else readVirtioHeader(header, 0, packet);
  const plan = newSegmentPlan();
  if (planSegments(packet, d.pick([1400, 100, 60, 9000]), plan)) {
    assert.ok(plan.headerSize <= frame.length && plan.pieces >= 1);
    const out = new Uint8Array(MAX_FRAME);
    for (let i = 0; i < Math.min(plan.pieces, 40); i++) {
      assert.ok(pieceLength(plan, packet, i) >= 0);
      writePieceHeader(plan, packet, i, out, 0);
    }
  }
  completeChecksum(packet);
  for (let i = 0; i < MARGIN; i++) assert.ok(bytes[i] === 0xaa && bytes[MARGIN + frame.length + i] === 0xaa, 'written outside the frame');
}

/** Actions in the datapath's notation, or made where that has no reader; each is one that changes the frame, its key or its way. */
const ACTIONS: readonly (string | DpAction)[] = [
  'set(eth(src=50:54:00:00:00:01))',
  'set(ipv4(src=10.9.9.9,dst=10.8.8.8,tos=0x10,ttl=3))',
  'set(ipv6(src=fe80::9,dst=fe80::8,tclass=0x10,hlimit=3))',
  'set(tcp(src=7,dst=8))',
  'set(udp(src=7,dst=8))',
  'set(sctp(src=7,dst=8))',
  'set(icmp(type=3,code=1))',
  'set(icmpv6(type=3,code=1))',
  'set(nd(target=fe80::7,sll=02:00:00:00:00:09,tll=02:00:00:00:00:08))',
  'set(arp(sip=1.1.1.1,tip=2.2.2.2,op=2,sha=02:00:00:00:00:09,tha=02:00:00:00:00:08))',
  'set(mpls(label=5,tc=1,ttl=4,bos=1))',
  'set(skb_mark(0x7))',
  'set(tunnel(tun_id=0x7,dst=10.0.0.9,ttl=64,flags(df|csum|key)))',
  'push_vlan(vid=5,pcp=3)',
  'pop_vlan',
  { kind: 'pushMpls', ethertype: 0x8847, lse: 0x5304 },
  { kind: 'popMpls', ethertype: 0x0800 },
  { kind: 'popMpls', ethertype: 0x8847 },
  'add_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847)',
  { kind: 'pushEth', src: [0x02000000, 9], dst: [0x02000000, 8] },
  { kind: 'popEth' },
  'push_nsh(flags=0,ttl=63,mdtype=1,np=3,spi=0x5,si=255,c1=0x1,c2=0x2,c3=0x3,c4=0x4)',
  'push_nsh(flags=0,ttl=63,mdtype=2,np=3,spi=0x5,si=255,md2=0x1000000412345678)',
  'pop_nsh()',
  'trunc(20)',
  'recirc(1)',
  'recirc(2)',
  'meter(1)',
  'ct_clear',
  'ct',
  'ct(commit,zone=1)',
  'ct(commit,zone=1,helper=ftp),recirc(1)',
  'ct(commit,zone=2,helper=tftp,nat(src=10.9.9.1-10.9.9.9:1000-1005)),recirc(1)',
  'ct(force_commit,zone=1,mark=0x1/0x3,label=0x5/0xff,nat(dst=10.9.9.1))',
  'ct(commit,zone=3,nat(src=fe80::99))',
  'ct(zone=1,nat),recirc(2)',
  'sample(sample=50.0%,actions(push_vlan(vid=1,pcp=0),1))',
  'clone(pop_vlan,set(ipv4(ttl=1)),2)',
  { kind: 'checkPktLen', length: 60, larger: [{ kind: 'output', port: 1 }], smaller: [{ kind: 'popEth' }, { kind: 'output', port: 2 }] },
  '1',
  '2',
];

interface Bench {
  datapath: DummyDatapath;
  clock: VirtualClock;
  sent: number;
  runs: number;
}
let bench: Promise<Bench> | undefined;

function list(text: string): DpAction[] {
  const actions = parseDpActions(text);
  return typeof actions === 'string' ? assert.fail(`not understood: ${text}`) : actions;
}

async function openBench(): Promise<Bench> {
  const clock = new VirtualClock();
  const datapath = openDummyDatapath(clock);
  for (const device of ['p1', 'p2', 'p3']) await datapath.portAdd({ kind: 'dummy', device });
  const made: Bench = { datapath, clock, sent: 0, runs: 0 };
  datapath.setSentSink(({ frame }) => {
    assert.ok(frame.length <= MAX_FRAME);
    made.sent++;
  });
  datapath.setUpcallSink(() => {});
  return made;
}

/** A flow for frames of a port in one round of recirculation. */
function put({ datapath }: Bench, port: number, round: number, actions: DpAction[]): void {
  const [key, mask] = [newKey(), newKey()];
  key[W.IN_PORT] = port;
  key[W.RECIRC_ID] = round;
  mask[W.IN_PORT] = mask[W.RECIRC_ID] = 0xffffffff;
  datapath.flowPut(key, mask, actions);
}

/** A few frames through lists of actions that need not fit them. */
async function datapath(d: Dice): Promise<void> {
  bench ??= openBench();
  const now = await bench;
  if (++now.runs % 2000 === 0) bench = undefined;
  const [port, other] = [1 + d.below(3), 1 + d.below(3)];
  for (const round of [0, 1, 2]) {
    const words = Array.from({ length: d.below(5) }, () => d.pick(ACTIONS));
    put(
      now,
      port,
      round,
      [...words, d.pick(['1', '2', '3'])].flatMap((word) => (typeof word === 'string' ? list(word) : word)),
    );
  }
  for (let i = 1 + d.below(3); i > 0; i--) {
    const frame = anyFrame(d);
    const state = d.chance(1, 4)
      ? {
          csumStart: d.pick([0, 34, 54, d.below(70)]),
          csumOffset: d.pick([6, 16, 2]),
          gsoType: d.pick([0, 1, 4, 5, 3]),
          gsoSize: d.pick([0, 1, 100, 1400]),
        }
      : { csumStart: 0, csumOffset: 0, gsoType: 0, gsoSize: 0 };
    now.datapath.receive(d.chance(3, 4) ? port : other, frame, state);
  }
  if (d.chance(1, 20)) now.clock.advance(d.pick([10, 1000, 40_000, 200_000]));
  if (d.chance(1, 50)) await now.datapath.conntrack({ kind: 'dump', zone: undefined, most: 100 });
  if (d.chance(1, 200)) await now.datapath.conntrack({ kind: 'flush', filter: { zone: undefined, original: undefined, reply: undefined } });
}

export const FRAME_TARGETS: Readonly<Record<string, Target>> = { extract, tunnel, offload, datapath };
