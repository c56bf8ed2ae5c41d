// The default datapath under real traffic: TCP with all offloads as they are found, through ports, the host and VLANs, carried by the kernel.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cannot, eventually, type Host, type World, world } from './support/world.ts';

const skip = cannot('iperf3', 'ping') || false;

async function switchHost(w: World, name: string): Promise<Host> {
  const host = w.host(name);
  await host.startOvsdb('weft');
  await host.startVswitchd('weft');
  return host;
}

function station(w: World, host: Host, name: string, port: string, address: string): Host {
  const made = w.host(name);
  w.wire(host, port, made, 'eth0');
  if (address !== '') made.ok(`ip addr add ${address} dev eth0`);
  return made;
}

/** Gbit/s of a second of TCP. */
async function tcp(from: Host, to: Host, address: string): Promise<number> {
  const server = to.start(['iperf3', '-s', '-1']);
  try {
    return await eventually('iperf3', () => {
      const text = from.ok(['iperf3', '-c', address, '-t', '1', '-J'], { timeout: 15_000 });
      return (JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } }).end.sum_received.bits_per_second / 1e9;
    });
  } finally {
    await server.stop();
  }
}

test('TCP between stations, to and from the host, and over VLANs', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok(
    'ovs-vsctl add-br br0 -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2',
  );
  h.ok('ip addr add 10.0.0.3/24 dev br0 && ip link set br0 up');
  const rates: Record<string, number> = {
    'station to station': await tcp(a, b, '10.0.0.2'),
    'station to host': await tcp(a, h, '10.0.0.3'),
    'host to station': await tcp(h, b, '10.0.0.2'),
  };
  const flows = h.ok('ovs-appctl dpctl/dump-flows -m');
  const tcpFlows = flows.split('\n').filter((line) => /eth_type\(0x0800\)/.test(line));
  assert.ok(tcpFlows.length >= 4, flows);
  for (const line of tcpFlows) assert.match(line, /offloaded:yes, dp:tc/);
  const features = h.ok('ovs-appctl dpif/show-dp-features br0');
  assert.match(features, /^eBPF: Yes$/m);
  const [, punted = '0'] = /to user space: miss:(\d+)/.exec(features) ?? [];
  const [, hit = '0'] = /hit:(\d+)/.exec(h.ok('ovs-appctl dpctl/show')) ?? [];
  assert.ok(Number(hit) > 1000 && Number(punted) * 20 < Number(hit), `hit ${hit}, ${features}`);
  // Access ports of two switches with a trunk between them, and the VLAN's internal port as a gateway has it.
  const h2 = await switchHost(w, 'h2');
  const c = station(w, h2, 'c', 'vc', '10.7.0.2/24');
  w.wire(h, 'trunk', h2, 'trunk');
  h2.ok('ovs-vsctl add-br br0 -- add-port br0 vc tag=7 -- add-port br0 trunk trunks=7');
  h.ok('ovs-vsctl add-port br0 trunk trunks=7 -- set port va tag=7');
  a.ok('ip addr add 10.7.0.1/24 dev eth0');
  rates['over a trunk'] = await tcp(a, c, '10.7.0.2');
  h.ok('ovs-vsctl add-port br0 gw7 tag=7 -- set interface gw7 type=internal');
  h.ok('ip addr add 10.7.0.3/24 dev gw7 && ip link set gw7 up');
  rates['trunk to host'] = await tcp(c, h, '10.7.0.3');
  rates['host to trunk'] = await tcp(h, c, '10.7.0.2');
  const vlans = h.ok('ovs-appctl dpctl/dump-flows -m').split('\n');
  assert.ok(
    vlans.some((line) => /push_vlan\(vid=7/.test(line) && /offloaded:yes/.test(line)),
    vlans.join('\n'),
  );
  assert.ok(
    vlans.some((line) => /pop_vlan/.test(line) && /offloaded:yes/.test(line)),
    vlans.join('\n'),
  );
  t.diagnostic(JSON.stringify(rates));
  for (const [name, rate] of Object.entries(rates)) assert.ok(rate > 0.05, `${name}: ${rate} Gbit/s; ${JSON.stringify(rates)}`);
  const counters = h.ok('ovs-vsctl get interface va statistics:rx_packets statistics:tx_packets').trim().split('\n').map(Number);
  assert.ok(
    counters.every((count) => count > 1000),
    String(counters),
  );
});

test('rewritten TCP keeps its checksums, super-segments and partial checksums included', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok(
    'ovs-vsctl add-br br0 -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2',
  );
  a.ok('ip -6 addr add fd00::1/64 dev eth0 nodad');
  b.ok('ip -6 addr add fd00::2/64 dev eth0 nodad');
  // b is also known as 10.0.0.99 and fd00::99, port 80 standing for 5201.
  const mac = b.ok('cat /sys/class/net/eth0/address').trim();
  a.ok(`ip neigh replace 10.0.0.99 lladdr ${mac} dev eth0`);
  a.ok(`ip -6 neigh replace fd00::99 lladdr ${mac} dev eth0`);
  for (const flow of [
    'tcp,nw_dst=10.0.0.99,tp_dst=80,actions=mod_nw_dst:10.0.0.2,mod_tp_dst:5201,dec_ttl,mod_nw_tos:16,output:2',
    'tcp,in_port=2,nw_dst=10.0.0.1,tp_src=5201,actions=mod_nw_src:10.0.0.99,mod_tp_src:80,output:1',
    'tcp6,ipv6_dst=fd00::99,tp_dst=80,actions=set_field:fd00::2->ipv6_dst,mod_tp_dst:5201,output:2',
    'tcp6,in_port=2,ipv6_dst=fd00::1,tp_src=5201,actions=set_field:fd00::99->ipv6_src,mod_tp_src:80,output:1',
  ]) {
    h.ok(['ovs-ofctl', 'add-flow', 'br0', `priority=9,${flow}`]);
  }
  for (const address of ['10.0.0.99', 'fd00::99']) {
    const server = b.start(['iperf3', '-s', '-1']);
    const rate = await eventually('iperf3', () => {
      const text = a.ok(['iperf3', '-c', address, '-p', '80', '-t', '1', '-J'], { timeout: 15_000 });
      return (JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } }).end.sum_received.bits_per_second / 1e9;
    });
    await server.stop();
    assert.ok(rate > 0.05, `${address}: ${rate} Gbit/s`);
  }
  const flows = h.ok('ovs-appctl dpctl/dump-flows -m');
  const changed = flows.split('\n').filter((line) => /set\((tcp|ipv4|ipv6)/.test(line));
  assert.ok(changed.length >= 4, flows);
  for (const line of changed) assert.match(line, /offloaded:yes/);
});

test('two instances do not see each other, and nothing is left after exit --cleanup', { skip }, async (t) => {
  const w = world(t);
  const h1 = await switchHost(w, 'h1');
  const h2 = await switchHost(w, 'h2');
  const stations: Host[] = [];
  for (const [i, host] of [h1, h2].entries()) {
    stations.push(station(w, host, `a${i}`, 'va', '10.0.0.1/24'), station(w, host, `b${i}`, 'vb', '10.0.0.2/24'));
    host.ok(
      'ovs-vsctl add-br br0 -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2',
    );
  }
  const [a1, , a2] = stations as [Host, Host, Host, Host];
  h1.ok('ovs-ofctl add-flow br0 priority=9,icmp,actions=drop');
  a1.run('ping -c 1 -W 1 10.0.0.2');
  assert.equal(a1.run('ping -c 2 -i 0.2 -W 1 10.0.0.2').code, 1);
  assert.equal(a2.run('ping -c 2 -i 0.2 -W 1 10.0.0.2').code, 0);
  h1.ok('ovs-appctl exit --cleanup');
  await eventually('down', () => h1.run('test -e ovs-vswitchd.pid && exit 1; ip -br link | grep -q br0 && exit 1; exit 0').code === 0);
  // The device is the host's own again: no program takes its frames.
  h1.ok('ip addr add 10.0.0.9/24 dev va');
  assert.equal(a1.run('ping -c 2 -i 0.2 -W 1 10.0.0.9').code, 0);
  assert.equal(a2.run('ping -c 2 -i 0.2 -W 1 10.0.0.2').code, 0);
});

test('where the kernel refuses, user space carries the frames, and says so', { skip: cannot('setpriv', 'ping') || skip }, async (t) => {
  const w = world(t);
  const h = w.host('h');
  await h.startOvsdb('weft');
  const without = '-bpf,-sys_admin,-perfmon';
  h.ok(`setpriv --inh-caps=${without} --bounding-set=${without} ovs-vswitchd --detach --no-chdir --pidfile --log-file`, {
    timeout: 30_000,
  });
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok(
    'ovs-vsctl add-br br0 -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2',
  );
  assert.equal(a.run('ping -c 2 -i 0.2 -W 1 10.0.0.2').code, 0);
  assert.match(h.ok('ovs-appctl dpif/show-dp-features br0'), /^eBPF: No$/m);
  const said = h
    .log('ovs-vswitchd')
    .split('\n')
    .filter((line) => /system datapath/.test(line));
  assert.equal(said.length, 1, said.join('\n'));
  assert.match(said[0] ?? '', /in user space.*Operation not permitted/);
  // What is missing and how to get it; the switch can run all the same.
  const doctor = h.ok(`setpriv --inh-caps=${without} --bounding-set=${without} weft doctor`);
  assert.match(doctor, /^- eBPF +bpf\(BPF_PROG_LOAD\): Operation not permitted\n +run as root, or with --cap-add=BPF/m);
  assert.match(doctor, /The switch can run here/);
});
