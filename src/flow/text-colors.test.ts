import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasColors, paint, setColors } from './text-colors.ts';

test('OVS_COLORS says some colours; what is malformed says none', (t) => {
  t.after(() => setColors(undefined));
  assert.equal(paint('pr', 'ct('), 'ct(');
  const cases: [string, string][] = [
    ['', '35'],
    ['pr=5', '5'],
    ['pr=', ''],
    ['pr', '(null)'],
    ['vl=4:pr', '(null)'],
    ['vl=4x:pr=5', '5'],
    ['pr=5:pr=6', '6'],
    ['pr=5;', '5;'],
    [' pr=5', '35'],
    ['PR=5', '35'],
    ['prx=5', '35'],
    ['vl=5,pr=4', '35'],
    ['__proto__=5:pr=4', '4'],
  ];
  for (const [spec, sgr] of cases) {
    setColors(spec);
    assert.equal(paint('pr', 'ct('), `\x1b[${sgr}m\x1b[Kct(\x1b[m\x1b[K`, spec);
  }
  setColors(undefined);
  assert.equal(hasColors(), false);
});
