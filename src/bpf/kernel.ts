// bpf(2): maps, programs and links as descriptors. A verifier's refusal is a KernelError that carries the end of its log.
// Layouts: `union bpf_attr` in linux/bpf.h.
import { KernelError } from '../base/errors.ts';
import { closeFd, E, libc, type Memory, mapMemory, syscallAside, unmapMemory } from '../host/ffi.ts';
import type { Program } from './instructions.ts';

const SYS_BPF = process.arch === 'arm64' ? 280 : 321;

/** Commands, `enum bpf_cmd`. */
export const CMD = {
  mapCreate: 0,
  mapLookup: 1,
  mapUpdate: 2,
  mapDelete: 3,
  progLoad: 5,
  objPin: 6,
  objGet: 7,
  progTestRun: 10,
  infoByFd: 15,
  mapLookupBatch: 24,
  mapUpdateBatch: 26,
  mapDeleteBatch: 27,
  linkCreate: 28,
  linkUpdate: 29,
  linkFdById: 30,
  linkDetach: 34,
} as const;

/** Kinds of map, `enum bpf_map_type`. */
export const MAP_TYPE = { hash: 1, array: 2, progArray: 3, perCpuArray: 6, lruHash: 9, hashOfMaps: 13, ringBuffer: 27 } as const;

/** Attach points, `enum bpf_attach_type`. */
export const ATTACH = { tcxIngress: 46, tcxEgress: 47 } as const;

/** Kinds of program, `enum bpf_prog_type`. */
export const PROGRAM_TYPE = { tc: 3, xdp: 6 } as const;

/** A map before it exists. Sizes are bytes. */
export interface MapSpec {
  name: string;
  type: number;
  keySize: number;
  valueSize: number;
  maxEntries: number;
  flags?: number;
  /** The first element of an array, which is zeros otherwise. */
  first?: Uint8Array;
}

// The attribute block and everything that it points to live in one mapping, because pointers inside it must not move.
/** Bytes of the scratch memory. */
export const SCRATCH_SIZE = 4 * 1024 * 1024;
const ATTR_SIZE = 152;
const INTERRUPTIONS = 100;
/** Offset in the scratch memory of what an attribute block points to. */
export const DATA = 256;
let scratch: Memory | undefined;

/** The scratch memory. */
export function memory(): Memory {
  scratch ??= mapMemory(SCRATCH_SIZE);
  return scratch;
}

/** One bpf(2): `fill` writes the attribute block, whose address is `base`. -1 is failure. */
export function bpf(command: number, fill: (attr: DataView, base: number) => void): number {
  const m = memory();
  m.bytes.fill(0, 0, ATTR_SIZE);
  fill(new DataView(m.bytes.buffer, m.bytes.byteOffset, ATTR_SIZE), m.address);
  return libc().syscall(SYS_BPF, command, m.address, ATTR_SIZE, 0, 0);
}

/** Throws what errno says of a bpf(2) that has just failed. */
export function fail(call: string, detail = ''): never {
  const errno = libc().errno();
  throw new KernelError(call, errno, libc().strerror(errno), detail);
}

/** Writes an address into an attribute block. */
export const setPointer = (attr: DataView, at: number, address: number): void => attr.setBigUint64(at, BigInt(address), true);

function setName(attr: DataView, at: number, name: string): void {
  const safe = name.replace(/[^A-Za-z0-9_]/g, '_').slice(0, 15);
  for (let i = 0; i < safe.length; i++) attr.setUint8(at + i, safe.charCodeAt(i));
}

/** Creates a map and gives its descriptor. */
export function createMap(spec: MapSpec): number {
  const fd = bpf(CMD.mapCreate, (attr) => {
    attr.setUint32(0, spec.type, true);
    attr.setUint32(4, spec.keySize, true);
    attr.setUint32(8, spec.valueSize, true);
    attr.setUint32(12, spec.maxEntries, true);
    attr.setUint32(16, spec.flags ?? 0, true);
    setName(attr, 28, spec.name);
  });
  if (fd < 0) fail('bpf(BPF_MAP_CREATE)', spec.name);
  if (spec.first !== undefined) updateElement(fd, new Uint8Array(spec.keySize), spec.first);
  return fd;
}

const valueOffset = (key: Uint8Array): number => DATA + ((key.length + 7) & ~7);

function element(command: number, map: number, key: Uint8Array, flags: number): number {
  memory().bytes.set(key, DATA);
  return bpf(command, (attr, base) => {
    attr.setUint32(0, map, true);
    setPointer(attr, 8, base + DATA);
    setPointer(attr, 16, base + valueOffset(key));
    attr.setBigUint64(24, BigInt(flags), true);
  });
}

/** Stores an element. `flags`: 0 any, 1 only new, 2 only existing. */
export function updateElement(map: number, key: Uint8Array, value: Uint8Array, flags = 0): void {
  memory().bytes.set(value, valueOffset(key));
  if (element(CMD.mapUpdate, map, key, flags) < 0) fail('bpf(BPF_MAP_UPDATE_ELEM)');
}

/** Removes an element; false when there was none. */
export function deleteElement(map: number, key: Uint8Array): boolean {
  memory().bytes.set(key, DATA);
  // The kernel refuses an attribute block with more in it than the key.
  const result = bpf(CMD.mapDelete, (attr, base) => {
    attr.setUint32(0, map, true);
    setPointer(attr, 8, base + DATA);
  });
  if (result < 0 && libc().errno() !== E.NOENT) fail('bpf(BPF_MAP_DELETE_ELEM)');
  return result >= 0;
}

/** Reads an element into `value`; false when there is none. */
export function lookupElement(map: number, key: Uint8Array, value: Uint8Array): boolean {
  if (element(CMD.mapLookup, map, key, 0) < 0) return false;
  const at = valueOffset(key);
  value.set(memory().bytes.subarray(at, at + value.length));
  return true;
}

const LICENSE = new TextEncoder().encode('GPL\0');
const CODE_AT = DATA + 8;

/** The instructions with map descriptors filled in. */
function linkProgram(program: Program, maps: ReadonlyMap<string, number>, name: string): Uint8Array {
  const bytes = program.bytes.slice();
  const view = new DataView(bytes.buffer);
  for (const { index, map } of program.relocations) {
    const fd = maps.get(map);
    if (fd === undefined) throw new Error(`program ${name} names map ${map}, which is not there`);
    view.setInt32(index * 8 + 4, fd, true);
  }
  return bytes;
}

function fillLoad(attr: DataView, base: number, program: Program, name: string, type: number): void {
  attr.setUint32(0, type, true);
  attr.setUint32(4, program.length, true);
  setPointer(attr, 8, base + CODE_AT);
  setPointer(attr, 16, base + DATA);
  setName(attr, 48, name);
}

/** Loads a program (of tc, if not told otherwise), filling map descriptors in; the KernelError of a refusal carries the verifier's last lines. */
export function loadProgram(program: Program, maps: ReadonlyMap<string, number>, name: string, type: number = PROGRAM_TYPE.tc): number {
  const bytes = linkProgram(program, maps, name);
  const logAt = CODE_AT + bytes.length;
  const attempt = (logSize: number): number => {
    if (logAt + logSize > SCRATCH_SIZE) throw new Error(`program ${name} is too long: ${program.length} instructions`);
    memory().bytes.set(LICENSE, DATA);
    memory().bytes.set(bytes, CODE_AT);
    return bpf(CMD.progLoad, (attr, base) => {
      fillLoad(attr, base, program, name, type);
      if (logSize > 0) {
        attr.setUint32(24, 1, true);
        attr.setUint32(28, logSize, true);
        setPointer(attr, 32, base + logAt);
      }
    });
  };
  // The check is given up when a signal comes: that says nothing of the program.
  let fd = attempt(0);
  for (let i = 0; fd < 0 && libc().errno() === E.AGAIN && i < INTERRUPTIONS; i++) fd = attempt(0);
  if (fd >= 0) return fd;
  // Loaded again with a log only when it was refused: writing the log costs more than the check itself.
  const errno = libc().errno();
  const logged = attempt(1024 * 1024);
  if (logged >= 0) return logged;
  const end = memory().bytes.indexOf(0, logAt);
  const log = new TextDecoder().decode(memory().bytes.slice(Math.max(logAt, end - 3000), end));
  throw new KernelError('bpf(BPF_PROG_LOAD)', errno, libc().strerror(errno), log.trim());
}

/**
 * Loads a program of tc on another thread: the kernel follows every way through it, for milliseconds. `done` is called later with the
 * descriptor, or with undefined when it was refused: `loadProgram` says why. The maps must stay open until then.
 */
export function loadProgramAside(
  program: Program,
  maps: ReadonlyMap<string, number>,
  name: string,
  done: (fd: number | undefined) => void,
): void {
  const bytes = linkProgram(program, maps, name);
  const own = mapMemory(CODE_AT + bytes.length);
  own.bytes.set(LICENSE, DATA);
  own.bytes.set(bytes, CODE_AT);
  fillLoad(new DataView(own.bytes.buffer, own.bytes.byteOffset, ATTR_SIZE), own.address, program, name, PROGRAM_TYPE.tc);
  syscallAside(SYS_BPF, CMD.progLoad, own.address, ATTR_SIZE, (result) => {
    unmapMemory(own);
    done(result < 0 ? undefined : result);
  });
}

/** Attaches a program at a device's tcx hook; closing the descriptor detaches it, unless it is pinned. */
export function attachTcx(program: number, ifindex: number, attach: number): number {
  const fd = bpf(CMD.linkCreate, (attr) => {
    attr.setUint32(0, program, true);
    attr.setUint32(4, ifindex, true);
    attr.setUint32(8, attach, true);
  });
  if (fd < 0) fail('bpf(BPF_LINK_CREATE)', `ifindex ${ifindex}`);
  return fd;
}

/** One bpf(2) on another thread, for those in which the kernel waits. -1 is failure, of which nothing else is known. */
function bpfAside(command: number, words: readonly number[]): Promise<number> {
  const own = mapMemory(ATTR_SIZE);
  const attr = new DataView(own.bytes.buffer, own.bytes.byteOffset, ATTR_SIZE);
  for (const [i, word] of words.entries()) attr.setUint32(i * 4, word, true);
  return new Promise((resolve) =>
    syscallAside(SYS_BPF, command, own.address, ATTR_SIZE, (result) => {
      unmapMemory(own);
      resolve(result);
    }),
  );
}

/** `attachTcx` on another thread; -1 when it was refused. */
export const attachTcxAside = (program: number, ifindex: number, attach: number): Promise<number> =>
  bpfAside(CMD.linkCreate, [program, ifindex, attach]);

/** Takes a link's program off its device, on another thread. */
export const detachLinkAside = (link: number): Promise<number> => bpfAside(CMD.linkDetach, [link]);

/** Replaces a link's program in place, without a gap. */
export function updateLink(link: number, program: number): void {
  const result = bpf(CMD.linkUpdate, (attr) => {
    attr.setUint32(0, link, true);
    attr.setUint32(4, program, true);
  });
  if (result < 0) fail('bpf(BPF_LINK_UPDATE)');
}

/** Pins an object in a bpffs. */
export function pinObject(fd: number, path: string): void {
  memory().bytes.set(new TextEncoder().encode(`${path}\0`), DATA);
  const result = bpf(CMD.objPin, (attr, base) => {
    setPointer(attr, 0, base + DATA);
    attr.setUint32(8, fd, true);
  });
  if (result < 0) fail('bpf(BPF_OBJ_PIN)', path);
}

/** Opens a pinned object; undefined when there is none. */
export function openPinned(path: string): number | undefined {
  memory().bytes.set(new TextEncoder().encode(`${path}\0`), DATA);
  const fd = bpf(CMD.objGet, (attr, base) => setPointer(attr, 0, base + DATA));
  return fd < 0 ? undefined : fd;
}

/** What a test run of a program gave: its verdict and the frame as it left it. */
export interface TestRun {
  verdict: number;
  frame: Uint8Array;
  /** Nanoseconds of one run, the mean of all. */
  ns: number;
}

/** Runs a program on one frame without a device (BPF_PROG_TEST_RUN), `repeat` times. `context` is a __sk_buff, changed in place. */
export function testRun(program: number, frame: Uint8Array, context?: Uint8Array, repeat = 1): TestRun {
  const m = memory();
  const inAt = DATA;
  const outAt = DATA + 128 * 1024;
  const contextAt = DATA + 256 * 1024;
  m.bytes.set(frame, inAt);
  if (context !== undefined) m.bytes.set(context, contextAt);
  const result = bpf(CMD.progTestRun, (attr, base) => {
    attr.setUint32(0, program, true);
    attr.setUint32(8, frame.length, true);
    attr.setUint32(12, 100 * 1024, true);
    setPointer(attr, 16, base + inAt);
    setPointer(attr, 24, base + outAt);
    attr.setUint32(32, repeat, true);
    if (context !== undefined) {
      attr.setUint32(40, context.length, true);
      attr.setUint32(44, context.length, true);
      setPointer(attr, 48, base + contextAt);
      setPointer(attr, 56, base + contextAt);
    }
  });
  if (result < 0) fail('bpf(BPF_PROG_TEST_RUN)');
  const attr = new DataView(m.bytes.buffer, m.bytes.byteOffset, ATTR_SIZE);
  if (context !== undefined) context.set(m.bytes.subarray(contextAt, contextAt + context.length));
  const ns = attr.getUint32(36, true);
  return { verdict: attr.getUint32(4, true), frame: m.bytes.slice(outAt, outAt + attr.getUint32(12, true)), ns };
}

const TEST_XDP_LIVE_FRAMES = 2;

/** Makes `count` real frames of an XDP program, as `frame`, and lets its verdict act on each: a generator of frames inside the kernel. */
export function runLive(program: number, frame: Uint8Array, count: number): void {
  memory().bytes.set(frame, DATA);
  const result = bpf(CMD.progTestRun, (attr, base) => {
    attr.setUint32(0, program, true);
    attr.setUint32(8, frame.length, true);
    setPointer(attr, 16, base + DATA);
    attr.setUint32(32, count, true);
    attr.setUint32(64, TEST_XDP_LIVE_FRAMES, true);
    attr.setUint32(72, 64, true);
  });
  if (result < 0 && libc().errno() !== E.INTR) fail('bpf(BPF_PROG_TEST_RUN)');
}

/** Closes the descriptor of a map, program or link. */
export const closeObject = closeFd;
