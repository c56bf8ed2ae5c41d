// Hostile bytes and text for every decoder and parser of OpenFlow, in one process: fuzz.ts [TARGET...] [runs=N] [seed=N]; test/fuzz has the runner
// and all other targets. Inputs come from the same generators as the comparison, most of them spoilt.
import { ConfigError, PeerError } from '../../src/base/errors.ts';
import { decodeActionBytes, encodeActions } from '../../src/openflow/codec/actions/action-codec.ts';
import { decodeInstructionBytes, encodeInstructions } from '../../src/openflow/codec/actions/instruction-codec.ts';
import { ByteReader, ByteWriter } from '../../src/openflow/codec/bytes.ts';
import { decodeMessage, encodeMessage } from '../../src/openflow/codec/codec.ts';
import { decodeOfp10Match, decodeOfp11Match } from '../../src/openflow/codec/fields/ofp10-match.ts';
import { decodeMatchEntries } from '../../src/openflow/codec/fields/oxm.ts';
import type { OfVersion } from '../../src/openflow/message.ts';
import { checkFlow } from '../../src/openflow/protocols.ts';
import { parseActions } from '../../src/openflow/text/action-parse.ts';
import { formatEntries, parseEntries } from '../../src/openflow/text/entries-text.ts';
import { parseFlow } from '../../src/openflow/text/flow-text.ts';
import { printBytes } from '../../src/openflow/text/message-print.ts';
import { formatPacket } from '../../src/openflow/text/packet-text.ts';
import { fuzzCommand, type Target } from '../fuzz/runner.ts';
import { actionsText, flowText, instructionsText, spoil } from './flow-lines.ts';
import { anyMessage } from './messages.ts';
import type { Dice } from './random.ts';
import { wireMessage } from './sections.ts';
import { sameInAllWays } from './shaped-flow-mods.ts';
import { entriesLine, wireActions, wireInstructions } from './wire-pieces.ts';

const version = (d: Dice): OfVersion => (1 + d.below(6)) as OfVersion;
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

/** Changes some bytes, now and then the length. */
function harm(d: Dice, bytes: Uint8Array): Uint8Array {
  if (d.chance(1, 8)) return bytes.slice(0, d.below(bytes.length + 1));
  for (let i = d.below(4); i > 0 && bytes.length > 0; i--) bytes[d.below(bytes.length)] = d.u32() & 0xff;
  return bytes;
}

/** Actions as a flow has them, in a form of some version; none where no form can say them. */
function soundActions(d: Dice, v: OfVersion): Uint8Array {
  const out = new ByteWriter();
  try {
    encodeActions(out, parseActions(actionsText(d)), v);
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof PeerError)) throw error;
  }
  return out.result();
}

/** The same within an instruction, and instructions around it. */
function soundInstructions(d: Dice, v: OfVersion): Uint8Array {
  const out = new ByteWriter();
  try {
    encodeInstructions(out, parseActions(instructionsText(d)), v);
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof PeerError)) throw error;
  }
  return out.result();
}

/** A message on its way into a bundle. */
const carried = (d: Dice, inner: Uint8Array): Uint8Array =>
  encodeMessage(d.pick([5, 6] as const), 1, { kind: 'bundleAdd', bundleId: 1, flags: 0, inner });

/** One try of each. */
export const TARGETS: Readonly<Record<string, Target>> = {
  message: (d) => decodeMessage(harm(d, d.chance(1, 3) ? bytesOf(wireMessage(d)) : anyMessage(d).bytes)),
  print: (d) => printBytes(harm(d, d.chance(1, 3) ? bytesOf(wireMessage(d)) : anyMessage(d).bytes), { verbosity: d.below(4) }),
  again: (d) => {
    const { bytes } = anyMessage(d);
    const { version: v, xid, message } = decodeMessage(bytes);
    return encodeMessage(v, xid, message);
  },
  actions: (d) => {
    const v = version(d);
    return decodeActionBytes(harm(d, d.chance(1, 2) ? bytesOf(wireActions(d)) : soundActions(d, v)), d.chance(7, 8) ? v : version(d));
  },
  instructions: (d) => {
    const v = version(d);
    return decodeInstructionBytes(
      harm(d, d.chance(1, 2) ? bytesOf(wireInstructions(d)) : soundInstructions(d, v)),
      d.chance(7, 8) ? v : version(d),
    );
  },
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

if (import.meta.main) await fuzzCommand(TARGETS);
