// Keeps the host's own stack from answering frames that belong to the switch: a program at the device's tcx ingress drops all of them.
// Packet sockets see frames before it does.
import { closeFd } from '../host/ffi.ts';
import { exit, movImmediate } from './instruction.ts';
import { linkTcx, loadClassifier } from './load.ts';

const TC_ACT_SHOT = 2;

/** Shields the host from a device; gives the link's descriptor, whose end is the shield's. Throws KernelError where tcx is not to be had (before Linux 6.6). */
export function shieldHost(ifindex: number): number {
  const program = loadClassifier('weft_shield', [movImmediate(0, TC_ACT_SHOT), exit()]);
  try {
    return linkTcx(program, ifindex, 'tcxIngress');
  } finally {
    closeFd(program);
  }
}
