// Bridges that come and go: what a datapath had (memory, descriptors, threads) ends with its last bridge, not with the daemon.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pings, station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, world } from './support/world.ts';

const skip = cannot('ping', 'python3') || false;
const ROUNDS = 5;

/** Of the daemon: maps of the kernel that it has mapped, descriptors, threads. */
function holds(h: Host): { maps: number; fds: number; threads: number } {
  const proc = `/proc/${h.pidOf('ovs-vswitchd')}`;
  return {
    maps: readFileSync(`${proc}/maps`, 'utf8').split('anon_inode:bpf-map').length - 1,
    fds: readdirSync(`${proc}/fd`).length,
    threads: readdirSync(`${proc}/task`).length,
  };
}

for (const type of ['system', 'netdev']) {
  test(`${type}: a bridge that comes and goes leaves nothing in the daemon`, { skip, timeout: 120_000 }, async (t) => {
    const w = world(t);
    const h = await switchHost(w, 'h');
    const a = station(w, h, 'a', 'va', '10.0.0.1/24');
    station(w, h, 'b', 'vb', '10.0.0.2/24');
    h.ok('ovs-vsctl --if-exists del-br br0');
    const round = async () => {
      h.ok(`ovs-vsctl add-br br0 -- set bridge br0 datapath_type=${type} -- add-port br0 va -- add-port br0 vb`);
      h.ok('ovs-ofctl -O OpenFlow13 add-meter br0 meter=1,kbps,band=type=drop,rate=100000');
      h.ok('ovs-ofctl -O OpenFlow13 add-flow br0 priority=1,actions=meter:1,normal');
      assert.ok(pings(a, '10.0.0.2'), h.log('ovs-vswitchd').slice(-2000));
      h.ok('ovs-vsctl del-br br0');
    };
    for (let i = 0; i < 2; i++) await round();
    const before = holds(h);
    for (let i = 0; i < ROUNDS; i++) await round();
    await eventually('all is given back', () => {
      assert.deepEqual(holds(h), before);
      return true;
    });
  });
}
