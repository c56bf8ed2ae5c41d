// Super-segments that a program cannot carry: the kernel would put the same outer checksum before a last segment that is shorter, and makes no
// segments behind an NSH. User space has them, and makes of each the segments that it stands for: right in every byte, in order, once. All are
// counted by their cause, and those that a program can carry do not go there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { fold, sumBytes } from '../../src/wire/checksum.ts';
import { holdFrames } from './support/held-frames.ts';
import { faults, pings, station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, world } from './support/world.ts';

const skip = cannot('ping', 'python3', 'ethtool') || false;
const SEGMENT = 1000;
const COUNT = 12;
const COSTED = 500;

/** Sends super-segments of TCP as a device would: `SIZE` payload bytes each, one behind the other, checksums to be filled in. */
const sender = `
import socket, struct, sys, time
version, size, segment, count, peer = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), bytes.fromhex(sys.argv[5])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.setsockopt(263, 15, 1); s.bind(('eth0', 0))
def total(b):
    n = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    while n > 0xffff: n = (n & 0xffff) + (n >> 16)
    return n
for i in range(count):
    length = 20 + size
    if version == 4:
        ip = struct.pack('!BBHHHBBH', 0x45, 0, 20 + length, 1, 0x4000, 64, 6, 0) + bytes([10, 0, 0, 1, 10, 0, 0, 2])
        ip = ip[:10] + struct.pack('!H', 0xffff - total(ip)) + ip[12:]
        pseudo = ip[12:] + struct.pack('!HH', 6, length)
    else:
        ip = struct.pack('!IHBB', 0x60000000, length, 6, 64) + bytes.fromhex('fd0100000000000000000000000000' '01' 'fd0100000000000000000000000000' '02')
        pseudo = ip[8:] + struct.pack('!IHH', length, 0, 6)
    tcp = struct.pack('!HHIIBBHHH', 4000, 4001, 7 + i * size, 1, 0x50, 0x10, 500, total(pseudo), 0)
    start = 14 + len(ip)
    header = struct.pack('=BBHHHH', 1, 0 if size <= segment else 1 if version == 4 else 4, start + 20, segment, start, 16)
    payload = bytes((i * size + j) % 251 for j in range(size))
    s.send(header + peer + s.getsockname()[4] + (b'\\x08\\x00' if version == 4 else b'\\x86\\xdd') + ip + tcp + payload)
    time.sleep(0.002)
`;

const word = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;
const isSummedUp = (bytes: Uint8Array, at: number, length: number, sum: number): boolean =>
  fold(sumBytes(bytes, at, length, sum)) === 0xffff;

/** The sequence number and payload of a segment of TCP behind an Ethernet header, whose checksums are right. */
function segmentOf(frame: Uint8Array, at: number): { sequence: number; payload: Uint8Array } {
  const isIpv4 = word(frame, at + 12) === 0x0800;
  const ip = at + 14;
  const tcp = ip + (isIpv4 ? 20 : 40);
  const length = isIpv4 ? word(frame, ip + 2) - 20 : word(frame, ip + 4);
  assert.equal(tcp + length, frame.length, 'length');
  if (isIpv4) assert.ok(isSummedUp(frame, ip, 20, 0), 'IPv4 checksum');
  const [addresses, size] = isIpv4 ? [ip + 12, 8] : [ip + 8, 32];
  assert.ok(isSummedUp(frame, tcp, length, sumBytes(frame, addresses, size) + 6 + length), 'TCP checksum');
  return { sequence: new DataView(frame.buffer, frame.byteOffset).getUint32(tcp + 4), payload: frame.subarray(tcp + 20) };
}

/** Frames by whose cause user space had them. */
const punts = (h: Host): string => /actions:(\d+)/.exec(h.ok('ovs-appctl dpif/show-dp-features br0'))![1]!;

/** Processor time of a process in milliseconds. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Sends super-segments of each size and IP version, and has `inner` find the frame that each of what came out was made from. */
async function sends(
  t: TestContext,
  { h, a, peer, out }: { h: Host; a: Host; peer: string; out: [Host, string] },
  isCarried: (size: number) => boolean,
  inner: (frame: Uint8Array) => number,
): Promise<void> {
  for (const version of [4, 6]) {
    const send = (size: number, count: number): string =>
      a.ok(['python3', '-c', sender, String(version), String(size), String(SEGMENT), String(count), peer]);
    // The flow's first frame is user space's anyhow.
    send(100, 1);
    await eventually('the flow is in the kernel', () => {
      const before = punts(h);
      const misses = /miss:\d+.*order:\d+/.exec(h.ok('ovs-appctl dpif/show-dp-features br0'))![0].replace(/actions:\d+/, '');
      send(100, 3);
      const after = /miss:\d+.*order:\d+/.exec(h.ok('ovs-appctl dpif/show-dp-features br0'))![0].replace(/actions:\d+/, '');
      return misses === after && punts(h) === before;
    });
    for (const size of [4 * SEGMENT, 4 * SEGMENT + 1, 3 * SEGMENT + 500, 5 * SEGMENT - 1]) {
      const [holder] = await holdFrames([out]);
      const before = Number(punts(h));
      send(size, COUNT);
      const punted = Number(punts(h)) - before;
      await new Promise((resolve) => setTimeout(resolve, 200));
      const frames = (await holder!.frames()).map((hex) => Uint8Array.from(Buffer.from(hex, 'hex'))).filter((frame) => inner(frame) > 0);
      assert.equal(punted, isCarried(size) ? 0 : COUNT, `IPv${version}, ${size} bytes`);
      assert.equal(frames.length, COUNT * Math.ceil(size / SEGMENT));
      let at = 0;
      for (const frame of frames) {
        const { sequence, payload } = segmentOf(frame, inner(frame));
        assert.equal(sequence, 7 + at);
        assert.equal(payload.length, Math.min(SEGMENT, size - (at % size)));
        for (const [i, byte] of payload.entries()) assert.equal(byte, (at + i) % 251);
        at += payload.length;
      }
      assert.equal(at, COUNT * size);
    }
    // What they cost is for people.
    const pid = h.pidOf('ovs-vswitchd');
    for (const size of [4 * SEGMENT, 4 * SEGMENT + 1]) {
      const cpu = cpuMs(pid);
      send(size, COSTED);
      t.diagnostic(`IPv${version}, ${size} bytes: ${((cpuMs(pid) - cpu) * 1000) / COSTED} us of the daemon for each`);
    }
  }
}

test('into a tunnel with checksums: those whose last segment is shorter', { skip, timeout: 240_000 }, async (t) => {
  const w = world(t);
  const [h1, h2] = [await switchHost(w, 'h1'), await switchHost(w, 'h2')];
  w.wire(h1, 'wan', h2, 'wan');
  h1.ok('ip addr add 172.16.0.1/24 dev wan');
  h2.ok('ip addr add 172.16.0.2/24 dev wan');
  // Segments are made, and inner checksums filled in, before the cable.
  h1.ok('ethtool -K wan tx off tso off gso off');
  const a = station(w, h1, 'a', 'va', '10.0.0.1/24', 'fd01::1/64');
  const b = station(w, h2, 'b', 'vb', '10.0.0.2/24', 'fd01::2/64');
  for (const [host, port, remote] of [
    [h1, 'va', '172.16.0.2'],
    [h2, 'vb', '172.16.0.1'],
  ] as const) {
    const tunnel = `set interface t0 type=vxlan options:remote_ip=${remote} options:csum=true`;
    host.ok(`ovs-vsctl --timeout=10 add-br br0 -- add-port br0 ${port} -- add-port br0 t0 -- ${tunnel}`);
  }
  await eventually('ping', () => pings(a, '10.0.0.2') && pings(a, 'fd01::2'));
  const peer = b.ok('cat /sys/class/net/eth0/address').trim().replaceAll(':', '');
  await sends(
    t,
    { h: h1, a, peer, out: [h2, 'wan'] },
    (size) => size % SEGMENT === 0,
    (frame) => {
      // Ethernet, IPv4, UDP to VXLAN's port, VXLAN: and TCP to the test's port behind it.
      if (word(frame, 12) !== 0x0800 || frame[23] !== 17 || word(frame, 36) !== 4789) return 0;
      const isTest = word(frame, 50 + 14 + (word(frame, 62) === 0x0800 ? 20 : 40) + 2) === 4001;
      if (!isTest) return 0;
      assert.notEqual(word(frame, 40), 0, 'there is an outer checksum');
      assert.ok(isSummedUp(frame, 34, frame.length - 34, sumBytes(frame, 26, 8) + 17 + frame.length - 34), 'outer checksum');
      return 50;
    },
  );
  assert.deepEqual(faults(h1), []);
});

test('behind an NSH: all of them', { skip, timeout: 240_000 }, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
  h.ok('ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure');
  for (const [i, port] of ['va', 'vb'].entries()) h.ok(`ovs-vsctl add-port br0 ${port} -- set interface ${port} ofport_request=${i + 1}`);
  const actions =
    'encap(nsh(md_type=1)),set_field:9->nsh_spi,set_field:4->nsh_si,encap(ethernet),set_field:02:00:00:00:00:99->eth_dst,output:2';
  h.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'add-flow', 'br0', `in_port=1,tcp,actions=${actions}`]);
  h.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'add-flow', 'br0', `in_port=1,tcp6,actions=${actions}`]);
  await sends(
    t,
    { h, a, peer: '020000000002', out: [b, 'eth0'] },
    () => false,
    (frame) => {
      if (word(frame, 12) !== 0x894f) return 0;
      // 24 bytes of NSH, type 1, next Ethernet; the path and its index.
      assert.equal(Buffer.from(frame.subarray(14, 22)).toString('hex'), '0fc6010300000904');
      return 38;
    },
  );
  assert.deepEqual(faults(h), []);
});
