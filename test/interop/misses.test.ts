// Frames that no flow takes yet: in order and exactly once, whole, and no port at the cost of another.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { station, switchHost, tcp } from './support/traffic.ts';
import { cannot, eventually, type Host, type World, world } from './support/world.ts';

const skip = cannot('ping', 'python3') || false;

const receiver = `
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)
s.bind(('10.0.0.2', 7000))
flows, each = int(sys.argv[1]), int(sys.argv[2])
s.settimeout(10)
print('listening', flush=True)
last = {}
count = twice = disorder = 0
seen = set()
b = bytearray(2000)
try:
    while count < flows * each:
        s.recv_into(b)
        flow, n = struct.unpack_from('!II', b)
        if (flow, n) in seen:
            twice += 1
            continue
        seen.add((flow, n))
        count += 1
        if n < last.get(flow, -1): disorder += 1
        else: last[flow] = n
        if count % (10 * each) == 0: s.sendto(b'next', ('10.0.0.1', 7000))
except TimeoutError:
    pass
print('lost', flows * each - count, 'twice', twice, 'disorder', disorder, flush=True)
`;
/** Flows by tens, their frames in turn, as fast as they go; the next when all have come, so that the queues' shares are not what is tested. */
const sender = `
import socket, struct, sys, time
flows, each = int(sys.argv[1]), int(sys.argv[2])
back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
back.bind(('10.0.0.1', 7000)); back.settimeout(8)
for first in range(0, flows, 10):
    group = []
    for flow in range(first, min(flows, first + 10)):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(('10.0.0.1', 10000 + flow))
        s.connect(('10.0.0.2', 7000))
        group.append((flow, s))
    for n in range(each):
        for flow, s in group: s.send(struct.pack('!II', flow, n) + b'x' * 40)
    back.recv(16)
`;

/** Two stations on a switch whose flows tell UDP source ports apart. */
async function net(w: World, type: 'system' | 'netdev'): Promise<{ h: Host; a: Host; b: Host }> {
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok(
    `ovs-vsctl add-br br0 -- set bridge br0 datapath_type=${type} -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2`,
  );
  h.ok(['ovs-ofctl', 'add-flow', 'br0', 'priority=9,udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],normal']);
  a.ok('ping -c 3 -i 0.2 -W 1 10.0.0.2');
  return { h, a, b };
}

for (const type of ['system', 'netdev'] as const) {
  test(`${type}: a burst of new flows arrives whole, in order, exactly once`, { skip }, async (t) => {
    const { h, a, b } = await net(world(t), type);
    const [flows, each] = [Number(process.env['WEFT_MISS_FLOWS'] ?? 300), 30];
    const taking = b.start(['python3', '-c', receiver, String(flows), String(each)]);
    await eventually('listening', () => taking.output().includes('listening'));
    a.ok(['python3', '-c', sender, String(flows), String(each)], { timeout: 120_000 });
    await taking.ended;
    const features = h.ok('ovs-appctl dpif/show-dp-features br0');
    t.diagnostic(features.split('\n').slice(-4).join('; '));
    if (process.env['WEFT_MISS_FLOWS'] !== undefined) process.stderr.write(`${features.split('\n').slice(-4).join('; ')}\n`);
    assert.equal(taking.output().split('\n').at(-2), 'lost 0 twice 0 disorder 0', features);
    const text = h.ok('ovs-appctl dpctl/dump-flows -m');
    const counts = [...text.matchAll(/udp\(src=1\d{4}[^)]*\), packets:(\d+)/g)].map((match) => Number(match[1]));
    assert.ok(counts.length >= flows, `${counts.length} flows`);
    // Each frame is counted once, but for those that were translated one by one.
    assert.ok(
      counts.every((count) => count < each),
      counts.filter((count) => count >= each).join(),
    );
    if (type === 'system')
      assert.ok(
        counts.some((count) => count > 0),
        counts.join(),
      );
  });
}

const flood = `
import random, socket, time
group = []
for port in range(20000, 20000 + 4000):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('10.0.0.1', port)); s.connect(('10.0.0.2', 7001))
    group.append(s)
print('floods', flush=True)
while True:
    for s in group:
        try: s.send(b'x' * 20)
        except OSError: pass
`;

test('a flood of misses at one port does not starve another', { skip }, async (t) => {
  const w = world(t);
  const { h, a } = await net(w, 'system');
  const c = station(w, h, 'c', 'vc', '10.0.0.3/24');
  station(w, h, 'd', 'vd', '10.0.0.4/24');
  h.ok('ovs-vsctl add-port br0 vc -- set interface vc ofport_request=3 -- add-port br0 vd -- set interface vd ofport_request=4');
  c.ok('ping -c 2 -i 0.2 -W 1 10.0.0.4');
  h.ok('ovs-vsctl set open . other_config:flow-limit=100');
  const flooding = a.start(['python3', '-c', flood]);
  await eventually('floods', () => flooding.output().includes('floods'));
  await sleep(1000);
  // Every one of these misses, too: there is no room for its flow.
  const said = c.run('ping -c 40 -i 0.1 -W 5 10.0.0.4', { timeout: 60_000 }).stdout;
  const dropped = h.ok('ovs-appctl dpctl/show');
  await flooding.stop('SIGKILL');
  t.diagnostic(`${said.split('\n').slice(-3).join(' ')} ${dropped.split('\n')[1]}`);
  const received = Number(/ (\d+) received/.exec(said)?.[1]);
  assert.ok(received >= 38, said);
  // Some may have been too many, or none: the switch may be faster than the flood.
  const missed = Number(/missed:(\d+)/.exec(dropped)?.[1]);
  assert.ok(missed > 10_000, `the flood was none: ${dropped}`);
});

test('super-segments that miss are forwarded whole', { skip }, async (t) => {
  const { h, a, b } = await net(world(t), 'system');
  let isOver = false;
  const forgetting = (async () => {
    for (; !isOver; await sleep(100)) h.ok('ovs-appctl dpctl/del-flows');
  })();
  await tcp(a, b, '10.0.0.2', 8000);
  isOver = true;
  await forgetting;
  const misses = Number(/missed:(\d+)/.exec(h.ok('ovs-appctl dpctl/show'))?.[1]);
  assert.ok(misses > 10, String(misses));
});
