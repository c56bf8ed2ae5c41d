// The `nat` option of the ct action from text. Facts: ovs-actions(7), "The ct action", and the reference's messages.
import { parseIpv6 } from '../../base/addresses.ts';
import type { Action, NatSpec } from '../action.ts';
import { isReversed } from '../codec/actions/nat-codec.ts';
import { splitKeyValues } from './key-value-text.ts';
import { atoi16, fault } from './number-text.ts';

/** Reads what stands in `nat(...)`. */
export function parseNat(arg: string): Action {
  const nat: NatSpec = { direction: 'none', persistent: false, hash: false, random: false, family: 0 };
  for (const { key, value } of splitKeyValues(arg)) {
    if (key === 'src' || key === 'dst') {
      if (nat.direction !== 'none' && nat.direction !== key) fault('May only specify one of "src" or "dst".');
      nat.direction = key;
      // Said again without a range, it has none.
      nat.family = 0;
      if (value !== undefined && value !== '') parseNatRange(value, nat);
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

/** Four numbers as scanf reads them, of which the low bytes count. */
const V4 = /^[+-]?\d+\.[+-]?\d+\.[+-]?\d+\.[+-]?\d+/;
const V6 = /^[0-9a-f:.]+/i;
const BRACKETED = /^\[([0-9a-f:.]+)\]/i;
const PORT = /^\d+/;

/** Reads addresses and ports as the reference scans them: what looks like an address and is none is passed over. */
function parseNatRange(text: string, nat: NatSpec): void {
  let at = 0;
  const invalid = (): never => fault(`invalid nat range "${text}"`);
  const scan = (pattern: RegExp): string | undefined => {
    const found = pattern.exec(text.slice(at));
    at += found?.[0].length ?? 0;
    return found?.[1] ?? found?.[0];
  };
  const skip = (mark: string): boolean => {
    if (!text.startsWith(mark, at)) return false;
    at += mark.length;
    return true;
  };
  const v4 = (): number[] | undefined => {
    const bytes = scan(V4)
      ?.split('.')
      .map((number) => Number(BigInt.asUintN(8, BigInt(number.replace('+', '')))));
    return bytes && [0, 0, 0, bytes.reduce((word, byte) => ((word << 8) | byte) >>> 0, 0)];
  };
  const v6 = (): number[] | undefined => parseIpv6(scan(text.startsWith('[', at) ? BRACKETED : V6) ?? '');
  const read = V4.test(text) ? v4 : v6;
  const low = read();
  if (low !== undefined) {
    nat.family = read === v4 ? 4 : 6;
    const high = skip('-') ? (read() ?? invalid()) : undefined;
    // An address or a port of zero is none.
    if (low.some((word) => word !== 0)) nat.addrMin = low;
    if (high?.some((word) => word !== 0)) nat.addrMax = high;
    if (skip(':')) {
      const port = (): number => atoi16(scan(PORT) ?? invalid());
      const [first, last] = [port(), skip('-') ? port() : 0];
      if (first !== 0) nat.portMin = first;
      if (last !== 0) nat.portMax = last;
    }
    if (isReversed({ ...nat, addrMin: low, ...(high === undefined ? {} : { addrMax: high }) })) invalid();
  }
  if (at === 0 || at < text.length) fault(`garbage (${text.slice(at)}) after nat range "${text}" (pos: ${at})`);
}
