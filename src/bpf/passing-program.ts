// The program that leaves every frame to whatever comes after it, which holds a place at a device until another takes it, or when one has gone.
import { Assembler } from './instructions.ts';
import { loadProgram } from './kernel.ts';

const TC_ACT_UNSPEC = -1;
let loaded: number | undefined;

/** Its descriptor, the process's for good. Throws KernelError. */
export function passingProgram(): number {
  loaded ??= loadProgram(new Assembler().mov(0, TC_ACT_UNSPEC).exit().finish(), new Map(), 'weft_pass');
  return loaded;
}
