// The user-space datapath over devices: the shared contract, offloads left at their defaults, and tunnels.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { cannot, eventually, type Host, root, type World, world } from './support/world.ts';

const node = process.execPath;
const script = (name: string): string[] => [node, '--disable-warning=ExperimentalWarning', join(root, name)];

for (const type of ['netdev', 'system', 'netdev crowded']) {
  test(`${type} passes the datapath contract`, { skip: cannot() || false }, (t) => {
    const host = world(t).host('contract');
    const command = [node, '--test', '--test-isolation=none', '--test-reporter=tap', '--disable-warning=ExperimentalWarning'];
    const outcome = host.run([...command, join(root, 'test/interop/support/device-contract.ts'), ...type.split(' ')], { timeout: 180_000 });
    assert.equal(outcome.code, 0, outcome.stdout.slice(-4000) + outcome.stderr);
    assert.match(outcome.stdout, /# pass [2-9]\d/);
    assert.doesNotMatch(outcome.stderr, /KernelError/);
  });
}

function gbits(w: World, from: Host, to: Host, address: string): Promise<number> {
  void w;
  to.start(['iperf3', '-s', '-1']);
  return eventually('iperf3', () => {
    const text = from.ok(['iperf3', '-c', address, '-t', '1', '-J'], { timeout: 15_000 });
    return (JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } }).end.sum_received.bits_per_second / 1e9;
  });
}

test('TCP between two machines with all offloads at their defaults', { skip: cannot('iperf3') || false }, async (t) => {
  const w = world(t);
  const [left, middle, right] = [w.host('l'), w.host('m'), w.host('r')];
  w.wire(middle, 'va', left, 'ea');
  w.wire(middle, 'vb', right, 'eb');
  left.ok('ip addr add 10.9.0.1/24 dev ea');
  right.ok('ip addr add 10.9.0.2/24 dev eb');
  const bridge = middle.start([...script('bench/static-switch.ts'), 'va', 'vb']);
  await eventually('ready', () => bridge.output().includes('ready'));
  left.ok('ping -c 3 -i 0.1 -w 5 10.9.0.2');
  const rate = await gbits(w, left, right, '10.9.0.2');
  // Without right checksums and segments TCP stands still; how fast it is is for the benchmarks to say.
  assert.ok(rate > 0.01, `${rate} Gbit/s`);
  // The device taken from under it, and back under the same name, does not end the process.
  middle.ok('ip link del va');
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(await bridge.stop(), 0);
});
