// `--replay`: connections and listeners that are none; what a recorded process got, this one gets in the same order, from the files.
//
// One cursor goes through the events of all files. It waits for the program where that had to do something first: open what was opened, send
// something before more was received. A program that does otherwise than the recorded one is waited for in vain for a while only.
import { readdirSync } from 'node:fs';
import { useUuids } from '../../base/cryptography.ts';
import { strerror } from '../../base/errno.ts';
import { KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { Listener, Stream, StreamHandlers } from '../../base/stream.ts';
import {
  EAGAIN,
  type ReplayRecord,
  readReplayFile,
  replayName,
  replayPath,
  sayUnopened,
  UUID_SOURCE,
  unopenedUuids,
} from './replay-file.ts';
import type { ReplayHooks } from './replay-hooks.ts';
import { uuidOfBytes } from './replay-uuid.ts';

const log = logger('stream_replay');
const PATIENCE_MS = 1000;
const ENOENT = 2;

/** A recorded file and what has become of it. */
interface Recorded {
  readonly name: string;
  readonly openedAt: number;
  readonly records: readonly ReplayRecord[];
  isTaken: boolean;
  onStream: ((stream: Stream) => void) | undefined;
  stream: ReplayedStream | undefined;
}

interface Event {
  seqno: number;
  file: Recorded;
  /** None: the opening of the file. */
  record: ReplayRecord | undefined;
}

export class Replayer implements ReplayHooks {
  readonly #dir: string;
  readonly #files: Recorded[] = [];
  readonly #events: Event[] = [];
  #isRunning = false;
  #changed: () => void = () => {};

  constructor(dir: string) {
    this.#dir = dir;
    useUuids(() => {
      const absent = new KernelError(UUID_SOURCE, ENOENT, '');
      sayUnopened(replayPath(dir, UUID_SOURCE, this.#takenCount()), absent);
      throw unopenedUuids(absent);
    });
    for (const entry of names(dir)) {
      const [, name, openedAt] = /^replay_(.*)_(\d+)$/.exec(entry) ?? [];
      if (name === undefined) continue;
      const records = readReplayFile(`${dir}/${entry}`);
      const file: Recorded = {
        name,
        openedAt: Number(openedAt),
        records,
        isTaken: false,
        onStream: undefined,
        stream: undefined,
      };
      if (name === replayName(UUID_SOURCE)) {
        this.#useUuids(records);
        continue;
      }
      this.#files.push(file);
      this.#events.push({ seqno: file.openedAt, file, record: undefined });
      for (const record of records) this.#events.push({ seqno: record.seqno, file, record });
    }
    this.#files.sort((a, b) => a.openedAt - b.openedAt);
    this.#events.sort((a, b) => a.seqno - b.seqno);
  }

  #takenCount(): number {
    return this.#files.filter(({ isTaken }) => isTaken).length;
  }

  #useUuids(records: readonly ReplayRecord[]): void {
    let at = 0;
    useUuids((draw) => {
      const record = records[at++];
      return record?.length === 16 ? uuidOfBytes(record.bytes) : draw();
    });
  }

  /** The next file for a connection or listener of the program. Throws KernelError when there is none, or when opening failed then. */
  #take(target: string): Recorded {
    const name = replayName(target);
    const file = this.#files.find((one) => one.name === name && !one.isTaken);
    if (file === undefined) {
      sayUnopened(replayPath(this.#dir, target, this.#takenCount()), new KernelError(target, ENOENT, ''));
      log.err(`${target}: failed to open stream.`);
      throw new KernelError(target, ENOENT, strerror(ENOENT));
    }
    replayPath(this.#dir, target, file.openedAt);
    file.isTaken = true;
    this.#run();
    this.#changed();
    const errno = -(file.records[0]?.length ?? 0);
    if (errno !== 0) throw new KernelError(target, errno, strerror(errno));
    return file;
  }

  async connect(target: string): Promise<Stream> {
    return this.#stream(this.#take(target), target);
  }

  async listen(target: string, onStream: (stream: Stream) => void): Promise<Listener> {
    const file = this.#take(target);
    file.onStream = onStream;
    return {
      name: target,
      boundPort: 0,
      close: () => {
        file.onStream = undefined;
      },
    };
  }

  #stream(file: Recorded, name: string): ReplayedStream {
    file.stream = new ReplayedStream(name, () => this.#changed());
    return file.stream;
  }

  /** Waits until something holds; the program may have changed after each thing that it does. */
  async #until(holds: () => boolean): Promise<void> {
    const late = Date.now() + PATIENCE_MS;
    while (!holds() && Date.now() < late) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, PATIENCE_MS);
        this.#changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#changed = () => {};
  }

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    // A replay that has come to its end waits, as the reference does.
    setInterval(() => {}, 2 ** 30);
    void (async () => {
      for (const event of this.#events) await this.#play(event);
    })();
  }

  async #play({ file, record }: Event): Promise<void> {
    // 1. What the program opens it opens by itself.
    if (record === undefined) {
      await this.#until(() => file.isTaken);
      return;
    }
    if (record === file.records[0]) return;
    if (file.stream !== undefined) {
      // 2. Output has to come before the input that answered it.
      if (record.isOutput) file.stream.expectsOutput = true;
      else if (record.length !== -EAGAIN) await this.#deliver(file.stream, record);
      else return;
    } else if (record.length > 0 && !record.isOutput) {
      this.#accept(file, record);
    } else {
      return;
    }
    // 3. What follows from the event comes before the next.
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** A peer comes: its own file is opened next. */
  #accept(file: Recorded, { seqno, bytes }: ReplayRecord): void {
    const own = this.#files.find(({ openedAt }) => openedAt === seqno + 1);
    if (own === undefined || file.onStream === undefined) return;
    own.isTaken = true;
    file.onStream(this.#stream(own, Buffer.from(bytes).toString()));
  }

  async #deliver(stream: ReplayedStream, { length, bytes }: ReplayRecord): Promise<void> {
    if (stream.expectsOutput) await this.#until(() => stream.hasSent || stream.isClosed);
    if (stream.isPaused) await this.#until(() => !stream.isPaused);
    stream.expectsOutput = stream.hasSent = false;
    if (length > 0) stream.receive(bytes);
    else stream.end(length === 0 ? '' : strerror(-length));
  }
}

/** The files of a folder; none of one that is not there, which the program hears of when it opens something. */
function names(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

class ReplayedStream implements Stream {
  readonly name: string;
  readonly queuedBytes = 0;
  isPaused = false;
  isClosed = false;
  /** Something was to be sent since the last input, and something was. */
  expectsOutput = false;
  hasSent = false;
  readonly #changed: () => void;
  #handlers: StreamHandlers | undefined;

  constructor(name: string, changed: () => void) {
    this.name = name;
    this.#changed = changed;
  }

  write(): void {
    this.hasSent = true;
    this.#changed();
  }

  start(handlers: StreamHandlers): void {
    this.#handlers = handlers;
  }

  receive(bytes: Uint8Array): void {
    if (!this.isClosed) this.#handlers?.onData(bytes);
  }

  end(reason: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#changed();
    setImmediate(() => this.#handlers?.onClose(reason));
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.#changed();
  }

  close(): void {
    this.end('');
  }

  destroy(): void {
    this.end('');
  }
}
