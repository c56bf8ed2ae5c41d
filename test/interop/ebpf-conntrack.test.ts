// Connections that the kernel's programs carry: stateful flows and translation at the kernel's speed, seen by the tracker, and past its end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, type World, world } from './support/world.ts';

const skip = cannot('iperf3', 'ping', 'python3') || false;

/** Replaces the flows. */
const flows = (host: Host, text: string): void => {
  const lines = text
    .trim()
    .split('\n')
    .map((line) => `${line.trim()}\n`);
  host.ok(['sh', '-c', `ovs-ofctl del-flows br0; printf '%s' "$1" | ovs-ofctl add-flows br0 -`, 'sh', lines.join('')]);
};

async function net(w: World): Promise<{ h: Host; a: Host; b: Host; macs: { a: string; b: string } }> {
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24', 'fd00::1/64');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24', 'fd00::2/64');
  h.ok(
    'ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2',
  );
  const mac = (host: Host): string => host.ok('cat /sys/class/net/eth0/address').trim();
  return { h, a, b, macs: { a: mac(a), b: mac(b) } };
}

/** Gbit/s of a second of TCP. */
async function rate(from: Host, to: Host, address: string, ...more: string[]): Promise<number> {
  const server = to.start(['iperf3', '-s', '-1']);
  try {
    return await eventually('iperf3', () => {
      const text = from.ok(['iperf3', '-c', address, '-t', '1', '-J', ...more], { timeout: 15_000 });
      return (JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } }).end.sum_received.bits_per_second / 1e9;
    });
  } finally {
    await server.stop();
  }
}

const stateful = `
  priority=20,arp,actions=flood
  priority=20,icmp6,actions=flood
  priority=10,ip,actions=ct(table=1)
  priority=10,ipv6,actions=ct(table=1)
  table=1,in_port=1,ct_state=+trk+new,ip,actions=ct(commit,exec(set_field:7->ct_mark)),2
  table=1,in_port=1,ct_state=+trk+new,ipv6,actions=ct(commit,exec(set_field:7->ct_mark)),2
  table=1,in_port=1,ct_state=+trk+est,ct_mark=7,actions=2
  table=1,in_port=2,ct_state=+trk+est+rpl,ct_mark=7,actions=1`;

/** Whether a flow matches on a state's being set; the tools print it in words or as a number. */
function hasState(line: string, state: 'new' | 'est'): boolean {
  const text = /ct_state\(([^)]*)\)/.exec(line)?.[1] ?? '';
  return text.includes(`+${state}`) || (Number(text.split('/')[0]) & (state === 'new' ? 1 : 2)) !== 0;
}

/** How many packets the flows of the second table carried, and whether the kernel does. */
const carried = (h: Host): { packets: number; line: string }[] =>
  h
    .ok('ovs-appctl dpctl/dump-flows -m')
    .split('\n')
    .filter((line) => hasState(line, 'est'))
    .map((line) => ({ packets: Number(/packets:(\d+)/.exec(line)?.[1]), line }));

/** Frames whose actions user space had to run. */
const punts = (h: Host): number => Number(/to user space: .*actions:(\d+)/.exec(h.ok('ovs-appctl dpif/show-dp-features br0'))?.[1]);

/** A few datagrams, and when the tracker has had time to see them, many. */
const streaming = `
import socket, time
s = socket.socket(2, 2)
for i in range(3005):
    s.sendto(b'x' * 50, ('10.0.0.2', 9999))
    if i < 5: time.sleep(0.3)
`;

test('established TCP and UDP pass in the kernel, over IPv4 and IPv6; what is new or ends is judged by the tracker', {
  skip,
}, async (t) => {
  const { h, a, b } = await net(world(t));
  flows(h, stateful);
  for (const address of ['10.0.0.2', 'fd00::2']) {
    const gbits = await rate(a, b, address);
    t.diagnostic(`${address}: ${gbits.toFixed(1)} Gbit/s`);
    // In user space every segment would be copied twice.
    const kernel = carried(h).filter(({ packets }) => packets > 100);
    assert.ok(kernel.length >= 2, h.ok('ovs-appctl dpctl/dump-flows -m'));
    for (const { line } of kernel) assert.match(line, /offloaded:yes/);
  }
  const punted = punts(h);
  const total = carried(h).reduce((sum, { packets }) => sum + packets, 0);
  assert.ok(punted * 10 < total, `${punted} of ${total} went to user space`);
  // Both ends have closed, which only the tracker can have seen.
  assert.match(
    h.ok('ovs-appctl dpctl/dump-conntrack'),
    /tcp,orig=\(src=10\.0\.0\.1,.*mark=7,protoinfo=\(state=(TIME_WAIT|CLOSING|FIN_WAIT_2)/,
  );
  await rate(a, b, '10.0.0.2', '-u', '-b', '50M');
  assert.match(h.ok('ovs-appctl dpctl/dump-conntrack'), /udp,orig=\(src=10\.0\.0\.1,dst=10\.0\.0\.2,sport=\d+,dport=5201\)/);
  // A stream that nobody answers stays new, and is carried all the same.
  const before = punts(h);
  a.ok(['python3', '-c', streaming]);
  const stream = (): number =>
    Number(
      h
        .ok('ovs-appctl dpctl/dump-flows -m')
        .split('\n')
        .filter((line) => hasState(line, 'new'))
        .map((line) => /eth_type\(0x0800\).*packets:(\d+),.*offloaded:partial/.exec(line)?.[1])
        .find((count) => count !== undefined),
    );
  await eventually('counted', () => stream() > 2000);
  assert.ok(punts(h) - before < 2000, `${punts(h) - before} went to user space`);
  // From outside nothing begins.
  const refused = b.run(['iperf3', '-c', '10.0.0.1', '-t', '1', '--connect-timeout', '1000']);
  assert.notEqual(refused.code, 0);
});

test('addresses and ports are translated in the kernel, checksums of super-segments included', { skip }, async (t) => {
  const { h, a, b, macs } = await net(world(t));
  // The source by one rule, and the destination with its port by another.
  for (const [family, translation, address, port] of [
    ['ip', 'src=10.0.0.9', '10.0.0.2', '5201'],
    ['ip', 'dst=10.0.0.2:5201', '10.0.0.100', '80'],
    ['ipv6', 'src=fd00::9', 'fd00::2', '5201'],
    ['ipv6', 'dst=[fd00::2]:5201', 'fd00::100', '80'],
  ] as const) {
    flows(
      h,
      `priority=20,arp,actions=flood
      priority=20,icmp6,actions=flood
      priority=10,${family},actions=ct(nat,table=1)
      table=1,in_port=1,${family},ct_state=+trk+new,actions=ct(commit,nat(${translation})),2
      table=1,in_port=1,${family},ct_state=+trk+est,actions=2
      table=1,in_port=2,${family},ct_state=+trk+est,actions=1`,
    );
    const ip = family === 'ip' ? 'ip' : 'ip -6';
    b.ok(`${ip} neigh replace ${family === 'ip' ? '10.0.0.9' : 'fd00::9'} lladdr ${macs.a} dev eth0`);
    a.ok(`${ip} neigh replace ${family === 'ip' ? '10.0.0.100' : 'fd00::100'} lladdr ${macs.b} dev eth0`);
    const gbits = await rate(a, b, address, '-p', port);
    t.diagnostic(`${translation}: ${gbits.toFixed(1)} Gbit/s`);
    const kernel = carried(h).filter(({ packets }) => packets > 100);
    assert.ok(kernel.length >= 2, h.ok('ovs-appctl dpctl/dump-flows -m'));
    for (const { line } of kernel) assert.match(line, /offloaded:yes/);
    const reply = translation.startsWith('src')
      ? new RegExp(`reply=\\(src=${address},dst=${translation.slice(4)},sport=5201`)
      : new RegExp(`orig=\\(src=[^,]*,dst=${address},sport=\\d+,dport=80\\),reply=\\(src=\\S+,dst=\\S+,sport=5201`);
    assert.match(h.ok('ovs-appctl dpctl/dump-conntrack'), reply);
  }
});

/** A TCP connection that is asked for a line now and then. */
const echo = `
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('0.0.0.0', 7777)); s.listen(1); print('listening', flush=True)
c, _ = s.accept()
while True:
    d = c.recv(1000)
    if not d: break
    c.sendall(d)
`;
const asking = `
import socket, sys, time
c = socket.create_connection(('10.0.0.2', 7777), timeout=20)
for i in range(100000):
    c.sendall(b'%06d' % i); d = b''
    while len(d) < 6: d += c.recv(6 - len(d))
    assert d == b'%06d' % i
    print(i, flush=True); time.sleep(0.01)
`;

test('connections live on without the daemon, and the next one knows them; a flush ends them everywhere', { skip }, async (t) => {
  const { h, a, b } = await net(world(t));
  flows(h, stateful);
  const server = b.start(['python3', '-c', echo]);
  await eventually('listening', () => server.output().includes('listening'));
  const client = a.start(['python3', '-c', asking]);
  const told = (): number => Number(client.output().trim().split('\n').at(-1));
  await eventually('it goes', () => told() > 50);
  const before = /tcp,orig=.*dport=7777\).*mark=7.*/.exec(h.ok('ovs-appctl dpctl/dump-conntrack'))?.[0];
  assert.ok(before !== undefined);
  h.ok('ovs-ofctl dump-flows --no-stats br0 > $OVS_RUNDIR/flows.txt');
  process.kill(h.pidOf('ovs-vswitchd'), 'SIGKILL');
  let now = told();
  await eventually('without a daemon', () => told() > now + 50);
  h.ok('ovs-vsctl --no-wait set open . other_config:flow-restore-wait=true');
  await h.startVswitchd('weft');
  h.ok('ovs-ofctl add-flows br0 $OVS_RUNDIR/flows.txt && ovs-vsctl remove open . other_config flow-restore-wait');
  now = told();
  await eventually('with the next', () => told() > now + 100);
  assert.match(h.ok('ovs-appctl dpctl/dump-conntrack'), /tcp,orig=.*dport=7777\).*mark=7,protoinfo=\(state=ESTABLISHED\)/);
  await eventually('carried by the kernel again', () => carried(h).filter(({ line }) => /offloaded:yes/.test(line)).length >= 2);
  // The next segment belongs to no connection; from inside it would make one, so it is refused here.
  flows(h, stateful.replaceAll(/.*\+new.*\n/g, ''));
  h.ok('ovs-appctl dpctl/flush-conntrack');
  await sleep(500);
  now = told();
  await sleep(1000);
  assert.equal(told(), now);
  assert.doesNotMatch(h.ok('ovs-appctl dpctl/dump-conntrack'), /7777/);
  await client.stop('SIGKILL');
  await server.stop('SIGKILL');
});

test('labels, the first tuple, several lookups in one list, and echoes pass in the kernel', { skip }, async (t) => {
  const { h, a, b } = await net(world(t));
  flows(
    h,
    `
    priority=20,arp,actions=flood
    priority=10,ip,actions=ct(table=1,zone=1)
    table=1,in_port=1,ct_state=+trk+new,ip,actions=ct(commit,zone=1,exec(set_field:5->ct_label)),ct(commit,zone=2),2
    table=1,in_port=1,ct_state=+trk+est,ct_label=5,ct_nw_dst=10.0.0.2,ip,actions=ct(commit,zone=1,exec(set_field:5->ct_label)),ct(commit,zone=2),2
    table=1,in_port=2,ct_state=+trk+est+rpl,ct_label=5/0xff,ct_nw_src=10.0.0.1,ip,actions=ct(zone=2,table=2)
    table=2,ct_state=+trk+est+rpl,ct_zone=2,ip,actions=1`,
  );
  const gbits = await rate(a, b, '10.0.0.2');
  t.diagnostic(`${gbits.toFixed(1)} Gbit/s`);
  const kernel = carried(h).filter(({ packets }) => packets > 100);
  assert.ok(kernel.length >= 3, h.ok('ovs-appctl dpctl/dump-flows -m'));
  // Connections begin and end with the tracker.
  for (const { line } of kernel) assert.match(line, /offloaded:(yes|partial)/);
  const before = punts(h);
  assert.match(a.ok('ping -c 200 -i 0.005 -q 10.0.0.2'), / 200 received/);
  assert.ok(punts(h) - before < 100, `${punts(h) - before} frames of 400 echoes went to user space`);
  assert.match(h.ok('ovs-appctl dpctl/dump-conntrack'), /icmp,orig=.*zone=1,labels=0x5/);
  // Fragments are tracked as the packets that they make, which the kernel's connection is told of.
  assert.match(a.ok('ping -c 20 -i 0.02 -s 4000 -q 10.0.0.2'), / 20 received/);
  const told = h.ok('ovs-appctl dpctl/ipf-get-status');
  assert.match(told, /num frag: 0\n[\s\S]*v4 frags accepted: ([1-9]\d*)\n\s+v4 frags completed: \1\n/);
  // Without its label nothing passes.
  h.ok('ovs-appctl dpctl/flush-conntrack');
  flows(
    h,
    'priority=20,arp,actions=flood\npriority=10,ip,actions=ct(table=1,zone=1)\ntable=1,in_port=1,ct_state=+trk+new,ip,actions=ct(commit,zone=1),2\ntable=1,ip,ct_label=5,actions=normal',
  );
  assert.notEqual(a.run('ping -c 3 -i 0.1 -W 1 10.0.0.2').code, 0);
});
