// What becomes of the options of tunnels, good and odd: Debian's ovs-vswitchd and ours, side by side.
import { test } from 'node:test';
import { compare, pair } from './support/pair.ts';
import { cannot, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd') || false;

const gre = [
  ...['ttl=0', 'ttl=7', 'ttl=junk', 'ttl=257', 'ttl=0x20', 'ttl=inherit'],
  ...['tos=0', 'tos=016', 'tos=0x1f', 'tos=0x10', 'tos=255', 'tos=256', 'tos=" 8"', 'tos=8x', 'tos=inherit'],
  ...['csum=TRUE', 'csum=true', 'df_default=false', 'df_default=0', 'seq=true', 'local_ip=5.5.5.5', 'packet_type=ptap'],
  ...['key=0x10', 'key=010', 'key=10x', 'key=-1', 'key=99999999999999999999', 'key=flow', 'egress_pkt_mark=0x10', 'egress_pkt_mark=7'],
  ...['in_key=5 options:out_key=6', 'in_key=flow options:out_key=3', 'in_key=2 options:out_key=flow'],
];
const vxlan = ['dst_port=65537', 'dst_port=-1', 'exts=gpe', 'exts=bogus', 'exts=gbp', 'exts=gbp options:dst_port=4799', 'dst_port=4799'];
const lastIn = (text: string): string[] => text.split('\n').sort();

test('options of tunnels are read as the reference reads them', { skip }, async (t) => {
  const both = await pair(world(t), []);
  compare(both, ['ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev']);
  const tunnels = [...gre.map((text) => ['gre', text]), ...vxlan.map((text) => ['vxlan', text])];
  const lines = tunnels.flatMap(([type, text], i) => [
    `ovs-vsctl add-port br0 t${i} -- set interface t${i} type=${type} options:remote_ip=1.2.4.${i + 1} options:${text} ofport_request=${i + 1}`,
    `ovs-vsctl --columns=ofport,error list interface t${i}`,
  ]);
  compare(both, lines, (text) => text.replace(/\d{4}-.*?\|WARN\|/g, ''));
  compare(both, ['ovs-appctl ofproto/list-tunnels', 'ovs-appctl dpif/show'], lastIn);
});
