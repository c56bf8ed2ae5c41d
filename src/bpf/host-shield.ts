// Keeps the host's own stack from answering frames that belong to the switch: a program at the device's ingress drops all of them.
// Packet sockets see frames before it does. A gate leads to it, so that the host gets its frames back when we end, killed or not, and a filter, which
// costs no waiting, will do. Where no program may be loaded, a filter of one old instruction does the same, and stays when we are killed.
import { closeFd } from '../host/ffi.ts';
import { putVerdict } from '../host/netlink/traffic-filter.ts';
import { type Attachment, attachAtOnce, filterAttachment } from './attachment.ts';
import { Gate } from './gate.ts';
import { Assembler } from './instructions.ts';
import { loadProgram } from './kernel.ts';

const TC_ACT_SHOT = 2;
let gate: Gate | undefined;

/** Shields the host from a device; `detach` ends it. Throws KernelError where there is no place for a program. */
export function shieldHost(ifindex: number): Attachment {
  try {
    gate ??= openGate();
    return attachAtOnce(gate.program, ifindex, 'shield');
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

/** The process's for good, like what it stands for. */
function openGate(): Gate {
  const program = loadProgram(new Assembler().mov(0, TC_ACT_SHOT).exit().finish(), new Map(), 'weft_shield');
  try {
    return new Gate(program);
  } finally {
    closeFd(program);
  }
}
