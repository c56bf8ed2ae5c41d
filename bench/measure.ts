// One measurement each, between the device ea of one namespace and eb of another.
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, printed, root, type Site, sleep } from './namespaces.ts';

const node = process.execPath;

export const LEFT_IP = '10.9.0.1';
export const RIGHT_IP = '10.9.0.2';

/**
 * What TCP's sender goes by: Linux's own default, unless told otherwise. A host may have chosen another, BBR for one: that paces by timers, and measures itself long
 * before it measures the fastest switches. All contenders have the same.
 */
export const tcp = { congestion: 'cubic' };

/** Gigabits a second of one TCP connection, as the receiver counted them. `window`: bytes that may be on their way, 0 = TCP's own choice. */
export async function tcpGbits(site: Site, left: string, right: string, seconds: number, window = 0): Promise<number> {
  const server = site.start(right, ['iperf3', '-s', '-1', '--forceflush']);
  await printed(server, 'listening');
  const fixed = ['-C', tcp.congestion, ...(window === 0 ? [] : ['-w', String(window)])];
  const text = site.run(left, ['timeout', String(seconds + 10), 'iperf3', '-c', RIGHT_IP, '-t', String(seconds), '-J', ...fixed]);
  const result = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  return result.end.sum_received.bits_per_second / 1e9;
}

/** What became of frames of 64 bytes (with FCS), sent faster than any switch here takes them. */
export interface SmallFrames {
  /** Frames a second that arrived behind the switch. */
  arrived: number;
  /** Frames a second that the switch's device was given. */
  offered: number;
  /** Processor time of the switch's process for each that arrived, with what the kernel did in its place; none of a switch in the kernel. */
  cpuNs: number | undefined;
  /** The same of its first thread and of all others, and what of that the kernel had. */
  threads: Record<'first' | 'others', { ns: number; systemNs: number }> | undefined;
}

interface ThreadTime {
  ns: number;
  /** Ticks, of which the kernel says only where they went. */
  user: number;
  system: number;
}

/** Processor time that each thread of a process has had. */
function processorTimes(pid: number): Map<number, ThreadTime> {
  const times = new Map<number, ThreadTime>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const read = (file: string): string => readFileSync(`/proc/${pid}/task/${thread}/${file}`, 'utf8');
    try {
      const ns = Number(read('schedstat').split(' ')[0]);
      // Behind the name, which may hold anything: proc_pid_stat(5) from field 3 on.
      const fields = read('stat')
        .replace(/^.*\) /s, '')
        .split(' ');
      times.set(Number(thread), { ns, user: Number(fields[11]), system: Number(fields[12]) });
    } catch {
      // It has ended since it was listed.
    }
  }
  return times;
}

/** What it has had since `before`, for each of so many frames. */
function timeFor(pid: number, before: ReadonlyMap<number, ThreadTime>, frames: number): Pick<SmallFrames, 'cpuNs' | 'threads'> {
  const threads = { first: { ns: 0, systemNs: 0 }, others: { ns: 0, systemNs: 0 } };
  for (const [thread, now] of processorTimes(pid)) {
    const then = before.get(thread) ?? { ns: 0, user: 0, system: 0 };
    const ns = (now.ns - then.ns) / frames;
    const system = now.system - then.system;
    const ticks = system + now.user - then.user;
    const sum = thread === pid ? threads.first : threads.others;
    sum.ns += ns;
    if (ticks > 0) sum.systemNs += (ns * system) / ticks;
  }
  return { cpuNs: threads.first.ns + threads.others.ns, threads };
}

/** Frames that differ: see `frame-generator.ts`. */
export interface Variety {
  flows: number;
  nets: number;
  /** How long the switch has to learn them. */
  warmUpMs: number;
  /**
   * Before that it sees them at a rate at which it can, until it knows them or for `mostMs`: a flood of frames that all miss keeps every switch
   * from learning.
   */
  introduction?: { ratePerSec: number; mostMs: number; isDone: () => boolean } | undefined;
}

/** IPv4 from 10.9.0.1 to 20.0.0.0, UDP from port 1000 to 2000 without a checksum; the rest of a frame of 60 bytes. */
const UDP_PACKET = ((): string => {
  const packet = [0x45, 0, 0, 46, 0xff, 0xff, 0, 0, 64, 17, 0, 0, 10, 9, 0, 1, 20, 0, 0, 0];
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += (packet[i]! << 8) | packet[i + 1]!;
  sum = ~((sum & 0xffff) + (sum >>> 16)) & 0xffff;
  packet[10] = sum >> 8;
  packet[11] = sum & 255;
  packet.push(1000 >> 8, 1000 & 255, 2000 >> 8, 2000 & 255, 0, 26, 0, 0, ...new Array<number>(18).fill(0x5a));
  return Buffer.from(packet).toString('hex');
})();

const INTRODUCTION_POLL_MS = 1000;

const rate = (before: number, after: number, elapsed: number): number => (after - before) / elapsed;

/**
 * Sends 64-byte frames from `left` to `right` with the kernel's own generator. It is pinned: the switch's device is polled where frames
 * are put into it, and while there are always more it is polled there for good, so that a generator that once ran on the switch's
 * processor would leave the device's interrupt work there. Without `ratePerSec`, as many as it can.
 */
export async function smallFrames(
  site: Site,
  left: string,
  middle: string,
  right: string,
  seconds: number,
  { variety, pid, ratePerSec = 0 }: { variety?: Variety | undefined; pid?: number | undefined; ratePerSec?: number } = {},
): Promise<SmallFrames> {
  const mac = (namespace: string, device: string): string =>
    must(['ip', '-n', namespace, '-br', 'link', 'show', device]).split(/\s+/)[2]!.replaceAll(':', '');
  const addresses = `${mac(right, 'eb')}${mac(left, 'ea')}`;
  const frame = `${addresses}${variety === undefined ? `88b5${'5a'.repeat(46)}` : `0800${UDP_PACKET}`}`;
  const packets = (namespace: string, device: string): number =>
    Number(site.run(namespace, ['cat', `/sys/class/net/${device}/statistics/rx_packets`]));
  site.run(middle, ['ethtool', '-K', 'va', 'gro', 'on']);
  const generate = async (perSec: number): Promise<ChildProcess> => {
    const script = ['taskset', '-c', '0', node, '--disable-warning=ExperimentalWarning', join(root, 'bench/frame-generator.ts')];
    const numbers = [variety?.flows ?? 1, variety?.nets ?? 1, perSec].map(String);
    const child = site.start(left, [...script, 'ea', frame, ...numbers]);
    await printed(child, 'sending');
    return child;
  };
  if (variety?.introduction !== undefined) {
    const slow = await generate(variety.introduction.ratePerSec);
    const { mostMs, isDone } = variety.introduction;
    for (const end = performance.now() + mostMs; performance.now() < end && !isDone(); ) await sleep(INTRODUCTION_POLL_MS);
    slow.kill('SIGKILL');
    await sleep(300);
  }
  const generator = await generate(ratePerSec);
  await sleep(variety?.warmUpMs ?? 700);
  const look = (): [number, number] => [packets(right, 'eb'), packets(middle, 'va')];
  const start = performance.now();
  const before = look();
  const timesBefore = pid === undefined ? undefined : processorTimes(pid);
  await sleep(seconds * 1000);
  const after = look();
  const none = { cpuNs: undefined, threads: undefined };
  const times = pid === undefined || timesBefore === undefined ? none : timeFor(pid, timesBefore, after[0] - before[0]);
  const elapsed = (performance.now() - start) / 1000;
  generator.kill('SIGKILL');
  await sleep(300);
  site.run(middle, ['ethtool', '-K', 'va', 'gro', 'off']);
  return {
    arrived: rate(before[0], after[0], elapsed),
    offered: rate(before[1], after[1], elapsed),
    ...times,
  };
}

/** Microseconds of a ping's round trip, median. */
export async function pingMicroseconds(site: Site, left: string): Promise<number> {
  const text = site.run(left, ['ping', '-c', '100', '-i', '0.005', RIGHT_IP]);
  const times = [...text.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1000).sort((x, y) => x - y);
  return times[times.length >> 1] ?? Number.NaN;
}

const flowReceiver = `
import socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)
s.bind(('${RIGHT_IP}', 2000)); s.settimeout(3)
print('ready', flush=True)
times = []
warm = int(sys.argv[1])
try:
    while True:
        sent, n = struct.unpack_from('!QI', s.recv(64))
        if n >= warm: times.append(time.monotonic_ns() - sent)
except TimeoutError: pass
times.sort()
n = len(times)
if n > 0: print('result', n, times[n // 2] / 1e6, times[n * 99 // 100] / 1e6, flush=True)
`;
const flowSender = `
import socket, struct, sys, time
total, rate = int(sys.argv[1]), int(sys.argv[2])
start = time.monotonic()
for n in range(total):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('${LEFT_IP}', 1024 + n % 60000))
    wait = start + n / rate - time.monotonic()
    if wait > 0: time.sleep(wait)
    s.sendto(struct.pack('!QI', time.monotonic_ns(), n), ('${RIGHT_IP}', 2000))
    s.close()
`;

/** Milliseconds that the first frame of a flow takes, when so many begin each second: median and the 99th of a hundred. Lost ones are infinite. */
export async function newFlowMs(site: Site, left: string, right: string, perSec: number, seconds: number) {
  // Those of the first second are not measured: code is compiled then, and programs loaded.
  const total = Math.min(59_000 - perSec, perSec * seconds);
  const receiver = site.start(right, ['python3', '-c', flowReceiver, String(perSec)]);
  let text = '';
  receiver.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await printed(receiver, 'ready');
  site.run(left, ['python3', '-c', flowSender, String(total + perSec), String(perSec)]);
  await new Promise((resolve) => receiver.once('close', resolve));
  const [, count = '0', p50 = '', p99 = ''] = /result (\d+) (\S+) (\S+)/.exec(text) ?? [];
  const lost = total - Number(count);
  return { p50: lost * 2 > total ? Infinity : Number(p50), p99: lost * 100 > total ? Infinity : Number(p99) };
}
