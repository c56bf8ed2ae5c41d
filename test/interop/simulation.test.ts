// The simulation of `--enable-dummy=override` for test harnesses: control commands answer on ours as on Debian's ovs-vswitchd.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { BRIDGE, BY_HAND, COMMANDS, DUMPS, FRAMES, RULES, TRAFFIC, TUNNELS } from './simulation-lines.ts';
import { captured } from './support/capture.ts';
import { compareControl } from './support/control.ts';
import { eventually } from './support/dummy-switch.ts';
import { compare, pair } from './support/pair.ts';
import { cannot, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd') || false;
const appctl = (lines: readonly string[]): string[] => lines.map((line) => `ovs-appctl ${line}`);

/** Addresses of dummy devices by their order: routes of the host shift the reference's count. */
function ranked(text: string): string[] {
  const seen = [...new Set(text.match(/aa:55:aa:55:00:(?!00)[0-9a-f]{2}/g))].sort();
  return text.replace(/aa:55:aa:55:00:(?!00)[0-9a-f]{2}/g, (mac) => `MAC${seen.indexOf(mac)}`).split('\n');
}

/** The lines of a table of neighbours in an order: the reference's is that of a hash table. */
const sorted = (text: string): string => (text.startsWith('IP  ') ? text.split('\n').sort().join('\n') : text);

test('control commands of features that nothing configures', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override', '--disable-system', '--disable-system-route']);
  compare(hosts, [BRIDGE, 'ovs-ofctl show br0', 'ovs-ofctl dump-ports br0'], ranked);
  // The reference's revalidators raise their limit in steps, and tell which thread they are and how long the last pass took.
  const steady = (text: string): string =>
    text
      .replace(/^ +\d+: \(keys/gm, 'N: (keys')
      .replace(/\(limit \d+\)/, '(limit N)')
      .replace(/(dump duration : )\d+ms/, '$1N');
  await compareControl(hosts, COMMANDS, (text) => sorted(steady(text)));
});

test('frames from text, captured byte for byte, and devices joined by a stream', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  compare(hosts, [
    BRIDGE,
    'ovs-ofctl add-flow br0 in_port=1,actions=2',
    'ovs-vsctl --timeout=10 set interface p1 options:rxq_pcap=$OVS_RUNDIR/p1.pcap -- set interface p2 options:tx_pcap=$OVS_RUNDIR/p2.pcap',
  ]);
  await compareControl(
    hosts,
    FRAMES.map((frame) => `netdev-dummy/receive p1 ${frame}`),
  );
  // The reference forwards on other threads.
  const files = hosts.flatMap((host) => [join(host.dir, 'p1.pcap'), join(host.dir, 'p2.pcap')]);
  await eventually('all forwarded', () => new Set(files.map((file) => captured(file).length)).size === 1);
  for (const file of ['p1.pcap', 'p2.pcap']) {
    const [wanted, got] = hosts.map((host) => captured(join(host.dir, file)));
    assert.ok((wanted?.length ?? 0) > 60, `${wanted?.length} frames`);
    assert.deepEqual(got, wanted, file);
  }
  compare(hosts, [
    'ovs-vsctl --timeout=10 set interface p2 options:pstream=punix:$OVS_RUNDIR/p2.sock -- set interface p3 options:stream=unix:$OVS_RUNDIR/p2.sock options:rxq_pcap=$OVS_RUNDIR/p3.pcap options:ifindex=1100',
    'for i in $(seq 200); do ovs-appctl netdev-dummy/conn-state p3 | grep -q ": connected" && break; sleep 0.1; done',
    ...appctl([
      'netdev-dummy/conn-state',
      'netdev-dummy/conn-state p1',
      'netdev-dummy/conn-state nope',
      `netdev-dummy/receive p1 ${FRAMES[0]}`,
    ]),
    'for i in $(seq 200); do test $(stat -c %s $OVS_RUNDIR/p3.pcap) -gt 24 && break; sleep 0.1; done',
    'ovs-vsctl --timeout=10 wait-until interface p3 ifindex=1100',
  ]);
  const [wanted, got] = hosts.map((host) => captured(join(host.dir, 'p3.pcap')));
  assert.equal(wanted?.length, 1);
  assert.deepEqual(got, wanted);
});

/** Flows in an order, without their names, and recirculations without their numbers: those follow from a secret and from history. */
const plainFlows = (text: string): string =>
  text
    .replaceAll(/ufid:[0-9a-f-]{36},?/g, 'UFID')
    .replaceAll(/used:[0-9.]+s/g, 'used:T')
    .replaceAll(/(recirc_id[=(]|recirc\()0x[0-9a-f]+|recirc_id=\d+/g, '$1ID')
    .split('\n')
    .sort()
    .join('\n');

test('datapath flows as they are listed, filtered and put by hand', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  compare(hosts, [BRIDGE, `printf '%s\\n' ${RULES.map((rule) => `'${rule}'`).join(' ')} | ovs-ofctl add-flows br0 -`]);
  await compareControl(hosts, TRAFFIC);
  // The reference makes flows on other threads.
  compare(hosts, [
    `for i in $(seq 200); do test $(ovs-appctl dpctl/dump-flows | wc -l) -ge ${TRAFFIC.length + 3} && break; sleep 0.1; done`,
  ]);
  await compareControl(hosts, DUMPS, plainFlows);
  await compareControl(hosts, ['time/stop', 'dpctl/del-flows']);
  compare(hosts, ['ovs-ofctl del-flows br0', 'for i in $(seq 200); do test -z "$(ovs-appctl dpctl/dump-flows)" && break; sleep 0.1; done']);
  // The reference would remove by a late pass what is put by hand.
  await compareControl(hosts, ['revalidator/wait', 'revalidator/pause']);
  await compareControl(hosts, BY_HAND, plainFlows);
});

test('with --enable-dummy=override all devices and datapaths are simulated, under their own names', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  const types = 'gre vxlan geneve ip6gre erspan gtpu lisp stt bareudp tap internal system dummy-internal dummy foo patch ip6erspan';
  compare(hosts, [
    'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=dummy',
    `for t in ${types}; do ovs-vsctl --timeout=10 add-port br0 x$t -- set interface x$t type=$t 2>&1 | head -1; done`,
    'ovs-vsctl --timeout=10 add-br br1 -- set bridge br1 datapath_type=dummy -- add-port br0 pa -- set interface pa type=patch options:peer=pb -- add-port br1 pb -- set interface pb type=patch options:peer=pa',
    'ovs-vsctl --timeout=10 add-br br2 -- add-br br3 -- set bridge br3 datapath_type=netdev',
    'ovs-vsctl --columns=name,type,ofport,error --format=csv list interface | sort',
    ...appctl(['dpif/show', 'dpctl/show dummy@ovs-dummy', 'dpctl/show netdev@ovs-netdev', 'dpctl/show system@ovs-system']),
  ]);
});

test('native tunnels: trace, headers pushed and popped, neighbours learned and asked for', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy', '--disable-system', '--disable-system-route']);
  compare(hosts, TUNNELS, (text) => plainFlows(text.replace(/dpid:[0-9a-f]{16}/g, 'dpid')));
  for (const file of ['p0.pcap', 'q1.pcap']) {
    const [wanted, got] = hosts.map((host) => captured(join(host.dir, file)));
    assert.ok((wanted?.length ?? 0) > 0, file);
    assert.deepEqual(got, wanted, file);
  }
});
