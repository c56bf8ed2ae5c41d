// The tools' bundles are never stale: a changed source shows at the next start, an unchanged one costs nothing, no bundle means the sources run.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const root = join(import.meta.dirname, '..');
const made: string[] = [];
after(() => {
  for (const dir of made) rmSync(dir, { recursive: true });
});

/** A package with one tool that prints a word which another file of it holds. */
function smallPackage(word: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'weft-bundle-'));
  made.push(dir);
  mkdirSync(join(dir, 'bin'));
  mkdirSync(join(dir, 'src/cli'), { recursive: true });
  mkdirSync(join(dir, 'src/base'));
  for (const name of ['bin/launch', 'src/cli/start.ts', 'src/cli/bundle.ts', 'src/cli/command-words.ts', 'src/base/byte-text.ts'])
    copyFileSync(join(root, name), join(dir, name));
  symlinkSync('launch', join(dir, 'bin/tunctl'));
  symlinkSync(realpathSync(join(root, 'node_modules')), join(dir, 'node_modules'));
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  writeFileSync(
    join(dir, 'src/cli/main.ts'),
    `import { main } from './tunctl.ts';\nprocess.stdout.write('sources ');\nprocess.exitCode = main(process.argv.slice(3));\n`,
  );
  writeFileSync(
    join(dir, 'src/cli/tunctl.ts'),
    `import { word } from './word.ts';\nexport function main(argv: string[]): number { process.stdout.write(word + argv.join()); if (argv[0] === 'throw') throw new TypeError('fault'); return argv[0] === 'fail' ? 1 : 0; }\n`,
  );
  setWord(dir, word);
  return dir;
}

function setWord(dir: string, word: string): void {
  writeFileSync(join(dir, 'src/cli/word.ts'), `export const word: string = '${word}';\n`);
}

const run = (file: string): string => execFileSync(file, ['a', 'b c'], { encoding: 'utf8' });
const pause = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
const bundles = (dir: string): string[] => readdirSync(join(dir, '.cache/tools')).sort();

test('a change of any source shows at once; a mere touch makes nothing anew', () => {
  const dir = smallPackage('one ');
  pause(150);
  assert.equal(run(join(dir, 'bin/tunctl')), 'one a,b c');
  const before = bundles(dir);
  assert.deepEqual(
    before.filter((name) => !name.startsWith('tunctl')),
    ['start.cjs', 'start.json'],
  );
  assert.equal(before.length, 5);
  utimesSync(join(dir, 'src/cli/word.ts'), 1, 1);
  pause(150);
  assert.equal(run(join(dir, 'bin/tunctl')), 'one a,b c');
  assert.deepEqual(bundles(dir), before);
  const settled = statSync(join(dir, '.cache/tools/tunctl.json')).mtimeMs;
  assert.equal(run(join(dir, 'bin/tunctl')), 'one a,b c');
  assert.equal(statSync(join(dir, '.cache/tools/tunctl.json')).mtimeMs, settled);
  for (const word of ['two ', 'six ', 'ten ']) {
    setWord(dir, word);
    assert.match(run(join(dir, 'bin/tunctl')), new RegExp(`${word}a,b c$`));
  }
});

test('a command that failed leaves no bytecode behind for those that do their work', () => {
  const dir = smallPackage('kept ');
  pause(150);
  const kept = (): string[] => bundles(dir).filter((name) => /\.v.*\.fail$/.test(name));
  assert.equal(spawnSync(join(dir, 'bin/tunctl'), ['fail']).status, 1);
  assert.deepEqual(kept(), []);
  assert.equal(spawnSync(join(dir, 'bin/tunctl'), ['-x', 'fail']).status, 0);
  assert.equal(kept().length, 1);
});

test('a fault is told by its stack, not by the line of the bundle', () => {
  const dir = smallPackage('long line ');
  pause(150);
  run(join(dir, 'bin/tunctl'));
  const { status, stderr } = spawnSync(join(dir, 'bin/tunctl'), ['throw'], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /^TypeError: fault\n {4}at /);
  assert.doesNotMatch(stderr, /long line/);
});

test('a daemon leaves its bytecode behind while it serves, what has only started it does not', async () => {
  const dir = smallPackage('');
  symlinkSync('launch', join(dir, 'bin/ovsdb-server'));
  writeFileSync(
    join(dir, 'src/cli/ovsdb-server.ts'),
    "export function main(argv: string[]): number | undefined { if (argv[0] === 'caller') return 0; process.stdin.resume(); return undefined; }\n",
  );
  pause(150);
  const kept = (): string[] => bundles(dir).filter((name) => /^ovsdb-server-.*\.v/.test(name) && !/\.\d+$/.test(name));
  assert.equal(spawnSync(join(dir, 'bin/ovsdb-server'), ['caller']).status, 0);
  assert.deepEqual(kept(), []);
  const daemon = spawn(join(dir, 'bin/ovsdb-server'), ['db'], { stdio: ['pipe', 'ignore', 'ignore'] });
  for (let i = 0; i < 1000 && kept().length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(kept().length, 1);
  daemon.stdin.end();
  await new Promise((resolve) => daemon.once('close', resolve));
});

test('where nothing can be written the sources run', () => {
  const dir = smallPackage('plain ');
  writeFileSync(join(dir, '.cache'), '');
  assert.equal(run(join(dir, 'bin/tunctl')), 'sources plain a,b c');
});

test('a link anywhere, under any name of a tool, starts it', () => {
  const dir = smallPackage('far ');
  pause(150);
  mkdirSync(join(dir, 'elsewhere'));
  symlinkSync('../bin/tunctl', join(dir, 'elsewhere/tunctl'));
  symlinkSync(join(dir, 'elsewhere/tunctl'), join(dir, 'tunctl'));
  symlinkSync(join(dir, 'bin/launch'), join(dir, 'elsewhere/launch'));
  assert.equal(run(join(dir, 'tunctl')), 'far a,b c');
  const env = { ...process.env, PATH: `${dir}/elsewhere:${process.env['PATH']}` };
  assert.equal(execFileSync('tunctl', ['x'], { env, encoding: 'utf8' }), 'far x');
});
