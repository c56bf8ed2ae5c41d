// Datapath actions from the text that `action-text.ts` makes of them: what `ovs-dpctl add-flow` and `parse-actions` take.
// Facts: the running reference. What Weft's frame path has no action for (`userspace` with data of its own, `lb_output`) is a fault.
import { parseIpv4, parseIpv6, parseMac } from '../base/addresses.ts';
import { TUN_FLAG, W } from '../flow/key.ts';
import type { DpAction, DpNat, SetGroup, TunnelKey } from './datapath.ts';
import { type ParsedKey, parseDpKey } from './key-parse.ts';

const MAX_DEPTH = 16;

/** Thrown inside and caught by `parseDpActions`. */
class Fault extends Error {}

function fail(): never {
  throw new Fault('bad actions');
}

function integer(text: string | undefined, most = 0xffffffff): number {
  if (text === undefined || !/^(0x[0-9a-f]+|\d+)$/i.test(text)) fail();
  const value = Number(text);
  return value <= most ? value : fail();
}

/** Parts of a list between commas outside of parentheses. */
function split(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i <= text.length; i++) {
    const c = text[i];
    if (c === '(') depth++;
    else if (c === ')') depth--;
    if (depth < 0) fail();
    if (i < text.length && (depth > 0 || (c !== ',' && c !== ' '))) continue;
    if (i > from) parts.push(text.slice(from, i));
    from = i + 1;
  }
  if (depth !== 0) fail();
  return parts;
}

/** `name=value` parts as a map; words without a value have ''. */
function options(inside: string): Map<string, string> {
  return new Map(
    split(inside).map((part) => {
      const cut = part.search(/[=(]/);
      return cut < 0 ? [part, ''] : [part.slice(0, cut), part[cut] === '=' ? part.slice(cut + 1) : part.slice(cut)];
    }),
  );
}

const inner = (text: string | undefined): string => (text?.startsWith('(') && text.endsWith(')') ? text.slice(1, -1) : fail());

function mac(text: string | undefined): [number, number] {
  return parseMac(text ?? '') ?? fail();
}

function lse(from: ReadonlyMap<string, string>): number {
  const get = (name: string, most: number): number => integer(from.get(name), most);
  return ((get('label', 0xfffff) << 12) | (get('tc', 7) << 9) | (get('bos', 1) << 8) | get('ttl', 255)) >>> 0;
}

/** Words of the key that each group of `set` may touch come from the parser of keys: the group's text is one. */
const SET_GROUPS: ReadonlySet<string> = new Set([
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
  return {
    id: (BigInt(key[W.TUN_ID]!) << 32n) | BigInt(key[W.TUN_ID + 1]!),
    src: place(W.TUN_SRC, W.TUN_IPV6_SRC),
    dst: place(W.TUN_DST, W.TUN_IPV6_DST),
    ipv6,
    tos: (flags >>> 8) & 255,
    ttl: flags & 255,
    tpSrc: key[W.TUN_TP]! >>> 16,
    tpDst: key[W.TUN_TP]! & 0xffff,
    flags: (flags >>> 16) & (TUN_FLAG.DONT_FRAGMENT | TUN_FLAG.CSUM | TUN_FLAG.KEY | TUN_FLAG.OAM),
    gbpId: 0,
    gbpFlags: 0,
    options: new Uint8Array(0),
    mark: 0,
  };
}

function setAction(inside: string): DpAction {
  const group = /^([a-z0-9_]+)\(/.exec(inside)?.[1] ?? fail();
  const parsed = parseDpKey(inside, { masked: true, vlanLimit: 1 });
  if (typeof parsed === 'string' || parsed.groups.size > 1) fail();
  if (group === 'tunnel') return { kind: 'setTunnel', tunnel: tunnelKey(parsed) };
  if (!SET_GROUPS.has(group)) fail();
  const words: number[] = [];
  for (let word = 0; word < W.DP_END; word++) {
    // A tag's type is no part of what `vlan` sets.
    const mask = word === W.VLAN0 ? parsed.mask[word]! & 0xffff : parsed.mask[word]!;
    if (mask !== 0) words.push(word, parsed.key[word]! & mask, mask);
  }
  return { kind: 'set', group: group as SetGroup, words: Uint32Array.from(words) };
}

const address = (text: string): number[] => {
  const ipv4 = parseIpv4(text);
  return ipv4 === undefined ? [...(parseIpv6(text) ?? fail())] : [0, 0, 0, ipv4];
};

/** `src=ADDRESS[-ADDRESS][:PORT[-PORT]]`, IPv6 in brackets where ports follow. */
function natAction(text: string): DpNat {
  const nat: DpNat = {
    direction: '',
    addrMin: [0, 0, 0, 0],
    addrMax: [0, 0, 0, 0],
    portMin: 0,
    portMax: 0,
    persistent: false,
    hash: false,
    random: false,
  };
  for (const [name, value] of options(text)) {
    if (name === 'persistent' || name === 'hash' || name === 'random') nat[name] = true;
    else if (name === 'src' || name === 'dst') {
      nat.direction = name;
      const match = /^(?:\[([^\]]+)\]|([0-9.]+)|([0-9a-f:]+))(?:-(?:\[([^\]]+)\]|([0-9.]+)|([0-9a-f:]+)))?(?::(\d+)(?:-(\d+))?)?$/i.exec(
        value,
      );
      if (match === null) fail();
      nat.addrMin = address(match[1] ?? match[2] ?? match[3]!);
      const last = match[4] ?? match[5] ?? match[6];
      nat.addrMax = last === undefined ? nat.addrMin : address(last);
      nat.portMin = match[7] === undefined ? 0 : integer(match[7], 0xffff);
      nat.portMax = match[8] === undefined ? nat.portMin : integer(match[8], 0xffff);
    } else fail();
  }
  return nat;
}

/** `VALUE/MASK` of up to 128 bits as words. */
function wide(text: string): [number[], number[]] {
  const [value = '', mask] = text.split('/');
  const words = (digits: string): number[] => {
    if (!/^(0x[0-9a-f]{1,32}|\d+)$/i.test(digits)) fail();
    const number = BigInt(digits);
    return [96n, 64n, 32n, 0n].map((shift) => Number((number >> shift) & 0xffffffffn));
  };
  return [words(value), mask === undefined ? [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff] : words(mask)];
}

function ctAction(inside: string): DpAction {
  const action: Extract<DpAction, { kind: 'ct' }> = { kind: 'ct', commit: false, force: false, zone: 0, helper: '', timeout: '' };
  for (const [name, value] of options(inside)) {
    if (name === 'commit') action.commit = true;
    else if (name === 'force_commit') {
      action.commit = true;
      action.force = true;
    } else if (name === 'zone') action.zone = integer(value, 0xffff);
    else if (name === 'mark') {
      const [bits = '', mask] = value.split('/');
      action.mark = [integer(bits), mask === undefined ? 0xffffffff : integer(mask)];
    } else if (name === 'label') action.label = wide(value);
    else if (name === 'helper') action.helper = value;
    else if (name === 'timeout') action.timeout = value;
    else if (name === 'nat') action.nat = natAction(value === '' ? '' : inner(value));
    else fail();
  }
  return action;
}

function pushNsh(inside: string): DpAction {
  const from = options(inside);
  const get = (name: string, most: number): number => (from.has(name) ? integer(from.get(name), most) : 0);
  const mdType = get('mdtype', 2);
  const rest = mdType === 2 ? Buffer.from((from.get('md2') ?? '0x').slice(2), 'hex') : new Uint8Array(16);
  const header = new Uint8Array(8 + rest.length);
  const view = new DataView(header.buffer);
  view.setUint16(0, (get('flags', 3) << 12) | (get('ttl', 63) << 6) | (header.length >> 2));
  header[2] = mdType;
  header[3] = get('np', 255);
  view.setUint32(4, ((get('spi', 0xffffff) << 8) | get('si', 255)) >>> 0);
  if (mdType === 2) header.set(rest, 8);
  else for (let i = 0; i < 4; i++) view.setUint32(8 + 4 * i, get(`c${i + 1}`, 0xffffffff));
  return { kind: 'pushNsh', header };
}

type Maker = (inside: string, depth: number) => DpAction;
const nested = (text: string | undefined, depth: number): DpAction[] => actionList(inner(text), depth + 1);

const MAKERS: Readonly<Record<string, Maker>> = {
  set: setAction,
  ct: ctAction,
  push_nsh: pushNsh,
  pop_nsh: () => ({ kind: 'popNsh' }),
  clone: (inside, depth) => ({ kind: 'clone', actions: actionList(inside, depth + 1) }),
  sample: (inside, depth) => {
    const from = options(inside);
    const share = /^(\d+(?:\.\d+)?)%$/.exec(from.get('sample') ?? '')?.[1] ?? fail();
    const probability = Math.floor((Number(share) / 100) * 0xffffffff + 0.5);
    if (probability > 0xffffffff) fail();
    return { kind: 'sample', probability, actions: nested(from.get('actions'), depth) };
  },
  check_pkt_len: (inside, depth) => {
    const from = options(inside);
    return {
      kind: 'checkPktLen',
      length: integer(from.get('size'), 0xffff),
      larger: nested(from.get('gt'), depth),
      smaller: nested(from.get('le'), depth),
    };
  },
  recirc: (inside) => ({ kind: 'recirc', id: integer(inside) }),
  meter: (inside) => ({ kind: 'meter', meter: integer(inside) }),
  trunc: (inside) => ({ kind: 'trunc', maxLength: integer(inside) }),
  push_vlan: (inside) => {
    const from = options(inside);
    const tci = integer(from.get('vid'), 0xfff) | (integer(from.get('pcp') ?? '0', 7) << 13);
    return { kind: 'pushVlan', tpid: from.has('tpid') ? integer(from.get('tpid'), 0xffff) : 0x8100, tci: tci | 0x1000 };
  },
  push_mpls: (inside) => {
    const from = options(inside);
    return { kind: 'pushMpls', ethertype: integer(from.get('eth_type'), 0xffff), lse: lse(from) };
  },
  add_mpls: (inside) => {
    const from = options(inside);
    return { kind: 'addMpls', ethertype: integer(from.get('eth_type'), 0xffff), lse: lse(from), isL3: true };
  },
  pop_mpls: (inside) => ({ kind: 'popMpls', ethertype: integer(options(inside).get('eth_type'), 0xffff) }),
  push_eth: (inside) => {
    const from = options(inside);
    return { kind: 'pushEth', src: mac(from.get('src')), dst: mac(from.get('dst')) };
  },
};

const WORDS: ReadonlyMap<string, DpAction> = new Map<string, DpAction>([
  ['pop_vlan', { kind: 'popVlan' }],
  ['pop_eth', { kind: 'popEth' }],
  ['ct_clear', { kind: 'ctClear' }],
  ['ct', ctAction('')],
]);

function actionList(text: string, depth: number): DpAction[] {
  if (depth > MAX_DEPTH) fail();
  if (text.trim() === 'drop') return [];
  return split(text).map((part): DpAction => {
    if (/^(0x[0-9a-f]+|\d+)$/i.test(part)) return { kind: 'output', port: integer(part) };
    const word = WORDS.get(part);
    if (word !== undefined) return word;
    const open = part.indexOf('(');
    const name = part.slice(0, open);
    if (open < 0 || !part.endsWith(')') || !Object.hasOwn(MAKERS, name)) fail();
    return MAKERS[name]!(part.slice(open + 1, -1), depth);
  });
}

/** The actions of a text; undefined when it is none. */
export function parseDpActions(text: string): DpAction[] | undefined {
  try {
    return actionList(text, 0);
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
