// A slice of the generated comparison with Debian's ovs-ofctl: `test/compare/main.ts` runs as much of it as one likes. What is known to
// differ stands in DIFFERENCES with its reason; a section may not differ in more than its share of cases, so that what is equal stays equal.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz, TARGETS } from '../compare/fuzz.ts';
import { compare, describe, hasReference } from '../compare/programs.ts';
import { Dice } from '../compare/random.ts';
import { ALLOWANCE, SECTIONS } from '../compare/sections.ts';

const skip = !hasReference && 'no reference ovs-ofctl';
const count = Number(process.env['COMPARE_COUNT'] ?? 40);
const seed = Number(process.env['COMPARE_SEED'] ?? 1);
const runs = Number(process.env['FUZZ_RUNS'] ?? 1000);

for (const [name, make] of Object.entries(SECTIONS)) {
  test(`${name}: as the reference`, { skip }, () => {
    const { share, onErrors } = ALLOWANCE[name] ?? { share: 0, onErrors: true };
    const differences = compare(make(new Dice(seed), count), onErrors);
    const most = Math.ceil(share * count);
    assert.ok(differences.length <= most, `${differences.length} of ${count} differ, ${most} may\n${differences.map(describe).join('\n')}`);
  });
}

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

test('hostile bytes and text end in named errors', () => {
  for (const target of Object.keys(TARGETS)) fuzz(target, runs, seed);
});
