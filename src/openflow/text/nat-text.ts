// The `nat` option of the ct action from text. Facts: ovs-actions(7), "The ct action", and the reference's messages.
import { parseIpv4, parseIpv6 } from '../../base/addresses.ts';
import type { Action, NatSpec } from '../action.ts';
import { splitCommas } from './key-value-text.ts';
import { fault, numberOf } from './number-text.ts';

/** Reads what stands in `nat(...)`. */
export function parseNat(arg: string): Action {
  const nat: NatSpec = { direction: 'none', persistent: false, hash: false, random: false, family: 0 };
  for (const part of splitCommas(arg).map((p) => p.trim())) {
    if (part === '') continue;
    const [key = '', value] = part.includes('=')
      ? [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]
      : [part, undefined];
    if (key === 'src' || key === 'dst') {
      if (nat.direction !== 'none') fault('may only specify one of "src" or "dst".');
      nat.direction = key;
      if (value !== undefined) parseNatRange(value, nat);
    } else if (key === 'persistent') nat.persistent = true;
    else if (key === 'hash') nat.hash = true;
    else if (key === 'random') nat.random = true;
    else fault(`invalid key "${key}" in "nat" argument`);
  }
  if (nat.direction === 'none') {
    if (nat.persistent || nat.hash || nat.random) fault('Flags allowed only with "src" or "dst".');
  } else if (nat.hash && nat.random) fault('Both "hash" and "random" are not allowed.');
  return { kind: 'nat', nat };
}

function parseNatRange(text: string, nat: NatSpec): void {
  const ports = ':(\\d+)(?:-(\\d+))?';
  const v4 = new RegExp(`^([\\d.]+)(?:-([\\d.]+))?(?:${ports})?`).exec(text);
  const v6 = new RegExp(`^(?:\\[([^\\]-]*)\\](?:-\\[([^\\]-]*)\\])?|([0-9a-f:.]*:[0-9a-f:.]*)(?:-([0-9a-f:.]+))?)(?:${ports})?`, 'i').exec(
    text,
  );
  // Without an address there is no range of ports.
  const only = /^:(\d+)/.exec(text);
  const isV4 = v4 !== null && (v4[1] ?? '').includes('.');
  const found = only ?? (isV4 ? v4 : v6);
  const end = found?.[0].length ?? 0;
  if (end === 0 || end < text.length) fault(`garbage (${text.slice(end)}) after nat range "${text}" (pos: ${end})`);
  const range = only !== null ? [] : isV4 ? [v4[1], v4[2]] : [v6?.[1] ?? v6?.[3], v6?.[2] ?? v6?.[4]];
  const between = only !== null ? [only[1]] : isV4 ? [v4[3], v4[4]] : [v6?.[5], v6?.[6]];
  const address = (one: string | undefined): number[] | undefined => {
    if (one === undefined || one === '') return undefined;
    const four = parseIpv4(one);
    if (four !== undefined) {
      nat.family = 4;
      return [0, 0, 0, four];
    }
    const six = parseIpv6(one);
    if (six === undefined) return fault(`invalid IP address ${one}`);
    nat.family = 6;
    return six;
  };
  const low = address(range[0]);
  const high = address(range[1]);
  if (low !== undefined) nat.addrMin = low;
  if (high !== undefined && high.join() !== low?.join()) nat.addrMax = high;
  if (between[0] !== undefined) nat.portMin = numberOf(between[0], 16, 'port');
  if (between[1] !== undefined) nat.portMax = numberOf(between[1], 16, 'port');
}
