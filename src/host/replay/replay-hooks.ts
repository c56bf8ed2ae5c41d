// Where `--record` and `--replay` take hold of connections; `replay.ts`, which does the work, is loaded only by a process that asks for it.
import type { Listener, Stream } from '../../base/stream.ts';

/** Stands between the program and its sockets. `open` opens the real one. */
export interface ReplayHooks {
  connect(target: string, open: () => Promise<Stream>): Promise<Stream>;
  listen(
    target: string,
    onStream: (stream: Stream) => void,
    open: (onStream: (stream: Stream) => void) => Promise<Listener>,
  ): Promise<Listener>;
}

let hooks: ReplayHooks | undefined;

/** What stands there, if anything does. */
export const replayHooks = (): ReplayHooks | undefined => hooks;

/** Puts something there, for all connections from now on. */
export function setReplayHooks(next: ReplayHooks): void {
  hooks = next;
}
