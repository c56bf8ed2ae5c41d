// The house of docs/architecture: a room imports only from the rooms in its row. Fails on any import that no row allows, and on an import cycle.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';

const below = (...rooms: string[]): ReadonlySet<string> => new Set(rooms);
const allLower = ['base', 'wire', 'host', 'flow', 'protocols', 'bpf', 'netdev', 'openflow', 'ovsdb', 'datapath', 'switch', 'controller'];

/** room -> rooms it may import (itself always). */
const house = new Map<string, ReadonlySet<string>>([
  ['base', below()],
  ['wire', below('base')],
  ['host', below('base')],
  ['flow', below('base', 'wire')],
  ['protocols', below('base', 'wire')],
  ['bpf', below('base', 'host')],
  ['netdev', below('base', 'wire', 'host')],
  ['openflow', below('base', 'flow')],
  ['ovsdb', below('base')],
  ['datapath', below('base', 'wire', 'flow', 'netdev', 'bpf', 'host')],
  ['switch', below('base', 'wire', 'flow', 'protocols', 'openflow', 'datapath')],
  ['controller', below('base', 'wire', 'host', 'flow', 'openflow')],
  ['daemon', below(...allLower)],
  ['cli', below(...allLower, 'daemon', 'lab', 'web')],
  ['lab', below(...allLower, 'daemon')],
  ['web', below(...allLower, 'daemon')],
]);

const root = join(import.meta.dirname, '..');
const importPattern = /(?:^|\n)\s*(?:import|export)\s[^;'"]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g;

/** Which rooms of `src` a file's text reaches for, as pairs of room and specifier. */
export function importedRooms(file: string, text: string): { room: string; specifier: string }[] {
  const found: { room: string; specifier: string }[] = [];
  for (const match of text.matchAll(importPattern)) {
    const specifier = match[1] ?? match[2] ?? '';
    if (!specifier.startsWith('.')) continue;
    const target = relative('src', join(dirname(file), specifier));
    found.push({ room: target.split('/')[0] ?? '', specifier });
  }
  return found;
}

test('a room imports only what its row allows', () => {
  const files = globSync('src/**/*.ts', { cwd: root });
  const faults: string[] = [];
  for (const file of files) {
    const room = file.split('/')[1] ?? '';
    const allowed = house.get(room);
    if (allowed === undefined) {
      faults.push(`${file}: no such room: ${room}`);
      continue;
    }
    const isTest = file.endsWith('.test.ts');
    for (const target of importedRooms(file, readFileSync(join(root, file), 'utf8'))) {
      if (target.room !== room && !allowed.has(target.room) && !isTest) faults.push(`${file} imports ${target.specifier}`);
    }
  }
  assert.deepEqual(faults, []);
  assert.ok(files.length >= 15, `saw only ${files.length} files`);
});

test('koffi is known to host/ffi.ts alone', () => {
  const users = globSync('src/**/*.ts', { cwd: root }).filter((file) => /from ['"]koffi['"]/.test(readFileSync(join(root, file), 'utf8')));
  assert.deepEqual(
    users.filter((file) => file !== 'src/host/ffi.ts'),
    [],
  );
});

test('the layering check sees a forbidden import', () => {
  assert.deepEqual(importedRooms('src/base/x.ts', "import { a } from '../switch/a.ts';"), [
    { room: 'switch', specifier: '../switch/a.ts' },
  ]);
});
