// Mirrors: what a frame becomes, traced in our daemon and in Debian's, for every way to select and to send; what the counters and the log
// say; and a frame that really arrives behind the mirror's port.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cannot, type Host, type Tools, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovs-vswitchd', 'tcpdump') || false;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const FROM = 'dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02,dl_type=0x1234';
const FLOWS = [
  `in_port=1,${FROM}`,
  `in_port=2,${FROM}`,
  `in_port=3,${FROM}`,
  `in_port=1,dl_vlan=10,dl_vlan_pcp=2,${FROM}`,
  `in_port=2,dl_vlan=12,${FROM}`,
  'in_port=1,dl_vlan=12,dl_src=50:54:00:00:00:01,dl_dst=01:80:c2:00:00:01,dl_type=0x1234',
  'in_port=1,dl_vlan=13,dl_src=50:54:00:00:00:01,dl_dst=01:80:c2:00:00:01,dl_type=0x1234',
  'in_port=1,udp,nw_dst=1.2.3.4,nw_ttl=9,nw_src=5.6.7.8',
];
const MIRRORS = [
  'select_all=true output_port=@p3',
  'select_src_port=@p1 output_port=@p3',
  'select_dst_port=@p1 output_port=@p3',
  'select_dst_port=@p2 output_port=@p3',
  'select_src_port=@p1,@p2 select_vlan=10,0 output_port=@p3',
  'select_all=true select_vlan=10 output_port=@p3',
  'select_vlan=10 output_port=@p3',
  'select_all=true output_vlan=12',
  'select_all=true output_port=@p3 snaplen=100',
  'select_src_port=@p1 select_dst_port=@p2 output_port=@p3 output_vlan=5',
  'select_all=true',
];
const PORTS = '-- --id=@p1 get port p1 -- --id=@p2 get port p2 -- --id=@p3 get port p3';

/** All that one side says. */
async function said(h: Host, tools: Tools): Promise<string[]> {
  await h.startOvsdb(tools);
  await h.startVswitchd(tools, ['--enable-dummy=override', '--disable-system']);
  const vsctl = (line: string): string => h.ok(`ovs-vsctl --timeout=20 ${line}`, { tools, timeout: 40_000 });
  vsctl('add-br br0 -- set bridge br0 datapath_type=dummy other_config:hwaddr=aa:55:aa:55:00:00');
  for (const i of [1, 2, 3]) vsctl(`add-port br0 p${i} -- set interface p${i} type=dummy ofport_request=${i}`);
  vsctl('set port p2 tag=10');
  const found: string[] = [];
  const trace = (title: string, sorts = false): void => {
    for (const flow of FLOWS) {
      const text = h.ok(`ovs-appctl ofproto/trace br0 ${flow}`, { tools });
      // Which of several mirrors comes first is nobody's promise: the reference's order changes from run to run.
      const said = sorts ? text.replace(/(?<=Datapath actions: ).*/, (list) => list.split(',').sort().join()) : text;
      found.push(`${title}\n${said}`);
    }
  };
  for (const mirror of MIRRORS) {
    vsctl(`-- clear bridge br0 mirrors ${PORTS} -- --id=@m create mirror name=m ${mirror} -- set bridge br0 mirrors=@m`);
    trace(mirror);
  }
  const both = '--id=@m create mirror name=m select_src_port=@p1 output_port=@p3 -- --id=@n create mirror name=n select_src_port=@p1';
  vsctl(
    `-- clear bridge br0 mirrors ${PORTS} -- ${both} output_port=@p3 -- --id=@o create mirror name=o select_all=true output_vlan=10 -- set bridge br0 mirrors=@m,@n,@o`,
  );
  h.ok('ovs-ofctl add-flow br0 priority=33000,udp,actions=output:2,mod_vlan_vid:7,output:IN_PORT,3', { tools });
  trace('three', true);
  h.ok("ovs-appctl netdev-dummy/receive p1 'in_port(1),eth(src=50:54:00:00:00:05,dst=50:54:00:00:00:07),eth_type(0x1234)' --len 100", {
    tools,
  });
  for (let tries = 0; tries < 60 && !vsctl('--bare --columns=statistics find mirror name=o').includes('tx_packets=1'); tries++)
    await sleep(500);
  // Which of two with one output has the frame is nobody's promise.
  const counted = (name: string): string => vsctl(`--bare --columns=statistics find mirror name=${name}`);
  found.push([counted('m'), counted('n')].sort().join(), counted('o'));
  found.push(
    ...h
      .log('ovs-vswitchd')
      .split('\n')
      .filter((line) => line.includes('|bridge|') && line.includes('mirror'))
      .map((line) => line.split('|').slice(2).join('|')),
  );
  return found;
}

test('mirrors of every kind, as Debian has them', { skip }, async (t) => {
  const w = world(t);
  const [theirs, ours] = [await said(w.host('debian'), 'debian'), await said(w.host('weft'), 'weft')];
  assert.equal(ours.length, theirs.length);
  for (const [i, text] of theirs.entries()) assert.equal(ours[i], text);
});

/** What a frame into a tunnel becomes, whose port is mirrored. */
async function intoTunnel(h: Host, tools: Tools): Promise<string[]> {
  await h.startOvsdb(tools);
  await h.startVswitchd(tools, ['--enable-dummy', '--disable-system']);
  const ok = (line: string): string => h.ok(line, { tools, timeout: 40_000 });
  ok('ovs-vsctl --timeout=20 add-br br0 -- set bridge br0 datapath_type=dummy fail_mode=secure');
  for (const i of [1, 2]) ok(`ovs-vsctl --timeout=20 add-port br0 p${i} -- set interface p${i} type=dummy ofport_request=${i}`);
  ok('ovs-vsctl --timeout=20 add-port br0 t0 -- set interface t0 type=vxlan options:remote_ip=1.1.2.92 options:key=5 ofport_request=3');
  ok('ovs-appctl netdev-dummy/ip4addr br0 1.1.2.88/24');
  ok('ovs-appctl ovs/route/add 1.1.2.92/24 br0');
  ok('ovs-appctl tnl/neigh/set br0 1.1.2.92 f8:bc:12:44:34:b6');
  ok('ovs-ofctl add-flow br0 in_port=1,actions=output:3');
  ok(
    'ovs-vsctl --timeout=20 -- --id=@t get port t0 -- --id=@p get port p2 -- --id=@m create mirror name=m select-dst-port=@t output-port=@p -- set bridge br0 mirrors=@m',
  );
  const found: string[] = [];
  // What is sent by the underlay goes nowhere, so that the mirror is all there is.
  for (const flow of ['in_port=LOCAL,actions=drop', 'in_port=LOCAL,actions=output:1']) {
    ok(`ovs-ofctl add-flow br0 ${flow}`);
    for (const length of ['clear mirror m snaplen', 'set mirror m snaplen=80']) {
      ok(`ovs-vsctl --timeout=20 ${length}`);
      await sleep(300);
      const text = ok('ovs-appctl ofproto/trace br0 in_port=1,tcp');
      found.push(/Datapath actions: .*/.exec(text)![0].replace(/src=[0-9a-f:]{17}/g, 'src=MAC'));
    }
  }
  return found;
}

test('a mirror of a tunnel port sees what goes there, as in Debian', { skip }, async (t) => {
  const w = world(t);
  const [ours, theirs] = [await intoTunnel(w.host('ours'), 'weft'), await intoTunnel(w.host('theirs'), 'debian')];
  assert.equal(ours[0], 'Datapath actions: 2');
  assert.deepEqual(ours, theirs);
});

for (const type of ['netdev', 'system']) {
  test(`a mirrored frame arrives, cut to its snaplen: ${type}`, { skip }, async (t) => {
    const w = world(t);
    const [h, a, b, m] = [w.host('h'), w.host('a'), w.host('b'), w.host('m')];
    w.wire(h, 'pa', a, 'eth0');
    w.wire(h, 'pb', b, 'eth0');
    w.wire(h, 'pm', m, 'eth0');
    a.ok('ip addr add 10.0.0.1/24 dev eth0');
    b.ok('ip addr add 10.0.0.2/24 dev eth0');
    await h.startOvsdb('weft');
    await h.startVswitchd('weft');
    h.ok(
      `ovs-vsctl --timeout=20 add-br br0 -- set bridge br0 datapath_type=${type} -- add-port br0 pa -- set interface pa ofport_request=1 -- add-port br0 pb -- set interface pb ofport_request=2 -- add-port br0 pm -- set interface pm ofport_request=3`,
    );
    h.ok(
      'ovs-vsctl --timeout=20 -- --id=@pa get port pa -- --id=@pm get port pm -- --id=@m create mirror name=m select_src_port=@pa output_port=@pm snaplen=60 -- set bridge br0 mirrors=@m',
    );
    const dump = m.start('tcpdump -n -e -l -i eth0 -c 2 icmp');
    while (!dump.output().includes('listening')) await sleep(50);
    a.ok('ping -c 3 -i 0.2 -w 10 10.0.0.2');
    await Promise.race([dump.ended, sleep(8000)]);
    assert.match(dump.output(), /length 60: .*10\.0\.0\.1 > 10\.0\.0\.2: .*ICMP echo request/);
    assert.doesNotMatch(dump.output(), /echo reply/);
    await dump.stop();
  });
}
