// Files of many sound flows or groups, with the log of the connection: text of each message as it was sent, and its bytes, a process for hundreds.
import { checkSayable, groupProtocols, usableProtocols } from '../../../src/openflow/protocols.ts';
import { parseFlow } from '../../../src/openflow/text/flow-text.ts';
import { parseGroup } from '../../../src/openflow/text/group-text.ts';
import { readable } from '../body-pieces.ts';
import { flowText } from '../flow-lines.ts';
import type { Dice } from '../random.ts';
import { groupText } from './group-lines.ts';
import type { SentCase } from './run.ts';

/** Lines of a file: below the 600 messages that the log of a connection has room for, of which there are three for a group. */
export const LINES = 180;

/** Versions, and the formats that can carry something to them. */
const VERSIONS: readonly (readonly [string, RegExp])[] = [
  ['OpenFlow10', /^(OpenFlow10|NXM)/],
  ['OpenFlow11', /^OpenFlow11/],
  ['OpenFlow12', /^OXM-OpenFlow12/],
  ['OpenFlow13', /^OXM-OpenFlow13/],
  ['OpenFlow14', /^OXM-OpenFlow14/],
  ['OpenFlow15', /^OXM-OpenFlow15/],
];

/** Lines of which each is sound by itself. */
function soundLines(make: () => string, isSound: (text: string) => boolean): string {
  const lines: string[] = [];
  while (lines.length < LINES) {
    const text = make();
    if (readable(() => isSound(text), false)) lines.push(text);
  }
  return `${lines.join('\n')}\n`;
}

/** The log of the connection alone: others have room for five lines. */
const logged = (version: string, ...words: string[]): string[] => ['-voff', '-vvconn:console:dbg', '--no-names', '-O', version, ...words];

export function flowFile(d: Dice): SentCase {
  const [version, formats] = d.pick(VERSIONS);
  const isSound = (text: string): boolean => {
    const mod = parseFlow(text, 'add');
    checkSayable(mod);
    return usableProtocols([mod]).some((name) => formats.test(name));
  };
  const words = d.chance(1, 4) && version !== 'OpenFlow10' ? ['--bundle'] : [];
  return {
    args: [...words, ...logged(version, 'add-flows', 'SWITCH', 'FILE')],
    peer: {},
    file: soundLines(() => flowText(d), isSound),
  };
}

export function groupFile(d: Dice): SentCase {
  const [version, formats] = d.pick(VERSIONS);
  const isSound = (text: string): boolean => groupProtocols([parseGroup(text, 'add')]).some((name) => formats.test(name));
  return {
    args: logged(version, 'add-groups', 'SWITCH', 'FILE'),
    peer: {},
    file: soundLines(() => groupText(d, 'add'), isSound),
  };
}
