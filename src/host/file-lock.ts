// Advisory record locks (fcntl(2)), as Open vSwitch takes them on pidfiles and databases.
//
// Such a lock belongs to the process and goes when the process closes ANY descriptor of the file: whoever holds one must not open the file again.
import { check, E, libc } from './ffi.ts';

const F_GETLK = 5;
const F_SETLK = 6;
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;

/** struct flock of 64-bit Linux: type, whence, start, length (0 = to the end), pid. */
function request(type: number): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(32));
  view.setInt16(0, type, true);
  return view;
}

/** Locks the whole file for writing; false when another process holds a lock on it. Throws KernelError for anything else. */
export function tryLock(fd: number): boolean {
  const c = libc();
  const result = c.fcntl(fd, F_SETLK, new Uint8Array(request(F_WRLCK).buffer));
  if (result < 0 && (c.errno() === E.AGAIN || c.errno() === E.ACCES)) return false;
  check('fcntl', result);
  return true;
}

/** The process that holds a lock in our way, 0 when none does. */
export function lockHolder(fd: number, isForWriting = true): number {
  const view = request(isForWriting ? F_WRLCK : F_RDLCK);
  check('fcntl', libc().fcntl(fd, F_GETLK, new Uint8Array(view.buffer)));
  return view.getInt16(0, true) === F_UNLCK ? 0 : view.getInt32(24, true);
}
