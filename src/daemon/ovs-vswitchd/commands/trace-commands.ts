// `ofproto/trace` and `ofproto/trace-packet-out`: which switch, flow and frame their arguments mean. ovs-vswitchd(8), and the reference's
// words for faults.
import { ConfigError } from '../../../base/errors.ts';
import { type KeyAttribute, parseAttributes } from '../../../datapath/attribute-parse.ts';
import type { Datapath } from '../../../datapath/datapath.ts';
import { TAG_TYPES } from '../../../datapath/key-fitness.ts';
import { frameKeyOf, withoutMasks } from '../../../datapath/key-frame.ts';
import { CT_STATE, type Key, W } from '../../../flow/key.ts';
import type { Action } from '../../../openflow/action.ts';
import { parsePacketOutActions } from '../../../openflow/text/packet-out-text.ts';
import type { SwitchBridge, TraceFlow, TraceOptions } from '../../../switch/contract.ts';
import type { CommandParts } from './parts.ts';

const ANY = Number.POSITIVE_INFINITY;
const SHORTEST_FRAME = 14;
const CT_STATES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'] as const;
/** Datapath or bridge, flow, frame. */
const MOST_WORDS = 3;
/** Bytes of a frame's payload that are given as a number. */
const MOST_PAYLOAD = 64_000;

/** What a state of connection tracking cannot be, in the reference's words. */
const IMPOSSIBLE: readonly (readonly [(state: number) => boolean, string])[] = [
  [(state) => state !== 0 && (state & CT_STATE.TRK) === 0, 'If "trk" is unset, no other flags are set'],
  [
    (state) => (state & CT_STATE.INV) !== 0 && (state & ~(CT_STATE.TRK | CT_STATE.INV)) !== 0,
    'when "inv" is set, only "trk" may also be set',
  ],
  [(state) => (state & CT_STATE.NEW) !== 0 && (state & CT_STATE.EST) !== 0, '"new" and "est" are mutually exclusive'],
  [(state) => (state & CT_STATE.NEW) !== 0 && (state & CT_STATE.RPL) !== 0, '"new" and "rpy" are mutually exclusive'],
];

/** The flags of `--ct-next`. */
function parseCtState(text: string | undefined): number {
  if (text === undefined) throw new ConfigError('Missing argument for option --ct-next');
  let state = 0;
  for (const word of text.split(/[, ]+/)) {
    if (word === '') continue;
    const bit = (CT_STATES as readonly string[]).indexOf(word);
    if (bit < 0) throw new ConfigError(`${word}: unknown connection tracking state flag`);
    state |= 1 << bit;
  }
  const names = CT_STATES.filter((_, bit) => (state & (1 << bit)) !== 0).join('|');
  const faults = IMPOSSIBLE.filter(([holds]) => holds(state)).map(([, words]) => `${names}: invalid connection state: ${words}`);
  if (faults.length > 0) throw new ConfigError(faults.join('\n'));
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

type Plain = 'isNamed' | 'isGenerated' | 'isConsistent';
const PLAIN_OPTIONS: ReadonlyMap<string, Plain> = new Map([
  ['--names', 'isNamed'],
  ['-names', 'isNamed'],
  ['--generate', 'isGenerated'],
  ['-generate', 'isGenerated'],
]);
const PACKET_OUT_OPTIONS: ReadonlyMap<string, Plain> = new Map([
  ...PLAIN_OPTIONS,
  ['--consistent', 'isConsistent'],
  ['-consistent', 'isConsistent'],
]);

/** Options of which a word more is read. What a frame carries is of no account to the pipeline, so it is only looked at. */
const WORD_OPTIONS: ReadonlyMap<string, (found: Words, word: string) => void> = new Map([
  ['--ct-next', (found, word) => void found.ctNext.push(parseCtState(word))],
  [
    '--l7-len',
    (_, word) => {
      const size = Number.parseInt(word, /^0x/i.test(word) ? 16 : 10) | 0;
      if (size < 0 || size > MOST_PAYLOAD) throw new ConfigError(`${size}: too much L7 data`);
    },
  ],
  ['--l7', (_, word) => void parseHex(word)],
]);

function parseWords(args: readonly string[], plain: ReadonlyMap<string, Plain>): Words {
  const found: Words = { words: [], ctNext: [], isNamed: false, isGenerated: false, isConsistent: false };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    const flag = plain.get(arg);
    const withWord = WORD_OPTIONS.get(arg);
    if (flag !== undefined) found[flag] = true;
    else if (withWord !== undefined) {
      const word = args[++i];
      if (word === undefined) throw new ConfigError(`Missing argument for option ${arg}`);
      withWord(found, word);
    } else if (arg.startsWith('-')) throw new ConfigError(`${arg}: unknown option`);
    else if (found.words.push(arg) > MOST_WORDS) throw new ConfigError('too many arguments');
  }
  return found;
}

function parseHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new ConfigError('Trailing garbage in packet data');
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

function parseFrame(text: string): Uint8Array {
  const frame = parseHex(text);
  if (frame.length < SHORTEST_FRAME) throw new ConfigError('Packet data too short for Ethernet');
  return frame;
}

function* datapathPorts(datapath: Datapath): Generator<[number, string]> {
  for (const { port, name } of datapath.ports()) yield [port, name];
}

/** A datapath flow's key as a trace takes it: of another type than Ethernet the pipeline sees no more than the type's own header. */
function frameKey(attributes: readonly KeyAttribute[], vlanLimit: number): Key {
  const described = frameKeyOf(attributes, vlanLimit);
  if (typeof described === 'string') throw new ConfigError(described);
  const { key } = described;
  const packetType = key[W.PACKET_TYPE]!;
  if (packetType !== 0) {
    key[W.VLAN0] = 0;
    key[W.VLAN1] = 0;
    if (TAG_TYPES.has(packetType & 0xffff)) key[W.TYPE] = (packetType << 16) >>> 0;
  }
  if (!attributes.some(({ group }) => group === 'in_port')) key[W.IN_PORT] = NO_DP_PORT;
  return key;
}

const NO_DP_PORT = 0xffff_ffff;

/** The datapath of that name, which its type is too; the only one where none is named. */
function datapathFor(parts: CommandParts, name: string | undefined): Datapath | undefined {
  const all = [...parts.host.datapaths()];
  if (name === undefined && all.length > 1) throw new ConfigError('Must specify datapath name, there is more than one type of datapath');
  return name === undefined ? all[0] : all.find((one) => one.name === name || one.type === name);
}

/** The bridge and the flow that one or two words mean: `[DATAPATH] ODP_FLOW` or `BRIDGE FLOW`. */
function findFlow(parts: CommandParts, words: readonly string[]): { bridge: SwitchBridge; flow: TraceFlow } {
  const text = words.at(-1) ?? '';
  const name = words.length > 1 ? words[0]! : undefined;
  const datapath = datapathFor(parts, name);
  const portNamed = (wanted: string): number | undefined =>
    datapath === undefined ? undefined : [...datapathPorts(datapath)].find(([, known]) => known === wanted)?.[0];
  const attributes = parseAttributes(text, { masked: true, port: portNamed });
  if (typeof attributes === 'string') {
    if (name === undefined) throw new ConfigError(`${attributes} (or the bridge name was omitted)`);
    const bridge = parts.host.bridge(name);
    if (bridge === undefined) throw new ConfigError(`${name}: unknown bridge`);
    return { bridge, flow: text };
  }
  if (datapath === undefined) throw new ConfigError('Cannot find the datapath');
  const flow = frameKey(withoutMasks(attributes), parts.host.vlanLimit ?? 1);
  const found = parts.host.ingress?.(datapath, flow) ?? 'port';
  if (found === 'recirculation') throw new ConfigError(`no recirculation data for recirc_id 0x${flow[W.RECIRC_ID]!.toString(16)}`);
  if (found === 'tunnel') throw new ConfigError('no OpenFlow tunnel port for this packet');
  if (found === 'port') throw new ConfigError(`no OpenFlow port for datapath port ${flow[W.IN_PORT]}`);
  flow[W.IN_PORT] = found.port;
  return { bridge: found.bridge, flow };
}

/** Runs a trace; `actions` are a packet-out's. */
function trace(parts: CommandParts, found: Words, actions?: Action[]): string {
  const { words, ctNext, isNamed, isGenerated, isConsistent } = found;
  let frame: Uint8Array | 'generate' | undefined = isGenerated ? 'generate' : undefined;
  const rest = [...words];
  if (rest.length === 0 || (rest.length === 3 && isGenerated)) throw new ConfigError('Syntax error');
  if (rest.length === 3) frame = parseFrame(rest.pop()!);
  else if (rest.length === 2 && /^\s*[0-9a-f]{2}[0-9a-f\s]+$/i.test(rest[1]!) && !isGenerated) frame = parseFrame(rest.pop()!);
  const { bridge, flow } = findFlow(parts, rest);
  const options: TraceOptions = { ctNext };
  if (actions !== undefined) Object.assign(options, { actions, isConsistent });
  if (isNamed) {
    const names = new Map(datapathPorts(bridge.datapath));
    options.dpPortName = (port) => names.get(port) ?? String(port);
  }
  return bridge.trace(flow, frame, options);
}

/** Registers them. */
export function registerTraceCommands(parts: CommandParts): void {
  const { unixctl } = parts;
  unixctl.register('ofproto/trace', '{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]', 1, ANY, (args) =>
    trace(parts, parseWords(args, PLAIN_OPTIONS)),
  );
  unixctl.register(
    'ofproto/trace-packet-out',
    '[-consistent] {[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet] actions',
    2,
    ANY,
    (args) => {
      // The last word is what to do, whatever it looks like.
      const actions = parsePacketOutActions(args.at(-1) ?? '');
      return trace(parts, parseWords(args.slice(0, -1), PACKET_OUT_OPTIONS), actions);
    },
  );
}
