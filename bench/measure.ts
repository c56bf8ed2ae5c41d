// One measurement each, between the device ea of one namespace and eb of another.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, printed, type Site, sleep } from './namespaces.ts';

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

/** Frames of 64 bytes (with FCS) a second that arrived, sent as fast as one core can. */
export async function smallFrames(site: Site, left: string, right: string, seconds: number): Promise<number> {
  const mac = (namespace: string, device: string): number[] =>
    must(['ip', '-n', namespace, '-br', 'link', 'show', device])
      .split(/\s+/)[2]!
      .split(':')
      .map((part) => Number.parseInt(part, 16));
  const bytes = [...mac(right, 'eb'), ...mac(left, 'ea'), 0x88, 0xb5];
  const file = join(site.dir, 'frame.cfg');
  writeFileSync(file, `{ ${bytes.join(', ')}, fill(0x5a, 46) }\n`);
  const received = (): number => Number(site.run(right, ['cat', '/sys/class/net/eb/statistics/rx_packets']));
  const sender = site.start(left, ['trafgen', '-i', file, '-o', 'ea', '-P', '1', '-q', '-n', '0']);
  await sleep(700);
  const start = performance.now();
  const before = received();
  await sleep(seconds * 1000);
  const after = received();
  const elapsed = (performance.now() - start) / 1000;
  sender.kill('SIGINT');
  await sleep(300);
  return (after - before) / elapsed;
}

/** Microseconds of a ping's round trip, median. */
export async function pingMicroseconds(site: Site, left: string): Promise<number> {
  const text = site.run(left, ['ping', '-c', '100', '-i', '0.005', RIGHT_IP]);
  const times = [...text.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1000).sort((x, y) => x - y);
  return times[times.length >> 1] ?? Number.NaN;
}
