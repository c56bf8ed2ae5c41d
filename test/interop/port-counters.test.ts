// Counters of ports that are devices of the host, beside the reference's: what a device counted before it was a port counts, too.
import { test } from 'node:test';
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
