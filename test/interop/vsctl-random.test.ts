// Random ovs-vsctl command lines beside Debian's, over every table and column: output, exit codes and database must be equal.
// WEFT_VSCTL_LINES sets how many for each seed, WEFT_VSCTL_SEEDS how many seeds, WEFT_VSCTL_SEED where to start.
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { compare, ourServer, ours, schema, skip, THEIRS } from './support/vsctl-sides.ts';
import { VsctlLines } from './vsctl-random-lines.ts';

const lines = Number(process.env['WEFT_VSCTL_LINES'] ?? 120);
const seeds = Number(process.env['WEFT_VSCTL_SEEDS'] ?? 2);
const first = Number(process.env['WEFT_VSCTL_SEED'] ?? 1);
const start = [
  ['init'],
  [
    'add-br',
    'br0',
    '--',
    'add-br',
    'br1',
    '--',
    'add-port',
    'br0',
    'p1',
    '--',
    'add-port',
    'br1',
    'p2',
    '--',
    'add-br',
    'fake',
    'br0',
    '5',
  ],
  ['add-bond', 'br0', 'bond0', 'e1', 'e2', '--', 'set', 'bridge', 'br0', 'other_config:a=b'],
];

/**
 * Of a key of a map and then the whole map in one `set` the reference makes a map with that key too, or dies if the key was there (SIGSEGV); in two
 * commands the second counts.
 */
function isAccident(line: readonly string[]): boolean {
  // It dies too of what names a row that `--all destroy` has taken; in ours such a line may succeed, and all after it would differ.
  const destroys = line.indexOf('destroy');
  if (line.includes('--all') && destroys >= 0 && line.includes('--', destroys)) return true;
  const names = new Set<string>();
  const plain = (name: string): string => name.toLowerCase().replaceAll('-', '_');
  for (const word of line) {
    const [, name = '', sign] = /^([\w-]+)([:=])/.exec(word) ?? [];
    if (word === '--') names.clear();
    else if (sign === ':') names.add(plain(name));
    else if (sign === '=' && [...names].some((one) => one.startsWith(plain(name)) || plain(name).startsWith(one))) return true;
  }
  return false;
}

for (let seed = first; seed < first + seeds; seed++) {
  test(`${lines} random command lines, seed ${seed}`, { skip }, async () => {
    const generator = new VsctlLines(seed, JSON.parse(readFileSync(schema, 'utf8')));
    const random = Array.from({ length: lines }, () => generator.next()).filter((line) => !isAccident(line));
    await compare([...start, ...random], [ours, seed % 2 === 0 ? ourServer : THEIRS[1]]);
  });
}
