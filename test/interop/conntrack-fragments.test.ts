// Fragments of tracked packets, ours and Debian's: in any order, twice, overlapping, too small, incomplete; the same frames
// with the same states, and the same counters. WEFT_FRAGMENTS sets how many packets (120 by default).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { captured } from './support/capture.ts';
import { Control } from './support/control.ts';
import { eventually } from './support/dummy-switch.ts';
import { compare, pair } from './support/pair.ts';
import { currentSeed, pick, random } from './support/random-frames.ts';
import { cannot, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovs-vswitchd') || false;
const packets = Number(process.env['WEFT_FRAGMENTS'] ?? 120);
const BRIDGE =
  'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=dummy fail_mode=secure -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2 options:tx_pcap=$OVS_RUNDIR/p2.pcap';
/** What was found out shows in the frame: the outer VLAN identifier is the state. */
const FLOWS = [
  'table=0,ip,actions=ct(table=1,zone=5,nat)',
  'table=0,ipv6,actions=ct(table=1,zone=5)',
  ...['ip', 'ipv6'].flatMap((type) => [
    `table=1,${type},ct_state=+new+trk,actions=ct(commit,zone=5${type === 'ip' ? ',nat(src=10.9.9.9)' : ''}),push_vlan:0x8100,set_field:4097->vlan_vid,2`,
    `table=1,${type},ct_state=+inv+trk,actions=push_vlan:0x8100,set_field:4099->vlan_vid,2`,
  ]),
];

const be = (value: number, size: number): number[] => Array.from({ length: size }, (_, i) => (value >>> (8 * (size - 1 - i))) & 255);
function sum16(data: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < data.length; i += 2) sum += (data[i]! << 8) | (data[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
const address = (isIpv6: boolean, last: number): number[] => (isIpv6 ? [0xfd, ...Array(14).fill(0), last] : [10, 0, 0, last]);

interface Piece {
  from: number;
  to: number;
  hasMore: boolean;
}

/** A UDP or ICMP packet without its IP header. */
function payload(isIpv6: boolean, proto: number, source: number[], destination: number[], size: number): number[] {
  const data = Array.from({ length: size }, () => random(256));
  const length = size + 8;
  const head = proto === 17 ? [...be(1000 + random(5), 2), ...be(53, 2), ...be(length, 2)] : [isIpv6 ? 128 : 8, 0];
  const rest = proto === 17 ? [] : [...be(random(4), 2), ...be(1, 2)];
  const pseudo = proto === 1 ? [] : [...source, ...destination, 0, proto, ...be(length, 2)];
  const sum = sum16([...pseudo, ...head, 0, 0, ...rest, ...data]) || 0xffff;
  return [...head, ...be(random(20) === 0 ? sum ^ 1 : sum, 2), ...rest, ...data];
}

function frameOf(isIpv6: boolean, proto: number, source: number[], destination: number[], id: number, all: number[], piece: Piece): string {
  const { from, to, hasMore } = piece;
  const data = all.slice(from, to);
  const ethernet = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
  if (isIpv6) {
    const fragment = [proto, 0, ...be(from | Number(hasMore), 2), ...be(id, 4)];
    const hops = random(6) === 0 ? [44, 0, 1, 4, 0, 0, 0, 0] : [];
    const head = [0x60, 0, 0, 0, ...be(hops.length + 8 + data.length, 2), hops.length === 0 ? 44 : 0, 64, ...source, ...destination];
    return Buffer.from([...ethernet, 0x86, 0xdd, ...head, ...hops, ...fragment, ...data]).toString('hex');
  }
  const head = [0x45, 0, ...be(20 + data.length, 2), ...be(id, 2), ...be((hasMore ? 0x2000 : 0) | (from >> 3), 2), 64, proto, 0, 0];
  const sum = random(40) === 0 ? 7 : sum16([...head, ...source, ...destination]);
  const checked = [...head.slice(0, 10), ...be(sum, 2)];
  return Buffer.from([...ethernet, 8, 0, ...checked, ...source, ...destination, ...data]).toString('hex');
}

/** The fragments of a packet, as something on the way may have left them. */
function fragments(number: number): string[] {
  const isIpv6 = random(2) === 0;
  const proto = random(2) === 0 ? 17 : isIpv6 ? 58 : 1;
  const [source, destination] = [address(isIpv6, 1), address(isIpv6, 8 + random(2))];
  const all = payload(isIpv6, proto, source, destination, 1400 + random(3000));
  const pieces: Piece[] = [];
  for (let from = 0; from < all.length; ) {
    const to = Math.min(all.length, from + 8 * (random(12) === 0 ? 20 + random(40) : 60 + random(120)));
    pieces.push({ from, to, hasMore: to < all.length });
    from = to;
  }
  if (random(4) === 0) pieces.push({ ...pick(pieces) });
  if (random(6) === 0) {
    const { from, to, hasMore } = pick(pieces);
    if (from >= 8) pieces.push({ from: from - 8, to, hasMore });
  }
  if (random(8) === 0) pieces.splice(random(pieces.length), 1);
  if (random(2) === 0) pieces.sort(() => random(3) - 1);
  return pieces.map((piece) => frameOf(isIpv6, proto, source, destination, number, all, piece));
}

test('fragments are tracked as the packets that they make', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  compare(hosts, [BRIDGE, ...FLOWS.map((flow) => `ovs-ofctl -O OpenFlow13 add-flow br0 '${flow}'`)]);
  const controls = hosts.map((host) => new Control(host));
  t.after(() => {
    for (const control of controls) control.close();
  });
  /** How many of a family were given up, whether a later packet showed that their time was over or nobody came. */
  const givenUp = (text: string): string =>
    text.replace(
      /(v\d frags) expired: (\d+)([\s\S]*?)frags purged: (\d+)/g,
      (_, name, a, rest, b) => `${name} given up: ${Number(a) + Number(b)}${rest}`,
    );
  /** The reference's other threads may still be at work. */
  const both = async (line: string): Promise<void> => {
    for (let tries = 0; ; tries++) {
      const told = await Promise.all(
        controls.map(async (control) =>
          givenUp(await control.run(line))
            .split('\n')
            .sort(),
        ),
      );
      const [wanted, got] = told.map((text) => ({ line, text }));
      if (tries < 100 && JSON.stringify(got) !== JSON.stringify(wanted)) await setTimeout(20);
      else return assert.deepEqual(got, wanted);
    }
  };
  for (const line of ['time/stop', 'dpctl/ipf-get-status', 'dpctl/ipf-set-min-frag v4 500', 'dpctl/ipf-set-min-frag v6 500'])
    await both(line);
  const seed = currentSeed();
  /** Several packets at a time, their fragments mixed. */
  for (let sent = 0; sent < packets; ) {
    const queues = Array.from({ length: 1 + random(3) }, () => fragments(++sent));
    while (queues.length > 0) {
      const queue = random(queues.length);
      const frame = queues[queue]!.shift();
      if (frame === undefined) queues.splice(queue, 1);
      else await both(`netdev-dummy/receive p1 ${frame}`);
    }
    await both('dpctl/ipf-get-status -m');
    // What is incomplete is given up; or connections end.
    if (random(10) === 0) await Promise.all(controls.map((control) => control.run('time/warp 160000 16000')));
    if (random(16) === 0) await both(`dpctl/ipf-set-${pick(['enabled', 'enabled', 'disabled'])} ${pick(['v4', 'v6'])}`);
  }
  // A first fragment, new to the datapath, may be overtaken by a later one that is not: they are of different flows.
  const files = (): string[][] => hosts.map((host) => captured(join(host.dir, 'p2.pcap')).sort());
  await eventually('as many frames of both', () => new Set(files().map((frames) => frames.length)).size === 1);
  const [theirs = [], ours = []] = files();
  for (const [i, frame] of theirs.entries()) assert.equal(ours[i], frame, `frame ${i}, WEFT_SEED=${seed}`);
  assert.ok(ours.length > packets);
  const [known, invalid] = [1, 3].map((state) => ours.filter((frame) => frame.slice(24, 32) === `8100000${state}`).length);
  t.diagnostic(`${packets} packets; fragments of whole ones: ${known}, invalid ones: ${invalid}`);
  assert.ok(known! > packets / 2 && invalid! > 0);
});
