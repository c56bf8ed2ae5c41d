// The same command lines through Debian's ovs-ofctl and through ours, thousands of them a second: the reference under one shell script,
// ours in one process. What differs is a list.
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const REFERENCE = '/usr/bin/ovs-ofctl';
export const hasReference = existsSync(REFERENCE);

/** One command line; `stdin` has a byte a character. */
export interface Case {
  args: readonly string[];
  stdin?: string;
  /** What stands in a file that an argument names. */
  file?: string;
}

export interface Result {
  stdout: string;
  stderr: string;
  status: number;
  /** The messages that a switch was sent, in hexadecimal, one a line; `+` where a connection began. */
  sent?: string;
}

export interface Difference {
  case: Case;
  reference: Result;
  ours: Result;
}

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
/** Cases in one shell script, so that a script stays of reasonable size. */
const LIMIT_MS = 600_000;

function withScratch<T>(run: (dir: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), 'ofctl-compare-'));
  try {
    return run(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const MARK = '@@@end@@@';

/** Writes the script `script` into `dir`, of one command line after another. */
export function referenceScript(cases: readonly Case[], dir: string, program = REFERENCE): void {
  let script = '';
  for (const [index, { args, stdin }] of cases.entries()) {
    let input = '/dev/null';
    if (stdin !== undefined) {
      input = join(dir, `in${index}`);
      writeFileSync(input, Buffer.from(stdin, 'latin1'));
    }
    script += `${program} ${args.map(quote).join(' ')} <${input}; echo "${MARK}$?"; echo "${MARK}" >&2\n`;
  }
  writeFileSync(join(dir, 'script'), Buffer.from(script, 'latin1'));
}

/** What such a script's command lines answered, from its output in `out` and `err`. */
export function splitResults(dir: string, count: number): Result[] {
  const outs = readFileSync(join(dir, 'out'), 'latin1').split(MARK);
  const errs = readFileSync(join(dir, 'err'), 'latin1').split(`${MARK}\n`);
  return Array.from({ length: count }, (_, index) => {
    const after = outs[index + 1] ?? '';
    const text = outs[index] ?? '';
    return {
      stdout: index === 0 ? text : text.slice(text.indexOf('\n') + 1),
      // getopt says the name by which it was called.
      stderr: (errs[index] ?? '').replace(/^\/\S*\/ovs-ofctl: /gm, 'ovs-ofctl: '),
      status: Number.parseInt(after, 10),
    };
  });
}

/** What Debian's program answers. */
export function runReference(cases: readonly Case[]): Result[] {
  return withScratch((dir) => {
    referenceScript(cases, dir);
    const [out, err] = [openSync(join(dir, 'out'), 'w'), openSync(join(dir, 'err'), 'w')];
    spawnSync('sh', [join(dir, 'script')], { stdio: ['ignore', out, err], timeout: LIMIT_MS });
    closeSync(out);
    closeSync(err);
    return splitResults(dir, cases.length);
  });
}

/** What ours answers. */
export function runOurs(cases: readonly Case[]): Result[] {
  return withScratch((dir) => {
    writeFileSync(join(dir, 'jobs'), JSON.stringify(cases));
    const done = spawnSync(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        join(import.meta.dirname, 'ofctl-in-process.ts'),
        join(dir, 'jobs'),
        join(dir, 'results'),
        join(dir, 'in'),
      ],
      { timeout: LIMIT_MS, stdio: ['ignore', 'inherit', 'inherit'] },
    );
    if (done.status !== 0) throw new Error(`ovs-ofctl in process ended with ${done.status ?? done.signal}`);
    return JSON.parse(readFileSync(join(dir, 'results'), 'utf8')) as Result[];
  });
}

/** Log lines without time and serial number: rate limits and the syslog's lines count differently. */
export const withoutTime = (text: string): string => text.replace(/(?<=^|Error OFP\w+ for: )\d{4}-\d\d-\d\dT[\d:.]+Z\|\d+\|/gm, '');

export const same = (a: Result, b: Result, withErrors: boolean): boolean =>
  a.status === b.status && a.stdout === b.stdout && a.sent === b.sent && (!withErrors || withoutTime(a.stderr) === withoutTime(b.stderr));

/** Runs every case through both and gives those that differ, on stderr too if `withErrors`. */
export function compare(cases: readonly Case[], withErrors = true): Difference[] {
  const reference = runReference(cases);
  const ours = runOurs(cases);
  return cases.flatMap((one, index) => {
    const [r, o] = [reference[index], ours[index]];
    if (r === undefined || o === undefined) throw new Error('results are missing');
    return same(r, o, withErrors) ? [] : [{ case: one, reference: r, ours: o }];
  });
}

/** A difference for a person to read: the command line and the lines that differ. */
export function describe({ case: { args, stdin, file }, reference, ours }: Difference): string {
  const lines = (r: Result): string[] => [
    `exit ${r.status}`,
    ...r.stdout.trimEnd().split('\n'),
    ...withoutTime(r.stderr).trimEnd().replace(/^/gm, '! ').split('\n'),
    ...(r.sent === undefined ? [] : r.sent.split('\n')),
  ];
  const [theirs, mine] = [lines(reference), lines(ours)];
  let same = 0;
  while (same < theirs.length && theirs[same] === mine[same]) same++;
  const show = (mark: string, list: string[]): string[] => list.slice(same, same + 6).map((line) => `${mark} ${line}`);
  const head = `--- ovs-ofctl ${args.map(quote).join(' ')}${stdin === undefined ? '' : ` <<< ${stdin.trimEnd().slice(0, 400)}`}${file === undefined ? '' : `\nFILE ${JSON.stringify(file).slice(0, 900)}`}`;
  return [head, ...show('<', theirs), ...show('>', mine)].join('\n');
}

/** Commands that answer line by line of standard input, and how the answers are told apart. */
const RECORD_ENDS: ReadonlyMap<string, RegExp> = new Map([
  ['parse-actions', /(?<=\n\n)/],
  ['parse-instructions', /(?<=\n\n)/],
  ['parse-ofp10-match', /(?<=\n\n)/],
  ['parse-ofp11-match', /(?<=\n\n)/],
  ['parse-nxm', /(?<=\n)/],
  ['parse-oxm', /(?<=\n)/],
]);
const LINES_AT_ONCE = 50;

/**
 * As `compare`, with many lines to a process, for cases whose standard input is one line. Standard error is not compared: the reference
 * limits the rate of its log. Lines that end the command are compared alone.
 */
export function compareLines(cases: readonly Case[]): Difference[] {
  const groups = new Map<string, Case[]>();
  for (const one of cases) {
    const key = one.args.join(' ');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  const batches: Case[][] = [];
  for (const group of groups.values())
    for (let at = 0; at < group.length; at += LINES_AT_ONCE) batches.push(group.slice(at, at + LINES_AT_ONCE));
  const joined = batches.map((batch): Case => ({ args: batch[0]?.args ?? [], stdin: batch.map(({ stdin = '' }) => stdin).join('') }));
  const [reference, ours] = [runReference(joined), runOurs(joined)];
  const apart: Case[] = [];
  for (const [index, batch] of batches.entries()) {
    const end = RECORD_ENDS.get(batch[0]?.args.find((word) => RECORD_ENDS.has(word)) ?? '');
    const split = (result: Result | undefined): string[] =>
      end === undefined ? [] : (result?.stdout ?? '').split(end).filter((text) => text !== '');
    const [theirs, mine] = [split(reference[index]), split(ours[index])];
    if (reference[index]?.status !== 0 || theirs.length !== batch.length || mine.length !== batch.length) apart.push(...batch);
    else for (const [i, one] of batch.entries()) if (theirs[i] !== mine[i]) apart.push(one);
  }
  return compare(apart, false);
}
