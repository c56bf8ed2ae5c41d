// Text of a peer's that should be UTF-8 and need not be: bytes that are no UTF-8 become lone surrogates (U+DC80 to U+DCFF, one a byte), which
// no other text has, so that what is written again, or shown, is the bytes that came.
import { isUtf8 } from 'node:buffer';

const ESCAPED = 0xdc00;
const FIRST = 0xdc80;
const LAST = 0xdcff;
/** UTF-8 has up to four bytes a character. */
const MOST = 4;

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
