// Random sequences of OpenFlow requests to both switches: main.ts [count=N] [seed=N] [faults=N] [versions=1,4] [show=N].
import { compareSwitches } from './run.ts';

const words = process.argv.slice(2);
const text = (name: string, otherwise: string): string =>
  words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? otherwise;

let left = Number(text('show', '10'));
const result = await compareSwitches({
  seed: Number(text('seed', '1')),
  sequences: Number(text('count', '20')),
  length: Number(text('length', '60')),
  faults: Number(text('faults', '1')),
  versions: text('versions', '1,2,3,4,5,6').split(',').map(Number) as never,
  onDifference: (difference) => {
    if (left-- > 0) console.log(`${difference}\n`);
  },
});
console.log(
  `${result.steps} steps, ${result.messages} messages, ${result.differences.length} sequences differ, the reference died ${result.deaths} times`,
);
process.exit(result.differences.length === 0 ? 0 : 1);
