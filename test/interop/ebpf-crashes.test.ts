// Whatever moment the daemon dies at, the next one makes right what it finds; and in the end nothing is left. WEFT_CONTINUITY_KILLS sets how
// many times it is killed (4 by default).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, type World, world } from './support/world.ts';

const skip = cannot('ping', 'python3') || false;

async function net(w: World): Promise<{ h: Host; a: Host }> {
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok(
    'ovs-vsctl add-br br0 -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2',
  );
  a.ok('ping -c 3 -i 0.2 -W 1 10.0.0.2');
  return { h, a };
}

test('flows that are wrong in the new daemon end with the old one; ports removed meanwhile are let go', { skip }, async (t) => {
  const w = world(t);
  const { h, a } = await net(w);
  station(w, h, 'c', 'vc', '10.0.0.4/24');
  h.ok('ovs-vsctl add-port br0 vc');
  a.ok('ping -c 3 -i 0.2 -W 1 10.0.0.4');
  const ping = a.start('ping -i 0.1 10.0.0.2');
  process.kill(h.pidOf('ovs-vswitchd'), 'SIGKILL');
  await sleep(1000);
  // Without a daemon frames go on.
  a.ok('ping -c 3 -i 0.2 -W 1 10.0.0.2');
  h.ok('ovs-vsctl --no-wait set bridge br0 fail_mode=secure -- del-port vc');
  await h.startVswitchd('weft');
  await eventually('a secure bridge without flows forwards nothing', () => a.run('ping -c 1 -W 1 10.0.0.2').code !== 0);
  assert.doesNotMatch(h.ok('ovs-appctl dpctl/dump-flows'), /actions:[^d]/);
  await ping.stop();
  // The device of the removed port is the host's again.
  h.ok('ip addr add 10.9.0.1/24 dev vc');
  const c = w.hosts.find((host) => host.name === 'c')!;
  c.ok('ip addr add 10.9.0.2/24 dev eth0');
  assert.equal(c.run('ping -c 2 -i 0.2 -W 1 10.9.0.1').code, 0);
});

test('kill -9 at any moment of a start, of flows coming and of program exchange: the next start recovers, and --cleanup leaves nothing', {
  skip,
}, async (t) => {
  const { h, a } = await net(world(t));
  const rounds = Number(process.env['WEFT_CONTINUITY_KILLS'] ?? 4);
  for (let round = 0; round < rounds; round++) {
    // New masks and flows all the time.
    const churn = h.start(
      `sh -c 'i=0; while :; do i=$((i+1)); ovs-ofctl add-flow br0 priority=$i,udp,nw_tos=$((i%60*4)),tp_dst=$i,actions=normal; done'`,
    );
    const load = a.start(['python3', '-c', churnScript]);
    await sleep(Math.random() * 500);
    process.kill(h.pidOf('ovs-vswitchd'), 'SIGKILL');
    // A start that is killed on its way, at a moment of chance.
    const half = h.start(['ovs-vswitchd', '--no-chdir', `--pidfile=${h.dir}/half.pid`, '--unixctl', `${h.dir}/half.ctl`, '--log-file']);
    await sleep(300 + Math.random() * 2000);
    await half.stop('SIGKILL');
    await h.startVswitchd('weft');
    await load.stop('SIGKILL');
    await churn.stop('SIGKILL');
    await eventually(`round ${round}: forwards`, () => a.run('ping -c 1 -W 1 10.0.0.2').code === 0);
    // A generation may go while it is listed.
    const list = (): string[] => h.run('ls -d /proc/1/root/sys/fs/bpf/weft-*/gen-*').stdout.trim().split('\n');
    const generations = list();
    await eventually('one generation', () => list().length === 1).catch(() => assert.fail(generations.join()));
  }
  h.ok('ovs-appctl exit --cleanup');
  await eventually('nothing is left', () => h.run('ls -d /proc/1/root/sys/fs/bpf/weft-*').code !== 0);
  assert.doesNotMatch(h.ok('ip -d link'), /br0|ovs/);
  // A program that is still at a device would take the host's own frames.
  h.ok('ip addr add 10.0.0.9/24 dev va');
  assert.equal(a.run('ping -c 2 -i 0.2 -W 1 10.0.0.9').code, 0);
});

const churnScript = `
import random, socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    s.setsockopt(0, 1, random.randrange(60) * 4)
    s.sendto(b'x' * 20, ('10.0.0.2', random.randrange(1, 2000)))
    time.sleep(0.001)
`;
