// The same command lines of the OVSDB programs in two folders, one for Debian's and one for ours: output and exit code must be equal.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeText, encodeText } from '../../../src/base/byte-text.ts';
import { endProcess } from './end-process.ts';

export const schema = '/usr/share/openvswitch/vswitch.ovsschema';
export const skip =
  existsSync('/usr/bin/ovsdb-tool') && existsSync('/usr/sbin/ovsdb-server') && existsSync(schema) ? false : 'needs openvswitch-switch';
const bin = join(import.meta.dirname, '../../../bin');
const places = new Map([
  ['ovsdb-tool', '/usr/bin'],
  ['ovsdb-client', '/usr/bin'],
  ['ovs-vsctl', '/usr/bin'],
  ['ovsdb-server', '/usr/sbin'],
  ['ovs-appctl', '/usr/bin'],
  ['ovs-ofctl', '/usr/bin'],
]);

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const SMALL_SCHEMA = {
  name: 'Small',
  version: '1.2.3',
  cksum: '12345 678',
  tables: {
    T: {
      isRoot: true,
      maxRows: 5,
      indexes: [['name']],
      columns: {
        name: { type: 'string' },
        n: { type: { key: { type: 'integer', minInteger: 0, maxInteger: 9 }, min: 0, max: 'unlimited' } },
        m: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
        r: { type: { key: { type: 'uuid', refTable: 'U' }, min: 0, max: 1 } },
        x: { type: 'real', ephemeral: true },
        e: { type: { key: { type: 'string', enum: ['set', ['a', 'b']] }, min: 0, max: 1 } },
      },
    },
    U: { columns: { b: { type: 'boolean' } } },
  },
};

/** Said by one of the two only because of how it is built. */
const NOISE = /^.*could not unlink.*\n/gm;

/** No command here takes as long. */
const PATIENCE_MS = 20_000;
/** What is to be ended by a signal waits by then, or so long after it has said its first word. */
const UNTIL_ENDED_MS = 2500;
const UNTIL_ALL_SAID_MS = 500;

/** The runtime cannot give a program words that are no UTF-8: the shell can. */
function spawnable(program: string, args: readonly string[]): [string, readonly string[]] {
  if (args.every((arg) => arg.isWellFormed())) return [program, args];
  const octal = (arg: string): string => [...encodeText(arg)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  return ['/bin/sh', ['-c', `exec "$0" ${args.map((arg) => `"$(printf '${octal(arg)}')"`).join(' ')}`, program]];
}

/** One of the two sides: a folder and the place of its programs. */
export class Side {
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-ovsdb-tools-'));
  readonly #isOurs: boolean;
  readonly #env: NodeJS.ProcessEnv;

  constructor(isOurs: boolean) {
    this.#isOurs = isOurs;
    const { dir } = this;
    this.#env = { ...process.env, OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir, OVS_PKGDATADIR: '/usr/share/openvswitch', TZ: 'UTC' };
    writeFileSync(join(dir, 'small'), JSON.stringify(SMALL_SCHEMA));
    const { e: _, ...columns } = SMALL_SCHEMA.tables.T.columns;
    const next = {
      ...SMALL_SCHEMA,
      version: '1.3.0',
      tables: { T: { ...SMALL_SCHEMA.tables.T, columns: { ...columns, f: { type: 'string' } } } },
    };
    const { r: __, ...withoutR } = next.tables.T.columns;
    next.tables.T.columns = withoutR as typeof next.tables.T.columns;
    writeFileSync(join(dir, 'small2'), JSON.stringify(next));
    writeFileSync(join(dir, 'nojson'), '{"name": ');
    writeFileSync(join(dir, 'noschema'), '{"name": "X", "tables": {"T": {"columns": {"c": {"type": "strange"}}}}}');
    writeFileSync(join(dir, 'garbage'), 'this is no database\n');
    writeFileSync(join(dir, 'empty'), '');
  }

  program(name: string): string {
    return this.#isOurs ? join(bin, name) : `${places.get(name)}/${name}`;
  }

  run(line: readonly string[]): Promise<string> {
    const isEnded = line[0] === 'ended';
    const [name = '', ...words] = isEnded ? line.slice(1) : line;
    // `<file` and `>file`, as in a shell.
    const args = words.filter((word) => !/^[<>]\w/.test(word)).map((word) => word.replaceAll('DIR', this.dir));
    const [input, outputFile] = ['<', '>'].map((mark) => words.find((word) => word.startsWith(mark) && /^[<>]\w/.test(word))?.slice(1));
    const stdin = input === undefined ? 'ignore' : openSync(join(this.dir, input), 'r');
    return new Promise((resolve) => {
      const [program, argv] = spawnable(this.program(name), args);
      const child = spawn(program, argv, { env: this.#env, cwd: this.dir, stdio: [stdin, 'pipe', 'pipe'] });
      const killIn = (ms: number): NodeJS.Timeout => setTimeout(() => child.kill(isEnded ? 'SIGTERM' : 'SIGKILL'), ms);
      let timer = killIn(isEnded ? UNTIL_ENDED_MS : PATIENCE_MS);
      let [out, err] = ['', ''];
      if (isEnded)
        child.stdout?.once('data', () => {
          clearTimeout(timer);
          timer = killIn(UNTIL_ALL_SAID_MS);
        });
      child.stdout?.on('data', (bytes: Buffer) => (out += decodeText(bytes)));
      child.stderr?.on('data', (bytes: Buffer) => (err += decodeText(bytes)));
      child.on('exit', (status, signal) => {
        clearTimeout(timer);
        if (typeof stdin === 'number') closeSync(stdin);
        // What a daemon left behind may hold the pipes; what this process said is there soon.
        const end = (): void => {
          if (outputFile !== undefined) {
            writeFileSync(join(this.dir, outputFile), out);
            out = '';
          }
          resolve(this.#normal(`${out}|${err.replaceAll(NOISE, '')}|${status}|${signal}`));
        };
        const wait = setTimeout(end, 500);
        child.on('close', () => {
          clearTimeout(wait);
          end();
        });
      });
    });
  }

  #normal(text: string): string {
    const names = new Map<string, string>();
    return (
      text
        .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
        .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}/g, 'TIME')
        .replaceAll(/(\/usr\/s?bin|[^ |\n]*\/bin)\/(ovs[a-z-]+)(?=[: ])/g, '$2')
        .replaceAll(this.dir, 'DIR')
        .replaceAll(/\|(\d+)\|(\w+)\|(EMER|ERR|WARN|INFO)\|/g, '|N|$2|$3|')
        // Said again at each turn until the command of --run has ended.
        .replaceAll(/^(.*SSL protocol not recognized\n)\1+/gm, '$1')
        .replaceAll(/already locked by pid \d+/g, 'already locked by pid N')
        // Which of two equal rows is named first is the chance of a hash.
        .replaceAll(/First row, with UUID (\S+), (.*?)\. {2}Second row, with UUID (\S+), (.*?)\.(?=")/g, (_, a, b, c, d) =>
          [`${a} ${b}`, `${c} ${d}`].sort((x, y) => (x.slice(37) < y.slice(37) ? -1 : 1)).join(' and '),
        )
        .replaceAll(/"_date":\d+/g, '"_date":N')
        .replaceAll(UUID, (uuid) => names.get(uuid) ?? (names.set(uuid, `UUID${names.size}`).get(uuid) as string))
        .replaceAll(/\b[0-9a-f]{8}\b/g, 'SHORT')
        .replaceAll(/((?:server_id|cluster_id|prev_eid|prev_servers): |cluster ID )[0-9a-f]{4}\b/g, '$1ID')
    );
  }

  stop(): void {
    for (const name of ['db.pid', 'second.pid']) {
      const file = join(this.dir, name);
      if (existsSync(file)) endProcess(Number(readFileSync(file, 'utf8')));
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Lists, rows and columns come in the order of hash tables. */
function isUnordered(step: readonly string[]): boolean {
  return /list-|show-log|dump|monitor|query|ptcp:1|nosuch.sock/.test(step.join(' '));
}

/** The items of an output, each once, sorted. */
function sorted(text = ''): string {
  return [...new Set(text.replaceAll(/[[\]{}]|UUID\d+/g, '').split(/\\n|[,|:\n ]/))].sort().join('\n');
}

type Line = readonly string[];
/** A line, lines in any order that may run at the same time, or something to do. */
type Step = Line | { anyOrder: readonly Line[] } | ((side: Side) => void);
const AT_A_TIME = 8;

export const anyOrder = (...lines: readonly Line[]): Step => ({ anyOrder: lines });

/** The same, in the very order: for lines whose rows have UUIDs that both sides know. */
export const compareExactly = (steps: readonly Step[]): Promise<void> => compare(steps, true);

export async function compare(steps: readonly Step[], isExact = false): Promise<void> {
  const sides = [new Side(false), new Side(true)] as const;
  const faults: string[] = [];
  let count = 0;
  const compareLine = async (line: Line): Promise<void> => {
    const [want, have] = await Promise.all(sides.map((side) => side.run(line)));
    // Of some files the reference dies.
    if (/\|null\|SIG/.test(want ?? '') && !/\|null\|SIG/.test(have ?? '')) return;
    if (want !== have && !(!isExact && isUnordered(line) && sorted(want) === sorted(have)))
      faults.push(`${line.join(' ')}\n  want ${JSON.stringify(want)}\n  have ${JSON.stringify(have)}`);
  };
  try {
    for (const step of steps) {
      if (typeof step === 'function') {
        for (const side of sides) step(side);
        continue;
      }
      const lines = 'anyOrder' in step ? step.anyOrder : [step];
      count += lines.length;
      for (let at = 0; at < lines.length; at += AT_A_TIME)
        await Promise.all(lines.slice(at, at + AT_A_TIME).map((line) => compareLine(line)));
    }
  } finally {
    for (const side of sides) side.stop();
  }
  assert.equal(faults.length, 0, `${faults.length} of ${count} differ:\n${faults.join('\n')}`);
}

export const tool = (...args: string[]): string[] => ['ovsdb-tool', ...args];
export const client = (...args: string[]): string[] => ['ovsdb-client', ...args];
/** The line of a program that is ended by SIGTERM while it waits. */
export const ended = (...line: string[]): string[] => ['ended', ...line];
export const server = (...args: string[]): string[] => ['ovsdb-server', ...args];
export const insert = (row: object, table = 'T'): string =>
  JSON.stringify(['Small', { op: 'insert', table, row }, { op: 'comment', comment: 'a "row"' }]);
