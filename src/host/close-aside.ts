// Closing packet sockets: the kernel waits in it until no processor can still be handing them a frame, a grace period of RCU of some 8 ms, and once more
// for a ring (packet_release and packet_set_ring in net/packet/af_packet.c). Those who wait at the same time wait for the same period.
import { syscallAside } from './ffi.ts';

const SYS_CLOSE = process.arch === 'arm64' ? 57 : 3;
/** Of the threads of the runtime's pool (libuv's own number is 4, `bin/launch` asks for more) some are left for other work. */
const AT_A_TIME = Math.max(1, Math.floor((Number(process.env['UV_THREADPOOL_SIZE']) || 4) * 0.75));
const waiting: number[] = [];
let busy = 0;
let whenIdle: (() => void)[] = [];

function closeNext(): void {
  const fd = waiting.shift();
  if (fd !== undefined) {
    busy++;
    syscallAside(SYS_CLOSE, fd, 0, 0, () => {
      busy--;
      closeNext();
    });
  } else if (busy === 0) {
    for (const tell of whenIdle) tell();
    whenIdle = [];
  }
}

/** Closes a descriptor on another thread, soon. */
export function closeAside(fd: number): void {
  waiting.push(fd);
  if (busy < AT_A_TIME) closeNext();
}

/** Resolves when all have been closed. */
export const allClosedAside = (): Promise<void> =>
  new Promise((resolve) => {
    whenIdle.push(resolve);
    if (busy === 0) closeNext();
  });
