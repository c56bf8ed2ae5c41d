// The plumbing itself: hosts are joined, Debian's daemons start and everything is gone afterwards.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { cannot, World } from './support/world.ts';

test('a world joins two hosts and leaves nothing behind', { skip: cannot('ovs-vsctl') || false }, async () => {
  const w = new World();
  try {
    const a = w.host('a');
    const b = w.host('b');
    w.wire(a, 'eth0', b, 'eth0');
    a.ok('ip addr add 10.1.0.1/24 dev eth0');
    b.ok('ip addr add 10.1.0.2/24 dev eth0');
    a.ok('ping -c1 -W2 10.1.0.2');
    await a.startOvsdb('debian');
    await a.startVswitchd('debian');
    a.ok('ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev', { tools: 'debian' });
    assert.equal(a.ok('ovs-vsctl list-br', { tools: 'debian' }), 'br0\n');
    assert.ok(a.pidOf('ovs-vswitchd') > 0);
  } finally {
    await w.end();
  }
  assert.ok(!existsSync(w.dir));
  assert.ok(!spawnSync('ip', ['netns'], { encoding: 'utf8' }).stdout.includes(w.prefix));
});
