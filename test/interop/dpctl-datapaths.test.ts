// Datapaths and ports made with dpctl, ours and Debian's: equal text and exit codes, over simulated devices and over real ones.
import { test } from 'node:test';
import { compare, pair } from './support/pair.ts';
import { cannot, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovs-vswitchd') || false;
const COMMANDS = `
add-dp
add-dp netdev@dp1
add-dp netdev@dp1
add-dp foo@dp1
add-dp dummy@dp1
add-dp dummy@dp3
dump-dps
show
add-if netdev@dp1 lo
add-if netdev@dp1 x0
add-if netdev@dp1 p0,type=tap p1,type=tap,port_no=7
add-if netdev@dp1 q2,port_no=x
add-if netdev@dp1 q2,foo=bar
add-if netdev@dp1 q2,foo
add-if netdev@dp1 q5,port_no=7
add-if netdev@dp1 p3,type=gre,remote_ip=1.2.3.4
add-if netdev@dp1 p3,type=vxlan
add-if netdev@dp1 p4,type=internal
add-if netdev@dp1 p5,type=patch
add-if netdev@dp1 p6,type=nope r6
add-if netdev@dp1 dp1
add-if foo lo
set-if netdev@dp1 p1,port_no=7
set-if netdev@dp1 p1,port_no=8
set-if netdev@dp1 p1,type=tap
set-if netdev@dp1 p1,type=internal
set-if netdev@dp1 nope
set-if netdev@dp1 p1,foo=bar
set-if netdev@dp1 p3,remote_ip=1.2.3.5
set-if foo p1
del-if netdev@dp1 nope
del-if netdev@dp1 p1
del-if netdev@dp1 7
del-if netdev@dp1 99
del-if netdev@dp1 1 2
del-if netdev@dp1 nope x0
del-if netdev@dp1 0
del-if netdev@dp1 dp1
add-dp netdev@dp2 q0 q1,type=nope
show netdev@dp2
del-dp
del-dp foo
dump-dps
dump-dps
del-if netdev@dp1 3 p4
show netdev@dp1
del-dp netdev@dp2
show netdev@dp2
del-dp netdev@dp1
del-dp netdev@dp1
dump-dps
list-commands
normalize-actions 'in_port(1),eth(src=1:2:3:4:5:6),eth_type(0x800),ipv4(src=1.2.3.4,dst=5.6.7.8,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2)' '2,set(eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02)),3,set(eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02)),1'
normalize-actions 'in_port(1),eth(),eth_type(0x8100),vlan(vid=5,pcp=1),encap(eth_type(0x800),ipv4(proto=17,frag=no),udp())' 'pop_vlan,1,push_vlan(vid=7,pcp=0),2,push_vlan(vid=7,pcp=0),3'
normalize-actions 'in_port(1),eth(),eth_type(0x800),ipv4(proto=17,frag=no),udp()' 'push_vlan(vid=7,pcp=0),pop_vlan,3'
normalize-actions 'in_port(1),eth(),eth_type(0x800),ipv4(proto=17,frag=no),udp()' 'push_vlan(vid=7,pcp=0),3,pop_vlan,push_vlan(vid=8,pcp=2),5'
normalize-actions 'in_port(1),eth(),eth_type(0x800),ipv4(proto=17,frag=no),udp()' 'push_mpls(label=7,tc=0,ttl=64,bos=1,eth_type=0x8847),1,pop_mpls(eth_type=0x800),2'
normalize-actions 'in_port(1),eth(),eth_type(0x8847),mpls(label=1,tc=0,ttl=64,bos=1)' 'pop_mpls(eth_type=0x800),2'
normalize-actions 'eth(),eth_type(0x800)' 'foo'
normalize-actions 'foo()' '1'
normalize-actions 'eth(),eth_type(0x86dd),ipv6()' 'drop'
normalize-actions 'eth(),eth_type(0x800)' ''
normalize-actions 'eth(),eth_type(0x800),ipv4()' '1,recirc(3)'
normalize-actions 'eth(),eth_type(0x800),ipv4()' 'clone(set(eth(src=00:00:00:00:00:01)),1),2'
normalize-actions 'eth(),eth_type(0x800),ipv4()' 'set(skb_mark(0x7)),2'
normalize-actions a b c
normalize-actions br0 'eth(),eth_type(0x800),ipv4()' 1
normalize-actions netdev@ovs-netdev 'in_port(br0),eth(),eth_type(0x800),ipv4()' br0
normalize-actions 'in_port(br0),eth(),eth_type(0x800),ipv4()' br0`;

/** The reference tells datapaths in the order of a hash table. */
const sorted = (text: string): string[] => text.split('\n').sort();

for (const [what, options, type] of [
  ['simulated', ['--enable-dummy=override'], 'dummy'],
  ['real', [], 'netdev'],
] as const) {
  test(`datapaths made by command, ${what} devices`, { skip }, async (t) => {
    const hosts = await pair(world(t), [...options]);
    compare(hosts, [`ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=${type}`]);
    compare(
      hosts,
      COMMANDS.trim()
        .split('\n')
        .map((line) => `ovs-appctl dpctl/${line}`),
      sorted,
    );
  });
}
