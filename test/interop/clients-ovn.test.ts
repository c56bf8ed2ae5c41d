// OVN on our ovsdb-server (its own two databases as well as the switch's) and our ovs-vswitchd: two hosts joined by a Geneve tunnel, one with
// each data plane, and what people have OVN for. The same script on Debian's programs (`WEFT_OVN=debian`) prints the same lines.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { privately } from './support/private-machine.ts';
import { cannot } from './support/world.ts';

const skip = cannot('ovn-northd', 'ovn-controller', 'busybox', 'ping', 'ethtool') || false;
const tools = process.env['WEFT_OVN'] === 'debian' ? 'debian' : 'weft';

/** The databases, northd, and on each host (a namespace) the switch and OVN's agent. Debian's switch takes the underlay into a bridge. */
const START = `
R=/tmp/central; mkdir -p $R
for db in nb sb; do
  ovsdb-tool create $R/$db.db /usr/share/ovn/ovn-$db.ovsschema
  remote="--remote=punix:$R/$db.sock"; [ $db = nb ] || remote="$remote --remote=ptcp:6642:10.9.0.254"
  [ $db = nb ] || { ip link add under type bridge; ip link set under up; ip addr add 10.9.0.254/24 dev under; }
  ovsdb-server -vconsole:off --detach --no-chdir --pidfile=$R/$db.pid --unixctl=$R/$db.ctl --log-file=$R/$db.log $remote $R/$db.db
done
NB="ovn-nbctl --db=unix:$R/nb.sock --timeout=30" SB="ovn-sbctl --db=unix:$R/sb.sock --timeout=30"
$NB init; $SB init
ovn-northd -vconsole:off --detach --no-chdir --pidfile=$R/northd.pid --unixctl=$R/northd.ctl --log-file=$R/northd.log --ovnnb-db=unix:$R/nb.sock --ovnsb-db=unix:$R/sb.sock
x() { h=$1; shift; ip netns exec h$h env OVS_RUNDIR=/tmp/h$h OVS_DBDIR=/tmp/h$h OVS_LOGDIR=/tmp/h$h OVN_RUNDIR=/tmp/h$h OVN_LOGDIR=/tmp/h$h "$@"; }
for h in 1 2; do
  mkdir /tmp/h$h; ip netns add h$h; ip -n h$h link set lo up
  ip link add u$h master under up type veth peer name eth0 netns h$h
  ip -n h$h addr add 10.9.0.$h/24 dev eth0; ip -n h$h link set eth0 up
  type=netdev; [ $SIDE = debian ] || [ $h = 1 ] || type=system
  x $h ovsdb-tool create /tmp/h$h/conf.db /usr/share/openvswitch/vswitch.ovsschema
  x $h ovsdb-server -vconsole:off --detach --no-chdir --pidfile --log-file --remote=punix:/tmp/h$h/db.sock
  x $h ovs-vsctl --no-wait init
  x $h ovs-vswitchd -vconsole:off --detach --no-chdir --pidfile --log-file
  x $h ovs-vsctl set open . external_ids:system-id=host$h external_ids:ovn-remote=tcp:10.9.0.254:6642 external_ids:ovn-encap-type=geneve \\
    external_ids:ovn-encap-ip=10.9.0.$h -- add-br br-int -- set bridge br-int fail-mode=secure datapath_type=$type
  if [ $SIDE = debian ]; then
    x $h ovs-vsctl add-br br-phy -- set bridge br-phy datapath_type=netdev -- add-port br-phy eth0
    ip -n h$h addr flush dev eth0; ip -n h$h link set br-phy up; ip -n h$h addr add 10.9.0.$h/24 dev br-phy
    x $h ethtool -K eth0 tx off >/dev/null; ethtool -K u$h tx off >/dev/null
  fi
  x $h ovn-controller -vconsole:off --detach --no-chdir --pidfile --log-file unix:/tmp/h$h/db.sock
done
# vm NAME HOST MAC [IP GATEWAY]: a station on a host, bound to the logical port of its name.
vm() {
  ip netns add $1; ip -n $1 link set lo up
  ip link add eth0 netns $1 type veth peer name p$1 netns h$2
  ip -n $1 link set eth0 address $3 up; ip -n h$2 link set p$1 up
  [ $SIDE = weft ] || ip netns exec $1 ethtool -K eth0 tx off >/dev/null
  [ -z "$4" ] || { ip -n $1 addr add $4/24 dev eth0; ip -n $1 route add default via $5; }
  x $2 ovs-vsctl add-port br-int p$1 -- set interface p$1 external_ids:iface-id=$1
}
say() { echo "$1 -> $2: $(ip netns exec $1 ping -c2 -i.2 -W2 $2 2>&1 | grep -o '[0-9]* received')"; }
# What was installed below the flow tables follows them a little later, in both switches.
applied() { $NB --wait=hv sync || echo "not applied"; sleep 1; }
`;

const SCRIPT = `${START}
lsp() { $NB lsp-add $1 $2 -- lsp-set-addresses $2 "$3"; }
router_port() { $NB lrp-add $1 $1-$2 $3 $4 -- lsp-add $2 $2-$1 -- lsp-set-type $2-$1 router -- lsp-set-addresses $2-$1 router -- lsp-set-options $2-$1 router-port=$1-$2; }
$NB ls-add sw0 -- ls-add sw1 -- lr-add lr0
lsp sw0 a1 "50:54:00:00:00:01 10.0.0.1"; lsp sw0 a2 "50:54:00:00:00:02 10.0.0.2"; lsp sw0 a3 "50:54:00:00:00:03 10.0.0.3"
lsp sw1 b2 "50:54:00:00:01:02 10.0.1.2"; lsp sw1 d1 "50:54:00:00:01:0d 10.0.1.13"
router_port lr0 sw0 50:54:00:00:ff:00 10.0.0.254/24; router_port lr0 sw1 50:54:00:00:ff:01 10.0.1.254/24
dhcp=$($NB create DHCP_Options cidr=10.0.1.0/24 'options="server_id"="10.0.1.254" "server_mac"="50:54:00:00:ff:01" "lease_time"="3600" "router"="10.0.1.254"')
$NB lsp-set-dhcpv4-options d1 $dhcp
vm a1 1 50:54:00:00:00:01 10.0.0.1 10.0.0.254; vm a2 1 50:54:00:00:00:02 10.0.0.2 10.0.0.254; vm a3 2 50:54:00:00:00:03 10.0.0.3 10.0.0.254
vm b2 2 50:54:00:00:01:02 10.0.1.2 10.0.1.254; vm d1 2 50:54:00:00:01:0d
applied
echo "# one switch, one host and two; the router; between switches"
say a1 10.0.0.2; say a1 10.0.0.3; say a1 10.0.0.254; say a1 10.0.1.2; say b2 10.0.0.3
echo "# DHCP: a frame that waits at the controller"
printf '#!/bin/sh\\n[ "$1" != bound ] || { ip addr add $ip/24 dev eth0; ip route add default via $router; echo bound $ip $router $lease; }\\n' > /tmp/got; chmod +x /tmp/got
ip netns exec d1 timeout 15 busybox udhcpc -i eth0 -n -q -t 5 -T 2 -s /tmp/got 2>/dev/null | grep bound
say d1 10.0.0.1
echo "# access lists with connection tracking: a2 is open to a3 alone, and may ask whom it likes"
$NB acl-add sw0 to-lport 1000 'outport=="a2" && ip4' drop -- acl-add sw0 to-lport 1001 'outport=="a2" && ip4.src==10.0.0.3' allow-related \\
  -- acl-add sw0 from-lport 1001 'inport=="a2" && ip4' allow-related
applied
say a1 10.0.0.2; say a3 10.0.0.2; say a2 10.0.0.1
echo "# a load balancer"
$NB acl-del sw0 -- lb-add lb0 30.0.0.1:80 10.0.0.2:8080,10.0.0.3:8080 -- ls-lb-add sw0 lb0
applied
mkdir /tmp/w2 /tmp/w3; echo two > /tmp/w2/x; echo three > /tmp/w3/x
ip netns exec a2 busybox httpd -p 8080 -h /tmp/w2; ip netns exec a3 busybox httpd -p 8080 -h /tmp/w3
for i in $(seq 50); do ip netns exec a1 timeout 5 busybox wget -q -O - http://30.0.0.1/x 2>&1; done | sort -u
echo "# a gateway with NAT"
$NB ls-add join -- lr-add gw -- set logical_router gw options:chassis=host1 -- ls-add pub
router_port lr0 join 50:54:00:00:fe:01 100.64.0.1/24; router_port gw join 50:54:00:00:fe:02 100.64.0.2/24; router_port gw pub 50:54:00:00:fe:03 172.16.0.1/24
lsp pub ext "50:54:00:00:02:01 172.16.0.100"
$NB lr-route-add lr0 0.0.0.0/0 100.64.0.2 -- lr-route-add gw 10.0.0.0/16 100.64.0.1 -- lr-nat-add gw snat 172.16.0.1 10.0.0.0/16 -- lr-nat-add gw dnat_and_snat 172.16.0.50 10.0.1.2
vm ext 1 50:54:00:00:02:01 172.16.0.100 172.16.0.1; ip -n ext route del default
applied
say a1 172.16.0.100; say a3 172.16.0.100; say ext 172.16.0.50
echo "# the log"
grep -hE "\\|(WARN|ERR|EMER)\\|" /tmp/h?/ovs*.log $R/nb.log $R/sb.log | if [ $SIDE = weft ]; then cat; else grep -v "dpif|WARN|failed to enumerate\\|Broken pipe"; fi
grep -h "OpenFlow error" /tmp/h?/ovn-controller.log
true
`;

const EXPECTED = `# one switch, one host and two; the router; between switches
a1 -> 10.0.0.2: 2 received
a1 -> 10.0.0.3: 2 received
a1 -> 10.0.0.254: 2 received
a1 -> 10.0.1.2: 2 received
b2 -> 10.0.0.3: 2 received
# DHCP: a frame that waits at the controller
bound 10.0.1.13 10.0.1.254 3600
d1 -> 10.0.0.1: 2 received
# access lists with connection tracking: a2 is open to a3 alone, and may ask whom it likes
a1 -> 10.0.0.2: 0 received
a3 -> 10.0.0.2: 2 received
a2 -> 10.0.0.1: 2 received
# a load balancer
three
two
# a gateway with NAT
a1 -> 172.16.0.100: 2 received
a3 -> 172.16.0.100: 2 received
ext -> 172.16.0.50: 2 received
# the log
`;

test('OVN: switches, routers, access lists, load balancing, NAT and DHCP over two hosts', { skip, timeout: 180_000 }, async () => {
  const { code, stdout, stderr } = await privately(`SIDE=${tools}\n${SCRIPT}`, { tools, daemons: 'none', timeout: 170_000 });
  assert.equal(stdout, EXPECTED, stderr);
  assert.equal(code, 0, stderr);
});
