// Relays whose remote is missing or is no name of a connection: what is logged of the first attempt, beside Debian's.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const REFERENCE = '/usr/sbin/ovsdb-server';
const OURS = join(import.meta.dirname, '../../bin/ovsdb-server');

/** The lines up to the first attempt, without the times before them. */
function heard(program: string, name: string): string[] {
  const { stderr } = spawnSync(program, ['--unixctl=none', name], { encoding: 'utf8', timeout: 1500 });
  return stderr.split('\n', 3).map((line) => line.replace(/^[^|]*\|\d+\|/, ''));
}

for (const name of ['relay:X:', 'relay::', 'relay:X:,', 'relay:X:strange']) {
  test(`${name} is taken, and its server never found`, { skip: !existsSync(REFERENCE) }, () => {
    const theirs = heard(REFERENCE, name);
    assert.match(theirs.join('\n'), /connecting\.\.\./);
    assert.deepEqual(heard(OURS, name), theirs);
  });
}
