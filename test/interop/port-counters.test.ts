// Counters of ports that are devices of the host, beside the reference's: what a device counted before it was a port counts, too.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { cannotRunReference, DummyDaemons, dummyPorts } from './support/dummy-daemons.ts';
import { compare, pair } from './support/pair.ts';
import { cannot, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovs-ofctl', 'ovs-appctl', 'ping') || false;
const vsctl = 'ovs-vsctl --timeout=10';
const addDevice = [
  'sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1',
  'ip link add v0 type veth peer name w0',
  'ip link set v0 up',
  'ip link set w0 up',
  'ip addr add 10.9.0.1/24 dev v0',
  'ip addr add 10.8.0.1/24 dev w0',
  'ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev v0',
  'ip neigh add 10.8.0.2 lladdr 02:00:00:00:00:02 dev w0',
].join(' && ');
/** Nobody answers. */
const ping = (to: string, count: number): string => `ping -c ${count} -i 0.02 -W 0.1 ${to} >/dev/null; sleep 0.3`;
const shown = (version: string): string => `ovs-ofctl -O${version} dump-ports br0 v0 | sed 's/duration=.*//'`;

test('counters of a device that was there before it was a port', { skip, timeout: 60_000 }, async (t) => {
  const hosts = await pair(world(t), []);
  compare(hosts, [
    `${addDevice}; ${ping('10.9.0.2', 5)}; ${ping('10.8.0.2', 3)}`,
    `${vsctl} add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 v0 -- set interface v0 ofport_request=1; sleep 0.5`,
    shown('OpenFlow10'),
    shown('OpenFlow14'),
    `${ping('10.8.0.2', 4)}; ${shown('OpenFlow13')}`,
    `${vsctl} del-port v0 -- add-port br0 v0 -- set interface v0 ofport_request=3; sleep 0.5; ${shown('OpenFlow10')}`,
    `ovs-appctl dpctl/show -s | sed -n '/: v0/,/RX bytes/p'`,
  ]);
});

/** A frame that a dummy receives. */
const UDP = '50540000000a50540000000908004500001c00000000401166cf0a0000010a000002000800090008e2fe';

test('a change of the configuration writes the statistics of what is new and no others, as in Debian', { skip: cannotRunReference }, () => {
  const told = [undefined, join(import.meta.dirname, '../../bin/ovs-vswitchd')].map((vswitchd) => {
    const d = new DummyDaemons(vswitchd);
    try {
      d.startDaemons();
      const setting = ['set', 'open', '.', 'other_config:stats-update-interval=600000'];
      d.vsctl(...setting, '--', 'add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=dummy', ...dummyPorts([1]));
      d.appctl('netdev-dummy/receive', 'p1', UDP);
      d.vsctl(...dummyPorts([2]).slice(1));
      return ['p1', 'p2'].map((port) => d.vsctl('get', 'interface', port, 'statistics').trim());
    } finally {
      d.stop();
    }
  });
  assert.match(told[0]![0]!, /rx_packets=0/);
  assert.match(told[0]![1]!, /rx_packets=0/);
  assert.deepEqual(told[1], told[0]);
});
