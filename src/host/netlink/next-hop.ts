// The next hop towards an IPv4 address, from the kernel's tables of routes and neighbours (proc(5), /proc/net/route and /proc/net/arp).

import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { parseIpv4, parseMac } from '../../base/addresses.ts';

const RTF_UP = 1;
const ATF_COM = 2;

const rows = (text: string): string[][] =>
  text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words.length > 1);

/** An address as /proc/net/route has it: its bytes as a word of the machine. */
function word(text: string): number {
  const value = Number.parseInt(text, 16) >>> 0;
  if (endianness() === 'BE') return value;
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

/** Where an address is reached: the device, and the gateway or the address itself; undefined without a route. */
export function routeTo(address: number, routes: string): { device: string; hop: number } | undefined {
  for (const [device = '', destination = '', gateway = '', flags = '', , , , mask = ''] of rows(routes)) {
    if ((Number.parseInt(flags, 16) & RTF_UP) === 0) continue;
    if ((address & word(mask)) >>> 0 !== (word(destination) & word(mask)) >>> 0) continue;
    return { device, hop: word(gateway) === 0 ? address : word(gateway) };
  }
  return undefined;
}

/** The Ethernet address of a neighbour, if the kernel knows it. */
export function neighborMac(address: number, device: string, neighbors: string): readonly [number, number] | undefined {
  for (const [ip = '', , flags = '', mac = '', , on = ''] of rows(neighbors)) {
    if (on === device && parseIpv4(ip) === address && (Number.parseInt(flags, 16) & ATF_COM) !== 0) return parseMac(mac);
  }
  return undefined;
}

/** The Ethernet address of the next hop, undefined while it is not known, or why there is no way. */
export function nextHop(address: number): readonly [number, number] | string | undefined {
  let route: ReturnType<typeof routeTo>;
  let neighbors: string;
  try {
    route = routeTo(address, readFileSync('/proc/net/route', 'utf8'));
    neighbors = readFileSync('/proc/net/arp', 'utf8');
  } catch {
    return 'No such file or directory';
  }
  return route === undefined ? 'No such device or address' : neighborMac(route.hop, route.device, neighbors);
}
