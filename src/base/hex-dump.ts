// Bytes as the reference dumps them: offset, sixteen bytes in hexadecimal with a dash in the middle, and the printable characters.

/** How a line ends: with the characters, as in messages; with the dash that may be due, as in the log; with the last byte. */
export type DumpStyle = 'characters' | 'log' | 'bare';

/** Lines of a dump, each ended; none for no bytes. */
export function hexDump(bytes: Uint8Array, style: DumpStyle = 'characters'): string {
  const ascii = style === 'characters';
  let text = '';
  for (let at = 0; at < bytes.length; at += 16) {
    text += `${at.toString(16).padStart(8, '0')}  `;
    let characters = '';
    const size = Math.min(16, bytes.length - at);
    for (let i = 0; i < (ascii ? 16 : size); i++) {
      const byte = bytes[at + i] ?? 0;
      if (i < size) {
        text += byte.toString(16).padStart(2, '0');
        characters += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
      } else {
        text += '  ';
        characters += ' ';
      }
      if (ascii || i < size - 1 || (style === 'log' && i === 7)) text += i === 7 && i < size ? '-' : ' ';
    }
    text += ascii ? `|${characters}|\n` : '\n';
  }
  return text;
}
