// An assembler for eBPF: a program is gathered as instructions with labels and map references, and becomes bytes only when its maps
// have descriptors. The same calls always give the same bytes, so that a program can be compared without root.
//
// Encoding: RFC 9669. Each instruction is 8 bytes: opcode, registers (source in the upper half), offset (16), immediate (32).
// Registers: r0 result, r1-r5 arguments (lost in a call), r6-r9 kept, r10 frame pointer (512 bytes below it).

export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

/** Memory widths in bytes. */
export type Width = 1 | 2 | 4 | 8;

const WIDTH_CODE: Record<Width, number> = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 };

/** Arithmetic operations, RFC 9669 section 4.1. */
export const ALU = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  neg: 0x80,
  mod: 0x90,
  xor: 0xa0,
  mov: 0xb0,
  arsh: 0xc0,
} as const;
export type AluOp = keyof typeof ALU;

/** Conditional jumps, RFC 9669 section 4.3. */
export const JUMP = {
  eq: 0x10,
  gt: 0x20,
  ge: 0x30,
  set: 0x40,
  ne: 0x50,
  sgt: 0x60,
  sge: 0x70,
  lt: 0xa0,
  le: 0xb0,
  slt: 0xc0,
  sle: 0xd0,
} as const;
export type JumpOp = keyof typeof JUMP;

const GOTO = 0x05;
const EXIT = 0x95;

/** Right side of an operation: a register or a constant. */
export type Operand = { reg: Register } | number;

interface Instruction {
  opcode: number;
  dst: number;
  src: number;
  offset: number;
  imm: number;
  /** Target of a jump, resolved when the program is finished. */
  label?: string;
  /** Map whose descriptor belongs into `imm`. */
  map?: string;
}

/** A finished program: bytes, and where map descriptors have to be filled in. */
export interface Program {
  bytes: Uint8Array;
  length: number;
  relocations: readonly { index: number; map: string }[];
}

/** Gathers a program, one instruction a call. */
export class Assembler {
  readonly #instructions: Instruction[] = [];
  readonly #labels = new Map<string, number>();
  #unique = 0;

  /** Instructions so far. */
  get length(): number {
    return this.#instructions.length;
  }

  /** A label that no other call gives. */
  fresh(hint = 'l'): string {
    return `${hint}#${this.#unique++}`;
  }

  label(name: string): this {
    if (this.#labels.has(name)) throw new Error(`label ${name} stands twice`);
    this.#labels.set(name, this.#instructions.length);
    return this;
  }

  /** dst = dst OP operand, 64 bits. */
  alu(op: AluOp, dst: Register, operand: Operand): this {
    return this.#arithmetic(0x07, op, dst, operand);
  }

  /** dst = dst OP operand in 32 bits; the upper half becomes 0. */
  alu32(op: AluOp, dst: Register, operand: Operand): this {
    return this.#arithmetic(0x04, op, dst, operand);
  }

  mov(dst: Register, operand: Operand): this {
    return this.alu('mov', dst, operand);
  }

  /** Converts the low `bits` of dst between host and network order. */
  toBigEndian(dst: Register, bits: 16 | 32 | 64): this {
    this.#emit(0xdc, dst, 0, 0, bits);
    return this;
  }

  /** dst = *(width *)(src + offset) */
  load(width: Width, dst: Register, src: Register, offset: number): this {
    this.#emit(0x61 | WIDTH_CODE[width], dst, src, offset, 0);
    return this;
  }

  /** *(width *)(dst + offset) = operand */
  store(width: Width, dst: Register, offset: number, operand: Operand): this {
    if (typeof operand === 'number') this.#emit(0x62 | WIDTH_CODE[width], dst, 0, offset, operand | 0);
    else this.#emit(0x63 | WIDTH_CODE[width], dst, operand.reg, offset, 0);
    return this;
  }

  /** Atomically adds src to memory. */
  atomicAdd(width: 4 | 8, dst: Register, offset: number, src: Register): this {
    this.#emit(0xc3 | WIDTH_CODE[width], dst, src, offset, 0);
    return this;
  }

  /** If the 64 bits in memory are r0, they become src; r0 = what was there. */
  compareExchange(dst: Register, offset: number, src: Register): this {
    this.#emit(0xc3 | WIDTH_CODE[8], dst, src, offset, 0xf1);
    return this;
  }

  /** Jumps when dst OP operand holds, comparing 64 bits; a constant is sign-extended. */
  jump(op: JumpOp, dst: Register, operand: Operand, label: string): this {
    return this.#branch(0x05, op, dst, operand, label);
  }

  /** The same, comparing the lower 32 bits. */
  jump32(op: JumpOp, dst: Register, operand: Operand, label: string): this {
    return this.#branch(0x06, op, dst, operand, label);
  }

  goto(label: string): this {
    this.#emit(0x05, 0, 0, 0, 0).label = label;
    return this;
  }

  /** Calls a kernel helper by number. */
  call(helper: number): this {
    this.#emit(0x85, 0, 0, 0, helper);
    return this;
  }

  /** dst = a map. */
  loadMap(dst: Register, map: string): this {
    this.#emit(0x18, dst, 1, 0, 0).map = map;
    this.#emit(0, 0, 0, 0, 0);
    return this;
  }

  /** dst = address of byte `offset` in the only value of an array map. */
  loadMapValue(dst: Register, map: string, offset: number): this {
    this.#emit(0x18, dst, 2, 0, 0).map = map;
    this.#emit(0, 0, 0, 0, offset);
    return this;
  }

  /** dst = a 64-bit constant. */
  loadConstant(dst: Register, value: bigint): this {
    this.#emit(0x18, dst, 0, 0, Number(BigInt.asIntN(32, value)));
    this.#emit(0, 0, 0, 0, Number(BigInt.asIntN(32, value >> 32n)));
    return this;
  }

  exit(): this {
    this.#emit(0x95, 0, 0, 0, 0);
    return this;
  }

  /**
   * Resolves labels and gives the bytes, without instructions that nothing leads to: the kernel refuses those. A jump farther than 32,767
   * instructions is a mistake of the caller.
   */
  finish(): Program {
    const places = this.#places();
    const length = places.at(-1)!;
    const bytes = new Uint8Array(length * 8);
    const view = new DataView(bytes.buffer);
    const relocations: { index: number; map: string }[] = [];
    for (const [i, instruction] of this.#instructions.entries()) {
      const index = places[i]!;
      if (places[i + 1] === index) continue;
      let { offset } = instruction;
      if (instruction.label !== undefined) {
        offset = places[this.#target(instruction.label)]! - index - 1;
        if (offset > 32767 || offset < -32768) throw new Error(`jump to ${instruction.label} is too far: ${offset}`);
      }
      if (instruction.map !== undefined) relocations.push({ index, map: instruction.map });
      view.setUint8(index * 8, instruction.opcode);
      view.setUint8(index * 8 + 1, (instruction.src << 4) | instruction.dst);
      view.setInt16(index * 8 + 2, offset, true);
      view.setInt32(index * 8 + 4, instruction.imm, true);
    }
    return { bytes, length, relocations };
  }

  #target(label: string): number {
    const target = this.#labels.get(label);
    if (target === undefined) throw new Error(`no label ${label}`);
    return target;
  }

  /** Where each instruction will stand; one that nothing leads to has the place of the next. The last number is how many there are. */
  #places(): number[] {
    const reached = new Uint8Array(this.#instructions.length);
    const open = [0];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      while (at < reached.length && reached[at] === 0) {
        reached[at] = 1;
        const { opcode, label }: Instruction = this.#instructions[at]!;
        if (opcode === EXIT) break;
        if (label !== undefined) open.push(this.#target(label));
        if (opcode === GOTO) break;
        at++;
      }
    }
    const places = [0];
    for (const is of reached) places.push(places.at(-1)! + is);
    return places;
  }

  #emit(opcode: number, dst: number, src: number, offset: number, imm: number): Instruction {
    const instruction = { opcode, dst, src, offset, imm };
    this.#instructions.push(instruction);
    return instruction;
  }

  #arithmetic(cls: number, op: AluOp, dst: Register, operand: Operand): this {
    if (typeof operand === 'number') this.#emit(cls | ALU[op], dst, 0, 0, operand | 0);
    else this.#emit(cls | 0x08 | ALU[op], dst, operand.reg, 0, 0);
    return this;
  }

  #branch(cls: number, op: JumpOp, dst: Register, operand: Operand, label: string): this {
    const instruction =
      typeof operand === 'number'
        ? this.#emit(cls | JUMP[op], dst, 0, 0, operand | 0)
        : this.#emit(cls | 0x08 | JUMP[op], dst, operand.reg, 0, 0);
    instruction.label = label;
    return this;
  }
}
