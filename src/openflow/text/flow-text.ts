// Flows as text: what ovs-ofctl takes on its command line and in files, and what it prints. Facts: ovs-ofctl(8), "Flow Syntax", and the
// reference's output and messages.

import { ConfigError } from '../../base/errors.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { formatPort, formatTable, parsePort } from '../../flow/field-text.ts';
import type { Field } from '../../flow/fields.ts';
import { matchAll } from '../../flow/key.ts';
import { addFieldText, formatMatch, protocolNamed, settleEthType } from '../../flow/match-text.ts';
import { settleSharedPlace } from '../../flow/shared-places.ts';
import { paint } from '../../flow/text-colors.ts';
import { OFPP } from '../action.ts';
import type { FlowMod, FlowModCommand, FlowModFlags, FlowRemoved, FlowStats } from '../message.ts';
import { formatActions } from './action-format.ts';
import { parseActions } from './action-parse.ts';
import { parseGroupNumber } from './group-number.ts';
import { cutCommandWord, splitKeyValues } from './key-value-text.ts';
import { addMatchPart } from './match-part.ts';
import { fault, numberOf, tableOf, u64 } from './number-text.ts';

const noFlags = (): FlowModFlags => ({
  sendFlowRem: false,
  checkOverlap: false,
  resetCounts: false,
  noPacketCounts: false,
  noByteCounts: false,
});

/** A flow-mod that does nothing in particular. */
export function emptyFlowMod(command: FlowModCommand): FlowMod {
  return {
    kind: 'flowMod',
    command,
    match: matchAll(),
    priority: 0x8000,
    cookie: 0n,
    cookieMask: 0n,
    newCookie: command === 'add' ? 0n : undefined,
    table: 255,
    idleTimeoutSec: 0,
    hardTimeoutSec: 0,
    importance: 0,
    bufferId: 0xffffffff,
    outPort: OFPP.NONE,
    outGroup: 0xffffffff,
    flags: noFlags(),
    actions: [],
  };
}

/** Statistics in a dumped flow, ignored when it is read back. */
const IGNORED = new Set(['duration', 'n_packets', 'n_bytes', 'idle_age', 'hard_age']);

const FLAG_WORDS: ReadonlyMap<string, keyof FlowModFlags> = new Map([
  ['send_flow_rem', 'sendFlowRem'],
  ['check_overlap', 'checkOverlap'],
  ['reset_counts', 'resetCounts'],
  ['no_packet_counts', 'noPacketCounts'],
  ['no_byte_counts', 'noByteCounts'],
]);

const NO_COOKIE = (1n << 64n) - 1n;

/** What a command takes of a flow's text. */
const TAKES: Readonly<Record<FlowModCommand, { actions: boolean; priority: boolean; timeouts: boolean; outPort: boolean }>> = {
  add: { actions: true, priority: true, timeouts: true, outPort: false },
  modify: { actions: true, priority: true, timeouts: true, outPort: false },
  modify_strict: { actions: true, priority: true, timeouts: true, outPort: false },
  delete: { actions: false, priority: false, timeouts: false, outPort: true },
  delete_strict: { actions: false, priority: true, timeouts: false, outPort: true },
};

const COMMAND_WORDS: readonly FlowModCommand[] = ['add', 'delete', 'delete_strict', 'modify', 'modify_strict'];

/** Cuts a command word, as `add-flows` files may have, off the front of a line. */
export const cutCommand = (text: string, otherwise: FlowModCommand): { command: FlowModCommand; text: string } =>
  cutCommandWord(text, COMMAND_WORDS) ?? { command: otherwise, text };

/** Where `actions=` begins, and the text before it. */
export function cutActions(text: string): { before: string; actions: string | undefined } {
  // The word may be part of a longer one, as in the reference.
  const at = text.indexOf('action');
  const mark = at < 0 ? -1 : text.indexOf('=', at);
  return mark < 0 ? { before: text, actions: undefined } : { before: text.slice(0, at), actions: text.slice(mark + 1) };
}

/** Reads a flow. Throws ConfigError in the reference's words, without a prefix. */
export function parseFlow(text: string, command: FlowModCommand, names?: PortNames): FlowMod {
  const mod = parseFlowFilter(text, command, names);
  mod.cookie &= mod.cookieMask;
  return mod;
}

/** As `parseFlow`, with a cookie as it is written: a request for statistics sends bits that its mask leaves out. */
export function parseFlowFilter(text: string, command: FlowModCommand, names?: PortNames): FlowMod {
  const takes = TAKES[command];
  const mod = emptyFlowMod(command);
  const { before, actions } = takes.actions ? cutActions(text) : { before: text, actions: undefined };
  if (takes.actions && actions === undefined) throw new ConfigError('must specify an action');
  for (const word of splitKeyValues(before)) applyWord(mod, word.key, word.value, takes, names);
  settleEthType(mod.match);
  const shared = mod.named?.findLast(({ field: { name } }) => name === 'tcp_flags' || name === 'nd_options_type');
  if (shared !== undefined) settleSharedPlace(mod.match, shared.field.name);
  if (takes.actions) mod.actions = parseActions(actions ?? '', { names });
  // A modification without a mask adds what it does not find, and for that it needs a cookie, which all ones are not.
  const hasCookie = mod.newCookie !== undefined && mod.newCookie !== NO_COOKIE;
  if (command.startsWith('modify') && mod.cookieMask === 0n && !hasCookie) mod.newCookie = 0n;
  if (command.startsWith('delete')) mod.newCookie = 0n;
  return mod;
}

function applyWord(mod: FlowMod, key: string, value: string | undefined, takes: (typeof TAKES)['add'], names?: PortNames): void {
  // Flags are what they are, whatever value stands behind them.
  const flag = FLAG_WORDS.get(key);
  if (flag !== undefined && takes.timeouts) {
    mod.flags[flag] = true;
    return;
  }
  if (key === 'allow_hidden_fields') return;
  const told = (field: Field, mask: bigint | undefined): void => {
    mod.named = [...(mod.named ?? []), { field, mask }];
  };
  // What a protocol's word stands for needs no value, and has none.
  if (value === undefined || value === '' || protocolNamed(key) !== undefined) {
    if (addFieldText(mod.match, key, undefined, names, told)) return;
    if (key.includes('[')) {
      addPart(mod, key, '');
      return;
    }
    fault(`field ${key} missing value`);
  }
  const text = value ?? '';
  switch (key) {
    case 'table':
      mod.table = tableOf(text, names);
      return;
    case 'out_port':
      if (!takes.outPort) break;
      mod.outPort = parsePort(text, names) ?? fault(`${text} is not a valid OpenFlow port`);
      return;
    case 'out_group':
      if (!takes.outPort) break;
      mod.namesGroup = true;
      mod.outGroup = parseGroupNumber(text) ?? fault(`${text} is not a valid OpenFlow group`);
      return;
    case 'priority':
      if (!takes.priority) break;
      mod.priority = numberOf(text, 16, 'priority');
      return;
    case 'idle_timeout':
      if (!takes.timeouts) break;
      mod.idleTimeoutSec = numberOf(text, 16, key);
      return;
    case 'hard_timeout':
      if (!takes.timeouts) break;
      mod.hardTimeoutSec = numberOf(text, 16, key);
      return;
    case 'importance':
      if (mod.command !== 'add') break;
      mod.importance = numberOf(text, 16, key);
      return;
    case 'cookie': {
      if (mod.command === 'add' && text.includes('/')) fault('flow additions cannot use a cookie mask');
      applyCookie(mod, text);
      return;
    }
  }
  if (IGNORED.has(key)) return;
  if (addFieldText(mod.match, key, text, names, told)) return;
  if (key.includes('[')) addPart(mod, key, text);
  else fault(`unknown keyword ${key}`);
}

/** What has a bracket is a part of a field. */
function addPart(mod: FlowMod, key: string, text: string): void {
  const { field, mask, isSayable } = addMatchPart(mod.match, key, text);
  mod.named = [...(mod.named ?? []), { field, mask }];
  if (!isSayable) mod.isUnsayable = true;
}

function applyCookie(mod: FlowMod, text: string): void {
  const slash = text.indexOf('/');
  if (slash >= 0) {
    if (mod.command === 'add') fault('flow additions cannot use a cookie mask');
    mod.cookie = u64(text.slice(0, slash));
    mod.cookieMask = u64(text.slice(slash + 1));
  } else if (mod.command === 'delete' || mod.command === 'delete_strict') {
    fault(`cannot set cookie (to match on a cookie, specify a mask, e.g. cookie=${text}/-1)`);
  } else {
    // Without a mask, an addition or a modification sets the cookie; with one, a modification selects by it.
    mod.newCookie = u64(text);
  }
}

/** Flags as printed before the priority, each with a blank behind it. */
function flagText(flags: FlowModFlags): string {
  let text = '';
  for (const [word, flag] of FLAG_WORDS) if (flags[flag]) text += `${word} `;
  return text;
}

const UNKNOWN = 0xffffffffffffffffn;

/** Seconds with nanoseconds: three digits unless more are needed, as the reference prints. */
export function formatDuration(sec: number, nsec: number): string {
  const fraction = String(nsec).padStart(9, '0');
  if (nsec === 0) return `${sec}s`;
  return fraction.endsWith('000000') ? `${sec}.${fraction.slice(0, 3)}s` : `${sec}.${fraction.replace(/0+$/, '')}s`;
}

/** One line of `dump-flows`, without the leading blank. */
export function formatFlowStats(flow: FlowStats, names?: PortNames, showStats = true): string {
  let text = '';
  if (showStats || flow.cookie !== 0n) text += `${paint('pm', 'cookie=')}0x${flow.cookie.toString(16)}, `;
  if (showStats) text += `${paint('pm', 'duration=')}${formatDuration(flow.durationSec, flow.durationNsec)}, `;
  if (showStats || flow.table !== 0 || names?.tableName?.(0) !== undefined)
    text += `${paint('sp', 'table=')}${formatTable(flow.table, names)}, `;
  if (showStats) {
    text += `${paint('pm', 'n_packets=')}${flow.packetCount === UNKNOWN ? '?' : flow.packetCount}, `;
    text += `${paint('pm', 'n_bytes=')}${flow.byteCount === UNKNOWN ? '?' : flow.byteCount}, `;
  }
  if (flow.idleTimeoutSec !== 0) text += `${paint('pm', 'idle_timeout=')}${flow.idleTimeoutSec}, `;
  if (flow.hardTimeoutSec !== 0) text += `${paint('pm', 'hard_timeout=')}${flow.hardTimeoutSec}, `;
  text += flagText(flow.flags);
  if (flow.importance !== 0) text += `${paint('pm', 'importance=')}${flow.importance}, `;
  if (showStats) {
    if (flow.idleAgeSec >= 0) text += `${paint('pm', 'idle_age=')}${flow.idleAgeSec}, `;
    if (flow.hardAgeSec >= 0 && flow.hardAgeSec !== flow.durationSec) text += `${paint('pm', 'hard_age=')}${flow.hardAgeSec}, `;
  }
  const match = formatMatch(flow.match, flow.priority, names);
  return `${text}${match}${match === '' ? '' : ' '}${paint('ac', 'actions=')}${formatActions(flow.actions, names)}`;
}

/**
 * A flow-mod as `ofp-print` shows it after the header line. `wireMatch` is its match as it stands on the wire, where that is to be
 * shown.
 */
export function formatFlowMod(mod: FlowMod, names?: PortNames, wireMatch?: string): string {
  const words: Readonly<Record<FlowModCommand, string>> = {
    add: 'ADD',
    modify: 'MOD',
    modify_strict: 'MOD_STRICT',
    delete: 'DEL',
    delete_strict: 'DEL_STRICT',
  };
  let text = ` ${words[mod.command]}`;
  if (mod.table !== 0 || names?.tableName?.(0) !== undefined) text += ` table:${formatTable(mod.table, names)}`;
  text += ' ';
  const match = wireMatch ?? formatMatch(mod.match, mod.priority, names);
  if (match !== '') text += `${match} `;
  const cookie = mod.newCookie ?? UNKNOWN;
  if (cookie !== 0n && cookie !== UNKNOWN) text += `cookie:0x${cookie.toString(16)} `;
  if (mod.cookieMask !== 0n) text += `cookie:0x${mod.cookie.toString(16)}/0x${mod.cookieMask.toString(16)} `;
  if (mod.idleTimeoutSec !== 0) text += `idle:${mod.idleTimeoutSec} `;
  if (mod.hardTimeoutSec !== 0) text += `hard:${mod.hardTimeoutSec} `;
  if (wireMatch !== undefined && mod.priority !== 0x8000) text += `pri:${mod.priority} `;
  if (mod.importance !== 0) text += `importance:${mod.importance} `;
  if (mod.bufferId !== 0xffffffff) text += `buf:0x${mod.bufferId.toString(16)} `;
  if (mod.outPort !== OFPP.NONE) text += `out_port:${formatPort(mod.outPort, names)} `;
  text += flagText(mod.flags);
  return `${text}actions=${formatActions(mod.actions, names)}`;
}

/** A flow-removed as `ofp-print` shows it after the header line. */
export function formatFlowRemoved(removed: FlowRemoved, names?: PortNames): string {
  const match = formatMatch(removed.match, removed.priority, names);
  let text = ` ${match} reason=${removed.reason}`;
  if (removed.table !== 255) text += ` table_id=${removed.table}`;
  if (removed.cookie !== 0n) text += ` cookie:0x${removed.cookie.toString(16)}`;
  text += ` duration${formatDuration(removed.durationSec, removed.durationNsec)} idle${removed.idleTimeoutSec}`;
  if (removed.hardTimeoutSec !== 0) text += ` hard${removed.hardTimeoutSec}`;
  return `${text} pkts${removed.packetCount} bytes${removed.byteCount}`;
}
