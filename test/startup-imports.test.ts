// What the short-lived commands are made of loads no part of the runtime that takes milliseconds, unless it is needed: `process.getBuiltinModule` then.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const ROOMS = ['base', 'cli', 'ovsdb', 'openflow', 'flow', 'daemon/ovsdb-server', 'daemon/plumbing'];
const COSTLY = 'child_process|cluster|crypto|dgram|dns|http|net|perf_hooks|readline|stream|tls|worker_threads|zlib';
const IMPORT = new RegExp(`^import (?!type )[^;]* from 'node:(?:${COSTLY})(?:/[a-z]+)?';$`, 'm');

test('no costly part of the runtime is loaded by importing a room of the commands', () => {
  const files = ROOMS.flatMap((room) => globSync(`src/${room}/**/*.ts`, { cwd: root }));
  assert.ok(files.length > 100);
  // `weft` takes its time.
  const judged = files.filter((file) => !/\.test\.ts$|^src\/cli\/weft\//.test(file));
  assert.deepEqual(
    judged.filter((file) => IMPORT.test(readFileSync(join(root, file), 'utf8'))),
    [],
  );
});
