// The lab as a user runs it: every tick of the labs that come with Weft, and nothing left behind however it ends.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { whenEnded } from './support/ended.ts';
import { cannot, eventually, root } from './support/world.ts';

const skip = cannot('busybox', 'iptables', 'ifconfig', 'ping') || false;
const weft = join(root, 'bin/weft');

/** A lab without any switch of ours, so that these tests are about the lab alone. */
const plain = (last: string): string => `
name: plain
title: a lab without a switch
hosts: { h: {} }
machines:
  a: { host: h, tap: tap1, address: 10.0.0.1/24 }
  b: { host: h, tap: tap2, address: 10.0.0.2/24 }
steps:
  - title: wires
    essential: true
    do:
      - on: h
        run: |
          ip tuntap add mode tap tap1 vnet_hdr
          ip tuntap add mode tap tap2 vnet_hdr
          ip link add br0 type bridge
          ip link set tap1 master br0 up
          ip link set tap2 master br0 up
          ip link set br0 up
      - { on: h, background: sleep 4242 }
      - { start: a }
      - { start: b }
  - title: the end
    do:
      - { on: a, run: "${last}" }
    check:
      - ping: { from: a, to: 10.0.0.2 }
      - tcp: { from: a, to: b, megabytes: 20 }
`;

interface Run {
  child: ChildProcess;
  output(): string;
  code: Promise<number>;
}

function start(t: TestContext, args: string[]): Run {
  const child = spawn(weft, ['lab', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  t.after(() => child.kill('SIGKILL'));
  return { child, output: () => text, code: whenEnded(child) };
}

function labFile(t: TestContext, text: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'weft-lab-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'lab.yaml');
  writeFileSync(file, text);
  return file;
}

/** Processes that only a lab has. */
function leftovers(): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      if (/^(sleep 4242|sleep 2147483647|unshare .*weft-lab|sh -c .*weft-lab)|--relay/.test(command))
        found.push(`${pid} ${command.slice(0, 60)}`);
    } catch {
      // It has just ended.
    }
  }
  return found;
}

const gone = (): Promise<boolean> => eventually('nothing of the lab is left', () => leftovers().length === 0, 8000);

for (const lab of ['walkthrough', 'vlans']) {
  test(`the lab ${lab} has all ticks`, { skip, timeout: 240_000 }, async (t) => {
    const run = start(t, [lab]);
    const code = await run.code;
    assert.equal(code, 0, run.output());
    assert.doesNotMatch(run.output(), /✖/);
    assert.match(run.output(), /✔ all \d+ checks passed/);
    await gone();
  });
}

test('a check that does not hold makes the exit code 1, with the reason', { skip, timeout: 60_000 }, async (t) => {
  const run = start(t, [labFile(t, plain('false'))]);
  assert.equal(await run.code, 1);
  assert.match(run.output(), /✖ the end\n +false\n +exit code 1/);
  await gone();
});

for (const signal of ['SIGKILL', 'SIGINT', 'SIGTERM'] as const) {
  test(`nothing is left after ${signal}`, { skip, timeout: 60_000 }, async (t) => {
    const run = start(t, [labFile(t, plain('sleep 60'))]);
    await eventually('the last step', () => run.output().includes('a# sleep 60'), 30_000);
    assert.ok(leftovers().length >= 4, leftovers().join('\n'));
    run.child.kill(signal);
    const code = await run.code;
    assert.equal(code, signal === 'SIGINT' ? 130 : signal === 'SIGTERM' ? 143 : 128);
    await gone();
  });
}

test('--keep leaves it, --enter looks around, --down removes it', { skip, timeout: 60_000 }, async (t) => {
  const run = start(t, ['--keep', labFile(t, plain('true'))]);
  assert.equal(await run.code, 0, run.output());
  t.after(() => start(t, ['--down', 'plain']).code);
  assert.match(run.output(), /bin\/weft lab --enter a\n/);
  const ping = start(t, ['--enter', 'a', '--', 'ping', '-c', '1', '-W', '2', '10.0.0.2']);
  assert.equal(await ping.code, 0, ping.output());
  const nobody = start(t, ['--enter', 'nobody']);
  assert.equal(await nobody.code, 1);
  assert.match(nobody.output(), /^weft lab: no kept lab has a host or machine named 'nobody'; there are h, a, b\n$/);
  const down = start(t, ['--down', 'plain']);
  assert.equal(await down.code, 0);
  assert.equal(down.output(), "The lab 'plain' is removed.\n");
  await gone();
});
