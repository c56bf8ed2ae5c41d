// Who takes a switch over, and from what: a daemon that waits for its turn, a run directory that was deleted, a network namespace that is gone.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stream } from './support/stream.ts';
import { pings, station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, type World, world } from './support/world.ts';

const skip = cannot('ping', 'python3') || false;

async function net(w: World): Promise<{ h: Host; a: Host; b: Host }> {
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok('ovs-vsctl add-br br0 -- add-port br0 va -- add-port br0 vb');
  a.ok('ping -c 3 -i 0.2 -W 1 10.0.0.2');
  return { h, a, b };
}

test('a second daemon waits for the lock, and takes over when the first is killed: nothing is lost', { skip }, async (t) => {
  const { h, a, b } = await net(world(t));
  // The same pidfile is refused, as by Open vSwitch.
  const refused = h.run('ovs-vswitchd --detach --no-chdir --pidfile');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /ovs-vswitchd\.pid: already running as pid \d+, aborting/);
  const second = h.start(`ovs-vswitchd --no-chdir --pidfile=second.pid --log-file=${h.dir}/second.log`);
  const log = (): string => (existsSync(join(h.dir, 'second.log')) ? readFileSync(join(h.dir, 'second.log'), 'utf8') : '');
  await eventually('waits', () =>
    /another ovs-vswitchd process is running, disabling this process \(pid \d+\) until it goes away/.test(log()),
  );
  const going = await stream(a, b, '10.0.0.2', 60_000);
  await sleep(1000);
  process.kill(h.pidOf('ovs-vswitchd'), 'SIGKILL');
  await eventually('took over', () => /bridge br0: added interface vb/.test(log()));
  const result = await going.result();
  assert.deepEqual({ lost: result.lost, twice: result.twice }, { lost: 0, twice: 0 }, result.text);
  assert.ok(pings(a, '10.0.0.2'));
  assert.match(h.ok(`ovs-appctl -t ${h.dir}/ovs-vswitchd.${second.pid}.ctl dpctl/dump-flows -m type=offloaded`), /in_port\(va\)/);
  h.ok(`ovs-appctl -t ${h.dir}/ovs-vswitchd.${second.pid}.ctl exit --cleanup`);
  assert.equal(await second.ended, 0);
  assert.doesNotMatch(h.ok('ip -o link'), / br0:|PROMISC/);
});

test('a run directory that was deleted: frames go on, and the next daemon there takes over', { skip }, async (t) => {
  const { h, a, b } = await net(world(t));
  const database = readFileSync(join(h.dir, 'conf.db'));
  const pids = [h.pidOf('ovs-vswitchd'), h.pidOf('ovsdb-server')];
  const going = await stream(a, b, '10.0.0.2', 80_000);
  await sleep(500);
  rmSync(h.dir, { recursive: true });
  for (const pid of pids) {
    process.kill(pid, 'SIGTERM');
    await eventually('ended', () => !existsSync(`/proc/${pid}`));
  }
  mkdirSync(h.dir);
  writeFileSync(join(h.dir, 'conf.db'), database);
  await h.startOvsdb('weft');
  await h.startVswitchd('weft');
  const result = await going.result();
  assert.deepEqual({ lost: result.lost, twice: result.twice }, { lost: 0, twice: 0 }, result.text);
  assert.match(h.ok('ovs-appctl dpctl/show -s'), /: va\n +RX packets:\d{5}/);
  h.ok('ovs-appctl exit --cleanup');
});

/** The folder that a daemon uses in the machine's bpffs. */
const folderOf = (pid: number): string | undefined =>
  ['/proc/1/root/sys/fs/bpf', '/sys/fs/bpf']
    .flatMap((dir) => (existsSync(dir) ? readdirSync(dir).map((name) => join(dir, name)) : []))
    .find((dir) => existsSync(join(dir, 'links')) && readlinkSync(join(dir, 'owner')).includes(` ${pid} `));

test('a namespace that is gone: its programs too, and the next daemon clears away what was pinned', { skip }, async (t) => {
  const { h } = await net(world(t));
  const pid = h.pidOf('ovs-vswitchd');
  const folder = folderOf(pid);
  assert.ok(folder !== undefined);
  h.remove();
  await eventually('ended', () => !existsSync(`/proc/${pid}`));
  const next = await net(world(t));
  // The kernel takes a namespace's devices down some time after its end; each start looks again.
  await eventually(
    'cleared',
    async () => {
      const old = next.h.pidOf('ovs-vswitchd');
      next.h.ok('ovs-appctl exit');
      await eventually('ended', () => !existsSync(`/proc/${old}`));
      await next.h.startVswitchd('weft');
      return !existsSync(folder);
    },
    30_000,
  );
  assert.ok(pings(next.a, '10.0.0.2'));
  next.h.ok('ovs-appctl exit --cleanup');
});
