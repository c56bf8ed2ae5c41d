import assert from 'node:assert/strict';
import { test } from 'node:test';
import { socketFault } from './controller-sockets.ts';

test('controllers on Unix domain sockets outside the run directory are refused in the words of the reference', () => {
  const fault = (target: string): string | undefined => socketFault('br0', target, '/run/ovs');
  for (const good of ['tcp:127.0.0.1:6653', 'punix:/run/ovs/br0.x', 'unix:/run/ovs/any', 'none']) assert.equal(fault(good), undefined);
  assert.equal(
    fault('punix:/run/ovs/x.sock'),
    'bridge br0: Not adding Unix domain socket controller "punix:/run/ovs/x.sock" due to possibility of overwriting local files. Instead, specify path in permitted format "punix:/run/ovs/br0.*" or connect to "unix:/run/ovs/br0.mgmt" (which is always available without special configuration).',
  );
  assert.equal(
    fault('unix:/etc/passwd'),
    'bridge br0: Not connecting to socket controller "unix:/etc/passwd" due to possibility for remote exploit.  Instead, specify socket in permitted directory "unix:/run/ovs/" or connect to "unix:/run/ovs/br0.mgmt" (which is always available without special configuration).',
  );
  for (const bad of ['punix:/run/ovs/br0.d/../../x', 'unix:/run/ovs/../x', 'punix:/run/ovs/br1.x', 'unix:x']) assert.ok(fault(bad));
});
