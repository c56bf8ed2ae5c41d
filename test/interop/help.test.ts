// What each program says of itself: scripts and documents read `--help` and `--version`, so they are the reference's to the byte.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const ours = join(import.meta.dirname, '../../bin');
const theirs = ['/usr/bin', '/usr/sbin'];

for (const program of ['ovs-appctl', 'ovs-dpctl', 'ovs-ofctl', 'ovs-vsctl', 'ovs-vswitchd', 'ovsdb-client', 'ovsdb-server', 'ovsdb-tool']) {
  const reference = theirs.map((folder) => join(folder, program)).find(existsSync);
  test(`${program} --help, --version`, { skip: reference === undefined && `no ${program} to compare with` }, () => {
    // Where each keeps its schema is its own affair.
    const said = (path: string, option: string) => {
      const { status, stdout, stderr } = spawnSync(path, [option], { encoding: 'utf8' });
      return { status, stdout: stdout.replace(/\S+\/vswitch\.ovsschema/, 'SCHEMA'), stderr };
    };
    for (const option of ['--help', '-h', '--version', '-V']) {
      assert.deepEqual(said(join(ours, program), option), said(reference ?? '', option), option);
    }
  });
}
