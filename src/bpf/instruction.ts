// eBPF instructions as values, and their bytes (RFC 9669). Only what programs here use; pure.

/** One 8-byte instruction. */
export interface Instruction {
  opcode: number;
  dst: number;
  src: number;
  offset: number;
  immediate: number;
}

/** dst = immediate, 64 bits sign-extended. */
export const movImmediate = (dst: number, immediate: number): Instruction => ({ opcode: 0xb7, dst, src: 0, offset: 0, immediate });
/** Returns r0. */
export const exit = (): Instruction => ({ opcode: 0x95, dst: 0, src: 0, offset: 0, immediate: 0 });

/** The bytes of a program. */
export function encodeInstructions(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach((instruction, i) => {
    view.setUint8(i * 8, instruction.opcode);
    view.setUint8(i * 8 + 1, (instruction.src << 4) | instruction.dst);
    view.setInt16(i * 8 + 2, instruction.offset, true);
    view.setInt32(i * 8 + 4, instruction.immediate, true);
  });
  return bytes;
}
