// `ofproto/trace` and `ofproto/trace-packet-out`: which switch, flow and frame their arguments mean. ovs-vswitchd(8), and the reference's
// words for faults.
import { ConfigError, PeerError } from '../../../base/errors.ts';
import type { Datapath } from '../../../datapath/datapath.ts';
import { normalizeDpKey, type ParsedKey, parseDpKey } from '../../../datapath/key-parse.ts';
import { type Key, newKey, W } from '../../../flow/key.ts';
import type { Action, OfPort } from '../../../openflow/action.ts';
import { checkActionList } from '../../../openflow/action-check.ts';
import { parseActions } from '../../../openflow/text/action-parse.ts';
import type { SwitchBridge, TraceFlow, TraceOptions } from '../../../switch/contract.ts';
import { parseTraceFlow } from '../../../switch/translate/trace-flow.ts';
import type { CommandParts } from './parts.ts';

const ANY = Number.POSITIVE_INFINITY;
const SHORTEST_FRAME = 14;
const CT_STATES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'] as const;
const TRACKED = 32;

/** The flags of `--ct-next`. */
function parseCtState(text: string | undefined): number {
  if (text === undefined) throw new ConfigError('Missing argument for option --ct-next');
  let state = TRACKED;
  for (const word of text.split(/[, ]+/)) {
    if (word === '') continue;
    const bit = (CT_STATES as readonly string[]).indexOf(word);
    if (bit < 0) throw new ConfigError(`${word}: unknown connection tracking state flag`);
    state |= 1 << bit;
  }
  return state;
}

/** Options, wherever they stand, and the other words. */
interface Words {
  words: string[];
  ctNext: number[];
  isNamed: boolean;
  isGenerated: boolean;
  isConsistent: boolean;
}

function parseWords(args: readonly string[]): Words {
  const found: Words = { words: [], ctNext: [], isNamed: false, isGenerated: false, isConsistent: false };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--ct-next') found.ctNext.push(parseCtState(args[++i]));
    else if (arg === '--names') found.isNamed = true;
    else if (arg === '--l7-len') {
      if (args[++i] === undefined) throw new ConfigError('Missing argument for option --l7-len');
    } else if (arg === '--l7') {
      if (args[++i] === undefined) throw new ConfigError('Missing argument for option --l7');
    } else if (arg === '-generate' || arg === '--generate') found.isGenerated = true;
    else if (arg === '-consistent' || arg === '--consistent') found.isConsistent = true;
    else if (arg.startsWith('-')) throw new ConfigError(`${arg}: unknown option`);
    else found.words.push(arg);
  }
  return found;
}

function parseFrame(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new ConfigError('Trailing garbage in packet data');
  if (digits.length < SHORTEST_FRAME * 2) throw new ConfigError('Packet data too short for Ethernet');
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

function* datapathPorts(datapath: Datapath): Generator<[number, string]> {
  for (const { port, name } of datapath.ports()) yield [port, name];
}

/** The bridge and its port behind a port of a datapath. */
function bridgePort(parts: CommandParts, datapath: Datapath, name: string): { bridge: SwitchBridge; port: OfPort } | undefined {
  for (const bridge of parts.host.bridges()) {
    if (bridge.datapath !== datapath) continue;
    for (const one of bridge.ports()) if (one.name === name && one.kind.kind !== 'patch') return { bridge, port: one.port };
  }
  return undefined;
}

/** A datapath flow's key as a frame would have it. */
function frameKey(parsed: ParsedKey, text: string): Key {
  const fault = normalizeDpKey(parsed, text);
  if (fault !== undefined) throw new ConfigError(fault);
  const { key, groups } = parsed;
  // Without Ethernet addresses it is no Ethernet frame.
  if (!groups.has('eth') && !groups.has('packet_type') && groups.has('eth_type'))
    key[W.PACKET_TYPE] = (0x10000 | (key[W.TYPE]! >>> 16)) >>> 0;
  return key;
}

/** The bridge and the flow that one or two words mean: `[DATAPATH] ODP_FLOW` or `BRIDGE FLOW`. */
function findFlow(parts: CommandParts, words: readonly string[]): { bridge: SwitchBridge; flow: TraceFlow } {
  const text = words.at(-1) ?? '';
  const name = words.length > 1 ? words[0]! : undefined;
  const datapaths = [...parts.host.datapaths()];
  const portNamed = (wanted: string): number | undefined => {
    for (const datapath of datapaths) for (const [port, known] of datapathPorts(datapath)) if (known === wanted) return port;
    return undefined;
  };
  const parsed = parseDpKey(text, { masked: false, vlanLimit: parts.host.vlanLimit ?? 1, port: portNamed });
  if (typeof parsed !== 'string') {
    const candidates = name === undefined ? datapaths : datapaths.filter((datapath) => datapath.name === name);
    if (name === undefined && candidates.length > 1) {
      throw new ConfigError('Must specify datapath name, there is more than one type of datapath');
    }
    const datapath = candidates[0];
    if (datapath === undefined) throw new ConfigError('Cannot find the datapath');
    const dpPort = parsed.key[W.IN_PORT]!;
    const portName = [...datapathPorts(datapath)].find(([port]) => port === dpPort)?.[1];
    const found = portName === undefined ? undefined : bridgePort(parts, datapath, portName);
    if (found === undefined) throw new ConfigError(`no OpenFlow port for datapath port ${dpPort}`);
    const flow = frameKey(parsed, text);
    flow[W.IN_PORT] = found.port;
    return { bridge: found.bridge, flow };
  }
  if (name === undefined) throw new ConfigError(`${parsed} (or the bridge name was omitted)`);
  const bridge = parts.host.bridge(name);
  if (bridge === undefined) throw new ConfigError(`${name}: unknown bridge`);
  return { bridge, flow: text };
}

/** Runs a trace; `actions` is the text of a packet-out's. */
function trace(parts: CommandParts, found: Words, actionText?: string): string {
  const { words, ctNext, isNamed, isGenerated } = found;
  const actions = actionText === undefined ? undefined : packetOutActions(actionText);
  if (words.length > 3) throw new ConfigError('too many arguments');
  let frame: Uint8Array | 'generate' | undefined = isGenerated ? 'generate' : undefined;
  const rest = [...words];
  if (rest.length === 3) {
    if (isGenerated) throw new ConfigError('Syntax error');
    frame = parseFrame(rest.pop()!);
  } else if (rest.length === 2 && /^\s*[0-9a-f]{2}[0-9a-f\s]+$/i.test(rest[1]!) && !isGenerated) {
    frame = parseFrame(rest.pop()!);
  }
  const { bridge, flow } = findFlow(parts, rest);
  const options: TraceOptions = { ctNext };
  if (actions !== undefined) {
    if (found.isConsistent) checkConsistency(actions, flow);
    options.actions = actions;
  }
  if (isNamed) {
    const names = new Map(datapathPorts(bridge.datapath));
    options.dpPortName = (port) => names.get(port) ?? String(port);
  }
  return bridge.trace(flow, frame, options);
}

function packetOutActions(text: string): Action[] {
  const actions = parseActions(text);
  for (const { kind } of actions) {
    if (kind === 'gotoTable') throw new ConfigError('goto_table instruction not allowed here');
  }
  return actions;
}

/** Refuses actions that do not fit the flow, as OpenFlow 1.1 and later do. */
function checkConsistency(actions: readonly Action[], flow: TraceFlow): void {
  const key = typeof flow === 'string' ? parseTraceFlow(flow) : flow;
  const isFit = ((): boolean => {
    try {
      return checkActionList(actions, { key, mask: newKey().fill(0xffffffff) });
    } catch (error) {
      if (error instanceof PeerError) throw new ConfigError(`Bad actions: ${error.code}`);
      throw error;
    }
  })();
  if (!isFit) throw new ConfigError('Bad actions: OFPBAC_MATCH_INCONSISTENT');
}

/** Registers them. */
export function registerTraceCommands(parts: CommandParts): void {
  const { unixctl } = parts;
  unixctl.register('ofproto/trace', '{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]', 1, ANY, (args) =>
    trace(parts, parseWords(args)),
  );
  unixctl.register(
    'ofproto/trace-packet-out',
    '[-consistent] {[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet] actions',
    2,
    ANY,
    (args) => {
      const found = parseWords(args);
      const actions = found.words.pop();
      if (actions === undefined) throw new ConfigError('Syntax error');
      return trace(parts, found, actions);
    },
  );
}
