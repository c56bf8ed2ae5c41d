// Taps of virtual machines as ports: with and without virtio_net_hdr, of several queues, whose user goes and comes again; and devices that
// can be no ports, or that somebody takes away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pings, station, switchHost } from './support/traffic.ts';
import { cannot, eventually, world } from './support/world.ts';

const skip = cannot('ping', 'python3') || false;

/**
 * A machine at the tap `vm`, 10.0.0.9, that asks for 10.0.0.2 and then sends `count` datagrams of 1,000 bytes with a checksum to fill in,
 * where it can; by turns through each of its queues. Afterwards it answers pings until its input ends.
 */
const machine = `
import fcntl, os, select, socket, struct, sys
header, queues, count = sys.argv[1] == 'header', int(sys.argv[2]), int(sys.argv[3])
flags = 2 | 0x1000 | (0x4000 if header else 0) | (0x100 if queues > 1 else 0)
fds = []
for _ in range(queues):
    fd = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22x', b'vm', flags))
    if header: fcntl.ioctl(fd, 0x400454d0, 1 | 2 | 4 | 8)
    fds.append(fd)
pre = bytes(10) if header else b''
mine, ip, to = bytes([2, 0, 0, 0, 0, 9]), socket.inet_aton('10.0.0.9'), socket.inet_aton('10.0.0.2')
def add(data):
    if len(data) % 2: data += b'\\0'
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return total
def read():
    ready, _, _ = select.select(fds + [0], [], [], 5)
    if 0 in ready: sys.exit(0)
    for fd in ready:
        f = os.read(fd, 70000)[len(pre):]
        if f[:6] in (mine, b'\\xff' * 6) and f[6:12] != mine: return f
peer = None
while peer is None:
    os.write(fds[0], pre + b'\\xff' * 6 + mine + struct.pack('!HHHBBH6s4s6s4s', 0x806, 1, 0x800, 6, 4, 1, mine, ip, bytes(6), to) + bytes(18))
    f = read()
    if f and f[12:14] == b'\\x08\\x06' and f[28:32] == to: peer = f[22:28]
print('up', flush=True)
body = b'z' * 1000
for n in range(count):
    ihl = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + 8 + len(body), n, 0, 64, 17, 0, ip, to)
    ihl = ihl[:10] + struct.pack('!H', 0xffff ^ add(ihl)) + ihl[12:]
    pseudo = add(ip + to + struct.pack('!HH', 17, 8 + len(body)))
    udp = struct.pack('!HHHH', 5000 + n % 7, 9, 8 + len(body), pseudo if header else 0)
    virtio = struct.pack('<BBHHHH', 1, 0, 0, 0, 34, 6) if header else b''
    if not header:
        whole = 0xffff ^ add(ip + to + struct.pack('!HH', 17, 8 + len(body)) + udp + body)
        udp = udp[:6] + struct.pack('!H', whole)
    os.write(fds[n % queues], virtio + peer + mine + b'\\x08\\x00' + ihl + udp + body)
print('sent', flush=True)
while True:
    f = read()
    if not f: continue
    if f[12:14] == b'\\x08\\x06' and f[38:42] == ip and f[21] == 1:
        os.write(fds[-1], pre + f[6:12] + mine + f[12:20] + b'\\0\\x02' + mine + ip + f[22:32] + bytes(18))
    elif f[12:14] == b'\\x08\\x00' and f[23] == 1 and f[34] == 8:
        echo = b'\\0\\0\\0\\0' + f[38:]
        echo = echo[:2] + struct.pack('!H', 0xffff ^ add(echo)) + echo[4:]
        os.write(fds[-1], pre + f[6:12] + mine + f[12:26] + f[30:34] + f[26:30] + echo)
`;

const receiver = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, 33, 1 << 26); s.bind(('10.0.0.2', 9)); s.settimeout(8)
print('listening', flush=True)
n = 0
try:
    while n < int(sys.argv[1]): n += s.recv(2000) == b'z' * 1000
except TimeoutError: pass
print('received', n, flush=True)
`;

for (const type of ['system', 'netdev'] as const) {
  for (const [header, queues] of [
    ['header', 1],
    ['plain', 1],
    ['header', 4],
    ['plain', 2],
  ] as const) {
    test(`${type}: a machine's tap, ${header}, ${queues} queues, whose user goes and comes again`, { skip }, async (t) => {
      const w = world(t);
      const h = await switchHost(w, 'h');
      h.ok('sysctl -qw net.ipv6.conf.default.disable_ipv6=1');
      const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
      h.ok(`ip tuntap add vm mode tap ${queues > 1 ? 'multi_queue' : ''} ${header === 'header' ? 'vnet_hdr' : ''} && ip link set vm up`);
      h.ok(`ovs-vsctl add-br br0 -- set bridge br0 datapath_type=${type} -- add-port br0 vm -- add-port br0 vb`);
      const number = h.ok('ovs-vsctl get interface vm ofport');
      for (let round = 0; round < 2; round++) {
        const taking = b.start(['python3', '-c', receiver, '300']);
        await eventually('listening', () => taking.output().includes('listening'));
        const user = h.start([
          'sh',
          '-c',
          'mkfifo "$0" 2>/dev/null; exec 3<>"$0"; exec python3 -c "$1" "$2" "$3" 300 <&3',
          `${h.dir}/in`,
          machine,
          header,
          String(queues),
        ]);
        await eventually('sent', () => user.output().includes('sent')).catch((error: unknown) =>
          assert.fail(`${user.output()} ${String(error)}`),
        );
        await taking.ended;
        assert.match(taking.output(), /received 300/);
        assert.ok(pings(b, '10.0.0.9'));
        assert.equal(h.ok('ovs-vsctl get interface vm link_state').trim(), 'up');
        await user.stop('SIGKILL');
        await eventually('down', () => h.ok('ovs-vsctl get interface vm link_state').trim() === 'down');
        assert.equal(b.run('ping -c 1 -W 1 10.0.0.9').code, 1);
      }
      assert.equal(h.ok('ovs-vsctl get interface vm ofport'), number);
    });
  }
}

test('devices that can be no ports are refused with the words of Open vSwitch', {
  skip: cannot('/usr/sbin/ovs-vswitchd') && skip,
}, async (t) => {
  const w = world(t);
  const said: Record<string, string[]> = {};
  for (const [side, type] of [
    ['debian', 'netdev'],
    ['weft', 'netdev'],
    ['weft', 'system'],
  ] as const) {
    const h = await switchHost(w, `${side}-${type}`.slice(0, 8), side);
    const tools = { tools: side };
    h.ok(`ovs-vsctl add-br br0 -- set bridge br0 datapath_type=${type}`, tools);
    h.ok('ip tuntap add tun0 mode tun');
    const lines: string[] = [];
    for (const device of ['lo', 'nothing', 'br0']) {
      const done = h.run(`ovs-vsctl add-port br0 ${device}`, tools);
      lines.push(`${done.code} ${done.stdout}${done.stderr.replace(/ovs-vsctl: The default log.*\n/, '')}`);
      lines.push(h.run(`ovs-vsctl get interface ${device} ofport error`, tools).stdout);
    }
    const log = h.log('ovs-vswitchd').split('\n');
    lines.push(...log.flatMap((line) => /\|((?:dpif|dpif_netdev|bridge)\|(?:WARN|ERR)\|.*)/.exec(line)?.slice(1) ?? []));
    said[`${side} ${type}`] = lines;
    if (type === 'system') {
      // What has no Ethernet header is none for the kernel either.
      assert.match(h.run('ovs-vsctl add-port br0 tun0').stderr, /could not add network device tun0 to ofproto \(Invalid argument\)/);
      assert.equal(h.ok('ovs-vsctl get interface tun0 ofport').trim(), '-1');
    }
    h.ok('ovs-appctl exit --cleanup', tools);
  }
  const reference = said['debian netdev']!;
  assert.ok(
    reference.some((line) => line.includes('lo to ofproto (Invalid argument)')),
    reference.join('\n'),
  );
  const once = (lines: string[]): string[] => [...new Set(lines)];
  assert.deepEqual(once(said['weft netdev']!), once(reference));
  // The kernel's own datapath gives no reason.
  assert.deepEqual(
    once(said['weft system']!),
    once(reference)
      .filter((line) => !line.startsWith('dpif_netdev|'))
      .map((line) => line.replace('netdev@ovs-netdev', 'system@ovs-system')),
  );
});

for (const type of ['system', 'netdev'] as const) {
  test(`${type}: internal devices that somebody deletes hold up neither the rest nor the end`, { skip }, async (t) => {
    const w = world(t);
    const h = await switchHost(w, 'h');
    const a = station(w, h, 'a', 'va', '10.0.0.1/24');
    station(w, h, 'b', 'vb', '10.0.0.2/24');
    const ports = 'add-port br0 va -- add-port br0 vb -- add-port br0 in0 -- set interface in0 type=internal';
    h.ok(`ovs-vsctl add-br br0 -- set bridge br0 datapath_type=${type} -- ${ports} -- add-br br1 -- set bridge br1 datapath_type=${type}`);
    h.ok('ip link del in0 && ip link del br0');
    assert.ok(pings(a, '10.0.0.2'));
    h.ok('ovs-vsctl del-port in0');
    h.ok('ovs-vsctl add-port br0 in0 -- set interface in0 type=internal');
    h.ok('ip addr add 10.0.0.3/24 dev in0 && ip link set in0 up');
    assert.ok(pings(a, '10.0.0.3'), h.log('ovs-vswitchd').slice(-2000));
    h.ok('ip link del in0');
    const pid = h.pidOf('ovs-vswitchd');
    h.ok('ovs-appctl exit --cleanup');
    await eventually('ended', () => h.run(`test -d /proc/${pid}`).code !== 0);
    assert.doesNotMatch(h.ok('ip -o link'), / (br0|br1|in0):|PROMISC/);
  });
}
