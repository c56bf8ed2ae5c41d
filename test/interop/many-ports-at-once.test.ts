// Many ports that come and go at once: neither they nor anybody else waits for the kernel.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { absent, idlePairs, residentMb } from './support/idle-ports.ts';
import { pings, station, switchHost, tcp } from './support/traffic.ts';
import { cannot, eventually, world } from './support/world.ts';

const skip = cannot('ping', 'prlimit', 'python3', 'tc') || false;

for (const type of ['system', 'netdev'] as const) {
  test(`${type}: 1,000 ports come and go in seconds, and nobody waits meanwhile; what came last carries all kinds of frames`, {
    skip,
  }, async (t) => {
    const w = world(t);
    const h = await switchHost(w, 'h');
    idlePairs(h, 1000);
    const [a, b] = [station(w, h, 'a', 'va', '10.0.0.1/24'), station(w, h, 'b', 'vb', '10.0.0.2/24')];
    h.ok(`ovs-vsctl add-br br0 -- set bridge br0 datapath_type=${type}`);
    const each = (words: string): string => Array.from({ length: 1000 }, (_, i) => `${words} v${i}`).join(' -- ');
    /** Seconds of a transaction, and the longest that somebody else waited for an answer meanwhile and for 3 s afterwards. */
    const change = async (words: string): Promise<void> => {
      const began = performance.now();
      let isDone = false;
      let seconds = 0;
      const changed = h.runAsync(['sh', '-c', `ovs-vsctl ${each(words)}`], { timeout: 120_000 }).then(({ code, stderr }) => {
        seconds = (performance.now() - began) / 1000;
        assert.equal(code, 0, stderr);
        isDone = true;
      });
      let worst = 0;
      for (let end = Number.POSITIVE_INFINITY; performance.now() < end; ) {
        const asked = performance.now();
        assert.equal((await h.runAsync('ovs-appctl version')).code, 0);
        // While ports come, batches of them keep the daemon busy.
        if (isDone) worst = Math.max(worst, performance.now() - asked);
        if (isDone && end === Number.POSITIVE_INFINITY) end = performance.now() + 3000;
      }
      await changed;
      t.diagnostic(`${words}: ${seconds.toFixed(1)} s, then an answer within ${Math.round(worst)} ms, ${Math.round(residentMb(h))} MB`);
      assert.ok(seconds < 20, `${words}: ${seconds} s`);
      assert.ok(worst < 1500, `${words}: ${worst} ms`);
    };
    await change('add-port br0');
    h.ok('ovs-vsctl add-port br0 va -- add-port br0 vb', { timeout: 60_000 });
    assert.deepEqual(absent(h), []);
    assert.ok(pings(a, '10.0.0.2'), h.log('ovs-vswitchd').slice(-3000));
    // Super-segments with partial checksums.
    await tcp(a, b, '10.0.0.2');
    assert.ok(residentMb(h) < 700, `${residentMb(h)} MB`);
    await change('del-port');
    assert.ok(pings(a, '10.0.0.2'));
    h.ok(['sh', '-c', `ovs-vsctl ${each('add-port br0')}`], { timeout: 60_000 });
    h.ok(['sh', '-c', `ovs-vsctl ${each('del-port')}`], { timeout: 60_000 });
    const pid = h.pidOf('ovs-vswitchd');
    const began = performance.now();
    h.ok('ovs-appctl exit --cleanup', { timeout: 60_000 });
    await eventually('ended', () => !existsSync(`/proc/${pid}`), 60_000);
    const seconds = (performance.now() - began) / 1000;
    t.diagnostic(`ended within ${seconds.toFixed(1)} s`);
    assert.ok(seconds < 15, `${seconds} s`);
    assert.equal(h.ok('for i in 0 31 32 999; do tc filter show dev v$i ingress; done').trim(), '');
    assert.doesNotMatch(h.ok('ip -d -o link'), /promiscuity [1-9]/);
  });
}

test('netdev: ports that take the places of others need no more descriptors than those', { skip }, async (t) => {
  const w = world(t);
  const h = w.host('h');
  await h.startOvsdb('weft');
  // Closed one by one, so that it takes a while.
  h.ok('ovs-vswitchd --detach --no-chdir --pidfile --log-file', { timeout: 60_000, env: { UV_THREADPOOL_SIZE: '1' } });
  idlePairs(h, 200);
  const each = (words: string, first: number): string => Array.from({ length: 100 }, (_, i) => `${words} v${first + i}`).join(' -- ');
  h.ok(`ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev -- ${each('add-port br0', 0)}`, { timeout: 60_000 });
  assert.deepEqual(absent(h), []);
  const pid = h.pidOf('ovs-vswitchd');
  const used = Math.max(...readdirSync(`/proc/${pid}/fd`).map(Number));
  h.ok(`prlimit --pid=${pid} --nofile=${used + 8}`);
  for (const [from, to] of [
    [0, 100],
    [100, 0],
  ] as const) {
    h.ok(`ovs-vsctl ${each('del-port', from)} -- ${each('add-port br0', to)}`, { timeout: 60_000 });
    assert.deepEqual(absent(h), [], h.log('ovs-vswitchd').slice(-2000));
  }
});
