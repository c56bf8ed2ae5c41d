// Bytes as the reference dumps them: offset, sixteen bytes in hexadecimal with a dash in the middle, and the printable characters.

/** Lines of a dump, each ended; none for no bytes. Without `ascii` nothing stands behind the last byte. */
export function hexDump(bytes: Uint8Array, ascii = true): string {
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
      if (ascii || i < size - 1) text += i === 7 && i < size ? '-' : ' ';
    }
    text += ascii ? `|${characters}|\n` : '\n';
  }
  return text;
}
