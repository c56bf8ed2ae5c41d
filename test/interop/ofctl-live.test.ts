// ovs-ofctl four ways: Debian's and ours, each on Debian's ovs-vswitchd and on ours (support/ofctl-four-ways.ts).
import { test } from 'node:test';
import { ofctlSections } from './ofctl-lines.ts';
import { fourWays, skip } from './support/four-ways.ts';

test('the same command lines, four ways', { skip, timeout: 600_000 }, (t) => fourWays(t, ofctlSections));
