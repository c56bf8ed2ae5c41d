// Switches with many ports: none is refused, and what one port does costs nothing for the others.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { absent, idlePairs, residentMb } from './support/idle-ports.ts';
import { stream } from './support/stream.ts';
import { pings, station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, world } from './support/world.ts';

const skip = cannot('ping', 'python3') || false;

/** Processor time of the daemon so far. */
function cpuMs(h: Host): number {
  const fields = readFileSync(`/proc/${h.pidOf('ovs-vswitchd')}/stat`, 'utf8')
    .split(') ')[1]!
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

test('1,000 ports on a bridge, and 30 bridges besides: all forward, and all are back after kill -9', { skip }, async (t) => {
  const ports = 1000;
  const w = world(t);
  const h = await switchHost(w, 'h');
  idlePairs(h, ports);
  const bridges = Array.from({ length: 30 }, (_, i) => `add-br x${i}`).join(' -- ');
  const adds = Array.from({ length: ports }, (_, i) => `add-port br0 v${i}`).join(' -- ');
  const began = performance.now();
  h.ok(`ovs-vsctl ${bridges}`, { timeout: 120_000 });
  h.ok(['sh', '-c', `ovs-vsctl add-br br0 -- ${adds}`], { timeout: 240_000 });
  t.diagnostic(`added within ${Math.round(performance.now() - began)} ms, ${Math.round(residentMb(h))} MB`);
  // More than 1,024 ports of one datapath; the two that come last have the highest numbers.
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok('ovs-vsctl add-port br0 va -- add-port br0 vb', { timeout: 60_000 });
  assert.deepEqual(absent(h), []);
  assert.ok(pings(a, '10.0.0.2'), h.log('ovs-vswitchd').slice(-3000));
  assert.match(h.ok('ovs-appctl dpctl/dump-flows -m type=offloaded'), /in_port\(va\).*actions:vb/);
  assert.ok(residentMb(h) < 700, `${residentMb(h)} MB`);
  // What a change costs the daemon.
  const before = cpuMs(h);
  for (let i = 0; i < 5; i++) {
    h.ok(`ovs-vsctl del-port v${i}`, { timeout: 60_000 });
    h.ok(`ovs-vsctl add-port br0 v${i}`, { timeout: 60_000 });
  }
  const cost = (cpuMs(h) - before) / 10;
  t.diagnostic(`${cost} ms of processor time a change`);
  assert.ok(cost < 600, `${cost} ms`);
  const idle = cpuMs(h);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  assert.ok(cpuMs(h) - idle < 1500, `${cpuMs(h) - idle} ms in 5 s of doing nothing`);
  // A new daemon finds all programs where they are.
  const numbers = h.ok('ovs-appctl dpctl/show');
  const pid = h.pidOf('ovs-vswitchd');
  process.kill(pid, 'SIGKILL');
  // The kernel closes so many sockets one by one.
  await eventually('ended', () => h.run(`test -d /proc/${pid}`).code !== 0, 120_000);
  const again = performance.now();
  h.ok('ovs-vswitchd --detach --no-chdir --pidfile --log-file', { timeout: 120_000 });
  t.diagnostic(`restarted within ${Math.round(performance.now() - again)} ms`);
  assert.deepEqual(absent(h), []);
  const portsOf = (text: string): string[] => text.split('\n').filter((line) => /^ {2}port/.test(line));
  assert.deepEqual(portsOf(h.ok('ovs-appctl dpctl/show')).toSorted(), portsOf(numbers).toSorted());
  assert.ok(pings(a, '10.0.0.2'));
  const last = h.pidOf('ovs-vswitchd');
  h.ok('ovs-appctl exit --cleanup', { timeout: 120_000 });
  await eventually('ended', () => h.run(`test -d /proc/${last}`).code !== 0, 120_000);
  assert.deepEqual(h.ok('ip -o link').match(/ (br0|x\d+):|PROMISC/g), null);
});

/** From each of the devices one frame with a number; how many of them came. */
const fromEach = `
import socket, sys
count = int(sys.argv[1])
into = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b6))
into.bind(('w0', 0x88b6)); into.settimeout(5)
for turn in range(3):
    for i in range(1, count):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.bind(('w%d' % i, 0))
        s.send(b'\\xff' * 6 + bytes([2, 0, 0, 1, i >> 8, i & 255]) + b'\\x88\\xb6' + bytes([turn]) + b'x' * 50)
        s.close()
seen = {}
try:
    while sum(seen.values()) < 3 * (count - 1):
        f = into.recv(100)
        seen[f[6:12] + f[14:15]] = seen.get(f[6:12] + f[14:15], 0) + 1
except TimeoutError:
    pass
print(len(seen), sum(seen.values()))
`;

for (const type of ['system', 'netdev'] as const) {
  test(`${type}: what comes in at any of 60 ports goes out once at each other`, { skip }, async (t) => {
    const h = await switchHost(world(t), 'h');
    idlePairs(h, 60);
    const adds = Array.from({ length: 60 }, (_, i) => `add-port br0 v${i}`).join(' -- ');
    h.ok(`ovs-vsctl add-br br0 -- set bridge br0 datapath_type=${type} -- ${adds}`, { timeout: 60_000 });
    assert.equal(h.ok(['python3', '-c', fromEach, '60']).trim(), '177 177');
    // Ports that go while others stay ready.
    h.ok(`ovs-vsctl ${Array.from({ length: 40 }, (_, i) => `del-port v${i + 20}`).join(' -- ')}`);
    assert.equal(h.ok(['python3', '-c', fromEach, '20']).trim(), '57 57');
    // And more of them again, some with the numbers of those that went.
    idlePairs(h, 30, 60);
    h.ok(`ovs-vsctl ${Array.from({ length: 40 }, (_, i) => `add-port br0 v${i + 20}`).join(' -- ')}`, { timeout: 60_000 });
    assert.equal(h.ok(['python3', '-c', fromEach, '60']).trim(), '177 177');
  });
}

for (const type of ['system', 'netdev'] as const) {
  test(`${type}: ports that come and go while traffic flows cost it nothing`, { skip }, async (t) => {
    const w = world(t);
    const h = await switchHost(w, 'h');
    const a = station(w, h, 'a', 'va', '10.0.0.1/24');
    const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
    idlePairs(h, 12);
    h.ok(`ovs-vsctl add-br br0 -- set bridge br0 datapath_type=${type} -- add-port br0 va -- add-port br0 vb`);
    a.ok('ping -c 3 -i 0.2 -W 1 10.0.0.2');
    const going = await stream(a, b, '10.0.0.2', 40_000, type === 'system' ? 10_000 : 4000);
    let changes = 0;
    while (going.isRunning) {
      const words = Array.from({ length: 12 }, (_, i) => `add-port br0 v${i}`).join(' -- ');
      for (const line of [words, words.replaceAll('add-port br0', 'del-port')]) {
        assert.equal((await h.runAsync(`ovs-vsctl ${line}`)).code, 0);
        changes += 12;
      }
    }
    const result = await going.result();
    t.diagnostic(`${result.text}; ${changes} ports added or removed`);
    assert.ok(changes >= 24, `${changes}`);
    assert.deepEqual({ lost: result.lost, twice: result.twice }, { lost: 0, twice: 0 }, result.text);
  });
}
