// `set-controller br0 tcp:IP:6633` with POX's l2_learning, the walkthrough's controller: our switch and the reference's say the same to it,
// also when the controller goes, the bridge is on its own, and the controller comes back.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { privately } from './support/private-machine.ts';
import { cannot, root, type Tools } from './support/world.ts';

const skip = cannot('ovs-vswitchd', 'ovsdb-server') || false;
const controller = `${process.execPath} --disable-warning=ExperimentalWarning ${join(root, 'test/interop/support/pox-l2-learning.ts')} 6633`;

const script = (datapath: string): string => `
  sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  for i in 1 2; do
    ip netns add n$i; ip netns exec n$i sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip link add v$i type veth peer name e netns n$i; ip link set v$i up
    ip -n n$i link set e address 50:54:00:00:00:0$i; ip -n n$i addr add 10.0.0.$i/24 dev e; ip -n n$i link set e up
    ip -n n$i neigh add 10.0.0.$((3-i)) lladdr 50:54:00:00:00:0$((3-i)) dev e
  done
  ovs-vsctl add-br br0 -- set bridge br0 datapath_type=${datapath} other_config:hwaddr=aa:bb:cc:dd:ee:01 other_config:disable-in-band=true
  for i in 1 2; do ovs-vsctl add-port br0 v$i -- set interface v$i ofport_request=$i; done
  pings() { ip netns exec n1 ping -c3 -i 0.3 -W2 -s $1 10.0.0.2 | grep received | cut -d, -f1,2; }
  flows() { ovs-ofctl --no-stats dump-flows br0 | sed 's/ idle_age=[0-9]*,//' | grep actions | sort; }
  ${controller} >/tmp/said1 2>&1 & pox=$!
  sleep 1
  ovs-vsctl set-controller br0 tcp:127.0.0.1:6633 -- set controller br0 inactivity_probe=1000
  ovs-vsctl --timeout=15 wait-until controller br0 is_connected=true
  for i in $(seq 100); do grep -q barrier /tmp/said1 && break; sleep 0.1; done
  ovs-vsctl get controller br0 role target
  ovs-vsctl get-fail-mode br0
  pings 56; pings 1000
  flows
  echo "== the controller goes"
  kill $pox; wait $pox
  ovs-vsctl --timeout=15 wait-until controller br0 is_connected=false
  sleep 6
  pings 56
  ovs-vsctl get controller br0 is_connected
  flows
  echo "== it comes back"
  ${controller} >/tmp/said2 2>&1 & pox=$!
  ovs-vsctl --timeout=15 wait-until controller br0 is_connected=true
  for i in $(seq 100); do grep -q barrier /tmp/said2 && break; sleep 0.1; done
  pings 56
  flows
  echo "== secure"
  ovs-vsctl set-fail-mode br0 secure
  kill $pox; wait $pox
  ovs-vsctl --timeout=15 wait-until controller br0 is_connected=false
  ovs-ofctl del-flows br0
  sleep 4; pings 56; flows
  ovs-vsctl del-controller br0
  echo "== heard"; cat /tmp/said1
  echo "== heard later"; cat /tmp/said2
`;

test("POX's l2_learning", { skip, timeout: 88_000 }, async () => {
  const side = async (tools: Tools, datapath: string): Promise<string> => {
    const done = await privately(script(datapath), { tools, daemons: tools, timeout: 85_000 });
    // The frames that fail-open makes up to wake a controller up have an address at random.
    return (done.stdout + done.stderr).replace(/^heard packet-in whole \d+ \d+ \d+ \d 002320.*\n/gm, '');
  };
  const [reference, ours] = await Promise.all([side('debian', 'netdev'), side('weft', 'system')]);
  assert.match(reference, /3 packets transmitted, 3 received/);
  assert.equal(ours, reference);
});
