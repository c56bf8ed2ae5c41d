// ovsdbapp, through which Neutron and other parts of OpenStack configure switches and OVN: its commands do and say the same with our daemons, and with
// our relay of a cluster, as with Debian's.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { privately, startLines } from './support/private-machine.ts';
import { cannot, root, type Tools } from './support/world.ts';

const skip =
  cannot('ovs-vswitchd', 'ovsdb-server') ||
  (existsSync('/usr/lib/python3/dist-packages/ovsdbapp') && existsSync('/usr/share/ovn/ovn-nb.ovsschema')
    ? false
    : 'needs python3-ovsdbapp and ovn-common');
const commands = join(root, 'test/interop/support/ovsdbapp-commands.py');

async function both(script: (side: Tools) => string): Promise<void> {
  const [want = '', have = ''] = await Promise.all(
    (['debian', 'weft'] as const).map(async (side) => {
      const { stdout, stderr, code } = await privately(script(side), { tools: side, daemons: 'none', timeout: 90_000 });
      assert.equal(code, 0, stderr);
      return stdout;
    }),
  );
  assert.ok(want.split('\n').length > 20, want);
  assert.doesNotMatch(want, /Traceback/);
  assert.equal(have, want);
}

test("the switch's database", { skip, timeout: 120_000 }, () =>
  both((side) => `${startLines(side)}\n/usr/bin/python3 ${commands} switch unix:/var/run/openvswitch/db.sock`),
);

test("OVN's database, through a relay of a cluster that drops its clients", { skip, timeout: 120_000 }, () =>
  both(
    () => `
      set -e
      cd /tmp
      /usr/bin/ovsdb-tool create-cluster nb /usr/share/ovn/ovn-nb.ovsschema unix:/tmp/raft
      /usr/sbin/ovsdb-server --detach --no-chdir --pidfile=/tmp/source.pid --unixctl=/tmp/source.ctl -vconsole:off --remote=punix:/tmp/source nb
      ovsdb-server --detach --no-chdir --pidfile=/tmp/relay.pid --unixctl=/tmp/relay.ctl -vconsole:off --remote=punix:/tmp/relay relay:OVN_Northbound:unix:/tmp/source
      sleep 1
      /usr/bin/python3 ${commands} network unix:/tmp/relay "ovs-appctl -t /tmp/relay.ctl ovsdb-server/reconnect"
    `,
  ),
);
