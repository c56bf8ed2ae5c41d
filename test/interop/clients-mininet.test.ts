// Mininet runs its switches on our daemons, with our tools in its PATH and with Debian's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { privately } from './support/private-machine.ts';
import { cannot } from './support/world.ts';

const skip = cannot('mn', 'ovs-testcontroller', 'unshare', 'ovs-vsctl') || false;

/** Faults that a healthy run must not log; Mininet removes devices before their ports, which both sides warn of. */
const faults = `grep -E '\\|(WARN|ERR|EMER)\\|' /var/log/openvswitch/ovs-vswitchd.log | grep -v 'could not open network device .* (No such device)'`;

for (const tools of ['weft', 'debian'] as const) {
  for (const [args, pings] of [
    ['--switch ovs,protocols=OpenFlow13 --controller ovsc', 2],
    ['--switch ovs,failMode=standalone --controller none', 2],
    ['--switch ovsbr', 2],
    ['--topo linear,3 --controller ovsc', 6],
    ['--link tc --controller ovsc', 2],
  ] as const) {
    test(`mn ${args}, tools of ${tools}`, { skip, timeout: 80_000 }, async () => {
      const done = await privately(
        `mn ${args} --test pingall; code=$?; ${faults}; echo "left: $(ovs-vsctl list-br) $(ip -br link | grep -v ^lo)"; exit $code`,
        { tools },
      );
      assert.equal(done.code, 0, done.stdout + done.stderr);
      assert.match(done.stderr, new RegExp(`Results: 0% dropped \\(${pings}/${pings} received\\)`));
      assert.equal(done.stdout, 'left:  \n');
    });
  }
}

test('mn -c leaves nothing of a Mininet that was killed', { skip, timeout: 80_000 }, async () => {
  const done = await privately(
    `mkfifo /tmp/in; sleep 50 >/tmp/in &
    mn --topo linear,2 --switch ovs,failMode=standalone --controller none </tmp/in >/tmp/said 2>&1 & mn=$!
    for i in $(seq 100); do grep -q 'Starting CLI' /tmp/said && break; sleep 0.2; done
    kill -9 $mn; ovs-vsctl list-br
    mn -c >/tmp/cleaned 2>&1
    echo "left: $(ovs-vsctl list-br) $(ip -br link | grep -v ^lo)"`,
  );
  assert.equal(done.stdout, 's1\ns2\nleft:  \n', done.stderr);
});
