// Memory through which short texts go to system calls: mapped, so that the kernel is given an address, and used again by the next text, so that
// nothing is allocated for a message of a hundred bytes.
import { type Memory, mapMemory } from './ffi.ts';

export const SCRATCH_SIZE = 65536;
/** A UTF-16 unit is three bytes of UTF-8 at most. */
export const SCRATCH_TEXT_LENGTH = SCRATCH_SIZE / 4;

export interface Scratch {
  readonly bytes: Buffer;
  readonly address: number;
}

/** A buffer over mapped memory. */
export function mapScratch(): Scratch {
  const memory: Memory = mapMemory(SCRATCH_SIZE);
  return { bytes: Buffer.from(memory.bytes.buffer, memory.bytes.byteOffset, SCRATCH_SIZE), address: memory.address };
}

let shared: Scratch | undefined;

/** The one of this process: what is put there is over with the next system call. */
export function scratch(): Scratch {
  shared ??= mapScratch();
  return shared;
}
