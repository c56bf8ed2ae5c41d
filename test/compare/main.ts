// Compares Debian's ovs-ofctl with ours on generated input: main.ts [SECTION...] [count=N] [seed=N] [show=N] [stderr=0] [lines=1]. With
// `lines` many lines go to one process and standard error is not looked at. A run can be repeated by its seed.
import { knownDifference } from './known-differences.ts';
import { compare, compareLines, describe } from './programs.ts';
import { Dice } from './random.ts';
import { SECTIONS } from './sections.ts';
import { compareSent } from './sent/run.ts';
import { NEEDS_PROCESS, SENT_SECTIONS } from './sent/sections.ts';

const options = new Map(
  process.argv
    .slice(2)
    .filter((word) => word.includes('='))
    .map((word) => word.split('=') as [string, string]),
);
const named = process.argv.slice(2).filter((word) => !word.includes('='));
const count = Number(options.get('count') ?? 1000);
const seed = Number(options.get('seed') ?? 1);
const show = Number(options.get('show') ?? 5);
/** Cases in one go. */
const STEP = 5000;
let failed = false;
for (const section of named.length > 0 ? named : [...Object.keys(SECTIONS), ...Object.keys(SENT_SECTIONS)]) {
  const sent = SENT_SECTIONS[section];
  const make = sent ?? SECTIONS[section];
  if (make === undefined) throw new Error(`no section ${section}`);
  const dice = new Dice(seed);
  const begin = performance.now();
  let differing = 0;
  const known = new Map<string, number>();
  for (let done = 0; done < count; done += STEP) {
    const cases = make(dice, Math.min(STEP, count - done));
    const found =
      sent !== undefined
        ? await compareSent(cases, options.has('real') || NEEDS_PROCESS.has(section))
        : options.has('lines')
          ? compareLines(cases)
          : compare(cases, options.get('stderr') !== '0');
    const differences = found.filter((difference) => {
      const name = knownDifference(difference);
      if (name !== undefined) known.set(name, (known.get(name) ?? 0) + 1);
      return name === undefined;
    });
    for (const difference of differences.slice(0, Math.max(0, show - differing))) console.log(describe(difference));
    differing += differences.length;
  }
  failed ||= differing > 0;
  for (const [name, times] of known) console.log(`  known, ${name}: ${times}`);
  console.log(`${section}: ${count} compared, ${differing} differ (${((performance.now() - begin) / 1000).toFixed(1)} s, seed ${seed})`);
}
process.exitCode = failed ? 1 : 0;
