// Switches with many ports that nobody speaks at.
import { readFileSync } from 'node:fs';
import type { Host } from './world.ts';

/** Pairs v0-w0, v1-w1, ... of a host; nobody speaks of their own accord. */
export function idlePairs(h: Host, count: number, first = 0): void {
  const lines = Array.from(
    { length: count },
    (_, i) => `link add v${first + i} type veth peer name w${first + i}\nlink set v${first + i} up\nlink set w${first + i} up`,
  );
  h.ok('sysctl -qw net.ipv6.conf.default.disable_ipv6=1 && ip -batch -', { input: lines.join('\n'), timeout: 60_000 });
}

/** Memory of the daemon. */
export function residentMb(h: Host): number {
  const status = readFileSync(`/proc/${h.pidOf('ovs-vswitchd')}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** Interfaces that could not be opened. */
export const absent = (h: Host): string[] =>
  h
    .ok('ovs-vsctl --bare --columns=name find interface ofport=-1', { timeout: 30_000 })
    .split('\n')
    .filter((name) => name !== '');
