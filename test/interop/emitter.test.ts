// Small frames leave by a program in the kernel: each as it was, in its order, and counted.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { cannot, root, world } from './support/world.ts';

test('frames leave by the program as by the socket', { skip: cannot() || false }, (t) => {
  const host = world(t).host('emitter');
  const command = [process.execPath, '--test', '--test-isolation=none', '--test-reporter=tap', '--disable-warning=ExperimentalWarning'];
  const outcome = host.run([...command, join(root, 'test/interop/support/emitter-cases.ts')], { timeout: 60_000 });
  assert.equal(outcome.code, 0, outcome.stdout.slice(-4000) + outcome.stderr);
  assert.match(outcome.stdout, /# pass 5/);
});
