// What is compared before a switch that listens: a section makes command lines of one kind from a source of choices.
import { FIELDS } from '../../../src/flow/fields.ts';
import type { FlowStats } from '../../../src/openflow/message.ts';
import { normalizeMatch } from '../../../src/openflow/normalize.ts';
import { parseFlow } from '../../../src/openflow/text/flow-text.ts';
import { readable } from '../body-pieces.ts';
import { flowText, spoil } from '../flow-lines.ts';
import { soundMessage } from '../messages.ts';
import type { Dice } from '../random.ts';
import {
  fileOf,
  filterText,
  flushWords,
  meterText,
  monitorWords,
  namedFlow,
  number,
  optionMap,
  packetOutText,
  packetOutWords,
  portAction,
  portWord,
  tableSetting,
  tableWord,
} from './command-lines.ts';
import { type GroupVerb, groupText } from './group-lines.ts';
import { flowFile, groupFile } from './many-lines.ts';
import type { PeerSettings } from './peer.ts';
import type { SentCase } from './run.ts';

const VERSIONS = ['OpenFlow10', 'OpenFlow11', 'OpenFlow12', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'];

/** The versions that a command may speak: one, several, or what it does by itself. */
const versions = (d: Dice): string[] =>
  d.chance(1, 8) ? [] : ['-O', d.chance(1, 10) ? `${d.pick(VERSIONS)},${d.pick(VERSIONS)}` : d.pick(VERSIONS)];

const FORMATS = [
  'any',
  'OpenFlow10',
  'NXM',
  'OXM',
  'nxm',
  'OXM-OpenFlow13',
  'NXM+table_id',
  'OpenFlow10-table_id',
  'OpenFlow11',
  'nxm,oxm',
  'what',
];

/** Options of any command. */
function options(d: Dice): string[] {
  const words = versions(d);
  if (d.chance(1, 6))
    words.push(d.pick(['--names', '--no-names', '--bundle', '--strict', '-m', '--color', '--stats', '--read-only', '--timestamp']));
  if (d.chance(1, 12)) words.push('-F', d.pick(FORMATS));
  return words;
}

/** What the switch is like: mostly one that takes everything. */
const peer = (d: Dice): PeerSettings => ({
  ...(d.chance(1, 12) ? { versions: 2 << d.below(6) } : {}),
  ...(d.chance(1, 12) ? { refuseAfter: d.below(3) } : {}),
});

/** Text that is given as it is, or with something wrong in it. */
type Damage = (d: Dice, text: string) => string;
const sound: Damage = (_, text) => text;
const spoilt: Damage = (d, text) => (text === '' ? text : spoil(d, text));

const one = (d: Dice, command: string, ...words: string[]): SentCase => ({
  args: [...options(d), command, 'SWITCH', ...words],
  peer: peer(d),
});

/** One text on the command line, or several in a file or on standard input. */
function texts(d: Dice, single: string, many: string | undefined, make: () => string, damage: Damage): SentCase {
  if (d.chance(2, 3)) return one(d, single, damage(d, make()));
  const content = fileOf(
    d,
    Array.from({ length: d.below(4) }, () => damage(d, make())),
  );
  if (many !== undefined && d.chance(1, 2)) return { ...one(d, many, 'FILE'), file: content };
  return { ...one(d, single, '-'), stdin: content };
}

const GROUP_COMMANDS: readonly [string, GroupVerb][] = [
  ['add-group', 'add'],
  ['mod-group', 'mod'],
  ['insert-buckets', 'insert'],
  ['remove-buckets', 'remove'],
  ['del-groups', 'delete'],
];
const GROUP_WORDS: Readonly<Record<GroupVerb, string>> = {
  add: 'add',
  mod: 'modify',
  insert: 'insert_bucket',
  remove: 'remove_bucket',
  delete: 'delete',
};
/** A line of a file of groups. */
function groupLine(d: Dice): string {
  const verb = d.pick(Object.keys(GROUP_WORDS)) as GroupVerb;
  const word = d.chance(1, 10) && verb === 'mod' ? 'add_or_mod' : GROUP_WORDS[verb];
  return `${verb === 'add' && d.chance(1, 2) ? '' : `${word}${d.pick([' ', ',', '  '])}`}${groupText(d, verb)}`;
}

function group(d: Dice, damage: Damage): SentCase {
  if (d.chance(1, 10)) return { args: [...versions(d), 'parse-group', damage(d, groupText(d, 'add'))] };
  if (d.chance(1, 15))
    return one(
      d,
      d.pick(['dump-groups', 'dump-group-stats']),
      damage(d, d.pick(['1', 'all', 'any', 'ALL', 'group_id=3', 'group_id=all', number(d, 33), ''])),
    );
  if (d.chance(1, 6))
    return {
      ...one(d, 'add-groups', 'FILE'),
      file: fileOf(
        d,
        Array.from({ length: d.below(4) }, () => damage(d, groupLine(d))),
      ),
    };
  const [command, verb] = d.pick(GROUP_COMMANDS);
  const line = texts(d, command, undefined, () => (d.chance(1, 8) ? groupLine(d) : groupText(d, verb)), damage);
  return d.chance(1, 12) ? { ...line, args: ['--may-create', ...line.args] } : line;
}

function meter(d: Dice, damage: Damage): SentCase {
  const [command, verb] = d.pick([
    ['add-meter', 'add'],
    ['add-meter', 'add'],
    ['mod-meter', 'mod'],
    ['mod-meter', 'mod'],
    ['del-meter', 'one'],
    ['dump-meter', 'one'],
    ['meter-stats', 'one'],
    ['del-meters', 'one'],
    ['dump-meters', 'one'],
  ] as const);
  const text = damage(d, meterText(d, verb));
  return verb === 'one' && d.chance(1, 6) ? one(d, command) : one(d, command, text);
}

const FLOW_WORDS = ['add', 'modify', 'modify_strict', 'delete', 'delete_strict', 'mod', ''];
/** A line of a file of flows. */
const flowLine = (d: Dice): string => {
  const word = d.pick(FLOW_WORDS);
  const text = word.startsWith('delete') ? filterText(d) : namedFlow(d);
  return d.chance(1, 2) ? text : `${word}${d.pick([' ', ',', '  '])}${text}`;
};

/** The same of commands to which each line is a flow: a word before it is none of theirs. */
const worded = (d: Dice, text: string): string => (d.chance(1, 10) ? `${d.pick(FLOW_WORDS)} ${text}` : text);

function flow(d: Dice, damage: Damage): SentCase {
  switch (d.below(5)) {
    case 0:
      return texts(d, 'add-flow', 'add-flows', () => (d.chance(1, 3) ? flowLine(d) : namedFlow(d)), damage);
    case 1:
      return texts(d, 'mod-flows', undefined, () => worded(d, namedFlow(d)), damage);
    case 2:
      return d.chance(1, 20) ? one(d, 'del-flows') : texts(d, 'del-flows', undefined, () => worded(d, filterText(d)), damage);
    case 3:
      return one(d, 'dump-aggregate', damage(d, filterText(d)));
    default:
      return texts(d, 'add-flow', 'add-flows', () => namedFlow(d), damage);
  }
}

/** Flows that a switch says it has. */
const flowsOf = (d: Dice, most: number): FlowStats[] =>
  d.some(most, () => {
    const mod = readable(() => parseFlow(flowText(d), 'add'), undefined) ?? parseFlow('actions=drop', 'add');
    return {
      match: normalizeMatch(mod.match),
      priority: d.chance(1, 2) ? mod.priority : d.below(4),
      cookie: mod.newCookie ?? 0n,
      table: mod.table === 255 ? d.below(6) : mod.table,
      durationSec: d.below(100),
      durationNsec: d.below(1_000_000_000),
      idleTimeoutSec: mod.idleTimeoutSec,
      hardTimeoutSec: mod.hardTimeoutSec,
      idleAgeSec: d.below(3) - 1,
      hardAgeSec: d.below(3) - 1,
      importance: mod.importance,
      packetCount: d.bits(64),
      byteCount: d.bits(64),
      flags: mod.flags,
      actions: mod.actions,
    };
  });

const SORTED = FIELDS.filter(({ name }) => !name.startsWith('tun_metadata'));
function dump(d: Dice): SentCase {
  const words: string[] = [];
  for (const _ of d.some(2, () => 0)) {
    const field = d.pick(SORTED);
    const key = d.pick([
      '',
      '=priority',
      `=${field.name}`,
      `=${d.pick(['reg1', 'nw_src', 'eth_src', 'in_port', 'tun_id', 'metadata'])}`,
      `=${field.alias ?? 'table'}`,
      '=what',
    ]);
    words.push(`${d.pick(['--sort', '--rsort'])}${key}`);
  }
  for (const word of d.some(2, () =>
    d.pick(['--names', '--no-names', '--stats', '--no-stats', '-m', '--color=never', '--color', '--strict']),
  ))
    words.push(word);
  const base = one(d, 'dump-flows', ...(d.chance(1, 2) ? [] : [filterText(d)]));
  return { ...base, args: [...words, ...base.args], peer: { ...base.peer, flows: flowsOf(d, 8) } };
}

/** The file of replace-flows and diff-flows: mostly the switch's flows, some changed. */
function difference(d: Dice): SentCase {
  const flows = flowsOf(d, 6);
  const lines = d.some(5, () => (d.chance(1, 15) ? spoil(d, flowText(d)) : flowText(d)));
  const words = d.chance(1, 4) ? [d.pick(['--readd', '--names', '--bundle', '--no-names'])] : [];
  const file = fileOf(d, lines);
  const base = d.chance(1, 2)
    ? one(d, 'replace-flows', 'FILE')
    : { args: [...options(d), 'diff-flows', ...(d.chance(1, 2) ? ['SWITCH', 'FILE'] : ['FILE', 'SWITCH'])] };
  return { ...base, args: [...words, ...base.args], file, peer: { flows } };
}

/** A line of a bundle's file. */
function bundleLine(d: Dice): string {
  switch (d.below(8)) {
    case 0:
    case 1:
      return `group ${groupLine(d)}`;
    case 2:
      return `packet-out ${packetOutText(d)}`;
    case 3:
      return d.pick(['what 1', 'flow', 'group', 'packet-out', 'flow,', namedFlow(d)]);
    default:
      return `flow${d.pick([' ', ',', '  '])}${flowLine(d)}`;
  }
}

const bundle = (d: Dice, damage: Damage): SentCase => ({
  ...one(d, 'bundle', 'FILE'),
  file: fileOf(
    d,
    Array.from({ length: d.below(4) }, () => damage(d, bundleLine(d))),
  ),
});

function small(d: Dice, damage: Damage): SentCase {
  switch (d.below(9)) {
    case 0:
    case 1:
      return one(d, 'mod-port', damage(d, portWord(d)), portAction(d));
    case 2:
    case 3:
      return one(d, 'mod-table', damage(d, tableWord(d)), damage(d, tableSetting(d)));
    case 4:
      return one(d, d.pick(['add-tlv-map', 'add-tlv-map', 'del-tlv-map']), damage(d, optionMap(d)));
    case 5:
      return one(d, 'ct-flush-zone', damage(d, d.chance(1, 2) ? String(d.below(65536)) : number(d, 18)));
    case 6:
      return one(d, 'ct-flush', ...flushWords(d).map((word) => damage(d, word)));
    case 7:
      return one(
        d,
        d.pick(['queue-stats', 'queue-get-config', 'dump-ports', 'dump-ports-desc']),
        ...d
          .some(2, () => damage(d, d.chance(1, 2) ? portWord(d) : d.pick(['ALL', 'all', 'any', String(d.below(9)), number(d, 33), 'x'])))
          .slice(0, 2),
      );
    default:
      return one(
        d,
        d.pick([
          'set-frags',
          'del-tlv-map',
          'dump-tlv-map',
          'get-frags',
          'dump-table-desc',
          'dump-tables',
          'dump-desc',
          'probe',
          'meter-features',
          'dump-group-features',
          'dump-ipfix-bridge',
          'dump-ipfix-flow',
          'show',
        ]),
        ...(d.chance(1, 3) ? [d.pick(['normal', 'drop', 'reassemble', 'nx-match', 'what'])] : []),
      );
  }
}

const packetOut = (d: Dice, damage: Damage): SentCase =>
  d.chance(2, 3)
    ? one(d, 'packet-out', damage(d, packetOutText(d)))
    : one(d, 'packet-out', ...packetOutWords(d).map((word) => damage(d, word)));

/** A connection that is watched, or listened in on: what comes over it is told with the names that the switch has, or without. */
function watched(d: Dice): SentCase {
  const says = Array.from({ length: 1 + d.below(4) }, () => Buffer.from(soundMessage(d).bytes).toString('hex'));
  const words = d.chance(3, 4) ? ['--names'] : d.some(1, () => d.pick(['--no-names', '-m', '-mm', '--color=always', '--strict']));
  const isSnooped = d.chance(1, 2);
  const command = isSnooped ? ['snoop', 'SWITCH'] : ['monitor', 'SWITCH', ...monitorWords(d)];
  return {
    args: [...words, ...(d.chance(1, 2) ? ['-O', VERSIONS.join()] : versions(d)), ...command],
    peer: { ...peer(d), says, isSnooped },
  };
}

const many =
  (make: (d: Dice) => SentCase) =>
  (d: Dice, count: number): SentCase[] =>
    Array.from({ length: count }, () => make(d));

export const SENT_SECTIONS: Readonly<Record<string, (d: Dice, count: number) => SentCase[]>> = {
  groups: many((d) => group(d, sound)),
  badgroups: many((d) => group(d, spoilt)),
  meters: many((d) => meter(d, sound)),
  badmeters: many((d) => meter(d, spoilt)),
  sentflows: many((d) => flow(d, sound)),
  badsentflows: many((d) => flow(d, spoilt)),
  dumps: many(dump),
  differences: many(difference),
  bundles: many((d) => bundle(d, sound)),
  badbundles: many((d) => bundle(d, spoilt)),
  packetouts: many((d) => packetOut(d, sound)),
  badpacketouts: many((d) => packetOut(d, spoilt)),
  commands: many((d) => small(d, sound)),
  badcommands: many((d) => small(d, spoilt)),
  flowFiles: many(flowFile),
  groupFiles: many(groupFile),
  watched: many(watched),
  monitors: many((d) => one(d, 'monitor', ...monitorWords(d))),
};
/** Sections whose command ends the process that runs it, or whose log has little room: a process for each case. */
export const NEEDS_PROCESS: ReadonlySet<string> = new Set(['monitors', 'watched', 'flowFiles', 'groupFiles']);
