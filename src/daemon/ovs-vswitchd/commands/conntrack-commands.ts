// Control commands about connection tracking: dpctl/dump-conntrack, flush-conntrack and ct-*. Text as in the running reference.
import { ConfigError } from '../../../base/errors.ts';
import type { Datapath } from '../../../datapath/datapath.ts';
import { coalesce, formatConntrack } from '../../../datapath/userspace/conntrack/dump-text.ts';
import type { CtAnswer, CtEntry, CtFilterTuple, CtRequestMessage } from '../../../datapath/userspace/conntrack/request.ts';
import { TCP_STATE_NAMES } from '../../../datapath/userspace/conntrack/tcp-state.ts';
import { tupleProto } from '../../../datapath/userspace/conntrack/tuple.ts';
import { parseField } from '../../../flow/field-text.ts';
import { mustField } from '../../../flow/fields.ts';
import { leadingOptions, takeDatapath } from './datapath-names.ts';
import type { CommandParts } from './parts.ts';

const MOST = 10_000_000;
const ANY = Number.POSITIVE_INFINITY;

function fail(text: string): never {
  throw new ConfigError(`ovs-vswitchd: ${text} (Invalid argument)`);
}

/** What the tracker of a datapath answers. */
export function askConntrack(datapath: Datapath, request: CtRequestMessage): Promise<CtAnswer> {
  if (datapath.conntrack === undefined) fail('connection tracking is not supported');
  return datapath.conntrack(request);
}

/** `zone=N`. */
function zoneOf(words: readonly string[]): number | undefined {
  const word = words.find((one) => one.startsWith('zone='));
  if (word === undefined) return undefined;
  const zone = Number(word.slice(5));
  return Number.isInteger(zone) && zone >= 0 && zone <= 0xffff ? zone : fail('failed to parse zone');
}

async function dump(datapath: Datapath, words: readonly string[], flags: ReadonlySet<string>): Promise<string> {
  const verbose = flags.has('-m') || flags.has('--more');
  const timeouts = flags.has('-s') || flags.has('--statistics');
  const { entries } = await askConntrack(datapath, { kind: 'dump', zone: zoneOf(words), most: MOST });
  return entries.map((entry) => formatConntrack(entry, { verbose, timeouts })).join('\n');
}

/** A tuple of `flush-conntrack`: `ct_nw_src=...,ct_nw_proto=...`. */
export function parseCtTuple(text: string): Partial<CtFilterTuple> {
  const tuple: Partial<CtFilterTuple> = {};
  const address = (value: string, isIpv6: boolean): number[] => {
    try {
      const number = parseField(mustField(isIpv6 ? 'ipv6_src' : 'ip_src'), value).value;
      return [96n, 64n, 32n, 0n].map((shift) => Number((number >> shift) & 0xffffffffn));
    } catch {
      return fail(`failed to parse field ct_${isIpv6 ? 'ipv6' : 'nw'}: ${value}`);
    }
  };
  const number = (name: string, value: string, most: number): number => {
    const parsed = Number(value);
    return /^\d+$/.test(value) && parsed <= most ? parsed : fail(`failed to parse field ${name}`);
  };
  for (const word of text.split(/[, ]+/)) {
    if (word === '') continue;
    const cut = word.indexOf('=');
    if (cut < 0) fail(`field ${word} missing value`);
    const name = word.slice(0, cut);
    const value = word.slice(cut + 1);
    switch (name) {
      case 'ct_nw_src':
      case 'ct_ipv6_src':
        tuple.source = address(value, name === 'ct_ipv6_src');
        break;
      case 'ct_nw_dst':
      case 'ct_ipv6_dst':
        tuple.destination = address(value, name === 'ct_ipv6_dst');
        break;
      case 'ct_nw_proto':
        tuple.proto = number(name, value, 255);
        break;
      case 'ct_tp_src':
        tuple.sourcePort = number(name, value, 65535);
        break;
      case 'ct_tp_dst':
        tuple.destinationPort = number(name, value, 65535);
        break;
      case 'icmp_id':
        tuple.icmpId = number(name, value, 65535);
        break;
      case 'icmp_type':
        tuple.icmpType = number(name, value, 255);
        break;
      case 'icmp_code':
        tuple.icmpCode = number(name, value, 255);
        break;
      default:
        fail(`invalid conntrack tuple field: ${name}`);
    }
  }
  return tuple;
}

async function flush(datapath: Datapath, words: readonly string[]): Promise<string> {
  const tuples = words.filter((word) => !word.startsWith('zone=')).map(parseCtTuple);
  const [original, reply] = tuples;
  // A tuple that says everything means one connection of one zone, which must be there.
  const isWhole =
    original !== undefined &&
    reply === undefined &&
    [original.source, original.destination, original.proto].every((part) => part !== undefined) &&
    (original.sourcePort !== undefined || original.icmpId !== undefined) &&
    (original.destinationPort !== undefined || original.icmpType !== undefined);
  const zone = zoneOf(words) ?? (isWhole ? 0 : undefined);
  const { flushed } = await askConntrack(datapath, { kind: 'flush', filter: { zone, original, reply } });
  if (isWhole && flushed === 0) throw new ConfigError('ovs-vswitchd: failed to flush conntrack (No such file or directory)');
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
  const word = words.find((one) => one.startsWith('gt=')) ?? 'gt=0';
  if (!/^gt=\d/.test(word)) fail('datapath not found');
  const above = Number.parseInt(word.slice(3), 10);
  const { count } = await askConntrack(datapath, { kind: 'status' });
  // Like the reference's user-space datapath: connections are told to be in one bucket.
  const lines = ['Total Buckets: 1', `Current Connections: ${count}`, ''];
  if (count === 0) return `${lines.join('\n')}\n`;
  const rule = '+-----------+-----------------------------------------+';
  lines.push(rule, '|  Buckets  |         Connections per Buckets         |', rule);
  lines.push(`   0..  7   | ${count > above ? String(count).padStart(5) : '    .'}`, '', '');
  return lines.join('\n');
}

async function setLimits(datapath: Datapath, words: readonly string[]): Promise<string> {
  let defaultLimit: number | undefined;
  const zones: (readonly [number, number])[] = [];
  for (const word of words) {
    const asDefault = /^default=(\d+)$/.exec(word);
    const asZone = /^zone=(\d+),limit=(\d+)$/.exec(word);
    if (asDefault !== null) defaultLimit = Number(asDefault[1]);
    else if (asZone !== null && Number(asZone[1]) <= 0xffff) zones.push([Number(asZone[1]), Number(asZone[2])]);
    else if (word.startsWith('default=')) fail('invalid default limit');
    else {
      for (const part of word.split(/[, ]+/).filter((one) => one !== '')) {
        if (!part.includes('=')) fail(`field ${part} missing value`);
        const field = part.slice(0, part.indexOf('='));
        if (field !== 'zone' && field !== 'limit') fail(`invalid zone limit field: ${field}`);
      }
      fail('failed to parse zone limit');
    }
  }
  await askConntrack(datapath, { kind: 'setLimits', defaultLimit, zones });
  return '';
}

function zoneList(words: readonly string[]): number[] {
  const word = words[0];
  if (word === undefined) return [];
  if (!word.startsWith('zone=')) fail(`invalid argument ${word}`);
  if (!/^zone=\d+(,\d+)*$/.test(word)) fail('invalid zone');
  return word.slice(5).split(',').map(Number);
}

async function getLimits(datapath: Datapath, words: readonly string[]): Promise<string> {
  const wanted = zoneList(words);
  const { defaultLimit, zones } = await askConntrack(datapath, { kind: 'status' });
  const lines = [`default limit=${defaultLimit ?? 0}`];
  const known = new Map(zones.map(([zone, limit, count]) => [zone, { limit, count }]));
  const shown = wanted.length > 0 ? wanted : zones.filter(([, limit]) => limit !== undefined).map(([zone]) => zone);
  for (const zone of shown.sort((a, b) => a - b)) {
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
  if (!/^\d+$/.test(text)) fail('maxconns missing or malformed');
  await askConntrack(datapath, { kind: 'setMax', max: Number(text) });
  return 'setting maxconns successful';
}

/** Registers them. */
export function registerConntrackCommands(parts: CommandParts): void {
  type Handler = (datapath: Datapath, words: readonly string[], flags: ReadonlySet<string>) => Promise<string>;
  /** `full`: with so many words behind the options the first one is a datapath, whatever it says. */
  const register = (name: string, usage: string, least: number, most: number, handler: Handler, full = most): void => {
    parts.unixctl.register(`dpctl/${name}`, usage, least, most, (args) => {
      const { flags, words } = leadingOptions(args);
      // Of these commands the last words say what is looked for, and how much of it is told.
      const last: string[] = [];
      while (full === 1 && /^(zone=|gt=|verbose$)/.test(words.at(-1) ?? '')) last.unshift(...words.splice(-1));
      return handler(takeDatapath(parts, words, words.length === full ? full : ANY), [...words, ...last], flags);
    });
  };
  register('dump-conntrack', '[-m] [-s] [dp] [zone=N]', 0, 4, dump, 1);
  register('flush-conntrack', '[dp] [zone=N] [ct-orig-tuple] [ct-reply-tuple]', 0, 4, flush, ANY);
  register('ct-stats-show', '[dp] [zone=N]', 0, 3, stats, 1);
  register('ct-bkts', '[dp] [gt=N]', 0, 2, buckets, 1);
  register('ct-set-maxconns', '[dp] maxconns', 1, 2, setMax);
  register('ct-get-maxconns', '[dp]', 0, 1, async (datapath) => String((await askConntrack(datapath, { kind: 'status' })).max));
  register('ct-get-nconns', '[dp]', 0, 1, async (datapath) => String((await askConntrack(datapath, { kind: 'status' })).count));
  const sequences = (isOn: boolean): Handler => {
    return async (datapath) => {
      await askConntrack(datapath, { kind: 'setSeqCheck', isOn });
      return `${isOn ? 'enabling' : 'disabling'} TCP sequence checking successful`;
    };
  };
  register('ct-enable-tcp-seq-chk', '[dp]', 0, 1, sequences(true), ANY);
  register('ct-disable-tcp-seq-chk', '[dp]', 0, 1, sequences(false), ANY);
  register('ct-get-tcp-seq-chk', '[dp]', 0, 1, async (datapath) => {
    const { checksSequences } = await askConntrack(datapath, { kind: 'status' });
    return `TCP sequence checking: ${checksSequences ? 'enabled' : 'disabled'}`;
  });
  register('ct-set-limits', '[dp] [default=L] [zone=N,limit=L]...', 1, ANY, setLimits);
  register('ct-get-limits', '[dp] [zone=N1[,N2]...]', 0, 2, getLimits);
  register('ct-del-limits', '[dp] zone=N1[,N2]...', 1, 2, deleteLimits);
}
