// The requests of one peer, one at a time and in order.
//
// A reply that would fill the output queue is written piece by piece (`openflow-multipart.ts`): while pieces are left, or more than HIGH_WATER
// bytes wait, nothing more is read from the peer. A peer that takes nothing for STALL_MS is told of.
import type { Clock } from '../../base/clock.ts';
import type { PeerError } from '../../base/errors.ts';
import type { OpenFlowChannel } from '../../openflow/channel/channel.ts';
import type { Framed } from '../../openflow/message.ts';

const HIGH_WATER = 512 * 1024;
const STALL_MS = 30_000;

type Pieces = Iterator<Uint8Array | undefined>;

/** Who does what requests ask for. */
export interface RequestServer {
  /** Gives the pieces of a reply that is not sent yet. */
  serve(message: Framed | PeerError, bytes: Uint8Array): Pieces | undefined;
  /** A piece that cannot be made ends the reply. */
  refuse(error: unknown): void;
  /** The peer has not taken a byte for long. */
  stalled(): void;
}

export class RequestQueue {
  readonly #channel: OpenFlowChannel;
  readonly #clock: Clock;
  readonly #server: RequestServer;
  /** What was read together with the request that is being answered. */
  readonly #waiting: [Framed | PeerError, Uint8Array][] = [];
  #pieces: Pieces | undefined;
  #isDraining = false;
  #isClosed = false;

  constructor(channel: OpenFlowChannel, clock: Clock, server: RequestServer) {
    this.#channel = channel;
    this.#clock = clock;
    this.#server = server;
  }

  take(message: Framed | PeerError, bytes: Uint8Array): void {
    if (this.#isClosed) return;
    // Reading is paused then: only what had been read already gets here.
    if (this.#pieces !== undefined || this.#isDraining) {
      this.#waiting.push([message, bytes]);
      return;
    }
    this.#pieces = this.#server.serve(message, bytes);
    this.#pump();
  }

  /** The peer has taken all that was sent. */
  drained(): void {
    if (this.#isClosed || !this.#isDraining) return;
    this.#isDraining = false;
    this.#channel.resume();
    this.#pump();
  }

  /** Nothing is served any more. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.length = 0;
    this.#pieces = undefined;
  }

  /** Writes the pieces of a reply while the peer takes them, then goes on with what was read meanwhile. */
  #pump(): void {
    while (!this.#isClosed) {
      if (this.#channel.queuedBytes > HIGH_WATER) {
        this.#drain();
        return;
      }
      if (this.#pieces !== undefined) {
        const next = this.#nextPiece(this.#pieces);
        if (next.done === true) this.#pieces = undefined;
        else if (next.value !== undefined) this.#channel.sendBytes(next.value);
        continue;
      }
      const waiting = this.#waiting.shift();
      if (waiting === undefined) return;
      this.#pieces = this.#server.serve(...waiting);
    }
    this.#pieces = undefined;
  }

  /** A row that cannot be said in the peer's version ends the reply with an error. */
  #nextPiece(pieces: Pieces): IteratorResult<Uint8Array | undefined> {
    try {
      return pieces.next();
    } catch (error) {
      this.#server.refuse(error);
      return { done: true, value: undefined };
    }
  }

  #drain(): void {
    this.#isDraining = true;
    this.#channel.pause();
    this.#watchStall(this.#channel.queuedBytes);
  }

  #watchStall(least: number): void {
    this.#clock.after(STALL_MS, () => {
      if (this.#isClosed || !this.#isDraining) return;
      const queued = this.#channel.queuedBytes;
      if (queued >= least) this.#server.stalled();
      else this.#watchStall(queued);
    });
  }
}
