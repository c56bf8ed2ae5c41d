// Hostile bytes and text for every decoder and parser, in one process: fuzz.ts [TARGET...] [runs=N] [seed=N]. A target fails when it throws
// anything but the named errors, or takes longer over one input than it may. Inputs come from the same generators as the comparison, most
// of them spoilt.
import { ConfigError, PeerError } from '../../src/base/errors.ts';
import { decodeActionBytes } from '../../src/openflow/codec/actions/action-codec.ts';
import { decodeInstructionBytes } from '../../src/openflow/codec/actions/instruction-codec.ts';
import { ByteReader } from '../../src/openflow/codec/bytes.ts';
import { decodeMessage, encodeMessage } from '../../src/openflow/codec/codec.ts';
import { decodeOfp10Match, decodeOfp11Match } from '../../src/openflow/codec/fields/ofp10-match.ts';
import { decodeMatchEntries } from '../../src/openflow/codec/fields/oxm.ts';
import type { OfVersion } from '../../src/openflow/message.ts';
import { checkFlow } from '../../src/openflow/protocols.ts';
import { formatEntries, parseEntries } from '../../src/openflow/text/entries-text.ts';
import { parseFlow } from '../../src/openflow/text/flow-text.ts';
import { printBytes } from '../../src/openflow/text/message-print.ts';
import { formatPacket } from '../../src/openflow/text/packet-text.ts';
import { flowText, spoil } from './flow-lines.ts';
import { anyMessage } from './messages.ts';
import { Dice } from './random.ts';
import { wireMessage } from './sections.ts';
import { sameInAllWays } from './shaped-flow-mods.ts';
import { entriesLine, wireActions, wireInstructions } from './wire-pieces.ts';

/** No input may take more of the processor. */
const SLOW_MS = 2000;

const version = (d: Dice): OfVersion => (1 + d.below(6)) as OfVersion;
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

/** Changes some bytes, now and then the length. */
function harm(d: Dice, bytes: Uint8Array): Uint8Array {
  if (d.chance(1, 8)) return bytes.slice(0, d.below(bytes.length + 1));
  for (let i = d.below(4); i > 0 && bytes.length > 0; i--) bytes[d.below(bytes.length)] = d.u32() & 0xff;
  return bytes;
}

/** A message on its way into a bundle. */
const carried = (d: Dice, inner: Uint8Array): Uint8Array =>
  encodeMessage(d.pick([5, 6] as const), 1, { kind: 'bundleAdd', bundleId: 1, flags: 0, inner });

/** One try of each. */
export const TARGETS: Readonly<Record<string, (d: Dice) => unknown>> = {
  message: (d) => decodeMessage(harm(d, d.chance(1, 3) ? bytesOf(wireMessage(d)) : anyMessage(d).bytes)),
  print: (d) => printBytes(harm(d, d.chance(1, 3) ? bytesOf(wireMessage(d)) : anyMessage(d).bytes), { verbosity: d.below(4) }),
  again: (d) => {
    const { bytes } = anyMessage(d);
    const { version: v, xid, message } = decodeMessage(bytes);
    return encodeMessage(v, xid, message);
  },
  actions: (d) => decodeActionBytes(harm(d, bytesOf(wireActions(d))), version(d)),
  instructions: (d) => decodeInstructionBytes(harm(d, bytesOf(wireInstructions(d))), version(d)),
  entries: (d) => decodeMatchEntries(new ByteReader(harm(d, parseEntries(entriesLine(d, true))), 'OFPBMC_BAD_LEN'), d.chance(1, 2)),
  ofp10: (d) => decodeOfp10Match(new ByteReader(d.bytes(d.chance(1, 8) ? d.below(40) : 40))),
  ofp11: (d) => decodeOfp11Match(new ByteReader(d.bytes(d.chance(1, 8) ? d.below(88) : 88)), false),
  packet: (d) => formatPacket(d.bytes(d.below(90))),
  flow: (d) => parseFlow(spoil(d, flowText(d, 3)), d.pick(['add', 'modify', 'delete', 'delete_strict'] as const)),
  flowSent: (d) => {
    const mod = parseFlow(flowText(d, 1), 'add');
    checkFlow(mod);
    return printBytes(encodeMessage(version(d), 1, mod, d.chance(1, 2) ? { nxFlows: true } : {}));
  },
  // The sound one teaches the shapes by which the damaged one may be read.
  shaped: (d) => {
    const bytes = encodeMessage(version(d), 1, parseFlow(flowText(d, 1), d.pick(['add', 'modify', 'delete', 'delete_strict'] as const)));
    sameInAllWays(bytes);
    const damaged = harm(d, bytes.slice());
    if (d.chance(1, 2) && damaged.length >= 8) new DataView(damaged.buffer).setUint16(2, damaged.length);
    sameInAllWays(damaged);
    sameInAllWays(carried(d, damaged));
  },
  entriesText: (d) => formatEntries(parseEntries(spoil(d, `${entriesLine(d, true)} `))),
};

/** Runs a target; throws what it should not have thrown, with the seed that leads there. */
export function fuzz(target: string, runs: number, seed: number): { refused: number } {
  const run = TARGETS[target];
  if (run === undefined) throw new Error(`no target ${target}`);
  let refused = 0;
  for (let i = 0; i < runs; i++) {
    const begin = process.cpuUsage();
    try {
      run(new Dice(seed + i));
    } catch (error) {
      if (!(error instanceof PeerError) && !(error instanceof ConfigError))
        throw new Error(`${target}, seed ${seed + i}`, { cause: error });
      refused++;
    }
    const { user, system } = process.cpuUsage(begin);
    if (user + system > SLOW_MS * 1000) throw new Error(`${target}, seed ${seed + i}: ${(user + system) / 1000} ms`);
  }
  return { refused };
}

if (import.meta.main) {
  const words = process.argv.slice(2);
  const value = (name: string, otherwise: number): number =>
    Number(words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? otherwise);
  const named = words.filter((word) => !word.includes('='));
  for (const target of named.length > 0 ? named : Object.keys(TARGETS)) {
    const begin = performance.now();
    const { refused } = fuzz(target, value('runs', 100_000), value('seed', 1));
    console.log(`${target}: ${value('runs', 100_000)} runs, ${refused} refused (${((performance.now() - begin) / 1000).toFixed(1)} s)`);
  }
}
