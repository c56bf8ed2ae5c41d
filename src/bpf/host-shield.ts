// Keeps the host's own stack from answering frames that belong to the switch: a program at the device's tcx ingress drops all of them.
// Packet sockets see frames before it does.
import { closeFd } from '../host/ffi.ts';
import { Assembler } from './instructions.ts';
import { ATTACH, attachTcx, loadProgram } from './kernel.ts';

const TC_ACT_SHOT = 2;

/** Shields the host from a device; gives the link's descriptor, whose end is the shield's. Throws KernelError where tcx is not to be had (before Linux 6.6). */
export function shieldHost(ifindex: number): number {
  const program = loadProgram(new Assembler().mov(0, TC_ACT_SHOT).exit().finish(), new Map(), 'weft_shield');
  try {
    return attachTcx(program, ifindex, ATTACH.tcxIngress);
  } finally {
    closeFd(program);
  }
}
