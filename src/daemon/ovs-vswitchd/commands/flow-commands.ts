// Control commands that put flows into a datapath by hand: dpctl/add-flow and its kin. Text as in the running reference.
import { readFileSync } from 'node:fs';
import { ConfigError } from '../../../base/errors.ts';
import { parseDpActions } from '../../../datapath/action-parse.ts';
import { formatDpActions } from '../../../datapath/action-text.ts';
import { UFID } from '../../../datapath/attribute-parse.ts';
import type { Datapath, DpFlow } from '../../../datapath/datapath.ts';
import { formatFlowStats } from '../../../datapath/flow-text.ts';
import { isWholeKey } from '../../../datapath/key-fitness.ts';
import { frameKeyOf } from '../../../datapath/key-frame.ts';
import { type ParsedKey, parseDpKey } from '../../../datapath/key-parse.ts';
import { type Key, W } from '../../../flow/key.ts';
import { flowNamed, forgetFlow, isNamed, nameFlow, noteByHand, registerDpctl, takeDatapath } from './datapath-names.ts';
import { DpctlError, INVALID, said } from './dpctl-fault.ts';
import { flowLines } from './flow-dump-commands.ts';
import type { CommandParts } from './parts.ts';

const MAX_FILE = 64 << 20;

const MISSING = 'No such file or directory';

/** A flow's text with the name that may stand before it. */
interface NamedKey extends ParsedKey {
  ufid: string | undefined;
}

/** The UFID that a text begins with, and what is behind it; undefined when it begins like one and is none. */
function splitUfid(text: string): { ufid: string | undefined; rest: string } | undefined {
  if (!text.startsWith('ufid:')) return { ufid: undefined, rest: text };
  UFID.lastIndex = 0;
  const found = UFID.exec(text);
  return found === null ? undefined : { ufid: found[1], rest: text.slice(found[0].length) };
}

const digitsOf = (ufid: string): string => ufid.replaceAll('-', '').toLowerCase();
const sameWords = (a: Uint32Array, b: Uint32Array): boolean => a.every((word, i) => word === b[i]);
const isMatch = (flow: DpFlow, key: Key, mask: Key): boolean =>
  sameWords(flow.mask, mask) && flow.key.every((word, i) => ((word ^ key[i]!) & mask[i]!) === 0);

const VERBS = ['add', 'modify', 'delete'] as const;

/** What lines of a file are for that do not say it; with any option they add flows. */
interface FileOrder {
  verb: (typeof VERBS)[number];
  flags: ReadonlySet<string>;
}

class FlowCommands {
  readonly #parts: CommandParts;

  constructor(parts: CommandParts) {
    this.#parts = parts;
  }

  /** The match of a text, with what is matched unsaid: the port, no recirculation, the Ethernet type, no tag, no fragment. */
  parse(
    datapath: Datapath,
    text: string,
    says = (fault: string): string => `parsing flow key (${fault})`,
  ): NamedKey & { frame: Key; isWhole: boolean } {
    const named = splitUfid(text);
    if (named === undefined) throw new DpctlError('parsing flow ufid', INVALID);
    const ports = new Map([...datapath.ports()].map(({ name, port }) => [name, port]));
    const parsed = parseDpKey(named.rest, { masked: true, vlanLimit: this.#parts.host.vlanLimit ?? 1, port: (name) => ports.get(name) });
    if (typeof parsed === 'string') throw new DpctlError(says(parsed), INVALID);
    const { key, mask, groups } = parsed;
    const isExactWhere = (group: string, word: number, bits: number): boolean => !groups.has(group) || (mask[word]! & bits) >>> 0 === bits;
    const isMatched = (word: number, bits = 0xffffffff): boolean => ((mask[word] ?? 0) & bits) !== 0;
    const hasTransport = isMatched(W.TP) || isMatched(W.TOS, 0xfff);
    const isExact =
      isExactWhere('in_port', W.IN_PORT, 0xffffffff) &&
      isExactWhere('nd', W.TP, 0x00ff00ff) &&
      (!hasTransport || (mask[W.TYPE]! & 0xff) === 0xff);
    // The beginning of a connection is that of a frame of its family.
    const family = key[W.TYPE]! >>> 16;
    if (family !== 0x0800) mask.fill(0, W.CT_NW_SRC, W.CT_TP);
    if (family !== 0x86dd) mask.fill(0, W.CT_IPV6_SRC, W.TUN_ID);
    if (family !== 0x0800 && family !== 0x86dd) {
      mask[W.CT_TP] = 0;
      mask[W.CT_ZONE] = (mask[W.CT_ZONE]! & 0xffff0000) >>> 0;
    }
    const hasType = groups.has('eth_type') || !groups.has('eth') || !(groups.has('ipv4') || groups.has('ipv6'));
    mask[W.IN_PORT] = 0xffffffff;
    mask[W.RECIRC_ID] = 0xffffffff;
    const type = key[W.PACKET_TYPE]! >>> 16 === 1 ? key[W.PACKET_TYPE]! & 0xffff : 0;
    if (!groups.has('eth_type')) {
      if (!groups.has('eth')) key[W.TYPE] = (key[W.TYPE]! | (type << 16)) >>> 0;
      mask[W.TYPE] = (mask[W.TYPE]! | 0xffff0000) >>> 0;
    }
    // Without Ethernet addresses it is no Ethernet frame, and with them it is one.
    if (groups.has('eth')) key[W.PACKET_TYPE] = 0;
    else if (key[W.TYPE]! >>> 16 !== 0) key[W.PACKET_TYPE] = (0x10000 | (key[W.TYPE]! >>> 16)) >>> 0;
    if (key[W.VLAN0] === 0) mask[W.VLAN0] = 0xffffffff;
    const frame = key.slice();
    for (let word = 0; word < key.length; word++) key[word] = key[word]! & mask[word]!;
    return { ...parsed, ufid: named.ufid, frame, isWhole: isExact && hasType };
  }

  /** The flow of that UFID, or the one with that match to which nobody gave a UFID. */
  #find(datapath: Datapath, { key, mask, ufid }: NamedKey): DpFlow | undefined {
    if (ufid !== undefined) return flowNamed(datapath, digitsOf(ufid));
    for (const flow of datapath.flows()) if (isMatch(flow, key, mask) && !isNamed(datapath, flow.id)) return flow;
    return undefined;
  }

  /** The flow that a frame with that key meets. */
  #met(datapath: Datapath, frame: Key): DpFlow | undefined {
    for (const flow of datapath.flows()) if (flow.key.every((word, i) => ((word ^ frame[i]!) & flow.mask[i]!) === 0)) return flow;
    return undefined;
  }

  put(datapath: Datapath, text: string, actionText: string, how: { create: boolean; modify: boolean; clear: boolean }): DpFlow | undefined {
    const parsed = this.parse(datapath, text);
    const actions = parseDpActions(actionText);
    if (typeof actions === 'string') throw new DpctlError('parsing actions', actions);
    const described = frameKeyOf(parsed.attributes, 1);
    const isWhole = typeof described !== 'string' && !described.isLess && !described.isMore;
    if (!isWhole || !isWholeKey({ ...parsed, key: parsed.frame }) || !parsed.isWhole) throw new DpctlError('updating flow table', INVALID);
    // Which flow it is, its frames say and not its UFID.
    const known = this.#met(datapath, parsed.frame);
    if (known !== undefined && !how.modify) throw new DpctlError('updating flow table', 'File exists');
    if (known !== undefined && how.clear) throw new DpctlError('updating flow table', 'Operation not supported');
    if (known === undefined && !how.create) throw new DpctlError('updating flow table', MISSING);
    if (known !== undefined) {
      datapath.flowModify(known.id, actions);
      return known;
    }
    const id = datapath.flowPut(parsed.key, parsed.mask, actions, parsed.frame);
    noteByHand(datapath, id);
    if (parsed.ufid !== undefined) nameFlow(datapath, id, digitsOf(parsed.ufid));
    return [...datapath.flows()].find((flow) => flow.id === id);
  }

  /** Gives the statistics that the flow had. */
  delete(datapath: Datapath, text: string): string {
    const flow = this.#find(datapath, this.parse(datapath, text, String));
    if (flow === undefined) throw new ConfigError(`${said('deleting flow', MISSING)}\nPerhaps you need to specify a UFID?`);
    const stats = this.statistics(datapath, flow);
    datapath.flowDelete(flow.id);
    forgetFlow(datapath, flow.id);
    this.#parts.host.flowDeleted?.(datapath, flow.id);
    return stats;
  }

  statistics(datapath: Datapath, flow: DpFlow): string {
    const stats = datapath.flowStats(flow.id);
    return stats === undefined ? '' : formatFlowStats(stats, this.#parts.clock.now());
  }

  /** Lines of a file: `[add|modify|delete] FLOW [ACTIONS]`; faults are told and the rest goes on. */
  file(datapath: Datapath, path: string, order: FileOrder): string {
    const told: string[] = [];
    const text = readFlows(path);
    // That it cannot be opened is told like a fault of a line.
    if (text instanceof DpctlError) return text.message;
    for (const [i, raw] of text.split('\n').entries()) {
      const line = raw.replace(/#.*/, '').trimStart();
      if (line === '') continue;
      try {
        const done = this.#line(datapath, line, order);
        if (wantsStatistics(order.flags) && done !== undefined && done !== '') told.push(done);
        if (done === undefined) told.push(new DpctlError(`Failed parsing line number ${i + 1}, skipped!`).message);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        told.push(error.message);
      }
    }
    return told.join('\n');
  }

  /** Does what a line says; undefined when it is none: a flow to delete stands alone, others have actions. Gives the flow's statistics. */
  #line(datapath: Datapath, line: string, { verb: first, flags }: FileOrder): string | undefined {
    const begin = /^([^\s,]*)(?:(?<=[^\s,])[\s,]\s*|$|(?=,))/.exec(line);
    // A verb may be cut short, to nothing even.
    const said = VERBS.find((verb) => verb.startsWith(begin?.[1] ?? ''));
    const verb = said ?? (flags.size > 0 ? 'add' : first);
    const rest = said === undefined ? line : line.slice(begin?.[0].length);
    const [, flow = '', actions = ''] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
    const isDelete = verb === 'delete';
    if (flow === '' || isDelete !== (actions === '')) return undefined;
    if (isDelete) return this.delete(datapath, flow);
    const done = this.put(datapath, flow, actions, { create: verb === 'add', modify: verb === 'modify', clear: false });
    return done === undefined ? '' : this.statistics(datapath, done);
  }
}

function readFlows(path: string): string | DpctlError {
  try {
    const bytes = readFileSync(path);
    return bytes.length > MAX_FILE ? '' : bytes.toString('utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A folder can be opened, and there is no line in it.
    if (code === 'EISDIR') return '';
    const reason = code === 'EACCES' ? 'Permission denied' : MISSING;
    return new DpctlError(`Opening file "${path}" failed`, reason);
  }
}

const wantsStatistics = (flags: ReadonlySet<string>): boolean => flags.has('-s') || flags.has('--statistics');

const plain = { port: String };

/** Registers them. */
export function registerFlowCommands(parts: CommandParts): void {
  const { host } = parts;
  const commands = new FlowCommands(parts);
  // Words are taken from the end, options too where there are too few.
  const put = (words: readonly string[], flags: ReadonlySet<string>, all: readonly string[], modify: boolean): string => {
    const datapath = takeDatapath(parts, [...words], 3);
    const [flow = '', actions = ''] = all.slice(-2);
    const done = commands.put(datapath, flow, actions, {
      create: !modify || flags.has('--may-create'),
      modify,
      clear: flags.has('--clear'),
    });
    return wantsStatistics(flags) && done !== undefined ? commands.statistics(datapath, done) : '';
  };
  registerDpctl(parts, 'add-flow', '[dp] flow actions', 2, 3, (words, flags, all) => put(words, flags, all, false));
  registerDpctl(parts, 'mod-flow', '[dp] flow actions', 2, 3, (words, flags, all) => put(words, flags, all, true));
  registerDpctl(parts, 'get-flow', '[dp] ufid', 1, 2, (words, flags, all) => {
    const datapath = takeDatapath(parts, [...words], 2);
    const text = all.at(-1) ?? '';
    const named = splitUfid(text);
    const ufid = named?.ufid;
    // What does not begin like one is no error to the reference's parser, so it has no reason to tell.
    if (ufid === undefined) return said('parsing flow ufid', text.startsWith('ufid:') ? INVALID : undefined);
    const flow = flowNamed(datapath, digitsOf(ufid));
    const more = flags.has('-m') || flags.has('--more');
    const names = (more || flags.has('--names')) && !flags.has('--no-names');
    const line = flow === undefined ? undefined : flowLines(parts, datapath, [flow], { more, names }).next().value;
    if (line === undefined) throw new DpctlError('getting flow', MISSING);
    return line;
  });
  registerDpctl(parts, 'del-flow', '[dp] flow', 1, 2, (words, flags, all) => {
    const datapath = takeDatapath(parts, [...words], 2);
    const stats = commands.delete(datapath, all.at(-1) ?? '');
    return wantsStatistics(flags) ? stats : '';
  });
  for (const [name, verb] of [
    ['add-flows', 'add'],
    ['mod-flows', 'modify'],
  ] as const) {
    registerDpctl(parts, name, '[dp] file', 1, 2, (words, flags, all) => {
      const datapath = takeDatapath(parts, words, Number.POSITIVE_INFINITY);
      return commands.file(datapath, all.at(-1) ?? '', { verb, flags });
    });
  }
  registerDpctl(parts, 'del-flows', '[dp] [file]', 0, 2, (words, flags) => {
    // What names no datapath is a file.
    const datapath = takeDatapath(parts, words, Number.POSITIVE_INFINITY);
    const path = words.at(-1);
    if (path !== undefined) return commands.file(datapath, path, { verb: 'delete', flags });
    host.purge?.();
    for (const flow of [...datapath.flows()]) {
      datapath.flowDelete(flow.id);
      forgetFlow(datapath, flow.id);
    }
    return '';
  });
  registerDpctl(parts, 'parse-actions', 'actions', 1, Number.POSITIVE_INFINITY, (words) => {
    const told: string[] = [];
    for (const text of words) {
      const actions = parseDpActions(text);
      if (typeof actions === 'string')
        throw new ConfigError([...told, new DpctlError('odp_actions_from_string', actions).message].join('\n'));
      told.push(formatDpActions(actions, plain));
    }
    return told.join('\n');
  });
}
