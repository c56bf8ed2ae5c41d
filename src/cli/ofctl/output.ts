// Where commands print what switches said: names in messages need not be UTF-8.
import { encodeText } from '../../base/byte-text.ts';

/** Writes to standard output. */
export const print = (text: string): void => void process.stdout.write(encodeText(text));
