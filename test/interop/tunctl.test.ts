// Our tunctl beside that of uml-utilities: the same devices, the same words, the same codes.
//
// Differences that are meant: a fault begins with the program's name; a name that is empty or too long is refused where theirs cuts it
// or takes one of the kernel's; -n and -p (of later versions) and --help exist. Those command lines are not in the list.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cannot, type Tools, world } from './support/world.ts';

const skip = cannot('tunctl') || false;

const LINES = [
  '-t tap5',
  '-t tap5',
  '-b',
  '',
  '-u nobody -t tapn',
  '-u 1000 -t tapo',
  '-g nogroup -t tapg',
  '-g 5 -t tapg5',
  '-u nobody -g nogroup -t tapug',
  '-b -t quiet0',
  '-d tap5',
  '-d quiet0',
  '-d nosuch7',
  '-b -d tapn',
  '-t tap%d',
];
/** Command lines that fail; theirs says the same without the program's name, with a usage of its own. */
const FAULTS = [
  '-u nosuch -t tapx',
  '-g nosuch -t tapx',
  '-x',
  '-d',
  '-t',
  '-t tapq extra',
  '-f /dev/null -t tapz',
  '-f /nonexistent -t tapz',
  '-t a/b',
];

test('tunctl makes, owns, tells and removes as uml-utilities does', { skip }, (t) => {
  const w = world(t);
  const sides = (['debian', 'weft'] as Tools[]).map((tools) => {
    const h = w.host(tools);
    const devices = (): string =>
      h.ok('cd /sys/class/net; for d in *; do [ -e $d/tun_flags ] && echo $d $(cat $d/tun_flags $d/owner $d/group); done; true');
    return {
      run: (line: string) => {
        const said = h.run(`tunctl ${line}`, { tools });
        return { line, code: said.code, stdout: said.stdout, stderr: said.stderr, devices: devices() };
      },
    };
  });
  const [theirs, ours] = sides as [(typeof sides)[0], (typeof sides)[0]];
  for (const line of LINES) assert.deepEqual(ours.run(line), theirs.run(line));
  for (const line of FAULTS) {
    const [we, they] = [ours.run(line), theirs.run(line)];
    assert.deepEqual([we.code, we.stdout, we.devices], [they.code, they.stdout, they.devices], line);
    const first = they.stderr.split('\n')[0]!.replace(/^\S*tunctl: /, '');
    if (!first.startsWith('Create:')) assert.ok(we.stderr.startsWith(`tunctl: ${first.replace(' :', ':')}`), `${line}: ${we.stderr}`);
    assert.match(we.stderr, /^tunctl: /, line);
  }
});
