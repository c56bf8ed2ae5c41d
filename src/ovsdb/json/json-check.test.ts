import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JsonError } from './json.ts';
import { JsonCheck } from './json-check.ts';
import { parseText } from './json-text.ts';

/** Whether the parser finds a fault that more text could not mend. */
function isFaulty(text: string): boolean {
  try {
    parseText(text);
    return false;
  } catch (error) {
    return error instanceof JsonError && !error.isIncomplete;
  }
}

const texts = fc.json({ depthSize: 'medium' }).filter((text) => /^[[{]/.test(text));

test('what goes on rightly is right at every byte, in pieces of any size', () => {
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 9 }), (text, size) => {
      const bytes = Buffer.from(text);
      const check = new JsonCheck();
      for (let at = 0; at < bytes.length; at += size) assert.ok(check.push(bytes.subarray(at, at + size)), text);
    }),
  );
});

test('what it calls a fault the parser calls one, and it misses none that is not of the rare kinds', () => {
  let faults = 0;
  const damage = fc.record({ at: fc.nat(), drop: fc.nat(3), put: fc.stringMatching(/^[[\]{}":,\\0-9a-zA-Z.+ \n-]{0,4}$/) });
  fc.assert(
    fc.property(texts, damage, (text, { at, drop, put }) => {
      const place = at % text.length;
      const damaged = (text.slice(0, place) + put + text.slice(place + drop)).replaceAll(/\\u[dD][89a-fA-F]../g, '');
      if (!/^[[{]/.test(damaged)) return;
      // Whatever comes after the end of the first value is another text.
      for (let end = 1; end <= damaged.length; end++) {
        const piece = damaged.slice(0, end);
        const isRight = new JsonCheck().push(Buffer.from(piece));
        const isWrong = isFaulty(piece);
        if (!isRight) {
          faults++;
          assert.ok(isFaulty(`${piece} `) || isWrong, piece);
          return;
        }
        if (isWrong && !/null bytes|outside valid range|trailing garbage/.test(faultOf(piece))) {
          // It may take the character after a word to know.
          assert.ok(!new JsonCheck().push(Buffer.from(`${piece} `)), `${piece}: ${faultOf(piece)}`);
          return;
        }
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(faults > 100, `${faults}`);
});

function faultOf(text: string): string {
  try {
    parseText(text);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}
