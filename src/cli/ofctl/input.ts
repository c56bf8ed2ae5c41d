// What the commands that need no switch read: standard input in lines, files, hexadecimal.
import { readFileSync } from 'node:fs';
import { ConfigError } from '../../base/errors.ts';
import { takeHex } from '../../openflow/text/entries-text.ts';

/** All of standard input, a character a byte. */
export const standardInput = (): string => readFileSync(0, 'latin1');

/** Lines of standard input without comments, blank ones left out. */
export function inputLines(): string[] {
  return standardInput()
    .split('\n')
    .map((line) => line.replace(/#.*/, ''))
    .filter((line) => line.trim() !== '');
}

/** Bytes of a text that is hexadecimal from end to end. */
export function hexData(text: string, fault = 'Trailing garbage in hex data'): Uint8Array {
  const { bytes, rest } = takeHex(text);
  if (rest !== '') throw new ConfigError(fault);
  return Uint8Array.from(bytes);
}
