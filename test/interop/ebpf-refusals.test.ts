// A kernel or a sandbox that refuses: what can be carried in the kernel is, the rest in user space, one line says why, and nothing ends.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { refusing } from './support/refusing.ts';
import { pings, station } from './support/traffic.ts';
import { cannot, eventually, type Host, world } from './support/world.ts';

const skip = cannot('ping', 'python3', 'setpriv', 'prlimit', 'tc') || false;

const BPF = { progLoad: '5', objPin: '6', linkCreate: '28', all: '-1' };
const E = { PERM: '1', ACCES: '13', INVAL: '22', NOSYS: '38' };

const DAEMON = ['ovs-vswitchd', '--detach', '--no-chdir', '--pidfile', '--log-file'];

/** A switch, started by that wrapper, and a station `a` that reaches another one through it. */
async function start(t: TestContext, wrapper: readonly string[], script = ''): Promise<{ h: Host; a: Host }> {
  const w = world(t);
  const h = w.host('h');
  await h.startOvsdb('weft');
  const command = script === '' ? [...wrapper, ...DAEMON] : ['sh', '-c', `${script} && exec ${DAEMON.join(' ')}`];
  h.ok(command, { timeout: 60_000 });
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok('ovs-vsctl --timeout=20 add-br br0 -- add-port br0 va -- add-port br0 vb');
  assert.ok(pings(a, '10.0.0.2'), h.log('ovs-vswitchd'));
  return { h, a };
}

const said = (h: Host): string[] =>
  h
    .log('ovs-vswitchd')
    .split('\n')
    .filter((line) => /eBPF|user space|program|pinned/.test(line));

/** A device with an address of the host's that is a port: its frames are the switch's all the same. */
function hostStaysOut(h: Host, a: Host): void {
  h.ok('ip addr add 10.0.0.77/24 dev va');
  assert.equal(a.run('ping -c 2 -i 0.2 -W 1 10.0.0.77').code, 1, 'the host answered');
}

for (const [what, command, errno, words] of [
  ['the verifier refuses', BPF.progLoad, E.ACCES, 'Permission denied'],
  ['bpf(2) is forbidden', BPF.all, E.PERM, 'Operation not permitted'],
  ['the kernel has no bpf(2)', BPF.all, E.NOSYS, 'Function not implemented'],
] as const) {
  test(`${what}: user space, one line, and the host stays out of it`, { skip }, async (t) => {
    const { h, a } = await start(t, ['python3', '-c', refusing, command, errno]);
    assert.match(h.ok('ovs-appctl dpif/show'), /^system@ovs-system: .*\(user space\)$/m);
    assert.equal(said(h).length, 1, said(h).join('\n'));
    assert.match(
      said(h)[0]!,
      new RegExp(`system datapath: frames are forwarded in user space, because the kernel refuses eBPF: .*${words}`),
    );
    hostStaysOut(h, a);
    const doctor = h.run(['python3', '-c', refusing, command, errno, 'weft', 'doctor']).stdout;
    assert.match(doctor, new RegExp(`^- eBPF +.*${words}\n +run as root`, 'm'));
    h.ok('ovs-vsctl del-port va');
    assert.equal(h.ok('tc filter show dev va ingress').trim(), '');
    await eventually('the host is back', () => pings(a, '10.0.0.77'), 20_000);
  });
}

test('without the right to load programs the host stays out of it too', { skip }, async (t) => {
  const without = '-bpf,-sys_admin,-perfmon';
  const { h, a } = await start(t, ['setpriv', `--inh-caps=${without}`, `--bounding-set=${without}`]);
  assert.match(h.ok('ovs-appctl dpif/show'), /\(user space\)/);
  assert.equal(said(h).length, 1, said(h).join('\n'));
  hostStaysOut(h, a);
});

test('links are refused: filters take their place', { skip }, async (t) => {
  const { h, a } = await start(t, ['python3', '-c', refusing, BPF.linkCreate, E.INVAL]);
  assert.match(h.ok('ovs-appctl dpif/show'), /\(eBPF\)/);
  assert.match(h.ok('tc filter show dev va ingress'), /weft.*direct-action/);
  assert.match(h.ok('ovs-appctl dpctl/dump-flows -m type=offloaded'), /in_port\(va\)/);
  hostStaysOut(h, a);
  h.ok('ovs-appctl exit --cleanup');
  await eventually('gone', () => h.ok('tc filter show dev va ingress').trim() === '');
});

test('nothing can be pinned: frames go on as long as the daemon does, and are the host’s when it is killed', { skip }, async (t) => {
  const refused = ['python3', '-c', refusing, BPF.objPin, E.PERM];
  const { h, a } = await start(t, refused);
  assert.match(h.ok('ovs-appctl dpif/show'), /\(eBPF\)/);
  assert.equal(
    said(h).filter((line) => /programs end with this daemon: .*Operation not permitted/.test(line)).length,
    1,
    said(h).join('\n'),
  );
  // Filters, which nobody waits for, and which pass all frames on when the daemon is no more.
  const filters = (device: string, hook = 'ingress'): number =>
    h.ok(`tc filter show dev ${device} ${hook}`).match(/direct-action/g)?.length ?? 0;
  const places = (): number[] => [filters('va'), filters('vb'), filters('br0', 'egress'), filters('wan')];
  h.ok('ip link add wan type veth peer name far && ip link set wan up && ip addr add 172.16.0.1/24 dev wan');
  h.ok('ovs-vsctl add-port br0 t0 -- set interface t0 type=vxlan options:remote_ip=172.16.0.2');
  assert.match(h.ok('ovs-appctl dpctl/dump-flows -m type=offloaded'), /in_port\(va\)/);
  assert.deepEqual(places(), [1, 1, 1, 1]);
  hostStaysOut(h, a);
  for (let round = 0; round < 2; round++) {
    const pid = h.pidOf('ovs-vswitchd');
    process.kill(pid, 'SIGKILL');
    await eventually('ended', () => !existsSync(`/proc/${pid}`));
    assert.ok(pings(a, '10.0.0.77'), 'the host is cut off');
    h.ok([...refused, ...DAEMON], { timeout: 60_000 });
    assert.ok(pings(a, '10.0.0.2'), h.log('ovs-vswitchd'));
    assert.deepEqual(places(), [1, 1, 1, 1]);
    assert.equal(a.run('ping -c 2 -i 0.2 -W 1 10.0.0.77').code, 1, 'the host answered');
  }
  h.ok('ovs-vsctl del-port t0');
  assert.equal(filters('wan'), 0);
  const pid = h.pidOf('ovs-vswitchd');
  h.ok('ovs-appctl exit --cleanup');
  await eventually('ended', () => !existsSync(`/proc/${pid}`));
  assert.deepEqual([filters('va'), filters('vb')], [0, 0]);
  assert.ok(pings(a, '10.0.0.77'));
});

test('a bpffs that cannot be written to: the same', { skip }, async (t) => {
  const script = 'mount -t bpf -o ro bpf /sys/fs/bpf';
  const { h } = await start(t, [], script);
  assert.match(h.ok('ovs-appctl dpif/show'), /\(eBPF\)/);
  const lines = said(h).filter((line) => line.includes('pinned'));
  assert.equal(lines.length, 1, said(h).join('\n'));
  assert.match(lines[0]!, /programs end with this daemon: they cannot be pinned: .*(read-only|EROFS)/);
});

test('few descriptors: what has none is refused, the rest goes on, and the daemon does not end', { skip }, async (t) => {
  const w = world(t);
  const h = w.host('h');
  await h.startOvsdb('weft');
  h.ok(['prlimit', '--nofile=96', ...DAEMON], { timeout: 60_000 });
  const pid = h.pidOf('ovs-vswitchd');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok('ovs-vsctl --timeout=20 add-br br0 -- add-port br0 va -- add-port br0 vb');
  assert.ok(pings(a, '10.0.0.2'), h.log('ovs-vswitchd'));
  for (let i = 0; i < 20; i++) h.ok(`ip link add x${i} type veth peer name y${i}`);
  const adds = Array.from({ length: 20 }, (_, i) => `add-port br0 x${i}`).join(' -- ');
  h.ok(`ovs-vsctl --timeout=30 ${adds}`, { timeout: 40_000 });
  assert.ok(pings(a, '10.0.0.2'));
  // Links come, as many as leave descriptors for other things.
  const filters = (): number => h.ok('for i in $(seq 0 19); do tc filter show dev x$i ingress; done').match(/direct-action/g)?.length ?? 0;
  let before = 20;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await eventually('no more links come', async () => {
    const last = before;
    await new Promise((resolve) => setTimeout(resolve, 500));
    before = filters();
    return before === last;
  });
  assert.ok(before > 0, `${before}`);
  const used = (): number => readdirSync(`/proc/${pid}/fd`).length;
  assert.ok(used() < 80, `${used()}`);
  h.ok('ovs-appctl version && ovs-ofctl show br0');
  assert.ok(pings(a, '10.0.0.2'));
  h.ok(`ovs-vsctl --timeout=30 ${Array.from({ length: 20 }, (_, i) => `del-port x${i}`).join(' -- ')}`, { timeout: 40_000 });
  h.ok('ovs-vsctl --timeout=20 add-port br0 x1', { timeout: 30_000 });
  assert.ok(existsSync(`/proc/${pid}`));
  process.kill(pid, 'SIGTERM');
  await eventually('ended', () => !existsSync(`/proc/${pid}`));
});

test('little memory may be locked: that does not matter', { skip }, async (t) => {
  const { h } = await start(t, ['prlimit', '--memlock=65536']);
  assert.match(h.ok('ovs-appctl dpif/show'), /\((eBPF)\)/);
});
