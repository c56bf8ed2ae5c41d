// Command lines of ovs-vsctl that walk through ovs-vsctl(8) from top to bottom, each in an order that builds on what came before.

/** The words of a line; an argument with a space in it stands between single quotes. */
export const words = (line: string): string[] => (line.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^'(.*)'$/, '$1'));

const bridges = `
init
add-br br0
add-br br1
add-br vlan10 br0 10
add-br vlan0 br0 0
add-br vlanx br0 4095
add-br vlany br0 -1
add-br vlanz br0 010
add-br vlanh br0 0x20
--may-exist add-br vlan10 br0 10
--may-exist add-br vlan10 br1 10
--may-exist add-br vlan10 br0 20
--may-exist add-br br0 br1 10
--may-exist add-br br1
--if-exists del-br nosuch
--if-exists -- del-br nosuch
del-br nosuch
--real list-br
--fake list-br
br-exists vlan10
br-exists nosuch
br-to-vlan vlan10
br-to-vlan nosuch
br-to-parent vlan10
br-to-parent nosuch
br-set-external-id br0 key value
br-set-external-id br0 key2 'two words'
br-set-external-id br0 '' empty
br-set-external-id vlan10 key value
br-set-external-id nosuch key value
br-get-external-id br0
br-get-external-id br0 key
br-get-external-id br0 key2
br-get-external-id br0 nosuch
br-get-external-id vlan10
br-get-external-id vlan10 key
br-get-external-id nosuch
br-set-external-id br0 key
br-set-external-id vlan10 key
br-get-external-id br0
br-get-external-id vlan10
get port vlan10 external_ids
get bridge br0 external_ids
`;
const ports = `
add-port br0 p0
add-port br0 p1 tag=9
add-port br0 p2 tag=9 trunks=1,2,3 vlan_mode=trunk other_config:a=b
add-port br0 p3 -- set interface p3 type=internal
add-port vlan10 p4
add-port vlan0 p5
add-port vlan10 p6 tag=11
add-port br0 p7 nosuch=1
add-port br0 p7 tag=4096
add-port br0 p7 interfaces=x
add-port br0 br1
add-port br0 vlan10
add-port nosuch p8
--may-exist add-port br0 p0
--may-exist add-port br1 p0
--may-exist add-port br0 p4
--may-exist add-port vlan10 p4
--may-exist add-port vlan10 p0
--may-exist add-port br0 p1 tag=10
get port p1 tag
get port p4 tag
get port p6 tag
list-ports br0
list-ports vlan10
list-ports vlan0
list-ports nosuch
port-to-br p0
port-to-br p4
port-to-br p5
port-to-br br0
port-to-br nosuch
iface-to-br p4
iface-to-br nosuch
del-port br1 p0
del-port br0 p4
del-port vlan10 p0
del-port vlan10 vlan10
del-port vlan10
del-port br0 br0
--if-exists del-port nosuch
--if-exists del-port br0 nosuch
--if-exists del-port nosuch p0
--if-exists del-port br1 p0
--if-exists --with-iface del-port br0 nosuch
--with-iface del-port br0 p3
--with-iface del-port br1 p0
--with-iface del-port nosuch
`;
const bonds = `
add-bond br0 bond0 e0 e1
add-bond br0 bond1 e2
add-bond br0 bond1 e2 e2
add-bond br0 bond1 e0 e2
add-bond br0 bond1 p0 e2
add-bond br0 bond1 e2 e3 e4 bond_mode=balance-tcp lacp=active
add-bond br0 bond2 e5 e6 bond_mode=strange
add-bond br0 bond2 e5 e6 nosuch=1
add-bond vlan10 bond2 e5 e6
--fake-iface add-bond br0 bond3 e7 e8
--fake-iface add-bond br0 bond0 e0 e1
--may-exist add-bond br0 bond0 e0 e1
--may-exist add-bond br0 bond0 e1 e0
--may-exist add-bond br0 bond0 e0 e1 e9
--may-exist add-bond br0 bond0 e0 e9
--may-exist add-bond br1 bond0 e0 e1
--may-exist --fake-iface add-bond br0 bond3 e7 e8
--may-exist add-bond br0 p0 e0 e1
--may-exist add-port br0 bond0
add-bond br0 bond0 e0 e1
add-bond br0 e0 f0 f1
get port bond1 bond_mode lacp
get port bond3 bond_fake_iface
add-bond-iface bond0 e0
add-bond-iface bond0 e10
add-bond-iface p0 e11
add-bond-iface bond0 e2
add-bond-iface nosuch e12
--may-exist add-bond-iface bond0 e10
--may-exist add-bond-iface bond0 e2
--may-exist add-bond-iface bond0 e12
list-ifaces br0
list-ifaces vlan10
del-bond-iface bond0 e10
del-bond-iface bond0 e2
del-bond-iface e12
del-bond-iface nosuch e0
del-bond-iface bond0 nosuch
del-bond-iface nosuch
--if-exists del-bond-iface bond0 nosuch
--if-exists del-bond-iface nosuch
--if-exists del-bond-iface nosuch e0
--if-exists del-bond-iface bond0 e2
del-bond-iface e0
del-bond-iface e1
--with-iface del-port e2
list-ifaces br0
iface-to-br e1
iface-to-br bond3
`;
const zones = `
add-zone-tp system zone=1 icmp_first=30
list-zone-tp system
del-zone-tp system zone=1
-- --id=@d create datapath datapath_version=1 'capabilities={ct_zero_snat=true, max_vlan_headers=2, recirc=true}' -- set open_vswitch . datapaths:system=@d
add-zone-tp system zone=1 icmp_first=30 icmp_reply=60
add-zone-tp system zone=2 icmp_first=30 icmp_first=31
add-zone-tp system zone=3 nosuch=30
add-zone-tp system zone=3 icmp_first=-1
add-zone-tp system zone=3 icmp_first=x
add-zone-tp system zone=3 icmp_first
add-zone-tp system zone=3 icmp_first=30x
add-zone-tp system zone=3
add-zone-tp system zone=21 icmp_first=12x udp_first=+3 udp_single=0x3 udp_multiple=-
--may-exist add-zone-tp system zone=25 icmp_first=5,udp_first=6
--may-exist add-zone-tp system zone=25 icmp_first(7)
--may-exist add-zone-tp system zone=25 ,icmp_first:8
--may-exist add-zone-tp system zone=25 =8
--may-exist add-zone-tp system zone=25 icmp_first=4294967295
--may-exist add-zone-tp system zone=25 icmp_first=4294967297
--may-exist add-zone-tp system zone=25 icmp_first=9223372036854775808
--may-exist add-zone-tp system zone=25 icmp_first=-99999999999999999999
list-zone-tp system
add-zone-tp system zone=22 icmp_first=7 -- add-zone-tp system zone=23 icmp_first=7
add-zone-tp system zone=65535 udp_first=1 udp_single=2 udp_multiple=3
add-zone-tp system zone=65536 udp_first=1
add-zone-tp system zone=-1 udp_first=1
add-zone-tp system zone=+5 udp_first=1
add-zone-tp system zone=0x10 udp_first=1
add-zone-tp system zone=08 udp_first=1
add-zone-tp system zone=7.5 udp_first=1
add-zone-tp system zone=9a udp_first=1
add-zone-tp nosuch zone=1 icmp_first=30
add-zone-tp system zone=1 icmp_first=40
--may-exist add-zone-tp system zone=1 icmp_first=40
--may-exist add-zone-tp system zone=11 icmp_first=40
list-zone-tp system
list-zone-tp nosuch
--columns=timeouts list ct_timeout_policy
--if-exists del-zone-tp system zone=99
--if-exists del-zone-tp nosuch zone=1
del-zone-tp system zone=99
del-zone-tp nosuch zone=1
del-zone-tp system zone=1
list-zone-tp system
list-dp-cap system
-- --id=@d create datapath datapath_version=1 -- set open_vswitch . datapaths:netdev=@d
clear datapath . capabilities
list-dp-cap nosuch
list-dp-cap
clear datapath . capabilities
`;
const controllers = `
get-controller br0
set-controller br0 tcp:1.2.3.4 ssl:[::1]:6653
set-controller br0 tcp:1.2.3.4 tcp:1.2.3.4
set-controller br0 punix:/x strange:1 tcp:[::1
set-controller vlan10 tcp:5.5.5.5
set-controller nosuch tcp:5.5.5.5
get-controller br0
get-controller vlan10
get-controller nosuch
--inactivity-probe=x set-controller br0 tcp:1.2.3.4
--inactivity-probe=-1 set-controller br0 tcp:1.2.3.4
--inactivity-probe=7000 set-controller br0 tcp:1.2.3.4 tcp:5.6.7.8
--columns=target,inactivity_probe list controller
del-controller br0
del-controller nosuch
get-controller br0
get-fail-mode br0
set-fail-mode br0 standalone
get-fail-mode br0
set-fail-mode br0 secure
get-fail-mode br0
set-fail-mode br0 Secure
set-fail-mode vlan10 standalone
get-fail-mode vlan10
get-fail-mode br0
set-fail-mode nosuch secure
del-fail-mode br0
del-fail-mode nosuch
get-fail-mode nosuch
get-manager
set-manager ptcp:6640:127.0.0.1 ssl:1.2.3.4 punix:/x
get-manager
set-manager ptcp:6640 ptcp:6640
get-manager
--inactivity-probe=3000 set-manager tcp:9.9.9.9
--columns=target,inactivity_probe list manager
set-manager strange
get-manager
show
del-manager
del-manager
get-manager
get-ssl
set-ssl /k /c /ca
get-ssl
--bootstrap set-ssl /k2 /c2 /ca2
get-ssl
--columns=private_key,certificate,ca_cert,bootstrap_ca_cert list ssl
get ssl . private_key
del-ssl
del-ssl
get-ssl
add-aa-mapping br0 100 1
add-aa-mapping br0 200 2
add-aa-mapping br0 200 3
add-aa-mapping br0 16777215 4095
add-aa-mapping br0 16777216 1
add-aa-mapping br0 1 4096
add-aa-mapping br0 x y
add-aa-mapping br0 5x 6
add-aa-mapping br0 0x5 6
add-aa-mapping br0 7 y
add-aa-mapping br0 8 9999999999999999999999
add-aa-mapping br0 -1 1
get-aa-mapping br0
get-aa-mapping br1
del-aa-mapping br0 100 2
del-aa-mapping br0 100 1
del-aa-mapping br0 100 1
del-aa-mapping br1 100 1
del-aa-mapping vlan10 1 1
get-aa-mapping br0
add-aa-mapping vlan10 5 5
get-aa-mapping vlan10
`;
const records = `
set bridge br0 netflow=@n -- --id=@n create netflow targets=\\"1.2.3.4:5\\" add_id_to_interface=true
-- --id=@s create sflow agent=eth0 targets=\\"1.1.1.1:6343\\" header=128 sampling=64 polling=10 -- set bridge br0 sflow=@s
-- --id=@i create ipfix targets=\\"1.1.1.1:4739\\" obs_domain_id=123 -- set bridge br0 ipfix=@i
--columns=targets,add_id_to_interface list netflow br0
list sflow br0 -- list ipfix br0
get netflow br0 targets
clear bridge br0 netflow
list netflow br0
-- --id=@m create mirror name=m0 select-all=true output-port=@p -- --id=@p get port p0 -- set bridge br0 mirrors=@m
-- --id=@p get port p0 -- --id=@m create mirror name=m1 select-dst-port=@p select-src-port=@p output-vlan=7 -- add bridge br0 mirrors @m
get mirror m0 name select_all
get mirror m1 output_vlan
-- --id=@m get mirror m0 -- remove bridge br0 mirrors @m
clear bridge br0 mirrors
set port p0 qos=@q -- --id=@q create qos type=linux-htb other-config:max-rate=1000000 queues=0=@q0,1=@q1 -- --id=@q0 create queue other-config:min-rate=1 -- --id=@q1 create queue other-config:min-rate=2
get qos p0 type
list queue nosuch
set qos p0 queues:2=@q2 -- --id=@q2 create queue dscp=3
remove qos p0 queues 2
destroy qos p0
clear port p0 qos
-- --all destroy qos -- --all destroy queue
-- --id=@c create flow_sample_collector_set id=1 bridge=@b -- --id=@b get bridge br0
get flow_sample_collector_set 1 id
destroy flow_sample_collector_set 1
list flow_sample_collector_set
set bridge br0 other_config:hwaddr=00:00:00:00:00:01 other_config:x=y -- set port p0 other_config:z=1 -- set interface p0 other_config:z=1 -- set open . other_config:z=1
set-fail-mode br0 secure -- set-manager tcp:1.1.1.1 -- set-controller br0 tcp:2.2.2.2 -- set-ssl a b c
emer-reset
show
--columns=other_config list open_vswitch -- --columns=name,other_config list bridge -- --columns=name,other_config list port -- --columns=name,other_config list interface
get-ssl -- get-manager -- get-controller br0 -- get-fail-mode br0 -- list sflow -- list ipfix
list interface p0 -- --columns=name list port p0 p1
get interface p0 name type -- get interface p0 _uuid
get interface p0 nosuch
get interface p0 options:x
--if-exists get interface p0 options:x
--if-exists get interface nosuch name
get interface p0 options:
get interface p0 name:
set interface p0 options:x=1 options:y=2 'options:z=a b'
get interface p0 options
get interface p0 options:x options:z
remove interface p0 options x y=3
remove interface p0 options y=2 z
get interface p0 options
add interface p0 options a=1 b=2
add interface p0 options a=3
add interface p0 options a=4 -- get interface p0 options
get interface p0 options -- add interface p0 options a=5
get interface p0 options
set interface p0 options:a=6 -- add interface p0 options a=7
get interface p0 options
add port p0 mac x -- add port p0 mac y -- get port p0 mac
add port p0 mac x y -- get port p0 mac
get interface p0 options
clear interface p0 options
set Interface p0 ofport_request=1-2
set Interface p0 mtu-request=1500 ingress-policing-rate=9223372036854775807
get Interface p0 ingress-policing-rate
set Interface p0 ingress-policing-rate=9223372036854775808
set Interface p0 ingress-policing-rate=-1
set Interface p0 ingress-policing-rate=1e3
set Interface p0 ingress-policing-rate=0x10
set Interface p0 ingress-policing-rate=
set Interface p0 link_speed=10
set Interface p0 statistics:rx=1
set Port p0 trunks=1,2,3-5
set Port p0 trunks=[1]
set Port p0 'trunks=[1, 2]'
set Port p0 'trunks=1 2 3'
set Port p0 trunks=1,,2
set Port p0 trunks=,1
set Port p0 trunks=1,
set Port p0 tag=[]
set Port p0 tag=5 -- set Port p0 tag=[]
set Port p0 vlan_mode=native-tagged
get Port p0 vlan_mode trunks
set Port p0 vlan_mode='""'
set Port p0 bond_active_slave=true
set Port p0 bond_active_slave=\\"true\\"
get Port p0 bond_active_slave
set Port p0 bond_active_slave=f81d4fae-7dec-11d0-a765-00a0c91e6bf6
set port p0 'bond_active_slave=\\"a\\"b'
set port p0 'bond_active_slave=\\"a\\"x\\"b\\"'
set port p0 'external_ids:a=\\"x\\"\\"y\\"'
set Port p0 bond_active_slave='a\\nb'
set Port p0 'bond_active_slave="a\\nb\\t\\"\\\\"'
get Port p0 bond_active_slave
--bare get Port p0 bond_active_slave
--columns=bond_active_slave list Port p0
-f table --columns=name,bond_active_slave list Port p0 p1
-f csv --columns=name,bond_active_slave list Port p0 p1
-f html --columns=name,bond_active_slave list Port p0 p1
-f json --columns=name,bond_active_slave list Port p0 p1
-f json --pretty --columns=name,bond_active_slave list Port p0 p1
-f table -d json --columns=name,bond_active_slave,trunks list Port p0 p1
-f table -d bare --columns=name,bond_active_slave,trunks list Port p0 p1
-f list -d json --columns=name,bond_active_slave,trunks list Port p0 p1
-f list -d bare --columns=name,bond_active_slave,trunks list Port p0 p1
-f csv -d json --no-headings --columns=name,trunks list Port p0 p1
-f csv -d bare --columns=name,trunks list Port p0 p1
-f html -d json --no-headings --columns=name,trunks list Port p0 p1
-f html -d json --columns=_uuid,name,interfaces list Port p0 p1
-f html -d bare --columns=_uuid,name,interfaces list Port p0 p1
-f json -d bare --no-headings --columns=name,trunks list Port p0 p1
--max-column-width=3 -f table --columns=name,trunks,external_ids list Port p0 p1
--max-column-width=3 -f table --no-headings --columns=name,trunks,external_ids list Port p0 p1
--max-column-width=0 -f table --columns=name list Port p0
--max-column-width=x -f table --columns=name list Port p0
--max-column-width=-3 -f table --columns=name list Port p0
-f tab --columns=name list Port p0
--form=table --columns=name list Port p0
--no --columns=name list Port p0
--oneline --columns=name list Port p0 -- list-br
--oneline get port p0 name trunks -- init -- br-to-vlan br0
clear Port p0 bond_active_slave trunks vlan_mode tag
find port name=p0 tag=[]
--columns=name find port name=p0 tag!=[]
--columns=name find port 'trunks{<=}1,2,3'
--columns=name find port 'trunks{>}[]'
--columns=name find port 'trunks{>=}[]' name=p2
--columns=name find port 'trunks{in}1,2,3' name=p2
--columns=name find port 'trunks{not-in}1' name=p2
--columns=name find port 'trunks{<}1,2,3,4' name=p2
--columns=name find port 'trunks<1,2,4' name=p2
--columns=name find port 'trunks<=1,2' name=p2
--columns=name find port 'trunks>1,2' name=p2
--columns=name find port 'other_config:a=b'
--columns=name find port 'other_config:a!=b' name=p2
--columns=name find port 'other_config:a<c'
--columns=name find port 'other_config:a{=}b'
--columns=name find port 'other_config{>=}a=b'
--columns=name find port 'name{>=}p2' name=p2
--columns=name find port name=p2 name=p3
--columns=name find port 'name=p2 '
--columns=name find port name~p2
--columns=name find bridge datapath_id=[]
--columns=name find interface 'ofport=1'
--columns=name find interface 'type="internal"'
--columns=nosuch list port
--columns=name,nam list port p0
--columns=other-config,NAME list port p2
--columns=name,_uuid list port nosuch
--columns=o list port p2
list por p0 -- list po p0
list p p0
list bri
get open . next_cfg
list open . -- list ssl .
get OPEN-VSWITCH . external-ids
destroy port p0
destroy port nosuch
--if-exists destroy port nosuch
--all destroy port p0
--all --if-exists destroy netflow
create port name=z
create port name=z interfaces=[]
create interface name=z
create open_vswitch
create open_vswitch cur_cfg=1
create nosuch a=1
-- --id=@x create interface name=z -- --id=@x create interface name=y
-- --id=@x create interface name=z
-- --id=@x get port nosuch
-- --id=@x get port p0 name
-- --id=x get port p0
-- --if-exists --id=@x get port p0
wait-until port p0 tag=[] name=p0
wait-until port p0 'trunks{<=}1'
wait-until bridge br0 nosuch=1
comment
comment a b 'c d'
comment hello -- set port p0 external_ids:c=1
show -- list-br
get bridge . name
get mirror . name
-- --id=@x create mirror name=a -- --id=@y create flow_table name=a
-- --id=@i create interface name=p8 -- --id=@p create port name=p8 interfaces=@i -- --id=@m create mirror name=m select_src_port=@p -- add bridge br0 mirrors @m
`;
const options = `
--db=unix:nosuch list-br
--db=strange list-br
--db=tcp:127.0.0.1:1 list-br
--retry list-br
--no-wait --no-wait list-br
--dry-run add-br dry -- br-exists dry -- list-br
--dry-run del-br br0
--dry-run create queue dscp=1
--dry-run set-controller br0 tcp:1.2.3.4 tcp:5.6.7.8 -- get controller br0 target
--dry-run set-controller br0 tcp:1.2.3.4 tcp:5.6.7.8 -- --if-exists get controller br0 target
--dry-run -- --id=@d create datapath datapath_version=1 -- set open . datapaths:dry=@d -- add-zone-tp dry zone=65536 udp_first=1
--dry-run -- --id=@d create datapath datapath_version=1 -- set open . datapaths:dry=@d -- del-zone-tp dry zone=-1
--dry-run add interface p0 mac a b
--columns=name --columns=ports list bridge br0
find mirror name
find bridge 'other_config:a==x'
find bridge 'name>='
find bridge 'name=='
find bridge 'name!='
list bridge _u
get bridge br0 _UUID
br-exists dry
--timeout=0 list-br
--timeout=-1 list-br
--timeout=4294967296 list-br
--timeout=1.5 list-br
-t5 list-br
-t
--timeout
--time=5 list-br
--ti=5 list-br
--strange
-Z
-x list-br
--no-syslog list-br
--verbose=vsctl:syslog:off list-br
-vstrange list-br
-vvsctl:console:strange list-br
-vconsole:off list-br nosuch
-vconsole:off br-to-vlan nosuch
-vfile:dbg list-br
-vPATTERN:console:%m br-to-vlan nosuch
-vPATTERN:strange:%m list-br
-vFACILITY:daemon list-br
-vFACILITY:strange list-br
--syslog-target=127.0.0.1:9 list-br
--syslog-method=null list-br
--leader-only list-br
--no-leader-only list-br
--shuffle-remotes list-br
--private-key=/nosuch list-br
-p /nosuch -c /nosuch -C /nosuch list-br
--bootstrap-ca-cert=/nosuch list-br
--peer-ca-cert=/nosuch list-br
--ssl-protocols=TLSv1.2 list-br
--ssl-ciphers=HIGH list-br
--db=ssl:127.0.0.1:1 list-br
--help
-h
--version
-V
--commands
--options
-- --help
list-br --help
list-br -V
add-br -- x
--may-exist
--
-- --
del-port
del-port a b c
list-br x
set-ssl a b
set port p0
set port
add port p0 trunks
remove port p0
clear port p0
destroy
find
get port
create port
wait-until port
add-bond br0 b e
add-bond-iface b
del-bond-iface a b c
br-set-external-id br0
br-set-external-id br0 a b c
br-get-external-id
get-controller
set-controller br0
set-manager
set-fail-mode br0
add-aa-mapping br0 1
add-zone-tp system zone=1
del-zone-tp system
emer-reset x
show x
init x
get-manager x
del-br vlan10
del-br br1
get bridge . name
del-br br0
create qos queues=3-1=00000000-0000-4000-8000-000000000001
create qos queues=1-9999=00000000-0000-4000-8000-000000000001
create qos queues=1-3=00000000-0000-4000-8000-000000000001,2=00000000-0000-4000-8000-000000000001
--syslog-method=null --syslog-method=strange show
show
`;

/** Every line, in order. */
export const manualLines: readonly (readonly string[])[] = [bridges, ports, bonds, zones, controllers, records, options].flatMap((part) =>
  part
    .trim()
    .split('\n')
    .map((line) => words(line.replaceAll('\\"', '"'))),
);
