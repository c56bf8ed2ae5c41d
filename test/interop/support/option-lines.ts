// Command lines with options of all kinds, right and wrong, shortened, repeated, with and without what they need, before and behind the command.
import type { Dice } from './ovsdb-random-schema.ts';

const TABLES = ['format', 'data', 'no-headings', 'pretty', 'bare', 'max-column-width'];
const KEYS = ['private-key', 'certificate', 'ca-cert', 'bootstrap-ca-cert', 'ssl-protocols', 'ssl-ciphers', 'peer-ca-cert'];
const LOG = ['verbose', 'log-file', 'syslog-method', 'syslog-target'];

interface Tool {
  options: readonly string[];
  /** Between bars. */
  commands: string;
}

/** Options that send a tool to the background or write into the root folder are left out. */
const TOOLS: ReadonlyMap<string, Tool> = new Map([
  [
    'ovsdb-tool',
    {
      options: ['more', 'cid', 'election-timer', 'help', 'version', 'option', 'rbac-role', ...LOG],
      commands:
        'create new small|db-name db|db-version|schema-name|show-log db|query db ["Small"]|db-cksum|compare-versions 1 < 2||strange|help',
    },
  ],
  [
    'ovsdb-client',
    {
      options: [
        'timeout',
        'force',
        'leader-only',
        'no-leader-only',
        'timestamp',
        'help',
        'version',
        'option',
        'unixctl',
        ...TABLES,
        ...KEYS,
        ...LOG,
      ],
      commands: 'list-dbs unix:nosock||strange|dump|transact x|list-dbs a b c|wait x y|wait x y connected|needs-conversion x|lock x y z',
    },
  ],
  [
    'ovs-vsctl',
    {
      options: [
        'db',
        'no-wait',
        'no-syslog',
        'retry',
        'dry-run',
        'oneline',
        'timeout',
        'help',
        'version',
        'options',
        'columns',
        'if-exists',
        'id',
      ].concat(TABLES, KEYS, LOG),
      commands: 'show||strange|list bridge|add-br|-- show|--|add-br x -- strange|get bridge x _uuid=1',
    },
  ],
  [
    'ovs-appctl',
    {
      options: ['target', 'execute', 'help', 'version', 'option', 'timeout', ...LOG],
      commands: 'version||-t nosock version|-t nosock|exit|strange x',
    },
  ],
  [
    'ovsdb-server',
    {
      options: [
        'remote',
        'run',
        'unixctl',
        'sync-exclude-tables',
        'active',
        'no-dbs',
        'disable-file-column-diff',
        'option',
        'no-self-confinement',
      ].concat(['no-chdir', 'overwrite-pidfile', 'help', 'version'], KEYS, LOG),
      commands: 'nosuch|garbage||--no-dbs|empty',
    },
  ],
]);
const SHORT = [
  '-v',
  '-h',
  '-V',
  '-t',
  '-T',
  '-e',
  '-f',
  '-d',
  '-p',
  '-c',
  '-C',
  '-m',
  '-o',
  '-x',
  '-',
  '-vx',
  '-t1',
  '-mm',
  '-fjson',
  '-dx',
  '-hV',
];
const VALUES =
  '|x|1|0|-1|json|table|list|csv|html|any|off|dbg|none|ANY:off| |1x|01|99999999999999999999|0x10|+5|1.5|string|bare|unix:x|libc|null|udp:1.2.3.4:5|a:b|small'.split(
    '|',
  );

/** One command line. */
export function optionLine(dice: Dice): string[] {
  const tool = dice.pick([...TOOLS.keys()]);
  const { options, commands } = TOOLS.get(tool) as Tool;
  const isServer = tool === 'ovsdb-server';
  const words = isServer ? ['--unixctl=none', '--run=true'] : [];
  for (let i = dice.pick([1, 1, 1, 2, 2, 3]); i > 0; i--) {
    if (dice.chance(15)) {
      // Of everything that happens inside the reference's server much has no counterpart.
      const word = dice.pick(SHORT);
      words.push(isServer && word === '-v' ? '-vwarn' : word);
      continue;
    }
    let name = dice.pick(options);
    if (dice.chance(45)) name = name.slice(0, 1 + dice.below(name.length));
    if (dice.chance(8)) name += dice.pick(['x', '-', '=', 's']);
    const needsValue = isServer && 'verbose'.startsWith(name);
    words.push(dice.chance(50) || needsValue ? `--${name}=${dice.pick(VALUES)}` : `--${name}`);
    // Of several databases the server names one by the chance of a hash.
    if (dice.chance(10) && !isServer) words.push(dice.pick(VALUES));
  }
  const command = dice
    .pick(commands.split('|'))
    .split(' ')
    .filter((word) => word !== '');
  return [tool, ...(dice.chance(75) ? [...words, ...command] : [...command, ...words])];
}
