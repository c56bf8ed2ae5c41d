// A slice of the long runs of `npm run fuzz:inputs` and `npm run fuzz:openflow`.
import { test } from 'node:test';
import { TARGETS as OPENFLOW } from './compare/fuzz.ts';
import { TARGETS } from './fuzz/main.ts';
import { fuzz } from './fuzz/runner.ts';

/** Targets of which a run takes longer: files on the disk, whole peers. */
const SLOW = new Set(['capture', 'cluster', 'database', 'replay', 'keys', 'lab', 'replica', 'control', 'switch', 'controller', 'datapath']);

for (const [name, target] of Object.entries({ ...OPENFLOW, ...TARGETS }))
  test(`hostile input: ${name}`, async () => {
    await fuzz(name, target, SLOW.has(name) ? 20 : name === 'json' ? 2000 : 200, 1);
  });
