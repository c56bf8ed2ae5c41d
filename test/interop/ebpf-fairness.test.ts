// One port floods the switch with new flows; what begins at another port is forwarded all the same, each frame once, and soon.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, type World, world } from './support/world.ts';

const skip = cannot('python3') || false;
/** New flows a second of the port that floods, and of the other; and how many of the latter. */
const FLOOD_PER_SEC = 50_000;
const CALM_PER_SEC = 10;
const CALM = Number(process.env['WEFT_FAIRNESS_FLOWS'] ?? 50);

/** UDP frames, each of a flow of its own, so many a second; as many as there is time for. */
const flooder = `
import socket, struct, sys, time
rate = int(sys.argv[1])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0))
frame = bytearray(b'\\x02' + bytes(4) + b'\\x66' + s.getsockname()[4] + b'\\x08\\x00' + struct.pack('!BBHHHBBHII', 0x45, 0, 46, 0, 0, 64, 17, 0, 0x0a090001, 0x14000000) + struct.pack('!HHHH', 1, 9, 26, 0) + bytes(18))
start = time.monotonic(); n = 0
while True:
    due = int((time.monotonic() - start) * rate)
    if due - n > rate // 10:
        start += (due - n) / rate
        due = n + rate // 10
    while n < due:
        struct.pack_into('!I', frame, 30, 0x14000000 + (n >> 16))
        struct.pack_into('!H', frame, 34, n & 0xffff)
        try: s.send(frame)
        except OSError: pass
        n += 1
        if n % 50000 == 0: print(n, round(time.monotonic() - start, 2), flush=True)
    time.sleep(0.001)
`;

/** Frames that begin flows, with the time at which they were sent. */
const sender = `
import socket, struct, sys, time
count, rate = int(sys.argv[1]), float(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.0.0.3', 0)); s.close()
for i in range(count):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.0.0.3', 20000 + i))
    s.sendto(b'CALM' + struct.pack('!IQ', i, time.monotonic_ns()), ('10.0.0.4', 5000)); s.close()
    time.sleep(1 / rate)
print('sent', flush=True)
`;

/** Prints what came, and after how many microseconds: median, 99th of a hundred, longest. */
const receiver = `
import socket, struct, sys, time
count = int(sys.argv[1])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.0.0.4', 5000)); s.settimeout(8)
print('listening', flush=True)
seen = {}; us = []
try:
    while True:
        b = s.recv(100); now = time.monotonic_ns()
        n, sent = struct.unpack_from('!IQ', b, 4)
        seen[n] = seen.get(n, 0) + 1
        us.append((now - sent) // 1000)
except socket.timeout: pass
us.sort()
print('came', len(seen), 'twice', len(us) - len(seen), 'us', us[len(us) // 2], us[len(us) * 99 // 100], us[-1], flush=True)
`;

interface Calm {
  came: number;
  twice: number;
  median: number;
  p99: number;
  longest: number;
}

async function calm(from: Host, to: Host): Promise<Calm> {
  const taking = to.start(['python3', '-c', receiver, String(CALM)]);
  await eventually('listening', () => taking.output().includes('listening'));
  await from.runAsync(['python3', '-c', sender, String(CALM), String(CALM_PER_SEC)], { timeout: 600_000 });
  await taking.ended;
  const [, came, twice, median, p99, longest] = /came (\d+) twice (\d+) us (\d+) (\d+) (\d+)/.exec(taking.output())!.map(Number);
  return { came: came!, twice: twice!, median: median!, p99: p99!, longest: longest! };
}

/** Ports: 1 floods to 2, 3 begins flows to 4. Each pair of address and source port is a flow of its own. */
async function net(w: World): Promise<{ h: Host; a: Host; c: Host; d: Host }> {
  const h = await switchHost(w, 'h');
  const [a, , c, d] = ['a', 'b', 'c', 'd'].map((name, i) => station(w, h, name, `v${name}`, `10.0.0.${i + 1}/24`));
  h.ok(
    `ovs-vsctl --timeout=20 add-br br0 ${['a', 'b', 'c', 'd'].map((name, i) => `-- add-port br0 v${name} -- set interface v${name} ofport_request=${i + 1}`).join(' ')}`,
  );
  const each = 'move:NXM_OF_IP_DST[]->NXM_NX_REG0[],move:NXM_OF_UDP_SRC[]->NXM_NX_REG1[0..15]';
  h.ok('ovs-ofctl del-flows br0');
  for (const [from, to] of ['12', '34', '43'].map((pair) => [...pair]))
    h.ok(['ovs-ofctl', 'add-flow', 'br0', `priority=5,in_port=${from},udp,actions=${each},output:${to}`]);
  for (const [from, to] of ['34', '43'].map((pair) => [...pair]))
    h.ok(['ovs-ofctl', 'add-flow', 'br0', `priority=4,in_port=${from},actions=output:${to}`]);
  return { h, a: a!, c: c!, d: d! };
}

test('a flood of new flows at one port does not starve those of another', { skip, timeout: 1_200_000 }, async (t) => {
  const { h, a, c, d } = await net(world(t));
  const quiet = await calm(c, d);
  const flood = a.start(['python3', '-c', flooder, String(FLOOD_PER_SEC)]);
  await eventually('flood', () => flood.output() !== '');
  const loud = await calm(c, d);
  const rate = flood.output().trim().split('\n').at(-1)!;
  await flood.stop('SIGKILL');
  const text = `quiet ${JSON.stringify(quiet)}, flooded ${JSON.stringify(loud)}; frames of the flood and seconds: ${rate}`;
  t.diagnostic(text);
  if (process.env['WEFT_FAIRNESS_FLOWS'] !== undefined)
    process.stderr.write(`${text}\n${h.ok('ovs-appctl dpctl/show; ovs-appctl upcall/show')}`);
  assert.deepEqual({ came: loud.came, twice: loud.twice }, { came: CALM, twice: 0 }, text);
  // What a busy machine makes of a quiet switch says what to expect of it.
  assert.ok(loud.median < 100_000 + 2 * quiet.p99, text);
});
