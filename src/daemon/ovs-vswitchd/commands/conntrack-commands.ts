// Control commands about connection tracking: dpctl/dump-conntrack, flush-conntrack and ct-*. Text as in the running reference.
import { parseIpv4, parseIpv6 } from '../../../base/addresses.ts';
import { ConfigError } from '../../../base/errors.ts';
import type { Datapath } from '../../../datapath/datapath.ts';
import { coalesce, formatConntrack } from '../../../datapath/userspace/conntrack/dump-text.ts';
import type { CtAnswer, CtEntry, CtFilterTuple, CtRequestMessage } from '../../../datapath/userspace/conntrack/request.ts';
import { TCP_STATE_NAMES } from '../../../datapath/userspace/conntrack/tcp-state.ts';
import { tupleProto } from '../../../datapath/userspace/conntrack/tuple.ts';
import { registerDpctl, takeDatapath } from './datapath-names.ts';
import { DpctlError, INVALID, said } from './dpctl-fault.ts';
import { keyValues, leadingNumber, wholeNumber } from './key-values.ts';
import type { CommandParts } from './parts.ts';

const MOST = 10_000_000;
const ANY = Number.POSITIVE_INFINITY;

const FLUSH_WORDS = 4;

function fail(text: string): never {
  throw new DpctlError(text, INVALID);
}

/** This command tells twice that there is no such datapath. */
const toldTwice = (text: string): ConfigError => new ConfigError(`${text}\n${said('Cannot open dpif', INVALID)}`);

/** What the tracker of a datapath answers. */
export function askConntrack(datapath: Datapath, request: CtRequestMessage): Promise<CtAnswer> {
  if (datapath.conntrack === undefined) fail('connection tracking is not supported');
  return datapath.conntrack(request);
}

const ZONE = /^zone=\s*[+-]?\d/;
const VERBOSE = /^verbose$/;

/** `zone=N`. */
function zoneOf(words: readonly string[]): number | undefined {
  const word = words.find((one) => ZONE.test(one));
  if (word === undefined) return undefined;
  return leadingNumber(word.slice(5), 16) ?? fail('failed to parse zone');
}

async function dump(datapath: Datapath, words: readonly string[], flags: ReadonlySet<string>): Promise<string> {
  const verbose = flags.has('-m') || flags.has('--more');
  const timeouts = flags.has('-s') || flags.has('--statistics');
  const { entries } = await askConntrack(datapath, { kind: 'dump', zone: zoneOf(words), most: MOST });
  return entries.map((entry) => formatConntrack(entry, { verbose, timeouts })).join('\n');
}

/** Fields of a tuple that are numbers, by their names, with their bits. */
const NUMBERS: ReadonlyMap<string, readonly [field: keyof CtFilterTuple, bits: number]> = new Map([
  ['ct_nw_proto', ['proto', 8]],
  ['ct_tp_src', ['sourcePort', 16]],
  ['ct_tp_dst', ['destinationPort', 16]],
  ['icmp_id', ['icmpId', 16]],
  ['icmp_type', ['icmpType', 8]],
  ['icmp_code', ['icmpCode', 8]],
]);
const ADDRESSES: ReadonlyMap<string, readonly [field: 'source' | 'destination', isIpv6: boolean]> = new Map([
  ['ct_nw_src', ['source', false]],
  ['ct_nw_dst', ['destination', false]],
  ['ct_ipv6_src', ['source', true]],
  ['ct_ipv6_dst', ['destination', true]],
]);

/** A tuple of `flush-conntrack`: `ct_nw_src=...,ct_nw_proto=...`. */
export function parseCtTuple(text: string): Partial<CtFilterTuple> {
  const tuple: Partial<CtFilterTuple> = {};
  let family: boolean | undefined;
  const seen = new Set<string>();
  // That a protocol is said twice is told beside another fault only.
  let doubled = '';
  for (const [name, value] of keyValues(text)) {
    if (value === '') fail(`${doubled}field ${name} missing value`);
    const address = ADDRESSES.get(name);
    const again = seen.has(name) && address !== undefined ? `${name} is set multiple times` : '';
    if (seen.has(name) && name === 'ct_nw_proto') doubled += `${name} is set multiple times`;
    const number = NUMBERS.get(name);
    if (address !== undefined) {
      const [field, isIpv6] = address;
      if (family !== undefined && family !== isIpv6) fail(`${doubled}the L3 protocol does not match ${value}`);
      const words = isIpv6 ? parseIpv6(value) : ipv4Words(value);
      if (words === undefined) fail(`${doubled}${again}failed to parse field ${name}`);
      family = isIpv6;
      tuple[field] = [...words];
    } else if (number !== undefined) {
      const [field, bits] = number;
      if (name.startsWith('icmp') && tuple.proto !== 1 && tuple.proto !== 58) fail(`${doubled}invalid L4 fields`);
      tuple[field] = (wholeNumber(value, bits) ?? fail(`${doubled}failed to parse field ${name}`)) as never;
    } else fail(`${doubled}invalid conntrack tuple field: ${name}`);
    if (again !== '') fail(`${doubled}${again}`);
    seen.add(name);
  }
  if ((tuple.sourcePort !== undefined || tuple.destinationPort !== undefined) && (tuple.proto ?? 0) === 0)
    fail(`${doubled}port is set without protocol`);
  return tuple;
}

function ipv4Words(text: string): number[] | undefined {
  const address = parseIpv4(text);
  return address === undefined ? undefined : [0, 0, 0, address];
}

async function flush(datapath: Datapath, words: readonly string[]): Promise<string> {
  const hasZone = words[0]?.startsWith('zone=') === true;
  if (hasZone && zoneOf(words.slice(0, 1)) === undefined) fail('failed to parse zone');
  const tuples = words.slice(hasZone ? 1 : 0, hasZone ? 3 : 2).map(parseCtTuple);
  // So many words begin with a datapath's name.
  if (words.length === FLUSH_WORDS) throw toldTwice(said('datapath not found', INVALID));
  const [original, reply] = tuples;
  // A tuple that says everything means one connection of one zone, which must be there.
  const isWhole =
    original !== undefined &&
    reply === undefined &&
    [original.source, original.destination, original.proto].every((part) => part !== undefined) &&
    (original.sourcePort !== undefined || original.icmpId !== undefined) &&
    (original.destinationPort !== undefined || original.icmpType !== undefined);
  const zone = zoneOf(words.slice(0, 1)) ?? (isWhole ? 0 : undefined);
  const { flushed } = await askConntrack(datapath, { kind: 'flush', filter: { zone, original, reply } });
  if (isWhole && flushed === 0) throw new DpctlError('failed to flush conntrack', 'No such file or directory');
  return '';
}

const PROTOCOLS: readonly (readonly [number, string])[] = [
  [6, 'TCP'],
  [17, 'UDP'],
  [132, 'SCTP'],
  [1, 'ICMP'],
  [58, 'ICMPv6'],
];

async function stats(datapath: Datapath, words: readonly string[], flags: ReadonlySet<string>): Promise<string> {
  const { entries } = await askConntrack(datapath, { kind: 'dump', zone: zoneOf(words), most: MOST });
  const isVerbose = words.includes('verbose') || flags.has('-m') || flags.has('--more');
  const lines = ['Connections Stats:', `    Total: ${entries.length}`];
  for (const [proto, name] of PROTOCOLS) {
    const same = entries.filter((entry) => tupleProto(entry.original) === proto);
    if (same.length === 0) continue;
    lines.push(`  ${name}: ${same.length}`);
    if (proto === 6 && isVerbose) lines.push(...tcpStates(same));
  }
  const other = entries.filter((entry) => !PROTOCOLS.some(([proto]) => proto === tupleProto(entry.original))).length;
  if (other > 0) lines.push(`  Other: ${other}`);
  return lines.join('\n');
}

function tcpStates(entries: readonly CtEntry[]): string[] {
  const lines = ['    Conn per TCP states:'];
  for (const [state, name] of TCP_STATE_NAMES.entries()) {
    const count = entries.filter(({ tcp }) => tcp !== undefined && coalesce(tcp.states[0], tcp.states[1]) === state).length;
    if (count > 0) lines.push(`\t  [${name}]=${count}`);
  }
  return lines;
}

async function buckets(datapath: Datapath, words: readonly string[]): Promise<string> {
  const word = words.find((one) => /^gt=\s*[+-]?\d/.test(one)) ?? 'gt=0';
  const above = leadingNumber(word.slice(3), 32) ?? 0;
  const { count } = await askConntrack(datapath, { kind: 'status' });
  // Like the reference's user-space datapath: connections are told to be in one bucket.
  const lines = ['Total Buckets: 1', `Current Connections: ${count}`, ''];
  if (count === 0) return `${lines.join('\n')}\n`;
  const rule = '+-----------+-----------------------------------------+';
  lines.push(rule, '|  Buckets  |         Connections per Buckets         |', rule);
  lines.push(`   0..  7   | ${count > above ? String(count).padStart(5) : '    .'}`, '', '');
  return lines.join('\n');
}

/** `zone=N,limit=N`. */
function zoneLimit(word: string): readonly [zone: number, limit: number] {
  let zone: number | undefined;
  let limit: number | undefined;
  for (const [name, value] of keyValues(word)) {
    if (value === '') fail(`field ${name} missing value`);
    if (name === 'zone') zone = wholeNumber(value, 16) ?? fail(`failed to parse field ${name}`);
    else if (name === 'limit') limit = anyNumber(value) ?? fail(`failed to parse field ${name}`);
    else fail(`invalid zone limit field: ${name}`);
  }
  return zone === undefined || limit === undefined ? fail('failed to parse zone limit') : [zone, limit];
}

/** A number in any base, cut to 32 bits. */
function anyNumber(text: string): number | undefined {
  const found = /^([+-]?)(0x[0-9a-f]+|\d+)$/i.exec(text);
  if (found === null) return undefined;
  const value = BigInt(found[2]!);
  return Number(BigInt.asUintN(32, found[1] === '-' ? -value : value));
}

async function setLimits(datapath: Datapath, words: readonly string[]): Promise<string> {
  const [first = ''] = words;
  const hasDefault = first.startsWith('default=');
  const defaultLimit = hasDefault ? (leadingNumber(first.slice('default='.length), 32) ?? fail('invalid default limit')) : undefined;
  const zones = words.slice(hasDefault ? 1 : 0).map(zoneLimit);
  await askConntrack(datapath, { kind: 'setLimits', defaultLimit, zones });
  return '';
}

function zoneList(words: readonly string[]): number[] {
  const word = words[0];
  if (word === undefined) return [];
  if (!word.startsWith('zone=')) fail(`invalid argument ${word}`);
  const zones = word
    .slice(5)
    .split(',')
    .filter((one) => one !== '');
  return zones.map((zone) => leadingNumber(zone, 16) ?? fail('invalid zone'));
}

async function getLimits(datapath: Datapath, words: readonly string[]): Promise<string> {
  const wanted = zoneList(words);
  const { defaultLimit, zones } = await askConntrack(datapath, { kind: 'status' });
  const lines = [`default limit=${defaultLimit ?? 0}`];
  const known = new Map(zones.map(([zone, limit, count]) => [zone, { limit, count }]));
  const limited = zones.filter(([, limit]) => limit !== undefined).map(([zone]) => zone);
  for (const zone of wanted.length > 0 ? wanted : limited.sort((a, b) => a - b)) {
    const { limit, count } = known.get(zone) ?? { limit: undefined, count: 0 };
    lines.push(`zone=${zone},limit=${limit ?? defaultLimit ?? 0},count=${count}`);
  }
  return lines.join('\n');
}

async function deleteLimits(datapath: Datapath, words: readonly string[]): Promise<string> {
  await askConntrack(datapath, { kind: 'deleteLimits', zones: zoneList(words) });
  return '';
}

async function setMax(datapath: Datapath, words: readonly string[]): Promise<string> {
  const text = words[0] ?? '';
  const max = leadingNumber(text, 32) ?? fail('maxconns missing or malformed');
  await askConntrack(datapath, { kind: 'setMax', max });
  return 'setting maxconns successful';
}

/** Registers them. */
export function registerConntrackCommands(parts: CommandParts): void {
  type Handler = (datapath: Datapath, words: readonly string[], flags: ReadonlySet<string>) => Promise<string>;
  const opened = (name: string, words: string[], full: number): Datapath => {
    try {
      return takeDatapath(parts, words, words.length === full ? full : ANY);
    } catch (error) {
      if (!(error instanceof ConfigError) || name !== 'flush-conntrack') throw error;
      throw toldTwice(error.message);
    }
  };
  /**
   * `full`: with so many words behind the options the first one is a datapath, whatever it says. `tail`: what the last words may be, from
   * the last on: they say what is looked for, and how much of it is told.
   */
  const register = (
    name: string,
    usage: string,
    least: number,
    most: number,
    handler: Handler,
    { full = most, tail = [] }: { full?: number; tail?: readonly RegExp[] } = {},
  ): void => {
    registerDpctl(parts, name, usage, least, most, (words, flags) => {
      const last: string[] = [];
      for (const sort of tail) if (sort.test(words.at(-1) ?? '')) last.unshift(...words.splice(-1));
      return handler(opened(name, words, full), [...words, ...last], flags);
    });
  };
  register('dump-conntrack', '[-m] [-s] [dp] [zone=N]', 0, 4, dump, { full: 1, tail: [ZONE] });
  register('flush-conntrack', '[dp] [zone=N] [ct-orig-tuple] [ct-reply-tuple]', 0, FLUSH_WORDS, flush, { full: ANY });
  register('ct-stats-show', '[dp] [zone=N]', 0, 3, stats, { full: 1, tail: [VERBOSE, ZONE, VERBOSE] });
  register('ct-bkts', '[dp] [gt=N]', 0, 2, buckets, { full: 1, tail: [/^gt=\s*[+-]?\d/] });
  register('ct-set-maxconns', '[dp] maxconns', 1, 2, setMax);
  register('ct-get-maxconns', '[dp]', 0, 1, async (datapath) => String((await askConntrack(datapath, { kind: 'status' })).max));
  register('ct-get-nconns', '[dp]', 0, 1, async (datapath) => String((await askConntrack(datapath, { kind: 'status' })).count));
  const sequences = (isOn: boolean): Handler => {
    return async (datapath) => {
      await askConntrack(datapath, { kind: 'setSeqCheck', isOn });
      return `${isOn ? 'enabling' : 'disabling'} TCP sequence checking successful`;
    };
  };
  register('ct-enable-tcp-seq-chk', '[dp]', 0, 1, sequences(true), { full: ANY });
  register('ct-disable-tcp-seq-chk', '[dp]', 0, 1, sequences(false), { full: ANY });
  register('ct-get-tcp-seq-chk', '[dp]', 0, 1, async (datapath) => {
    const { checksSequences } = await askConntrack(datapath, { kind: 'status' });
    return `TCP sequence checking: ${checksSequences ? 'enabled' : 'disabled'}`;
  });
  register('ct-set-limits', '[dp] [default=L] [zone=N,limit=L]...', 1, ANY, setLimits);
  register('ct-get-limits', '[dp] [zone=N1[,N2]...]', 0, 2, getLimits);
  register('ct-del-limits', '[dp] zone=N1[,N2]...', 1, 2, deleteLimits);
}
