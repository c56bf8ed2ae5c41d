// Command lines of `ovs-appctl` for simulation.test.ts.

/** A bridge with three dummy ports in one transaction. */
export const BRIDGE =
  'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=dummy fail-mode=secure other-config:hwaddr=aa:55:aa:55:00:00 -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2 -- add-port br0 p3 -- set interface p3 type=dummy ofport_request=3';

/** Features of which nothing is configured, and the simulated network's addresses, routes and neighbours. */
export const COMMANDS: readonly string[] = `
autoattach/show-isid br0
autoattach/show-isid nope
autoattach/statistics br0
autoattach/statistics nope
autoattach/status br0
autoattach/status nope
bfd/set-forwarding normal
bfd/set-forwarding x
bfd/set-forwarding p1 false
bfd/set-forwarding p1 x
bfd/set-forwarding nope false
bfd/show p1
bfd/show nope
cfm/set-fault normal
cfm/set-fault x
cfm/set-fault p1 false
cfm/set-fault nope false
cfm/show p1
cfm/show nope
bond/disable-member p1 p2
bond/disable-member nope p2
bond/enable-member p1 p2
bond/migrate p1 3 p2
bond/set-active-member p1 p2
bond/hash 50:54:00:00:00:01
bond/hash 50:54:00:00:00:01 10
bond/hash 50:54:00:00:00:01 10 5
bond/hash zz
bond/hash 50:54:00:00:00:01 x
bond/hash 50:54:00:00:00:01 10 x
bond/hash 50:54:00:00:00:02
bond/hash 50:54:00:00:00:02 0
bond/hash ff:54:00:00:00:02 4095
bond/hash ff:54:00:00:00:02 4096
bond/hash ff:54:00:00:00:02 1 4294967295
bond/hash ff:54:00:00:00:02 1 4294967296
bond/hash ff:54:00:00:00:02 1 0x10
bond/show
bond/show p1
bond/show nope
lacp/show p1
lacp/show nope
lacp/show-stats p1
lacp/show-stats nope
stp/show br0
stp/show nope
stp/tcn br0
stp/tcn nope
rstp/show br0
rstp/show nope
rstp/tcn br0
rstp/tcn nope
mdb/show br0
mdb/show nope
mdb/flush br0
mdb/flush nope
netdev-dummy/ip4addr p1 10.0.0.1/24
netdev-dummy/ip4addr nope 10.0.0.1/24
netdev-dummy/ip4addr br0 10.0.0.1/24
netdev-dummy/ip4addr br0 10.0.0.1
netdev-dummy/ip4addr br0 10.0.0.1/255.255.0.0
netdev-dummy/ip4addr br0 zz
netdev-dummy/ip4addr br0 1.2.3.4/33
netdev-dummy/ip6addr br0 fc00::1
netdev-dummy/ip6addr br0 fc00::1/64
netdev-dummy/ip6addr br0 zz
netdev-dummy/ip6addr br0 1.2.3.4
netdev-dummy/ip6addr nope fc00::1/64
ovs/route/show
tnl/ports/show
tnl/ports/show -v
tnl/ports/show x
odp-execute/action-impl-set scalar
odp-execute/action-impl-set autovalidator
odp-execute/action-impl-show
odp-execute/action-impl-set zz
odp-execute/action-impl-set scalar
ovs/route/add 10.1.0.0/24 br0
ovs/route/add 10.2.0.0/24 br0 10.0.0.254
ovs/route/add 10.3.0.0/24 br0 pkt_mark=5
ovs/route/add 10.4.0.0/24 br0 10.0.0.254 pkt_mark=6
ovs/route/add 10.4.0.0/24 nope
ovs/route/add zz br0
ovs/route/add 10.4.0.0/24 br0 zz
ovs/route/add 10.4.0.0 br0
ovs/route/add 10.5.0.0/24 br0 1.2.3.4
ovs/route/add fc01::/64 br0
ovs/route/add fc02::/64 br0 fc00::ff
ovs/route/add fc03::/64 br0 10.0.0.254
ovs/route/add 10.6.0.0/24 br0 pkt_mark=zz
ovs/route/add 10.6.0.0/24 br0 10.0.0.2 zz
ovs/route/add 10.6.0.0/24 br0 10.0.0.2 pkt_mark=4294967296
ovs/route/add 10.7.0.0/255.255.255.0 br0
ovs/route/add 0.0.0.0/0 br0
ovs/route/show
ovs/route/lookup 10.1.0.7
ovs/route/lookup 10.2.0.7
ovs/route/lookup 10.3.0.7
ovs/route/lookup 10.3.0.7 pkt_mark=5
ovs/route/lookup 10.4.0.7 pkt_mark=6
ovs/route/lookup 99.4.0.7 pkt_mark=6
ovs/route/lookup fc01::5
ovs/route/lookup fc02::5
ovs/route/lookup fc99::5
ovs/route/lookup zz
ovs/route/lookup 10.3.0.7 zz
ovs/route/del 10.3.0.0/24
ovs/route/del 10.3.0.0/24 pkt_mark=5
ovs/route/del 10.1.0.0/24
ovs/route/del 10.99.0.0/24
ovs/route/del zz
ovs/route/del 10.1.0.0/24 zz
ovs/route/show
tnl/arp/show
tnl/arp/set br0 10.0.0.2 50:54:00:00:00:02
tnl/arp/set nope 10.0.0.2 50:54:00:00:00:02
tnl/arp/set br0 zz 50:54:00:00:00:02
tnl/arp/set br0 10.0.0.2 zz
tnl/arp/set br0 fc00::2 50:54:00:00:00:03
tnl/neigh/set br0 10.0.0.9 50:54:00:00:00:09
tnl/neigh/show
tnl/arp/show
tnl/neigh/aging 100
tnl/neigh/aging
tnl/neigh/aging 0
tnl/neigh/aging 3600
tnl/neigh/aging 3601
tnl/neigh/aging zz
tnl/neigh/aging -1
tnl/neigh/aging
tnl/arp/flush
tnl/arp/show
tnl/egress_port_range 100 200
tnl/egress_port_range
tnl/egress_port_range 200 100
tnl/egress_port_range 0 100
tnl/egress_port_range 1 65535
tnl/egress_port_range 1 65536
tnl/egress_port_range zz 3
tnl/egress_port_range 5
tnl/egress_port_range
upcall/set-flow-limit 100
upcall/show
upcall/set-flow-limit zz
upcall/set-flow-limit 0
upcall/show
upcall/set-flow-limit 20000
upcall/disable-ufid
upcall/show
upcall/enable-ufid
dpif/set-dp-features br0
dpif/set-dp-features br0 
dpif/set-dp-features br0 ufid
dpif/set-dp-features br0 ufid false
dpif/set-dp-features br0 recirc false
dpif/show-dp-features br0
dpif/set-dp-features br0 recirc true
dpif/set-dp-features br0 recirc x
dpif/set-dp-features br0 zz true
dpif/set-dp-features br0 zz
dpif-netdev/miniflow-parser-set foo bar
dpif-netdev/miniflow-parser-set -pmd 1
dpif-netdev/miniflow-parser-set -pmd x foo
dpif-netdev/miniflow-parser-set -pmd
dpif-netdev/miniflow-parser-set scalar bar
dpif-netdev/miniflow-parser-set study 5
dpif-netdev/miniflow-parser-set study 0
dpif-netdev/miniflow-parser-set study x
dpif-netdev/miniflow-parser-set study 5 6
dpif-netdev/miniflow-parser-set -pmd 99 study 5
dpif-netdev/miniflow-parser-set foo -pmd 1
dpif-netdev/miniflow-parser-set study 5 foo bar
dpif-netdev/miniflow-parser-set scalar
dpif/set-dp-features nope
dpif/set-dp-features br0 ct_state false
dpif/set-dp-features br0 ct_state true
dpif/set-dp-features br0 ct_eventmask false
dpif/set-dp-features br0 max_vlan_headers 2
dpif/set-dp-features br0 sample_nesting 3
dpif/set-dp-features br0 masked_set_action true
dpif/set-dp-features br0 masked_set_action false
dpif-dummy/change-port-number dummy@ovs-dummy p3 7
dpif/show
dpif-dummy/change-port-number ovs-dummy p3 8
dpif-dummy/change-port-number nope p3 8
dpif-dummy/change-port-number ovs-dummy nope 8
dpif-dummy/change-port-number ovs-dummy p3 0
dpif-dummy/change-port-number ovs-dummy p3 1
dpif-dummy/change-port-number ovs-dummy p3 4294967295
dpif-dummy/change-port-number ovs-dummy p3 zz
dpif-dummy/change-port-number ovs-dummy 8 9
dpif-dummy/change-port-number ovs-dummy p3 3
dpctl/show
dpif-netdev/pmd-stats-show -pmd 0
dpif-netdev/pmd-stats-show -pmd x
dpif-netdev/pmd-stats-show ovs-dummy
dpif-netdev/pmd-stats-show nope
dpif-netdev/pmd-stats-show x y
dpif-netdev/pmd-rxq-show ovs-dummy
dpif-netdev/pmd-rxq-show -secs 5
dpif-netdev/pmd-rxq-show -secs 7
dpif-netdev/pmd-rxq-show -secs 70
dpif-netdev/pmd-rxq-show -secs x
dpif-netdev/pmd-rxq-show -pmd 0
dpif-netdev/pmd-rxq-show nope
dpif-netdev/pmd-perf-show
dpif-netdev/pmd-perf-show -nh -it 5 -ms 5 -pmd 0
dpif-netdev/pmd-perf-show nope
dpif-netdev/pmd-perf-log-set on
dpif-netdev/pmd-perf-log-set off
dpif-netdev/pmd-perf-log-set zz
dpif-netdev/pmd-rxq-rebalance nope
dpif-netdev/bond-show nope
dpif-netdev/bond-show ovs-dummy
dpif-netdev/dpif-impl-set dpif_scalar
dpif-netdev/dpif-impl-set zz
dpif-netdev/miniflow-parser-set study
dpif-netdev/miniflow-parser-get
dpif-netdev/miniflow-parser-set study 100
dpif-netdev/miniflow-parser-set scalar
dpif-netdev/miniflow-parser-set zz
dpif-netdev/miniflow-parser-set -pmd 0 scalar
dpif-netdev/subtable-lookup-prio-set generic 5
dpif-netdev/subtable-lookup-info-get
dpif-netdev/subtable-lookup-prio-set autovalidator 7
dpif-netdev/subtable-lookup-prio-set zz 5
dpif-netdev/subtable-lookup-prio-set generic zz
dpif-netdev/subtable-lookup-prio-set generic 256
dpif-netdev/subtable-lookup-info-get
dpif-netdev/pmd-stats-clear
qos/show p1
qos/show nope
qos/show-types p1
qos/show-types nope
qos/show br0
qos/show-types br0
coverage/read-counter nope
ofproto/list-tunnels
memory/show x
netdev-dummy/conn-state
netdev-dummy/conn-state p1
netdev-dummy/conn-state nope
netdev-dummy/set-admin-state p1 down
netdev-dummy/set-admin-state up
netdev-dummy/set-admin-state nope up
dpctl/cache-get-size
dpctl/cache-get-size dummy@ovs-dummy
dpctl/cache-get-size nope
dpctl/cache-get-size -1
dpctl/cache-get-size -m
dpctl/offload-stats-show -1
dpctl/dump-dps nope
dpctl/show -m
dpctl/show -x
dpctl/dump-flows nope x
dpctl/add-flow a=b nope --help
dpctl/add-flows nope
dpctl/add-flows nope nope
dpctl/mod-flows nope
dpctl/del-flows nope
dpctl/del-flow nope
dpctl/parse-actions -1
dpctl/ct-bkts
dpctl/ct-bkts nope
dpctl/ct-bkts nope nope
dpctl/ct-stats-show nope
dpctl/ct-stats-show nope nope
dpctl/dump-conntrack nope
dpctl/dump-conntrack -m
dpctl/dump-conntrack -x
dpctl/ct-get-maxconns nope
dpctl/ct-get-nconns nope
dpctl/ct-get-nconns dummy@ovs-dummy
dpctl/ct-get-tcp-seq-chk -1
dpctl/ct-enable-tcp-seq-chk nope
dpctl/ct-enable-tcp-seq-chk -1
dpctl/ct-set-maxconns -1
dpctl/ct-set-limits nope
dpctl/ct-set-limits a=b
dpctl/ct-get-limits nope
dpctl/ct-get-limits -m
dpctl/ct-get-limits nope zone=1
dpctl/ct-get-limits dummy@ovs-dummy zone=1
dpctl/ct-get-limits a b c
dpctl/ct-del-limits nope
dpctl/ct-del-limits a b c
dpctl/cache-set-size dummy@ovs-dummy x 5
dpctl/cache-set-size nope x 5
dpctl/cache-set-size dummy@ovs-dummy x zz
dpctl/offload-stats-show
dpctl/offload-stats-show nope
dpctl/show dummy@nope
dpctl/show nope
dpctl/show ovs-dummy
`
  .trim()
  .split('\n');

const ETH = 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a)';

/** Arguments of `netdev-dummy/receive p1`. */
export const FRAMES: readonly string[] = `
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=8,dst=9),tcp_flags(syn)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=8,dst=9),tcp_flags(ack)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=8,dst=9),tcp_flags(0x010)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=8,dst=9)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=8,dst=9)' --len 200
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=3,ttl=64,frag=no),udp(src=8,dst=9)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=3,ttl=64,frag=no),udp(src=8,dst=9)' --len 100
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=3,ttl=64,frag=no),udp(src=8,dst=9)' --len 20
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=3,ttl=64,frag=no),udp(src=8,dst=9)' --len 42
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=132,tos=0,ttl=64,frag=no),sctp(src=8,dst=9)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=132,tos=0,ttl=64,frag=no),sctp(src=8,dst=9)' --len 150
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=1,tos=0,ttl=64,frag=no),icmp(type=8,code=0)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=1,tos=0,ttl=64,frag=no),icmp(type=3,code=1)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=1,tos=0,ttl=64,frag=no),icmp(type=11,code=1)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=1,tos=0,ttl=64,frag=no),icmp(type=8,code=0)' --len 100
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=224.0.0.2,proto=2,tos=0,ttl=64,frag=no)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=2,tos=0,ttl=64,frag=no)'  --len 64
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=47,tos=0,ttl=64,frag=no)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=first),tcp(src=8,dst=9)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=later)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=later)' --len 90
'${ETH},eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,op=1,sha=50:54:00:00:00:09,tha=00:00:00:00:00:00)'
'${ETH},eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,op=2,sha=50:54:00:00:00:09,tha=00:00:00:00:00:00)' --len 64
'${ETH},eth_type(0x8035),rarp(sip=10.0.0.1,tip=10.0.0.2,op=3,sha=50:54:00:00:00:09,tha=00:00:00:00:00:00)'
'${ETH},eth_type(0x8035),arp(sip=10.0.0.1,tip=10.0.0.2,op=3,sha=50:54:00:00:00:09,tha=00:00:00:00:00:00)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=10,tclass=0x70,hlimit=128,frag=no)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=5,proto=6,tclass=0x70,hlimit=128,frag=no),tcp(src=8,dst=9)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=5,proto=17,tclass=0x70,hlimit=128,frag=no),udp(src=8,dst=9)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=5,proto=132,tclass=0x70,hlimit=128,frag=no),sctp(src=8,dst=9)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=5,proto=58,tclass=0x70,hlimit=128,frag=no),icmpv6(type=128,code=0)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=58,tclass=0x70,hlimit=255,frag=no),icmpv6(type=135,code=0),nd(target=fe80::3,sll=50:54:00:00:00:09,tll=00:00:00:00:00:00)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=58,tclass=0x70,hlimit=255,frag=no),icmpv6(type=136,code=0),nd(target=fe80::3,sll=00:00:00:00:00:00,tll=50:54:00:00:00:09)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=58,tclass=0x70,hlimit=255,frag=no),icmpv6(type=136,code=0),nd(target=fe80::3,tll=50:54:00:00:00:09)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=58,tclass=0x70,hlimit=255,frag=no),icmpv6(type=136,code=0),nd(target=fe80::3,tll=50:54:00:00:00:09),nd_ext(nd_reserved=0x40000000,nd_options_type=2)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=58,tclass=0x70,hlimit=255,frag=no),icmpv6(type=135,code=0)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=58,tclass=0x70,hlimit=255,frag=no),icmpv6(type=143,code=0)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=58,tclass=0x70,hlimit=255,frag=no),icmpv6(type=1,code=3)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=6,tclass=0,hlimit=128,frag=first),tcp(src=8,dst=9)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=6,tclass=0,hlimit=128,frag=later)'
'${ETH},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=17,tclass=0,hlimit=128,frag=no),udp(src=8,dst=9)' --len 120
'${ETH},eth_type(0x8100),vlan(vid=10,pcp=3),encap(eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst=9))'
'${ETH},eth_type(0x8100),vlan(vid=10,pcp=3),encap(eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst=9))' --len 200
'${ETH},eth_type(0x88a8),vlan(vid=10,pcp=3),encap(eth_type(0x8100),vlan(vid=11,pcp=3),encap(eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst=9)))'
'${ETH},eth_type(0x8100),vlan(vid=10,pcp=3),encap(eth_type(0x8847),mpls(label=3,tc=1,ttl=64,bos=1))'
'${ETH},eth_type(0x8100),vlan(vid=10,pcp=3)'
'${ETH},eth_type(0x8100)'
'${ETH},eth_type(0x8100),vlan(vid=10,pcp=3,cfi=0),encap()'
'${ETH},eth_type(0x8847),mpls(label=3,tc=1,ttl=64,bos=1)'
'${ETH},eth_type(0x8847),mpls(label=3,tc=1,ttl=64,bos=0,label=4,tc=2,ttl=63,bos=1)'
'${ETH},eth_type(0x8848),mpls(label=3,tc=1,ttl=64,bos=0)'
'${ETH},eth_type(0x8847),mpls(label=3,tc=1,ttl=64,bos=1)' --len 90
'${ETH},eth_type(0x894f),nsh(flags=0,ttl=63,mdtype=1,np=4,spi=0x1234,si=255,c1=0x1,c2=0x2,c3=0x3,c4=0x4)'
'${ETH},eth_type(0x894f),nsh(flags=0,ttl=63,mdtype=1,np=1,spi=0x1234,si=255,c1=0x1,c2=0x2,c3=0x3,c4=0x4)' --len 100
'${ETH},eth_type(0x894f),nsh(flags=0,ttl=63,mdtype=2,np=1,spi=0x1234,si=255)'
'${ETH},eth_type(0x1234)'
'${ETH},eth_type(0x1234)' --len 100
'${ETH},eth_type(0x1234)' --len 10
'${ETH}'
'in_port(1)'
'${ETH}' --len 60
'eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800)'
'in_port(1),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst=9)'
'in_port(p1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst=9)'
'recirc_id(0),in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.1/255.0.0.0,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=8/0xff,dst=9)'
'recirc_id(0) in_port(1) eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a) eth_type(0x0800) ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no) udp(src=8,dst=9)'
'in_port(1),packet_type(ns=0,id=0),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst=9)'
'in_port(1),packet_type(ns=1,id=0x800),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst=9)'
50540000000a5054000000091234
50540000000a5054000000091234 50540000000a505400000009123411
50540000000a50540000000912341
50540000000a50540000000912
50540000000a5054000000091234 --len 100
505400
'50540000000a 505400000009 1234'
--qid 0 50540000000a5054000000091234
--qid 3 50540000000a5054000000091234
--qid x 50540000000a5054000000091234
50540000000a5054000000091234 --len
50540000000a5054000000091234 --len x
50540000000a5054000000091234 --len 70000
'${ETH},eth_type(0x1234)' --len x
'${ETH},eth_type(0x1234)' '${ETH},eth_type(0x1235)' --len 60
'${ETH},eth_type(0x1234)x'
'${ETH},foo(1)'
'in_port(1),eth(src=50:54:00:00:00:0z)'
'skb_priority(0x5),skb_mark(0x7),${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst=9)'
'tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,flags(df|key)),${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst=9)'
'ct_state(0x21),ct_zone(5),ct_mark(6),ct_label(7),${ETH},eth_type(0x1236)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=8,dst=9),tcp_flags(syn|ack)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=8,dst=9),tcp_flags(+syn-ack)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=8,dst=9),tcp_flags(foo)'
'${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no)'
'${ETH},eth_type(0x0800),tcp(src=1,dst=2)'
'${ETH},eth_type(0x0800),ipv4()'
'${ETH},eth_type(0x0800),ipv4(src=1.2.3.4)'
`
  .trim()
  .split('\n');

/** OpenFlow rules, frames that meet them, and how the datapath flows are listed. */
export const RULES: readonly string[] = `
priority=10,in_port=1,ip,nw_dst=10.0.0.0/8,actions=2
priority=10,in_port=1,ipv6,ipv6_src=fe80::/64,actions=mod_nw_ttl:5,3
priority=12,in_port=1,tcp,tp_dst=0x10/0xfff0,actions=2
priority=9,in_port=1,dl_vlan=10,actions=strip_vlan,2
priority=9,in_port=1,mpls,mpls_label=3,actions=pop_mpls:0x800,2
priority=30,in_port=2,tcp,ct_state=-trk,actions=ct(table=1,zone=7)
table=1,priority=30,tcp,ct_state=+trk+new,ct_zone=7,actions=ct(commit,zone=7,exec(set_field:5->ct_mark)),1
priority=30,in_port=2,udp6,ct_state=-trk,actions=ct(table=1,zone=7)
table=1,priority=30,udp6,ct_state=+trk+new,ct_zone=7,actions=1
priority=1,actions=CONTROLLER
`
  .trim()
  .split('\n');

export const TRAFFIC: readonly string[] = `
netdev-dummy/receive p1 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0x21,ttl=64,frag=no),udp(src=8,dst=9)'
netdev-dummy/receive p1 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=8,dst=17),tcp_flags(ack|psh)'
netdev-dummy/receive p1 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=1,tos=0,ttl=64,frag=no),icmp(type=8,code=0)'
netdev-dummy/receive p1 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=later)'
netdev-dummy/receive p1 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=132,tos=0,ttl=64,frag=first),sctp(src=1,dst=2)'
netdev-dummy/receive p1 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0x123,proto=58,tclass=0x70,hlimit=255,frag=no),icmpv6(type=135,code=0),nd(target=fe80::3,sll=50:54:00:00:00:09,tll=00:00:00:00:00:00)'
netdev-dummy/receive p1 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x86dd),ipv6(src=fc80::1,dst=fe80::2,label=0x123,proto=58,tclass=0x70,hlimit=255,frag=no),icmpv6(type=128,code=0)'
netdev-dummy/receive p1 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x1234)'
netdev-dummy/receive p1 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a)'
netdev-dummy/receive p1 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x8100),vlan(vid=11,pcp=3),encap(eth_type(0x1234))'
netdev-dummy/receive p1 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x8848),mpls(label=4,tc=1,ttl=64,bos=1)'
netdev-dummy/receive p2 'in_port(2),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=8,dst=9),tcp_flags(syn)'
netdev-dummy/receive p2 'in_port(2),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x86dd),ipv6(src=fc80::1,dst=fe80::2,label=0x123,proto=17,tclass=0x70,hlimit=255,frag=no),udp(src=5,dst=6)'
netdev-dummy/receive p3 50540000000a5054000000098942201600000000
netdev-dummy/receive p3 50540000000a505400000009894f0fc6010100123402111111112222222233333333444444444500001400000000402f66b90a0000010a000002
`
  .trim()
  .split('\n');

export const DUMPS: readonly string[] = `
dpctl/dump-flows -m
dpctl/dump-flows
dpctl/dump-flows --names
dpctl/dump-flows -m --no-names
dpif/dump-flows -m br0
dpif/dump-flows br0
dpctl/dump-flows 'filter=in_port=1'
dpctl/dump-flows 'filter=tcp'
dpctl/dump-flows 'filter=in_port=p1,tcp'
dpctl/dump-flows 'filter=nw_dst=10.0.0.2'
dpctl/dump-flows 'filter=in_port=2,ct_state=+trk'
dpctl/dump-flows 'filter=zz=1'
dpctl/dump-flows 'filter=dl_vlan=11'
dpctl/dump-flows 'filter=ip,nw_dst=10.1.0.0/16'
dpctl/dump-flows 'filter=ipv6'
dpctl/dump-flows 'filter='
dpctl/dump-flows 'filter=tcp,tp_dst=17'
dpctl/dump-flows 'filter=tcp,tp_dst=18'
dpctl/dump-flows 'filter=dl_src=50:54:00:00:00:08'
dpctl/dump-flows foo=bar
dpctl/dump-flows filter=tcp filter=udp
dpctl/dump-flows dummy@ovs-dummy filter=ipv6 type=ovs
dpctl/dump-flows pmd=0
`
  .trim()
  .split('\n');

/** Datapath flows put by hand, with the clock stopped. */
export const BY_HAND: readonly string[] = `
dpctl/add-flow 'in_port(1),eth(),eth_type(0x0800),ipv4(src=1.2.3.4,frag=no)' 2
dpctl/add-flow dummy@ovs-dummy 'in_port(1),eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x1234)' 'push_vlan(vid=3,pcp=1),2,pop_vlan,3'
dpctl/add-flow 'in_port(p2),eth_type(0x0800),ipv4(src=1.2.3.4/255.255.0.0,frag=no)' p3,br0
dpctl/dump-flows
dpctl/add-flow 'in_port(1),eth(),eth_type(0x0800),ipv4(src=1.2.3.4,frag=no)' 3
dpctl/mod-flow 'in_port(1),eth(),eth_type(0x0800),ipv4(src=1.2.3.4,frag=no)' 3
dpctl/mod-flow 'in_port(3),eth(),eth_type(0x0800),ipv4(src=1.2.3.4,frag=no)' 3
dpctl/dump-flows
dpctl/del-flow 'in_port(1),eth(),eth_type(0x0800),ipv4(src=1.2.3.4,frag=no)'
dpctl/del-flow 'in_port(1),eth(),eth_type(0x0800),ipv4(src=1.2.3.4,frag=no)'
dpctl/del-flow -s 'in_port(1),eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x1234)'
dpctl/add-flow 'ufid:00000000-0000-0000-0000-000000000001,in_port(2),eth(),eth_type(0x0800),ipv4(src=1.2.3.4,frag=no)' 'drop'
dpctl/add-flow 'ufid:00000000-0000-0000-0000-000000000002,in_port(2),eth(),eth_type(0x0801)' ''
dpctl/get-flow ufid:00000000-0000-0000-0000-000000000001
dpctl/get-flow ufid:00000000-0000-0000-0000-000000000009
dpctl/get-flow zz
dpctl/del-flow ufid:00000000-0000-0000-0000-000000000001
dpctl/del-flow ufid:00000000-0000-0000-0000-000000000001
dpctl/add-flow 'in_port(1)' 1
dpctl/add-flow 'eth_type(0x0800)' 1
dpctl/add-flow 'in_port(1),eth(),eth_type(0x0800),zz' 1
dpctl/add-flow 'in_port(1),eth(),eth_type(0x0800)' zz
dpctl/add-flow 'in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)' 'set(ipv4(ttl=64)),1'
dpctl/add-flow 'in_port(1),eth(),eth_type(0x0806),arp()' 'set(ipv4(ttl=64)),1'
dpctl/add-flow 'in_port(77),eth(),eth_type(0x0800),ipv4(frag=no)' '99'
dpctl/add-flow --may-create 'in_port(3),eth(),eth_type(0x0800),ipv4(frag=no)' '1'
dpctl/mod-flow --may-create 'in_port(3),eth(),eth_type(0x0800),ipv4(frag=no)' '2'
dpctl/mod-flow --zero 'in_port(3),eth(),eth_type(0x0800),ipv4(frag=no)' '2'
dpctl/mod-flow --read-only 'in_port(3),eth(),eth_type(0x0800),ipv4(frag=no)' '2'
dpctl/mod-flow -s 'in_port(3),eth(),eth_type(0x0800),ipv4(frag=no)' '2'
dpctl/dump-flows
dpctl/dump-flows -m
dpctl/get-flow ufid:12
dpctl/get-flow ufid:
dpctl/get-flow 00000000-0000-0000-0000-000000000002
dpctl/get-flow -m ufid:00000000-0000-0000-0000-000000000002
dpctl/add-flow 'in_port(1),eth(),eth_type(0x0800),ipv4(proto=6)' 2
dpctl/add-flow 'in_port(1),eth(),eth_type(0x0800),ipv4(proto=17),tcp()' 2
dpctl/add-flow 'in_port(1),eth(),eth_type(0x0806)' 2
dpctl/add-flow 'in_port(1),eth(),eth_type(0x8847),mpls()' 2
dpctl/add-flow 'in_port(1),eth(),eth_type(0x86dd),ipv6(proto=58),icmpv6(type=135)' 2
dpctl/add-flow 'in_port(1),eth(),eth_type(0x9000),ipv4()' 2
dpctl/add-flow 'in_port(1),eth(),eth_type(0x8100),vlan(vid=1),encap(eth_type(0x800))' 2
dpctl/add-flow 'eth_type(0x0800),ipv4()' 2
dpctl/add-flow 'ufid:00000000-0000-0000-0000-000000000002,in_port(2),eth(),eth_type(0x0999)' 1
dpctl/add-flow 'ufid:00000000-0000-0000-0000-000000000003,in_port(2),eth(),eth_type(0x0801)' 1
dpctl/add-flow 'in_port(3),eth(),eth_type(0x0800),ipv4(src=9.9.9.9,frag=no)' 1
dpctl/mod-flow 'in_port(3),eth(),eth_type(0x0800),ipv4(src=9.9.9.9,frag=no)' 1
dpctl/mod-flow --clear 'in_port(3),eth(),eth_type(0x0800),ipv4(frag=no)' 1
dpctl/mod-flow --clear 'in_port(1),eth(),eth_type(0x0777)' 1
dpctl/del-flow 'in_port(2),eth(),eth_type(0x0801)'
dpctl/dump-flows
dpctl/parse-actions 'hash(l4(0))'
dpctl/parse-actions 'hash(hash_l4(0))'
dpctl/normalize-actions 'in_port(1),eth(),eth_type(0x0806),arp()' 1 a=b
dpctl/normalize-actions br0 'in_port(1),eth()' 'set(eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02)),1'
dpctl/parse-actions 'ct'
dpctl/parse-actions 'ct()' 'ct(nat)' 'ct(commit,nat(dst=1.2.3.4))' 'ct(force_commit,zone=1,helper=ftp,timeout=foo)'
dpctl/parse-actions 'set(skb_mark(5)),set(skb_mark(0x5/0xf)),set(skb_priority(3)),set(vlan(vid=5,pcp=1)),set(mpls(label=5,tc=1,ttl=4,bos=1)),set(arp(sip=1.2.3.4,op=2,sha=00:00:00:00:00:01)),set(nd(target=::1,sll=00:00:00:00:00:01))'
dpctl/parse-actions 'set(tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,tp_dst=4789,flags(df|key)))'
dpctl/parse-actions 'check_pkt_len(size=200,gt(1),le(2)),check_pkt_len(size=200,gt(drop),le(drop)),add_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847)'
`
  .trim()
  .split('\n');

/** Tunnels through a bridge below, as a test harness builds them: addresses, routes, neighbours, frames out and in. */
export const TUNNELS: readonly string[] = `
ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=dummy fail-mode=secure other-config:hwaddr=aa:55:aa:55:00:00 -- add-port br0 p0 -- set interface p0 type=dummy ofport_request=1 options:tx_pcap=$OVS_RUNDIR/p0.pcap
ovs-vsctl --timeout=10 add-br int-br -- set bridge int-br datapath_type=dummy fail-mode=secure other-config:hwaddr=aa:55:aa:55:00:01
ovs-vsctl --timeout=10 add-port int-br t2 -- set interface t2 type=vxlan options:remote_ip=1.1.2.92 options:key=123 ofport_request=2
ovs-vsctl --timeout=10 add-port int-br t1 -- set interface t1 type=gre options:remote_ip=1.1.2.92 options:key=456 ofport_request=3 options:csum=true
ovs-vsctl --timeout=10 add-port int-br t4 -- set interface t4 type=geneve options:remote_ip=1.1.2.92 options:key=123 ofport_request=5 options:csum=true options:tos=inherit options:ttl=inherit
ovs-vsctl --timeout=10 add-port int-br t5 -- set interface t5 type=geneve options:remote_ip=2001:cafe::92 options:key=123 ofport_request=6
ovs-vsctl --timeout=10 add-port int-br t6 -- set interface t6 type=gre options:remote_ip=1.1.2.93 ofport_request=7 options:df_default=false options:local_ip=1.1.2.88
ovs-vsctl --timeout=10 add-port int-br q1 -- set interface q1 type=dummy ofport_request=9 options:tx_pcap=$OVS_RUNDIR/q1.pcap
ovs-appctl dpif/show
ovs-appctl netdev-dummy/ip4addr br0 1.1.2.88/24
ovs-appctl netdev-dummy/ip6addr br0 2001:cafe::88/64
ovs-appctl ovs/route/add 1.1.2.0/24 br0
ovs-appctl ovs/route/add 1.1.3.0/24 br0 1.1.2.1
ovs-appctl ovs/route/add 2001:cafe::0/64 br0
ovs-appctl tnl/ports/show -v
ovs-ofctl add-flow br0 action=normal
ovs-appctl tnl/arp/set br0 1.1.2.92 f8:bc:12:44:34:b6
ovs-appctl tnl/arp/set br0 1.1.2.1 f8:bc:12:44:34:01
ovs-appctl tnl/arp/set br0 2001:cafe::92 f8:bc:12:44:34:b7
ovs-ofctl add-flow int-br in_port=9,actions=2
ovs-appctl ofproto/trace int-br in_port=9,ip,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_tos=8,nw_ttl=9
ovs-ofctl add-flow int-br in_port=9,actions=3
ovs-appctl ofproto/trace int-br in_port=9,ip,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_tos=8,nw_ttl=9
ovs-ofctl add-flow int-br in_port=9,actions=5
ovs-appctl ofproto/trace int-br in_port=9,ip,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_tos=8,nw_ttl=9
ovs-ofctl add-flow int-br in_port=9,actions=6
ovs-appctl ofproto/trace int-br in_port=9,ip,nw_src=10.0.0.1,nw_dst=10.0.0.2
ovs-ofctl add-flow int-br in_port=9,actions=7
ovs-appctl ofproto/trace int-br in_port=9,ip,nw_src=10.0.0.1,nw_dst=10.0.0.2
ovs-appctl ofproto/trace int-br in_port=9,ip,nw_src=10.0.0.1,nw_dst=10.0.0.2
ovs-ofctl add-flow int-br in_port=9,actions=2,3,5,6
ovs-appctl netdev-dummy/receive q1 'in_port(9),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=8,ttl=9,frag=no),udp(src=8,dst=9)'
sleep 0.5
ovs-appctl dpctl/dump-flows
ovs-appctl dpctl/del-flows
ovs-ofctl add-flow int-br in_port=2,actions=9
ovs-ofctl add-flow int-br in_port=3,actions=9
ovs-ofctl add-flow int-br in_port=5,actions=9
ovs-appctl netdev-dummy/receive p0 aa55aa550000f8bc124434b608004500004e00004000401133ea0101025c0101025815b312b5003a00000800000000007b0050540000000b50540000000c08004500001c00000000401166cf0a0000010a0000020008000900080000
ovs-appctl netdev-dummy/receive p0 aa55aa550000f8bc124434b608004500004600004000402f33d40101025c0101025820006558000001c850540000000b50540000000c08004500001c00000000401166cf0a0000010a0000020008000900080000
ovs-appctl netdev-dummy/receive p0 aa55aa550000f8bc124434b608004500005600004000401133e20101025c0101025815b317c1004200000200655800007b00ffff00010000000a50540000000b50540000000c08004500001c00000000401166cf0a0000010a0000020008000900080000
ovs-appctl netdev-dummy/receive p0 aa55aa550000f8bc124434b608004500004e00004000401133ea0101025c0101025815b312b5003a00000800000000007c0050540000000b50540000000c08004500001c00000000401166cf0a0000010a0000020008000900080000
ovs-appctl netdev-dummy/receive p0 aa55aa550000f8bc124434b608004500004600004000402f33d40101025c0101025820006558000001c950540000000b50540000000c08004500001c00000000401166cf0a0000010a0000020008000900080000
ovs-appctl netdev-dummy/receive p0 aa55aa550000f8bc124434b608004503004e00004000401133e70101025c0101025815b312b5003a00000800000000007b0050540000000b50540000000c08004500001c00000000401166cf0a0000010a0000020008000900080000
ovs-appctl netdev-dummy/receive p0 aa55aa550000f8bc124434b60800450000500000400040113 
ovs-appctl netdev-dummy/receive p0 aa55aa550000f8bc124434b6080045000050000040004011 
sleep 0.5
ovs-appctl dpctl/dump-flows
ovs-appctl netdev-dummy/receive p0 'in_port(1),eth(src=f8:bc:12:44:34:c8,dst=ff:ff:ff:ff:ff:ff),eth_type(0x0806),arp(sip=1.1.2.93,tip=1.1.2.88,op=2,sha=f8:bc:12:44:34:c8,tha=00:00:00:00:00:00)'
ovs-appctl netdev-dummy/receive p0 'in_port(1),eth(src=f8:bc:12:44:34:c9,dst=ff:ff:ff:ff:ff:ff),eth_type(0x0806),arp(sip=1.1.2.94,tip=1.1.2.88,op=1,sha=f8:bc:12:44:34:c9,tha=00:00:00:00:00:00)'
ovs-appctl netdev-dummy/receive p0 'in_port(1),eth(src=f8:bc:12:44:34:ca,dst=aa:55:aa:55:00:00),eth_type(0x86dd),ipv6(src=2001:cafe::95,dst=2001:cafe::88,label=0,proto=58,tclass=0x0,hlimit=255,frag=no),icmpv6(type=136,code=0),nd(target=2001:cafe::95,sll=00:00:00:00:00:00,tll=f8:bc:12:44:34:ca)'
sleep 0.5
ovs-appctl tnl/neigh/show
ovs-appctl dpctl/dump-flows
ovs-appctl ofproto/trace int-br in_port=9,ip,nw_src=10.0.0.1,nw_dst=10.0.0.2
ovs-appctl ofproto/list-tunnels
ovs-ofctl add-flow int-br in_port=9,actions=2
ovs-appctl netdev-dummy/receive q1 'in_port(9),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,op=1,sha=50:54:00:00:00:09,tha=00:00:00:00:00:00)'
ovs-appctl netdev-dummy/receive q1 'in_port(9),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=6,tclass=0,hlimit=128,frag=no),tcp(src=8,dst=9)'
ovs-appctl netdev-dummy/receive q1 'in_port(9),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=47,tos=0,ttl=64,frag=no)'
ovs-appctl netdev-dummy/receive q1 'in_port(9),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x1234)'
`
  .trim()
  .split('\n');
