// What a controller needs of the world outside, and the operating system's answer to it.
import type { Clock } from '../base/clock.ts';
import type { Listener, Stream } from '../base/stream.ts';
import { realClock } from '../host/real-clock.ts';
import { connectStream, listenStream } from '../host/sockets/socket.ts';

/** IANA's OpenFlow port, used where a name has none. */
export const OPENFLOW_PORT = 6653;

export interface ControllerEnvironment {
  clock: Clock;
  connect(target: string): Promise<Stream>;
  listen(target: string, onStream: (stream: Stream) => void): Promise<Listener>;
}

/** Real sockets and the real clock. */
export const systemEnvironment: ControllerEnvironment = {
  clock: realClock,
  connect: (target) => connectStream(target, OPENFLOW_PORT),
  listen: (target, onStream) => listenStream(target, onStream, { defaultPort: OPENFLOW_PORT }),
};
