// Messages that have once been shown otherwise than the reference shows them, most of them damaged: bytes behind `>` and under them what it
// says at verbosity 2 without the bytes at the end. `test/interop/ofctl-compare.test.ts` asks the reference the same.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { printBytes } from './message-print.ts';

/** The messages of a file and their texts. */
function readCases(path: string): { hex: string; text: string }[] {
  const [, ...blocks] = readFileSync(path, 'utf8').split(/^> /m);
  return blocks.map((block) => ({ hex: block.slice(0, block.indexOf('\n')), text: block.slice(block.indexOf('\n') + 1) }));
}

const withoutDump = (text: string): string => text.replace(/^[0-9a-f]{8} {2}.*\n/gm, '');

for (const { hex, text } of readCases(join(import.meta.dirname, 'printed-messages.txt')))
  test(`${hex.slice(0, 40)}: ${text.split('\n', 1)[0]}`, () => {
    assert.equal(withoutDump(printBytes(Buffer.from(hex, 'hex'), { verbosity: 2 })), text);
  });
