// The inside of `ct(...)` and its `nat(...)` from text. Facts: the running reference.
import { parseIpv4, parseIpv6 } from '../base/addresses.ts';
import { wideNumber } from './attribute-parse.ts';
import type { DpAction, DpNat } from './datapath.ts';
import type { TextScan } from './text-scan.ts';

type CtAction = Extract<DpAction, { kind: 'ct' }>;

/** Parts between blanks and commas up to a parenthesis; false when one is none. */
function parts(scan: TextScan, read: () => boolean): boolean {
  while (!scan.word(')')) {
    scan.delimiters();
    if (!read()) return false;
  }
  return true;
}

const ALL = [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff] as const;
const ADDRESS = /\[([0-9a-f:.]+)\]|([0-9a-f:.]+)/iy;

/** `VALUE/MASK` of up to 128 bits as words. */
function readLabel(scan: TextScan): CtAction['label'] {
  const number = (): readonly number[] | undefined => {
    const value = wideNumber(scan, 128);
    if (value === undefined) return undefined;
    return [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffffffffn));
  };
  const value = number();
  if (value === undefined || !scan.word('/')) return value && [value, ALL];
  const mask = number();
  return mask && [value, mask];
}

function readMark(scan: TextScan): CtAction['mark'] {
  const value = scan.number(32, 'x');
  if (value === undefined || !scan.word('/')) return value === undefined ? undefined : [Number(value), 0xffffffff];
  const mask = scan.number(32, 'x');
  return mask === undefined ? undefined : [Number(value), Number(mask)];
}

/** `ADDRESS[-ADDRESS][:PORT[-PORT]]`, IPv6 in brackets where ports follow. */
function readRange(scan: TextScan, nat: DpNat): boolean {
  const address = (): { family: 4 | 6; words: number[] } | undefined => {
    const found = scan.match(ADDRESS);
    const ipv4 = found?.[2] === undefined || found[2].includes(':') ? undefined : parseIpv4(found[2]);
    if (ipv4 === undefined && found?.[2]?.includes(':') === false) return undefined;
    const words = ipv4 === undefined ? parseIpv6(found?.[1] ?? found?.[2] ?? '') : [0, 0, 0, ipv4];
    return words && { family: ipv4 === undefined ? 6 : 4, words: [...words] };
  };
  // Ports behind an IPv4 address are no part of it.
  const first = scan.text[scan.at] === '[' || /^[0-9a-f]*:/i.test(scan.rest) ? address() : ipv4Of(scan);
  if (first === undefined) return false;
  nat.family = first.family;
  nat.addrMin = first.words;
  nat.addrMax = first.words;
  if (scan.word('-')) {
    const last = first.family === 4 ? ipv4Of(scan) : address();
    if (last === undefined || last.family !== first.family || isBelow(last.words, first.words)) return false;
    nat.addrMax = last.words;
  }
  if (!scan.word(':')) return true;
  const from = scan.number(16, 'u');
  const to = from !== undefined && scan.word('-') ? scan.number(16, 'u') : from;
  if (from === undefined || to === undefined) return false;
  nat.portMin = Number(from);
  nat.portMax = Number(to);
  return true;
}

function ipv4Of(scan: TextScan): { family: 4; words: number[] } | undefined {
  const value = parseIpv4(scan.match(/\d+\.\d+\.\d+\.\d+/y)?.[0] ?? '');
  return value === undefined ? undefined : { family: 4, words: [0, 0, 0, value] };
}

function isBelow(a: readonly number[], b: readonly number[]): boolean {
  for (let i = 0; i < 4; i++) if (a[i] !== b[i]) return a[i]! >>> 0 < b[i]! >>> 0;
  return false;
}

const FLAGS = ['persistent', 'hash', 'random'] as const;

function readNat(scan: TextScan): DpNat | undefined {
  const zero = [0, 0, 0, 0];
  const nat: DpNat = { direction: '', addrMin: zero, addrMax: zero, portMin: 0, portMax: 0, persistent: false, hash: false, random: false };
  if (!scan.word('(')) return nat;
  const isRead = parts(scan, () => {
    if (scan.text[scan.at] === ')') return nat.direction === '' && nat.family === undefined;
    for (const flag of FLAGS) {
      if (!scan.word(flag)) continue;
      nat[flag] = true;
      return true;
    }
    const direction = scan.match(/src|dst/y)?.[0] as 'src' | 'dst' | undefined;
    if (direction === undefined || (nat.direction !== '' && nat.direction !== direction)) return false;
    nat.direction = direction;
    return scan.word('=') ? readRange(scan, nat) : /[\s,)]/.test(scan.text[scan.at] ?? '');
  });
  const isOrdered = nat.portMax === nat.portMin || nat.portMin <= nat.portMax || nat.portMax === 0;
  return isRead && isOrdered && !(nat.hash && nat.random) ? nat : undefined;
}

/** What follows `ct`. */
export function readCt(scan: TextScan): DpAction | undefined {
  const action: CtAction = { kind: 'ct', commit: false, force: false, zone: 0, helper: '', timeout: '' };
  if (!scan.word('(') || scan.word(')')) return action;
  const isRead = parts(scan, () => {
    const name = scan.match(/commit|force_commit|zone=|mark=|label=|helper=|timeout=|nat/y)?.[0];
    switch (name) {
      case 'commit':
        action.commit = true;
        return true;
      case 'force_commit':
        action.force = true;
        return true;
      case 'zone=': {
        const zone = scan.number(16, 'u');
        action.zone = Number(zone ?? 0n);
        return zone !== undefined;
      }
      case 'mark=':
        action.mark = readMark(scan) as [number, number];
        return action.mark !== undefined;
      case 'label=':
        action.label = readLabel(scan) as NonNullable<CtAction['label']>;
        return action.label !== undefined;
      case 'helper=':
        action.helper = scan.match(/[^\s,)]{1,15}(?=[\s,)])/y)?.[0] ?? '';
        return action.helper !== '';
      case 'timeout=':
        action.timeout = scan.match(/[^\s,)]{1,31}(?=[\s,)])/y)?.[0] ?? '';
        return action.timeout !== '';
      case 'nat':
        action.nat = readNat(scan) as DpNat;
        return action.nat !== undefined;
    }
    return false;
  });
  if (!isRead || (action.commit && action.force)) return undefined;
  action.commit ||= action.force;
  return action;
}
