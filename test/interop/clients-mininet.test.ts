// Mininet runs its switches on our daemons, with our tools in its PATH and with Debian's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { privately } from './support/private-machine.ts';
import { cannot } from './support/world.ts';

const skip = cannot('mn', 'ovs-testcontroller', 'unshare', 'ovs-vsctl') || false;

/** Mininet's command lines and the pings that must arrive. */
const lines = [
  ['--switch ovs,protocols=OpenFlow13 --controller ovsc', 2],
  ['--switch ovs,failMode=standalone --controller none', 2],
  ['--switch ovsbr', 2],
  ['--topo linear,2 --controller ovsc --link tc', 2],
] as const;

/** Faults that a healthy run must not log; Mininet removes devices before their ports and may start a controller after its switch. */
const faults = `grep -E '\\|(WARN|ERR|EMER)\\|' /var/log/openvswitch/ovs-vswitchd.log | grep -vE 'could not open network device .* \\(No such device\\)|Connection refused'`;

for (const tools of ['weft', 'debian'] as const) {
  test(`mn with the tools of ${tools}`, { skip, timeout: 80_000 }, async () => {
    const runs = lines.map(
      ([args]) => `mn ${args} --test pingall 2>/tmp/said || cat /tmp/said >&2
      grep Results: /tmp/said; echo "left: $(ovs-vsctl list-br) $(ip -br link | grep -v ^lo)"`,
    );
    const done = await privately(`${runs.join('\n')}\n${faults}; true`, { tools, timeout: 75_000 });
    const expected = lines.map(([, pings]) => `*** Results: 0% dropped (${pings}/${pings} received)\nleft:  \n`);
    assert.equal(done.stdout, expected.join(''), done.stderr);
  });
}

test('mn -c leaves nothing of a Mininet that was killed', { skip, timeout: 80_000 }, async () => {
  const done = await privately(
    `mkfifo /tmp/in; sleep 50 >/tmp/in &
    mn --switch ovs,failMode=standalone --controller none </tmp/in >/tmp/said 2>&1 & mn=$!
    for i in $(seq 100); do grep -q 'Starting CLI' /tmp/said && break; sleep 0.2; done
    kill -9 $mn; ovs-vsctl list-br
    mn -c >/tmp/cleaned 2>&1
    echo "left: $(ovs-vsctl list-br) $(ip -br link | grep -v ^lo)"`,
    { tools: 'debian' },
  );
  assert.equal(done.stdout, 's1\nleft:  \n', done.stderr);
});
