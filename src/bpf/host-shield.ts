// Keeps the host's own stack from answering frames that belong to the switch: a program at the device's ingress drops all of them.
// Packet sockets see frames before it does. Where no program may be loaded, a filter of one old instruction does the same.
import { closeFd } from '../host/ffi.ts';
import { putVerdict } from '../host/netlink/traffic-filter.ts';
import { type Attachment, attachProgram, filterAttachment } from './attachment.ts';
import { Assembler } from './instructions.ts';
import { loadProgram } from './kernel.ts';

const TC_ACT_SHOT = 2;

/** Shields the host from a device; `detach` ends it. Throws KernelError where there is no place for a program. */
export function shieldHost(ifindex: number): Attachment {
  try {
    return byProgram(ifindex);
  } catch (refusal) {
    if (process.env['WEFT_EBPF'] === 'tcx') throw refusal;
    try {
      putVerdict(ifindex, 'shield', TC_ACT_SHOT);
    } catch {
      throw refusal;
    }
    return filterAttachment(ifindex, 'shield');
  }
}

function byProgram(ifindex: number): Attachment {
  const program = loadProgram(new Assembler().mov(0, TC_ACT_SHOT).exit().finish(), new Map(), 'weft_shield');
  try {
    return attachProgram(program, ifindex, 'shield');
  } finally {
    closeFd(program);
  }
}
