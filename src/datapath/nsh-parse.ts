// The inside of `push_nsh(...)` from text. Facts: the running reference.
import type { DpAction } from './datapath.ts';
import type { TextScan } from './text-scan.ts';

const MOST_METADATA = 248;

/** Fields with what they are when they are not said, and how they are read. */
const FIELDS: readonly (readonly [name: string, otherwise: number, pattern: string])[] = [
  ['flags', 0, 'flags=%i'],
  ['ttl', 63, 'ttl=%i'],
  ['mdtype', 1, 'mdtype=%i'],
  ['np', 3, 'np=%i'],
  ['spi', 0, 'spi=0x%x'],
  ['si', 255, 'si=%i'],
  ['c1', 0, 'c1=0x%x'],
  ['c2', 0, 'c2=0x%x'],
  ['c3', 0, 'c3=0x%x'],
  ['c4', 0, 'c4=0x%x'],
];

/** What follows `push_nsh(`. */
export function readPushNsh(scan: TextScan): DpAction | undefined {
  const values = new Map(FIELDS.map(([name, otherwise]) => [name, otherwise]));
  const get = (name: string): number => values.get(name) ?? 0;
  let metadata = new Uint8Array(0);
  while (!scan.word(')')) {
    scan.delimiters();
    if (scan.text[scan.at] === ')') continue;
    const field = FIELDS.find(([name]) => scan.text.startsWith(`${name}=`, scan.at));
    const number = field === undefined ? undefined : scan.pattern(field[2])?.[0];
    if (field !== undefined && number !== undefined) {
      const [name] = field;
      if (name === 'mdtype' && number !== 1 && number !== 2) return undefined;
      if (/^c\d/.test(name) && get('mdtype') !== 1) return undefined;
      values.set(name, number);
      continue;
    }
    const digits = get('mdtype') === 2 ? scan.match(/md2=0x([0-9a-f]+)/iy)?.[1] : undefined;
    if (digits === undefined) return undefined;
    const bytes = Buffer.from(digits, 'hex');
    if (bytes.length > MOST_METADATA) return undefined;
    metadata = new Uint8Array((bytes.length + 3) & ~3);
    metadata.set(bytes);
  }
  const header = new Uint8Array(8 + (get('mdtype') === 1 ? 16 : metadata.length));
  const view = new DataView(header.buffer);
  view.setUint16(0, ((get('flags') & 3) << 12) | ((get('ttl') & 63) << 6) | (header.length >> 2));
  header[2] = get('mdtype');
  header[3] = get('np');
  view.setUint32(4, ((get('spi') << 8) | (get('si') & 255)) >>> 0);
  if (get('mdtype') === 2) header.set(metadata, 8);
  else for (let i = 0; i < 4; i++) view.setUint32(8 + 4 * i, get(`c${i + 1}`));
  return { kind: 'pushNsh', header };
}
