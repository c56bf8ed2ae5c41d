// Keeps the host's own stack from answering frames that belong to the switch: a program at the device's ingress drops all of them.
// Packet sockets see frames before it does.
import { closeFd } from '../host/ffi.ts';
import { type Attachment, attachProgram } from './attachment.ts';
import { Assembler } from './instructions.ts';
import { loadProgram } from './kernel.ts';

const TC_ACT_SHOT = 2;

/** Shields the host from a device; `detach` ends it. Throws KernelError where there is no place for a program. */
export function shieldHost(ifindex: number): Attachment {
  const program = loadProgram(new Assembler().mov(0, TC_ACT_SHOT).exit().finish(), new Map(), 'weft_shield');
  try {
    return attachProgram(program, ifindex, 'shield');
  } finally {
    closeFd(program);
  }
}
