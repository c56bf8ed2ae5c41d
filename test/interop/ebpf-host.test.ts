// The default datapath between the host and the switch: whose a frame is, and what is counted and aged when the kernel carries it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pings, station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, world } from './support/world.ts';

const skip = cannot('ping', 'python3', 'tcpdump', 'iptables') || false;

/** Sends UDP frames to a port of 10.0.0.2. */
const burst = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('0.0.0.0', 4000))
for _ in range(int(sys.argv[1])): s.sendto(b'x' * 58, ('10.0.0.2', int(sys.argv[2])))
`;
const send = (from: Host, count: number, port = 9): string => from.ok(['python3', '-c', burst, String(count), String(port)]);

/** Packets that the host's own stack has taken in: any that reach a rule of its netfilter's first hook. */
const heardByHost = (h: Host, match: string): number =>
  Number(new RegExp(`\\n +(\\d+) .*${match}`).exec(h.ok('iptables -t raw -L PREROUTING -v -n -x'))?.[1]);

test("the switch's frames never reach the host's stack, and the host's always do", { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  station(w, h, 'b', 'vb', '10.0.0.2/24');
  // A system port with an address of its own: what comes in there is the switch's all the same.
  h.ok('ip addr add 10.77.0.7/24 dev va && ip addr add 10.78.0.8/24 dev vb');
  h.ok('sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.arp_ignore=1');
  h.ok(
    'ovs-vsctl add-br br0 -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2',
  );
  // The gateway: the internal port, with translation to another network.
  h.ok('ip addr add 10.0.0.3/24 dev br0 && ip link set br0 up');
  const out = station(w, h, 'out', 'vo', '192.168.9.2/24');
  h.ok('ip addr add 192.168.9.1/24 dev vo');
  h.ok('iptables -t nat -A POSTROUTING -o vo -j MASQUERADE');
  h.ok('iptables -t raw -A PREROUTING -i va && iptables -t raw -A PREROUTING -i vb && iptables -t raw -A PREROUTING -i br0');
  a.ok('ip route add default via 10.0.0.3');
  const mac = h.ok('cat /sys/class/net/va/address').trim();
  assert.ok(pings(a, '10.0.0.2'));
  // To the port's own addresses, by ARP and by MAC: the host does not answer.
  a.ok('ip route add 10.77.0.0/24 dev eth0');
  assert.equal(a.run('ping -c 1 -W 1 10.77.0.7').code, 1);
  a.ok(`ip neigh replace 10.77.0.7 lladdr ${mac} dev eth0`);
  assert.equal(a.run('ping -c 2 -i 0.2 -W 1 10.77.0.7').code, 1);
  // New flows, known flows, and flows that user space has: none is seen by the host.
  send(a, 500);
  h.ok(['ovs-ofctl', 'add-flow', 'br0', 'priority=9,udp,tp_dst=10,actions=ct(commit),normal']);
  send(a, 100, 10);
  assert.equal(heardByHost(h, 'va '), 0);
  assert.equal(heardByHost(h, 'vb '), 0);
  // What is for the host comes to it, through iptables, and answers come back.
  const before = heardByHost(h, 'br0 ');
  assert.ok(pings(a, '10.0.0.3'));
  assert.ok(pings(a, '192.168.9.2'), 'through NAT on the gateway');
  assert.ok(heardByHost(h, 'br0 ') - before >= 4);
  h.ok('iptables -A INPUT -i br0 -p icmp -j DROP');
  assert.equal(a.run('ping -c 2 -i 0.2 -W 1 10.0.0.3').code, 1);
  assert.ok(pings(a, '192.168.9.2'), 'forwarded packets do not pass INPUT');
  assert.equal(out.run('ping -c 1 -W 1 10.0.0.1').code, 2, 'nobody told it of that network');
});

test('a device that becomes the underlay of a tunnel stays the host’s, but for the packets of the tunnel', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const h2 = await switchHost(w, 'h2');
  w.wire(h, 'wan', h2, 'wan');
  h.ok('ip addr add 172.16.0.1/24 dev wan');
  h2.ok('ip addr add 172.16.0.2/24 dev wan');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  station(w, h2, 'b', 'vb', '10.0.0.2/24');
  for (const [host, port, remote] of [
    [h, 'va', '172.16.0.2'],
    [h2, 'vb', '172.16.0.1'],
  ] as const)
    host.ok(
      `ovs-vsctl add-br br0 -- add-port br0 ${port} -- add-port br0 t0 -- set interface t0 type=vxlan options:remote_ip=${remote} options:key=5`,
    );
  await eventually('through the tunnel', () => pings(a, '10.0.0.2'));
  h.ok('iptables -t raw -A PREROUTING -i wan -p udp --dport 4789');
  const tunnelled = heardByHost(h, 'dpt:4789');
  a.ok('ping -c 20 -i 0.02 -W 1 10.0.0.2');
  assert.ok(pings(h2, '172.16.0.1'), 'the host itself');
  // The first few may have gone through the host's socket.
  assert.ok(heardByHost(h, 'dpt:4789') - tunnelled <= 4);
  // Nobody waited for the program, which began as a filter; now it is a link that carries the same, and the next daemon's too.
  const filters = (): number => h.ok('tc filter show dev wan ingress').match(/direct-action/g)?.length ?? 0;
  const carries = (): void => {
    const before = heardByHost(h, 'dpt:4789');
    a.ok('ping -c 20 -i 0.02 -W 1 10.0.0.2');
    assert.ok(heardByHost(h, 'dpt:4789') - before <= 4);
    assert.equal(filters(), 0);
  };
  await eventually('a link', () => filters() === 0, 20_000);
  carries();
  process.kill(h.pidOf('ovs-vswitchd'), 'SIGKILL');
  h.ok('ovs-vswitchd --detach --no-chdir --pidfile --log-file', { timeout: 60_000 });
  await eventually('through the tunnel', () => pings(a, '10.0.0.2'));
  carries();
  const port = w.host('other');
  w.wire(h, 'vc', port, 'eth0');
  h.ok('ip addr add 172.17.0.1/24 dev vc');
  port.ok('ip addr add 172.17.0.2/24 dev eth0');
  assert.ok(pings(port, '172.17.0.1'), 'another device with an address');
});

test('what the kernel carries is counted within a second, keeps its OpenFlow flow alive, and ages when it ends', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok(
    'ovs-vsctl add-br br0 -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2 -- set open . other_config:stats-update-interval=1000',
  );
  h.ok('ovs-vsctl set interface va ofport_request=1 -- set interface vb ofport_request=2 -- set bridge br0 fail_mode=secure');
  for (const host of [a, b]) host.ok('ip -6 addr flush dev eth0');
  a.ok(`ip neigh replace 10.0.0.2 lladdr ${b.ok('cat /sys/class/net/eth0/address').trim()} dev eth0`);
  h.ok(['ovs-ofctl', 'add-flow', 'br0', 'priority=9,in_port=1,udp,tp_dst=7,idle_timeout=3,actions=output:2']);
  h.ok(['ovs-ofctl', 'add-flow', 'br0', 'priority=9,in_port=1,udp,tp_dst=8,idle_timeout=3,actions=output:2']);
  const flow = (port: number): string | undefined =>
    h
      .ok('ovs-ofctl dump-flows br0')
      .split('\n')
      .find((line) => line.includes(`tp_dst=${port} `));
  const count = (port: number): number => Number(/n_packets=(\d+)/.exec(flow(port) ?? '')?.[1]);
  const dumped = (): { rx: number; tx: number } => {
    const text = h.ok('ovs-ofctl dump-ports br0');
    return {
      rx: Number(/port +("va"|1|va): rx pkts=(\d+)/.exec(text)?.[2]),
      tx: Number(/port +("vb"|2|vb):[^\n]*\n +tx pkts=(\d+)/.exec(text)?.[2]),
    };
  };
  send(a, 10, 7);
  send(a, 1, 8);
  await eventually('the first have come', () => count(7) === 10);
  const before = dumped();
  // Longer than the idle timeout, with pauses that are shorter: only frames that the kernel carries keep it alive.
  for (let i = 1; i <= 8; i++) {
    send(a, 200, 7);
    const began = performance.now();
    await eventually(`round ${i}: counted`, () => count(7) === 10 + i * 200);
    // A generous second: the machine may be busy with other work.
    if (i > 1) assert.ok(performance.now() - began < 5000);
    await sleep(600);
  }
  assert.equal(flow(8), undefined, 'the idle one has gone');
  assert.match(flow(7) ?? '', /n_packets=1610, n_bytes=161000,/);
  const megaflow = h
    .ok('ovs-appctl dpctl/dump-flows -m')
    .split('\n')
    .find((line) => line.includes('udp(src=0/0,dst=7)') || line.includes('dst=7)'));
  assert.match(megaflow ?? '', /^ufid:[0-9a-f-]{36}, .*packets:1[56]\d\d, bytes:\d+, used:\d\.\d+s, offloaded:yes, dp:tc, actions:vb$/);
  const after = dumped();
  // Hosts say something of their own between the two readings (MLD, neighbours).
  const moved = [after.rx - before.rx, after.tx - before.tx];
  assert.ok(
    moved.every((frames) => frames >= 1600 && frames < 1650),
    String(moved),
  );
  await eventually('the database knows', () => {
    const [rx, tx] = h.ok('ovs-vsctl get interface va statistics:rx_packets -- get interface vb statistics:tx_packets').trim().split('\n');
    return Number(rx) >= after.rx && Number(tx) >= after.tx;
  });
  const features = h.ok('ovs-appctl dpif/show-dp-features br0');
  assert.match(features, /^eBPF: Yes$/m);
  await eventually('the other ends', () => flow(7) === undefined);
  await eventually('its megaflow, too', () => !h.ok('ovs-appctl dpctl/dump-flows').includes('dst=7)'));
});

test('patch ports and mirrors: carried by the kernel like any output', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  station(w, h, 'b', 'vb', '10.0.0.2/24');
  const mirror = station(w, h, 'm', 'vm');
  h.ok(
    'ovs-vsctl add-br br0 -- add-br br1 -- add-port br0 va -- add-port br1 vb -- add-port br0 vm ' +
      '-- add-port br0 p0 -- set interface p0 type=patch options:peer=p1 -- add-port br1 p1 -- set interface p1 type=patch options:peer=p0 ' +
      '-- --id=@m get port vm -- --id=@x create mirror name=x select_all=true output_port=@m -- set bridge br0 mirrors=@x -- set open . other_config:stats-update-interval=1000',
  );
  assert.ok(pings(a, '10.0.0.2'));
  const seen = mirror.start('tcpdump -l -n -i eth0 icmp');
  await eventually('tcpdump listens', () => seen.output().includes('listening on'));
  a.ok('ping -c 50 -i 0.02 -W 1 10.0.0.2');
  await eventually('mirrored', () => (seen.output().match(/echo request/g) ?? []).length >= 50);
  await eventually('both ways', () => (seen.output().match(/echo reply/g) ?? []).length >= 50);
  const flows = h
    .ok('ovs-appctl dpctl/dump-flows -m')
    .split('\n')
    .filter((line) => line.includes('eth_type(0x0800)'));
  assert.equal(flows.length, 2, flows.join('\n'));
  for (const line of flows) assert.match(line, /packets:(4\d|[5-9]\d|\d{3}),.*offloaded:yes.*actions:.*vm/);
  const patch = h.ok('ovs-ofctl dump-ports br1 p1');
  assert.ok(Number(/rx pkts=(\d+)/.exec(patch)?.[1]) >= 50, patch);
  await eventually('the mirror counts', () => Number(/tx_packets=(\d+)/.exec(h.ok('ovs-vsctl get mirror x statistics'))?.[1]) >= 100);
});
