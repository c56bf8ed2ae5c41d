// Flow_Table rows: names, limits, eviction and prefixes, as the switch does them and as ovs-ofctl reads and prints the names.
import { test } from 'node:test';
import { compare, pair } from './support/pair.ts';
import { cannot, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovs-ofctl', 'ovs-appctl') || false;

const row = (table: number, columns: string): string =>
  `ovs-vsctl --timeout=10 -- --id=@t create Flow_Table ${columns} -- set bridge br0 flow_tables:${table}=@t >/dev/null`;
const flow = (text: string, version = 14): string => `ovs-ofctl -O OpenFlow${version} add-flow br0 '${text}'`;
const flows = 'ovs-ofctl -O OpenFlow14 --no-stats dump-flows br0';
const withoutAges = (text: string): string[] => text.replaceAll(/duration=[0-9.]+s|idle_age=[0-9]+/g, 'AGE').split('\n');

test('tables of the configuration: the same as the reference, with Debian’s programs and each with its own', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  compare(hosts, [
    'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 fail_mode=secure other_config:hwaddr=aa:55:aa:55:00:00' +
      ' -- add-port br0 drop -- set interface drop ofport_request=1 -- add-port br0 p-2 -- set interface p-2 ofport_request=2',
    row(0, `name=main flow_limit=4 overflow_policy=evict groups='"NXM_OF_IN_PORT[]"'`),
    row(1, 'name=second flow_limit=2'),
    row(2, 'name=a-b prefixes=none'),
    row(3, `name=twice groups='["foo","NXM_OF_ETH_SRC[3..90]"]'`),
    row(4, 'name=twice prefixes=ip_src,foo,tcp_dst'),
    row(5, 'name=this-name-is-longer-than-31-bytes-and-is-cut'),
    'grep -h -o "bridge|[A-Z]*|.*\\(Prefix\\|prefix\\|groups\\).*" "$OVS_LOGDIR"/ovs-vswitchd.log | sort -u',
    'ovs-ofctl dump-tables br0; ovs-ofctl -O OpenFlow12 dump-tables br0 | grep table; ovs-ofctl -O OpenFlow15 dump-tables br0',
    'ovs-ofctl -O OpenFlow13 dump-table-features br0 | grep "table\\|max"',
    // The largest group loses its least important flow that ends soonest, and permanent flows stay.
    flow('in_port=1,actions=drop'),
    flow('in_port=2,tcp,hard_timeout=100,actions=drop'),
    flow('in_port=2,udp,hard_timeout=50,importance=5,actions=drop'),
    flow('in_port=2,arp,idle_timeout=70,actions=drop'),
    flow('in_port=1,ip,idle_timeout=10,actions=drop'),
    `${flows} | sort`,
    flow('in_port=1,arp,idle_timeout=20,importance=9,actions=drop'),
    `${flows} | sort`,
    'ovs-vsctl --timeout=10 set flow_table main flow_limit=3',
    `${flows} | sort; ovs-ofctl del-flows br0`,
    ...[1, 2, 3].map((port) => flow(`table=1,in_port=${port},actions=drop`)),
    'ovs-ofctl -O OpenFlow14 mod-table br0 1 vacancy:20,80; ovs-ofctl -O OpenFlow14 mod-table br0 1 evict',
    'ovs-ofctl -O OpenFlow14 dump-table-desc br0 | head -12',
    flow('table=1,in_port=4,idle_timeout=9,actions=drop'),
    // Without the tracking of prefixes a longer prefix makes the whole address be read.
    ...[0, 2].flatMap((table) => [
      `ovs-ofctl del-flows br0; ${flow(`table=${table},ip,nw_dst=10.0.0.0/8,actions=drop`)}; ${flow(`table=${table},priority=9,ip,nw_dst=192.168.1.1,actions=drop`)}`,
      `${flow(`priority=99,in_port=2,actions=goto_table:${table === 0 ? 1 : table}`)}; ovs-appctl ofproto/trace br0 in_port=${table === 0 ? 1 : 2},ip,nw_dst=10.1.2.3 | grep Megaflow`,
    ]),
    'ovs-vsctl --timeout=10 clear bridge br0 flow_tables; ovs-ofctl dump-tables br0',
  ]);
  const names = [
    row(0, 'name=main'),
    row(1, 'name=second'),
    row(2, 'name=a-b'),
    row(4, 'name=drop'),
    row(5, 'name=drop'),
    'ovs-ofctl del-flows br0',
    'ovs-ofctl add-flow br0 "table=second,in_port=p-2,actions=resubmit(,a-b),ct(table=main),p-2"',
    'ovs-ofctl add-flow br0 \'table="a-b",actions=learn(table=second,NXM_OF_IN_PORT[],output:NXM_OF_IN_PORT[]),drop\'',
    'ovs-ofctl add-flow br0 \'table="a-b",actions=learn(table=second,NXM_OF_IN_PORT[],output:NXM_OF_IN_PORT[])\'',
    'ovs-ofctl -O OpenFlow13 add-flow br0 table=main,actions=goto_table:a-b; ovs-ofctl add-flow br0 table=4,actions=drop',
    'ovs-ofctl add-flow br0 table=drop,actions=drop; ovs-ofctl --no-names add-flow br0 table=main,actions=drop',
    'ovs-ofctl add-flow br0 table=nosuch,actions=drop; ovs-ofctl add-flow br0 actions=goto_table:nosuch',
    'ovs-ofctl add-flow br0 "actions=resubmit(,nosuch)"; ovs-ofctl add-flow br0 "actions=ct(table=nosuch)"',
    'ovs-ofctl dump-flows br0; ovs-ofctl --names dump-flows br0; ovs-ofctl --names --no-stats -O OpenFlow15 dump-flows br0',
    'ovs-ofctl --names dump-flows br0 table=second; ovs-ofctl del-flows br0 table=second; ovs-ofctl --no-stats dump-flows br0',
    'ovs-ofctl -O OpenFlow14 mod-table br0 a-b evict; ovs-ofctl -O OpenFlow14 mod-table br0 nosuch evict',
    'ovs-ofctl -O OpenFlow12 mod-table br0 second continue; ovs-ofctl -O OpenFlow14 mod-table br0 300 evict 2>&1 | cut -d"|" -f2-',
    'ovs-ofctl -O OpenFlow14 dump-table-desc br0 | head -12; ovs-ofctl --names -O OpenFlow14 dump-table-desc br0 | head -12',
    // What is refused is told by names, too.
    ...['', ' --bundle', ' -O OpenFlow13'].flatMap((words) =>
      ['', 'table=second,'].map((table) => `ovs-ofctl --names${words} add-flow br0 ${table}in_port=p-2,actions=group:77`),
    ),
    'ovs-ofctl --names -O OpenFlow15 mod-group br0 group_id=9,type=all,bucket=actions=output:2',
    'echo "packet-out in_port=p-2 packet=000000000001000000000002080000000000 actions=group:9" | ovs-ofctl --names bundle br0 -',
    // Files may name ports behind a switch, where names are shown.
    ...['br0 /dev/stdin', '/dev/stdin br0', '/dev/stdin /dev/null'].flatMap((sources) =>
      ['--names ', '', '--no-names '].map((words) => `echo "table=1,in_port=p-2,actions=drop" | ovs-ofctl ${words}diff-flows ${sources}`),
    ),
  ];
  compare(hosts, names, withoutAges, true);
});

const trace = (flow: string): string => `ovs-appctl ofproto/trace br0 in_port=1,${flow}`;
const matches = (table: number, list: readonly string[]): string[] =>
  list.map((match, i) => `ovs-ofctl add-flow br0 'table=${table},priority=${i + 1},${match},actions=${1 + (i % 2)}'`);

test('prefixes of IPv6 addresses and of outer headers: megaflows read as much as the reference’s', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  compare(hosts, [
    'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 fail_mode=secure other_config:hwaddr=aa:55:aa:55:00:00' +
      ' -- add-port br0 p1 -- set interface p1 ofport_request=1 -- add-port br0 p2 -- set interface p2 ofport_request=2',
    row(0, 'name=t0 prefixes=ipv6_src,tun_dst,tun_id'),
    row(1, 'name=t1 prefixes=tun_src,tun_ipv6_dst,ipv6_dst'),
    ...matches(0, ['ipv6,ipv6_src=2001:db8::/32', 'ipv6,ipv6_src=2001:db8:1::/48', 'ipv6,ipv6_src=fe80::1', 'tun_dst=10.0.0.0/8']),
    ...matches(0, ['tun_dst=10.1.0.0/16', 'tun_dst=11.1.0.9', 'tun_id=0x100/0xffffffffffffff00', 'tun_id=0x101']),
    ...['2001:db8::5', '2001:db8:1::5', 'fe80::2', 'fe80::1'].map((address) => trace(`ipv6,ipv6_src=${address}`)),
    ...['10.2.0.1', '10.1.2.3', '11.1.2.3'].map((address) => trace(`tun_dst=${address},tun_src=1.2.3.4,ip`)),
    ...['tun_dst=12.1.2.3,tun_src=1.2.3.4,tun_id=0x102,ip', 'tun_id=0x102,arp', 'tun_id=0x101,arp', 'tun_id=0x10000101,arp'].map(trace),
    'ovs-ofctl del-flows br0; ovs-ofctl add-flow br0 "actions=resubmit(,1)"',
    ...matches(1, ['ipv6,ipv6_dst=2001:db8::/32', 'ipv6,ipv6_src=2001:db8:1::/48', 'ipv6,ipv6_dst=2001:db8:1::/48']),
    ...matches(1, ['tun_ipv6_dst=2001:db8:1::/48', 'tun_ipv6_dst=2001:db8:2::1', 'tun_src=1.2.0.0/16', 'tun_src=1.2.3.4']),
    ...['2001:db8::5', '2001:db9::5', '2001:db8:1::5,ipv6_src=2001:db9::7'].map((address) => trace(`ipv6,ipv6_dst=${address}`)),
    ...[1, 3].map((part) => trace(`tun_ipv6_dst=2001:db8:${part}::9,ipv6,ipv6_dst=2001:db8:1::5`)),
    ...['1.2.3.5', '1.3.3.5'].map((address) => trace(`tun_src=${address},tun_dst=9.9.9.9,ip`)),
    // Flags of the outer header, some of them read or all.
    'ovs-ofctl del-flows br0; ovs-ofctl add-flow br0 tun_flags=+oam,actions=1; ovs-ofctl add-flow br0 priority=1,actions=2',
    ...['', 'tun_flags=oam,'].map((flags) => trace(`tun_src=1.1.1.1,tun_dst=2.2.2.2,tun_id=5,${flags}tun_gbp_id=7,ip`)),
    "ovs-ofctl add-flow br0 'priority=99,actions=set_field:oam->tun_flags,set_field:9.9.9.9->tun_dst,load:1->tun_flags[0],1'",
    trace('ip'),
  ]);
});

const missed = (options: string): string =>
  `timeout 2 ovs-ofctl ${options} monitor br0 64 2>/dev/null & sleep 1; ovs-appctl netdev-dummy/receive p1 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x1234)'; wait`;

test('packet types in learn, flags of tunnels in set_field, the last tables: each with its own programs', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  const learn = (specs: string): string => `actions=learn(table=1,${specs}),2`;
  const add = (version: number, text: string): string => `ovs-ofctl -O OpenFlow${version} add-flow br0 '${text}'`;
  const shown = 'ovs-ofctl -O OpenFlow15 --no-stats dump-flows br0 | sort; ovs-ofctl -O OpenFlow12 --no-stats dump-flows br0 | sort';
  compare(
    hosts,
    [
      'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 fail_mode=secure other_config:hwaddr=aa:55:aa:55:00:00' +
        ' -- add-port br0 p1 -- set interface p1 ofport_request=1 -- add-port br0 p2 -- set interface p2 ofport_request=2',
      ...['(0,0)', '(1,0x800)', '(0,1)', '(0xffff,0x1234)'].map((type, i) =>
        add(15, `priority=${i + 1},in_port=1,${learn(`packet_type=${type},NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]`)}`),
      ),
      ...['load:0->OXM_OF_PACKET_TYPE[]', 'OXM_OF_PACKET_TYPE[]', 'load:OXM_OF_PACKET_TYPE[]->NXM_NX_REG0[]'].map((specs, i) =>
        add(15, `priority=${i + 1},in_port=2,${learn(specs)}`),
      ),
      shown,
      'ovs-ofctl del-flows br0',
      add(10, learn('packet_type=(0,0),NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]')),
      'ovs-appctl ofproto/trace br0 in_port=1,dl_src=50:54:00:00:00:01 -generate',
      shown,
      ...['1', 'oam', '+oam', '0x2', '1/1', '0/1', '-oam'].map((flags, i) =>
        add(15, `table=2,priority=${i + 1},actions=set_field:${flags}->tun_flags`),
      ),
      add(15, 'table=2,actions=learn(table=2,tun_flags=1),move:tun_flags[0]->reg0[0],load:1->tun_flags[0]'),
      shown,
      ...['253,actions=goto_table:254', '252,actions=goto_table:253', '253,actions=resubmit(,254),1', '254,actions=1'].map((flow) =>
        add(12, `table=${flow}`),
      ),
      ...[252, 253, 254].map((table) => `ovs-ofctl -O OpenFlow12 mod-table br0 ${table} continue`),
      'ovs-ofctl -O OpenFlow11 dump-tables br0 | tail -32; ovs-ofctl -O OpenFlow12 dump-tables br0 | tail -12',
      'ovs-ofctl del-flows br0 table=0; ovs-ofctl add-flow br0 "actions=resubmit(,252)"; ovs-appctl ofproto/trace br0 in_port=1',
      'ovs-ofctl del-flows br0 table=253; ovs-appctl ofproto/trace br0 in_port=1',
      // What controllers are told of a frame that nothing matches.
      'ovs-ofctl del-flows br0',
      ...['controller', 'continue'].flatMap((miss) => [
        // What the reference made for frames before stays as it was.
        `ovs-ofctl -O OpenFlow12 mod-table br0 0 ${miss}; ovs-appctl revalidator/purge`,
        ...['-P nxt_packet_in', '-P nxt_packet_in2', '-O OpenFlow12', '-O OpenFlow13'].map(missed),
      ]),
      'ovs-ofctl -O OpenFlow12 mod-table br0 1 controller; ovs-appctl revalidator/purge',
      missed('-O OpenFlow12'),
    ],
    (text) => text.replaceAll(/xid=0x[0-9a-f]+|^.*?Z\|[0-9]+\|/gm, '').split('\n'),
    true,
  );
});
