// What the kernel tells about maps, links and programs that exist: for whoever takes them over from a process that has ended.
import { readlinkSync } from 'node:fs';
import { E, libc } from '../host/ffi.ts';
import { bpf, CMD, DATA, fail, type MapSpec, memory, SCRATCH_SIZE, setPointer } from './kernel.ts';

const INFO_SIZE = 64;
/** `enum bpf_link_type`. */
const LINK_TCX = 11;
/** Entries asked for at a time. */
const BATCH = 4096;
const PROG_INFO_SIZE = 224;
const PROG_INFO_VERIFIED = 216;

/** Asks about an object; gives the words of the answer, whose layout is `struct bpf_map_info`, `bpf_link_info` or `bpf_prog_info`. */
function info(fd: number, size = INFO_SIZE): Uint32Array {
  const { bytes, words } = memory();
  bytes.fill(0, DATA, DATA + size);
  const result = bpf(CMD.infoByFd, (attr, base) => {
    attr.setUint32(0, fd, true);
    attr.setUint32(4, size, true);
    setPointer(attr, 8, base + DATA);
  });
  if (result < 0) fail('bpf(BPF_OBJ_GET_INFO_BY_FD)');
  return words.subarray(DATA / 4);
}

/** What an object is. */
function isKind(fd: number, kind: 'bpf-map' | 'bpf_link' | 'bpf-link'): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).includes(kind);
  } catch {
    return false;
  }
}

const isLink = (fd: number): boolean => isKind(fd, 'bpf_link') || isKind(fd, 'bpf-link');

/** Whether a descriptor is that of a map of this kind and size. */
export function isMapOf(fd: number, spec: MapSpec): boolean {
  if (!isKind(fd, 'bpf-map')) return false;
  const [type, , keySize, valueSize, maxEntries] = info(fd);
  return type === spec.type && keySize === spec.keySize && valueSize === spec.valueSize && maxEntries === spec.maxEntries;
}

/** The index of the device that a tcx link is at; 0 when the device is gone; undefined when it is no such link. */
export function linkDevice(link: number): number | undefined {
  if (!isLink(link)) return undefined;
  const words = info(link);
  return words[0] === LINK_TCX ? words[4]! : undefined;
}

/** A link's number, which no other has. */
export const linkNumber = (link: number): number => info(link)[1]!;

/** The link of that number, without its pin; undefined when there is none, or we may not (it takes CAP_SYS_ADMIN). */
export function openLink(number: number): number | undefined {
  const fd = bpf(CMD.linkFdById, (attr) => attr.setUint32(0, number, true));
  return fd < 0 ? undefined : fd;
}

/** Takes a link's program off its device, whoever else holds the link. */
export function detachLink(link: number): void {
  const result = bpf(CMD.linkDetach, (attr) => attr.setUint32(0, link, true));
  // A link whose device has gone is detached already.
  if (result < 0 && libc().errno() !== E.NOLINK) fail('bpf(BPF_LINK_DETACH)');
}

/** Hands out every entry of a hash map, thousands with one call. Entries that come and go meanwhile may be missed. */
export function scanMap(map: number, keySize: number, valueSize: number, onEntry: (key: Uint8Array, value: Uint8Array) => void): void {
  const keysAt = DATA + 64;
  let most = Math.min(BATCH, Math.floor((SCRATCH_SIZE - keysAt - 64) / (keySize + valueSize)));
  let position: Uint8Array | undefined;
  for (;;) {
    const { bytes, words } = memory();
    const valuesAt = keysAt + ((most * keySize + 7) & ~7);
    if (position !== undefined) bytes.set(position, DATA);
    const result = bpf(CMD.mapLookupBatch, (attr, base) => {
      if (position !== undefined) setPointer(attr, 0, base + DATA);
      setPointer(attr, 8, base + DATA + 32);
      setPointer(attr, 16, base + keysAt);
      setPointer(attr, 24, base + valuesAt);
      attr.setUint32(32, most, true);
      attr.setUint32(36, map, true);
    });
    const errno = result < 0 ? libc().errno() : 0;
    if (errno === E.NOSPC && valuesAt + most * (keySize + 2 * valueSize) < SCRATCH_SIZE) {
      // One bucket holds more than was asked for.
      most *= 2;
      continue;
    }
    if (result < 0 && errno !== E.NOENT) fail('bpf(BPF_MAP_LOOKUP_BATCH)');
    const count = words[32 / 4]!;
    position = bytes.slice(DATA + 32, DATA + 64);
    const keys = bytes.slice(keysAt, keysAt + count * keySize);
    const values = bytes.slice(valuesAt, valuesAt + count * valueSize);
    for (let i = 0; i < count; i++) {
      onEntry(keys.subarray(i * keySize, (i + 1) * keySize), values.subarray(i * valueSize, (i + 1) * valueSize));
    }
    if (result < 0) return;
  }
}

/** How many instructions the verifier followed, on all ways through a program (Linux 5.16); it gives up at a million. */
export const verifiedInstructions = (program: number): number => info(program, PROG_INFO_SIZE)[PROG_INFO_VERIFIED / 4]!;
