// What the kernel tells about maps and links that exist: for whoever takes them over from a process that has ended.
import { E, libc } from '../host/ffi.ts';
import { bpf, CMD, DATA, fail, memory, SCRATCH_SIZE, setPointer } from './kernel.ts';

const LINK_INFO_SIZE = 64;
/** Entries asked for at a time. */
const BATCH = 4096;

/** The index of the device that a tcx link is at; 0 when the device is gone. Layout: `struct bpf_link_info`. */
export function linkDevice(link: number): number {
  memory().bytes.fill(0, DATA, DATA + LINK_INFO_SIZE);
  const result = bpf(CMD.infoByFd, (attr, base) => {
    attr.setUint32(0, link, true);
    attr.setUint32(4, LINK_INFO_SIZE, true);
    setPointer(attr, 8, base + DATA);
  });
  if (result < 0) fail('bpf(BPF_OBJ_GET_INFO_BY_FD)');
  return memory().words[(DATA + 16) / 4]!;
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

const PROG_INFO_SIZE = 224;
const PROG_INFO_VERIFIED = 216;

/** How many instructions the verifier followed, on all ways through a program (Linux 5.16); it gives up at a million. */
export function verifiedInstructions(program: number): number {
  memory().bytes.fill(0, DATA, DATA + PROG_INFO_SIZE);
  const result = bpf(CMD.infoByFd, (attr, base) => {
    attr.setUint32(0, program, true);
    attr.setUint32(4, PROG_INFO_SIZE, true);
    setPointer(attr, 8, base + DATA);
  });
  if (result < 0) fail('bpf(BPF_OBJ_GET_INFO_BY_FD)');
  return new DataView(memory().bytes.buffer, memory().bytes.byteOffset).getUint32(DATA + PROG_INFO_VERIFIED, true);
}
