import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSameValue } from './same-value.ts';

test('values are the same by content', () => {
  const make = () => ({ kind: 'output', port: 1, list: [1n, 'a', null], bytes: Uint8Array.of(1, 2), none: undefined });
  assert.ok(isSameValue(make(), make()));
  for (const other of [
    { ...make(), port: 2 },
    { ...make(), list: [1n, 'a'] },
    { ...make(), list: [1, 'a', null] },
    { ...make(), bytes: Uint8Array.of(1, 3) },
    { ...make(), bytes: [1, 2] },
    { ...make(), more: undefined },
    { kind: 'output' },
    null,
    'output',
    [make()],
  ])
    assert.ok(
      !isSameValue(make(), other) && !isSameValue(other, make()),
      JSON.stringify(other, (_, v) => String(v)),
    );
});
