// NSH in the default datapath over real devices, as the kernel's program runs it: encapsulation before a whole frame, its fields, and back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holdFrames } from './support/held-frames.ts';
import { faults, pings, station, switchHost, tcp } from './support/traffic.ts';
import { cannot, eventually, type Host, world } from './support/world.ts';

const skip = cannot('ping', 'python3') || false;

test('frames go through a service path in the kernel: NSH on, changed, matched on, and off; tags, pings, TCP as found', {
  skip,
}, async (t) => {
  const w = world(t);
  const [h1, h2, h3] = [await switchHost(w, 'h1'), await switchHost(w, 'h2'), await switchHost(w, 'h3')];
  w.wire(h1, 'out', h2, 'in');
  w.wire(h2, 'out', h3, 'in');
  for (const [host, device] of [
    [h1, 'out'],
    [h2, 'in'],
    [h2, 'out'],
    [h3, 'in'],
  ] as const)
    host.ok(`ip link set ${device} mtu 1600`);
  const a = station(w, h1, 'a', 'va', '10.0.0.1/24', 'fd00::1/64');
  const b = station(w, h3, 'b', 'vb', '10.0.0.2/24', 'fd00::2/64');
  const ports = (host: Host, ...devices: string[]): void => {
    host.ok('ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure -- set open . other_config:vlan-limit=2');
    for (const [i, device] of devices.entries())
      host.ok(`ovs-vsctl add-port br0 ${device} -- set interface ${device} ofport_request=${i + 1}`);
  };
  ports(h1, 'va', 'out');
  ports(h2, 'in', 'out');
  ports(h3, 'vb', 'in');
  const flow = (host: Host, text: string): string => host.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'add-flow', 'br0', text]);
  const to = (spi: number): string =>
    `encap(nsh(md_type=1)),set_field:${spi}->nsh_spi,set_field:3->nsh_si,set_field:0x1234->nsh_c2,encap(ethernet),set_field:02:00:00:00:00:99->eth_dst`;
  // The frame inside has a tag that the kernel keeps in the metadata.
  flow(h1, `in_port=1,actions=push_vlan:0x8100,set_field:4101->vlan_vid,${to(7)},output:2`);
  flow(h3, `in_port=1,actions=push_vlan:0x8100,set_field:4101->vlan_vid,${to(8)},output:2`);
  // Behind NSH only its own path counts.
  flow(
    h2,
    'in_port=1,dl_type=0x894f,nsh_mdtype=1,nsh_spi=7,nsh_si=3,actions=dec_nsh_ttl,set_field:2->nsh_si,set_field:0x99->nsh_c1,output:2',
  );
  flow(h2, 'in_port=2,dl_type=0x894f,nsh_mdtype=1,nsh_spi=8,nsh_si=3,actions=dec_nsh_ttl,set_field:2->nsh_si,output:1');
  for (const [host, spi] of [
    [h3, 7],
    [h1, 8],
  ] as const) {
    flow(host, `in_port=2,dl_type=0x894f,nsh_mdtype=1,nsh_spi=${spi},nsh_si=2,actions=decap(),decap(),resubmit(,1)`);
    flow(host, 'table=1,dl_vlan=5,actions=pop_vlan,output:1');
  }
  await eventually('ping', () => pings(a, '10.0.0.2'));
  const [holder] = await holdFrames([[h3, 'in']]);
  a.ok('ping -c 20 -i 0.02 -W 1 10.0.0.2');
  a.ok('ping -c 20 -i 0.02 -W 1 fd00::2');
  const seen = await holder!.frames();
  // Ethernet of the path; TTL 62, length 6 words, type 1, next Ethernet; path 7, index 2; the context as it was set and changed.
  const expected = /^0200000000990{12}894f0f8601030000070200000099000012340{16}.{24}81000005(0800|86dd|0806)/;
  assert.ok(seen.filter((frame) => expected.test(frame)).length >= 40, String(seen.slice(0, 4)));
  for (const host of [h1, h2, h3]) {
    const busy = host
      .ok('ovs-appctl dpctl/dump-flows -m')
      .split('\n')
      .filter((line) => /packets:[1-9]\d/.test(line));
    assert.ok(busy.length >= 2, host.ok('ovs-appctl dpctl/dump-flows -m'));
    for (const line of busy) assert.match(line, /offloaded:yes/);
  }
  // Segments are made before they are wrapped: super-segments are user space's.
  await tcp(a, b, '10.0.0.2', 32);
  await tcp(b, a, 'fd00::1', 32);
  for (const host of [h1, h2, h3]) assert.deepEqual(faults(host), []);
});

test('an NSH that comes out of a tunnel is taken off in the kernel too', { skip }, async (t) => {
  const w = world(t);
  const [h1, h2] = [await switchHost(w, 'h1'), await switchHost(w, 'h2')];
  w.wire(h1, 'wan', h2, 'wan');
  for (const host of [h1, h2]) host.ok('ip link set wan mtu 1700');
  h1.ok('ip addr add 172.16.0.1/24 dev wan');
  h2.ok('ip addr add 172.16.0.2/24 dev wan');
  const a = station(w, h1, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h2, 'b', 'vb', '10.0.0.2/24');
  for (const [host, device, remote] of [
    [h1, 'va', '172.16.0.2'],
    [h2, 'vb', '172.16.0.1'],
  ] as const) {
    host.ok(
      `ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure -- add-port br0 ${device} -- set interface ${device} ofport_request=1`,
    );
    host.ok(`ovs-vsctl add-port br0 t0 -- set interface t0 type=vxlan options:remote_ip=${remote} ofport_request=2`);
    for (const flow of [
      'in_port=1,actions=encap(nsh(md_type=1)),set_field:7->nsh_spi,encap(ethernet),output:2',
      'in_port=2,dl_type=0x894f,nsh_mdtype=1,nsh_spi=7,actions=decap(),decap(),resubmit(,1)',
      'table=1,actions=output:1',
    ])
      host.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'add-flow', 'br0', flow]);
  }
  await eventually('ping', () => pings(a, '10.0.0.2'));
  const left = (host: Host): number => Number(/actions:(\d+)/.exec(host.ok('ovs-appctl dpif/show-dp-features br0'))![1]);
  const before = [h1, h2].map(left);
  const [holder] = await holdFrames([[b, 'eth0']]);
  a.ok('ping -c 40 -i 0.02 -W 1 10.0.0.2');
  const requests = (await holder!.frames()).filter((frame) => /^.{24}0800.{24}0a0000010a000002/.test(frame));
  assert.ok(requests.length >= 40, String(requests.length));
  for (const [i, host] of [h1, h2].entries()) assert.ok(left(host) - before[i]! < 10, `${left(host) - before[i]!} frames to user space`);
  await tcp(a, b, '10.0.0.2', 16);
  for (const host of [h1, h2]) assert.deepEqual(faults(host), []);
});

test('TCP as found goes through labels, with and without the kernel', { skip }, async (t) => {
  for (const datapath of ['system', 'netdev']) {
    const w = world(t);
    const [h1, h2] = [await switchHost(w, 'h1'), await switchHost(w, 'h2')];
    w.wire(h1, 'out', h2, 'out');
    for (const host of [h1, h2]) host.ok('ip link set out mtu 1600');
    const a = station(w, h1, 'a', 'va', '10.0.0.1/24');
    const b = station(w, h2, 'b', 'vb', '10.0.0.2/24');
    const [macA, macB] = [a, b].map((host) => host.ok('cat /sys/class/net/eth0/address').trim());
    a.ok(`ip neigh replace 10.0.0.2 lladdr ${macB} dev eth0`);
    b.ok(`ip neigh replace 10.0.0.1 lladdr ${macA} dev eth0`);
    for (const [host, device] of [
      [h1, 'va'],
      [h2, 'vb'],
    ] as const) {
      host.ok(`ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure datapath_type=${datapath}`);
      host.ok(`ovs-vsctl add-port br0 ${device} -- set interface ${device} ofport_request=1`);
      host.ok('ovs-vsctl add-port br0 out -- set interface out ofport_request=2');
      for (const flow of [
        'in_port=1,ip,actions=push_mpls:0x8847,set_field:77->mpls_label,output:2',
        'in_port=2,mpls,mpls_label=77,actions=pop_mpls:0x0800,output:1',
      ])
        host.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'add-flow', 'br0', flow]);
    }
    await eventually('ping', () => pings(a, '10.0.0.2'));
    t.diagnostic(`${datapath}: ${(await tcp(a, b, '10.0.0.2', 32)).toFixed(0)} Mbit/s`);
    for (const host of [h1, h2]) assert.deepEqual(faults(host), []);
    await w.end();
  }
});

test('bare packets between headers are user space’s, which handles them right, and are counted by cause', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24', 'fd00::1/64');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24', 'fd00::2/64');
  h.ok('ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure');
  for (const [i, port] of ['va', 'vb'].entries()) h.ok(`ovs-vsctl add-port br0 ${port} -- set interface ${port} ofport_request=${i + 1}`);
  const flow = (text: string): string => h.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'add-flow', 'br0', text]);
  const mac = (host: Host): string => host.ok('cat /sys/class/net/eth0/address').trim();
  flow('in_port=1,arp,actions=output:2');
  flow('in_port=2,actions=output:1');
  // An Ethernet header off and another on: in between there is a bare packet.
  const ethernet = `encap(ethernet),set_field:${mac(a)}->eth_src,set_field:${mac(b)}->eth_dst,output:2`;
  flow(`in_port=1,ip,actions=decap(),${ethernet}`);
  // And looked up as what it is, behind an NSH.
  flow('in_port=1,ipv6,actions=encap(nsh(md_type=1)),set_field:7->nsh_spi,resubmit(,1)');
  flow(`table=1,packet_type=(1,0x894f),nsh_spi=7,actions=decap(),output:2`);
  for (const to of ['10.0.0.2', 'fd00::2']) {
    const [holder] = await holdFrames([[b, 'eth0']]);
    assert.ok(pings(a, to), h.ok('ovs-appctl dpctl/dump-flows -m'));
    const header = new RegExp(`^${[mac(b), mac(a)].join('').replaceAll(':', '')}(0800|86dd)`);
    const frames = await holder!.frames();
    assert.ok(frames.filter((frame) => header.test(frame)).length >= 2, String(frames));
  }
  const left = /left to user space: (.*)/.exec(h.ok('ovs-appctl dpif/show-dp-features br0'))![1]!;
  for (const cause of ['popEth', 'pushNsh']) assert.match(left, new RegExp(`\\b${cause}:[1-9]`));
  await tcp(a, b, '10.0.0.2', 16);
  assert.match(h.ok('ovs-appctl dpctl/dump-flows -m'), /offloaded:no.*pop_eth/);
  assert.deepEqual(faults(h), []);
});
