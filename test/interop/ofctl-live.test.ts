// ovs-ofctl four ways: Debian's and ours, each on Debian's ovs-vswitchd and on ours (support/ofctl-four-ways.ts).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { groupSections } from './group-lines.ts';
import { controlSections, ofctlSections } from './ofctl-lines.ts';
import { restSections } from './ofctl-rest-lines.ts';
import { fourWays, skip } from './support/four-ways.ts';

test('the same command lines, four ways', { skip, timeout: 600_000 }, (t) => fourWays(t, ofctlSections));

test('the commands that no other section has, four ways', { skip, timeout: 600_000 }, (t) => fourWays(t, restSections));

/** The command of each call of ovs-ofctl in a shell line: the first word that is no option and no option's argument. */
function commandsOf(line: string): string[] {
  return line
    .split(/\bovs-ofctl\b/)
    .flatMap((call, i) => (i === 0 ? [] : (/^(?:\s+(?:-[OtFP] ?\S+|-\S+))*\s+([a-z][\w-]*)/.exec(call)?.[1] ?? [])));
}

test("every command of the reference's help and of its list is in one of the sections", { skip }, () => {
  const said = (word: string): string => execFileSync('/usr/bin/ovs-ofctl', [word], { encoding: 'utf8' });
  const fromHelp = [...said('--help').matchAll(/^ {2}(?:\[--may-create\] )?([a-z][a-z-]+) [A-Z[]/gm)].map((match) => match[1] ?? '');
  const fromList = [...said('list-commands').matchAll(/^ {2}([a-z][\w-]+)/gm)].map((match) => match[1] ?? '');
  assert.ok(fromHelp.length > 45 && fromList.length > 70, 'the lists are read');
  const sections = [...ofctlSections, ...controlSections, ...groupSections(1, 1), ...restSections];
  const used = new Set(sections.flatMap(([, lines]) => lines.flatMap(commandsOf)));
  assert.deepEqual(
    [...fromHelp, ...fromList].filter((command) => !used.has(command)),
    [],
  );
});
