// ovs-vsctl in two places, Debian's and ours, each with a database of its own: the same command lines must give the same output and the same content.
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { endProcess } from './end-process.ts';

export const schema = '/usr/share/openvswitch/vswitch.ovsschema';
export const skip = existsSync('/usr/bin/ovs-vsctl') && existsSync(schema) ? false : 'needs openvswitch-switch';
export const ours = join(import.meta.dirname, '../../../bin/ovs-vsctl');
export const ourServer = join(import.meta.dirname, '../../../bin/ovsdb-server');

export interface Outcome {
  stdout: string;
  stderr: string;
  status: number | null;
}

/** One ovs-vsctl with a server of its own. */
export class Side {
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-vsctl-'));
  readonly #program: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #runner: ChildProcessByStdio<Writable, Readable, null> | undefined;
  readonly #answers: AsyncIterator<string> | undefined;

  /** `isInProcess`: most command lines of ours run in one process, because to start it five hundred times takes minutes. */
  constructor(program: string, server: string, isInProcess: boolean) {
    this.#program = program;
    const { dir } = this;
    this.#env = { ...process.env, OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir };
    execFileSync('/usr/bin/ovsdb-tool', ['create', `${dir}/conf.db`, schema]);
    const args = [`--remote=punix:${dir}/db.sock`, '--detach', `--pidfile=${dir}/db.pid`, '--log-file', '-vconsole:off', `${dir}/conf.db`];
    assert.equal(spawnSync(server, args, { env: this.#env, stdio: 'ignore' }).status, 0);
    if (!isInProcess) return;
    const main = join(import.meta.dirname, 'vsctl-in-process.ts');
    this.#runner = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], {
      env: this.#env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#answers = createInterface({ input: this.#runner.stdout })[Symbol.asyncIterator]();
  }

  async run(args: readonly string[], isWhole: boolean): Promise<Outcome> {
    const argv = [`--db=unix:${this.dir}/db.sock`, '--no-wait', ...args];
    let outcome: Outcome;
    if (this.#runner !== undefined && this.#answers !== undefined && !isWhole) {
      this.#runner.stdin.write(`${JSON.stringify(argv)}\n`);
      outcome = JSON.parse((await this.#answers.next()).value as string) as Outcome;
    } else {
      outcome = await whole(this.#program, argv, this.#env);
    }
    const plain = (text: string): string =>
      text
        .replaceAll(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/gm, 'TIME')
        .replaceAll('/usr/bin/ovs-vsctl:', 'ovs-vsctl:')
        // Which of several is named first is the chance of a hash.
        .replaceAll(/row id "@\w+" is referenced but never created .*/g, 'row id is referenced but never created')
        .replaceAll(/>[0-9a-f]{8}</g, '>SHORT<')
        .replaceAll(this.dir, 'DIR')
        .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID');
    return { stdout: ordered(plain(outcome.stdout), args), stderr: plain(outcome.stderr), status: outcome.status };
  }

  dump(): string {
    const text = execFileSync('/usr/bin/ovsdb-client', ['dump', `unix:${this.dir}/db.sock`, 'Open_vSwitch', '--format=json'], {
      env: this.#env,
      encoding: 'utf8',
    });
    const tables = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { caption: string; data: unknown[][] });
    // A row's UUID is replaced by a name made of what it holds, so that references compare too.
    const names = new Map<string, string>();
    for (const { caption, data } of tables) {
      for (const row of data) {
        const own = JSON.stringify(row[0])
          .replaceAll(/[^0-9a-f-]/g, '')
          .slice(-36);
        const rest = JSON.stringify(row.slice(1)).replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '');
        names.set(own, `${caption} ${rest}`);
      }
    }
    const hide = (value: unknown): unknown => {
      if (typeof value === 'string') return names.get(value) ?? value;
      if (!Array.isArray(value)) return value;
      const list = value.map(hide);
      return list[0] === 'set' || list[0] === 'map' ? [list[0], (list[1] as unknown[]).map((v) => JSON.stringify(v)).sort()] : list;
    };
    return tables.map(({ caption, data }) => [caption, ...data.map((row) => JSON.stringify(hide(row))).sort()].join('\n')).join('\n\n');
  }

  stop(): void {
    this.#runner?.kill();
    endProcess(Number(readFileSync(`${this.dir}/db.pid`, 'utf8')));
    rmSync(this.dir, { recursive: true });
  }
}

/** No command line here takes as long. */
const PATIENCE_MS = 10_000;

function whole(program: string, argv: string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(program, argv, { env, encoding: 'utf8', timeout: PATIENCE_MS, killSignal: 'SIGKILL' }, (_, stdout, stderr) =>
      resolve({ stdout, stderr, status: child.exitCode }),
    );
  });
}

/** Rows come in an order that follows from their UUIDs: sorts what stands for rows, in `show` with what belongs to each. */
function ordered(given: string, args: readonly string[]): string {
  const text =
    args.some((arg) => arg.length > 3 && '--oneline'.startsWith(arg)) && args.includes('show') ? given.replaceAll('\\n', '\n') : given;
  const end = text.endsWith('\n') ? '\n' : '';
  const lines = text.slice(0, text.length - end.length);
  // Pairs in the order of a hash of their keys.
  const isJson = args.some((arg, at) => arg === '--format=json' || (arg === 'json' && /^(-f|--format)$/.test(args[at - 1] ?? '')));
  if (args.includes('list-dp-cap') || isJson)
    return (
      lines
        .split(/[\s,[\]]+/)
        .sort()
        .join(' ') + end
    );
  if (args.includes('show')) return sortTree(lines.split('\n'), 0).join('\n') + end;
  // What other commands print stands before the first row without a blank line between, and a list of no rows leaves one.
  const hasSeveral = args.includes(
    '--',
    args.findIndex((arg) => !arg.startsWith('-')),
  );
  if (hasSeveral || args.some((arg) => /^(-f|--format|--bare|--commands)/.test(arg))) return lines.split('\n').sort().join('\n') + end;
  return lines.split('\n\n').sort().join('\n\n') + end;
}

/** The lines with subtrees (what follows with more indentation) sorted at each level. */
function sortTree(lines: readonly string[], depth: number): string[] {
  const groups: string[][] = [];
  for (const line of lines) {
    const indent = line.length - line.trimStart().length;
    if (indent <= depth || groups.length === 0) groups.push([line]);
    else groups.at(-1)?.push(line);
  }
  const sorted = groups.map(([head = '', ...rest]) => [head, ...(rest.length === 0 ? [] : sortTree(rest, depth + 4))].join('\n'));
  return sorted.sort();
}

/** The reference dies of a row that the same transaction deletes twice, or deletes and then looks at; what comes after in ours is not compared. */
const hasDied = ({ stderr, status }: Outcome): boolean =>
  status === null && /assertion row->new_datum != NULL failed in ovsdb_idl_(?:txn_\w+|read)\(\)/.test(stderr);

/** The reference waits for ever to create the second row of a table that takes one, when nothing refers to it. */
const waitsForEver = (args: readonly string[], { stderr, status }: Outcome): boolean =>
  status === null && args.includes('create') && stderr.includes('without --id option will have no effect');

/** Two right answers to one line, of which a hash decides. */
function isChance(args: readonly string[], want: Outcome, have: Outcome): boolean {
  if (want.stdout !== have.stdout || want.status !== have.status) return false;
  const isViolation = ({ stderr }: Outcome): boolean =>
    stderr.includes('transaction error: {"details":') && stderr.includes('constraint violation');
  // Where no zone is given the reference takes what lies in memory.
  if (args.includes('add-zone-tp') && have.stderr.includes('argument is not "zone=ZONE_ID"')) return true;
  // Of several rows that are wrong the server hears first of whichever stands first in a table by UUID.
  const zone = args.find((arg) => arg.startsWith('zone='));
  if (args.includes('add-zone-tp') && !(Number(zone?.slice(5)) >= 0 && Number(zone?.slice(5)) < 65536))
    return isViolation(want) && isViolation(have);
  // Values that `add` adds go to the server in the order of a hash.
  const words = ({ stderr }: Outcome): string => (stderr.match(/[^",\\[\]]+/g) ?? []).sort().join();
  return args.includes('add') && /set must have|operator may not be applied/.test(want.stderr) && words(want) === words(have);
}

const WHOLE_EVERY = 24;

export type Programs = readonly [client: string, server: string];
export const THEIRS: Programs = ['/usr/bin/ovs-vsctl', '/usr/sbin/ovsdb-server'];

/** Runs each line with Debian's programs and with the others; outcomes and contents must be equal. */
export async function compare(lines: readonly (readonly string[])[], ...others: readonly Programs[]): Promise<void> {
  const sides = [THEIRS, ...others].map(([client, server]) => new Side(client, server, client === ours));
  const faults: string[] = [];
  try {
    for (const [at, args] of lines.entries()) {
      // What ends the process, or leaves something set in it, has one of its own.
      const isWhole = at % WHOLE_EVERY === 0 || args.some((arg) => /^(-t|--ti|-v|--verbose|--syslog|--help|-h$|--db=ssl)/.test(arg));
      const [want, ...have] = await Promise.all(sides.map((side) => side.run(args, isWhole)));
      for (const [which, outcome] of have.entries()) {
        if (isDeepStrictEqual(want, outcome) || isChance(args, want as Outcome, outcome)) continue;
        if (waitsForEver(args, want as Outcome) && outcome.status === 0) continue;
        if (hasDied(want as Outcome) && outcome.status === 1) continue;
        const [client, server] = others[which] as Programs;
        const by = `${client === ours ? 'our' : 'their'} client, ${server === ourServer ? 'our' : 'their'} server`;
        faults.push(`${JSON.stringify(args)} (${by})\n  want ${JSON.stringify(want)}\n  have ${JSON.stringify(outcome)}`);
      }
    }
    assert.equal(faults.length, 0, `${faults.length} of ${lines.length} differ:\n${faults.join('\n')}`);
    const dump = sides[0]?.dump();
    for (const side of sides.slice(1)) assert.equal(side.dump(), dump);
  } finally {
    for (const side of sides) side.stop();
  }
}
