// A slice of the generated comparison with Debian's ovs-ofctl: `test/compare/main.ts` runs as much of it as one likes. What is known to
// differ stands in known-differences.ts with its reason; a section may not differ in more than its share of cases, so that what is equal stays equal.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { compareCaptures } from '../compare/captures.ts';
import { TARGETS } from '../compare/fuzz.ts';
import { knownDifference } from '../compare/known-differences.ts';
import {
  anyMessage,
  asDifference,
  compareMessages,
  type Drawn,
  damagedMessage,
  errorMessages,
  HEADS,
  keptMessages,
} from '../compare/messages.ts';
import { compare, describe, hasReference } from '../compare/programs.ts';
import { Dice } from '../compare/random.ts';
import { ALLOWANCE, SECTIONS } from '../compare/sections.ts';
import { KEPT } from '../compare/sent/kept.ts';
import { compareSent } from '../compare/sent/run.ts';
import { NEEDS_PROCESS, SENT_SECTIONS } from '../compare/sent/sections.ts';
import { fuzz } from '../fuzz/runner.ts';

const skip = !hasReference && 'no reference ovs-ofctl';
const count = Number(process.env['COMPARE_COUNT'] ?? 40);
const seed = Number(process.env['COMPARE_SEED'] ?? 1);
const runs = Number(process.env['FUZZ_RUNS'] ?? 1000);

for (const [name, make] of Object.entries(SECTIONS)) {
  test(`${name}: as the reference`, { skip }, () => {
    const { share, onErrors } = ALLOWANCE[name] ?? { share: 0, onErrors: true };
    const differences = compare(make(new Dice(seed), count), onErrors).filter((one) => knownDifference(one) === undefined);
    const most = Math.ceil(share * count);
    assert.ok(differences.length <= most, `${differences.length} of ${count} differ, ${most} may\n${differences.map(describe).join('\n')}`);
  });
}

for (const [name, make] of Object.entries(SENT_SECTIONS)) {
  test(`${name}: as the reference, in what a switch is sent, too`, { skip }, async () => {
    const cases = make(new Dice(seed), NEEDS_PROCESS.has(name) ? Math.min(count, 10) : count);
    const differences = (await compareSent(cases, NEEDS_PROCESS.has(name))).filter((one) => knownDifference(one) === undefined);
    assert.equal(differences.length, 0, `${differences.length} of ${cases.length} differ\n${differences.map(describe).join('\n')}`);
  });
}

test('command lines that once differed: as the reference', { skip }, async () => {
  assert.deepEqual((await compareSent(KEPT)).map(describe), []);
});

test('groups through the program itself: as the reference', { skip }, async () => {
  const make = SENT_SECTIONS['groups'];
  assert.ok(make);
  assert.deepEqual(
    (await compareSent(make(new Dice(seed), 10), true)).filter((one) => knownDifference(one) === undefined).map(describe),
    [],
  );
});

test("help and the list of commands are the reference's", { skip }, () => {
  const words = [
    ['--help'],
    ['list-commands'],
    ['--version'],
    ['nothing'],
    [],
    ['show'],
    ['show', 'a', 'b'],
    ['--read-only', 'add-flow', 'a', 'b'],
  ];
  assert.deepEqual(
    compare(words.map((args) => ({ args })))
      .map(describe)
      .filter((text) => !text.includes("'--version'")),
    [],
  );
});

test('hostile bytes and text end in named errors', async () => {
  for (const [name, target] of Object.entries(TARGETS)) await fuzz(name, target, runs, seed);
});

/** Nothing may differ but what is known by name. */
function assertSame(drawn: readonly Drawn[], verbosity = 2): void {
  const differences = compareMessages(drawn, verbosity)
    .filter(({ reference, ours }) => reference !== ours)
    .map(asDifference)
    .filter((one) => knownDifference(one) === undefined);
  assert.equal(differences.length, 0, differences.slice(0, 20).map(describe).join('\n'));
}

test('messages of every row of the table, sound and damaged: as the reference', { skip }, () => {
  const d = new Dice(seed);
  for (const draw of [anyMessage, damagedMessage])
    for (const verbosity of [2, 3, 4])
      assertSame(
        HEADS.flatMap((_, index) => [draw(d, index), draw(d, index)]),
        verbosity,
      );
});

test('messages that once differed, and errors of every type and code: as the reference', { skip }, () => {
  assertSame(keptMessages());
  assertSame(errorMessages());
});

test('captures of connections, cut into segments anywhere: as the reference', { skip }, () => {
  const { messages, differences } = compareCaptures(new Dice(seed), count, 60);
  assert.ok(messages > 20 * count, `${messages} messages`);
  const unknown = differences.filter((one) => knownDifference(one) === undefined);
  assert.equal(unknown.length, 0, unknown.slice(0, 20).map(describe).join('\n'));
});

test('a long stream of damaged messages: what is printed, and what is logged of it within limits, as the reference', { skip }, () => {
  const d = new Dice(seed);
  const dir = mkdtempSync(join(tmpdir(), 'weft-stream-'));
  try {
    const file = join(dir, 'stream');
    const sound = Array.from({ length: 6000 }, () => damagedMessage(d).bytes).filter(
      (bytes) => (((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0)) === bytes.length,
    );
    assert.ok(sound.length > 5000);
    writeFileSync(file, Buffer.concat(sound));
    const said = (program: string): { out: string; log: string } => {
      const { status, stdout, stderr } = spawnSync(program, ['ofp-parse', file], { encoding: 'latin1', maxBuffer: 1 << 28 });
      assert.equal(status, 0);
      // Which of the two the reference says of a field that it does not know is chance.
      return { out: stdout.replaceAll(/OFPBAC_BAD_SET_(TYPE|LEN)/g, 'OFPBAC_BAD_SET'), log: stderr.replaceAll(/^[^|]*(?=\|)/gm, '') };
    };
    const [reference, ours] = [said('/usr/bin/ovs-ofctl'), said(join(import.meta.dirname, '../../bin/ovs-ofctl'))];
    assert.equal(ours.log, reference.log);
    assert.ok(ours.out === reference.out, 'what is printed differs');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
