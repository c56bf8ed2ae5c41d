// What waits for the next daemon while none runs, and instances beside each other.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, type World, world } from './support/world.ts';

const skip = cannot('ping', 'python3', 'tcpdump') || false;

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

test('frames that miss while no daemon runs wait for the next; what is beyond their share is counted as lost', { skip }, async (t) => {
  const w = world(t);
  const { h, a } = await net(w);
  const b = w.hosts.find((host) => host.name === 'b')!;
  const seen = b.start('tcpdump -l -n -i eth0 udp port 4242');
  await eventually('tcpdump listens', () => seen.output().includes('listening on'));
  a.ok('ip neigh replace 10.0.0.77 lladdr 02:00:00:00:00:77 dev eth0');
  // A machine that is busy may take longer for a start than such a frame is kept.
  for (let tries = 1; ; tries++) {
    const pid = h.pidOf('ovs-vswitchd');
    process.kill(pid, 'SIGKILL');
    await eventually('daemon ended', () => h.run(`test -d /proc/${pid}`).code !== 0);
    const sent = Date.now();
    a.ok(['python3', '-c', "import socket; socket.socket(2, 2).sendto(b'first', ('10.0.0.77', 4242))"]);
    await h.startVswitchd('weft');
    if (Date.now() - sent > 9000 && tries < 5) continue;
    await eventually('the frame arrives', () => seen.output().includes('10.0.0.77.4242'));
    break;
  }
  process.kill(h.pidOf('ovs-vswitchd'), 'SIGKILL');
  a.ok('ip neigh replace 10.0.0.78 lladdr 02:00:00:00:00:78 dev eth0');
  a.ok(['python3', '-c', "import socket\ns = socket.socket(2, 2)\nfor _ in range(30000): s.sendto(b'x', ('10.0.0.78', 4242))"]);
  await h.startVswitchd('weft');
  // A third of 8 MB, in records of 264 bytes, waits; a busy daemon may let go some of those too as it comes to them.
  const lost = Number(/lost:(\d+)/.exec(h.ok('ovs-appctl dpctl/show'))?.[1]);
  assert.ok(lost > 15_000 && lost < 29_000, `lost ${lost}`);
  await eventually('forwards', () => a.run('ping -c 1 -W 1 10.0.0.2').code === 0);
});

test('two instances in one namespace, each with a run directory of its own, leave each other alone', { skip }, async (t) => {
  const w = world(t);
  const { h, a } = await net(w);
  const dir = `${h.dir}/second`;
  mkdirSync(dir);
  const env = { OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir };
  const start = (): string => h.ok('ovs-vswitchd --detach --no-chdir --pidfile --log-file', { timeout: 30_000, env });
  h.ok(`ovsdb-tool create ${dir}/conf.db && ovsdb-server --detach --no-chdir --pidfile --remote=punix:${dir}/db.sock ${dir}/conf.db`, {
    env,
  });
  h.ok('ovs-vsctl --no-wait init', { env });
  start();
  const c = station(w, h, 'c', 'vc', '10.1.0.1/24');
  station(w, h, 'd', 'vd', '10.1.0.2/24');
  h.ok(
    'ovs-vsctl add-br br1 -- add-port br1 vc -- set interface vc ofport_request=1 -- add-port br1 vd -- set interface vd ofport_request=2',
    { env },
  );
  c.ok('ping -c 3 -i 0.2 -W 1 10.1.0.2');
  // Flows that carry nothing for ten seconds are forgotten; and nobody asks anew who is where while the daemon is down.
  for (const host of w.hosts.filter((one) => one !== h)) {
    host.ok('ip -4 neigh show dev eth0 | while read -r ip _ mac _; do ip neigh replace $ip lladdr $mac nud permanent dev eth0; done');
  }
  a.start('ping -i 0.5 10.0.0.2');
  c.start('ping -i 0.5 10.1.0.2');
  const instances = (): string[] => h.ok('ls -d /proc/1/root/sys/fs/bpf/weft-*').trim().split('\n');
  assert.equal(instances().length, 2);
  process.kill(h.pidOf('ovs-vswitchd'), 'SIGKILL');
  const second = Number(readFileSync(`${dir}/ovs-vswitchd.pid`, 'utf8'));
  process.kill(second, 'SIGKILL');
  await eventually('both ended', () => h.run(`test -d /proc/${second}`).code !== 0);
  a.ok('ping -c 3 -i 0.2 -W 1 10.0.0.2');
  c.ok('ping -c 3 -i 0.2 -W 1 10.1.0.2');
  start();
  assert.match(h.ok('ovs-appctl dpctl/show', { env }), /vc[\s\S]*vd|vd[\s\S]*vc/);
  // The first goes on without a daemon; the second ends, and takes only its own.
  a.ok('ping -c 3 -i 0.2 -W 1 10.0.0.2');
  h.ok('ovs-appctl exit --cleanup', { env });
  await eventually('one is left', () => instances().length === 1);
  a.ok('ping -c 3 -i 0.2 -W 1 10.0.0.2');
  await h.startVswitchd('weft');
  assert.match(h.ok('ovs-appctl dpctl/show'), /va[\s\S]*vb|vb[\s\S]*va/);
  h.ok('ovs-appctl exit --cleanup');
  h.ok('ovs-appctl -t ovsdb-server exit', { env });
});
