// Everything that `npm test` checks, in order of how soon it can fail; ends in the line `N passed, N failed`.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Counts } from './test-reporter.ts';

const root = join(import.meta.dirname, '..');
process.chdir(root);
const scratch = mkdtempSync(join(tmpdir(), 'weft-test-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));

/** Minutes one interop file may take before it and all it started are killed. */
const FILE_LIMIT_MS = 6 * 60_000;
/** Interop files at a time. */
const LANES = Number(process.env['WEFT_TEST_LANES'] ?? 2);
const nodeTest = ['--disable-warning=ExperimentalWarning', '--test', '--test-isolation=none', '--test-reporter=./scripts/test-reporter.ts'];

/**
 * So many interop files that failed are run once more at the end, each alone: what fails because two files share the processors is told from what
 * is wrong. More than these, and something is wrong.
 */
const MOST_AGAIN = 3;

const total: Counts = { passed: 0, failed: 0, skipped: 0, failures: [] };
const broken: string[] = [];
/** Files that failed beside another and passed alone. */
const passedAlone: string[] = [];

interface FileResult {
  readonly file: string;
  readonly counts: Counts;
  /** How the run itself ended, when it did not end well; '' when it did. */
  readonly fault: string;
}

const words = process.argv.slice(2);
const unknown = words.find((word) => word.startsWith('-') && word !== '--unit' && word !== '--interop');
if (unknown !== undefined) {
  process.stderr.write(`npm test: unknown option ${unknown}; there are --unit, --interop and names of test files\n`);
  process.exit(2);
}
const named = words.filter((word) => !word.startsWith('-'));
const interopFiles = (named.length > 0 ? named : globSync('test/interop/*.test.ts'))
  .filter((file) => file.includes('test/interop/'))
  .sort();
const unitFiles = (named.length > 0 ? named : globSync(['src/**/*.test.ts', 'test/**/*.test.ts']))
  .filter((file) => !file.includes('test/interop/'))
  .sort();
const wantsUnit = !words.includes('--interop');
const wantsInterop = !words.includes('--unit');

if (wantsUnit && named.length === 0) {
  step('types', 'tsc', ['--noEmit']);
  step('lint', 'biome', ['check', '--error-on-warnings']);
}
if (wantsUnit && unitFiles.length > 0) await unit();
if (wantsInterop && interopFiles.length > 0) {
  if (process.getuid?.() === 0) await interop();
  else process.stdout.write(`interop: NOT run: ${interopFiles.length} files need root for network namespaces (sudo npm test)\n`);
}
finish();

function step(title: string, program: string, args: string[]): void {
  const begin = performance.now();
  const done = spawnSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (done.status === 0) {
    process.stdout.write(`✔ ${title} (${seconds(begin)})\n`);
    return;
  }
  process.stdout.write(`✖ ${title}\n${done.stdout ?? ''}${done.stderr ?? ''}${done.error?.message ?? ''}\n`);
  broken.push(title);
}

async function unit(): Promise<void> {
  const begin = performance.now();
  const result = await runFiles('unit', process.execPath, [...nodeTest, ...unitFiles], (text) => process.stdout.write(text));
  add(result);
  const { counts } = result;
  process.stdout.write(
    `${isGood(result) ? '✔' : '✖'} unit and property tests: ${counts.passed} in ${unitFiles.length} files (${seconds(begin)})\n`,
  );
}

async function interop(): Promise<void> {
  const ready = spawnSync('sh', ['scripts/bootstrap.sh', 'test'], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (ready.status !== 0) {
    broken.push('Debian packages of the interop tests');
    return;
  }
  process.stdout.write(`interop tests: ${interopFiles.length} files, ${LANES} at a time, each in namespaces of its own\n`);
  const waiting = [...interopFiles];
  const failed: FileResult[] = [];
  const lane = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const result = await interopFile(file);
      if (isGood(result)) add(result);
      else failed.push(result);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const isFew = failed.length <= MOST_AGAIN && interopFiles.length > failed.length;
  for (const first of failed) {
    if (!isFew) {
      add(first);
      continue;
    }
    process.stdout.write(`once more, alone: ${first.file}\n`);
    const second = await interopFile(first.file);
    add(second);
    if (isGood(second)) passedAlone.push(`${first.file}\n${first.counts.failures.join('')}${first.fault}`);
  }
}

function isGood({ counts, fault }: FileResult): boolean {
  return fault === '' && counts.failed === 0;
}

function add({ counts, fault }: FileResult): void {
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  total.failures.push(...counts.failures);
  if (fault !== '') broken.push(fault);
}

async function interopFile(file: string): Promise<FileResult> {
  const begin = performance.now();
  let text = '';
  // When this process is killed so is unshare, with it process 1 of the namespaces, and with that everything inside.
  const wrapped = ['--pdeathsig', 'KILL', 'unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const args = [...wrapped, 'sh', 'scripts/private.sh', process.execPath, ...nodeTest, file];
  const result = await runFiles(file, 'setpriv', args, (chunk) => (text += chunk), FILE_LIMIT_MS);
  const { passed, failed, skipped } = result.counts;
  process.stdout.write(
    `${isGood(result) ? '✔' : '✖'} ${file}: ${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''} (${seconds(begin)})\n${text}`,
  );
  return result;
}

/** Runs node's test runner once; a run that ends without counting, or counts nothing, is broken. */
async function runFiles(title: string, program: string, args: string[], show: (text: string) => void, limit = 0): Promise<FileResult> {
  const countsFile = join(scratch, `${basename(title)}.json`);
  rmSync(countsFile, { force: true });
  const verbose = process.env['WEFT_TEST_VERBOSE'] ?? (title === 'unit' ? '0' : '1');
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, WEFT_TEST_COUNTS: countsFile, WEFT_TEST_VERBOSE: verbose, NO_COLOR: '1' },
  });
  child.stdout.setEncoding('utf8').on('data', show);
  child.stderr.setEncoding('utf8').on('data', show);
  const timer = limit > 0 ? setTimeout(() => child.kill('SIGKILL'), limit) : undefined;
  const code = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      show(`${program}: ${error.message}\n`);
      resolve(127);
    });
    // `exit`, not `close`: a daemon left behind may hold the pipe for as long as it lives.
    child.once('exit', (status, signal) => setTimeout(() => resolve(signal === null ? (status ?? 1) : 128), 20));
  });
  clearTimeout(timer);
  const counts: Counts = existsSync(countsFile)
    ? JSON.parse(readFileSync(countsFile, 'utf8'))
    : { passed: 0, failed: 0, skipped: 0, failures: [] };
  let fault = '';
  if (!existsSync(countsFile)) fault = `${title}: the test process ended before its tests did (exit code ${code})`;
  else if (counts.passed + counts.failed + counts.skipped === 0) fault = `${title}: no test was run`;
  else if (code !== 0 && counts.failed === 0) fault = `${title}: exit code ${code}`;
  return { file: title, counts, fault };
}

function finish(): void {
  if (total.passed + total.failed === 0) broken.push('no test was run');
  if (passedAlone.length > 0) process.stdout.write(`Failed beside another file and passed alone:\n${passedAlone.join('\n')}\n`);
  if (total.failures.length > 0) process.stdout.write(`What failed, once more:\n${total.failures.join('')}`);
  for (const what of broken) process.stdout.write(`✖ ${what}\n`);
  const failed = total.failed + broken.length;
  process.stdout.write(`${total.passed} passed, ${failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

function seconds(begin: number): string {
  return `${((performance.now() - begin) / 1000).toFixed(1)} s`;
}
