// Control commands of the datapath to both daemons: main.ts [SECTION...|kept] [count=N] [seed=N] [show=N].
import { compareDpctl, compareKept } from './run.ts';
import { SECTIONS } from './sections.ts';

const words = process.argv.slice(2);
const number = (name: string, otherwise: number): number =>
  Number(words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? otherwise);
const named = words.filter((word) => !word.includes('='));
const sections = named.length > 0 ? named : Object.keys(SECTIONS);

const quoted = (call: readonly string[]): string => call.map((word) => (/^[\w@/:=.,-]+$/.test(word) ? word : `'${word}'`)).join(' ');
const { calls, differences, known, deaths } = named.includes('kept')
  ? await compareKept()
  : await compareDpctl(sections, number('seed', 1), number('count', 1000));
for (const { section, seed, call, wanted, got } of differences.slice(0, number('show', 20))) {
  console.log(`${section} seed=${seed}: ${quoted(call)}\n--- reference\n${wanted}\n--- ours\n${got}\n`);
}
for (const [name, count] of known) console.log(`${count} times: ${name}`);
console.log(`${calls} calls, ${differences.length} differ, the reference died ${deaths} times`);
process.exit(differences.length === 0 ? 0 : 1);
