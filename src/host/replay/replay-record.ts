// `--record`: streams and listeners that write down what comes of them, and random UUIDs too.
import { useUuids } from '../../base/cryptography.ts';
import { errnoOfText, systemErrno } from '../../base/errno.ts';
import { KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { Listener, Stream, StreamHandlers } from '../../base/stream.ts';
import { RecordFile, replayPath, UUID_SOURCE, unopenedUuids } from './replay-file.ts';
import type { ReplayHooks } from './replay-hooks.ts';
import { uuidBytes } from './replay-uuid.ts';

const log = logger('stream_replay');
/** The reference reads into a ring of this size: no input may go beyond its end. */
const RING_SIZE = 4096;

export class Recorder implements ReplayHooks {
  readonly #dir: string;
  #seqno = 0;

  constructor(dir: string) {
    this.#dir = dir;
    let file: RecordFile | undefined;
    useUuids((draw) => {
      file ??= this.#uuidFile();
      const uuid = draw();
      file.write(this.next(), 16, uuidBytes(uuid));
      return uuid;
    });
  }

  next(): number {
    return this.#seqno++;
  }

  #uuidFile(): RecordFile {
    try {
      const file = new RecordFile(replayPath(this.#dir, UUID_SOURCE, this.#seqno));
      this.#seqno++;
      return file;
    } catch (error) {
      throw unopenedUuids(error);
    }
  }

  /** Opens a file; none when that is not possible, of which the log was told. */
  #file(name: string): RecordFile | undefined {
    const path = replayPath(this.#dir, name, this.#seqno);
    try {
      const file = new RecordFile(path);
      this.#seqno++;
      return file;
    } catch {
      return undefined;
    }
  }

  /** Records the outcome of opening something. */
  async #opened<T>(name: string, what: 'stream' | 'pstream', open: (file: RecordFile | undefined) => Promise<T>): Promise<T> {
    const file = this.#file(name);
    if (file === undefined) log.err(`${name}: failed to open replay file for ${what}.`);
    try {
      return await open(file);
    } catch (error) {
      file?.write(this.next(), error instanceof KernelError ? -error.errno : -systemErrno(error));
      file?.close();
      throw error;
    }
  }

  connect(target: string, open: () => Promise<Stream>): Promise<Stream> {
    return this.#opened(target, 'stream', async (file) => {
      const stream = await open();
      return file === undefined ? stream : new RecordedStream(this, stream, file);
    });
  }

  listen(
    target: string,
    onStream: (stream: Stream) => void,
    open: (onStream: (stream: Stream) => void) => Promise<Listener>,
  ): Promise<Listener> {
    return this.#opened(target, 'pstream', async (file) => {
      const listener = await open((stream) => {
        file?.write(this.next(), Buffer.byteLength(stream.name), Buffer.from(stream.name));
        const own = this.#file(stream.name);
        if (own === undefined) log.err(`${stream.name}: failed to open replay file for stream.`);
        onStream(own === undefined ? stream : new RecordedStream(this, stream, own));
      });
      file?.write(this.next(), 0);
      return {
        name: listener.name,
        boundPort: listener.boundPort,
        close: () => {
          listener.close();
          file?.close();
        },
      };
    });
  }
}

class RecordedStream implements Stream {
  readonly name: string;
  readonly #stream: Stream;
  readonly #recorder: Recorder;
  readonly #file: RecordFile;
  #received = 0;
  #isClosing = false;

  constructor(recorder: Recorder, stream: Stream, file: RecordFile) {
    this.name = stream.name;
    this.#recorder = recorder;
    this.#stream = stream;
    this.#file = file;
    file.write(recorder.next(), 0);
  }

  get peerIdentity(): string | undefined {
    return this.#stream.peerIdentity;
  }

  get queuedBytes(): number {
    return this.#stream.queuedBytes;
  }

  write(bytes: Uint8Array): void {
    if (!this.#isClosing) this.#file.write(-this.#recorder.next(), bytes.length);
    this.#stream.write(bytes);
  }

  start(handlers: StreamHandlers): void {
    this.#stream.start({
      onData: (bytes) => {
        for (let at = 0; at < bytes.length; ) {
          const piece = bytes.subarray(at, at + RING_SIZE - (this.#received % RING_SIZE));
          this.#file.write(this.#recorder.next(), piece.length, piece);
          this.#received += piece.length;
          at += piece.length;
        }
        handlers.onData(bytes);
      },
      onClose: (reason) => {
        if (!this.#isClosing) this.#file.write(this.#recorder.next(), reason === '' ? 0 : -errnoOfText(reason));
        this.#file.close();
        handlers.onClose(reason);
      },
      onDrain: () => handlers.onDrain?.(),
    });
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  close(): void {
    this.#isClosing = true;
    this.#stream.close();
  }

  destroy(): void {
    this.#isClosing = true;
    this.#stream.destroy();
  }
}
