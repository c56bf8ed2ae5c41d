// ovs-ofctl replace-flows and diff-flows: two sets of flows side by side, keyed by table, match and priority.
import { statSync } from 'node:fs';
import type { PortNames } from '../../flow/field-text.ts';
import { type Match, matchAll } from '../../flow/key.ts';
import { formatMatch } from '../../flow/match-text.ts';
import { OFPP } from '../../openflow/action.ts';
import type { FlowMod, FlowStats } from '../../openflow/message.ts';
import { formatActions } from '../../openflow/text/action-format.ts';
import { agreeOnDumpFormat, formatsFor, sendBundle, sendNumbered } from './flow-send.ts';
import { type FlowOptions, flowLines, lookupNames, parseFlowFile } from './flows.ts';
import { fetchPorts, namesOf } from './names.ts';
import { Session, showsNames, XID_AFTER_NAMES } from './session.ts';

/** What a flow says beyond its key. */
type FlowVersion = Pick<FlowStats, 'cookie' | 'idleTimeoutSec' | 'hardTimeoutSec' | 'importance' | 'flags' | 'actions'> &
  Pick<FlowMod, 'named'>;

/** One key with what each side has under it. */
interface Entry {
  table: number;
  match: Match;
  priority: number;
  sides: [FlowVersion | undefined, FlowVersion | undefined];
}

/** Flows of one table that match on the same fields. */
interface Group {
  maxPriority: number;
  entries: Map<string, Entry>;
}

/** Flows of two sides, in the reference's order: by table, then by what they match on, highest priority first, then as they came. */
class FlowPairs {
  readonly #tables = new Map<number, Map<string, Group>>();

  add(side: 0 | 1, table: number, match: Match, priority: number, version: FlowVersion): void {
    const groups = this.#tables.get(table) ?? new Map<string, Group>();
    this.#tables.set(table, groups);
    const mask = match.mask.join();
    const group = groups.get(mask) ?? { maxPriority: -1, entries: new Map() };
    groups.set(mask, group);
    const key = `${priority}:${match.key.map((word, i) => word & (match.mask[i] ?? 0)).join()}`;
    const entry = group.entries.get(key) ?? { table, match, priority, sides: [undefined, undefined] };
    group.entries.set(key, entry);
    group.maxPriority = Math.max(group.maxPriority, priority);
    entry.sides[side] = version;
  }

  *entries(): Generator<Entry> {
    for (const [, groups] of [...this.#tables].sort(([a], [b]) => a - b)) {
      for (const group of [...groups.values()].sort((a, b) => b.maxPriority - a.maxPriority)) yield* group.entries.values();
    }
  }
}

const isEqual = (a: FlowVersion, b: FlowVersion): boolean =>
  a.cookie === b.cookie &&
  a.idleTimeoutSec === b.idleTimeoutSec &&
  a.hardTimeoutSec === b.hardTimeoutSec &&
  a.importance === b.importance &&
  formatActions(a.actions) === formatActions(b.actions);

const linesOf = (path: string): ReturnType<typeof flowLines> => flowLines(path, 'open');

function addAll(mods: readonly FlowMod[], pairs: FlowPairs, side: 0 | 1): void {
  for (const mod of mods) {
    const table = mod.table === 255 ? 0 : mod.table;
    pairs.add(side, table, mod.match, mod.priority, { ...mod, cookie: mod.newCookie ?? 0n });
  }
}

async function readSwitch(session: Session, pairs: FlowPairs, side: 0 | 1): Promise<void> {
  const request = { match: matchAll(), table: 255, outPort: OFPP.NONE, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n };
  for (const { message } of await session.ask({ kind: 'flowStatsRequest', request })) {
    if (message.kind !== 'flowStatsReply') continue;
    for (const flow of message.flows) pairs.add(side, flow.table, flow.match, flow.priority, flow);
  }
}

const modOf = (command: FlowMod['command'], entry: Entry, version: FlowVersion): FlowMod => ({
  kind: 'flowMod',
  command,
  match: entry.match,
  priority: entry.priority,
  cookie: 0n,
  cookieMask: 0n,
  newCookie: version.cookie,
  table: entry.table,
  idleTimeoutSec: version.idleTimeoutSec,
  hardTimeoutSec: version.hardTimeoutSec,
  importance: command === 'add' ? version.importance : 0,
  bufferId: 0xffffffff,
  outPort: OFPP.NONE,
  outGroup: 0xffffffff,
  // What else a flow says of itself is forgotten, and all of it where the flow goes.
  flags: {
    sendFlowRem: command === 'add' && version.flags.sendFlowRem,
    checkOverlap: false,
    resetCounts: false,
    noPacketCounts: false,
    noByteCounts: false,
  },
  actions: command === 'add' ? version.actions : [],
  ...(version.named === undefined ? {} : { named: version.named }),
});

/** What makes the second side's flows the first's: table by table, first what goes, then what comes. */
function changesFor(entries: readonly Entry[], addsAll: boolean): FlowMod[] {
  const changes: FlowMod[] = [];
  for (const table of new Set(entries.map((entry) => entry.table))) {
    const own = entries.filter((entry) => entry.table === table);
    for (const entry of own) {
      const [wanted, present] = entry.sides;
      if (wanted === undefined && present !== undefined) changes.push(modOf('delete_strict', entry, present));
    }
    for (const entry of own) {
      const [wanted, present] = entry.sides;
      if (wanted === undefined) continue;
      if (addsAll || present === undefined || !isEqual(wanted, present)) changes.push(modOf('add', entry, wanted));
    }
  }
  return changes;
}

/** replace-flows SWITCH FILE: makes the switch's flows those of a file. */
export async function replaceFlows(bridge: string, path: string, options: FlowOptions): Promise<number> {
  const pairs = new FlowPairs();
  const session = await Session.open(bridge, options, options.names === false ? 1 : XID_AFTER_NAMES);
  try {
    const lines = linesOf(path);
    const mods = await lookupNames(bridge, options, (names) => parseFlowFile(path, lines, 'add', names, 'table'));
    addAll(mods, pairs, 0);
    await agreeOnDumpFormat(session, formatsFor(mods), options);
    await readSwitch(session, pairs, 1);
    const changes = changesFor([...pairs.entries()], options.readd === true);
    if (options.bundle === true) await sendBundle(session, changes);
    else await sendNumbered(session, changes);
  } finally {
    session.close();
  }
  return 0;
}

/** Whether a source of diff-flows is a file: ovs-ofctl(8). */
function isFile(source: string): boolean {
  if (source.startsWith('/') || source.startsWith('.')) return true;
  if (source.includes(':')) return false;
  return statSync(source, { throwIfNoEntry: false }) !== undefined;
}

/** diff-flows SOURCE SOURCE; gives 2 when they differ. */
export async function diffFlows(first: string, second: string, options: FlowOptions): Promise<number> {
  const pairs = new FlowPairs();
  // Names of ports, where they are to be shown, are those of the first switch; files behind it may use them. Tables have none.
  let names: PortNames | undefined;
  for (const [index, source] of [first, second].entries()) {
    const side = index as 0 | 1;
    if (isFile(source)) {
      addAll(parseFlowFile(source, linesOf(source), 'add', names, 'table'), pairs, side);
      continue;
    }
    const session = await Session.open(source, options);
    try {
      await agreeOnDumpFormat(session, formatsFor([]), options);
      await readSwitch(session, pairs, side);
      if (showsNames(options)) names ??= namesOf(await fetchPorts(session));
    } finally {
      session.close();
    }
  }
  let text = '';
  for (const entry of pairs.entries()) {
    const [left, right] = entry.sides;
    if (left !== undefined && right !== undefined && isEqual(left, right)) continue;
    if (left !== undefined) text += `-${line(entry, left, names)}`;
    if (right !== undefined) text += `+${line(entry, right, names)}`;
  }
  process.stdout.write(text);
  return text === '' ? 0 : 2;
}

function line(entry: Entry, version: FlowVersion, names: PortNames | undefined): string {
  let text = entry.table === 0 ? '' : `table=${entry.table} `;
  text += formatMatch(entry.match, entry.priority, names);
  if (version.cookie !== 0n) text += ` cookie=0x${version.cookie.toString(16)}`;
  if (version.idleTimeoutSec !== 0) text += ` idle_timeout=${version.idleTimeoutSec}`;
  if (version.hardTimeoutSec !== 0) text += ` hard_timeout=${version.hardTimeoutSec}`;
  if (version.importance !== 0) text += ` importance=${version.importance}`;
  return `${text} actions=${formatActions(version.actions, names)}\n`;
}
