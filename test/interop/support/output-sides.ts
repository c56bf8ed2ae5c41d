// Command lines of one tool, Debian's and ours, on the same rows: stdout, stderr and exit code must be the same bytes.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { damagedLog, vsctlLine, vsctlRows } from './output-more.ts';
import { hardText, insertRows, type OutputColumn, outputColumns, outputSchema } from './output-rows.ts';
import { Dice } from './ovsdb-random-schema.ts';
import { RawRpc } from './raw-rpc.ts';

const root = join(import.meta.dirname, '../../..');
const SERVERS = ['/usr/sbin/ovsdb-server', join(root, 'bin/ovsdb-server')] as const;

interface Outcome {
  stdout: string;
  stderr: string;
  status: number | null;
}

/** One tool of both sides, ours in one process. */
class Tools {
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-output-'));
  readonly #tool: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #runner: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly faults: string[] = [];
  #server: ChildProcess | undefined;

  constructor(tool: string) {
    this.#tool = tool;
    this.#env = { ...process.env, OVS_RUNDIR: this.dir, OVS_DBDIR: this.dir, OVS_LOGDIR: this.dir, TZ: 'UTC' };
    const args = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'tool-in-process.ts'), tool];
    this.#runner = spawn(process.execPath, args, { env: this.#env, cwd: this.dir, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#runner.stdout! })[Symbol.asyncIterator]();
  }

  create(schema: string): void {
    execFileSync('/usr/bin/ovsdb-tool', ['create', join(this.dir, 'db'), schema]);
  }

  async serve(program: string): Promise<RawRpc> {
    const { dir } = this;
    const args = [`--remote=punix:${dir}/db.sock`, `--unixctl=${dir}/ctl`, '-vconsole:off', `${dir}/db`];
    this.#server = spawn(program, args, { env: this.#env, stdio: 'ignore' });
    return RawRpc.open(`${dir}/db.sock`);
  }

  /** What of an output both sides need not have alike is taken out by `normal`. */
  async compare(args: readonly string[], normal: (text: string) => string = (text) => text): Promise<Outcome> {
    const plain = ({ stdout, stderr, status }: Outcome): Outcome => ({
      stdout: normal(stdout),
      stderr: normal(stderr)
        .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\|\d+/g, 'TIME')
        .replaceAll(`/usr/bin/${this.#tool}:`, `${this.#tool}:`),
      status,
    });
    // ASCII: some characters end a line too.
    const line = JSON.stringify(args).replaceAll(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
    this.#runner.stdin!.write(`${line}\n`);
    const theirs = new Promise<Outcome>((resolve) => {
      const options = { env: this.#env, cwd: this.dir, encoding: 'latin1', maxBuffer: 1 << 26 } as const;
      const child = execFile(`/usr/bin/${this.#tool}`, args, options, (_, stdout, stderr) =>
        resolve({ stdout, stderr, status: child.exitCode }),
      );
    });
    const want = plain(await theirs);
    const have = plain(JSON.parse((await this.#answers.next()).value as string) as Outcome);
    // Of some input the reference dies.
    if (want.status === null && have.status !== null) return want;
    // Of a difference between two sets of the column's size the reference says this, in its own logs too.
    if (/Datum crated by diff has size error|must have \d+ to \d+ members but/.test(want.stderr)) return want;
    if (JSON.stringify(want) !== JSON.stringify(have)) this.faults.push(`${JSON.stringify(args)}\n${difference(want, have)}`);
    return want;
  }

  stop(): void {
    this.#runner.kill();
    this.#server?.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Where two outcomes part. */
function difference(want: Outcome, have: Outcome): string {
  const [a, b] = [want, have].map((one) => JSON.stringify(one)) as [string, string];
  let at = 0;
  while (a[at] === b[at]) at++;
  const from = Math.max(0, at - 60);
  if (process.env['WEFT_OUTPUT_WHOLE'] !== undefined)
    return `  want ${want.stdout}${want.stderr}${want.status}\n  have ${have.stdout}${have.stderr}${have.status}`;
  return `  want ${a.slice(from, at + 120)}\n  have ${b.slice(from, at + 120)}`;
}

async function withTools(tool: string, body: (tools: Tools) => Promise<void>): Promise<void> {
  const tools = new Tools(tool);
  try {
    await body(tools);
    assert.equal(tools.faults.length, 0, `${tools.faults.length} differ:\n${tools.faults.join('\n')}`);
  } finally {
    tools.stop();
  }
}

const FORMATS = ['table', 'list', 'html', 'csv', 'json'];

/** Options of the output, each now and then. */
export function outputOptions(dice: Dice): string[] {
  const options: string[] = [];
  if (dice.chance(80)) options.push(...dice.pick([['-f', dice.pick(FORMATS)], [`--format=${dice.pick(FORMATS)}`]]));
  if (dice.chance(70)) options.push(`--data=${dice.pick(['string', 'bare', 'json'])}`);
  if (dice.chance(20)) options.push('--no-headings');
  if (dice.chance(25)) options.push('--pretty');
  if (dice.chance(8)) options.push('--bare');
  if (dice.chance(15)) options.push(`--max-column-width=${dice.pick(['0', '1', '5', '8', '20', '-1', 'x'])}`);
  return options;
}

const clause = (dice: Dice, columns: readonly OutputColumn[]): string => {
  const column = dice.pick(columns);
  return `["${column.name}","${dice.pick(['==', '!=', 'includes', 'excludes'])}",${insertRows(dice, [column], 1).match(/"row":\{"[^"]+":(.*)\}\}\]$/s)?.[1] ?? '1'}]`;
};

function clientLine(dice: Dice, columns: readonly OutputColumn[]): string[] {
  const names = (): string[] => columns.filter(() => dice.chance(40)).map(({ name }) => name);
  switch (dice.below(10)) {
    case 0:
      return [...outputOptions(dice), 'list-columns', 'Out', ...(dice.chance(50) ? ['T'] : [])];
    case 1: {
      const select = `{"op":"select","table":"T","where":[${dice.chance(50) ? '' : clause(dice, columns)}],"columns":${JSON.stringify(['_uuid', ...names()])}}`;
      return [...outputOptions(dice), dice.pick(['query', 'transact']), `["Out",${select}]`];
    }
    case 2: {
      const text = JSON.stringify(hardText(dice));
      const operation = dice.pick([
        `{"op":"comment","comment":${text}}`,
        `{"op":${text}}`,
        `{"op":"select","table":${text},"where":[]}`,
        `{"op":"select","table":"T","where":[],"columns":[${text}]}`,
        `{"op":"insert","table":"T","row":{${text}:1}}`,
        `{"op":"mutate","table":"T","where":[],"mutations":[[${text},"+=",1]]}`,
        `{"op":"assert","lock":${text}}`,
        insertRows(dice, columns, 1).slice(7, -1),
      ]);
      return [...outputOptions(dice), 'query', `["Out",${operation}]`];
    }
    default:
      return [...outputOptions(dice), 'dump', 'Out', 'T', ...(dice.chance(50) ? names() : [])];
  }
}

export async function clientLines(seed: number, count: number): Promise<void> {
  const dice = new Dice(seed);
  await withTools('ovsdb-client', async (tools) => {
    const columns = outputColumns(dice, 12);
    writeFileSync(join(tools.dir, 'schema'), outputSchema(columns));
    tools.create(join(tools.dir, 'schema'));
    const rpc = await tools.serve(SERVERS[seed % 2] as string);
    for (let i = 0; i < 3; i++) {
      const answer = await rpc.call('transact', insertRows(dice, columns, 6));
      assert.doesNotMatch(answer, /"error":"/, answer);
    }
    const normal = (text: string): string =>
      // A row of the query's own has no UUID that both know, nor has one's version.
      text.replaceAll(/(?<!1[0-9a-f]{0,7})\b(?!1[0-9a-f]{7}-1111)[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID');
    for (let i = 0; i < count; i++) await tools.compare(clientLine(dice, columns), normal);
    rpc.close();
  });
}

export async function toolLines(seed: number, count: number): Promise<void> {
  const dice = new Dice(seed ^ 0x5555);
  await withTools('ovsdb-tool', async (tools) => {
    let left = count;
    while (left > 0) {
      // Of a set that must not be empty the reference misreads the first difference in its own log.
      const columns = outputColumns(dice, 6).map((column) => (column.max > 1 ? { ...column, min: 0 } : column));
      writeFileSync(join(tools.dir, 'schema'), outputSchema(columns));
      rmSync(join(tools.dir, 'db'), { force: true });
      tools.create(join(tools.dir, 'schema'));
      // Written by Debian's tool, with what it makes of each transaction.
      for (let i = 0; i < 5; i++) {
        const comment = `{"op":"comment","comment":${JSON.stringify(hardText(dice))}}`;
        const text = dice.chance(25)
          ? `["Out",{"op":"delete","table":"T","where":[${dice.chance(60) ? clause(dice, columns) : ''}]},${comment}]`
          : dice.chance(40)
            ? `["Out",{"op":"update","table":"T","where":[],"row":{"${columns[0]?.name}":${clause(dice, [columns[0] as OutputColumn])
                .replace(/^\["[^"]+","[^"]+",/, '')
                .slice(0, -1)}}},${comment}]`
            : `${insertRows(dice, columns, 3).slice(0, -1)},${comment}]`;
        // A value that stands for no condition of its column is refused, and not in the log.
        spawnSync('/usr/bin/ovsdb-tool', ['transact', join(tools.dir, 'db'), text], { stdio: 'ignore' });
      }
      const whole = readFileSync(join(tools.dir, 'db'));
      for (let i = 0; i < 20 && left > 0; i++, left--) {
        writeFileSync(join(tools.dir, 'log'), i === 0 ? whole : damagedLog(dice, whole));
        const level = dice.pick([[], ['-m'], ['-mm'], ['-mmm'], ['-m', '-m']]);
        const line = dice.pick([
          [...level, 'show-log', 'log'],
          [...level, 'show-log', 'log'],
          ['query', 'log', `["Out",{"op":"select","table":"T","where":[]}]`],
          ['db-name', 'log'],
          ['check-cluster', 'log'],
        ]);
        // Rows come in the order of a table that deletions went through.
        const normal = (text: string): string =>
          line[0] === 'query'
            ? text
                .replaceAll(/"_version":\["uuid","[0-9a-f-]+"\]/g, '"_version":V')
                .split(/(?<=\}),(?=\{)/)
                .map((row) => row.replaceAll(/^\[\{"rows":\[|\]\}\]\n$/g, ''))
                .sort()
                .join('\n')
            : text;
        await tools.compare(line, normal);
      }
    }
  });
}

export async function vsctlLines(seed: number, count: number): Promise<void> {
  const dice = new Dice(seed ^ 0xaaaa);
  await withTools('ovs-vsctl', async (tools) => {
    tools.create('/usr/share/openvswitch/vswitch.ovsschema');
    const rpc = await tools.serve(SERVERS[seed % 2] as string);
    for (let i = 0; i < count; i++) {
      if (i % 60 === 0) {
        for (const table of ['Open_vSwitch', 'QoS', 'Queue'])
          await rpc.call('transact', `["Open_vSwitch",{"op":"delete","table":"${table}","where":[]}]`);
        const answer = await rpc.call('transact', vsctlRows(dice));
        assert.doesNotMatch(answer, /"error":"/, answer);
      }
      await tools.compare([`--db=unix:${tools.dir}/db.sock`, '--no-wait', ...outputOptions(dice), ...vsctlLine(dice)]);
    }
    rpc.close();
  });
}
