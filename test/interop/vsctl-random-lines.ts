// Random command lines of ovs-vsctl over every table and column of a schema, sound and damaged, for the comparison with Debian's.
import { Dice } from './support/ovsdb-random-schema.ts';

interface Base {
  type: string;
  enum?: [string, string[]];
  refTable?: string;
}
interface Column {
  name: string;
  key: Base;
  value: Base | undefined;
  isScalar: boolean;
}
type SchemaJson = { tables: Record<string, { columns: Record<string, { type: unknown }> }> };

const INTEGERS = [
  '0',
  '1',
  '5',
  '4095',
  '4096',
  '-1',
  'x',
  '1.5',
  '',
  '0x10',
  '010',
  '+1',
  '9223372036854775807',
  '9223372036854775808',
  '1-3',
  '3-1',
  '"1"',
  '1000',
  '1e3',
  ' 1',
  '1 ',
  '1:2',
  '65535',
  '--1',
];
const TEXTS = [
  'a',
  'b',
  'br0',
  'p1',
  'x y',
  '""',
  '"q r"',
  '"a',
  '"a\\n"',
  '"\\u00e9"',
  '\\q',
  'a,b',
  'a=b',
  'é',
  '[a]',
  '{a}',
  'true',
  '1.2.3.4',
  '00:11:22:33:44:55',
  'tcp:1.2.3.4:6633',
  'f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
  "'a'",
  'a:b',
  'a\\:b',
  '@x',
  '-',
  '_',
  'a.b',
  '"a"b',
  '"a""b"',
  '$',
  '%d',
  '(',
  ' a',
  'a ',
  '\t',
  '9',
  '__proto__',
  'constructor',
];
const KEYS = ['a', 'b', 'k', '"a b"', 'a b', '1', '', 'x=y', 'hwaddr', '__proto__', 'constructor', '"', 'a:b', '-', 'toString'];
const NAMES = [
  'br0',
  'br1',
  'br2',
  'fake',
  'p1',
  'p2',
  'bond0',
  'e1',
  'e2',
  'm0',
  '.',
  'nosuch',
  '00',
  'f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
  '@x',
  '',
  'a',
];
const TARGETS = ['tcp:1.2.3.4', 'ssl:[::1]:6653', 'ptcp:6640', 'punix:/x', 'strange', 'tcp:', '', 'tcp:1.2.3.4', 'unix:/y'];
const OPERATORS = ['=', '!=', '<', '>', '<=', '>=', '{=}', '{!=}', '{<}', '{>}', '{<=}', '{>=}', '{in}', '{not-in}', '', '~', '==', '{~}'];

export class VsctlLines {
  readonly dice: Dice;
  readonly #tables: [string, Column[]][];

  constructor(seed: number, schema: SchemaJson) {
    this.dice = new Dice(seed);
    this.#tables = Object.entries(schema.tables).map(([table, { columns }]) => [
      table,
      Object.entries(columns).map(([name, { type }]) => {
        const full = (typeof type === 'string' ? { key: type } : type) as {
          key: string | Base;
          value?: string | Base;
          min?: number;
          max?: number;
        };
        const base = (one: string | Base): Base => (typeof one === 'string' ? { type: one } : one);
        return {
          name,
          key: base(full.key),
          value: full.value === undefined ? undefined : base(full.value),
          isScalar: (full.max ?? 1) === 1,
        };
      }),
    ]);
  }

  /** As it is, in other letters, cut short, or wrong. */
  #abbreviated(name: string): string {
    const { dice } = this;
    const kind = dice.below(20);
    if (kind < 10) return name;
    if (kind < 12) return name.toLowerCase();
    if (kind < 14) return name.replaceAll('_', '-').toUpperCase();
    if (kind < 19) return name.slice(0, 1 + dice.below(name.length));
    return dice.pick([`${name}x`, '', `x${name}`, '_uuid', '_version', '__proto__', 'constructor']);
  }

  #atom(base: Base): string {
    const { dice } = this;
    if (dice.chance(5)) return dice.pick(TEXTS);
    if (base.enum !== undefined && dice.chance(80)) return dice.pick(base.enum[1]);
    switch (base.type) {
      case 'integer':
        return dice.chance(60) ? String(1 + dice.below(9)) : dice.pick(INTEGERS);
      case 'boolean':
        return dice.pick(['true', 'false', 'yes', 'no', 'on', 'off', '1', '0', 'True', 'maybe', '"true"']);
      case 'real':
        return dice.pick(['1.5', '1', '1e3', '.5', 'x', 'nan', 'inf', '-2']);
      case 'uuid':
        return dice.pick(['@x', '@y', '@z', 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6', 'x', '', 'F81D4FAE-7dec-11d0-a765-00a0c91e6bf6']);
      default:
        return dice.chance(50) ? dice.pick(['a', 'b', 'x1', 'y.z']) : dice.pick(TEXTS);
    }
  }

  #value(column: Column): string {
    const { dice } = this;
    const length = dice.chance(70) ? 1 : dice.below(4);
    const { value } = column;
    const items = Array.from({ length }, () =>
      value === undefined
        ? this.#atom(column.key)
        : `${dice.chance(80) ? dice.pick(KEYS.slice(0, 4)) : this.#atom(column.key)}${dice.chance(95) ? '=' : dice.pick(['', ':', '=='])}${this.#atom(value)}`,
    );
    const text = items.join(dice.pick([',', ',', ', ', ' ', ',,', ';']));
    const [open, close] = dice.pick([
      ['', ''],
      ['', ''],
      ['', ''],
      ['[', ']'],
      ['{', '}'],
      ['[', ''],
      ['', ']'],
      [' ', ' '],
      ['{', ']'],
    ] as [string, string][]);
    return value === undefined || dice.chance(70) ? `${open}${text}${close}` : `{${text}}`;
  }

  #columnKey(column: Column): string {
    const { dice } = this;
    const name = this.#abbreviated(column.name);
    if (column.value === undefined ? dice.chance(4) : dice.chance(50)) return `${name}:${dice.pick(KEYS)}`;
    return name;
  }

  /** `column[:key]=value`. */
  #setting(column: Column): string {
    const { dice } = this;
    const target = this.#columnKey(column);
    const part = target.includes(':') && column.value !== undefined ? this.#atom(column.value) : this.#value(column);
    return `${target}${dice.chance(96) ? '=' : dice.pick(OPERATORS)}${part}`;
  }

  #condition(column: Column): string {
    const { dice } = this;
    const target = this.#columnKey(column);
    const part = target.includes(':') && column.value !== undefined ? this.#atom(column.value) : this.#value(column);
    return `${target}${dice.pick(OPERATORS)}${part}`;
  }

  #bridge(): string {
    return this.dice.pick(['br0', 'br0', 'br1', 'br2', 'fake', 'fake', 'p1', 'nosuch', '']);
  }
  #port(): string {
    return this.dice.pick(['p1', 'p1', 'p2', 'p3', 'bond0', 'e1', 'e2', 'br0', 'fake', 'nosuch', '']);
  }

  #databaseCommand(): string[] {
    const { dice } = this;
    const table = dice.chance(65)
      ? dice.pick(this.#tables.filter(([name]) => /^(Bridge|Port|Interface|Open_vSwitch|QoS|Mirror)$/.test(name)))
      : dice.pick(this.#tables);
    const [name, columns] = table;
    const table_ = this.#abbreviated(name);
    const record =
      name === 'Open_vSwitch' && dice.chance(80) ? '.' : dice.chance(75) ? dice.pick(['br0', 'p1', 'bond0', 'fake']) : dice.pick(NAMES);
    const column = dice.pick(columns);
    const some = (most: number, make: () => string): string[] => Array.from({ length: dice.below(most + 1) }, make);
    const maybe = (percent: number, ...words: string[]): string[] => (dice.chance(percent) ? words : []);
    const chosen = (): string[] =>
      maybe(75, `--columns=${some(4, () => this.#abbreviated(dice.pick(columns).name)).join(dice.pick([',', ',', ' ', ',,']))}`);
    switch (dice.below(13)) {
      case 0:
      case 1:
        return [...maybe(25, '--if-exists'), ...chosen(), 'list', table_, ...some(2, () => dice.pick([record, dice.pick(NAMES)]))];
      case 2:
      case 3:
        return [...chosen(), 'find', table_, ...some(2, () => this.#condition(dice.pick(columns)))];
      case 4:
      case 5:
        return [
          ...maybe(15, '--if-exists'),
          ...maybe(8, '--id=@x'),
          'get',
          table_,
          record,
          ...some(3, () => `${this.#columnKey(dice.pick(columns))}${dice.chance(3) ? '=1' : ''}`),
        ];
      case 6:
      case 7:
      case 8:
        return [
          ...maybe(10, '--if-exists'),
          'set',
          table_,
          record,
          this.#setting(column),
          ...some(2, () => this.#setting(dice.pick(columns))),
        ];
      case 9:
        return [
          ...maybe(10, '--if-exists'),
          dice.pick(['add', 'remove']),
          table_,
          record,
          this.#abbreviated(column.name),
          ...some(3, () => (dice.chance(30) ? dice.pick(KEYS) : this.#value(column))),
        ];
      case 10:
        return [...maybe(10, '--if-exists'), 'clear', table_, record, ...some(3, () => this.#abbreviated(dice.pick(columns).name))];
      case 11:
        return [
          ...maybe(50, `--id=${dice.pick(['@x', '@y', '@z', 'x', '', '@'])}`),
          'create',
          table_,
          ...some(3, () => this.#setting(dice.pick(columns))),
        ];
      default:
        return dice.chance(60)
          ? [...maybe(30, '--if-exists'), 'destroy', table_, ...some(2, () => record)]
          : ['--all', ...maybe(10, '--if-exists'), 'destroy', table_, ...maybe(10, record)];
    }
  }

  #switchCommand(): string[] {
    const { dice } = this;
    const maybe = (percent: number, ...words: string[]): string[] => (dice.chance(percent) ? words : []);
    const setting = (table: string): string[] =>
      dice.chance(30) ? [this.#setting(dice.pick(this.#tables.find(([name]) => name === table)?.[1] ?? []))] : [];
    const datapath = dice.pick(['netdev', 'system', 'nosuch', '']);
    // What is no number is taken from memory by Debian's.
    const zone = dice.pick(['zone=1', 'zone=2', 'zone=65535', 'zone=65536', 'zone=-1']);
    switch (dice.below(34)) {
      case 0:
      case 1:
        return [...maybe(40, '--may-exist'), 'add-br', this.#bridge()];
      case 2:
        return [
          ...maybe(40, '--may-exist'),
          'add-br',
          this.#bridge(),
          this.#bridge(),
          dice.pick(['5', '6', '0', '4095', '4096', 'x', '-1', '5x', '']),
        ];
      case 3:
        return [...maybe(40, '--if-exists'), 'del-br', this.#bridge()];
      case 4:
      case 5:
      case 6:
        return [...maybe(40, '--may-exist'), 'add-port', this.#bridge(), this.#port(), ...setting('Port'), ...setting('Port')];
      case 7:
      case 8:
        return [
          ...maybe(30, '--may-exist'),
          ...maybe(30, '--fake-iface'),
          'add-bond',
          this.#bridge(),
          dice.pick(['bond0', 'bond1', this.#port()]),
          ...Array.from({ length: dice.below(4) }, () => this.#port()),
          ...setting('Port'),
        ];
      case 9:
        return [...maybe(40, '--if-exists'), ...maybe(30, '--with-iface'), 'del-port', ...maybe(50, this.#bridge()), this.#port()];
      case 10:
        return [...maybe(40, '--may-exist'), 'add-bond-iface', this.#port(), this.#port()];
      case 11:
        return [...maybe(40, '--if-exists'), 'del-bond-iface', ...maybe(50, this.#port()), this.#port()];
      case 12:
        return [
          dice.pick([
            'list-ports',
            'list-ifaces',
            'br-exists',
            'br-to-vlan',
            'br-to-parent',
            'get-controller',
            'get-fail-mode',
            'get-aa-mapping',
          ]),
          this.#bridge(),
        ];
      case 13:
        return [dice.pick(['port-to-br', 'iface-to-br']), this.#port()];
      case 14:
        return [...maybe(20, '--real'), ...maybe(20, '--fake'), 'list-br'];
      case 15:
        return ['br-set-external-id', this.#bridge(), dice.pick(KEYS), ...maybe(70, dice.pick(TEXTS))];
      case 16:
        return ['br-get-external-id', this.#bridge(), ...maybe(50, dice.pick(KEYS))];
      case 17:
      case 18:
        return [
          ...maybe(20, `--inactivity-probe=${dice.pick(INTEGERS)}`),
          'set-controller',
          this.#bridge(),
          ...Array.from({ length: dice.below(3) }, () => dice.pick(TARGETS)),
        ];
      case 19:
        return [dice.pick(['del-controller', 'del-fail-mode']), this.#bridge()];
      case 20:
        return ['set-fail-mode', this.#bridge(), dice.pick(['secure', 'standalone', 'x', ''])];
      case 21:
        return [
          ...maybe(20, `--inactivity-probe=${dice.pick(INTEGERS)}`),
          'set-manager',
          ...Array.from({ length: dice.below(3) }, () => dice.pick(TARGETS)),
        ];
      case 22:
        return [dice.pick(['get-manager', 'del-manager', 'get-ssl', 'del-ssl', 'init', 'emer-reset'])];
      case 23:
        return [...maybe(30, '--bootstrap'), 'set-ssl', dice.pick(TEXTS), 'cert', 'ca'];
      case 24:
        return [dice.pick(['add-aa-mapping', 'del-aa-mapping']), this.#bridge(), dice.pick(INTEGERS), dice.pick(INTEGERS)];
      case 25:
        return [
          ...maybe(30, '--may-exist'),
          'add-zone-tp',
          datapath,
          zone,
          ...Array.from(
            { length: dice.below(3) },
            () => `${dice.pick(['tcp_syn_sent', 'udp_first', 'icmp_first', 'x', ''])}=${dice.pick(INTEGERS)}`,
          ),
        ];
      case 26:
        return [...maybe(30, '--if-exists'), 'del-zone-tp', datapath, ...maybe(80, zone)];
      case 27:
        return [dice.pick(['list-zone-tp', 'list-dp-cap']), datapath];
      case 28:
        return [
          '--',
          '--id=@d',
          'create',
          'Datapath',
          'datapath_version=1',
          'capabilities=a=true',
          '--',
          'set',
          'Open_vSwitch',
          '.',
          `datapaths:${dice.pick(['netdev', 'system'])}=@d`,
        ];
      case 29:
        return [
          '--',
          '--id=@m',
          'create',
          'mirror',
          `name=${dice.pick(['m0', 'm1', '""'])}`,
          '--',
          dice.pick(['add', 'set', 'remove']),
          'bridge',
          'br0',
          dice.pick(['mirrors', 'mirrors=@m']),
          '@m',
        ];
      case 30:
        return [
          'set',
          'port',
          this.#port(),
          'qos=@q',
          '--',
          '--id=@q',
          'create',
          'qos',
          'type=linux-htb',
          'queues=0=@a',
          '--',
          '--id=@a',
          'create',
          'queue',
          this.#setting(this.#tables.find(([name]) => name === 'Queue')?.[1][1] as Column),
        ];
      case 31:
        return ['comment', ...Array.from({ length: dice.below(3) }, () => dice.pick(TEXTS))];
      default:
        return ['show'];
    }
  }

  #globals(): string[] {
    const { dice } = this;
    const list: string[] = [];
    if (dice.chance(12)) list.push(dice.pick(['-f', '--format']), dice.pick(['table', 'list', 'csv', 'json', 'html', 'x']));
    if (dice.chance(8)) list.push(`--data=${dice.pick(['string', 'bare', 'json', 'x'])}`);
    if (dice.chance(3)) list.push('--no-headings');
    if (dice.chance(3)) list.push('--pretty');
    if (dice.chance(4)) list.push('--bare');
    if (dice.chance(4)) list.push('--oneline');
    if (dice.chance(4)) list.push('--dry-run');
    if (dice.chance(2)) list.push(`--max-column-width=${dice.pick(['5', '0', 'x', '-1', '1'])}`);
    if (dice.chance(1)) list.push(dice.pick(['--strange', '-Z', '--no-shuffle-remotes', '--dry', '--one', '--col=x', '--may-exist']));
    return list;
  }

  /** One command line. */
  next(): string[] {
    const { dice } = this;
    const words = this.#globals();
    const count = dice.chance(80) ? 1 : 2 + dice.below(2);
    for (let i = 0; i < count; i++) {
      if (i > 0 || dice.chance(5)) words.push('--');
      const command = dice.chance(55) ? this.#databaseCommand() : this.#switchCommand();
      if (dice.chance(2)) command.splice(dice.below(command.length), 1);
      if (dice.chance(1)) command.splice(dice.below(command.length + 1), 0, dice.pick(TEXTS));
      words.push(...command);
    }
    return words;
  }
}
