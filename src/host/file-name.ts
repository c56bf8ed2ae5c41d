// Names of files as the kernel has them, which are bytes: text of which some are no UTF-8 (byte-text.ts) is given to the runtime as bytes.
import { readlinkSync, realpathSync } from 'node:fs';
import { decodeText, encodeText } from '../base/byte-text.ts';

/** What the runtime's file functions are given for a name. */
export const fileName = (name: string): string | Buffer => (name.isWellFormed() ? name : Buffer.from(encodeText(name)));

/** What a link says; throws as readlink(2) fails. */
export const readLink = (name: string): string => decodeText(readlinkSync(fileName(name), 'buffer'));

/** The file that a name leads to, by a name without links. */
export const realName = (name: string): string => decodeText(realpathSync.native(fileName(name), 'buffer'));
