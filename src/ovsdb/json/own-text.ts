// Text that is kept for long.
import { decodeText, encodeText } from '../../base/byte-text.ts';

const scratch = Buffer.allocUnsafeSlow(4096);

/**
 * The text in memory of its own. What is cut out of a longer text keeps all of that alive: whatever is stored for long must not be such a piece.
 */
export function ownText(text: string): string {
  // The runtime copies what is shorter.
  if (text.length < 13) return text;
  if (!text.isWellFormed()) return decodeText(encodeText(text));
  if (text.length > 1300) return Buffer.from(text).toString();
  return scratch.toString('utf8', 0, scratch.write(text));
}
