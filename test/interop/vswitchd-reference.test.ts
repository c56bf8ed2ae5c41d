// The same command lines on Debian's ovs-vswitchd and on ours must leave the same texts: configuration, OpenFlow's view, control commands.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cannot, type Host, type Tools, type World, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd') || false;
const debian = { tools: 'debian' } as const;

/** What differs from run to run is replaced; lines are sorted where the reference's order is that of a hash table. */
function normal(text: string): string[] {
  return (
    text
      .replace(/([0-9a-f]{2}:){5}[0-9a-f]{2}/g, 'MAC')
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
      .replace(/dpid:[0-9a-f]{16}/g, 'dpid:ID')
      .replace(/duration=[0-9.]+s/g, 'duration=T')
      .replace(/(MAC +)\d+$/gm, '$1AGE')
      // What the devices' own first IPv6 frames have taught by then.
      .replace(/^ +\d+ +0 {2}MAC +AGE\n/gm, '')
      .replace(/(rx|tx)_(bytes|packets|dropped)=\d+/g, '$1_$2=N')
      .replace(/(hit|missed|packets|dropped|bytes|flows|entries +):\s*\d+/g, '$1:N')
      .replace(/n_packets=\d+, n_bytes=\d+/g, 'N')
      .split('\n')
      .map((line) => line.trimEnd())
      .sort()
  );
}

async function pair(w: World, daemonArgs: string[]): Promise<[Host, Host]> {
  const made: Host[] = [];
  for (const tools of ['debian', 'weft'] as const satisfies readonly Tools[]) {
    const host = w.host(tools);
    await host.startOvsdb('debian');
    await host.startVswitchd(tools, daemonArgs);
    made.push(host);
  }
  return made as [Host, Host];
}

function compare([reference, ours]: readonly [Host, Host], lines: readonly string[]): void {
  for (const line of lines) {
    const [wanted, got] = [reference, ours].map((host) => {
      const { code, stdout, stderr } = host.run(line, debian);
      return { line, code, text: normal((stdout + stderr).replaceAll(host.dir, 'DIR')) };
    });
    assert.deepEqual(got, wanted);
  }
}

test('netdev: devices, tunnels, patches and faults', { skip }, async (t) => {
  const hosts = await pair(world(t), []);
  const port = (name: string, rest = ''): string =>
    `ovs-vsctl --timeout=10 add-port br0 ${name} ${rest === '' ? '' : `-- set interface ${name} ${rest}`}`;
  compare(hosts, [
    'ip link add v0 address 50:54:00:00:00:05 type veth peer name v1 && ip link set v0 up && ip link set v1 up',
    'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev',
    port('v0', 'ofport_request=1'),
    port('i0', 'type=internal ofport_request=2'),
    port('gre0', 'type=gre options:remote_ip=127.0.0.2 ofport_request=3'),
    'ovs-vsctl --timeout=10 add-br br1 -- set bridge br1 datapath_type=netdev',
    port('p0', 'type=patch options:peer=p1 ofport_request=4'),
    'ovs-vsctl --timeout=10 add-port br1 p1 -- set interface p1 type=patch options:peer=p0 ofport_request=1',
    port('nosuch0'),
    port('gre1', 'type=gre'),
    port('bad0', 'type=bad'),
    port('pb', 'type=patch'),
    port('pc', 'type=patch options:peer=pc'),
    port('g2', 'type=gre options:remote_ip=127.0.0.2'),
    port('g3', 'type=gre options:remote_ip=nonsense'),
    port('gn', 'type=geneve options:remote_ip=127.0.0.3 options:key=5 ofport_request=77'),
    'ovs-vsctl --timeout=10 set bridge br1 protocols=OpenFlow13,OpenFlow10 other_config:dp-desc=hello other_config:datapath-id=0x78',
    'ovs-vsctl --timeout=10 set interface i0 mtu_request=1400',
    'ovs-vsctl --timeout=10 add-br br9 -- set bridge br9 datapath_type=nonesuch',
    'ovs-vsctl show',
    'ovs-vsctl get bridge br0 datapath_id datapath_version',
    'ovs-vsctl get bridge br1 datapath_id',
    'ovs-vsctl --columns=name,ofport,error,admin_state,link_state,link_speed,duplex,mtu,status list interface',
    'ovs-vsctl --columns=cur_cfg,next_cfg,datapath_types,dpdk_initialized,dpdk_version list Open_vSwitch',
    'ovs-ofctl show br0',
    'ovs-ofctl -OOpenFlow13 show br1',
    'ovs-ofctl dump-desc br1',
    'ovs-appctl ofproto/list',
    'ovs-appctl dpif/show',
    'ovs-appctl dpif/dump-dps',
    'ovs-appctl dpctl/show',
    'ovs-appctl dpctl/dump-dps',
    'ovs-appctl dpctl/show nope',
    'ovs-appctl dpctl/dump-flows nope',
    'ovs-appctl bridge/dump-flows nope',
    'ovs-appctl fdb/show nope',
    'ovs-appctl fdb/flush br0',
    'ovs-appctl fdb/add br1 p1 7 50:54:00:00:00:01',
    'ovs-appctl fdb/show br1',
    'ovs-appctl fdb/del br1 7 50:54:00:00:00:01',
    'ovs-appctl fdb/del br1 7 50:54:00:00:00:01',
    'ovs-appctl fdb/add br1 p1 0 zz',
    'ovs-appctl qos/show v0',
    'ovs-appctl revalidator/purge',
    'ovs-appctl coverage/read-counter nope',
    'ovs-appctl version',
    'ovs-appctl nope',
    'ovs-vsctl --timeout=10 del-port br0 gn',
    'ovs-vsctl --timeout=10 del-br br1',
  ]);
  // The reference tells of the peer that went with its bridge in most runs, and in some not, by the order of a hash table; we always do.
  const [, ours] = hosts;
  assert.equal(ours.ok('ovs-vsctl get interface p0 error', debian), `"No usable peer 'p1' exists in 'netdev' datapath."\n`);
  compare(hosts, ['ovs-vsctl --timeout=10 del-port br0 p0', 'ovs-vsctl --columns=name,ofport,error list interface']);
});

test('dummy: frames from text under a clock that stands still', { skip }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy']);
  const frame =
    'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.2,dst=10.0.0.1,proto=1,tos=0,ttl=64,frag=no),icmp(type=8,code=0)';
  compare(hosts, [
    'ovs-appctl time/stop',
    'ovs-vsctl --no-wait add-br br0 -- set bridge br0 datapath_type=dummy fail-mode=secure -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2',
    'for i in 1 2 3 4 5 6 7 8 9 10; do ovs-vsctl get interface p2 ofport | grep -q 2 && break; sleep 0.2; done',
    'ovs-ofctl add-flow br0 actions=2',
    'ovs-appctl dpif/show',
    'ovs-appctl dpctl/show',
    `ovs-appctl netdev-dummy/receive p1 '${frame}'`,
    `ovs-appctl netdev-dummy/receive p1 '${frame}' --len 100`,
    'ovs-appctl time/warp 100',
    'ovs-appctl dpctl/dump-flows',
    ...['ovs', 'tc', 'dpdk', 'offloaded', 'non-offloaded', 'partially-offloaded', 'all', 'foo', 'ovs,foo', 'ovs,tc', ''].map(
      (types) => `ovs-appctl dpctl/dump-flows type=${types}`,
    ),
    ...['pmd=-1', 'pmd=x', 'pmd=3', 'type=ovs pmd=-1', 'type=ovs type=tc', 'type=ovs dummy@ovs-dummy'].map(
      (words) => `ovs-appctl dpctl/dump-flows ${words}`,
    ),
    'ovs-appctl dpif/dump-flows --names br0',
    'ovs-appctl netdev-dummy/receive p9 xx',
    'ovs-appctl netdev-dummy/receive p1 zz',
    'ovs-appctl time/warp x',
    'ovs-appctl netdev-dummy/set-admin-state p1 zz',
    'ovs-appctl netdev-dummy/set-admin-state nope up',
    'ovs-appctl netdev-dummy/set-admin-state p1 down',
    'ovs-appctl dpctl/show -s',
    'ovs-appctl bridge/dump-flows br0',
  ]);
});
