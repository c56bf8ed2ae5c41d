// ovs-vsctl beside Debian's: the same command lines, each on a database of its own, give the same output, exit codes and database.
import { test } from 'node:test';
import { compare, ourServer, ours, skip, THEIRS } from './support/vsctl-sides.ts';
import { commandLines, generatedLines } from './vsctl-lines.ts';
import { manualLines } from './vsctl-manual-lines.ts';

test('command lines by hand', { skip }, () => compare(commandLines, [ours, THEIRS[1]]));
test('the manual page line by line, all four pairs', { skip }, () =>
  compare(manualLines, [ours, THEIRS[1]], [THEIRS[0], ourServer], [ours, ourServer]),
);
test('generated command lines', { skip }, () => compare(generatedLines(150, 1), [ours, THEIRS[1]]));
test('generated command lines, ours and theirs on our server', { skip }, () =>
  compare(generatedLines(100, 2), [ours, ourServer], [THEIRS[0], ourServer]),
);
