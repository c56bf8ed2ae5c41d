// The group commands of ovs-ofctl: add-group(s), mod-group, del-groups, insert-buckets, remove-buckets, dump-*, parse-group.
import { ConfigError } from '../../base/errors.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { encodeMessage } from '../../openflow/codec/codec.ts';
import type { GroupCommand, GroupMod } from '../../openflow/group.ts';
import { OFPG } from '../../openflow/group.ts';
import type { OfVersion } from '../../openflow/message.ts';
import { allowedProtocols, groupProtocols, PROTOCOLS, protocolNames } from '../../openflow/protocols.ts';
import { cutGroupCommand, parseGroup, parseGroupNumber } from '../../openflow/text/group-text.ts';
import { printBytes } from '../../openflow/text/message-print.ts';
import { sendBundle } from './flow-send.ts';
import { type FlowOptions, flowLines, lookupNames, XID_AFTER_NAMES } from './flows.ts';
import { Session } from './session.ts';
import { dump } from './switch.ts';

/** The wire version of a flow format. */
const versionOf = (name: string): OfVersion =>
  (/^(OpenFlow10|NXM)/.test(name) ? 1 : name === 'OpenFlow11' ? 2 : Number(name.slice(-1)) + 1) as OfVersion;

/** The user's options with only those versions that can say what `usable` names; ConfigError when none is left. */
export function narrowVersions(options: FlowOptions, usable: readonly string[]): FlowOptions {
  const allowed = allowedProtocols(options.versions, options.protocols);
  const shared = usable.filter((name) => allowed.includes(name));
  if (shared.length === 0) {
    throw new ConfigError(
      `none of the usable flow formats (${protocolNames(usable)}) is among the allowed flow formats (${protocolNames(allowed)})`,
    );
  }
  return { ...options, versions: shared.reduce((bits, name) => bits | (1 << versionOf(name)), 0) };
}

/** Refuses what a version has no form for. */
function checkVersion(mods: readonly GroupMod[], version: OfVersion): void {
  if (version === 1 || version === 6) return;
  for (const { command } of mods) {
    if (command !== 'insert_bucket' && command !== 'remove_bucket') continue;
    const word = command === 'insert_bucket' ? 'insert-bucket' : 'remove-bucket';
    throw new ConfigError(`${word} needs OpenFlow 1.5 or later ('-O OpenFlow15')`);
  }
}

async function changeGroups(bridge: string, options: FlowOptions, parse: (names: PortNames) => GroupMod[]): Promise<number> {
  const mods = await lookupNames(bridge, options, parse);
  const narrowed = narrowVersions(options, groupProtocols(mods));
  const session = await Session.open(bridge, narrowed, options.names === false ? 1 : XID_AFTER_NAMES);
  try {
    checkVersion(mods, session.version);
    if (options.bundle === true) await sendBundle(session, mods);
    else {
      for (const mod of mods) {
        session.connection.send(mod);
        await session.barrier();
      }
    }
  } finally {
    session.close();
  }
  return 0;
}

/** One group on the command line, or `-` for groups in standard input. */
export function groupModCommand(bridge: string, text: string, command: GroupCommand, options: FlowOptions): Promise<number> {
  if (text === '-') return groupFileCommand(bridge, text, command, options);
  return changeGroups(bridge, options, (names) => [parseGroup(text, command, names)]);
}

/** Groups of a file; without a command of their own lines may begin with one, and add otherwise. */
export function groupFileCommand(bridge: string, path: string, command: GroupCommand | undefined, options: FlowOptions): Promise<number> {
  const lines = flowLines(path);
  return changeGroups(bridge, options, (names) => lines.map((line) => parseGroupLine(line, path, command, names)));
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
  const group = (text === undefined ? undefined : parseGroupNumber(text)) ?? OFPG.ALL;
  return dump(bridge, options, { kind: 'groupDescRequest', group });
}

/** dump-group-stats [GROUP] */
export function dumpGroupStats(bridge: string, text: string, options: FlowOptions): Promise<number> {
  const request = { kind: 'groupStatsRequest', group: parseGroup(text, 'delete').group } as const;
  return dump(bridge, options, request, options.names === false ? 1 : XID_AFTER_NAMES);
}

/** parse-group GROUP: what a group's text would be sent as. */
export function parseGroupCommand(text: string, options: FlowOptions): number {
  const mod = parseGroup(text, 'add');
  const usable = groupProtocols([mod]);
  process.stdout.write(`usable protocols: ${protocolNames(usable)}\n`);
  const allowed = allowedProtocols(options.versions, options.protocols);
  const chosen = PROTOCOLS.find((name) => usable.includes(name) && allowed.includes(name));
  if (chosen === undefined) throw new ConfigError('no usable protocol');
  const version = Math.max(...usable.filter((name) => allowed.includes(name)).map(versionOf)) as OfVersion;
  process.stdout.write(`chosen version: OpenFlow1${version - 1}\n`);
  process.stdout.write(printBytes(encodeMessage(version, 1, mod)));
  return 0;
}
