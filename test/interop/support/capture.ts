// Capture files of tests.
import { readFileSync } from 'node:fs';

/** The frames of a capture file, as hex digits. */
export function captured(path: string): string[] {
  const bytes = readFileSync(path);
  const frames: string[] = [];
  for (let at = 24; at + 16 <= bytes.length; ) {
    const size = bytes.readUInt32LE(at + 8);
    frames.push(bytes.subarray(at + 16, at + 16 + size).toString('hex'));
    at += 16 + size;
  }
  return frames;
}
