// Established flows lose nothing while the daemon is killed, restarted, or exchanges its program. WEFT_CONTINUITY_FRAMES sets how many frames
// are sent in each run (30,000 by default), 10,000 a second.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stream } from './support/stream.ts';
import { station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, type World, world } from './support/world.ts';

const skip = cannot('ping', 'python3') || false;
const frames = Number(process.env['WEFT_CONTINUITY_FRAMES'] ?? 30_000);

async function net(w: World): Promise<{ h: Host; a: Host; b: Host }> {
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok(
    'ovs-vsctl add-br br0 -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2',
  );
  h.ok('ip addr add 10.0.0.3/24 dev br0 && ip link set br0 up');
  a.ok('ping -c 3 -i 0.2 -W 1 10.0.0.2');
  a.ok('ping -c 3 -i 0.2 -W 1 10.0.0.3');
  return { h, a, b };
}

/** The figures of a long run are for people. */
function tell(t: TestContext, text: string): void {
  t.diagnostic(text);
  if (frames > 30_000) process.stderr.write(`${t.name}: ${text}\n`);
}

/** What may explain a loss. */
const state = (h: Host, a: Host): string =>
  [
    a.run('ip neigh; ip -s link show eth0').stdout,
    h.run('ip neigh; ovs-appctl dpctl/show -s; ovs-appctl dpctl/dump-flows -m; ovs-appctl dpif/show-dp-features br0 | tail -4; ip -s link')
      .stdout,
    h.run('ls -R /proc/1/root/sys/fs/bpf').stdout,
    h.log('ovs-vswitchd').split('\n').slice(-60).join('\n'),
  ].join('\n');

const ended = (h: Host, pid: number) => eventually('daemon ended', () => h.run(`test -d /proc/${pid}`).code !== 0);

/** Ends the daemon in one way, waits, and starts it again. */
async function restart(h: Host, how: 'kill -9' | 'SIGTERM' | 'exit'): Promise<void> {
  const pid = h.pidOf('ovs-vswitchd');
  if (how === 'exit') h.ok('ovs-appctl exit');
  else process.kill(pid, how === 'kill -9' ? 'SIGKILL' : 'SIGTERM');
  await ended(h, pid);
  await sleep(200);
  await h.startVswitchd('weft');
}

for (const how of ['kill -9', 'SIGTERM', 'exit'] as const) {
  test(`nothing is lost across ${how} and a restart`, { skip }, async (t) => {
    const { h, a, b } = await net(world(t));
    const one = await stream(a, b, '10.0.0.2', frames);
    const two = await stream(h, b, '10.0.0.2', frames);
    await sleep(500);
    const before = h.ok("ovs-appctl dpctl/dump-flows | grep 'eth_type(0x0800)'");
    let restarts = 0;
    let packets = 0;
    do {
      await restart(h, how);
      restarts++;
      // The flow goes on counting where it was.
      const counts = [...h.ok('ovs-appctl dpctl/dump-flows').matchAll(/eth_type\(0x0800\).* packets:(\d+)/g)].map((m) => Number(m[1]));
      assert.ok(Math.max(...counts) > packets + 1000, `${counts} after ${packets}`);
      packets = Math.max(...counts);
      await sleep(Math.min(10_000, frames / 30));
    } while (one.isRunning && frames > 30_000);
    for (const result of [await one.result(), await two.result()]) {
      tell(t, `${result.text}; ${restarts} restarts`);
      assert.deepEqual({ lost: result.lost, twice: result.twice }, { lost: 0, twice: 0 }, `${result.text}\n${before}${state(h, a)}`);
    }
    // Ports have kept their counters.
    const received = Number(/port \d+: va\n {4}RX packets:(\d+)/.exec(h.ok('ovs-appctl dpctl/show -s'))?.[1]);
    assert.ok(received >= frames, h.ok('ovs-appctl dpctl/show -s'));
    h.ok('ovs-appctl exit --cleanup');
  });
}

test('nothing is lost while programs are exchanged for new masks and actions', { skip }, async (t) => {
  const { h, a, b } = await net(world(t));
  const programs = (): number => Number(/programs so far: (\d+)/.exec(h.ok('ovs-appctl dpif/show-dp-features br0'))?.[1]);
  const before = programs();
  const one = await stream(a, b, '10.0.0.2', frames);
  let rounds = 0;
  for (let i = 0; one.isRunning; i++, rounds++) {
    // A mask of its own: another bit of the source address; and actions of its own: another list of fields set.
    const bit = (1 << (i % 16)).toString();
    const sets = ['mod_nw_tos:8', 'mod_tp_dst:99', 'mod_nw_ttl:9', 'mod_dl_src:02:00:00:00:00:09'].filter((_, j) => (i & (1 << j)) !== 0);
    const match = `priority=${100 + (i % 1000)},udp,tp_dst=${5000 + (i % 500)},nw_src=0.0.0.1/0.0.${bit === '1' ? '0.1' : `0.${(Number(bit) & 255) | 1}`}`;
    h.ok(['ovs-ofctl', 'add-flow', 'br0', `${match},actions=${[...sets, 'output:vb'].join()}`]);
    a.ok(['python3', '-c', `import socket; socket.socket(2, 2).sendto(b'x', ('10.0.0.2', ${5000 + (i % 500)}))`]);
    await sleep(50);
  }
  const result = await one.result();
  tell(t, `${result.text}; ${programs() - before} programs`);
  assert.deepEqual({ lost: result.lost, twice: result.twice }, { lost: 0, twice: 0 }, result.text);
  // On a busy machine the stream ends after a few rounds.
  assert.ok(programs() - before >= Math.max(1, Math.min(4, rounds - 1)), `${programs() - before} programs in ${rounds} rounds`);
});
