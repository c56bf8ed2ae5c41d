// os-ken, the successor of Ryu: a learning switch with OpenFlow 1.0 and 1.3 hears from our switch what it hears from the reference's,
// and its OVSDB library configures both.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { privately } from './support/private-machine.ts';
import { cannot, root, type Tools } from './support/world.ts';

const skip = cannot('osken-manager', 'ovs-vswitchd', 'ovsdb-server', 'ss') || false;
const app = join(root, 'test/interop/support/os-ken-switch.py');

const script = (version: string, datapath: string): string => `
  sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  for i in 1 2; do
    ip netns add n$i; ip netns exec n$i sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1; ip link add v$i type veth peer name e netns n$i; ip link set v$i up
    ip -n n$i link set e address 50:54:00:00:00:0$i; ip -n n$i addr add 10.0.0.$i/24 dev e; ip -n n$i link set e up
    ip -n n$i neigh add 10.0.0.$((3-i)) lladdr 50:54:00:00:00:0$((3-i)) dev e
  done
  ovs-vsctl add-br br0 -- set bridge br0 datapath_type=${datapath} other_config:hwaddr=aa:bb:cc:dd:ee:01 fail_mode=secure \\
    other_config:disable-in-band=true
  for i in 1 2; do ovs-vsctl add-port br0 v$i -- set interface v$i ofport_request=$i; done
  OF=${version} osken-manager ${app} >/tmp/said 2>&1 &
  for i in $(seq 100); do ss -ltn | grep -q :6653 && break; sleep 0.2; done
  ovs-vsctl set-controller br0 tcp:127.0.0.1:6653
  for i in $(seq 100); do grep -q 'state main' /tmp/said && break; sleep 0.1; done
  ovs-vsctl --timeout=15 wait-until controller br0 is_connected=true
  ovs-vsctl get controller br0 is_connected role
  ip netns exec n1 ping -c3 -i 0.3 -W3 10.0.0.2 | grep received | cut -d, -f1,2
  ovs-ofctl -O${version === '1.0' ? 'OpenFlow10' : 'OpenFlow13'} --no-stats dump-flows br0 | sed 's/ idle_age=[0-9]*,//' | sort
  sleep 2
  : >/tmp/ask
  for i in $(seq 50); do grep -q flow-removed /tmp/said && break; sleep 0.2; done
  ovs-vsctl del-port v2
  for i in $(seq 50); do grep -q 'port-status 1' /tmp/said && break; sleep 0.1; done
  grep heard /tmp/said || cat /tmp/said
  grep -c Traceback /tmp/said
`;

for (const version of ['1.0', '1.3']) {
  test(`a learning switch with OpenFlow ${version}`, { skip, timeout: 80_000 }, async () => {
    const sides: string[] = [];
    for (const side of ['debian', 'weft'] as const satisfies Tools[]) {
      const options = { tools: side, daemons: side, timeout: 40_000 } as const;
      const done = await privately(script(version, side === 'debian' ? 'netdev' : 'system'), options);
      sides.push(done.stdout + done.stderr);
    }
    assert.match(sides[0] ?? '', /3 packets transmitted, 3 received/);
    assert.match(sides[0] ?? '', /flow-removed 0x77 5 1\n/);
    assert.equal(sides[1], sides[0]);
  });
}

test("os-ken's OVSDB library", { skip, timeout: 60_000 }, async () => {
  const program = `
from os_ken.lib.ovs import vsctl
db = 'tcp:127.0.0.1:6640'
def run(*args):
    command = vsctl.VSCtlCommand(args[0], args[1:])
    vsctl.VSCtl(db).run_command([command], 20)
    return command.result
run('add-br', 'br7')
run('set-controller', 'br7', 'tcp:127.0.0.1:6653')

print(run('list-br'), run('get-controller', 'br7'))
run('add-port', 'br7', 'br7p1')
print(run('list-ports', 'br7'), run('port-to-br', 'br7p1'))
run('del-port', 'br7', 'br7p1')
print(run('list-ports', 'br7'))
run('del-br', 'br7')
print(run('list-br'))
`;
  const done = await privately(
    `ovs-vsctl set-manager ptcp:6640:127.0.0.1; sleep 0.5; cat >/tmp/p.py <<'END'\n${program}\nEND\n/usr/bin/python3 /tmp/p.py`,
  );
  assert.equal(done.stdout, "['br7'] ['tcp:127.0.0.1:6653']\n['br7p1'] br7\n[]\n[]\n", done.stderr);
});
