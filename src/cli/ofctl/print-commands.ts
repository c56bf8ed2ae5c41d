// Commands that print messages and frames: ofp-print, ofp-parse, ofp-parse-pcap, parse-pcap, parse-packet, compose-packet.
import { readFileSync } from 'node:fs';
import { strerror, systemErrno } from '../../base/errno.ts';
import { ConfigError } from '../../base/errors.ts';
import { printBytes } from '../../openflow/text/message-print.ts';
import { formatPacket } from '../../openflow/text/packet-text.ts';
import { hexData } from './input.ts';
import { print } from './output.ts';

/** ofp-print HEX [VERBOSITY] */
export function ofpPrint(hex: string, verbosity?: string): number {
  const bytes = hexData(hex, 'trailing garbage following hex bytes');
  print(printBytes(bytes, { verbosity: verbosity === undefined ? 2 : Number.parseInt(verbosity, 10) || 0 }));
  return 0;
}

/** ofp-parse FILE: messages as they stood on a connection. */
export function ofpParse(path: string, verbosity: number): number {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path === '-' ? 0 : path);
  } catch (error) {
    throw new ConfigError(`${path}: open (${strerror(systemErrno(error))})`);
  }
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < 8) return endOfFile(text, path);
    const size = bytes.readUInt16BE(at + 2);
    if (size < 8) {
      print(text);
      throw new ConfigError(`${path}: message is too short`);
    }
    if (bytes.length - at < size) return endOfFile(text, path);
    text += printBytes(bytes.subarray(at, at + size), { verbosity: verbosity + 2 });
    at += size;
  }
  print(text);
  return 0;
}

function endOfFile(text: string, path: string): never {
  print(text);
  throw new ConfigError(`${path}: unexpected end of file mid-message`);
}

/** parse-packet: a frame on standard input. */
export function parsePacketCommand(): number {
  print(formatPacket(readFileSync(0)));
  return 0;
}
