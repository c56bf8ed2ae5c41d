// Datapath actions from the text that `action-text.ts` makes of them: what `ovs-dpctl add-flow` and `parse-actions` take. Facts: the running
// reference, which reads each action by one pattern, most numbers in any base and cut to their bits, and some of what it prints not at all
// (`push_mpls`, `pop_mpls`, `push_eth`, `pop_eth`, `hash`).
import { VLAN_CFI, W } from '../flow/key.ts';
import { parseAttribute } from './attribute-parse.ts';
import { formatAttribute } from './attribute-text.ts';
import { readCt } from './ct-parse.ts';
import type { DpAction, SetGroup, TunnelKey } from './datapath.ts';
import { keyOf, type ParsedKey } from './key-parse.ts';
import { readPushNsh } from './nsh-parse.ts';
import { TextScan } from './text-scan.ts';
import { readTunnelPush } from './tunnel-header-parse.ts';
import { readUserspace } from './userspace-parse.ts';

const MAX_DEPTH = 32;
const DELIMITER = /[\s,]/;

/** Reads an action that has begun; undefined when it is none. */
type Reader = (scan: TextScan, depth: number) => DpAction | undefined;

/** Groups that the frame path sets. */
const SET_GROUPS: ReadonlySet<string> = new Set<SetGroup>([
  'eth',
  'vlan',
  'ipv4',
  'ipv6',
  'tcp',
  'udp',
  'sctp',
  'icmp',
  'icmpv6',
  'arp',
  'nd',
  'mpls',
  'skb_mark',
  'skb_priority',
]);

function tunnelKey({ key }: ParsedKey): TunnelKey {
  const words = (first: number): number[] => [...key.subarray(first, first + 4)];
  const ipv6 = words(W.TUN_IPV6_DST).some((word) => word !== 0);
  const place = (v4: number, v6: number): number[] => (ipv6 ? words(v6) : [0, 0, 0, key[v4]!]);
  const flags = key[W.TUN_FLAGS]!;
  const options = new Uint8Array(key[W.TUN_METADATA_MAP]!);
  const view = new DataView(options.buffer);
  for (let at = 0; at + 4 <= options.length; at += 4) view.setUint32(at, key[W.TUN_METADATA + at / 4]!);
  return {
    id: (BigInt(key[W.TUN_ID]!) << 32n) | BigInt(key[W.TUN_ID + 1]!),
    src: place(W.TUN_SRC, W.TUN_IPV6_SRC),
    dst: place(W.TUN_DST, W.TUN_IPV6_DST),
    ipv6,
    tos: (flags >>> 8) & 255,
    ttl: flags & 255,
    tpSrc: key[W.TUN_TP]! >>> 16,
    tpDst: key[W.TUN_TP]! & 0xffff,
    flags: flags >>> 16,
    gbpId: 0,
    gbpFlags: 0,
    options,
    mark: 0,
  };
}

/** What the frame path has no action for ends the frame; its text is kept. */
const unknown = (said: string): DpAction => ({ kind: 'drop', reason: 0, said });

function readSet(scan: TextScan): DpAction | undefined {
  const attribute = parseAttribute(scan, { masked: true });
  if (attribute === undefined || !scan.word(')')) return undefined;
  const said = `set(${formatAttribute(attribute, false)})`;
  const parsed = keyOf([attribute], 1);
  if (attribute.group === 'tunnel') return { kind: 'setTunnel', tunnel: tunnelKey(parsed), said };
  if (!SET_GROUPS.has(attribute.group)) return unknown(said);
  const words: number[] = [];
  for (let word = 0; word < W.DP_END; word++) {
    // A tag's type is no part of what `vlan` sets, nor is a fragment's kind of `ipv4`.
    const own = word === W.VLAN0 ? 0xffff : word === W.TYPE ? 0xff : 0xffffffff;
    const mask = parsed.mask[word]! & own;
    if (mask !== 0) words.push(word, (parsed.key[word]! & mask) >>> 0, mask >>> 0);
  }
  return { kind: 'set', group: attribute.group as SetGroup, words: Uint32Array.from(words), said };
}

const PUSH_VLAN: readonly (readonly [pattern: string, fields: readonly string[]])[] = [
  ['vid=%i,pcp=%i)', ['vid', 'pcp']],
  ['vid=%i,pcp=%i,cfi=%i)', ['vid', 'pcp', 'cfi']],
  ['tpid=%i,vid=%i,pcp=%i)', ['tpid', 'vid', 'pcp']],
  ['tpid=%i,vid=%i,pcp=%i,cfi=%i)', ['tpid', 'vid', 'pcp', 'cfi']],
];

function readPushVlan(scan: TextScan): DpAction | undefined {
  for (const [pattern, fields] of PUSH_VLAN) {
    const numbers = scan.pattern(pattern);
    if (numbers === undefined) continue;
    const get = (name: string, otherwise: number): number => numbers[fields.indexOf(name)] ?? otherwise;
    const [vid, pcp] = [get('vid', 0), get('pcp', 0)];
    if (vid > 0xfff || pcp > 7) return undefined;
    return { kind: 'pushVlan', tpid: get('tpid', 0x8100) & 0xffff, tci: (pcp << 13) | (get('cfi', 1) === 0 ? 0 : VLAN_CFI) | vid };
  }
  return undefined;
}

function readAddMpls(scan: TextScan): DpAction | undefined {
  const [label = 0, tc = 0, ttl = 0, bos = 0, type] = scan.pattern('label=%i,tc=%u,ttl=%u,bos=%u,eth_type=0x%x)') ?? [];
  if (type === undefined) return undefined;
  return { kind: 'addMpls', ethertype: type & 0xffff, lse: ((label << 12) | (tc << 9) | (bos << 8) | (ttl & 255)) >>> 0, isL3: true };
}

function readSample(scan: TextScan, depth: number): DpAction | undefined {
  const share = scan.match(/sample=\s*([+-]?(?:\d+\.?\d*|\.\d+)?(?:e[+-]?\d+)?)%,actions\(/iy)?.[1];
  const percent = Number(share === '' ? 0 : share);
  if (!(percent >= 0 && percent <= 100)) return undefined;
  const actions = list(scan, depth + 1);
  if (actions === undefined || !scan.word(')')) return undefined;
  return { kind: 'sample', probability: Math.floor((percent / 100) * 0xffffffff + 0.5), actions };
}

function readCheckLength(scan: TextScan, depth: number): DpAction | undefined {
  const [length] = scan.pattern('size=%i,gt(') ?? [];
  if (length === undefined) return undefined;
  const larger = scan.word('drop)') ? [] : list(scan, depth + 1);
  if (larger === undefined || !scan.word(',le(')) return undefined;
  const smaller = scan.word('drop)') ? [] : list(scan, depth + 1);
  if (smaller === undefined || !scan.word(')')) return undefined;
  return { kind: 'checkPktLen', length: length & 0xffff, larger, smaller };
}

/** An action of one number. */
const ofNumber =
  (pattern: string, make: (number: number) => DpAction): Reader =>
  (scan) => {
    const [number] = scan.pattern(pattern) ?? [];
    return number === undefined ? undefined : make(number);
  };

const LEAST_LONG = -(1n << 63n);
const MOST_LONG = (1n << 63n) - 1n;

/** The reference reads this number alone as sscanf(3) does: what 64 bits do not hold is the nearest that they do, and then it is cut. */
function readMeter(scan: TextScan): DpAction | undefined {
  const found = scan.match(/\s*([+-]?)(?:(0x)([0-9a-f]*)|(0[0-7]*|[1-9]\d*))\)/iy);
  if (found === undefined) return undefined;
  const [, sign, hex, hexDigits, digits = ''] = found;
  const size = BigInt(hex !== undefined ? `0x${hexDigits || '0'}` : /^0\d/.test(digits) ? `0o${digits.slice(1)}` : digits);
  const value = sign === '-' ? -size : size;
  const held = value < LEAST_LONG ? LEAST_LONG : value > MOST_LONG ? MOST_LONG : value;
  return { kind: 'meter', meter: Number(BigInt.asUintN(32, held)) };
}

/** Actions by how they begin. */
const READERS: readonly (readonly [begin: string, read: Reader])[] = [
  ['tnl_pop(', ofNumber('%i)', (port) => ({ kind: 'tunnelPop', port, protocol: 'gre' }))],
  ['recirc(', ofNumber('%u)', (id) => ({ kind: 'recirc', id }))],
  ['lb_output(', ofNumber('%u)', (bond) => unknown(`lb_output(${bond})`))],
  ['meter(', readMeter],
  ['trunc(', ofNumber('%i)', (maxLength) => ({ kind: 'trunc', maxLength }))],
  ['userspace(', (scan) => readUserspace(scan, unknown)],
  ['tnl_push(', readTunnelPush],
  ['set(', readSet],
  ['push_vlan(', readPushVlan],
  ['pop_vlan', () => ({ kind: 'popVlan' })],
  ['add_mpls(', readAddMpls],
  ['push_nsh(', readPushNsh],
  ['pop_nsh()', () => ({ kind: 'popNsh' })],
  ['sample(', readSample],
  ['check_pkt_len(', readCheckLength],
  [
    'clone(',
    (scan, depth) => {
      const actions = list(scan, depth + 1);
      return actions && { kind: 'clone', actions };
    },
  ],
  ['ct_clear', () => ({ kind: 'ctClear' })],
  ['ct', readCt],
];

function one(scan: TextScan, depth: number): DpAction | undefined {
  const port = scan.number(32);
  if (port !== undefined) return { kind: 'output', port: Number(port) };
  for (const [begin, read] of READERS) if (scan.word(begin)) return read(scan, depth);
  return undefined;
}

/** Actions up to a parenthesis, which is read too. */
function list(scan: TextScan, depth: number): DpAction[] | undefined {
  if (depth > MAX_DEPTH) return undefined;
  const actions: DpAction[] = [];
  for (;;) {
    scan.delimiters();
    if (scan.word(')')) return actions;
    const action = one(scan, depth);
    const next = scan.text[scan.at];
    if (action === undefined || next === undefined || (next !== ')' && !DELIMITER.test(next))) return undefined;
    actions.push(action);
  }
}

/** The actions of a text, or why it is none in the reference's words: a number where something stands behind an action. */
export function parseDpActions(text: string): DpAction[] | string {
  if (text === 'drop') return [];
  const scan = new TextScan(text);
  const actions: DpAction[] = [];
  for (;;) {
    scan.delimiters();
    if (scan.isAtEnd) return actions;
    const start = scan.at;
    const action = one(scan, 0);
    if (action === undefined) return 'Invalid argument';
    if (!scan.isAtEnd && !DELIMITER.test(scan.text[scan.at]!)) {
      const read = scan.at - start;
      return read === 1 ? 'End of file' : `Unknown error -${read}`;
    }
    actions.push(action);
  }
}
