// What a daemon finds pinned that it cannot use: of another layout or size, not ours, or in a file system that is read-only or full by now.
// It takes the devices over all the same, each in one step, and leaves nothing of the former.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { closeObject, createMap, MAP_TYPE, pinObject } from '../../src/bpf/kernel.ts';
import { refusing } from './support/refusing.ts';
import { stream } from './support/stream.ts';
import { pings, station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, type World, world } from './support/world.ts';

const skip = cannot('ping', 'python3', 'tcpdump', 'mount', 'setpriv') || false;

interface Net {
  w: World;
  h: Host;
  a: Host;
  b: Host;
  /** Where the daemon's bpffs is seen here. */
  bpffs: string;
  start(wrapper?: readonly string[]): void;
  kill(): Promise<void>;
  /** The instance's folder, and what is in it. */
  dir(): string;
  names(): string[];
}

const must = (...words: string[]): void => {
  const done = spawnSync(words[0]!, words.slice(1), { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
};

/** A switch with a bpffs of its own, and two stations. Port numbers are not those that a daemon would give them now. */
async function net(t: TestContext): Promise<Net> {
  const w = world(t);
  const bpffs = mkdtempSync(join(tmpdir(), 'weft-bpffs-'));
  must('mount', '-t', 'bpf', 'bpf', bpffs);
  t.after(() => {
    must('umount', '-l', bpffs);
    rmdirSync(bpffs);
  });
  const h = w.host('h');
  await h.startOvsdb('weft');
  const start = (wrapper: readonly string[] = []): void => {
    const script = `mount --bind ${bpffs} /sys/fs/bpf && exec "$@"`;
    const daemon = ['ovs-vswitchd', '--detach', '--no-chdir', '--pidfile', '--log-file'];
    h.ok(['sh', '-c', script, 'sh', ...wrapper, ...daemon], { timeout: 60_000 });
  };
  start();
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok(
    'ip link add gap type veth peer name pag && ovs-vsctl add-br br0 -- add-port br0 gap && ovs-vsctl add-port br0 vb && ovs-vsctl add-port br0 va',
  );
  h.ok('ovs-vsctl del-port gap');
  await eventually('ping', () => pings(a, '10.0.0.2'), 20_000);
  const dir = (): string => join(bpffs, readdirSync(bpffs).find((name) => name.startsWith('weft-')) ?? '-');
  const kill = async (): Promise<void> => {
    const pid = h.pidOf('ovs-vswitchd');
    process.kill(pid, 'SIGKILL');
    await eventually('ended', () => !existsSync(`/proc/${pid}`));
  };
  return { w, h, a, b, bpffs, start, kill, dir, names: () => readdirSync(dir()).sort() };
}

const portNumbers = (h: Host): string[] => h.ok('ovs-appctl dpctl/show').match(/port \d+: v[ab]/g) ?? [];
const said = (h: Host, pattern: RegExp): string[] =>
  h
    .log('ovs-vswitchd')
    .split('\n')
    .filter((line) => pattern.test(line));
const warnings = (h: Host): string[] => said(h, /\|(WARN|ERR|EMER)\|/);

/** What a healthy instance has pinned, without the numbers and hashes. */
const WHOLE = ['connections', 'gen', 'links', 'owner', 'pending', 'ring'];
const kinds = (names: readonly string[]): string[] => names.map((name) => name.split('-')[0]!);

/** Frames of a flow that comes in at that device go on, through all that is done meanwhile. */
async function goesOn({ a, b, h }: Pick<Net, 'a' | 'b' | 'h'>, body: () => Promise<void>, port = 'va', to = '10.0.0.2'): Promise<void> {
  const going = await stream(a, b, to, 200_000, 5000);
  const flows = (): string => h.ok('ovs-appctl dpctl/dump-flows -m type=offloaded');
  const counted = (): number =>
    Math.max(
      0,
      ...[...flows().matchAll(/in_port\((\w+)\).*eth_type\(0x0800\).* packets:(\d+)/g)]
        .filter((m) => m[1] === port)
        .map((m) => Number(m[2])),
    );
  await eventually('the kernel carries it', () => counted() > 100);
  await body();
  assert.ok(going.isRunning, 'the stream lasts longer than what is done meanwhile');
  const result = await going.stop();
  assert.deepEqual({ lost: result.lost, twice: result.twice }, { lost: 0, twice: 0 }, `${result.text}\n${h.log('ovs-vswitchd')}`);
}

const other = (name: string): string => name.replace(/-[0-9a-f]{12}$/, '-0123456789ab');

for (const [what, renamed] of [
  ['flow records', /^gen-/],
  ['frames for user space', /^(ring|pending)-/],
  ['all maps', /^(gen|ring|pending|connections)-/],
] as const) {
  test(`an older daemon had another layout of ${what}: it is replaced, loses nothing, and leaves nothing`, { skip }, async (t) => {
    const n = await net(t);
    const { h, a, b } = n;
    const before = portNumbers(h);
    await goesOn(n, async () => {
      await n.kill();
      for (const name of n.names()) if (renamed.test(name)) renameSync(join(n.dir(), name), join(n.dir(), other(name)));
      n.start();
    });
    assert.deepEqual(portNumbers(h), before);
    await eventually('the former is gone', () => kinds(n.names()).join() === WHOLE.join());
    assert.ok(!n.names().some((name) => name.endsWith('-0123456789ab')), n.names().join());
    assert.deepEqual(warnings(h), []);
    // A frame that waits for the daemon is still its port's.
    if (what !== 'flow records') return;
    const seen = b.start('tcpdump -l -n -i eth0 udp port 4242');
    const echoed = a.start('tcpdump -l -n -Q in -i eth0 udp port 4242');
    await eventually('tcpdump listens', () => [seen, echoed].every((one) => one.output().includes('listening on')));
    a.ok('ip neigh replace 10.0.0.77 lladdr 02:00:00:00:00:77 dev eth0');
    await n.kill();
    const generation = n.names().find((name) => name.startsWith('gen-'))!;
    renameSync(join(n.dir(), generation), join(n.dir(), other(generation)));
    a.ok(['python3', '-c', "import socket; socket.socket(2, 2).sendto(b'first', ('10.0.0.77', 4242))"]);
    n.start();
    await eventually('the frame arrives', () => seen.output().includes('10.0.0.77.4242'));
    assert.doesNotMatch(echoed.output(), /10\.0\.0\.77\.4242/);
  });
}

test('maps of another size, things that are not ours and folders under our names make room', { skip }, async (t) => {
  const n = await net(t);
  const { h, a } = n;
  const foreign = (path: string): void => {
    rmSync(path, { force: true });
    const fd = createMap({ name: 'foreign', type: MAP_TYPE.array, keySize: 4, valueSize: 8, maxEntries: 3 });
    pinObject(fd, path);
    closeObject(fd);
  };
  for (const round of [0, 1, 2]) {
    await goesOn(n, async () => {
      await n.kill();
      const dir = n.dir();
      const named = (start: string): string => join(dir, n.names().find((name) => name.startsWith(start))!);
      const generation = named('gen-');
      if (round === 0) {
        foreign(named('ring-'));
        rmSync(join(dir, 'owner'));
        mkdirSync(join(dir, 'owner'));
        foreign(join(dir, 'links', '9999-ingress'));
        mkdirSync(join(dir, 'links', '9998-egress'));
        symlinkSync('what ever', join(dir, 'links', '9997-ingress'));
      } else if (round === 1) {
        rmSync(named('pending-'));
        foreign(named('connections-'));
        foreign(join(generation, 'records'));
        symlinkSync('x', join(generation, 'place-1-ingress'));
      } else {
        const connections = named('connections-');
        rmSync(connections);
        mkdirSync(connections);
        foreign(join(generation, 'other-mask'));
        symlinkSync('7:ff', join(generation, 'another-mask'));
        foreign(join(generation, 'another'));
        foreign(join(dir, 'gen-77-0123456789ab'));
      }
      n.start();
    });
    await eventually('the former is gone', () => kinds(n.names()).join() === WHOLE.join());
    assert.match(h.ok('ovs-appctl dpif/show'), /\(eBPF\)/);
    assert.deepEqual(
      readdirSync(join(n.dir(), 'links')).filter((name) => name.startsWith('99')),
      [],
    );
  }
  assert.deepEqual(said(h, /pinned|removed/), []);
  assert.deepEqual(warnings(h), []);
  h.ok('ovs-appctl exit --cleanup');
  await eventually('nothing is left', () => readdirSync(n.bpffs).every((name) => !name.startsWith('weft-')));
  h.ok('ip addr add 10.0.0.9/24 dev va');
  await eventually('the device is the host’s', () => pings(a, '10.0.0.9'));
});

test('read-only while it runs: one line; the next daemons take over what they may only look at, and leave no program', {
  skip,
}, async (t) => {
  const n = await net(t);
  const { h, a } = n;
  must('mount', '-o', 'remount,ro', n.bpffs);
  // New masks, new ports, and ports that go.
  h.ok('ip link add x1 type veth peer name y1 && ovs-vsctl add-port br0 x1');
  h.ok("ovs-ofctl add-flow br0 'priority=9,udp,nw_tos=4,tp_dst=9,actions=normal'");
  assert.ok(pings(a, '10.0.0.2'));
  h.ok('ovs-vsctl del-port x1');
  assert.ok(pings(a, '10.0.0.2'));
  assert.equal(warnings(h).length, 1, warnings(h).join('\n'));
  assert.match(warnings(h)[0]!, /what comes from now on ends with this daemon, because it cannot be pinned: .*read-only/i);
  const before = portNumbers(h);
  for (const daemon of ['second', 'third']) {
    await goesOn(n, async () => {
      await n.kill();
      n.start();
    });
    assert.match(h.ok('ovs-appctl dpif/show'), /\(eBPF\)/, daemon);
    assert.deepEqual(portNumbers(h), before);
    assert.match(h.ok('ovs-appctl dpctl/dump-flows -m type=offloaded'), /in_port\(va\)/);
    // The kernel carries what it carried.
    const punts = (): string => /miss:\d+/.exec(h.ok('ovs-appctl dpif/show-dp-features br0'))![0];
    await eventually('flows are in the kernel', () => {
      const count = punts();
      a.ok('ping -c 5 -i 0.01 10.0.0.2');
      return punts() === count;
    });
  }
  assert.equal(said(h, /programs end with this daemon: they cannot be pinned: .*read-only/i).length, 2);
  assert.equal(warnings(h).length, 1, warnings(h).join('\n'));
  h.ok('ovs-appctl exit --cleanup');
  h.ok('ip addr add 10.0.0.9/24 dev va');
  await eventually('the device is the host’s', () => pings(a, '10.0.0.9'));
});

test('nothing more can be pinned: the next daemon takes the devices over where the former left them', { skip }, async (t) => {
  const n = await net(t);
  const { h, a } = n;
  const OBJ_PIN = '6';
  const ENOSPC = '28';
  await goesOn(n, async () => {
    await n.kill();
    n.start(['python3', '-c', refusing, OBJ_PIN, ENOSPC]);
  });
  assert.equal(said(h, /programs end with this daemon: they cannot be pinned: .*No space left on device/).length, 1);
  assert.deepEqual(warnings(h), []);
  assert.deepEqual(kinds(n.names()), ['links', 'owner']);
  h.ok('ovs-appctl exit');
  await eventually('nothing is left', () => readdirSync(n.bpffs).every((name) => !name.startsWith('weft-')));
  h.ok('ip addr add 10.0.0.9/24 dev va');
  await eventually('the device is the host’s', () => pings(a, '10.0.0.9'));
});

test('no bpffs, and none may be mounted: one line, and programs all the same', { skip }, async (t) => {
  const w = world(t);
  const h = w.host('h');
  await h.startOvsdb('weft');
  const without = '-sys_admin';
  h.ok(
    [
      ...['sh', '-c', 'mount -t tmpfs none /proc/1 && exec "$@"', 'sh', 'setpriv', `--inh-caps=${without}`, `--bounding-set=${without}`],
      ...['ovs-vswitchd', '--detach', '--no-chdir', '--pidfile', '--log-file'],
    ],
    { timeout: 60_000 },
  );
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok('ovs-vsctl --timeout=20 add-br br0 -- add-port br0 va -- add-port br0 vb');
  await eventually('ping', () => pings(a, '10.0.0.2'), 20_000);
  assert.match(h.ok('ovs-appctl dpif/show'), /\(eBPF\)/);
  assert.equal(said(h, /programs end with this daemon: there is no bpffs to pin them in/).length, 1, h.log('ovs-vswitchd'));
  h.ok('ovs-appctl exit');
  h.ok('ip addr add 10.0.0.9/24 dev va');
  await eventually('the device is the host’s', () => pings(a, '10.0.0.9'));
});

test('a mount namespace of its own, and process 1 out of reach: one line says that pins end with it', { skip }, async (t) => {
  const w = world(t);
  const h = w.host('h');
  await h.startOvsdb('weft');
  const daemon = ['ovs-vswitchd', '--detach', '--no-chdir', '--pidfile', '--log-file'];
  h.ok(['sh', '-c', 'mount -t tmpfs none /proc/1 && exec "$@"', 'sh', ...daemon], { timeout: 60_000 });
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok('ovs-vsctl --timeout=20 add-br br0 -- add-port br0 va -- add-port br0 vb');
  await eventually('ping', () => pings(a, '10.0.0.2'), 20_000);
  assert.equal(said(h, /programs end with this daemon's mount namespace/).length, 1, h.log('ovs-vswitchd'));
  assert.deepEqual(warnings(h), []);
  h.ok('ovs-appctl exit --cleanup');
});

test('a tunnel whose devices a former daemon’s program stands at: the same', { skip, timeout: 240_000 }, async (t) => {
  const n = await net(t);
  const { w, h, a } = n;
  const far = await switchHost(w, 'far');
  w.wire(h, 'wan', far, 'wan');
  const c = station(w, far, 'c', 'vc', '10.0.0.3/24');
  far.ok('ip addr add 172.16.0.2/24 dev wan && ovs-vsctl add-br br0 -- add-port br0 vc');
  h.ok('ip addr add 172.16.0.1/24 dev wan');
  const tunnel = 'add-port br0 t0 -- set interface t0 type=vxlan options:remote_ip=172.16.0';
  h.ok(`ovs-vsctl --timeout=10 ${tunnel}.2`);
  far.ok(`ovs-vsctl --timeout=10 ${tunnel}.1`);
  await eventually('ping', () => pings(c, '10.0.0.1'));
  const restart = (how: () => void): Promise<void> =>
    goesOn(
      { a: c, b: a, h },
      async () => {
        await n.kill();
        how();
        n.start();
      },
      'vxlan_sys_4789',
      '10.0.0.1',
    );
  await restart(() => {
    for (const name of n.names()) if (/-[0-9a-f]{12}$/.test(name)) renameSync(join(n.dir(), name), join(n.dir(), other(name)));
  });
  await restart(() => must('mount', '-o', 'remount,ro', n.bpffs));
  assert.match(h.ok('ovs-appctl dpctl/dump-flows -m'), /in_port\(vxlan_sys_4789\).*offloaded:yes/);
  // The device is the host's again, which has no tunnel of its own there.
  h.ok('ovs-appctl exit --cleanup');
  await eventually('nothing answers', () => c.run('ping -c 1 -W 1 10.0.0.1').code !== 0);
  assert.equal(far.run('ping -c 2 -i 0.2 -W 1 172.16.0.1').code, 0);
});
