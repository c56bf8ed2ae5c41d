// Control commands that put flows into a datapath by hand: dpctl/add-flow and its kin. Text as in the running reference.
import { readFileSync } from 'node:fs';
import { ConfigError } from '../../../base/errors.ts';
import { parseDpActions } from '../../../datapath/action-parse.ts';
import { formatDpActions } from '../../../datapath/action-text.ts';
import type { Datapath, DpAction, DpFlow } from '../../../datapath/datapath.ts';
import { formatFlowStats } from '../../../datapath/flow-text.ts';
import { isWholeKey } from '../../../datapath/key-fitness.ts';
import { type ParsedKey, parseDpKey } from '../../../datapath/key-parse.ts';
import { type Key, W } from '../../../flow/key.ts';
import { datapathNamed, flowNamed, isNamed, leadingOptions, nameFlow, takeDatapath } from './datapath-names.ts';
import { flowLines } from './flow-dump-commands.ts';
import type { CommandParts } from './parts.ts';

const MAX_FILE = 64 << 20;

class DpctlError extends ConfigError {
  constructor(what: string, reason?: string) {
    super(`ovs-vswitchd: ${what}${reason === undefined ? '' : ` (${reason})`}`);
  }
}

const INVALID = 'Invalid argument';
const MISSING = 'No such file or directory';

const UFID = /^ufid:([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})$/i;

const digitsOf = (ufid: string): string => ufid.replaceAll('-', '').toLowerCase();
const sameWords = (a: Uint32Array, b: Uint32Array): boolean => a.every((word, i) => word === b[i]);
const isMatch = (flow: DpFlow, key: Key, mask: Key): boolean =>
  sameWords(flow.mask, mask) && flow.key.every((word, i) => ((word ^ key[i]!) & mask[i]!) === 0);

class FlowCommands {
  readonly #parts: CommandParts;

  constructor(parts: CommandParts) {
    this.#parts = parts;
  }

  /** The match of a text, with what is matched unsaid: the port, no recirculation, the Ethernet type, no tag, no fragment. */
  parse(datapath: Datapath, text: string, says = (fault: string): string => `parsing flow key (${fault})`): ParsedKey & { frame: Key } {
    const ports = new Map([...datapath.ports()].map(({ name, port }) => [name, port]));
    const parsed = parseDpKey(text, { masked: true, vlanLimit: this.#parts.host.vlanLimit ?? 1, port: (name) => ports.get(name) });
    if (typeof parsed === 'string') throw new DpctlError(says(parsed), INVALID);
    const { key, mask, groups } = parsed;
    mask[W.IN_PORT] = 0xffffffff;
    mask[W.RECIRC_ID] = 0xffffffff;
    mask[W.TYPE] = (mask[W.TYPE]! | (groups.has('ipv4') || groups.has('ipv6') ? 0xffffff00 : 0xffff0000)) >>> 0;
    if (key[W.VLAN0] === 0) mask[W.VLAN0] = 0xffffffff;
    const frame = key.slice();
    for (let word = 0; word < key.length; word++) key[word] = key[word]! & mask[word]!;
    return { ...parsed, frame };
  }

  /** The flow of that UFID, or the one with that match to which nobody gave a UFID. */
  #find(datapath: Datapath, { key, mask, ufid }: ParsedKey): DpFlow | undefined {
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
    if (actions === undefined) throw new DpctlError('parsing actions', INVALID);
    if (!isWholeKey(parsed)) throw new DpctlError('updating flow table', INVALID);
    // Which flow it is, its frames say and not its UFID.
    const known = this.#met(datapath, parsed.frame);
    if (known !== undefined && !how.modify) throw new DpctlError('updating flow table', 'File exists');
    if (known !== undefined && how.clear) throw new DpctlError('updating flow table', 'Operation not supported');
    if (known === undefined && !how.create) throw new DpctlError('updating flow table', MISSING);
    if (known !== undefined) {
      datapath.flowModify(known.id, actions);
      return known;
    }
    const id = datapath.flowPut(parsed.key, parsed.mask, actions);
    if (parsed.ufid !== undefined) nameFlow(datapath, id, digitsOf(parsed.ufid));
    return [...datapath.flows()].find((flow) => flow.id === id);
  }

  /** Gives the statistics that the flow had. */
  delete(datapath: Datapath, text: string): string {
    const flow = this.#find(datapath, this.parse(datapath, text, String));
    if (flow === undefined) throw new ConfigError(`ovs-vswitchd: deleting flow (${MISSING})\nPerhaps you need to specify a UFID?`);
    const stats = this.statistics(datapath, flow);
    datapath.flowDelete(flow.id);
    this.#parts.host.flowDeleted?.(datapath, flow.id);
    return stats;
  }

  statistics(datapath: Datapath, flow: DpFlow): string {
    const stats = datapath.flowStats(flow.id);
    return stats === undefined ? '' : formatFlowStats(stats, this.#parts.clock.now());
  }

  /** Lines of a file: `[add|modify|delete] FLOW [ACTIONS]`; faults are told and the rest goes on. */
  file(datapath: Datapath, path: string, first: 'add' | 'modify' | 'delete'): string {
    const told: string[] = [];
    const text = readFlows(path);
    // That it cannot be opened is told like a fault of a line.
    if (text instanceof DpctlError) return text.message;
    for (const raw of text.split('\n')) {
      const line = raw.replace(/#.*/, '').trim();
      if (line === '') continue;
      const [, verb = first, flow = '', actions = ''] = /^(?:(add|modify|delete)\s+)?(\S+)\s*(.*)$/.exec(line) ?? [];
      try {
        if (verb === 'delete') this.delete(datapath, flow);
        else this.put(datapath, flow, actions, { create: verb === 'add', modify: verb === 'modify', clear: false });
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        told.push(error.message);
      }
    }
    return told.join('\n');
  }
}

function readFlows(path: string): string | DpctlError {
  try {
    const bytes = readFileSync(path);
    return bytes.length > MAX_FILE ? '' : bytes.toString('utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'EACCES' ? 'Permission denied' : MISSING;
    return new DpctlError(`Opening file "${path}" failed`, reason);
  }
}

const plain = { port: String };

/** Registers them. */
export function registerFlowCommands(parts: CommandParts): void {
  const { unixctl, host } = parts;
  const commands = new FlowCommands(parts);
  /** The optional datapath before `count` further words. */
  const split = (words: readonly string[], count: number): [Datapath, ...string[]] => {
    const datapath = datapathNamed(parts, words.length > count ? words[0] : undefined);
    return [datapath, ...words.slice(words.length > count ? 1 : 0)];
  };
  const put = (args: readonly string[], modify: boolean): string => {
    const { flags, words } = leadingOptions(args);
    const [datapath, flow = '', actions = ''] = split(words, 2);
    const done = commands.put(datapath, flow, actions, {
      create: !modify || flags.has('--may-create'),
      modify,
      clear: flags.has('--clear'),
    });
    const wantsStatistics = modify && (flags.has('-s') || flags.has('--statistics'));
    return wantsStatistics && done !== undefined ? commands.statistics(datapath, done) : '';
  };
  unixctl.register('dpctl/add-flow', '[dp] flow actions', 2, 3, (args) => put(args, false));
  unixctl.register('dpctl/mod-flow', '[dp] flow actions', 2, 3, (args) => put(args, true));
  unixctl.register('dpctl/get-flow', '[dp] ufid', 1, 2, (args) => {
    const { flags, words } = leadingOptions(args);
    const [datapath, text = ''] = split(words, 1);
    const ufid = UFID.exec(text)?.[1];
    // What does not begin like one is no error to the reference's parser, so it has no reason to tell.
    if (ufid === undefined) return `ovs-vswitchd: parsing flow ufid${text.startsWith('ufid:') ? ` (${INVALID})` : ''}`;
    const flow = flowNamed(datapath, digitsOf(ufid));
    const more = flags.has('-m') || flags.has('--more');
    const names = (more || flags.has('--names')) && !flags.has('--no-names');
    const line = flow === undefined ? undefined : flowLines(parts, datapath, [flow], { more, names }).next().value;
    if (line === undefined) throw new DpctlError('getting flow', MISSING);
    return line;
  });
  unixctl.register('dpctl/del-flow', '[dp] flow', 1, 2, (args) => {
    const { flags, words } = leadingOptions(args);
    const [datapath, flow = ''] = split(words, 1);
    const stats = commands.delete(datapath, flow);
    return flags.has('-s') || flags.has('--statistics') ? stats : '';
  });
  for (const [name, verb] of [
    ['add-flows', 'add'],
    ['mod-flows', 'modify'],
  ] as const) {
    unixctl.register(`dpctl/${name}`, '[dp] file', 1, 2, (args) => {
      const { words } = leadingOptions(args);
      const datapath = takeDatapath(parts, words, Number.POSITIVE_INFINITY);
      const path = words.at(-1) ?? '';
      return commands.file(datapath, path, verb);
    });
  }
  unixctl.register('dpctl/del-flows', '[dp] [file]', 0, 2, (args) => {
    const { words } = leadingOptions(args);
    // What names no datapath is a file.
    const datapath = takeDatapath(parts, words, Number.POSITIVE_INFINITY);
    const path = words.at(-1);
    if (path !== undefined) return commands.file(datapath, path, 'delete');
    host.purge?.();
    for (const flow of [...datapath.flows()]) datapath.flowDelete(flow.id);
    return '';
  });
  unixctl.register('dpctl/parse-actions', 'actions', 1, Number.POSITIVE_INFINITY, (args) =>
    leadingOptions(args)
      .words.map((text): readonly DpAction[] => {
        const actions = parseDpActions(text);
        if (actions === undefined) throw new DpctlError('odp_actions_from_string', INVALID);
        return actions;
      })
      .map((actions) => formatDpActions(actions, plain))
      .join('\n'),
  );
}
