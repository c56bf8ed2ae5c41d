// What ovsdb-client, ovsdb-tool and ovs-vsctl print of values that are hard to print, beside Debian's: every output format, byte by byte.
// WEFT_OUTPUT_LINES sets how many command lines for each seed, WEFT_OUTPUT_SEEDS how many seeds, WEFT_OUTPUT_SEED where to start.
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { clientLines, toolLines, vsctlLines } from './support/output-sides.ts';

const lines = Number(process.env['WEFT_OUTPUT_LINES'] ?? 60);
const seeds = Number(process.env['WEFT_OUTPUT_SEEDS'] ?? 2);
const first = Number(process.env['WEFT_OUTPUT_SEED'] ?? 1);
const skip = existsSync('/usr/bin/ovs-vsctl') && existsSync('/usr/sbin/ovsdb-server') ? false : 'needs openvswitch-switch';

for (let seed = first; seed < first + seeds; seed++) {
  test(`${lines} lines of ovsdb-client, seed ${seed}`, { skip }, () => clientLines(seed, lines));
  test(`${lines} lines of ovsdb-tool, seed ${seed}`, { skip }, () => toolLines(seed, lines));
  test(`${lines} lines of ovs-vsctl, seed ${seed}`, { skip }, () => vsctlLines(seed, lines));
}
