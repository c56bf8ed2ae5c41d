// Frames whose memory others hold too while the kernel's program changes them: what a tap, a mirror, another port of a bridge or the sender's own
// TCP has of a frame stays as it was, and each port gets its own headers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32c, sumBytes } from '../../src/wire/checksum.ts';
import { holdFrames, sendFrames } from './support/held-frames.ts';
import { faults, station, switchHost, tcp } from './support/traffic.ts';
import { cannot, eventually, type Host, type Tools, type World, world } from './support/world.ts';

const skip = cannot('ping', 'python3', 'iptables', 'tc', 'ovs-vswitchd') || false;

const put16 = (b: Uint8Array, at: number, value: number): void => void b.set([(value >> 8) & 255, value & 255], at);
const MARK = 'WEFT-SHARED';

/** A packet with right checksums whose payload ends in a number. */
function packet(proto: number, isIpv6: boolean, number: number): number[] {
  const payload = [...Buffer.from(`${MARK}${String(number).padStart(6, '0')}`)];
  const head = { 6: 20, 17: 8, 132: 12, 1: 8, 58: 8 }[proto]!;
  const size = head + payload.length;
  const l4 = Uint8Array.from([...new Uint8Array(head), ...payload]);
  if (proto === 1 || proto === 58) l4.set([proto === 1 ? 8 : 128, 0, 0, 0, 0, 7, 0, 1]);
  else l4.set([0x0f, 0xa0, 0x13, 0x88]);
  if (proto === 6) l4.set([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0], 4);
  if (proto === 17) put16(l4, 4, size);
  const addresses = isIpv6 ? [...[0xfd, 0, ...new Uint8Array(13), 1], ...[0xfd, 0, ...new Uint8Array(13), 2]] : [10, 0, 0, 1, 10, 0, 0, 2];
  const pseudo = proto === 1 ? 0 : sumBytes(Uint8Array.from(addresses), 0, addresses.length, proto + size);
  if (proto === 132) new DataView(l4.buffer).setUint32(8, crc32c(l4, 0, size, 8), true);
  else put16(l4, { 6: 16, 17: 6, 1: 2, 58: 2 }[proto]!, ~sumBytes(l4, 0, size, pseudo));
  if (isIpv6) return [0x60, 0, 0, 0, 0, size, proto, 64, ...addresses, ...l4];
  const ip = Uint8Array.from([0x45, 0, 0, 20 + size, 0, number & 255, 0, 0, 64, proto, 0, 0, ...addresses]);
  put16(ip, 10, ~sumBytes(ip, 0, 20));
  return [...ip, ...l4];
}

const ETHERNET = [0x02, 0, 0, 0, 0, 0xbb, 0x02, 0, 0, 0, 0, 0xaa];
const tagged = (tags: number[], type: number[], body: number[]): string =>
  Buffer.from([...ETHERNET, ...tags, ...type, ...body]).toString('hex');
const ipv4 = [8, 0];
const ipv6 = [0x86, 0xdd];

/** What is sent, and what the switch does with it: different things at each port. */
const CASES: [string, (number: number) => string][] = [
  [
    'udp,actions=output:2,set_field:10.9.9.9->ip_dst,set_field:77->udp_dst,output:3,push_vlan:0x8100,set_field:4101->vlan_vid,output:4,dec_ttl,LOCAL',
    (n) => tagged([], ipv4, packet(17, false, n)),
  ],
  [
    'udp6,actions=set_field:fd00::99->ipv6_dst,output:2,set_field:5->udp_src,output:3,dec_ttl,push_vlan:0x88a8,set_field:4105->vlan_vid,output:4',
    (n) => tagged([], ipv6, packet(17, true, n)),
  ],
  ['tcp,actions=group:1', (n) => tagged([], ipv4, packet(6, false, n))],
  ['sctp,actions=set_field:9->sctp_dst,output:2,set_field:8->sctp_src,output:3,output:4', (n) => tagged([], ipv4, packet(132, false, n))],
  // Of the same flow: a checksum that is wrong stays wrong by as much.
  ['', (n) => tagged([], ipv4, packet(132, false, n)).replace(/.{8}(?=574546542d)/, '12345678')],
  ['sctp6,actions=output:2,set_field:fd00::7->ipv6_src,set_field:8->sctp_src,output:3', (n) => tagged([], ipv6, packet(132, true, n))],
  ['icmp,actions=set_field:10.1.2.3->ip_src,output:2,set_field:3->icmp_code,output:3,LOCAL', (n) => tagged([], ipv4, packet(1, false, n))],
  [
    'icmp6,actions=set_field:fd00::99->ipv6_src,output:2,set_field:02:00:00:00:00:99->eth_dst,output:3,output:4',
    (n) => tagged([], ipv6, packet(58, true, n)),
  ],
  [
    'dl_vlan=5,udp,actions=pop_vlan,output:2,push_vlan:0x8100,set_field:4106->vlan_vid,output:3,set_field:3->vlan_pcp,dec_ttl,output:4',
    (n) => tagged([0x81, 0, 0, 5], ipv4, packet(17, false, n)),
  ],
  [
    'dl_vlan=6,actions=output:2,pop_vlan,output:3,push_vlan:0x88a8,set_field:4103->vlan_vid,output:4',
    (n) => tagged([0x88, 0xa8, 0, 6, 0x81, 0, 0, 7], ipv4, packet(17, false, n)),
  ],
  [
    'mpls,actions=dec_mpls_ttl,output:2,set_field:55->mpls_label,output:3,pop_mpls:0x0800,output:4',
    (n) => tagged([0x88, 0x47, 0, 1, 1, 64], [], packet(17, false, n)),
  ],
];
const EACH = 30;
const GROUP =
  'group_id=1,type=all,bucket=set_field:02:00:00:00:00:77->eth_dst,output:2,bucket=set_field:10.1.1.1->ip_src,set_field:99->tcp_src,output:3,bucket=push_vlan:0x8100,set_field:4109->vlan_vid,dec_ttl,output:4';

/** y - bridge in a, which floods to x and to the switch and mirrors what goes there to z - switch in h - b, c, d. */
async function build(w: World, tools: Tools): Promise<{ h: Host; a: Host; y: Host; places: [Host, string][] }> {
  const h = await switchHost(w, 'h', tools);
  const a = w.host('a');
  w.wire(h, 'va', a, 'e0');
  const [x, y, z] = (['x', 'y', 'z'] as const).map((name) => station(w, a, name, `p${name}`)) as [Host, Host, Host];
  a.ok('ip link add kb type bridge && ip link set kb up && for d in e0 px py; do ip link set $d master kb; done');
  a.ok('tc qdisc add dev e0 clsact && tc filter add dev e0 egress u32 match u32 0 0 action mirred egress mirror dev pz');
  const [b, c, d] = (['b', 'c', 'd'] as const).map((name) => station(w, h, name, `v${name}`)) as [Host, Host, Host];
  for (const host of [h, a, x, y, z, b, c, d]) host.ok('sysctl -qw net.ipv6.conf.all.disable_ipv6=1');
  h.ok(`ovs-vsctl add-br br0 -- set bridge br0 ${tools === 'debian' ? 'datapath_type=netdev ' : ''}fail_mode=secure`, { tools });
  h.ok('ovs-vsctl set open . other_config:vlan-limit=2 && ip link set br0 up', { tools });
  for (const [i, port] of ['va', 'vb', 'vc', 'vd'].entries())
    h.ok(`ovs-vsctl --timeout=10 add-port br0 ${port} -- set interface ${port} ofport_request=${i + 1}`, { tools });
  h.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'add-group', 'br0', GROUP], { tools });
  for (const [i, [flow]] of CASES.entries())
    if (flow !== '') h.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'add-flow', 'br0', `priority=${100 + i},in_port=1,${flow}`], { tools });
  return {
    h,
    a,
    y,
    places: [
      [x, 'eth0'],
      [z, 'eth0'],
      [h, 'va'],
      [b, 'eth0'],
      [c, 'eth0'],
      [d, 'eth0'],
      [h, 'br0'],
    ],
  };
}

/** What came to each place of the frames that were sent, in the order of their numbers. */
async function outputs(tools: Tools, t: { after(fn: () => unknown): void }): Promise<string[][]> {
  const w = world(t);
  const { h, y, places } = await build(w, tools);
  const frames = CASES.flatMap(([, make], i) => Array.from({ length: EACH }, (_, n) => make(1000 * (i + 1) + n)));
  // Until the flows are in the kernel.
  const warm = CASES.map(([, make]) => make(1));
  for (let i = 0; i < 3; i++) sendFrames(y, 'eth0', warm);
  if (tools === 'weft') {
    await eventually('all flows are in the kernel', () => {
      sendFrames(y, 'eth0', warm);
      const flows = h.ok('ovs-appctl dpctl/dump-flows -m').split('\n');
      const ours = flows.filter((line) => line.includes('in_port(va)') && line.includes('src=02:00:00:00:00:aa'));
      return ours.length >= CASES.length - 1 && ours.every((line) => line.includes('offloaded:yes'));
    });
    await sleep(500);
  }
  const holders = await holdFrames(places);
  const before = h.run('ovs-appctl dpif/show-dp-features br0', { tools }).stdout;
  const came = (): number[] => ['vb', 'vc', 'vd'].map((device) => Number(h.ok(`cat /sys/class/net/${device}/statistics/tx_packets`)));
  const cameBefore = came();
  sendFrames(y, 'eth0', frames);
  await eventually('all has come', () => came().every((count, i) => count - cameBefore[i]! >= EACH * [11, 11, 9][i]!));
  await sleep(300);
  const count = (text: string): string => /frames to user space: (.*)/.exec(text)?.[1] ?? '';
  if (tools === 'weft') assert.equal(count(h.ok('ovs-appctl dpif/show-dp-features br0')), count(before), 'the kernel carried all');
  if (tools === 'weft') assert.deepEqual(faults(h), []);
  const all: string[][] = [];
  const mark = Buffer.from(MARK).toString('hex');
  for (const one of holders) {
    const seen = (await one.frames()).filter((frame) => frame.includes(mark));
    const numberOf = (frame: string): string => frame.slice(frame.indexOf(mark) + mark.length);
    all.push(seen.sort((p, q) => (numberOf(p) + p < numberOf(q) + q ? -1 : 1)));
  }
  assert.deepEqual(
    all[0],
    frames.slice().sort((p, q) => (p.slice(p.indexOf(mark)) < q.slice(q.indexOf(mark)) ? -1 : 1)),
  );
  return all;
}

test('copies of a frame have headers of their own, and what others hold of it stays as it was', { skip }, async (t) => {
  const [ours, theirs] = [await outputs('weft', t), await outputs('debian', t)];
  for (const [i, name] of ['another port of the bridge', 'a mirror', 'a tap', 'port 2', 'port 3', 'port 4', 'the host'].entries()) {
    assert.deepEqual(ours[i], theirs[i], name);
    if (i < 3) assert.deepEqual(ours[i], ours[0], name);
  }
  assert.deepEqual(
    ours.map((list) => list.length / EACH),
    [11, 11, 11, 11, 11, 9, 2],
  );
});

/** Retransmitted segments of all TCP there. */
const retransmitted = (host: Host): number => {
  const [names, values] = host
    .ok('cat /proc/net/snmp')
    .split('\n')
    .filter((line) => line.startsWith('Tcp:'))
    .map((line) => line.split(' '));
  return Number(values![names!.indexOf('RetransSegs')]);
};

/** Mean size of the frames of TCP's largest flow. */
const frameSize = (host: Host): number => {
  const flows = host.ok('ovs-appctl dpctl/dump-flows -m').split('\n');
  const sizes = flows.map((line) => Number(/bytes:(\d+)/.exec(line)?.[1] ?? 0) / Number(/packets:([1-9]\d*)/.exec(line)?.[1] ?? 1));
  return Math.max(...sizes);
};

/** Sends to an address that two flows translate; everything arrives, though a part is lost on the way and sent again. */
async function translated(a: Host, b: Host, h: Host): Promise<void> {
  for (const host of [a, b]) host.ok('iptables -A INPUT -p tcp -m statistic --mode random --probability 0.02 -j DROP');
  const before = retransmitted(a);
  // What is lost is chance.
  for (let tries = 0; tries < 5 && retransmitted(a) - before <= 5; tries++) await tcp(a, b, '10.0.0.100', 256, '10.0.0.2');
  assert.ok(retransmitted(a) - before > 5, `${retransmitted(a) - before} segments sent again`);
  // None of the segments themselves is longer than 1514 bytes.
  assert.ok(frameSize(h) > 1600, `super-segments: ${frameSize(h)}`);
  const flows = h
    .ok('ovs-appctl dpctl/dump-flows -m')
    .split('\n')
    .filter((line) => line.includes('eth_type(0x0800)') && /packets:\d{3}/.test(line));
  assert.ok(flows.length >= 2, String(flows));
  for (const flow of flows) assert.match(flow, /offloaded:yes/);
  for (const host of [a, b]) host.ok('iptables -F INPUT');
}

test('what TCP sends again is what it sent, though headers were rewritten in memory that it shares', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok('ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure && ip link set br0 up && ip addr add 10.0.0.3/24 dev br0');
  for (const [i, port] of ['va', 'vb'].entries()) h.ok(`ovs-vsctl add-port br0 ${port} -- set interface ${port} ofport_request=${i + 1}`);
  const mac = b.ok('cat /sys/class/net/eth0/address').trim();
  const seen = '02:00:00:00:01:00';
  for (const host of [a, h]) host.ok(`ip neigh replace 10.0.0.100 lladdr ${seen} dev ${host === a ? 'eth0' : 'br0'}`);
  b.ok('ip neigh replace 10.0.0.200 lladdr 02:00:00:00:02:00 dev eth0');
  for (const [port, host, address] of [
    ['1', a, '10.0.0.1'],
    ['LOCAL', h, '10.0.0.3'],
  ] as const) {
    const back = host.ok(`cat /sys/class/net/${host === a ? 'eth0' : 'br0'}/address`).trim();
    h.ok('ovs-ofctl del-flows br0');
    h.ok([
      'ovs-ofctl',
      'add-flow',
      'br0',
      `in_port=${port},tcp,nw_dst=10.0.0.100,actions=mod_dl_dst:${mac},mod_nw_src:10.0.0.200,mod_nw_dst:10.0.0.2,dec_ttl,output:2`,
    ]);
    const answer = `mod_dl_src:${seen},mod_dl_dst:${back},mod_nw_src:10.0.0.100,mod_nw_dst:${address},mod_nw_tos:32,output:${port}`;
    h.ok(['ovs-ofctl', 'add-flow', 'br0', `in_port=2,tcp,nw_dst=10.0.0.200,actions=${answer}`]);
    // A socket that holds frames is one more who has them.
    const [holder] = await holdFrames([[h, 'va']]);
    await translated(host, b, h);
    await holder!.frames();
  }
  assert.deepEqual(faults(h), []);
});

test('super-segments with two tags are rewritten between two switches, whatever is lost', { skip }, async (t) => {
  const w = world(t);
  const [h1, h2] = [await switchHost(w, 'h1'), await switchHost(w, 'h2')];
  w.wire(h1, 'trunk', h2, 'trunk');
  const a = station(w, h1, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h2, 'b', 'vb', '10.0.0.2/24');
  const [macA, macB] = [a, b].map((host) => host.ok('cat /sys/class/net/eth0/address').trim());
  a.ok(`ip neigh replace 10.0.0.100 lladdr ${macB} dev eth0`);
  b.ok(`ip neigh replace 10.0.0.1 lladdr ${macA} dev eth0`);
  for (const [host, port] of [
    [h1, 'va'],
    [h2, 'vb'],
  ] as const) {
    host.ok('ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure -- set open . other_config:vlan-limit=2');
    host.ok(`ovs-vsctl add-port br0 ${port} -- set interface ${port} ofport_request=1`);
    host.ok('ovs-vsctl add-port br0 trunk -- set interface trunk ofport_request=2');
  }
  const flow = (host: Host, match: string, actions: string): string =>
    host.ok(['ovs-ofctl', ...(actions.includes('push') ? ['-O', 'OpenFlow13'] : []), 'add-flow', 'br0', `${match},actions=${actions}`]);
  for (const tags of [1, 2]) {
    for (const host of [h1, h2]) host.ok('ovs-ofctl del-flows br0');
    const push = ['push_vlan:0x8100,set_field:4101->vlan_vid', 'push_vlan:0x88a8,set_field:4102->vlan_vid'].slice(0, tags).join();
    const pop = Array.from({ length: tags }, () => 'pop_vlan').join();
    flow(h1, 'in_port=1,tcp', `set_field:10.0.0.2->ip_dst,${push},output:2`);
    flow(h2, 'in_port=1,tcp', `set_field:10.0.0.100->ip_src,${push},output:2`);
    const is = tags === 2 ? 'dl_vlan=6' : 'dl_vlan=5,tcp';
    for (const host of [h1, h2]) flow(host, `in_port=2,${is}`, `${pop},output:1`);
    await translated(a, b, h2);
  }
  for (const host of [h1, h2]) assert.deepEqual(faults(host), []);
});

test('what goes through a tunnel and to a port beside it, rewritten for each, is sent again as it was', { skip }, async (t) => {
  const w = world(t);
  const [h1, h2] = [await switchHost(w, 'h1'), await switchHost(w, 'h2')];
  w.wire(h1, 'wan', h2, 'wan');
  h1.ok('ip addr add 172.16.0.1/24 dev wan');
  h2.ok('ip addr add 172.16.0.2/24 dev wan');
  const a = station(w, h1, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h2, 'b', 'vb', '10.0.0.2/24');
  const c = station(w, h1, 'c', 'vc');
  for (const host of [a, b]) host.ok('ip link set eth0 mtu 1400');
  const [macA, macB] = [a, b].map((host) => host.ok('cat /sys/class/net/eth0/address').trim());
  a.ok(`ip neigh replace 10.0.0.100 lladdr ${macB} dev eth0`);
  b.ok(`ip neigh replace 10.0.0.1 lladdr ${macA} dev eth0`);
  for (const [host, port, remote] of [
    [h1, 'va', '172.16.0.2'],
    [h2, 'vb', '172.16.0.1'],
  ] as const) {
    host.ok(`ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure -- add-port br0 ${port} -- set interface ${port} ofport_request=1`);
    host.ok(`ovs-vsctl add-port br0 t0 -- set interface t0 type=vxlan options:remote_ip=${remote} ofport_request=2`);
    host.ok('ip link set br0 up && ovs-ofctl add-flow br0 in_port=2,actions=output:1');
  }
  h1.ok('ovs-vsctl add-port br0 vc -- set interface vc ofport_request=3');
  h1.ok(['ovs-ofctl', 'add-flow', 'br0', 'in_port=1,tcp,actions=mod_nw_dst:10.0.0.2,output:2,mod_nw_dst:10.9.9.9,mod_tp_dst:7,output:3']);
  h2.ok(['ovs-ofctl', 'add-flow', 'br0', 'in_port=1,tcp,actions=mod_nw_src:10.0.0.100,dec_ttl,output:2']);
  const [tap, copies] = await holdFrames([
    [h1, 'va'],
    [c, 'eth0'],
  ]);
  await translated(a, b, h2);
  const ends = (frames: string[]): Set<string> =>
    new Set(frames.filter((frame) => frame.slice(46, 48) === '06').map((frame) => frame.slice(52, 68)));
  assert.deepEqual(ends(await tap!.frames()), new Set(['0a0000010a000064']));
  assert.deepEqual(ends(await copies!.frames()), new Set(['0a0000010a090909']));
  for (const host of [h1, h2]) assert.deepEqual(faults(host), []);
});

const member = `
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('239.1.2.3', 5000)); s.settimeout(3)
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton('239.1.2.3') + socket.inet_aton(sys.argv[1]))
s.setsockopt(socket.IPPROTO_IP, 12, 1); s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 9)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
wrong = 0
for i in range(int(sys.argv[2])):
    s.sendto(b'%06d' % i * 100, ('239.1.2.3', 5000))
    text, more, _, source = s.recvmsg(2000, 64)
    wrong += (text, source[0], struct.unpack('i', more[0][2])[0]) != (b'%06d' % i * 100, sys.argv[1], 9)
print(wrong, flush=True)
`;

test("a multicast packet's copy for its sender's own host stays as it was", { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok('ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure && ip link set br0 up && ip addr add 10.0.0.3/24 dev br0');
  for (const [i, port] of ['va', 'vb'].entries()) h.ok(`ovs-vsctl add-port br0 ${port} -- set interface ${port} ofport_request=${i + 1}`);
  for (const [port, host, address] of [
    ['1', a, '10.0.0.1'],
    ['LOCAL', h, '10.0.0.3'],
  ] as const) {
    h.ok(['ovs-ofctl', 'add-flow', 'br0', `in_port=${port},udp,actions=mod_nw_src:10.9.9.9,mod_tp_dst:7,dec_ttl,output:2`]);
    const device = host === a ? 'va' : 'br0';
    const carried = (): number => {
      const flows = h.ok('ovs-appctl dpctl/dump-flows -m').split('\n');
      const ours = flows.find((line) => line.includes(`in_port(${device})`) && line.includes('proto=17,'));
      return ours?.includes('offloaded:yes') === true ? Number(/packets:(\d+)/.exec(ours)![1]) : 0;
    };
    await eventually('the kernel carries it', () => {
      host.ok(['python3', '-c', member, address, '5']);
      return carried() > 0;
    });
    const [holder] = await holdFrames([[b, 'eth0']]);
    assert.equal(host.ok(['python3', '-c', member, address, '500']).trim(), '0', port);
    await eventually('carried', () => carried() >= 500);
    const came = (await holder!.frames()).filter((frame) => frame.slice(46, 48) === '11' && frame.slice(52, 60) === '0a090909');
    assert.equal(came.length, 500, port);
    // The time to live, and the port.
    for (const frame of came) assert.deepEqual([frame.slice(44, 46), frame.slice(72, 76)], ['08', '0007'], port);
  }
});
