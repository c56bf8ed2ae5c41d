// Statistics of flows: requests, entries, and what they sum up to. OpenFlow 1.0.0 section 5.3.5, OpenFlow 1.3.5 sections 7.3.5.2 and 7.3.5.3.
import { PeerError } from '../../base/errors.ts';
import type { Match } from '../../flow/key.ts';
import { unpackMatch } from '../../flow/mask.ts';
import type { Action } from '../action.ts';
import { NO_CODE } from '../errors.ts';
import { OFPG } from '../group.ts';
import type { FlowStats, FlowStatsRequest, Message, OfVersion } from '../message.ts';
import { flowLog as log } from '../peer-logs.ts';
import { decodeActions } from './actions/action-codec.ts';
import { contextOf } from './actions/action-context.ts';
import { decodeInstructions } from './actions/instruction-codec.ts';
import { listOf } from './actions/list-check.ts';
import { readList } from './actions/partial.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodeOfp10Match, encodeOfp10Match } from './fields/ofp10-match.ts';
import { encodeOxmMatch } from './fields/oxm.ts';
import { decodeOxs, encodeOxs } from './fields/oxs.ts';
import { decodeModFlags, encodeFlags, flagsOf } from './flow-flags.ts';
import { decodeAnyMatch, decodeNxmMatch, encodeAnyMatch, encodeNxmMatch } from './match-codec.ts';
import { contextOfPacked, encodeKnownActions, encodePackedNxm, encodePackedOxm } from './packed/packed-flow-stats.ts';
import { decodePort, encodePort } from './port-codec.ts';

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
      outGroup: OFPG.ANY,
      cookie: decoded.cookie?.value ?? 0n,
      cookieMask: decoded.cookie?.mask ?? 0n,
    };
  }
  if (version === 1) {
    const match = decodeOfp10Match(from);
    const table = from.u8();
    from.skip(1);
    return { match, table, outPort: from.u16(), outGroup: OFPG.ANY, cookie: 0n, cookieMask: 0n };
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

/** Reads what flows sum up to. */
export function decodeAggregate(from: ByteReader, version: OfVersion): Extract<Message, { kind: 'aggregateReply' }> {
  if (version === 6) {
    const oxs = decodeOxs(from);
    return { kind: 'aggregateReply', packetCount: oxs.packetCount, byteCount: oxs.byteCount, flowCount: oxs.flowCount ?? 0xffffffff };
  }
  return { kind: 'aggregateReply', packetCount: from.u64(), byteCount: from.u64(), flowCount: from.u32() };
}

/** Writes it. */
export function encodeAggregate(
  out: ByteWriter,
  version: OfVersion,
  { packetCount, byteCount, flowCount }: Extract<Message, { kind: 'aggregateReply' }>,
): void {
  if (version === 6) encodeOxs(out, { durationSec: 0, durationNsec: 0, packetCount, byteCount, flowCount });
  else out.u64(packetCount).u64(byteCount).u32(flowCount).u32(0);
}
