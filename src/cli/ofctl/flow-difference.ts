// ovs-ofctl replace-flows and diff-flows: two sets of flows side by side, keyed by table, match and priority.
import { readFileSync, statSync } from 'node:fs';
import { strerror, systemErrno } from '../../base/errno.ts';
import { ConfigError } from '../../base/errors.ts';
import { Classifier, ClassifierRule } from '../../flow/classifier.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { type Match, matchAll } from '../../flow/key.ts';
import { formatMatch } from '../../flow/match-text.ts';
import { OFPP } from '../../openflow/action.ts';
import type { FlowMod, FlowStats } from '../../openflow/message.ts';
import { normalizeMatch } from '../../openflow/normalize.ts';
import { formatActions } from '../../openflow/text/action-format.ts';
import { agreeOnDumpFormat, bundleOptions, formatsFor, sendBundle, sendSingly, sharedProtocols } from './flow-send.ts';
import { type FlowOptions, lookupNames, parseFlowFile, XID_AFTER_NAMES } from './flows.ts';
import { fetchPorts, namesOf } from './names.ts';
import { Session } from './session.ts';

/** What a flow says beyond its key. */
type FlowVersion = Pick<FlowStats, 'cookie' | 'idleTimeoutSec' | 'hardTimeoutSec' | 'importance' | 'flags' | 'actions'>;

/** One key with what each side has under it. */
class Entry extends ClassifierRule {
  readonly sides: [FlowVersion | undefined, FlowVersion | undefined] = [undefined, undefined];
}

/** Flows of two sides. */
class FlowPairs {
  readonly #tables = new Map<number, Classifier<Entry>>();

  add(side: 0 | 1, table: number, match: Match, priority: number, version: FlowVersion): void {
    let classifier = this.#tables.get(table);
    if (classifier === undefined) {
      classifier = new Classifier();
      this.#tables.set(table, classifier);
    }
    let entry = classifier.find(match, priority, 0);
    if (entry === undefined) {
      entry = new Entry(match, priority);
      classifier.insert(entry);
    }
    entry.sides[side] = version;
  }

  /** By table, then by the fields that flows match on. */
  *entries(): Generator<[table: number, entry: Entry]> {
    for (const table of [...this.#tables.keys()].sort((a, b) => a - b)) {
      for (const entry of this.#tables.get(table)!.rules()) yield [table, entry];
    }
  }
}

const isEqual = (a: FlowVersion, b: FlowVersion): boolean =>
  a.cookie === b.cookie &&
  a.idleTimeoutSec === b.idleTimeoutSec &&
  a.hardTimeoutSec === b.hardTimeoutSec &&
  a.importance === b.importance &&
  formatActions(a.actions) === formatActions(b.actions);

function readFile(path: string, names: PortNames | undefined, pairs: FlowPairs, side: 0 | 1): FlowMod[] {
  let content: string;
  try {
    content = readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${path}: open (${strerror(systemErrno(error))})`);
  }
  const lines = content
    .split('\n')
    .map((text, index) => ({ text: text.replace(/#.*/, '').trim(), number: index + 1 }))
    .filter(({ text }) => text !== '');
  const mods = parseFlowFile(path, lines, 'add', names, false);
  for (const mod of mods) {
    const table = mod.table === 255 ? 0 : mod.table;
    pairs.add(side, table, normalizeMatch(mod.match), mod.priority, { ...mod, cookie: mod.newCookie ?? 0n });
  }
  return mods;
}

async function readSwitch(session: Session, pairs: FlowPairs, side: 0 | 1): Promise<void> {
  const request = { match: matchAll(), table: 255, outPort: OFPP.NONE, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n };
  for (const { message } of await session.ask({ kind: 'flowStatsRequest', request })) {
    if (message.kind !== 'flowStatsReply') continue;
    for (const flow of message.flows) pairs.add(side, flow.table, flow.match, flow.priority, flow);
  }
}

const modOf = (command: FlowMod['command'], table: number, entry: Entry, version: FlowVersion): FlowMod => ({
  kind: 'flowMod',
  command,
  match: entry.match(),
  priority: entry.priority,
  cookie: 0n,
  cookieMask: 0n,
  newCookie: command === 'add' ? version.cookie : 0n,
  table,
  idleTimeoutSec: version.idleTimeoutSec,
  hardTimeoutSec: version.hardTimeoutSec,
  importance: version.importance,
  bufferId: 0xffffffff,
  outPort: OFPP.NONE,
  outGroup: 0xffffffff,
  flags: version.flags,
  actions: command === 'add' ? version.actions : [],
});

/** replace-flows SWITCH FILE: makes the switch's flows those of a file. */
export async function replaceFlows(bridge: string, path: string, given: FlowOptions): Promise<number> {
  const options = given.bundle === true ? bundleOptions(given) : given;
  const pairs = new FlowPairs();
  const mods = await lookupNames(bridge, options, (names) => readFile(path, names, pairs, 0));
  const session = await Session.open(bridge, options, options.names === false ? 1 : XID_AFTER_NAMES);
  try {
    await agreeOnDumpFormat(session, sharedProtocols(mods, options, options.bundle), formatsFor(mods, options.bundle));
    await readSwitch(session, pairs, 1);
    const changes: FlowMod[] = [];
    const removals: FlowMod[] = [];
    for (const [table, entry] of pairs.entries()) {
      const [wanted, present] = entry.sides;
      if (wanted !== undefined && (options.readd === true || present === undefined || !isEqual(wanted, present))) {
        changes.push(modOf('add', table, entry, wanted));
      } else if (wanted === undefined && present !== undefined) removals.push(modOf('delete_strict', table, entry, present));
    }
    changes.push(...removals);
    if (options.bundle === true) await sendBundle(session, changes);
    else await sendSingly(session, changes);
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
  let names: PortNames | undefined;
  for (const [index, source] of [first, second].entries()) {
    const side = index as 0 | 1;
    if (isFile(source)) {
      readFile(source, undefined, pairs, side);
      continue;
    }
    const session = await Session.open(source, options);
    try {
      await agreeOnDumpFormat(session, sharedProtocols([], options), formatsFor([]));
      await readSwitch(session, pairs, side);
      if (options.names ?? process.stdout.isTTY === true) names ??= { name: namesOf(await fetchPorts(session)).name };
    } finally {
      session.close();
    }
  }
  let text = '';
  for (const [table, entry] of pairs.entries()) {
    const [left, right] = entry.sides;
    if (left !== undefined && right !== undefined && isEqual(left, right)) continue;
    if (left !== undefined) text += `-${line(table, entry, left, names)}`;
    if (right !== undefined) text += `+${line(table, entry, right, names)}`;
  }
  process.stdout.write(text);
  return text === '' ? 0 : 2;
}

function line(table: number, entry: Entry, version: FlowVersion, names: PortNames | undefined): string {
  let text = table === 0 ? '' : `table=${table} `;
  text += formatMatch(entry.match(), entry.priority, names);
  if (version.cookie !== 0n) text += ` cookie=0x${version.cookie.toString(16)}`;
  if (version.idleTimeoutSec !== 0) text += ` idle_timeout=${version.idleTimeoutSec}`;
  if (version.hardTimeoutSec !== 0) text += ` hard_timeout=${version.hardTimeoutSec}`;
  if (version.importance !== 0) text += ` importance=${version.importance}`;
  return `${text} actions=${formatActions(version.actions, names)}\n`;
}
