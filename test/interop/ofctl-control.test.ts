// The control plane around flows four ways (support/ofctl-four-ways.ts): bundles, differences of flow tables, tables' settings, TLV maps.
import { test } from 'node:test';
import { controlSections } from './ofctl-lines.ts';
import { fourWays, skip } from './support/four-ways.ts';

test('bundles, differences, table settings, TLV maps: the same command lines, four ways', { skip, timeout: 600_000 }, (t) =>
  fourWays(t, controlSections),
);
