// The words of the command line, as they were given: the runtime makes U+FFFD of bytes that are no UTF-8, and file names and values may have such.
import { readFileSync } from 'node:fs';
import { decodeText } from '../base/byte-text.ts';

/** The words behind the first `skip`. */
export function commandWords(skip: number): string[] {
  const words = process.argv.slice(skip);
  if (!words.some((word) => word.includes('\ufffd'))) return words;
  const all = readFileSync('/proc/self/cmdline');
  const given: string[] = [];
  for (let at = 0; at < all.length; ) {
    const end = all.indexOf(0, at);
    given.push(decodeText(all.subarray(at, end)));
    at = end + 1;
  }
  return given.slice(given.length - words.length);
}
