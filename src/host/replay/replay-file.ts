// The files of `--record` and `--replay`: what happened on one connection or listener, or which random UUIDs were drawn, in Open vSwitch's format.
//
// A file is a sequence of records: a number, a length and, for input, so many bytes. The number is the event's place among the events of all files
// of the process; that of output is negative, and its length counts bytes that were sent. A negative length is an errno value. The first record of
// a connection or listener tells whether it was opened; the opening of a file is itself an event, whose number is in the file's name.
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { strerror, systemErrno } from '../../base/errno.ts';
import { ConfigError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';

const log = logger('ovs_replay');

/** The source of UUIDs, among names of connections. */
export const UUID_SOURCE = '__uuid_generate';
export const EAGAIN = 11;

/** The part of a file's name that is made of a connection's: numbers in it differ from run to run. */
export function replayName(name: string): string {
  return name.replaceAll(/[^a-z]+/gi, '_').replace(/_$/, '');
}

/** The path of the file for `name` that is opened as event `seqno`. */
export function replayPath(dir: string, name: string, seqno: number): string {
  const path = `${dir}/replay_${replayName(name)}_${seqno}`;
  log.dbg(() => `Constructing replay filename: '${name}' --> '${replayName(name)}' --> '${path}'.`);
  return path;
}

/** Tells why a file cannot be opened. */
export function sayUnopened(path: string, error: unknown): void {
  log.err(`${path}: fopen failed: ${strerror(systemErrno(error))}`);
}

/** Without UUIDs nothing starts. */
export function unopenedUuids(error: unknown): ConfigError {
  return new ConfigError(`failed to open uuid replay file: ${strerror(systemErrno(error))}.`);
}

/** A file that is written. Throws what opening throws, after the log was told. */
export class RecordFile {
  readonly #fd: number;
  #isOpen = true;

  constructor(path: string) {
    try {
      this.#fd = openSync(path, 'w');
    } catch (error) {
      sayUnopened(path, error);
      throw error;
    }
  }

  write(seqno: number, length: number, bytes?: Uint8Array): void {
    if (!this.#isOpen) return;
    const record = Buffer.alloc(8 + (bytes?.length ?? 0));
    record.writeInt32LE(seqno, 0);
    record.writeInt32LE(length, 4);
    record.set(bytes ?? [], 8);
    for (let at = 0; at < record.length; ) at += writeSync(this.#fd, record, at);
  }

  close(): void {
    if (this.#isOpen) closeSync(this.#fd);
    this.#isOpen = false;
  }
}

/** One event of a file that is read. */
export interface ReplayRecord {
  seqno: number;
  length: number;
  /** Input alone has some. */
  bytes: Uint8Array;
  isOutput: boolean;
}

const NOTHING = new Uint8Array(0);

/** The records of a file, as far as they are whole. */
export function readReplayFile(path: string): ReplayRecord[] {
  const bytes = readFileSync(path);
  const records: ReplayRecord[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const number = bytes.readInt32LE(at);
    const length = bytes.readInt32LE(at + 4);
    at += 8;
    const size = number >= 0 && length > 0 ? length : 0;
    if (at + size > bytes.length) break;
    records.push({ seqno: Math.abs(number), length, bytes: size === 0 ? NOTHING : bytes.subarray(at, at + size), isOutput: number < 0 });
    at += size;
  }
  return records;
}
