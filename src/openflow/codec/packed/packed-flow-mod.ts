// Flow mods as a switch takes them: with packed matches, and read with the shapes and the lists of actions of flows before them where that
// can be (`match-shape.ts`, `known-instructions.ts`). What is unusual in any way is left to `flow-codec.ts`, which also finds the faults.
import { type Match, matchAll, newKey, recycleMatch } from '../../../flow/key.ts';
import { packMatch } from '../../../flow/mask.ts';
import { normalizeMatch } from '../../../flow/normal-match.ts';
import { type Action, OFPP } from '../../action.ts';
import type { FlowMod, FlowModCommand, OfVersion } from '../../message.ts';
import type { TlvTable } from '../../tlv-table.ts';
import { decodeActions } from '../actions/action-codec.ts';
import { deprecatedRead } from '../actions/action-forms.ts';
import { decodeInstructions } from '../actions/instruction-codec.ts';
import { ByteReader, u32At, u64At } from '../bytes.ts';
import { flagsOf } from '../flow-flags.ts';
import { keepInstructions, knownInstructions } from './known-instructions.ts';
import { MatchShape, MatchShapes } from './match-shape.ts';
import { isExactOfp10, isWholeOfp10, OFP10_MATCH_AT, OFP10_MATCH_SIZE, ofp10Shape } from './ofp10-shape.ts';

const COMMANDS: readonly FlowModCommand[] = ['add', 'modify', 'modify_strict', 'delete', 'delete_strict'];
const DELETE = 3;
const OFPT_FLOW_MOD = 14;
const MATCH_AT = 48;
const OFP10_ACTIONS_AT = 72;
const NO_GROUP = 0xffffffff;
const ALL_ONES = 0xffffffffffffffffn;
const OXM_MATCH = 1;
const ALL_TABLES = 255;
const FIRST_RESERVED_PORT = 0xff00;
/** Longer matches are few, and no peer shall fill memory with them. */
const MAX_SHAPE_SIZE = 256;

const shapes = new MatchShapes();
/** Each length of a prefix makes one of its own. */
const shapes10 = new MatchShapes(64);
const scratch: Match = { key: newKey(), mask: newKey() };
/** Stands where a packed match stands for the whole one. */
const NO_MATCH: Match = Object.freeze(matchAll());

const u16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

/** Where match and instructions of an OFPT_FLOW_MOD of OpenFlow 1.2 on begin and end; undefined when it has no OXM match. */
function placesOf(bytes: Uint8Array, at: number, size: number): { matchSize: number; padded: number } | undefined {
  const match = at + MATCH_AT;
  // A length that such a message cannot have is a fault of the message, whatever is in it.
  if (size < MATCH_AT + 8 || size % 8 !== 0 || u16(bytes, match) !== OXM_MATCH) return undefined;
  const matchSize = u16(bytes, match + 2);
  const padded = (matchSize + 7) & ~7;
  return matchSize < 4 || MATCH_AT + padded > size ? undefined : { matchSize, padded };
}

/** Reads an OFPT_FLOW_MOD of `size` bytes at `at`, whose header has been looked at; undefined when it has to be read the long way. Throws PeerError. */
export function decodePackedFlowMod(
  bytes: Uint8Array,
  at: number,
  size: number,
  version: OfVersion,
  tlvTable: TlvTable | undefined,
): FlowMod | undefined {
  if (version < 3) return undefined;
  const places = placesOf(bytes, at, size);
  if (places === undefined) return undefined;
  const match = at + MATCH_AT;
  const shape = shapes.find(bytes, match, places.padded);
  if (shape === undefined) return undefined;
  const table = bytes[at + 24]!;
  const number = bytes[at + 25]!;
  const command = COMMANDS[number];
  const flags = u16(bytes, at + 44);
  const outPort = u32At(bytes, at + 36);
  if (command === undefined || (table === ALL_TABLES && number < DELETE)) return undefined;
  if ((flags & ~(version === 3 ? 7 : 0x1f)) !== 0) return undefined;
  if (outPort !== 0xffffffff && outPort >= FIRST_RESERVED_PORT) return undefined;
  // All else is in order: what is wrong now is wrong with the actions.
  const begin = match + places.padded;
  const actions = knownInstructions(bytes, begin, at + size, version) ?? decodeNew(bytes, begin, at + size, version, tlvTable);
  const cookie = u64At(bytes, at + 8);
  const isAdd = number === 0;
  return {
    kind: 'flowMod',
    command,
    match: NO_MATCH,
    packed: { mask: shape.mask, values: shape.read(bytes, match), tunFields: undefined },
    fitting: shape.fitting,
    cookie: isAdd ? 0n : cookie,
    cookieMask: isAdd ? 0n : u64At(bytes, at + 16),
    newCookie: isAdd ? cookie : undefined,
    table,
    idleTimeoutSec: u16(bytes, at + 26),
    hardTimeoutSec: u16(bytes, at + 28),
    priority: u16(bytes, at + 30),
    importance: version >= 5 && isAdd ? u16(bytes, at + 46) : 0,
    bufferId: u32At(bytes, at + 32),
    outPort: outPort === 0xffffffff ? OFPP.NONE : outPort,
    outGroup: u32At(bytes, at + 40),
    flags: flagsOf(flags, version),
    actions,
  };
}

/** Reads a whole OFPT_FLOW_MOD of OpenFlow 1.0, as `decodePackedFlowMod` does of later versions. `tableIds`: see `CodecOptions.flowModTableId`. */
export function decodePackedFlowMod10(bytes: Uint8Array, tableIds: boolean, tlvTable: TlvTable | undefined): FlowMod | undefined {
  const size = bytes.length;
  if (size < OFP10_ACTIONS_AT || size % 8 !== 0) return undefined;
  const shape = shapes10.find(bytes, OFP10_MATCH_AT, OFP10_MATCH_SIZE);
  if (shape === undefined) return undefined;
  const number = u16(bytes, 56);
  const command = COMMANDS[tableIds ? number & 0xff : number];
  const flags = u16(bytes, 70);
  if (command === undefined || (flags & ~3) !== 0) return undefined;
  const actions = knownInstructions(bytes, OFP10_ACTIONS_AT, size, 1) ?? decodeNew(bytes, OFP10_ACTIONS_AT, size, 1, tlvTable);
  const cookie = u64At(bytes, 48);
  return {
    kind: 'flowMod',
    command,
    match: NO_MATCH,
    packed: { mask: shape.mask, values: shape.read(bytes, OFP10_MATCH_AT), tunFields: undefined },
    fitting: shape.fitting,
    cookie: 0n,
    cookieMask: 0n,
    newCookie: command !== 'add' && cookie === ALL_ONES ? undefined : cookie,
    table: tableIds ? number >> 8 : ALL_TABLES,
    idleTimeoutSec: u16(bytes, 58),
    hardTimeoutSec: u16(bytes, 60),
    // One that leaves nothing free has the highest priority.
    priority: isExactOfp10(u32At(bytes, OFP10_MATCH_AT)) ? 0xffff : u16(bytes, 62),
    importance: 0,
    bufferId: u32At(bytes, 64),
    outPort: u16(bytes, 68),
    outGroup: NO_GROUP,
    flags: flagsOf(flags, 1),
    actions,
  };
}

function decodeNew(bytes: Uint8Array, from: number, to: number, version: OfVersion, tlvTable: TlvTable | undefined): Action[] {
  const before = deprecatedRead();
  const reader = new ByteReader(bytes.subarray(from, to), undefined, { tlvTable, isOfFlow: true });
  const decode = version === 1 ? decodeActions : decodeInstructions;
  const actions = decode(reader, version);
  return keepInstructions(bytes, from, to, version, actions, before);
}

/** Packs a flow mod that was read the long way from these bytes, a whole message, and learns from it. See `keepInstructions`. */
export function packFlowMod(mod: FlowMod, bytes: Uint8Array, version: OfVersion, deprecatedBefore: number): void {
  const { match } = mod;
  const isOfp10 = version === 1 && bytes[1] === OFPT_FLOW_MOD;
  const teaches = isOfp10 && shapes10.find(bytes, OFP10_MATCH_AT, OFP10_MATCH_SIZE) === undefined && isWholeOfp10(bytes, match);
  const normal = normalizeMatch(match, scratch);
  mod.packed = packMatch(normal);
  mod.match = NO_MATCH;
  recycleMatch(match);
  // OpenFlow 1.0 has a match of one size, and actions behind it.
  if (isOfp10) {
    if (teaches) shapes10.add(ofp10Shape(bytes, mod.packed));
    mod.actions = keepInstructions(bytes, OFP10_ACTIONS_AT, bytes.length, version, mod.actions, deprecatedBefore);
  }
  const places = version >= 3 && bytes[1] === OFPT_FLOW_MOD ? placesOf(bytes, 0, bytes.length) : undefined;
  if (places === undefined) return;
  const { matchSize, padded } = places;
  if (padded <= MAX_SHAPE_SIZE && shapes.find(bytes, MATCH_AT, padded) === undefined) {
    const shape = MatchShape.learn(bytes, MATCH_AT, padded, 4, matchSize - 4, mod.packed);
    if (shape !== undefined) shapes.add(shape);
  }
  mod.actions = keepInstructions(bytes, MATCH_AT + padded, bytes.length, version, mod.actions, deprecatedBefore);
}
