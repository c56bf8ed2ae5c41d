// Compares messages of every row of the table of messages and says, row by row and version by version, how many there were, how many the
// reference could decode, and how many we print otherwise: message-coverage.ts [NAME...] [count=N] [seed=N] [show=N] [damaged] [print]. `count`
// is per row and version. `damaged` has messages with turned bits, cut ends and changed lengths; `print` a command line of its own for each
// message, at all verbosities and with what is logged.
import { knownDifference } from './known-differences.ts';
import { anyMessage, asDifference, compareMessages, comparePrints, damagedMessage, HEADS } from './messages.ts';
import { describe } from './programs.ts';
import { Dice } from './random.ts';

const words = process.argv.slice(2);
const value = (name: string, otherwise: number): number =>
  Number(words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? otherwise);
const [isDamaged, isPrint] = ['damaged', 'print'].map((word) => words.includes(word));
const named = words.filter((word) => !word.includes('=') && word !== 'damaged' && word !== 'print');
const [count, seed, show] = [value('count', 20), value('seed', 1), value('show', 3)];
const d = new Dice(seed);
const rows = HEADS.map((head, index) => ({ ...head, index })).filter(
  ({ form }) => named.length === 0 || named.some((name) => form.name.includes(name)),
);
const table = new Map<string, { total: number[]; sound: number[]; differ: number[] }>();
const known = new Map<string, number>();
let [compared, differing] = [0, 0];
const draw = isDamaged ? damagedMessage : anyMessage;
const verbosities = isPrint ? [0, 1, 2, 3] : [2, 3, 4];
for (const verbosity of verbosities) {
  const each = Math.ceil(count / verbosities.length);
  const messages = rows.flatMap(({ index }) => Array.from({ length: each }, () => draw(d, index)));
  for (const one of isPrint ? comparePrints(messages, verbosity) : compareMessages(messages, verbosity)) {
    const { form, version, reference, ours } = one;
    const row = table.get(form.name) ?? { total: [], sound: [], differ: [] };
    table.set(form.name, row);
    row.total[version] = (row.total[version] ?? 0) + 1;
    if (reference !== undefined && !reference.includes('decode error')) row.sound[version] = (row.sound[version] ?? 0) + 1;
    compared++;
    if (reference === ours) continue;
    const name = knownDifference(asDifference(one));
    if (name !== undefined) {
      known.set(name, (known.get(name) ?? 0) + 1);
      continue;
    }
    differing++;
    row.differ[version] = (row.differ[version] ?? 0) + 1;
    if (row.differ.reduce((sum, n) => sum + (n ?? 0), 0) <= show) console.log(describe(asDifference(one)));
  }
}
for (const [name, { total, sound, differ }] of table) {
  const cells = [1, 2, 3, 4, 5, 6].map((v) =>
    (total[v] === undefined ? '-' : `${total[v]}/${sound[v] ?? 0}${differ[v] === undefined ? '' : `!${differ[v]}`}`).padStart(12),
  );
  console.log(`${name.padEnd(32)}${cells.join('')}`);
}
for (const [name, times] of known) console.log(`known: ${name}: ${times}`);
console.log(`${compared} compared, ${differing} differ (seed ${seed})`);
process.exitCode = differing > 0 ? 1 : 0;
