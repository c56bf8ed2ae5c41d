// Real traffic through groups and a meter of our switch: a port loses its carrier and the traffic moves, flows spread over a select group's
// buckets, a meter lets its rate pass and counts the rest.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faults, station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, world } from './support/world.ts';

const skip = cannot('python3') || false;

/** Sends `count` UDP frames to 10.0.0.2, from as many source ports as `sources` says. */
const sender = `
import socket, sys
count, sources = int(sys.argv[1]), int(sys.argv[2])
socks = []
for i in range(sources):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.0.0.1', 20000 + i)); socks.append(s)
for i in range(count): socks[i % sources].sendto(b'x' * 100, ('10.0.0.2', 5000))
`;
const send = (from: Host, count: number, sources = 1): string => from.ok(['python3', '-c', sender, String(count), String(sources)]);

const received = (host: Host, device: string): number => Number(host.ok(`cat /sys/class/net/${device}/statistics/rx_packets`));

/** How many frames two devices get while `fn` runs and until `total` have come. */
async function heard(host: Host, total: number, fn: () => void): Promise<[number, number]> {
  const before = [received(host, 'eth0'), received(host, 'eth1')];
  fn();
  const now = (): [number, number] => [received(host, 'eth0') - before[0]!, received(host, 'eth1') - before[1]!];
  await eventually(`${total} frames`, () => now()[0] + now()[1] >= total);
  return now();
}

/** Frames that have nothing to do with the test: what a device says when it comes up. */
const NOISE = 20;

test('groups and a meter: real frames', { skip, timeout: 120_000 }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'pa', '10.0.0.1/24');
  const b = station(w, h, 'b', 'pb1');
  w.wire(h, 'pb2', b, 'eth1');
  for (const host of [a, b]) host.run('sysctl -q -w net.ipv6.conf.all.disable_ipv6=1');
  h.ok(
    'ovs-vsctl --timeout=20 add-br br0 -- set bridge br0 datapath_type=netdev fail-mode=secure protocols=OpenFlow10,OpenFlow13,OpenFlow15 ' +
      '-- add-port br0 pa -- set interface pa ofport_request=1 -- add-port br0 pb1 -- set interface pb1 ofport_request=2 -- add-port br0 pb2 -- set interface pb2 ofport_request=3',
  );
  a.ok('ip neigh replace 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth0');
  const of = (line: string): string => h.ok(`ovs-ofctl -OOpenFlow15 ${line}`);
  of("add-group br0 'group_id=1,type=ff,bucket=watch_port:2,2,bucket=watch_port:3,3'");
  of("add-group br0 'group_id=2,type=select,bucket=watch_port:2,2,bucket=watch_port:3,3'");
  of('add-flow br0 in_port=1,actions=group:1');

  const carrier = async (isUp: boolean): Promise<void> => {
    b.ok(`ip link set eth0 ${isUp ? 'up' : 'down'}`);
    await eventually('the switch knows', () => /LINK_DOWN/.test(of('dump-ports-desc br0 2')) !== isUp);
  };

  const [first, none] = await heard(b, 200, () => send(a, 200));
  assert.ok(first >= 200 && none < NOISE, `fast failover, both live: ${first} and ${none}`);
  await carrier(false);
  const [gone, second] = await heard(b, 200, () => send(a, 200));
  assert.ok(second >= 200 && gone < NOISE, `fast failover, the first dead: ${gone} and ${second}`);
  await carrier(true);
  const [back, rest] = await heard(b, 200, () => send(a, 200));
  assert.ok(back >= 200 && rest < NOISE, `fast failover, back: ${back} and ${rest}`);
  assert.match(of('dump-group-stats br0 group_id=1'), /ref_count=1,packet_count=[6-9]\d\d,/);

  of('mod-flows br0 in_port=1,actions=group:2');
  const shares = await heard(b, 640, () => send(a, 640, 64));
  assert.ok(
    shares.every((share) => share > 64),
    `select: ${shares}`,
  );
  await carrier(false);
  const [dead, all] = await heard(b, 640, () => send(a, 640, 64));
  assert.ok(all >= 640 && dead < NOISE, `select, one dead: ${dead} and ${all}`);
  await carrier(true);

  of("add-meter br0 'meter=1,pktps,burst,stats,band=type=drop,rate=50,burst_size=30'");
  of('mod-flows br0 in_port=1,actions=meter:1,3');
  const began = performance.now();
  const [, metered] = await heard(b, 30, () => send(a, 1000));
  const stats = (): [number, number] => {
    const text = of('meter-stats br0 meter=1');
    return [Number(/packet_in_count:(\d+)/.exec(text)?.[1]), Number(/0: packet_count:(\d+)/.exec(text)?.[1])];
  };
  await eventually('the meter has seen all', () => stats()[0] >= 1000);
  const [came, dropped] = stats();
  const most = 30 + (50 * (performance.now() - began)) / 1000 + 1;
  assert.ok(came - dropped >= 30 && came - dropped <= most, `${came} came, ${dropped} dropped, at most ${most} may pass`);
  assert.ok(metered <= most + NOISE, `${metered} arrived`);
  assert.deepEqual(faults(h), []);
});
