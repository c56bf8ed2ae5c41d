// The same command lines through Debian's ovs-ofctl and through ours, each before a switch of its own that keeps what it is told
// (peer.ts). Equal means the same bytes sent, stdout, exit code and stderr but for the time in log lines.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Case, type Difference, type Result, referenceScript, same, splitResults } from '../programs.ts';
import { type PeerSettings, RecordingPeer } from './peer.ts';

/** A command line; `SWITCH` in it is the peer and `FILE` the file that holds `file`. */
export interface SentCase extends Case {
  peer?: PeerSettings;
}

const LIMIT_MS = 600_000;
const root = join(import.meta.dirname, '../../..');

/** Runs a program in `dir` to its end. */
function finished(program: string, args: readonly string[], dir: string, out: number | 'ignore', err: number | 'inherit'): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: dir,
      env: { ...process.env, OVS_RUNDIR: dir },
      stdio: ['ignore', out, err],
      timeout: LIMIT_MS,
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => (code === 0 ? resolve() : reject(new Error(`${program} ended with ${code ?? signal}`))));
  });
}

/** The case as it is run: with the socket's and the file's names. */
function placed(one: SentCase, index: number, dir: string): Case {
  if (one.file !== undefined) writeFileSync(join(dir, `f${index}`), Buffer.from(one.file, 'latin1'));
  const args = one.args.map((word) => (word === 'SWITCH' ? `unix:s${index}` : word === 'FILE' ? `./f${index}` : word));
  return one.stdin === undefined ? { args } : { args, stdin: one.stdin };
}

type Runner = (cases: readonly Case[], dir: string) => Promise<Result[]>;

const script =
  (program: string): Runner =>
  async (cases, dir) => {
    referenceScript(cases, dir, program);
    const [out, err] = [openSync(join(dir, 'out'), 'w'), openSync(join(dir, 'err'), 'w')];
    await finished('sh', ['script'], dir, out, err);
    closeSync(out);
    closeSync(err);
    return splitResults(dir, cases.length);
  };

const inProcess: Runner = async (cases, dir) => {
  writeFileSync(join(dir, 'jobs'), JSON.stringify(cases));
  const program = join(root, 'test/compare/ofctl-in-process.ts');
  await finished(process.execPath, ['--disable-warning=ExperimentalWarning', program, 'jobs', 'results', 'in'], dir, 'ignore', 'inherit');
  return JSON.parse(readFileSync(join(dir, 'results'), 'utf8')) as Result[];
};

async function runSide(cases: readonly SentCase[], dir: string, run: Runner): Promise<Result[]> {
  mkdirSync(dir);
  const home = process.cwd();
  // The names of sockets have little room.
  process.chdir(dir);
  const peers = cases.map((one, index) => (one.args.includes('SWITCH') ? new RecordingPeer(`s${index}`, one.peer ?? {}) : undefined));
  process.chdir(home);
  try {
    const results = await run(
      cases.map((one, index) => placed(one, index, dir)),
      dir,
    );
    return results.map((result, index) => ({ ...result, sent: peers[index]?.heard.join('\n') ?? '' }));
  } finally {
    for (const peer of peers) peer?.close();
  }
}

/** Runs every case through both and gives those that differ. With `real` ours is a process for each, as a user starts it. */
export async function compareSent(cases: readonly SentCase[], real = false): Promise<Difference[]> {
  const dir = mkdtempSync(join(tmpdir(), 'ofctl-sent-'));
  try {
    const [reference, ours] = await Promise.all([
      runSide(cases, join(dir, 'a'), script('/usr/bin/ovs-ofctl')),
      runSide(cases, join(dir, 'b'), real ? script(join(root, 'bin/ovs-ofctl')) : inProcess),
    ]);
    return cases.flatMap((one, index) => {
      const [r, o] = [reference[index], ours[index]];
      if (r === undefined || o === undefined) throw new Error('results are missing');
      return same(r, o, true) ? [] : [{ case: one, reference: r, ours: o }];
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
