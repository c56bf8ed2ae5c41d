// Lists that send a frame to many places, in the default datapath: the kernel carries them whole. Each frame arrives once at each place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faults, pings, station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, type World, world } from './support/world.ts';

const skip = cannot('ping', 'python3') || false;

/** Sends numbered broadcasts of each kind, one a millisecond: ARP, UDP, of a type that nobody knows, and ARP under a tag. */
const sender = `
import socket, struct, sys, time
first, count = int(sys.argv[1]), int(sys.argv[2])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0))
mac = s.getsockname()[4]
def total(b):
    b += bytes(len(b) % 2)
    n = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    while n > 0xffff: n = (n & 0xffff) + (n >> 16)
    return ~n & 0xffff
for i in range(first, first + count):
    mark = b'FLOOD' + struct.pack('!I', i) + bytes(23)
    arp = struct.pack('!HHBBH', 1, 0x800, 6, 4, 1) + mac + bytes([10, 0, 0, 1]) + bytes(6) + bytes([10, 0, 0, 200])
    ip = struct.pack('!BBHHHBBH', 0x45, 0, 61, 1, 0, 64, 17, 0) + bytes([10, 0, 0, 1, 255, 255, 255, 255])
    ip = ip[:10] + struct.pack('!H', total(ip)) + ip[12:]
    udp = struct.pack('!HHHH', 5000, 5001, 41, 0)
    udp = udp[:6] + struct.pack('!H', total(ip[12:] + struct.pack('!HH', 17, 41) + udp + bytes([1]) + mark))
    for kind, frame in enumerate([b'\\x08\\x06' + arp, b'\\x08\\x00' + ip + udp, b'\\x88\\xb5', b'\\x81\\x00\\x00\\x07\\x08\\x06' + arp]):
        s.send(b'\\xff' * 6 + mac + frame + bytes([kind]) + mark)
    time.sleep(0.001)
`;
/** Prints after so many silent seconds what kinds came, how many different frames, and how often each: the least and the most. */
const receiver = `
import signal, socket, struct, sys
seen = {}
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300); s.bind((sys.argv[1], 3))
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)
print('listening', flush=True)
s.settimeout(float(sys.argv[2]))
try:
    while True:
        f, a = s.recvfrom(2048)
        at = f.find(b'FLOOD')
        if at > 0 and a[2] != 4:
            key = (f[at - 1], struct.unpack('!I', f[at + 5:at + 9])[0])
            if key[1] >= 1000: seen[key] = seen.get(key, 0) + 1
except socket.timeout: pass
kinds = sorted(set(kind for kind, _ in seen))
print(*kinds, len(seen), min(seen.values(), default=0), max(seen.values(), default=0), flush=True)
`;
const COUNT = 250;

/** Frames of flows that the kernel handed to user space. */
function punted(host: Host): number {
  const text = host.ok('ovs-appctl dpif/show-dp-features br0');
  const counts = /frames to user space: (.*)/.exec(text)![1]!.matchAll(/:(\d+)/g);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Sends floods of each kind, and asserts that each frame comes once to each of the places (host and device). */
async function arrives(from: Host, places: readonly [Host, string][], count: number): Promise<void> {
  const receivers = places.map(([host, device]) => host.start(['python3', '-c', receiver, device, '3']));
  await eventually('listening', () => receivers.every((one) => one.output().includes('listening')));
  from.ok(['python3', '-c', sender, '1000', String(count)]);
  for (const one of receivers) await one.ended;
  for (const [i, one] of receivers.entries())
    assert.equal(one.output().trim().split('\n').at(-1)!, `0 1 2 3 ${4 * count} 1 1`, places[i]![0].name);
}

/** The same, without user space. */
async function flood(switches: readonly Host[], from: Host, places: readonly [Host, string][]): Promise<void> {
  // The flows are made by the first frames.
  for (let i = 0; i < 3; i++) from.ok(['python3', '-c', sender, '0', '1']);
  await eventually('flows are in the kernel', () => {
    const before = switches.map(punted);
    from.ok(['python3', '-c', sender, '0', '5']);
    return switches.every((host, i) => punted(host) === before[i]);
  });
  const before = switches.map(punted);
  await arrives(from, places, COUNT);
  // What else goes on (neighbour discovery and the like) may be new to the switch.
  for (const [i, host] of switches.entries()) {
    const count = punted(host) - before[i]!;
    assert.ok(count < COUNT / 2, `${count} frames came to user space\n${host.ok('ovs-appctl dpctl/dump-flows -m')}`);
  }
}

/** Hosts with a switch each around the first one, which has a tunnel of another kind to each; the second has checksums. */
async function star(w: World, kinds: readonly string[], env: Record<string, string> = {}): Promise<{ hub: Host; stations: Host[] }> {
  const hub = w.host('hub');
  await hub.startOvsdb('weft');
  hub.ok('ovs-vswitchd --detach --no-chdir --pidfile --log-file', { timeout: 30_000, env });
  const stations = [station(w, hub, 's0', 'v0', '10.0.0.1/24')];
  hub.ok('ovs-vsctl --timeout=10 add-br br0 -- add-port br0 v0 && ip link set br0 up');
  for (const [i, kind] of kinds.entries()) {
    const host = await switchHost(w, `h${i + 1}`);
    w.wire(hub, `wan${i + 1}`, host, 'wan');
    const isIpv6 = kind.endsWith('6');
    const [ours, theirs] = isIpv6 ? [`fd0${i}::1`, `fd0${i}::2`] : [`172.16.${i}.1`, `172.16.${i}.2`];
    const more = isIpv6 ? '/64' : '/24';
    const nodad = isIpv6 ? ' nodad' : '';
    hub.ok(`ip addr add ${ours}${more} dev wan${i + 1}${nodad}`);
    host.ok(`ip addr add ${theirs}${more} dev wan${nodad}`);
    stations.push(station(w, host, `s${i + 1}`, 'v', `10.0.0.${i + 2}/24`));
    const type = kind.replace('6', '');
    hub.ok(
      `ovs-vsctl --timeout=10 add-port br0 t${i} -- set interface t${i} type=${type} options:remote_ip=${theirs} options:key=${i + 5} options:csum=${i === 1}`,
    );
    host.ok('ovs-vsctl --timeout=10 add-br br0 -- add-port br0 v');
    host.ok(
      `ovs-vsctl --timeout=10 add-port br0 t -- set interface t type=${type} options:remote_ip=${ours} options:key=${i + 5} options:csum=${i === 1}`,
    );
    await eventually(`ping through ${kind}`, () => pings(stations[0]!, `10.0.0.${i + 2}`), 20_000);
  }
  return { hub, stations };
}

test('a flood through several tunnels', { skip }, async (t) => {
  const w = world(t);
  const { hub, stations } = await star(w, ['gre', 'geneve6']);
  const switches = w.hosts.filter((host) => /^h/.test(host.name));
  const places: [Host, string][] = [...stations.slice(1).map((one): [Host, string] => [one, 'eth0']), [hub, 'br0']];
  await flood(switches, stations[0]!, places);
  // Receivers wait until nothing comes any more, whoever sends it: the flows may be gone by then.
  for (let i = 0; i < 3; i++) stations[0]!.ok(['python3', '-c', sender, '0', '1']);
  assert.match(hub.ok('ovs-appctl dpctl/dump-flows -m'), /eth_type\(0x0806\).*offloaded:yes.*gre_sys.*genev_sys/);
  hub.ok('ip link set br0 down');
  await arrives(stations[0]!, places.slice(0, -1), 50);
  // From afar to the others and to the hub's own.
  assert.ok(pings(stations[1]!, '10.0.0.3') && pings(stations[2]!, '10.0.0.2'));
  for (const host of switches) assert.deepEqual(faults(host), []);
  // The programs need no daemon for that.
  process.kill(hub.pidOf('ovs-vswitchd'), 'SIGKILL');
  await arrives(stations[0]!, places.slice(0, -1), 50);
});

test('a flood to more ports than one list of the program has room for', { skip }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const stations: Host[] = [];
  for (let i = 0; i < 16; i++) stations.push(station(w, h, `s${i}`, `v${i}`, `10.0.0.${i + 1}/24`));
  h.ok(`ovs-vsctl --timeout=10 add-br br0 ${stations.map((_, i) => `-- add-port br0 v${i}`).join(' ')} && ip link set br0 up`);
  assert.ok(pings(stations[0]!, '10.0.0.16'));
  await flood([h], stations[0]!, [...stations.slice(1).map((one): [Host, string] => [one, 'eth0']), [h, 'br0']]);
  assert.deepEqual(faults(h), []);
});

test('what no program can run of a list is done by user space, the rest is not', { skip }, async (t) => {
  const w = world(t);
  const { hub, stations } = await star(w, ['geneve'], { WEFT_EBPF: 'clsact' });
  // Copies make their detours by way of the bridge's own device, whether or not it is up.
  hub.ok('ip link set br0 down');
  const local = station(w, hub, 'local', 'v9', '10.0.0.9/24');
  hub.ok('ovs-vsctl --timeout=10 add-port br0 v9 -- set interface v9 ofport_request=9 -- set interface t0 ofport_request=8');
  hub.ok('ovs-ofctl del-flows br0');
  // More than a program has room for before a frame.
  const headers = `encap(nsh(md_type=2,tlv(0x1000,10,0x${'ab'.repeat(120)}))),encap(ethernet),set_field:ff:ff:ff:ff:ff:ff->eth_dst`;
  const actions = `clone(${headers},output:8),set_field:ff:ff:ff:ff:ff:fe->eth_dst,output:9`;
  hub.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'add-flow', 'br0', `in_port=v0,actions=${actions}`]);
  const from = stations[0]!;
  for (let i = 0; i < 3; i++) from.ok(['python3', '-c', sender, '0', '1']);
  await eventually('partly in the kernel', () => /offloaded:partial/.test(hub.ok('ovs-appctl dpctl/dump-flows -m')));
  const receivers = [stations[1]!, local].map((host) => host.start(['python3', '-c', receiver, 'eth0', '2']));
  await eventually('listening', () => receivers.every((one) => one.output().includes('listening')));
  const before = punted(hub);
  from.ok(['python3', '-c', sender, '1000', '50']);
  for (const one of receivers) await one.ended;
  const [remote, near] = receivers.map((one) => one.output().trim().split('\n').at(-1)!);
  for (const text of [remote!, near!]) assert.match(text, /^0 1 2 3 200 1 1/);
  assert.ok(punted(hub) - before >= 200, 'the kernel leaves those with long headers to user space');
  assert.match(hub.ok('ovs-appctl dpctl/dump-flows -m'), /offloaded:partial/);
  assert.deepEqual(faults(hub), []);
});
