// `netdev` between the host and the switch: what comes in at a port is the switch's alone while the daemon lives, and the host's again when it does not.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { pings, station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, world } from './support/world.ts';

const skip = cannot('ping', 'iptables', 'tc') || false;

const filters = (h: Host, device: string): number => h.ok(`tc filter show dev ${device} ingress`).match(/direct-action/g)?.length ?? 0;
const heardByHost = (h: Host): number => Number(/\n +(\d+) .* va /.exec(h.ok('iptables -t raw -L PREROUTING -v -n -x'))?.[1]);
const restart = (h: Host): string => h.ok('ovs-vswitchd --detach --no-chdir --pidfile --log-file', { timeout: 60_000 });

async function kill(h: Host): Promise<void> {
  const pid = h.pidOf('ovs-vswitchd');
  process.kill(pid, 'SIGKILL');
  await eventually('ended', () => !existsSync(`/proc/${pid}`));
}

test('the host hears nothing of a port while the daemon lives, and all at once when it is killed; the next one takes over', {
  skip,
}, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24', '10.77.0.1/24');
  station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok('ip addr add 10.77.0.7/24 dev va && iptables -t raw -A PREROUTING -i va');
  const mac = h.ok('cat /sys/class/net/va/address').trim();
  a.ok(`ip neigh replace 10.77.0.7 lladdr ${mac} dev eth0`);
  assert.ok(pings(a, '10.77.0.7'));
  /** Whether the switch has the frames and the host none. */
  const isShielded = (): void => {
    const before = heardByHost(h);
    assert.equal(a.run('ping -c 3 -i 0.1 -W 1 10.77.0.7').code, 1);
    assert.equal(heardByHost(h), before);
    assert.equal(filters(h, 'va'), 1);
  };
  // Killed as soon as there are ports.
  h.ok('ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 va -- add-port br0 vb');
  await kill(h);
  assert.ok(pings(a, '10.77.0.7'), 'the host is cut off');
  restart(h);
  assert.ok(pings(a, '10.0.0.2'), h.log('ovs-vswitchd').slice(-2000));
  isShielded();
  // And when they have been there for a while.
  await new Promise((resolve) => setTimeout(resolve, 3000));
  isShielded();
  await kill(h);
  assert.ok(pings(a, '10.77.0.7'), 'the host is cut off');
  assert.equal(filters(h, 'va'), 1, 'one that passes all');
  restart(h);
  isShielded();
  assert.ok(pings(a, '10.0.0.2'), h.log('ovs-vswitchd').slice(-2000));
  // What is no port any more is the host's, and so is everything in the end.
  h.ok('ovs-vsctl del-port vb');
  assert.equal(filters(h, 'vb'), 0);
  const pid = h.pidOf('ovs-vswitchd');
  h.ok('ovs-appctl exit --cleanup');
  await eventually('ended', () => !existsSync(`/proc/${pid}`));
  assert.equal(filters(h, 'va'), 0);
  assert.ok(pings(a, '10.77.0.7'));
});
