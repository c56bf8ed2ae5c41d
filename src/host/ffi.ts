// The one door to libc. Nothing else in the house knows koffi.
//
// koffi is loaded at the first call, not at import: a short-lived command that never needs a system call pays nothing.
// Two faces: plain functions that throw KernelError (for set-up), and `libc()`, the raw table (for loops that look at errno themselves).
// Memory that the kernel keeps or that is named by address comes from `mapMemory`: it never moves and lives until unmapped. Addresses are
// plain numbers, exact because user space ends below 2^47.
import { fileURLToPath } from 'node:url';
import { KernelError } from '../base/errors.ts';

/** Bytes at an address that does not move. */
export interface Memory {
  bytes: Uint8Array;
  words: Uint32Array;
  address: number;
}

/** Bytes to pass to a call: a buffer, an address, or null. */
export type Pointer = Uint8Array | bigint | number | null;

/** What uv_poll says of a descriptor. */
export interface Watch {
  close(): void;
}

/** Raw calls: -1 is failure, `errno()` tells why. Pointers are addresses where the name ends in `At`. */
export interface Libc {
  errno(): number;
  strerror(errno: number): string;
  open(path: string, flags: number, mode: number): number;
  close(fd: number): number;
  read(fd: number, buffer: Uint8Array, size: number): number;
  write(fd: number, buffer: Uint8Array, size: number): number;
  readAt(fd: number, address: number, size: number): number;
  writeAt(fd: number, address: number, size: number): number;
  fdatasync(fd: number): number;
  pwriteAt(fd: number, address: number, size: number, offset: number): number;
  writevAt(fd: number, vectors: number, count: number): number;
  fcntl(fd: number, command: number, argument: Uint8Array): number;
  fcntlInt(fd: number, command: number, argument: number): number;
  flock(fd: number, operation: number): number;
  dup2(from: number, to: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  ioctlInt(fd: number, request: number, argument: number): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, size: number): number;
  connect(fd: number, address: Uint8Array, size: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: Uint8Array, size: Uint8Array, flags: number): number;
  shutdown(fd: number, how: number): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, size: number): number;
  getsockopt(fd: number, level: number, option: number, value: Uint8Array, size: Uint8Array): number;
  getsockname(fd: number, address: Uint8Array, size: Uint8Array): number;
  send(fd: number, buffer: Uint8Array, size: number, flags: number): number;
  sendto(fd: number, buffer: Uint8Array, size: number, flags: number, address: Uint8Array, addressSize: number): number;
  recv(fd: number, buffer: Uint8Array, size: number, flags: number): number;
  sendAt(fd: number, address: number, size: number, flags: number): number;
  recvAt(fd: number, address: number, size: number, flags: number): number;
  sendmsgAt(fd: number, message: number, flags: number): number;
  sendmmsgAt(fd: number, messages: number, count: number, flags: number): number;
  recvmmsgAt(fd: number, messages: number, count: number, flags: number, timeout: number): number;
  usleep(microseconds: number): number;
  prctl(option: number, a: number, b: number, c: number, d: number): number;
  poll(descriptors: Uint8Array, count: number, timeoutMs: number): number;
  epollCreate(flags: number): number;
  epollCtl(epoll: number, operation: number, fd: number, event: Uint8Array): number;
  epollWaitAt(epoll: number, events: number, count: number, timeoutMs: number): number;
  eventfd(initial: number, flags: number): number;
  mmap(address: number, size: number, protection: number, flags: number, fd: number, offset: number): number;
  munmap(address: number, size: number): number;
  memmoveAt(to: number, from: number, size: number): void;
  ifNametoindex(name: string): number;
  setns(fd: number, type: number): number;
  unshare(flags: number): number;
  getuid(): number;
  getpid(): number;
  /** syscall(number, a, b, c, d, e) with integer or address arguments. */
  syscall(number: number, a: number, b: number, c: number, d: number, e: number): number;
  /** syscall(number, a, buffer, c): bpf(2) and the like. */
  syscallBuffer(number: number, a: number, buffer: Uint8Array, c: number): number;
  /** syscall(number, a, b): two structures, as capset(2) takes them. */
  syscallBuffers(number: number, a: Uint8Array, b: Uint8Array): number;
}

type Koffi = typeof import('koffi').default;
let koffiModule: Koffi | undefined;
let table: Libc | undefined;

function koffi(): Koffi {
  koffiModule ??= nativeKoffi() ?? (process.getBuiltinModule('node:module').createRequire(import.meta.url)('koffi') as Koffi);
  return koffiModule;
}

/**
 * Koffi's native part from where npm puts it, in our own package or beside it. Koffi's way there costs eight milliseconds of processor time, a third of
 * the runtime's own start; loading it costs less than one.
 */
function nativeKoffi(): Koffi | undefined {
  for (const modules of ['../../node_modules', '../../..']) {
    const url = new URL(`${modules}/@koromix/koffi-linux-${process.arch}/linux_${process.arch}/koffi.node`, import.meta.url);
    const made = { exports: {} };
    try {
      process.dlopen(made, fileURLToPath(url));
      return made.exports as Koffi;
    } catch {
      // Not there, or not for this machine's libc.
    }
  }
  return undefined;
}

/** The functions by our names: libc's name, what it gives, what it takes. */
const SIGNATURES: Readonly<Record<Exclude<keyof Libc, 'errno'>, readonly [symbol: string, result: string, ...args: string[]]>> = {
  strerror: ['strerror', 'str', 'int'],
  open: ['open', 'int', 'str', 'int', 'int'],
  close: ['close', 'int', 'int'],
  read: ['read', 'int64', 'int', 'void *', 'uint64'],
  write: ['write', 'int64', 'int', 'void *', 'uint64'],
  readAt: ['read', 'int64', 'int', 'uint64', 'uint64'],
  writeAt: ['write', 'int64', 'int', 'uint64', 'uint64'],
  fdatasync: ['fdatasync', 'int', 'int'],
  pwriteAt: ['pwrite64', 'int64', 'int', 'uint64', 'uint64', 'int64'],
  writevAt: ['writev', 'int64', 'int', 'uint64', 'int'],
  fcntl: ['fcntl', 'int', 'int', 'int', 'void *'],
  fcntlInt: ['fcntl', 'int', 'int', 'int', 'int64'],
  flock: ['flock', 'int', 'int', 'int'],
  dup2: ['dup2', 'int', 'int', 'int'],
  ioctl: ['ioctl', 'int', 'int', 'uint64', 'void *'],
  ioctlInt: ['ioctl', 'int', 'int', 'uint64', 'int64'],
  socket: ['socket', 'int', 'int', 'int', 'int'],
  bind: ['bind', 'int', 'int', 'void *', 'uint32'],
  connect: ['connect', 'int', 'int', 'void *', 'uint32'],
  listen: ['listen', 'int', 'int', 'int'],
  accept4: ['accept4', 'int', 'int', 'void *', 'void *', 'int'],
  shutdown: ['shutdown', 'int', 'int', 'int'],
  setsockopt: ['setsockopt', 'int', 'int', 'int', 'int', 'void *', 'uint32'],
  getsockopt: ['getsockopt', 'int', 'int', 'int', 'int', 'void *', 'void *'],
  getsockname: ['getsockname', 'int', 'int', 'void *', 'void *'],
  send: ['send', 'int64', 'int', 'void *', 'uint64', 'int'],
  sendto: ['sendto', 'int64', 'int', 'void *', 'uint64', 'int', 'void *', 'uint32'],
  recv: ['recv', 'int64', 'int', 'void *', 'uint64', 'int'],
  sendAt: ['send', 'int64', 'int', 'uint64', 'uint64', 'int'],
  recvAt: ['recv', 'int64', 'int', 'uint64', 'uint64', 'int'],
  sendmsgAt: ['sendmsg', 'int64', 'int', 'uint64', 'int'],
  sendmmsgAt: ['sendmmsg', 'int', 'int', 'uint64', 'uint32', 'int'],
  recvmmsgAt: ['recvmmsg', 'int', 'int', 'uint64', 'uint32', 'int', 'uint64'],
  usleep: ['usleep', 'int', 'uint32'],
  prctl: ['prctl', 'int', 'int', 'uint64', 'uint64', 'uint64', 'uint64'],
  poll: ['poll', 'int', 'void *', 'uint64', 'int'],
  epollCreate: ['epoll_create1', 'int', 'int'],
  epollCtl: ['epoll_ctl', 'int', 'int', 'int', 'int', 'void *'],
  epollWaitAt: ['epoll_wait', 'int', 'int', 'uint64', 'int', 'int'],
  eventfd: ['eventfd', 'int', 'uint32', 'int'],
  mmap: ['mmap', 'int64', 'uint64', 'uint64', 'int', 'int', 'int', 'int64'],
  munmap: ['munmap', 'int', 'uint64', 'uint64'],
  memmoveAt: ['memmove', 'void', 'uint64', 'uint64', 'uint64'],
  ifNametoindex: ['if_nametoindex', 'uint32', 'str'],
  setns: ['setns', 'int', 'int', 'int'],
  unshare: ['unshare', 'int', 'int'],
  getuid: ['getuid', 'uint32'],
  getpid: ['getpid', 'int'],
  syscall: ['syscall', 'int64', 'int64', 'int64', 'int64', 'int64', 'int64', 'int64'],
  syscallBuffer: ['syscall', 'int64', 'int64', 'int64', 'void *', 'int64'],
  syscallBuffers: ['syscall', 'int64', 'int64', 'void *', 'void *'],
};

/** Each function is made at its first use: all sixty take a millisecond, and most processes use ten. */
function load(): Libc {
  const k = koffi();
  const lib = k.load('libc.so.6');
  const prototype = { errno: () => k.errno() };
  for (const [name, [symbol, result, ...args]] of Object.entries(SIGNATURES)) {
    Object.defineProperty(prototype, name, {
      get(this: object) {
        const value: unknown = lib.func(symbol, result, args);
        Object.defineProperty(this, name, { value });
        return value;
      },
    });
  }
  return Object.create(prototype) as Libc;
}

/** The raw table, loading libc at the first use. */
export function libc(): Libc {
  table ??= load();
  return table;
}

/** The same on a thread of the runtime's pool; what it points to must stay. -1 is failure, of which nothing else is known. */
export function syscallAside(number: number, a: number, b: number, c: number, done: (result: number) => void): void {
  type Aside = { async(...args: [...number[], (error: Error | null, result: number) => void]): void };
  (libc().syscall as unknown as Aside).async(number, a, b, c, 0, 0, (error, result) => done(error === null ? Number(result) : -1));
}

let runtimeSha1: ((bytes: Uint8Array, size: number, digest: Uint8Array) => unknown) | undefined;

/** SHA-1 by the runtime's own OpenSSL, as hexadecimal digits: node:crypto around it takes ten milliseconds to load. Throws where there is no such function. */
export function opensslSha1(bytes: Uint8Array): string {
  runtimeSha1 ??= koffi().load(null).func('SHA1', 'void *', ['void *', 'uint64', 'void *']) as NonNullable<typeof runtimeSha1>;
  const digest = Buffer.alloc(20);
  runtimeSha1(bytes, bytes.length, digest);
  return digest.toString('hex');
}

/** The error of the call that just failed. */
export function lastError(call: string, detail = ''): KernelError {
  const c = libc();
  const errno = c.errno();
  return new KernelError(call, errno, c.strerror(errno), detail);
}

/** Gives the result of a call, or throws what errno says when it is negative. */
export function check(call: string, result: number, detail = ''): number {
  if (result < 0) throw lastError(call, detail);
  return result;
}

/** Maps `size` bytes: anonymous when `fd` is -1, else shared with the kernel object behind it. */
export function mapMemory(size: number, fd = -1, writable = true, offset = 0): Memory {
  const protection = writable ? 3 : 1;
  const flags = fd < 0 ? 0x22 : 0x01;
  const address = Number(check('mmap', libc().mmap(0, size, protection, flags, fd, offset)));
  mappings?.set(address, size);
  return memoryAt(address, size);
}

/** What this thread has mapped and not given back, where that is asked for. */
let mappings: Map<number, number> | undefined;

/**
 * From now on this thread's mappings are remembered. The function that is returned gives back those that are left, which nothing may touch afterwards:
 * a thread that ends before its process would leave them there.
 */
export function rememberMappings(): () => void {
  const remembered = new Map<number, number>();
  mappings = remembered;
  return () => {
    for (const [address, size] of remembered) unmapAt(address, size);
  };
}

/** A view of mapped memory; `address` must be 4-byte aligned. */
export function memoryAt(address: number, size: number): Memory {
  const buffer = koffi().view(BigInt(address), size);
  return { bytes: new Uint8Array(buffer), words: new Uint32Array(buffer, 0, size >> 2), address };
}

/** Gives mapped memory back; the views must not be touched afterwards. */
export function unmapMemory(memory: Memory): void {
  unmapAt(memory.address, memory.bytes.length);
}

/** The same, by address: what another thread has mapped, too. */
export function unmapAt(address: number, size: number): void {
  mappings?.delete(address);
  libc().munmap(address, size);
}

/** Calls `onReadable` on the event loop whenever `fd` can be read or has an error. Never use it on a thread that blocks. */
export function watchReadable(fd: number, onReadable: () => void): Watch {
  return koffi().node.poll(fd, { readable: true, disconnect: true }, () => onReadable());
}

/** Closes a descriptor, if it is one. */
export function closeFd(fd: number): void {
  if (fd >= 0) libc().close(fd);
}

/** Sets an integer socket option, or throws. */
export function setSocketInt(fd: number, level: number, option: number, value: number): void {
  check(
    'setsockopt',
    libc().setsockopt(fd, level, option, new Uint8Array(new Int32Array([value]).buffer), 4),
    `level ${level} option ${option}`,
  );
}

/** Reads and clears SO_ERROR. */
export function socketError(fd: number): number {
  const value = new Uint8Array(4);
  const size = new Uint8Array([4, 0, 0, 0]);
  libc().getsockopt(fd, 1, 4, value, size);
  return new DataView(value.buffer).getInt32(0, true);
}

/** errno values that code looks at, Linux on all architectures we run on. */
export const E = {
  PERM: 1,
  NOENT: 2,
  INTR: 4,
  IO: 5,
  NXIO: 6,
  BADF: 9,
  AGAIN: 11,
  NOMEM: 12,
  ACCES: 13,
  BUSY: 16,
  EXIST: 17,
  NODEV: 19,
  INVAL: 22,
  MFILE: 24,
  NOSPC: 28,
  NOLINK: 67,
  PROTO: 71,
  MSGSIZE: 90,
  NOPROTOOPT: 92,
  OPNOTSUPP: 95,
  ADDRINUSE: 98,
  ADDRNOTAVAIL: 99,
  NETDOWN: 100,
  NETUNREACH: 101,
  NOBUFS: 105,
  BADFD: 77,
  HOSTUNREACH: 113,
  CONNABORTED: 103,
  CONNREFUSED: 111,
} as const;
