// Flow-mods and flow statistics. OpenFlow 1.0.0 sections 5.3.3, 5.3.5 and 5.4.3; OpenFlow 1.3.5 sections 7.3.4.1, 7.3.5.2, 7.4.2.

import { PeerError } from '../../base/errors.ts';
import type { Match } from '../../flow/key.ts';
import { W } from '../../flow/key.ts';
import { packMatch, unpackMatch } from '../../flow/mask.ts';
import { matchedProto, prereqHolds } from '../../flow/prerequisites.ts';
import { type Action, OFPP } from '../action.ts';
import { NO_CODE } from '../errors.ts';
import { requireConsistentMatch } from '../flow-mod-check.ts';
import type { FlowMod, FlowModCommand, FlowModFlags, FlowStats, FlowStatsRequest, OfVersion } from '../message.ts';
import { normalizeLogged } from '../normalize.ts';
import { flowLog as log } from '../peer-logs.ts';
import { portFromWire32 } from '../ports.ts';
import { decodeActions, encodeActions, listOf } from './actions/action-codec.ts';
import type { ActionContext } from './actions/action-context.ts';
import { decodeInstructions, encodeInstructions } from './actions/instruction-codec.ts';
import { readList } from './actions/partial.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodeOfp10Match, decodeOfp11Match, encodeOfp10Match, encodeOfp11Match, isExactOfp10Match } from './fields/ofp10-match.ts';
import type { DecodedMatch } from './fields/oxm.ts';
import { decodeMatchEntries, decodeOxmMatch, encodeMatchEntries, encodeOxmMatch } from './fields/oxm.ts';
import { decodeOxs, encodeOxs } from './fields/oxs.ts';
import { ofFlow } from './fields/tun-metadata.ts';
import { flagsOf } from './flow-flags.ts';
import { contextOfPacked, encodeKnownActions, encodePackedNxm, encodePackedOxm } from './packed/packed-flow-stats.ts';
import { decodeShapedOxm } from './packed/shaped-match.ts';
import { decodePort, encodePort } from './port-codec.ts';

const COMMANDS: readonly FlowModCommand[] = ['add', 'modify', 'modify_strict', 'delete', 'delete_strict'];
const ALL_ONES = 0xffffffffffffffffn;
const NO_GROUP = 0xffffffff;
/** OpenFlow 1.0 alone has it. */
const EMERGENCY = 4;

/** What the encoder must know of a match for the actions beside it. */
export function contextOf(match: Match): ActionContext {
  return {
    transport: matchedProto(match),
    isIp: prereqHolds('ip', match),
    isBare: ((match.mask[W.PACKET_TYPE] ?? 0) & (match.key[W.PACKET_TYPE] ?? 0)) !== 0,
    hasVlan: ((match.mask[W.VLAN0] ?? 0) & (match.key[W.VLAN0] ?? 0) & 0x1000) !== 0,
  };
}

/** Flags of a flow mod: those that a version does not have are refused. OpenFlow 1.0's emergency flows are answered as if there were no room. */
function decodeModFlags(bits: number, version: OfVersion, hasTimeout = false): FlowModFlags {
  const known = version === 1 ? 3 | EMERGENCY : version === 2 ? 3 : version === 3 ? 7 : 0x1f;
  if ((bits & ~known) !== 0) throw new PeerError('OFPFMFC_BAD_FLAGS', `flags 0x${bits.toString(16)}`);
  if (version === 1 && (bits & EMERGENCY) !== 0 && hasTimeout) throw new PeerError('OFPFMFC_BAD_EMERG_TIMEOUT', 'emergency flow that ends');
  if (version === 1 && (bits & EMERGENCY) !== 0) throw new PeerError('OFPFMFC_TABLE_FULL', 'emergency flows are not supported');
  return flagsOf(bits, version);
}

function encodeFlags(flags: FlowModFlags, version: OfVersion): number {
  return (
    (flags.sendFlowRem ? 1 : 0) |
    (flags.checkOverlap ? 2 : 0) |
    (version >= 3 && flags.resetCounts ? 4 : 0) |
    (version >= 4 && flags.noPacketCounts ? 8 : 0) |
    (version >= 4 && flags.noByteCounts ? 16 : 0)
  );
}

const OFP11_MATCH_SIZE = 88;

/** Reads a match of 1.1 (fixed or OXM) and later (OXM). */
export function decodeAnyMatch(from: ByteReader, strict = true): DecodedMatch {
  if (from.left < 4) throw new PeerError('OFPBMC_BAD_LEN', 'match ends in its header');
  const type = ((from.bytes[from.at] ?? 0) << 8) | (from.bytes[from.at + 1] ?? 0);
  if (type > 1) throw new PeerError('OFPBMC_BAD_TYPE', `match type ${type}`);
  if (type === 0) {
    const length = ((from.bytes[from.at + 2] ?? 0) << 8) | (from.bytes[from.at + 3] ?? 0);
    if (length !== OFP11_MATCH_SIZE || from.left < length) throw new PeerError('OFPBMC_BAD_LEN', `match of ${length} bytes`);
    return { match: decodeOfp11Match(from) };
  }
  if (type !== 1) throw new PeerError('OFPBMC_BAD_TYPE', `match of type ${type}`);
  return strict ? decodeShapedOxm(from) : decodeOxmMatch(from, strict);
}

/** Writes a match of 1.1 (fixed) and later (OXM). */
export function encodeAnyMatch(out: ByteWriter, match: Match, version: OfVersion): void {
  if (version === 2) encodeOfp11Match(out, match);
  else if (match.tunFields === undefined) encodePackedOxm(out, packMatch(match), version);
  else encodeOxmMatch(out, match, version);
}

/** Reads NXM entries of a length given, and their padding. */
export function decodeNxmMatch(from: ByteReader, length: number, strict = true, mayHaveCookie = false): DecodedMatch {
  if (Math.ceil(length / 8) * 8 > from.left) throw new PeerError('OFPBMC_BAD_LEN', `NXM match of ${length} bytes`);
  const entries = from.sub(length, 'OFPBMC_BAD_LEN');
  from.skip(Math.min(from.left, (8 - (length % 8)) % 8));
  return decodeMatchEntries(entries, strict, mayHaveCookie);
}

/** Writes NXM entries (with a cookie match among them) and padding; gives their length without it. */
export function encodeNxmMatch(out: ByteWriter, match: Match, cookie = 0n, cookieMask = 0n): number {
  const start = out.size;
  encodeMatchEntries(out, match, 1, { value: cookie, mask: cookieMask });
  const length = out.size - start;
  out.pad(start, 8);
  return length;
}

function command(number: number): FlowModCommand {
  const name = COMMANDS[number];
  if (name === undefined) throw new PeerError('OFPFMFC_BAD_COMMAND', `flow_mod command ${number}`);
  return name;
}

const newCookieOf = (cookie: bigint, kind: FlowModCommand): bigint | undefined =>
  kind !== 'add' && cookie === ALL_ONES ? undefined : cookie;

/** Reads OFPT_FLOW_MOD. `tableIds` says that OpenFlow 1.0's command carries a table in its upper byte (NXT_FLOW_MOD_TABLE_ID). */
export function decodeFlowMod(from: ByteReader, version: OfVersion, tableIds: boolean): FlowMod {
  if (version === 1) {
    const isExact = isExactOfp10Match(from);
    const said = decodeOfp10Match(from);
    const match = normalizeLogged(said);
    // What named only fields without their prerequisites matches every Ethernet frame, and is another flow than one that named none.
    if (match !== said && match.mask.every((bits) => bits === 0)) match.mask[W.PACKET_TYPE] = 0xffffffff;
    const cookie = from.u64();
    const number = from.u16();
    const kind = command(tableIds ? number & 0xff : number);
    const idleTimeoutSec = from.u16();
    const hardTimeoutSec = from.u16();
    // OpenFlow 1.0.0 section 3.4: an entry without wildcards always has the highest priority.
    const priority = Math.max(from.u16(), isExact ? 0xffff : 0);
    const bufferId = from.u32();
    const outPort = from.u16();
    const flagBits = from.u16();
    const actions = decodeActions(ofFlow(from), version);
    return {
      kind: 'flowMod',
      command: kind,
      match,
      cookie: 0n,
      cookieMask: 0n,
      newCookie: newCookieOf(cookie, kind),
      table: tableIds ? number >> 8 : 255,
      idleTimeoutSec,
      hardTimeoutSec,
      priority,
      importance: 0,
      bufferId,
      outPort,
      outGroup: NO_GROUP,
      flags: decodeModFlags(flagBits, version, idleTimeoutSec + hardTimeoutSec > 0),
      actions,
    };
  }
  const cookie = from.u64();
  const cookieMask = from.u64();
  const table = from.u8();
  const commandNumber = from.u8();
  const idleTimeoutSec = from.u16();
  const hardTimeoutSec = from.u16();
  const priority = from.u16();
  const bufferId = from.u32();
  const outPortWire = from.u32();
  const outGroup = from.u32();
  const flagBits = from.u16();
  const importanceBits = from.u16();
  const match = decodeAnyMatch(from).match;
  // Of several faults the table is told first, then the port, an inconsistent match, the command, the instructions and the flags.
  if (table === 255 && (version === 2 || COMMANDS[commandNumber]?.startsWith('delete') !== true))
    throw new PeerError('OFPFMFC_BAD_TABLE_ID', `command ${commandNumber} in all tables`);
  const outPort = portFromWire32(outPortWire, 'OFPBAC_BAD_OUT_PORT');
  requireConsistentMatch(match);
  const kind = command(commandNumber);
  const importance = version >= 5 && kind === 'add' ? importanceBits : 0;
  const actions = decodeInstructions(ofFlow(from), version);
  const flags = decodeModFlags(flagBits, version);
  const isAdd = kind === 'add';
  // OpenFlow 1.1 alone: a modification that names no cookie adds what it does not find; what it finds keeps its cookie.
  const mayAdd = version === 2 && cookieMask === 0n && kind.startsWith('modify');
  return {
    kind: 'flowMod',
    command: kind,
    match,
    cookie: isAdd || mayAdd ? 0n : cookie,
    cookieMask: isAdd ? 0n : cookieMask,
    newCookie: isAdd || mayAdd ? cookie : undefined,
    ...(mayAdd ? { keepsCookie: true } : {}),
    table,
    idleTimeoutSec,
    hardTimeoutSec,
    priority,
    importance,
    bufferId,
    outPort,
    outGroup,
    flags,
    actions,
  };
}

/** Reads NXT_FLOW_MOD. */
export function decodeNxFlowMod(from: ByteReader, version: OfVersion, tableIds: boolean): FlowMod {
  const cookie = from.u64();
  const number = from.u16();
  const idleTimeoutSec = from.u16();
  const hardTimeoutSec = from.u16();
  const priority = from.u16();
  const bufferId = from.u32();
  const outPort = from.u16();
  const flagBits = from.u16();
  const matchLength = from.u16();
  from.skip(6);
  const decoded = decodeNxmMatch(from, matchLength, true, true);
  const commandNumber = tableIds ? number & 0xff : number;
  if (commandNumber === 0 && (decoded.cookie?.mask ?? 0n) !== 0n)
    throw new PeerError('NXBRC_NXM_INVALID', 'flow_mod add with a cookie to match');
  requireConsistentMatch(decoded.match);
  const kind = command(commandNumber);
  const actions = decodeInstructionsOf(ofFlow(from), version);
  const flags = decodeModFlags(flagBits, version, idleTimeoutSec + hardTimeoutSec > 0);
  return {
    kind: 'flowMod',
    command: kind,
    match: decoded.match,
    cookie: decoded.cookie?.value ?? 0n,
    cookieMask: decoded.cookie?.mask ?? 0n,
    newCookie: newCookieOf(cookie, kind),
    table: tableIds ? number >> 8 : 255,
    idleTimeoutSec,
    hardTimeoutSec,
    priority,
    importance: 0,
    bufferId,
    outPort,
    outGroup: NO_GROUP,
    flags,
    actions,
  };
}

/** Nicira's flow messages hold what their version has: actions in OpenFlow 1.0, instructions after it. */
const decodeInstructionsOf = (from: ByteReader, version: OfVersion): Action[] =>
  version === 1 ? decodeActions(from, version) : decodeInstructions(from, version);

/** OpenFlow 1.0's command: with table ids 255 is said like any other, without them it is no table at all. */
const commandWord = (mod: FlowMod, tableIds: boolean): number =>
  COMMANDS.indexOf(mod.command) | (mod.table === 255 && !tableIds ? 0 : mod.table << 8);

/** Writes OFPT_FLOW_MOD. In OpenFlow 1.0 a table other than 255 goes into the command: the peer must have been told. */
export function encodeFlowMod(out: ByteWriter, version: OfVersion, mod: FlowMod, tableIds = false): void {
  if (version === 1) {
    encodeOfp10Match(out, mod.match);
    out
      .u64(mod.newCookie ?? ALL_ONES)
      .u16(commandWord(mod, tableIds))
      .u16(mod.idleTimeoutSec)
      .u16(mod.hardTimeoutSec)
      .u16(mod.priority);
    out.u32(mod.bufferId).u16(mod.outPort).u16(encodeFlags(mod.flags, version));
    encodeActions(out, mod.actions, version, contextOf(mod.match));
    return;
  }
  // OpenFlow 1.1 changes a cookie with what else it modifies.
  const changesCookie = version === 2 && mod.command.startsWith('modify') && mod.cookieMask === 0n;
  const setsCookie = mod.command === 'add' || mod.keepsCookie === true || changesCookie;
  out.u64(setsCookie ? (mod.newCookie ?? (changesCookie ? ALL_ONES : 0n)) : mod.cookie).u64(mod.cookieMask);
  // Only a deletion may speak of all tables, and none in OpenFlow 1.1: what adds or modifies without naming one means the first.
  out
    .u8(mod.table === 255 && (version === 2 || !mod.command.startsWith('delete')) ? 0 : mod.table)
    .u8(COMMANDS.indexOf(mod.command))
    .u16(mod.idleTimeoutSec)
    .u16(mod.hardTimeoutSec)
    .u16(mod.priority)
    .u32(mod.bufferId);
  encodePort(out, version, mod.outPort);
  out
    .u32(mod.outGroup)
    .u16(encodeFlags(mod.flags, version))
    .u16(version >= 5 ? mod.importance : 0);
  encodeAnyMatch(out, mod.match, version);
  encodeInstructions(out, mod.actions, version, contextOf(mod.match));
}

/** Writes what follows the subtype of NXT_FLOW_MOD. */
export function encodeNxFlowMod(out: ByteWriter, version: OfVersion, mod: FlowMod, tableIds = false): void {
  out
    .u64(mod.newCookie ?? ALL_ONES)
    // After OpenFlow 1.0 the command always has its table.
    .u16(commandWord(mod, tableIds || version !== 1))
    .u16(mod.idleTimeoutSec)
    .u16(mod.hardTimeoutSec)
    .u16(mod.priority);
  out.u32(mod.bufferId).u16(mod.outPort).u16(encodeFlags(mod.flags, version));
  const lengthAt = out.size;
  out.u16(0).zeros(6);
  const length = encodeNxmMatch(out, mod.match, mod.cookie, mod.cookieMask);
  out.patch16(lengthAt, length);
  if (version === 1) encodeActions(out, mod.actions, 1, contextOf(mod.match));
  else encodeInstructions(out, mod.actions, version, contextOf(mod.match));
}

/** Reads the body of a flow or aggregate request. */
export function decodeFlowStatsRequest(from: ByteReader, version: OfVersion, nx: boolean): FlowStatsRequest {
  if (nx) {
    const outPort = from.u16();
    const matchLength = from.u16();
    const table = from.u8();
    from.skip(3);
    const decoded = decodeNxmMatch(from, matchLength, true, true);
    if (from.left > 0) throw new PeerError('OFPBRC_BAD_LEN', `${from.left} bytes after the match`);
    return {
      match: decoded.match,
      table,
      outPort,
      outGroup: NO_GROUP,
      cookie: decoded.cookie?.value ?? 0n,
      cookieMask: decoded.cookie?.mask ?? 0n,
    };
  }
  if (version === 1) {
    const match = decodeOfp10Match(from);
    const table = from.u8();
    from.skip(1);
    return { match, table, outPort: from.u16(), outGroup: NO_GROUP, cookie: 0n, cookieMask: 0n };
  }
  const table = from.u8();
  from.skip(3);
  const outPort = decodePort(from, version);
  const outGroup = from.u32();
  from.skip(4);
  const cookie = from.u64();
  const cookieMask = from.u64();
  return { match: decodeAnyMatch(from).match, table, outPort, outGroup, cookie, cookieMask };
}

/** Writes the body of a flow or aggregate request. */
export function encodeFlowStatsRequest(out: ByteWriter, version: OfVersion, request: FlowStatsRequest, nx: boolean): void {
  if (nx) {
    out.u16(request.outPort);
    const lengthAt = out.size;
    out.u16(0).u8(request.table).zeros(3);
    const length = encodeNxmMatch(out, request.match, request.cookie, request.cookieMask);
    out.patch16(lengthAt, length);
  } else if (version === 1) {
    encodeOfp10Match(out, request.match);
    out.u8(request.table).u8(0).u16(request.outPort);
  } else {
    out.u8(request.table).zeros(3);
    encodePort(out, version, request.outPort);
    out.u32(request.outGroup).u32(0).u64(request.cookie).u64(request.cookieMask);
    encodeAnyMatch(out, request.match, version);
  }
}

const age = (biased: number): number => biased - 1;

/** Reads flow statistics to the end. */
export function decodeFlowStats(from: ByteReader, version: OfVersion, nx: boolean): FlowStats[] {
  return readList(from, () => {
    if (version !== 1) return decodeOneFlow11(from, version);
    return nx ? decodeOneFlowNx(from) : decodeOneFlow10(from);
  });
}

/** Bytes before actions in OpenFlow 1.0, before the match later and in Nicira's form. */
const HEAD_10 = 88;
const HEAD_11 = 48;
const HEAD_15 = 24;

/** Reads a part of a flow's statistics; what is wrong with it is logged as what is wrong with the entry. In OpenFlow 1.5 what fails
 * outside flags and instructions has no code of the protocol's. */
function partOf<T>(what: string, version: OfVersion, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    log.warn(what);
    throw version === 6 ? new PeerError(NO_CODE, error.message) : error;
  }
}

/** The actions or instructions of an entry, which have the bytes that its length leaves to them. */
function whatFlowDoes(from: ByteReader, size: number, version: OfVersion): Action[] {
  try {
    return version === 1
      ? decodeActions(listOf(from, size, 'actions'), version)
      : decodeInstructions(listOf(from, size, 'instructions', 'OFPBIC_BAD_LEN'), version);
  } catch (error) {
    if (error instanceof PeerError) log.warn('OFPST_FLOW reply bad instructions');
    throw error;
  }
}

/** The length of an entry, of which `head` bytes at least must be there. */
function lengthOfFlow(from: ByteReader, head: number, code = 'OFPBRC_BAD_LEN', name = 'OFPST_FLOW'): number {
  const refuse = (text: string): never => {
    log.warn(`${name} reply ${text}`);
    throw new PeerError(code, text);
  };
  if (from.left < head) refuse(`has ${from.left} leftover bytes at end`);
  const length = from.u16();
  if (length < head && name === 'OFPST_FLOW') refuse(`claims invalid length ${length}`);
  return length;
}

/** The entry's length counts for its instructions alone: the match says itself how long it is. */
function decodeOneFlow11(from: ByteReader, version: OfVersion): FlowStats {
  const start = from.at;
  const length = version === 6 ? lengthOfFlow(from, HEAD_15, NO_CODE) : lengthOfFlow(from, HEAD_11);
  const match = (): Match => partOf('OFPST_FLOW reply bad match', version, () => decodeAnyMatch(from).match);
  const instructions = (): Action[] => whatFlowDoes(from, length - (from.at - start), version);
  if (version === 6) {
    from.skip(2);
    const table = from.u8();
    from.skip(1);
    const priority = from.u16();
    const idleTimeoutSec = from.u16();
    const hardTimeoutSec = from.u16();
    const flagBits = from.u16();
    const importance = from.u16();
    const cookie = from.u64();
    const common = { match: match(), priority, cookie, table, idleTimeoutSec, hardTimeoutSec, importance };
    const flags = decodeModFlags(flagBits, version);
    const oxs = partOf('OXS OFPST_FLOW reply bad stats', version, () => decodeOxs(from));
    return { ...common, flags, idleAgeSec: -1, hardAgeSec: -1, actions: instructions(), ...oxs };
  }
  const table = from.u8();
  from.skip(1);
  const durationSec = from.u32();
  const durationNsec = from.u32();
  const priority = from.u16();
  const idleTimeoutSec = from.u16();
  const hardTimeoutSec = from.u16();
  const flagBits = from.u16();
  const importanceBits = from.u16();
  const importance = version >= 5 ? importanceBits : 0;
  const counters = { cookie: from.skip(2).u64(), packetCount: from.u64(), byteCount: from.u64() };
  const common = { match: match(), table, durationSec, durationNsec, priority, idleTimeoutSec, hardTimeoutSec, importance };
  const flags = version >= 4 ? decodeModFlags(flagBits, version) : flagsOf(0, version);
  return { ...common, flags, idleAgeSec: -1, hardAgeSec: -1, ...counters, actions: instructions() };
}

function decodeOneFlow10(from: ByteReader): FlowStats {
  const length = lengthOfFlow(from, HEAD_10);
  const table = from.u8();
  const match = decodeOfp10Match(from.skip(1));
  const common = { table, match, importance: 0, flags: flagsOf(0, 1), ...timesOfFlow(from) };
  const counters = { cookie: from.skip(6).u64(), packetCount: from.u64(), byteCount: from.u64() };
  return { ...common, ...counters, idleAgeSec: -1, hardAgeSec: -1, actions: whatFlowDoes(from, length - HEAD_10, 1) };
}

/** The entry's length counts for its actions: the match may be as long as is said of it elsewhere. */
function decodeOneFlowNx(from: ByteReader): FlowStats {
  const length = lengthOfFlow(from, HEAD_11, 'OFPBRC_BAD_LEN', 'NXST_FLOW');
  const table = from.u8();
  const times = timesOfFlow(from.skip(1));
  const matchLength = from.u16();
  const ages = { idleAgeSec: age(from.u16()), hardAgeSec: age(from.u16()) };
  const counters = { cookie: from.u64(), packetCount: from.u64(), byteCount: from.u64() };
  const size = length - HEAD_11 - Math.ceil(matchLength / 8) * 8;
  if (size < 0) {
    const text = `NXST_FLOW reply with match_len=${matchLength} claims invalid length ${length}`;
    log.warn(text);
    throw new PeerError('OFPBRC_BAD_LEN', text);
  }
  const { match } = decodeNxmMatch(from, matchLength);
  return { table, match, importance: 0, flags: flagsOf(0, 1), ...times, ...ages, ...counters, actions: whatFlowDoes(from, size, 1) };
}

function timesOfFlow(from: ByteReader): Pick<FlowStats, 'durationSec' | 'durationNsec' | 'priority' | 'idleTimeoutSec' | 'hardTimeoutSec'> {
  const [durationSec, durationNsec] = [from.u32(), from.u32()];
  return { durationSec, durationNsec, priority: from.u16(), idleTimeoutSec: from.u16(), hardTimeoutSec: from.u16() };
}

/** Writes one flow's statistics. */
export function encodeFlowStats(out: ByteWriter, version: OfVersion, flow: FlowStats, nx: boolean): void {
  const start = out.size;
  const { packed } = flow;
  const context = packed === undefined ? contextOf(flow.match) : contextOfPacked(packed);
  out.u16(0);
  if (version === 6) {
    out.u16(0).u8(flow.table).u8(0).u16(flow.priority).u16(flow.idleTimeoutSec).u16(flow.hardTimeoutSec);
    out.u16(encodeFlags(flow.flags, version)).u16(flow.importance).u64(flow.cookie);
    if (packed !== undefined) encodePackedOxm(out, packed, version);
    else encodeOxmMatch(out, flow.match, version);
    encodeOxs(out, flow);
    encodeKnownActions(out, flow.actions, version, false, context);
  } else {
    out.u8(flow.table).u8(0);
    const is10 = version === 1 && !nx;
    if (is10) encodeOfp10Match(out, packed === undefined ? flow.match : unpackMatch(packed.mask, packed.values));
    out.u32(flow.durationSec).u32(flow.durationNsec).u16(flow.priority).u16(flow.idleTimeoutSec).u16(flow.hardTimeoutSec);
    const lengthAt = out.size;
    if (is10) out.zeros(6);
    else if (nx)
      out
        .u16(0)
        .u16(Math.min(0xffff, flow.idleAgeSec + 1))
        .u16(Math.min(0xffff, flow.hardAgeSec + 1));
    else
      out
        .u16(version >= 4 ? encodeFlags(flow.flags, version) : 0)
        .u16(version >= 5 ? flow.importance : 0)
        .u16(0);
    out.u64(flow.cookie).u64(flow.packetCount).u64(flow.byteCount);
    if (nx) out.patch16(lengthAt, packed === undefined ? encodeNxmMatch(out, flow.match) : encodePackedNxm(out, packed));
    // OpenFlow 1.1 too: the reference answers so.
    else if (packed !== undefined && !is10) encodePackedOxm(out, packed, version);
    else if (!is10) encodeOxmMatch(out, flow.match, version);
    encodeKnownActions(out, flow.actions, version, version === 1 || nx, context);
  }
  out.patch16(start, out.size - start);
}

/** "No port" for requests. */
export const ANY_PORT = OFPP.NONE;
