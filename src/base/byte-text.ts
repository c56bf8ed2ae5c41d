// Text of a peer's that should be UTF-8 and need not be: bytes that are no UTF-8 become lone surrogates (U+DC80 to U+DCFF, one a byte), which
// no other text has, so that what is written again, or shown, is the bytes that came.
import { isUtf8 } from 'node:buffer';

const ESCAPED = 0xdc00;
const FIRST = 0xdc80;
const LAST = 0xdcff;
/** UTF-8 has up to four bytes a character. */
const MOST = 4;

/** The text of bytes of which none is UTF-8. */
export const byteText = (...bytes: number[]): string => String.fromCharCode(...bytes.map((byte) => ESCAPED + byte));

/** The text of bytes, whatever they are. */
export function decodeText(bytes: Uint8Array): string {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(all)) return all.toString();
  let text = '';
  for (let at = 0; at < all.length; ) {
    let size = 1;
    while (size <= MOST && !isUtf8(all.subarray(at, at + size))) size++;
    if (size <= MOST) text += all.toString('utf8', at, at + size);
    else text += String.fromCharCode(ESCAPED + (all[at] ?? 0));
    at += size <= MOST ? size : 1;
  }
  return text;
}

/** The bytes of text that `decodeText` may have made, alone or as a part. */
export function encodeText(text: string): Uint8Array {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts: Buffer[] = [];
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    parts.push(code >= FIRST && code <= LAST ? Buffer.of(code - ESCAPED) : Buffer.from(char));
  }
  return Buffer.concat(parts);
}

/** Which second bytes go with a first byte that does not take all. */
const SECOND = new Map([
  [0xe0, [0xa0, 0xbf]],
  [0xed, [0x80, 0x9f]],
  [0xf0, [0x90, 0xbf]],
  [0xf4, [0x80, 0x8f]],
]);

/** The first bytes that are no UTF-8, up to the one that cannot follow the others, which is 0 at the end; undefined when there are none. */
export function invalidUtf8(bytes: Uint8Array): Uint8Array | undefined {
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] as number;
    const size =
      first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
    if (size === 0) return Uint8Array.of(first);
    for (let i = 1; i < size; i++) {
      const [low = 0x80, high = 0xbf] = i === 1 ? (SECOND.get(first) ?? []) : [];
      const byte = bytes[at + i] ?? 0;
      if (byte < low || byte > high) return Uint8Array.of(...bytes.subarray(at, at + i), byte);
    }
    at += size;
  }
  return undefined;
}
