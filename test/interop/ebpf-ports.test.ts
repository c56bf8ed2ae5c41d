// Ports of the default datapath whose devices do what devices do: come, go, get another name, MTU or namespace; and ports and kernels that
// refuse the program.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { closeObject } from '../../src/bpf/kernel.ts';
import { linkDevice, openLink } from '../../src/bpf/objects.ts';
import { stream } from './support/stream.ts';
import { pings, station } from './support/traffic.ts';
import { cannot, eventually, type Host, type World, world } from './support/world.ts';

const skip = cannot('ping', 'python3', 'tc') || false;

interface Net {
  w: World;
  h: Host;
  a: Host;
  b: Host;
}

async function net(w: World, environment: Record<string, string> = {}): Promise<Net> {
  const h = w.host('h');
  await h.startOvsdb('weft');
  h.ok('ovs-vswitchd --detach --no-chdir --pidfile --log-file', { timeout: 30_000, env: environment });
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok(
    'ovs-vsctl add-br br0 -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2',
  );
  h.ok('ip addr add 10.0.0.3/24 dev br0 && ip link set br0 up');
  assert.ok(pings(a, '10.0.0.2'));
  return { w, h, a, b };
}

const ofport = (h: Host, name: string): string => h.ok(`ovs-vsctl get interface ${name} ofport`).trim();

test('internal ports in namespaces of their own reach all others, and again when they are back', { skip }, async (t) => {
  const { w, h, a } = await net(world(t));
  const packets = (name: string): number => Number(/rx pkts=(\d+)/.exec(h.ok(`ovs-ofctl dump-ports br0 ${name}`))?.[1]);
  const guests = ['i0', 'i1'].map((name) => w.host(name));
  h.ok(`ovs-vsctl ${guests.map(({ name }) => `-- add-port br0 ${name} -- set interface ${name} type=internal`).join(' ')}`);
  const enter = (guest: Host | undefined, address: string): void => {
    h.ok(`ip link set ${guest?.name} netns ${guest?.netns}`);
    guest?.ok(`ip addr add ${address}/24 dev ${guest.name} && ip link set ${guest.name} up`);
  };
  const allReach = async (): Promise<void> => {
    const sides: [Host, string][] = [
      [h, '10.0.0.3'],
      [a, '10.0.0.1'],
      [guests[0]!, '10.0.0.20'],
      [guests[1]!, '10.0.0.21'],
    ]; // prettier-ignore
    for (const [from, own] of sides) {
      for (const [, to] of sides) if (to !== own) await eventually(`${own} reaches ${to}`, () => pings(from, to));
    }
    // By flows that are in place: the first frame of each has come by a miss.
    for (const [from, own] of sides) for (const [, to] of sides) if (to !== own) assert.ok(pings(from, to), `${own} reaches ${to}`);
  };
  enter(guests[0], '10.0.0.20');
  // The other has its link by now, which goes with the device.
  await eventually('linked', () => h.ok('tc filter show dev i1 egress').trim() === '');
  enter(guests[1], '10.0.0.21');
  await allReach();
  const before = guests.map(({ name }) => packets(name));
  assert.ok(before.every((count) => count > 0));
  for (const guest of guests) {
    guest.ok(`ip link set ${guest.name} netns ${h.netns}`);
    h.ok(`ip link set ${guest.name} netns ${guest.netns}`);
    guest.ok(`ip addr add 10.0.0.2${guest.name[1]}/24 dev ${guest.name} && ip link set ${guest.name} up`);
  }
  await allReach();
  for (const [i, { name }] of guests.entries()) assert.ok(packets(name) > before[i]!);
  guests[1]!.ok(`ip link set i1 netns ${h.netns}`);
  h.ok('ip link set i1 address 02:00:00:00:00:21 up');
  // Back in the program's hands.
  await eventually('attached', () => h.ok('tc filter show dev i1 egress').includes('weft'));
  assert.ok(packets('i1') >= before[1]!);
  h.ok('ovs-vsctl del-port i0 -- del-port i1');
  assert.equal(guests[0]!.run('ip link show i0').code, 1);
});

test('a device that goes to another namespace and back, is renamed, deleted and made again', { skip }, async (t) => {
  const { w, h, a } = await net(world(t));
  const away = w.host('away');
  const before = ofport(h, 'vb');
  h.ok(`ip link set vb netns ${away.netns}`);
  await eventually('noticed', () => ofport(h, 'vb') === '-1');
  assert.equal(a.run('ping -c 1 -W 1 10.0.0.2').code, 1);
  away.ok(`ip link set vb netns ${h.netns}`);
  h.ok('ip link set vb up');
  await eventually('back', () => ofport(h, 'vb') === before);
  await eventually('forwards', () => pings(a, '10.0.0.2'));
  // By another name it is another's; by its own again it is ours.
  h.ok('ip link set vb down && ip link set vb name other && ip link set other up');
  await eventually('noticed', () => ofport(h, 'vb') === '-1');
  h.ok('ip link set other down && ip link set other name vb && ip link set vb up');
  await eventually('back', () => ofport(h, 'vb') === before);
  await eventually('forwards', () => pings(a, '10.0.0.2'));
  // Nothing of it is left at the device when the port is deleted.
  h.ok('ovs-vsctl del-port vb');
  assert.doesNotMatch(h.ok('ip -d link show vb'), /PROMISC|tcx|xdp/);
  h.ok('ip addr add 10.8.0.1/24 dev vb');
  const b = w.hosts.find((host) => host.name === 'b')!;
  b.ok('ip addr add 10.8.0.2/24 dev eth0');
  assert.equal(b.run('ping -c 2 -i 0.2 -W 1 10.8.0.1').code, 0);
});

test('MTU: large frames pass when both devices take them, before and after a change', { skip }, async (t) => {
  const { h, a, b } = await net(world(t));
  for (const [host, device] of [
    [h, 'va'],
    [h, 'vb'],
    [a, 'eth0'],
    [b, 'eth0'],
  ] as const)
    host.ok(`ip link set ${device} mtu 9000`);
  await eventually('large', () => pings(a, '10.0.0.2', 8000));
  assert.equal(h.ok('ovs-vsctl get interface va mtu').trim(), '9000');
  for (const [host, device] of [
    [h, 'vb'],
    [b, 'eth0'],
  ] as const)
    host.ok(`ip link set ${device} mtu 1400`);
  await eventually('told', () => h.ok('ovs-vsctl get interface vb mtu').trim() === '1400');
  // The bridge's own device follows the smallest of its ports.
  await eventually('followed', () => h.ok('ovs-vsctl get interface br0 mtu').trim() === '1400');
  assert.equal(a.run('ping -c 2 -i 0.2 -W 1 -M do -s 2000 10.0.0.2').code, 1);
  assert.ok(pings(a, '10.0.0.2', 1000));
  assert.ok(pings(a, '10.0.0.3', 1000));
});

const burst = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[1])): s.sendto(b'x' * 58, ('10.0.0.2', 9))
`;

test('counters say exactly what came and went, whoever forwarded it', { skip }, async (t) => {
  const { h, a, b } = await net(world(t));
  // Nobody but the test speaks.
  for (const host of [a, b])
    host.ok('ip neigh replace 10.0.0.1 lladdr 02:00:00:00:00:01 dev eth0; ip -6 addr flush dev eth0; iptables -V >/dev/null 2>&1; true');
  const mac = b.ok('cat /sys/class/net/eth0/address').trim();
  a.ok(`ip neigh replace 10.0.0.2 lladdr ${mac} dev eth0`);
  b.start('nc -u -l -p 9 >/dev/null').output();
  const read = (): number[] => {
    const text = h.ok('ovs-appctl dpctl/show -s');
    const port = (name: string): number[] => {
      const found = new RegExp(`: ${name}\\n +RX packets:(\\d+).*\\n +TX packets:(\\d+).*\\n.*\\n +RX bytes:(\\d+).* TX bytes:(\\d+)`).exec(
        text,
      );
      return (found ?? []).slice(1).map(Number);
    };
    return [port('va')[0]!, port('va')[2]!, port('vb')[1]!, port('vb')[3]!];
  };
  const kernel = (): number[] =>
    h
      .ok(
        'cat /sys/class/net/va/statistics/rx_packets /sys/class/net/va/statistics/rx_bytes /sys/class/net/vb/statistics/tx_packets /sys/class/net/vb/statistics/tx_bytes',
      )
      .trim()
      .split('\n')
      .map(Number);
  a.ok(['python3', '-c', burst, '10']);
  const [from, kernelFrom] = [read(), kernel()];
  a.ok(['python3', '-c', burst, '5000']);
  await eventually('all counted', () => kernel()[2]! - kernelFrom[2]! >= 5000);
  const [to, kernelTo] = [read(), kernel()];
  const moved = to.map((value, i) => value - from[i]!);
  const kernelMoved = kernelTo.map((value, i) => value - kernelFrom[i]!);
  // Somebody's neighbour discovery may come between the two readings.
  for (const [i, value] of moved.entries())
    assert.ok(Math.abs(value - kernelMoved[i]!) <= (i % 2 === 0 ? 4 : 600), `${moved} ${kernelMoved}`);
  assert.ok(moved[0]! >= 5000 && moved[2]! >= 5000, `${moved}`);
});

test('without tcx the program is a filter: the same switch, also across kill -9, and nothing is left', { skip }, async (t) => {
  const { h, a } = await net(world(t), { WEFT_EBPF: 'clsact' });
  assert.match(h.ok('ovs-appctl dpif/show'), /\(eBPF\)/);
  assert.match(h.ok('tc filter show dev va ingress'), /weft.*direct-action/);
  assert.match(h.ok('tc filter show dev br0 egress'), /weft.*direct-action/);
  assert.ok(pings(a, '10.0.0.3'));
  assert.match(h.ok('ovs-appctl dpctl/dump-flows -m'), /offloaded:yes/);
  const ping = a.start('ping -i 0.05 10.0.0.2');
  process.kill(h.pidOf('ovs-vswitchd'), 'SIGKILL');
  h.ok('ovs-vswitchd --detach --no-chdir --pidfile --log-file', { timeout: 30_000, env: { WEFT_EBPF: 'clsact' } });
  assert.ok(pings(a, '10.0.0.2'), h.log('ovs-vswitchd'));
  await ping.stop('SIGINT');
  await eventually('statistics', () => ping.output().includes('received'));
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ping.output()) ?? [];
  assert.ok(Number(sent) > 5 && Number(received) >= Number(sent) - 1, ping.output().slice(-200));
  assert.equal(h.ok('tc filter show dev va ingress').match(/direct-action/g)?.length, 1);
  h.ok('ovs-vsctl del-port vb');
  assert.equal(h.ok('tc filter show dev vb ingress').trim(), '');
  h.ok('ovs-appctl exit --cleanup');
  await eventually('gone', () => h.ok('tc filter show dev va ingress').trim() === '');
});

test('a port begins as a filter and gets a link: no frame is lost or doubled, kill -9 on the way leaves nothing', { skip }, async (t) => {
  const { h, a, b } = await net(world(t));
  const filters = (): number => h.ok('for i in $(seq 0 29); do tc filter show dev x$i ingress; done').match(/direct-action/g)?.length ?? 0;
  // Links wait until no port has come for a while.
  h.ok('for i in $(seq 0 11); do ip link add q$i type veth peer name r$i; done; ovs-vsctl del-port vb');
  h.ok('ovs-vsctl add-port br0 vb -- set interface vb ofport_request=2');
  const adding = h.start('for i in $(seq 0 11); do ovs-vsctl add-port br0 q$i; sleep 0.3; done');
  assert.ok(pings(a, '10.0.0.2'));
  const going = await stream(a, b, '10.0.0.2', 40_000, 5000);
  assert.match(h.ok('tc filter show dev vb ingress'), /direct-action/, 'it is not waited for');
  await eventually('has a link', () => h.ok('tc filter show dev vb ingress').trim() === '');
  const result = await going.result();
  assert.deepEqual({ lost: result.lost, twice: result.twice }, { lost: 0, twice: 0 }, result.text);
  await adding.stop();
  for (let i = 0; i < 30; i++) h.ok(`ip link add x${i} type veth peer name y${i}`);
  h.ok(`ovs-vsctl ${Array.from({ length: 30 }, (_, i) => `add-port br0 x${i}`).join(' -- ')}`);
  assert.equal(filters(), 30);
  await eventually('on the way', () => filters() < 25);
  process.kill(h.pidOf('ovs-vswitchd'), 'SIGKILL');
  h.ok('ovs-vswitchd --detach --no-chdir --pidfile --log-file', { timeout: 30_000 });
  assert.ok(pings(a, '10.0.0.2'));
  await eventually('all have links', () => filters() === 0);
  assert.ok(pings(a, '10.0.0.2'));
  // Ports that come and go, devices that are made again at once, while links are on their way.
  for (let turn = 0; turn < 5; turn++) {
    h.ok('ip link del x0 && ip link add x0 type veth peer name y0 && ip link set x1 name z1 && ip link set z1 name x1');
    h.ok('ovs-vsctl del-port vb -- del-port x2');
    h.ok('ovs-vsctl add-port br0 vb -- add-port br0 x2');
    assert.ok(pings(a, '10.0.0.2'), `turn ${turn}`);
  }
  await eventually('all have links', () => filters() === 0);
  assert.ok(pings(a, '10.0.0.2'));
  h.ok('ovs-appctl exit --cleanup');
  // Nothing takes frames any more.
  h.ok('ip addr add 10.8.0.1/24 dev vb');
  b.ok('ip addr add 10.8.0.2/24 dev eth0');
  await eventually('the host has them', () => b.run('ping -c 1 -W 1 10.8.0.1').code === 0);
});

/** The numbers of a daemon's links. */
const links = (h: Host, pid: number): number[] =>
  (h.ok(`cat /proc/${pid}/fdinfo/* 2>/dev/null; true`).match(/(?<=^link_id:\s+)\d+/gm) ?? []).map(Number);

function isAttached(number: number): boolean {
  const fd = openLink(number);
  if (fd === undefined) return false;
  const device = linkDevice(fd);
  closeObject(fd);
  return device !== undefined && device !== 0;
}

test('exit --cleanup right after many ports with links went leaves none of them', {
  skip,
}, async (t) => {
  const { h } = await net(world(t));
  const count = 100;
  const each = (words: (i: number) => string, by = '\n'): string => Array.from({ length: count }, (_, i) => words(i)).join(by);
  h.ok('ip -batch -', { input: each((i) => `link add x${i} type veth peer name y${i}`) });
  h.ok(`ovs-vsctl ${each((i) => `add-port br0 x${i}`, ' -- ')}`, { timeout: 60_000 });
  const filters = (): number =>
    h.ok('tc -batch -', { input: each((i) => `filter show dev x${i} ingress`) }).match(/direct-action/g)?.length ?? 0;
  assert.equal(filters(), count);
  await eventually('links', () => filters() === 0, 60_000);
  const pid = h.pidOf('ovs-vswitchd');
  const numbers = links(h, pid);
  assert.ok(numbers.length > count, `${numbers.length}`);
  h.ok(`ovs-vsctl ${each((i) => `del-port x${i}`, ' -- ')}`, { timeout: 60_000 });
  h.ok('ovs-appctl exit --cleanup', { timeout: 60_000 });
  await eventually('ended', () => !existsSync(`/proc/${pid}`));
  await eventually('no link is left', () => !numbers.some(isAttached), 60_000);
});

for (const type of ['system', 'netdev']) {
  test(`${type}: the statistics column of an internal port says what dump-ports says`, { skip }, async (t) => {
    const { h, a } = await net(world(t));
    h.ok(`ovs-vsctl set bridge br0 datapath_type=${type} -- set open . other_config:stats-update-interval=1000`);
    h.ok('sysctl -qw net.ipv6.conf.br0.disable_ipv6=1; ip addr replace 10.0.0.3/24 dev br0; ip link set br0 up');
    await eventually('host', () => pings(a, '10.0.0.3'));
    a.ok('ping -c 50 -i 0.01 -W 1 -s 700 10.0.0.3');
    const shown = (): number[] => {
      const text = h.ok('ovs-ofctl dump-ports br0 LOCAL');
      return [/rx pkts=(\d+), bytes=(\d+)/, /tx pkts=(\d+), bytes=(\d+)/].flatMap((one) => (one.exec(text) ?? []).slice(1).map(Number));
    };
    const column = (): number[] => {
      const text = h.ok('ovs-vsctl get interface br0 statistics');
      return ['rx_packets', 'rx_bytes', 'tx_packets', 'tx_bytes'].map((name) => Number(new RegExp(`${name}=(\\d+)`).exec(text)?.[1]));
    };
    await eventually(`the same: ${shown()} ${column()}`, () => shown()[0]! >= 50 && shown().join() === column().join(), 15_000);
  });
}

/** Takes all places that a device has for programs. */
const crowd = `
import { attachProgram } from './src/bpf/attachment.ts';
import { Assembler } from './src/bpf/instructions.ts';
import { loadProgram } from './src/bpf/kernel.ts';
import { interfaceIndex } from './src/host/interface-request.ts';
let count = 0;
const program = () => loadProgram(new Assembler().mov(0, -1).exit().finish(), new Map(), 'crowd');
try { for (;;) { attachProgram(program(), interfaceIndex('vb'), 'ingress'); count++; } } catch (error) { console.log('full', count, String(error)); }
setInterval(() => {}, 1000);
`;

test('a port that refuses the program goes through user space, the others do not', { skip }, async (t) => {
  const { h, a } = await net(world(t), { WEFT_EBPF: 'tcx' });
  h.ok('ovs-vsctl del-port vb');
  const crowding = h.start([process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '-e', crowd], {
    env: { WEFT_EBPF: 'tcx' },
  });
  await eventually('full', () => crowding.output().includes('full 63 '));
  h.ok('ovs-vsctl add-port br0 vb');
  assert.ok(pings(a, '10.0.0.2'), crowding.output());
  const said = h
    .log('ovs-vswitchd')
    .split('\n')
    .filter((line) => /vb: frames of this port go through user space/.test(line));
  assert.equal(said.length, 1, h.log('ovs-vswitchd'));
  assert.ok(pings(a, '10.0.0.3'));
  const flows = h.ok('ovs-appctl dpctl/dump-flows -m').split('\n');
  const offloaded = h.ok('ovs-appctl dpctl/dump-flows -m type=offloaded').trim().split('\n');
  assert.ok(offloaded.every((line) => /in_port\((va|br0)\).*offloaded:yes, dp:tc/.test(line)) && offloaded.length > 1);
  const others = h.ok('ovs-appctl dpctl/dump-flows -m type=ovs').trim().split('\n');
  assert.ok(others.every((line) => line.includes('offloaded:no, dp:ovs')) && others.some((line) => line.includes('in_port(vb)')));
  assert.ok(
    flows.some((line) => /in_port\(va\).*offloaded:yes/.test(line)),
    flows.join('\n'),
  );
  assert.ok(
    flows.some((line) => /in_port\(vb\).*offloaded:no/.test(line)),
    flows.join('\n'),
  );
});

test('WEFT_EBPF=no: user space, and dpif/show says so', { skip }, async (t) => {
  const { h, a } = await net(world(t), { WEFT_EBPF: 'no' });
  assert.match(h.ok('ovs-appctl dpif/show'), /^system@ovs-system: .*\(user space\)$/m);
  assert.ok(pings(a, '10.0.0.3'));
});

test('ports share one socket, which a busy or missing device of another does not clog; their devices are promiscuous as long as they are ports', {
  skip,
}, async (t) => {
  const { h, a, b } = await net(world(t));
  const sockets = (): number => h.ok('cat /proc/net/packet').trim().split('\n').length - 1;
  const before = sockets();
  for (let i = 0; i < 6; i++) h.ok(`ip link add x${i} type veth peer name y${i} && ip link set x${i} up && ip link set y${i} up`);
  const names = Array.from({ length: 6 }, (_, i) => `x${i}`);
  h.ok(`ovs-vsctl --timeout=20 ${names.map((name) => `add-port br0 ${name}`).join(' -- ')}`);
  assert.equal(sockets(), before);
  assert.equal(before, 1);
  const promiscuous = (): string[] => h.ok('ip -o link').match(/(?<=\d: )\w+(?=[@:].*PROMISC)/g) ?? [];
  await eventually('promiscuous', () => names.every((name) => promiscuous().includes(name)));
  // Frames that user space sends: to each that is there.
  h.ok('ip link set x1 down && ip link del x2');
  h.ok("ovs-ofctl add-flow br0 'priority=9,icmp,actions=controller,normal'");
  assert.ok(pings(a, '10.0.0.2') && pings(b, '10.0.0.1', 3000));
  const errors = (name: string): string => new RegExp(`: ${name}\\n.*\\n.*errors:(\\d+)`).exec(h.ok('ovs-appctl dpctl/show -s'))?.[1] ?? '';
  assert.deepEqual([errors('va'), errors('vb')], ['0', '0']);
  h.ok('ovs-vsctl del-port x3');
  assert.ok(!promiscuous().includes('x3'));
  const pid = h.pidOf('ovs-vswitchd');
  h.ok('ovs-appctl exit --cleanup');
  await eventually('ended', () => h.run(`test -d /proc/${pid}`).code !== 0);
  assert.deepEqual(promiscuous(), []);
});

test('dpif-netlink/dispatch-mode tells of the datapaths in the kernel', { skip }, async (t) => {
  const { h } = await net(world(t));
  h.ok('ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev');
  assert.equal(h.ok('ovs-appctl dpif-netlink/dispatch-mode'), 'ovs-system: per-cpu dispatch mode\n');
});
