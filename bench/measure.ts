// One measurement each, between the device ea of one namespace and eb of another.
import { join } from 'node:path';
import { must, printed, root, type Site, sleep } from './namespaces.ts';

const node = process.execPath;

export const LEFT_IP = '10.9.0.1';
export const RIGHT_IP = '10.9.0.2';

/** Gigabits a second of one TCP connection, as the receiver counted them. */
export async function tcpGbits(site: Site, left: string, right: string, seconds: number): Promise<number> {
  const server = site.start(right, ['iperf3', '-s', '-1', '--forceflush']);
  await printed(server, 'listening');
  const text = site.run(left, ['timeout', String(seconds + 10), 'iperf3', '-c', RIGHT_IP, '-t', String(seconds), '-J']);
  const result = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  return result.end.sum_received.bits_per_second / 1e9;
}

/** What became of frames of 64 bytes (with FCS), sent faster than any switch here takes them. */
export interface SmallFrames {
  /** Frames a second that arrived behind the switch. */
  arrived: number;
  /** Frames a second that the switch's device was given. */
  offered: number;
}

const rate = (before: number, after: number, elapsed: number): number => (after - before) / elapsed;

/**
 * Sends 64-byte frames from `left` to `right` with the kernel's own generator. It is pinned: the switch's device is polled where frames
 * are put into it, and while there are always more it is polled there for good, so that a generator that once ran on the switch's
 * processor would leave the device's interrupt work there.
 */
export async function smallFrames(site: Site, left: string, middle: string, right: string, seconds: number): Promise<SmallFrames> {
  const mac = (namespace: string, device: string): string =>
    must(['ip', '-n', namespace, '-br', 'link', 'show', device]).split(/\s+/)[2]!.replaceAll(':', '');
  const frame = `${mac(right, 'eb')}${mac(left, 'ea')}88b5${'5a'.repeat(46)}`;
  const packets = (namespace: string, device: string): number =>
    Number(site.run(namespace, ['cat', `/sys/class/net/${device}/statistics/rx_packets`]));
  site.run(middle, ['ethtool', '-K', 'va', 'gro', 'on']);
  const generator = site.start(left, [
    'taskset',
    '-c',
    '0',
    node,
    '--disable-warning=ExperimentalWarning',
    join(root, 'bench/frame-generator.ts'),
    'ea',
    frame,
  ]);
  await printed(generator, 'sending');
  await sleep(700);
  const start = performance.now();
  const before = [packets(right, 'eb'), packets(middle, 'va')] as const;
  await sleep(seconds * 1000);
  const after = [packets(right, 'eb'), packets(middle, 'va')] as const;
  const elapsed = (performance.now() - start) / 1000;
  generator.kill('SIGKILL');
  await sleep(300);
  site.run(middle, ['ethtool', '-K', 'va', 'gro', 'off']);
  return { arrived: rate(before[0], after[0], elapsed), offered: rate(before[1], after[1], elapsed) };
}

/** Microseconds of a ping's round trip, median. */
export async function pingMicroseconds(site: Site, left: string): Promise<number> {
  const text = site.run(left, ['ping', '-c', '100', '-i', '0.005', RIGHT_IP]);
  const times = [...text.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1000).sort((x, y) => x - y);
  return times[times.length >> 1] ?? Number.NaN;
}
