// ovs-ofctl bundle SWITCH FILE: flow mods, group mods and packet-outs of a file in one transaction; each line begins with what it is.
import { ConfigError } from '../../base/errors.ts';
import type { PortNames } from '../../flow/field-text.ts';
import type { Message } from '../../openflow/message.ts';
import { checkFlow, groupProtocols, PROTOCOLS, packetOutProtocols } from '../../openflow/protocols.ts';
import { cutCommand, parseFlow } from '../../openflow/text/flow-text.ts';
import { cutGroupCommand, parseGroup } from '../../openflow/text/group-text.ts';
import { cutCommandWord } from '../../openflow/text/key-value-text.ts';
import { parsePacketOut } from '../../openflow/text/packet-out-text.ts';
import { agreeOnFormat, bundledFormats, bundleVersions, formatsFor, openAndRead, openWithFormat, sendBundle } from './flow-send.ts';
import { type FlowOptions, flowLines, lookupNames } from './flows.ts';
import { XID_AFTER_NAMES } from './session.ts';

function parseFlowLine(text: string, names: PortNames): Message {
  const cut = cutCommand(text, 'add');
  const mod = parseFlow(cut.text, cut.command, names);
  checkFlow(mod);
  return mod;
}

/** What a line can be, by its first word. */
const PARSERS: ReadonlyMap<string, (text: string, names: PortNames) => Message> = new Map([
  ['flow', parseFlowLine],
  [
    'group',
    (text: string, names: PortNames): Message => {
      const cut = cutGroupCommand(text);
      return parseGroup(cut?.text ?? text, cut?.command ?? 'add', names);
    },
  ],
  ['packet-out', (text: string, names: PortNames): Message => parsePacketOut(text, names)],
]);

const WORDS = [...PARSERS.keys()];

function parseLine({ text, number }: { text: string; number: number }, path: string, names: PortNames): Message {
  try {
    // The word may be short; a line without one is a flow.
    const cut = cutCommandWord(text, WORDS);
    const word = /^[ \t\r\n]*([^, \t\r\n]*)/.exec(text)?.[1] ?? '';
    if (cut === undefined && word !== '') throw new ConfigError(`Unsupported bundle message type: ${word}`);
    return (PARSERS.get(cut?.command ?? 'flow') ?? parseFlowLine)(cut?.text ?? text, names);
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`${path}:${number}: ${error.message}`);
    throw error;
  }
}

/** The formats that can say all of a bundle. */
function formatsOf(messages: readonly Message[]): string[] {
  const sets = messages.map((message) => {
    if (message.kind === 'flowMod') return formatsFor([message]);
    if (message.kind === 'groupMod') return groupProtocols([message]);
    return message.kind === 'packetOut' ? packetOutProtocols(message) : [];
  });
  return bundledFormats(PROTOCOLS.filter((name) => sets.every((formats) => formats.includes(name))));
}

/** Names are looked up in the versions that the user gave, be it that those cannot do the rest. */
async function openForBundle(bridge: string, given: FlowOptions, options: FlowOptions, read: () => Promise<Message[]>) {
  if (options === given || given.names === false) return openAndRead(bridge, options, read, formatsOf);
  const { session: first, value } = await openAndRead(bridge, given, read, () => [...PROTOCOLS]);
  first.close();
  const formats = formatsOf(value);
  return { session: await openWithFormat(bridge, formats, options, XID_AFTER_NAMES), value, usable: formats };
}

/** bundle SWITCH FILE. */
export async function bundleCommand(bridge: string, path: string, given: FlowOptions): Promise<number> {
  const versions = bundleVersions(given.versions);
  // Formats that the user asked for have no bundles where the versions have none.
  const options = versions === given.versions ? given : { ...given, versions, protocols: undefined };
  // Read once, for it may be the standard input; parsed again where names have to be looked up.
  let lines: ReturnType<typeof flowLines> | undefined;
  const read = (): Promise<Message[]> =>
    lookupNames(bridge, given, (names) => {
      lines ??= flowLines(path);
      return lines.map((line) => parseLine(line, path, names));
    });
  const { session, value: messages, usable } = await openForBundle(bridge, given, options, read);
  try {
    await agreeOnFormat(session, usable, options);
    await sendBundle(session, messages);
  } finally {
    session.close();
  }
  return 0;
}
