// The group commands of ovs-ofctl: add-group(s), mod-group, del-groups, insert-buckets, remove-buckets, dump-*, parse-group.
import { ConfigError } from '../../base/errors.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { encodeMessage } from '../../openflow/codec/codec.ts';
import type { GroupCommand, GroupMod } from '../../openflow/group.ts';
import { OFPG } from '../../openflow/group.ts';
import type { OfVersion } from '../../openflow/message.ts';
import { allowedProtocols, groupProtocols, PROTOCOLS, protocolNames } from '../../openflow/protocols.ts';
import { parseGroupNumber } from '../../openflow/text/group-number.ts';
import { cutGroupCommand, parseGroup } from '../../openflow/text/group-text.ts';
import { printBytes } from '../../openflow/text/message-print.ts';
import { agreeOnFormat, bundledFormats, checkGroupVersion, openAndRead, sendBundle } from './flow-send.ts';
import { type FlowOptions, flowLines, lookupNames } from './flows.ts';
import { printAnswer, showsNames, withSession } from './session.ts';

/** The wire version of a flow format. */
const versionOf = (name: string): OfVersion =>
  (/^(OpenFlow10|NXM)/.test(name) ? 1 : name === 'OpenFlow11' ? 2 : Number(name.slice(-1)) + 1) as OfVersion;

async function changeGroups(bridge: string, options: FlowOptions, parse: (names: PortNames) => GroupMod[]): Promise<number> {
  const read = (): Promise<GroupMod[]> => lookupNames(bridge, options, parse);
  const formats = (mods: GroupMod[]): string[] => bundledFormats(groupProtocols(mods), options.bundle === true);
  const { session, value: mods, usable } = await openAndRead(bridge, options, read, formats);
  try {
    await agreeOnFormat(session, usable, options);
    if (options.bundle === true) await sendBundle(session, mods);
    else {
      for (const mod of mods) {
        checkGroupVersion(mod, session.version);
        session.connection.send(mod);
        await session.barrier();
      }
    }
  } finally {
    session.close();
  }
  return 0;
}

/** One group on the command line, or `-` for groups in standard input: those that are added may each begin with a command. */
export function groupModCommand(bridge: string, text: string, command: GroupCommand, options: FlowOptions): Promise<number> {
  if (text === '-') return groupFileCommand(bridge, text, command === 'add' ? undefined : command, options);
  return changeGroups(bridge, options, (names) => [parseGroup(text, command, names)]);
}

/** Groups of a file; without a command of their own lines may begin with one, and add otherwise. */
export function groupFileCommand(bridge: string, path: string, command: GroupCommand | undefined, options: FlowOptions): Promise<number> {
  let lines: ReturnType<typeof flowLines> | undefined;
  return changeGroups(bridge, options, (names) => {
    lines ??= flowLines(path);
    return lines.map((line) => parseGroupLine(line, path, command, names));
  });
}

function parseGroupLine(
  { text, number }: { text: string; number: number },
  path: string,
  command: GroupCommand | undefined,
  names: PortNames,
): GroupMod {
  try {
    const cut = command === undefined ? cutGroupCommand(text) : undefined;
    return parseGroup(cut?.text ?? text, cut?.command ?? command ?? 'add', names);
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`${path}:${number}: ${error.message}`);
    throw error;
  }
}

/** dump-groups [GROUP] */
export function dumpGroups(bridge: string, text: string | undefined, options: FlowOptions): Promise<number> {
  return withSession(bridge, options, async (session) => {
    const group = text === undefined ? undefined : parseGroupNumber(text);
    await printAnswer(session, { kind: 'groupDescRequest', group: group ?? OFPG.ALL }, showsNames(options));
  });
}

/** dump-group-stats [GROUP] */
export async function dumpGroupStats(bridge: string, text: string, options: FlowOptions): Promise<number> {
  const read = async (): Promise<GroupMod> => parseGroup(text, 'delete');
  const { session, value } = await openAndRead(bridge, options, read, () => [...PROTOCOLS]);
  try {
    await printAnswer(session, { kind: 'groupStatsRequest', group: value.group }, showsNames(options));
  } finally {
    session.close();
  }
  return 0;
}

/** parse-group GROUP: what a group's text would be sent as. */
export function parseGroupCommand(text: string, options: FlowOptions): number {
  const mod = parseGroup(text, 'add');
  const usable = groupProtocols([mod]);
  process.stdout.write(`usable protocols: ${protocolNames(usable)}\n`);
  const allowed = allowedProtocols(options.versions, options.protocols);
  const chosen = PROTOCOLS.find((name) => usable.includes(name) && allowed.includes(name));
  if (chosen === undefined) throw new ConfigError('no usable protocol');
  const version = Math.min(...usable.filter((name) => allowed.includes(name)).map(versionOf)) as OfVersion;
  process.stdout.write(`chosen version: OpenFlow1${version - 1}\n`);
  process.stdout.write(printBytes(encodeMessage(version, 1, mod)));
  return 0;
}
