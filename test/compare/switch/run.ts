// One run of the comparison: sequences of requests, each on fresh connections to switches made empty. After each step everything that
// came back must be the same; a sequence ends at its first difference.
import { join } from 'node:path';
import { matchAll } from '../../../src/flow/key.ts';
import { encodeMessage } from '../../../src/openflow/codec/codec.ts';
import type { OfVersion } from '../../../src/openflow/message.ts';
import { printBytes } from '../../../src/openflow/text/message-print.ts';
import { namesUnknownField } from '../known-differences.ts';
import { Dice } from '../random.ts';
import { frame } from './changes.ts';
import { comparable } from './heard.ts';
import { PORT_MAC, requests } from './requests.ts';
import { type Heard, Peer, primaryControllers, Side, type SideName, StuckSide } from './sides.ts';

export interface CompareOptions {
  seed: number;
  sequences: number;
  length: number;
  /** How many in twelve requests are spoilt or made up. */
  faults: number;
  versions: readonly OfVersion[];
  /** Hears of each difference when it is found. */
  onDifference?: (text: string) => void;
}

export interface CompareResult {
  steps: number;
  messages: number;
  /** What was asked and answered where the two parted, one text a sequence. */
  differences: string[];
  /** How often the reference died of what it is known to die of, or did not follow its database any more. */
  deaths: number;
}

const NAMES: readonly SideName[] = ['debian', 'weft'];

async function both<T>(make: (i: 0 | 1) => Promise<T>): Promise<[T, T]> {
  const [a, b] = await Promise.all([make(0), make(1)]);
  return [a, b];
}

const isMonitorRequest = (bytes: Uint8Array): boolean => /FLOW_MONITOR request/.test(printBytes(bytes, { verbosity: 0 }));
const isThroughTables = (bytes: Uint8Array): boolean => /PACKET_OUT .*actions=.*TABLE/.test(printBytes(bytes, { verbosity: 1 }));
const isStatisticsRequest = (bytes: Uint8Array): boolean =>
  /^OFPST_(FLOW|AGGREGATE|TABLE|PORT|QUEUE|GROUP|METER) request|^NXST_(FLOW|AGGREGATE|GROUP) request/.test(
    printBytes(bytes, { verbosity: 0 }),
  );
/** An error's line without saying which of BAD_SET_TYPE and BAD_SET_LEN it is. */
const withoutSetCode = (line: string): string =>
  line.replace(/^(0[3-6]01.{12}0002)000[de]/, '$1SET').replace(/^(0[12]01.{12}b0c20000000023200001)020[bc]/, '$1SET');
const isError = (line: string | undefined): boolean => line?.slice(2, 4) === '01';

/**
 * Whether two sides said the same. Known to differ, with reasons:
 * - What the reference quotes in an error about a flow monitor request is memory that has been overwritten: there only that it is one counts.
 * - Of a frame that paused in the tables to which a packet-out had sent it, the reference's continuation begins with the tables again, so that it
 *   would never get out of them.
 * - Whether a set_field of a field that there is none of, or of another size, is answered with BAD_SET_TYPE or BAD_SET_LEN depends on what else is
 *   in the bucket of the reference's hash table: of 128 fields of a class that nobody uses it says the one of 18 and the other of 110, by turns.
 * - The type and flags in an answer to a bundle control of a type that there is not are memory that nobody wrote to: the requests here have none.
 * - Actions that are instructions make the reference's flow updates of OpenFlow 1.0 to 1.2 impossible to read, also for itself.
 */
function isSame(asked: readonly Uint8Array[], debian: readonly string[], weft: readonly string[]): boolean {
  if (debian.join('\n') === weft.join('\n')) return true;
  if (asked.some(isThroughTables)) {
    const others = (lines: readonly string[]): string => lines.filter((line) => !line.includes('BRIDGE')).join('\n');
    if (debian.length === weft.length && others(debian) === others(weft)) return true;
  }
  const unreadable = debian.flatMap((line, i) => (/^[123]\/.*2320\/2\/|^[123]\/.*xid=.*\/2320\/2/.test(line) ? [i] : []));
  if (debian.length === weft.length && unreadable.length > 0 && debian.every((line, i) => unreadable.includes(i) || line === weft[i]))
    return true;
  const sets = asked.some((bytes) => namesUnknownField(Buffer.from(bytes)));
  if (sets && debian.map(withoutSetCode).join('\n') === weft.map(withoutSetCode).join('\n')) return true;
  return (
    asked.some(isMonitorRequest) &&
    debian.length === weft.length &&
    debian.every((line, i) => line === weft[i] || (isError(line) && isError(weft[i])))
  );
}

/** A line that is not the other's, a long one from shortly before they part. */
function partingOf(line: string, other: string | undefined): string[] {
  if (line === other) return [];
  let at = 0;
  while (at < line.length && line[at] === other?.[at]) at++;
  const from = line.length > 1200 ? Math.max(0, at - 200) : 0;
  return [`${from > 0 ? `(${from} digits) ` : ''}${line.slice(from, from + 1200)}`];
}

/** Messages that empty a switch. */
function emptying(): Uint8Array[] {
  const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
  const any = 'ffffffff';
  return [
    // OpenFlow 1.5: all flows, groups and meters.
    hex(`060e0038 00000001 0000000000000000 0000000000000000 ff 03 0000 0000 0000 ${any} ${any} ${any} 0000 0000 0001 0004 00000000`),
    hex(`060f0018 00000002 0002 00 00 fffffffc 0000 0000 ffffffff`.replace('0000 0000 ffffffff', '00000000 ffffffff')),
    hex('061d0010 00000003 0002 0000 ffffffff'),
    // The TLV table.
    hex('06040018 00000004 00002320 00000018 0002 000000000000'),
    // Fragments as they are, ports and tables as they were.
    hex('0609000c 00000005 0000 0080'),
  ];
}

export async function compareSwitches(options: CompareOptions): Promise<CompareResult> {
  const begin = (): Side[] => {
    const made = NAMES.map((name) => new Side(name));
    for (const side of made) side.start(3);
    return made;
  };
  let sides = begin();
  const tell = (text: string): void => {
    result.differences.push(text);
    options.onDifference?.(text);
  };
  const result: CompareResult = { steps: 0, messages: 0, differences: [], deaths: 0 };
  try {
    for (let sequence = 0; sequence < options.sequences; sequence++) {
      const seed = options.seed + sequence;
      let said: string | undefined;
      try {
        said = await oneSequence(new Dice(seed), sides, options, result);
      } catch (error) {
        if (!(error instanceof StuckSide)) throw error;
        if (error.side === 'debian') result.deaths++;
        else tell(`==== seed=${seed}: ${error.message}`);
        for (const side of sides) side.stop();
        sides = begin();
        continue;
      }
      const silent = sides.filter((side) => !side.isAlive());
      if (silent.length > 0) {
        // The reference often does not survive what it refuses of several flow monitors, nor a flush of connections of ICMP over IPv6.
        const isKnown =
          silent.length === 1 &&
          silent[0]?.name === 'debian' &&
          /^\d> (\w*FLOW_MONITOR request|NXT_CT_FLUSH .*ct_ipv6_\w+=.*icmp_)/m.test(said ?? '');
        if (isKnown) result.deaths++;
        else tell(`==== seed=${seed}: ${silent.map(({ name }) => name).join()} no longer answers\n${said ?? ''}`);
        for (const side of sides) side.stop();
        sides = begin();
      } else if (said !== undefined) {
        tell(`==== seed=${seed}: ${said}`);
        for (const side of sides) side.makeBridge(3);
      }
    }
  } finally {
    for (const side of sides) side.stop();
  }
  return result;
}

/** Changes of the configuration: ports that go, come back and have other numbers, VLANs, tables that hold less. */
const CHANGES: readonly string[] = [
  '--if-exists del-port br0 p3',
  '--may-exist add-port br0 p3 -- set interface p3 type=dummy ofport_request=3',
  'set interface p2 ofport_request=7',
  'set interface p2 ofport_request=2',
  'set interface p1 ofport_request=9',
  'set port p1 tag=5',
  'clear port p1 tag',
  'set port p2 trunks=5,6',
  'set bridge br0 other_config:mac-table-size=10',
  'set bridge br0 other_config:dp-desc=word',
  'set bridge br0 other_config:forward-bpdu=true',
  'set bridge br0 fail_mode=standalone',
  'set bridge br0 fail_mode=secure',
  '-- --id=@t create Flow_Table flow_limit=2 overflow_policy=refuse name=first -- set bridge br0 flow_tables:0=@t',
  '-- --id=@t create Flow_Table flow_limit=2 overflow_policy=evict -- set bridge br0 flow_tables:1=@t',
  'clear bridge br0 flow_tables',
];

/** What nobody asked for: time passes, a device goes or comes back, a frame comes, the database says something else. */
interface Event {
  tool: 'appctl' | 'vsctl';
  words: readonly string[];
}

const appctl = (...words: string[]): Event => ({ tool: 'appctl', words });

/** What goes wrong with an event (a port that is not there has no frames) goes wrong with both. */
function happen(side: Side, { tool, words }: Event): void {
  try {
    side[tool](...words);
  } catch (error) {
    if (!side.isAlive()) throw error;
  }
}

function eventOf(d: Dice): Event | undefined {
  if (d.chance(1, 80)) return { tool: 'vsctl', words: d.pick(CHANGES).split(' ') };
  if (d.chance(1, 40)) return appctl('netdev-dummy/set-admin-state', `p${1 + d.below(3)}`, d.pick(['down', 'up']));
  if (d.chance(1, 30)) return appctl('time/warp', String(d.pick([1000, 2500, 6000, 11_000, 20_000])));
  if (d.chance(1, 20))
    return appctl(
      'netdev-dummy/receive',
      `p${1 + d.below(3)}`,
      `${Buffer.from(frame(d)).toString('hex').padEnd(28, '0')}${'00'.repeat(46)}`,
    );
  return undefined;
}

/** Tables of br0 hold few flows now and then, so that they are full, tell of vacancy, refuse and evict. */
function limitsOf(d: Dice): string[] {
  const rows = d.chance(1, 3) ? [0, 1].filter(() => d.chance(2, 3)) : [];
  return rows.flatMap((table) => {
    const policy = d.pick(['refuse', 'evict']);
    const row = ['--', `--id=@t${table}`, 'create', 'Flow_Table', `flow_limit=${1 + d.below(8)}`, `overflow_policy=${policy}`];
    return [...row, '--', 'set', 'bridge', 'br0', `flow_tables:${table}=@t${table}`];
  });
}

const ownFlows = (version: OfVersion, xid: number): Uint8Array =>
  encodeMessage(version, xid, {
    kind: 'flowStatsRequest',
    request: { match: matchAll(), table: 254, outPort: 0xffff, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n },
  });

const PLACEHOLDER = Buffer.from(
  [PORT_MAC[0], PORT_MAC[1]].map((word, i) => word.toString(16).padStart(i === 0 ? 4 : 8, '0')).join(''),
  'hex',
);

/** The addresses of a switch's ports by number. */
async function portAddresses(path: string): Promise<Map<number, Uint8Array>> {
  const peer = new Peer(path, 1);
  peer.send(Uint8Array.from([1, 16, 0, 12, 0, 0, 0, 1, 0, 13, 0, 0]));
  const { messages } = await peer.settle();
  peer.close();
  const found = new Map<number, Uint8Array>();
  const body = messages[0]?.subarray(12) ?? new Uint8Array(0);
  for (let at = 0; at + 48 <= body.length; at += 48) found.set(((body[at] ?? 0) << 8) | (body[at + 1] ?? 0), body.slice(at + 2, at + 8));
  return found;
}

/** Puts a port's own address where a port mod has the placeholder. */
function withAddress(bytes: Uint8Array, addresses: ReadonlyMap<number, Uint8Array>): Uint8Array {
  const at = Buffer.from(bytes).indexOf(PLACEHOLDER);
  if (at < 0) return bytes;
  const port = ((bytes[bytes[0] === 1 ? 8 : 10] ?? 0) << 8) | (bytes[bytes[0] === 1 ? 9 : 11] ?? 0);
  const address = addresses.get(port);
  if (address === undefined) return bytes;
  const made = bytes.slice();
  made.set(address, at);
  return made;
}

/** Services that connect to a switch by themselves. */
function services(path: string, versions: readonly OfVersion[]): { peers: Peer[]; stop: () => void } {
  const peers = versions.map((version) => new Peer(path, version));
  return {
    peers,
    stop: () => {
      for (const peer of peers) peer.close();
    },
  };
}

const NOTHING: Heard = { messages: [], isClosed: true };
/** How often a difference is looked at again, and after what time. */
const LATER = 3;
const LATER_MS = 40;

type Comparable = ReturnType<typeof comparable>;

/** What came to the one that asked, then to the other. */
async function settled(peers: readonly Peer[], who: number): Promise<Heard[]> {
  const first = await peers[who]?.settle(2);
  const second = await peers[1 - who]?.settle(2);
  return [first ?? NOTHING, second ?? NOTHING];
}

const joined = (a: Heard = NOTHING, b: Heard = NOTHING): Heard => ({ messages: [...a.messages, ...b.messages], isClosed: b.isClosed });

/** The first of the two connections on which the sides said different things. */
function whereParted(
  asked: readonly Uint8Array[],
  heard: readonly (readonly Heard[])[],
): { at: number; debian: Comparable; weft: Comparable } | undefined {
  for (const at of [0, 1]) {
    const [debian, weft] = heard.map((one) => comparable(one[at] ?? NOTHING)) as [Comparable, Comparable];
    // What comes without a request comes in no order.
    if (asked.length === 0) for (const one of [debian, weft]) one.lines.sort();
    if (!isSame(asked, debian.lines, weft.lines)) return { at, debian, weft };
  }
  return undefined;
}

async function oneSequence(d: Dice, sides: readonly Side[], options: CompareOptions, result: CompareResult): Promise<string | undefined> {
  const path = (i: number): string => join(sides[i]?.dir ?? '', 'br0.mgmt');
  const addresses = await both((i) => portAddresses(path(i)));
  const limits = limitsOf(d);
  for (const side of sides) side.vsctl('clear', 'bridge', 'br0', 'flow_tables', ...limits);
  await both(async (i) => {
    const plain = new Peer(path(i), 1);
    for (const port of addresses[i].keys())
      plain.send(
        withAddress(encodeMessage(1, 1, { kind: 'portMod', port, mac: PORT_MAC, config: 0, mask: 0x7f, advertise: 0 }), addresses[i]),
      );
    await plain.settle();
    plain.close();
    sides[i]!.appctl('netdev-dummy/set-admin-state', 'up');
    const peer = new Peer(path(i), 6);
    for (const message of emptying()) peer.send(message);
    const { messages } = await peer.settle();
    for (const message of messages) if (message[1] === 1) throw new Error(`emptying: ${printBytes(message)}`);
    peer.close();
  });
  // Two controllers with versions of their own, so that each hears of what the other does.
  const versions = [d.pick(options.versions), d.pick(options.versions)];
  const isPrimary = d.chance(1, 4);
  const connected = await both(async (i) => {
    const made = isPrimary ? await primaryControllers(sides[i]!, versions) : services(path(i), versions);
    for (const peer of made.peers) await peer.settle();
    return made;
  });
  const peers = [connected[0].peers, connected[1].peers] as const;
  const asked: string[] = [];
  let step = 0;
  /** Whether the database says of the bridge what other sequences do not expect. */
  let isChanged = false;
  try {
    for (; step <= options.length; step++) {
      const who = d.chance(1, 4) ? 1 : 0;
      const version = versions[who] ?? 6;
      const xid = 0x1000 + step * 16;
      const event = step < options.length ? eventOf(d) : undefined;
      // The bridge's own flows outlive the sequence: what they have counted is compared at its end.
      const messages =
        event !== undefined ? [] : step < options.length ? requests(d, version, xid, options.faults) : [ownFlows(version, xid)];
      const shown =
        event !== undefined
          ? `${event.tool} ${event.words.join(' ')}\n`
          : messages.map((bytes) => `${who}> ${printBytes(bytes, { verbosity: 1 })}   ${Buffer.from(bytes).toString('hex')}`).join('');
      asked.push(shown);
      if (event?.tool === 'vsctl') isChanged = true;
      result.steps++;
      result.messages += messages.length;
      const heard = await both(async (i): Promise<Heard[]> => {
        if (event !== undefined) {
          happen(sides[i]!, event);
          // What the reference made of frames before does not always follow what has changed meanwhile: after a table mod that makes a table drop
          // what it continued with, its flows of before go on as they were until a flow, a port or a group changes, for more than six seconds of
          // traffic. Ours follow at once, for a table that is told to drop is not to let through what it knows already.
          sides[i]!.appctl('revalidator/purge');
        }
        for (const bytes of messages) peers[i][who]?.send(withAddress(bytes, addresses[i]));
        return settled(peers[i], who);
      });
      let parted = whereParted(messages, heard);
      // What nobody asked for comes when it comes, and what is counted is told when revalidation has gathered it.
      for (let i = 0; i < LATER && parted !== undefined; i++) {
        await new Promise((done) => setTimeout(done, LATER_MS));
        if (messages.length > 0 && messages.every(isStatisticsRequest)) {
          const again = await both(async (side) => {
            sides[side]?.appctl('revalidator/purge');
            await settled(peers[side], who);
            for (const bytes of messages) peers[side][who]?.send(bytes);
            return settled(peers[side], who);
          });
          parted = whereParted(messages, again);
          continue;
        }
        const later = await both((side) => settled(peers[side], who));
        for (const side of [0, 1] as const) for (const at of [0, 1]) heard[side][at] = joined(heard[side][at], later[side][at]);
        parted = whereParted(messages, heard);
      }
      if (parted !== undefined) {
        const { at, debian, weft } = parted;
        const [ours, theirs] = [weft, debian].map((one) => one.lines.join('\n').split('\n')) as [string[], string[]];
        const side = (name: string, one: Comparable, lines: string[], others: string[]): string =>
          `${name}:\n${one.prints.map((text) => text.slice(0, 1500)).join('')}${lines.flatMap((line, n) => partingOf(line, others[n])).join('\n')}\n`;
        return `connection ${at === 0 ? who : 1 - who}, versions ${versions.join()}, step ${step}\n${shown}${side('debian', debian, theirs, ours)}${side('weft', weft, ours, theirs)}${process.env['HISTORY'] ? asked.join('') : ''}`;
      }
      if (heard[0][0]?.isClosed) return undefined;
    }
  } catch (error) {
    return `step ${step}: ${error instanceof Error ? error.message : error}\n${asked.slice(-3).join('')}`;
  } finally {
    for (const { stop } of connected) stop();
    if (isChanged) for (const side of sides) if (side.isAlive()) side.makeBridge(3);
  }
  return undefined;
}
