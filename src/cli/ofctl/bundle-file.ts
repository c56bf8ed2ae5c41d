// ovs-ofctl bundle SWITCH FILE: flow mods, group mods and packet-outs of a file in one transaction; each line begins with what it is.
import { ConfigError } from '../../base/errors.ts';
import type { PortNames } from '../../flow/field-text.ts';
import type { FlowMod, Message } from '../../openflow/message.ts';
import { checkFlow } from '../../openflow/protocols.ts';
import { cutCommand, parseFlow } from '../../openflow/text/flow-text.ts';
import { cutGroupCommand, parseGroup } from '../../openflow/text/group-text.ts';
import { parsePacketOut } from '../../openflow/text/packet-out-text.ts';
import { agreeOnFormat, bundleVersions, sendBundle, sharedProtocols } from './flow-send.ts';
import { type FlowOptions, flowLines, lookupNames, XID_AFTER_NAMES } from './flows.ts';
import { Session } from './session.ts';

/** What a line can be, by its first word. */
const PARSERS: ReadonlyMap<string, (text: string, names: PortNames) => Message> = new Map([
  [
    'flow',
    (text: string, names: PortNames): Message => {
      const cut = cutCommand(text, 'add');
      const mod = parseFlow(cut.text, cut.command, names);
      checkFlow(mod);
      return mod;
    },
  ],
  [
    'group',
    (text: string, names: PortNames): Message => {
      const cut = cutGroupCommand(text);
      return parseGroup(cut?.text ?? text, cut?.command ?? 'add', names);
    },
  ],
  ['packet-out', (text: string, names: PortNames): Message => parsePacketOut(text, names)],
]);

function parseLine({ text, number }: { text: string; number: number }, path: string, names: PortNames): Message {
  const [, word = '', rest = ''] = /^([^\s,]*)[\s,]*(.*)$/.exec(text) ?? [];
  try {
    const parse = PARSERS.get(word);
    if (parse === undefined) throw new ConfigError(`Unsupported bundle message type: ${word}`);
    return parse(rest, names);
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`${path}:${number}: ${error.message}`);
    throw error;
  }
}

/** bundle SWITCH FILE. */
export async function bundleCommand(bridge: string, path: string, given: FlowOptions): Promise<number> {
  const options = { ...given, versions: bundleVersions(given.versions) };
  const lines = flowLines(path);
  const messages = await lookupNames(bridge, given, (names) => lines.map((line) => parseLine(line, path, names)));
  const session = await Session.open(bridge, options, options.names === false ? 1 : XID_AFTER_NAMES);
  try {
    const mods = messages.filter((message): message is FlowMod => message.kind === 'flowMod');
    await agreeOnFormat(session, sharedProtocols(mods, options, true));
    await sendBundle(session, messages);
  } finally {
    session.close();
  }
  return 0;
}
