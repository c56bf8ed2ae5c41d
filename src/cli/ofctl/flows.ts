// The flow commands of ovs-ofctl: add-flow(s), mod-flows, del-flows, dump-flows, dump-aggregate, parse-flow(s).
import { readFileSync } from 'node:fs';
import { strerror, systemErrno } from '../../base/errno.ts';
import { ConfigError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { type Field, fieldNamed } from '../../flow/fields.ts';
import { keyBits } from '../../flow/key.ts';
import { prereqHolds } from '../../flow/prerequisites.ts';
import { encodeMessage } from '../../openflow/codec/codec.ts';
import { saysEthernet } from '../../openflow/codec/fields/oxm.ts';
import type { FlowMod, FlowModCommand, FlowStats, FlowStatsRequest, Framed, Message } from '../../openflow/message.ts';
import { allowedProtocols, checkFlow, checkSayable, protocolNames, usableProtocols } from '../../openflow/protocols.ts';
import { cutCommand, formatFlowStats, parseFlow, parseFlowFilter } from '../../openflow/text/flow-text.ts';
import { printBytes } from '../../openflow/text/message-print.ts';
import type { Background } from '../background.ts';
import { agreeOnDumpFormat, agreeOnFormat, formatsFor, normalized, openAndRead, sendBundle, sendSingly } from './flow-send.ts';
import { namesToShow, withNames } from './names.ts';
import type { SessionSettings } from './session.ts';
import { printAnswer, Session, SwitchRefusal, showsNames, XID_AFTER_NAMES } from './session.ts';

/** What the command line says that flow commands need. */
export interface FlowOptions extends SessionSettings {
  strict: boolean;
  /** Refuse commands that change anything. */
  readOnly: boolean;
  /** How often -m was given. */
  verbosity: number;
  /** Show names of ports; undefined: only for a person at a terminal. */
  names: boolean | undefined;
  showStats: boolean;
  /** Sort keys, most significant first: a field's name or 'priority'. */
  sort: readonly { key: string; descending: boolean }[];
  /** Allowed protocols as names, from -F and -O. */
  protocols: readonly string[] | undefined;
  /** Print a timestamp before each message. */
  timestamp?: boolean;
  /** Write frames as a pcap file. */
  pcap?: boolean;
  /** Form of packet-ins wished for. */
  packetInFormat?: number;
  /** The control socket's name. */
  unixctl?: string;
  /** Of `monitor` and `snoop`: how they go to the background. */
  background?: Background;
  /** Send changes as one bundle. */
  bundle?: boolean;
  /** replace-flows: add flows again that are there already. */
  readd?: boolean;
  /** mod-group: add what is not there. */
  mayCreate?: boolean;
}

const ALL_TABLES = 255;

/** Reads a file of flows, one a line with comments; `-` is standard input. What a fault calls the attempt is `doing`. */
export function flowLines(path: string, doing = 'open failed'): { text: string; number: number }[] {
  let content: string;
  try {
    content = readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${path}: ${doing} (${strerror(systemErrno(error))})`);
  }
  return content
    .split('\n')
    .map((text, index) => ({ text: text.replace(/[#\0].*/s, ''), number: index + 1 }))
    .filter(({ text }) => /[^ \t]/.test(text));
}

/** Flow-mods of a file's text, each line a command, a flow, or a flow of a whole table; faults name file and line. */
export function parseFlowFile(
  path: string,
  lines: readonly { text: string; number: number }[],
  otherwise: FlowModCommand,
  names?: PortNames,
  as: 'commands' | 'flows' | 'table' = 'commands',
): FlowMod[] {
  return lines.map(({ text, number }) => {
    try {
      const cut = as === 'commands' ? cutCommand(text, otherwise) : { command: otherwise, text };
      const mod = parseFlow(cut.text, cut.command, names);
      // What a whole table is to be is not told to be otherwise than it is written.
      if (as === 'table') checkSayable(mod);
      else checkFlow(mod);
      return mod;
    } catch (error) {
      if (error instanceof ConfigError) throw new ConfigError(`${path}:${number}: ${error.message}`);
      throw error;
    }
  });
}

/** Opens the switch, has the flow mods made, and sends them. */
async function changeFlows(bridge: string, options: FlowOptions, make: () => Promise<FlowMod[]>): Promise<number> {
  const { session, value: mods, usable } = await openAndRead(bridge, options, make, (made) => formatsFor(made, options.bundle));
  try {
    await agreeOnFormat(session, usable, options);
    if (options.bundle === true) await sendBundle(session, mods);
    else await sendSingly(session, mods);
  } finally {
    session.close();
  }
  return 0;
}

/** Parses with the names of the switch's ports. */
export const lookupNames = <T>(bridge: string, options: FlowOptions, parse: (names: PortNames) => T): Promise<T> =>
  withNames(() => Session.open(bridge, options), options.names !== false, parse);

/** add-flow, mod-flows, del-flows: one flow on the command line. */
export function flowModCommand(bridge: string, text: string, command: FlowModCommand, options: FlowOptions): Promise<number> {
  const strict = options.strict && command !== 'add' ? (`${command}_strict` as FlowModCommand) : command;
  return changeFlows(bridge, options, () =>
    lookupNames(bridge, options, (names) => {
      const mod = parseFlow(text, strict, names);
      checkFlow(mod);
      return [mod];
    }),
  );
}

/** add-flows FILE, whose lines may begin with a command, and the others with `-` for a file, whose lines may not. */
export function flowFileCommand(bridge: string, path: string, command: FlowModCommand, options: FlowOptions): Promise<number> {
  const strict = options.strict && command !== 'add' ? (`${command}_strict` as FlowModCommand) : command;
  return changeFlows(bridge, options, () => {
    const lines = flowLines(path);
    return lookupNames(bridge, options, (names) => parseFlowFile(path, lines, strict, names, command === 'add' ? 'commands' : 'flows'));
  });
}

function requestOf(text: string, names: PortNames | undefined): { request: FlowStatsRequest; usable: string[] } {
  const mod = parseFlowFilter(text, 'delete', names);
  // Whatever table is asked about: every format can ask.
  const usable = formatsFor([{ ...mod, table: ALL_TABLES }]);
  const request = {
    match: normalized(mod).match,
    table: mod.table,
    outPort: mod.outPort,
    outGroup: mod.outGroup,
    cookie: mod.cookie,
    cookieMask: mod.cookieMask,
  };
  return { request, usable };
}

/** The bits that flows are sorted by: place and number. */
function sortedBits({ name, at, bits }: Field): readonly [number, number] {
  // That there is a tag counts with its number; the type of service shares its byte with congestion.
  if (name === 'vlan_vid') return [at - 1, bits + 1];
  return [at, name === 'nw_tos' ? 6 : bits];
}

function compare(options: FlowOptions): (a: FlowStats, b: FlowStats) => number {
  return (a, b) => {
    for (const { key, descending } of options.sort) {
      let order = 0;
      const field = key === 'priority' ? undefined : fieldNamed(key);
      if (field === undefined) order = a.priority - b.priority;
      else {
        const [at, bits] = sortedBits(field);
        // Who says something of an Ethernet header asks for that type of packets.
        const has = ({ match }: FlowStats): boolean =>
          (field.name === 'packet_type' && saysEthernet(match)) ||
          (keyBits(match.mask, at, bits) !== 0n && prereqHolds(field.prereq, match));
        // A flow that does not match on the field comes last, whichever way.
        if (has(a) !== has(b)) return has(a) ? -1 : 1;
        const left = keyBits(a.match.key, at, bits);
        const right = keyBits(b.match.key, at, bits);
        order = left < right ? -1 : left > right ? 1 : 0;
      }
      if (order !== 0) return descending ? -order : order;
    }
    return b.priority - a.priority;
  };
}

/** The connection and what to ask for. Without names the text is read before the switch is looked for, with them after. */
async function openFor(bridge: string, text: string, options: FlowOptions): Promise<{ session: Session; request: FlowStatsRequest }> {
  const parse = () => lookupNames(bridge, options, (names) => requestOf(text, names));
  const early = options.names === false ? await parse() : undefined;
  const session = await Session.open(bridge, options, text !== '' && options.names !== false ? XID_AFTER_NAMES : 1);
  try {
    const { request, usable } = early ?? (await parse());
    await agreeOnDumpFormat(session, usable, options);
    return { session, request };
  } catch (error) {
    session.close();
    throw error;
  }
}

/** Answers that are to be looked into: a refusal is told in the log. */
async function collected(session: Session, message: Message): Promise<Framed[]> {
  try {
    return await session.ask(message);
  } catch (error) {
    if (!(error instanceof SwitchRefusal)) throw error;
    logger('vconn').warn(`received bad reply: ${error.message}`);
    throw new ConfigError('dump flows (Protocol error)');
  }
}

/** dump-flows. */
export async function dumpFlows(bridge: string, text: string, options: FlowOptions): Promise<number> {
  const { session, request } = await openFor(bridge, text, options);
  try {
    const showNames = showsNames(options);
    if (options.showStats && !showNames && options.sort.length === 0) {
      await printAnswer(session, { kind: 'flowStatsRequest', request });
      return 0;
    }
    const parts = await collected(session, { kind: 'flowStatsRequest', request });
    const flows = parts.flatMap(({ message }) => (message.kind === 'flowStatsReply' ? message.flows : []));
    const names = showNames ? await namesToShow(session) : undefined;
    if (options.sort.length > 0) flows.sort(compare(options));
    // Before OpenFlow 1.5 ages are shown only with the message as it came.
    const ages = session.version < 6 ? { idleAgeSec: -1, hardAgeSec: -1 } : {};
    const lines = flows.map((flow) => ` ${formatFlowStats({ ...flow, ...ages }, names, options.showStats)}\n`);
    process.stdout.write(lines.join(''));
    return 0;
  } finally {
    session.close();
  }
}

/** dump-aggregate. */
export async function dumpAggregate(bridge: string, text: string, options: FlowOptions): Promise<number> {
  const { session, request } = await openFor(bridge, text, options);
  try {
    await printAnswer(session, { kind: 'aggregateRequest', request });
    return 0;
  } finally {
    session.close();
  }
}

/** parse-flow and parse-flows: what a flow's text would be sent as. */
export function parseFlowsCommand(given: readonly FlowMod[], options: FlowOptions): number {
  const mods = given.map(normalized);
  const usable = usableProtocols(mods);
  process.stdout.write(`usable protocols: ${protocolNames(usable)}\n`);
  const allowed = allowedProtocols(options.versions, options.protocols);
  const chosen = usable.find((name) => allowed.includes(name));
  if (chosen === undefined) throw new ConfigError('no usable protocol');
  process.stdout.write(`chosen protocol: ${chosen}\n`);
  const version = chosen.startsWith('OXM-OpenFlow') ? Number(chosen.slice(-1)) + 1 : chosen === 'OpenFlow11' ? 2 : 1;
  for (const [index, mod] of mods.entries()) {
    const codec = { nxFlows: chosen.startsWith('NXM'), flowModTableId: chosen.endsWith('+table_id') };
    const bytes = encodeMessage(version as 1, index + 1, mod, codec);
    const tableIds = { flowModTableId: chosen.endsWith('+table_id') || chosen.endsWith('-table_id') };
    process.stdout.write(printBytes(bytes, { codec: tableIds, verbosity: 2 }));
  }
  return 0;
}
