// Flow-mods, OpenFlow's own and Nicira's. OpenFlow 1.0.0 section 5.3.3, OpenFlow 1.3.5 section 7.3.4.1.
import { PeerError } from '../../base/errors.ts';
import { W } from '../../flow/key.ts';
import type { Action } from '../action.ts';
import { requireConsistentMatch } from '../flow-mod-check.ts';
import { OFPG } from '../group.ts';
import type { FlowMod, FlowModCommand, OfVersion } from '../message.ts';
import { normalizeLogged } from '../normalize.ts';
import { portFromWire32 } from '../ports.ts';
import { decodeActions, encodeActions } from './actions/action-codec.ts';
import { contextOf } from './actions/action-context.ts';
import { decodeInstructions, encodeInstructions } from './actions/instruction-codec.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodeOfp10Match, encodeOfp10Match, isExactOfp10Match } from './fields/ofp10-match.ts';
import { ofFlow } from './fields/tun-metadata.ts';
import { decodeModFlags, encodeFlags } from './flow-flags.ts';
import { decodeAnyMatch, decodeNxmMatch, encodeAnyMatch, encodeNxmMatch } from './match-codec.ts';
import { encodePort } from './port-codec.ts';

const COMMANDS: readonly FlowModCommand[] = ['add', 'modify', 'modify_strict', 'delete', 'delete_strict'];

const ALL_ONES = 0xffffffffffffffffn;

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
      outGroup: OFPG.ANY,
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
    outGroup: OFPG.ANY,
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
