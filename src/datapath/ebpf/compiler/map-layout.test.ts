import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixedMaps } from './map-layout.ts';

const LINE = 64;
const MAPPABLE = 0x400;

test('what processors change or look up for each frame stands in whole cache lines', () => {
  const maps = new Map(fixedMaps(4096).map((spec) => [spec.name, spec]));
  for (const name of ['tx', 'records', 'hints', 'pending']) {
    const { valueSize, flags } = maps.get(name)!;
    assert.ok(valueSize % LINE === 0 || LINE % valueSize === 0, `${name}: values of ${valueSize} bytes`);
    // Only of arrays that can be mapped do values begin at a page.
    assert.ok(((flags ?? 0) & MAPPABLE) !== 0, `${name} cannot be mapped`);
  }
});
