// Generated options of the database's tools and server: Debian's and ours say the same.
// WEFT_OPTION_LINES sets how many lines, WEFT_OPTION_SEED where to start.
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { optionLine } from './support/option-lines.ts';
import { Dice } from './support/ovsdb-random-schema.ts';
import { compare, skip } from './support/ovsdb-sides.ts';

const count = Number(process.env['WEFT_OPTION_LINES'] ?? 150);
const seed = Number(process.env['WEFT_OPTION_SEED'] ?? 1);

test(`${count} random lines of options, seed ${seed}`, { skip }, async () => {
  const dice = new Dice(seed);
  const lines = Array.from({ length: count }, () => optionLine(dice));
  await compare([(side) => execFileSync('/usr/bin/ovsdb-tool', ['create', 'db', 'small'], { cwd: side.dir }), ...lines]);
});
