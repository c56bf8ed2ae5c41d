// One run of the comparison: sequences of requests, each on fresh connections to switches made empty. After each step everything that
// came back must be the same; a sequence ends at its first difference.
import { join } from 'node:path';
import { encodeMessage } from '../../../src/openflow/codec/codec.ts';
import type { OfVersion } from '../../../src/openflow/message.ts';
import { printBytes } from '../../../src/openflow/text/message-print.ts';
import { Dice } from '../random.ts';
import { comparable } from './heard.ts';
import { PORT_MAC, requests } from './requests.ts';
import { type Heard, Peer, Side, type SideName } from './sides.ts';

export interface CompareOptions {
  seed: number;
  sequences: number;
  length: number;
  /** How many in twelve requests are spoilt or made up. */
  faults: number;
  versions: readonly OfVersion[];
}

export interface CompareResult {
  steps: number;
  messages: number;
  /** What was asked and answered where the two parted, one text a sequence. */
  differences: string[];
}

const NAMES: readonly SideName[] = ['debian', 'weft'];

async function both<T>(make: (i: 0 | 1) => Promise<T>): Promise<[T, T]> {
  const [a, b] = await Promise.all([make(0), make(1)]);
  return [a, b];
}

const isMonitorRequest = (bytes: Uint8Array): boolean => /FLOW_MONITOR request/.test(printBytes(bytes, { verbosity: 0 }));
const isError = (line: string | undefined): boolean => line?.slice(2, 4) === '01';

/**
 * Whether two sides said the same. Known to differ, with reasons:
 * - What the reference quotes in an error about a flow monitor request is memory that has been overwritten: there only that it is one counts.
 * - Actions that are instructions make the reference's flow updates of OpenFlow 1.0 to 1.2 impossible to read, also for itself.
 */
function isSame(asked: readonly Uint8Array[], debian: readonly string[], weft: readonly string[]): boolean {
  if (debian.join('\n') === weft.join('\n')) return true;
  const unreadable = debian.flatMap((line, i) => (/^[123]\/.*2320\/2\/|^[123]\/.*xid=.*\/2320\/2/.test(line) ? [i] : []));
  if (debian.length === weft.length && unreadable.length > 0 && debian.every((line, i) => unreadable.includes(i) || line === weft[i]))
    return true;
  return (
    asked.length === 1 &&
    isMonitorRequest(asked[0] ?? new Uint8Array(8)) &&
    debian.length === 1 &&
    weft.length === 1 &&
    isError(debian[0]) &&
    isError(weft[0])
  );
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
  const sides = NAMES.map((name) => new Side(name));
  const result: CompareResult = { steps: 0, messages: 0, differences: [] };
  try {
    for (const side of sides) side.start(3);
    for (let sequence = 0; sequence < options.sequences; sequence++) {
      const d = new Dice(options.seed + sequence);
      const said = await oneSequence(d, sides, options, result);
      if (said !== undefined) {
        result.differences.push(`==== seed=${options.seed + sequence}: ${said}`);
        for (const side of sides) side.makeBridge(3);
      }
      for (const side of sides) if (!side.isAlive()) throw new Error(`${side.name} does not answer after seed ${options.seed + sequence}`);
    }
  } finally {
    for (const side of sides) side.stop();
  }
  return result;
}

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

async function oneSequence(d: Dice, sides: readonly Side[], options: CompareOptions, result: CompareResult): Promise<string | undefined> {
  const path = (i: number): string => join(sides[i]?.dir ?? '', 'br0.mgmt');
  const addresses = await both((i) => portAddresses(path(i)));
  await both(async (i) => {
    const plain = new Peer(path(i), 1);
    for (const port of addresses[i].keys())
      plain.send(
        withAddress(encodeMessage(1, 1, { kind: 'portMod', port, mac: PORT_MAC, config: 0, mask: 0x7f, advertise: 0 }), addresses[i]),
      );
    await plain.settle();
    plain.close();
    const peer = new Peer(path(i), 6);
    for (const message of emptying()) peer.send(message);
    const { messages } = await peer.settle();
    for (const message of messages) if (message[1] === 1) throw new Error(`emptying: ${printBytes(message)}`);
    peer.close();
  });
  // Two controllers with versions of their own, so that each hears of what the other does.
  const versions = [d.pick(options.versions), d.pick(options.versions)];
  const peers = await both(async (i) => {
    const made = versions.map((version) => new Peer(path(i), version));
    for (const peer of made) await peer.settle();
    return made;
  });
  const asked: string[] = [];
  let step = 0;
  try {
    for (; step < options.length; step++) {
      const who = d.chance(1, 4) ? 1 : 0;
      const version = versions[who] ?? 6;
      const messages = requests(d, version, 0x1000 + step * 16, options.faults);
      const shown = messages
        .map((bytes) => `${who}> ${printBytes(bytes, { verbosity: 1 })}   ${Buffer.from(bytes).toString('hex')}`)
        .join('');
      asked.push(shown);
      result.steps++;
      result.messages += messages.length;
      const heard = await both(async (i): Promise<Heard[]> => {
        for (const bytes of messages) peers[i][who]?.send(withAddress(bytes, addresses[i]));
        const first = await peers[i][who]?.settle(2);
        const second = await peers[i][1 - who]?.settle(2);
        return [first ?? { messages: [], isClosed: true }, second ?? { messages: [], isClosed: true }];
      });
      for (const at of [0, 1]) {
        const [debian, weft] = heard.map((one) => comparable(one[at] ?? { messages: [], isClosed: true }));
        if (!isSame(messages, debian?.lines ?? [], weft?.lines ?? [])) {
          const side = (name: string, one: typeof debian): string =>
            `${name}:\n${one?.prints.map((text) => text.slice(0, 1500)).join('')}${one?.lines.join('\n')}\n`;
          return `connection ${at === 0 ? who : 1 - who}, versions ${versions.join()}, step ${step}\n${shown}${side('debian', debian)}${side('weft', weft)}${process.env['HISTORY'] ? asked.join('') : ''}`;
        }
      }
      if (heard[0][0]?.isClosed) return undefined;
    }
  } catch (error) {
    throw new Error(`${sides.map(({ name, dir }) => `${name}: ${dir}`).join()}\nstep ${step}\n${asked.slice(-5).join('')}`, {
      cause: error,
    });
  } finally {
    for (const list of peers) for (const peer of list) peer.close();
  }
  return undefined;
}
