// Pieces of bad JSON, and JSON that is no JSON-RPC, to Debian's ovsdb-server and ours, with nothing after them: both wait for more or both
// close the connection at once, and their logs say the same of it, to the byte.
// WEFT_OVSDB_WIRE_FAULTS sets how many texts of each kind are tried, WEFT_OVSDB_SEED where to start.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Dice } from './support/ovsdb-random-schema.ts';

const reference = '/usr/sbin/ovsdb-server';
const skip = !existsSync(reference);
const count = Number(process.env['WEFT_OVSDB_WIRE_FAULTS'] ?? 300);
const seed = Number(process.env['WEFT_OVSDB_SEED'] ?? 1);
const programs = [reference, join(import.meta.dirname, '../../bin/ovsdb-server')];
/** Connections at a time: fewer than wait to be accepted. */
const BATCH = 50;

/** Texts that show one rule each. */
const TEXTS = (
  '{x|{x}|[1x|[1x]|[1e|[1ex|[-|[-x|[1-2]|[1+]|[1ee5]|[1.5.5]|[1e501|{"a"x|["a"x|[1 x|[truex |{tr|{1|{1 |[01|{- |x|x |1|1 |true |"a"|"a|[]x|[] x|' +
  '[]1|[]]|[}|{]|[,|[1,]|{,|{"a",|{"a":}|{"a":x}|{"a":1 2|[1 2|["\\x|["\\x"|["\\u1x"|["\\ud800"|["\\ud800x"|["\n|\x00|[\x01|[\xc3|["\xc3"|[\xc3\xa9|[\x7f|' +
  '@|-|+|[+|.|[-1|[-0 |[1e400,|[1E+ |[12345678901234567890123 |[tRue |[\x80|\n\n 0\n|\n{}\n\n  }|{}'
).split('|');
const PIECES =
  'true|false|null|nul|1|-1|1.5|1e5|"a"|"a|\\u|\\ud800|{|}|[|]|:|,| |x|"a":|{"a":|\x01|\x7f|\xc3|\xc3\xa9|tru|-|01|0|.|e|E|+|\n'.split('|');
const VALUES: Readonly<Record<string, string>> = {
  id: 'null 0 "x" []',
  method: 'null "echo" "x" "list_dbs" 1 []',
  params: 'null [] {} [1] "x"',
  result: 'null 1 {}',
  error: 'null "e" {}',
  x: '1 null',
};

const text = (dice: Dice): string =>
  dice.pick(['', '[', '{', '{"a":', '[1,']) + Array.from({ length: 1 + dice.below(7) }, () => dice.pick(PIECES)).join('');

/** The same in a message that is long already. */
const longText = (dice: Dice): string => {
  const start = dice.pick(['{"id":1,"method":"x","params":[', '[[[', '[{"a":{"b":[', '["a",{"x":']);
  const size = 3000 + dice.below(9000);
  const filler = dice.pick([`"${'x'.repeat(size)}"`, `[${'1,'.repeat(size / 2)}2]`, `"${'\\u00e9'.repeat(size / 6)}"`]);
  return start + filler + dice.pick([',', ', ', '', '}', ']', ',\n"b":']) + text(dice);
};

const message = (dice: Dice): string => {
  const names = Object.keys(VALUES).filter((name) => dice.chance(name === 'x' ? 15 : 60));
  const members = names.map((name) => `"${name}":${dice.pick(VALUES[name]?.split(' ') ?? [])}`);
  return `{${members.sort(() => dice.below(3) - 1).join(',')}}`;
};

/** What came back for each text, how the connection stands, and what the log said of it. */
async function judge(program: string, inputs: readonly string[]): Promise<string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-faults-'));
  const env = { ...process.env, OVS_RUNDIR: dir, OVS_LOGDIR: dir };
  const args = ['--no-dbs', `--remote=punix:${dir}/s`, `--unixctl=${dir}/ctl`, `--log-file=${dir}/log`, '-vconsole:off', '-vfile:warn'];
  const server = spawn(program, args, { env, stdio: 'ignore' });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  try {
    for (let i = 0; i < 400 && !(existsSync(`${dir}/s`) && existsSync(`${dir}/ctl`)); i++) await sleep(25);
    // The first connection, in both.
    execFileSync('/usr/bin/ovs-appctl', ['-t', `${dir}/ctl`, 'vlog/disable-rate-limit']);
    const answers: string[] = [];
    for (let at = 0; at < inputs.length; at += BATCH) {
      const sockets: Socket[] = [];
      const batch = inputs.slice(at, at + BATCH).map(async (input) => {
        let said = '';
        const socket = createConnection(`${dir}/s`).setEncoding('latin1');
        sockets.push(socket);
        socket.on('error', () => {}).on('data', (chunk) => (said += chunk));
        const closed = new Promise<string>((resolve) => socket.once('close', () => resolve('closed')));
        await new Promise((resolve) => socket.once('connect', resolve));
        socket.write(input, 'latin1');
        // The next connection comes after this one, so that both servers give them the same numbers.
        return { said: () => said, closed };
      });
      const states = await Promise.all(batch);
      // A connection that is still open when one made later has been answered stays open.
      await new Promise<void>((resolve) => {
        const last = createConnection(`${dir}/s`, () => last.write('{"id":1,"method":"echo","params":[]}'));
        last.once('data', () => setTimeout(() => resolve(last.destroy() && undefined), 150));
      });
      for (const { said, closed } of states) answers.push(`${said()} ${await Promise.race([closed, sleep(0, 'open')])}`);
      for (const socket of sockets) socket.destroy();
    }
    assert.equal(server.exitCode, null);
    const told = new Map<number, string>();
    for (const [, number, words] of readFileSync(`${dir}/log`, 'latin1').matchAll(/jsonrpc\|WARN\|unix#(\d+): (.*)/g))
      told.set(Number(number), `${told.get(Number(number)) ?? ''} ${words}`);
    // One connection for ovs-appctl, and one more after each batch.
    return answers.map((answer, i) => `${answer}${told.get(1 + i + Math.floor(i / BATCH)) ?? ''}`);
  } finally {
    server.kill('SIGKILL');
    await ended;
    rmSync(dir, { recursive: true, force: true });
  }
}

for (const [what, inputs] of [
  ['texts', (dice: Dice) => [...TEXTS, ...Array.from({ length: count }, () => text(dice))]],
  ['long texts', (dice: Dice) => Array.from({ length: count }, () => longText(dice))],
  ['messages', (dice: Dice) => Array.from({ length: count }, () => message(dice))],
] as const) {
  test(`${what} that are wrong: closed or not, and what the log says`, { skip }, async () => {
    const list = inputs(new Dice(seed));
    const [want = [], have = []] = await Promise.all(programs.map((program) => judge(program, list)));
    const show = (answers: string[]): string[] =>
      list.map((input, i) => `${JSON.stringify(input).replaceAll(/(.{1,8}?)\1{200,}/g, '$1...')} ${answers[i]}`);
    assert.deepEqual(show(have), show(want));
    const said = want.filter((answer) => /closed .*(?:parsing stream|bad JSON-RPC)/.test(answer)).length;
    assert.ok(said > list.length / 3, `only ${said} of ${list.length} were wrong`);
  });
}
