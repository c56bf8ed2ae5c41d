// bpf(2): programs and links. What is made here lives as long as its descriptor, unless pinned.
import { KernelError } from '../base/errors.ts';
import { lastError, libc, mapMemory, unmapMemory } from '../host/ffi.ts';
import { encodeInstructions, type Instruction } from './instruction.ts';

const SYS_BPF = process.arch === 'arm64' ? 280 : 321;
const BPF_PROG_LOAD = 5;
const BPF_LINK_CREATE = 28;
const PROG_TYPE_SCHED_CLS = 3;
const ATTACH = { tcxIngress: 46, tcxEgress: 47 } as const;
const LOG_SIZE = 1 << 16;

function bpf(command: number, attributes: Uint8Array): number {
  return Number(libc().syscallBuffer(SYS_BPF, command, attributes, attributes.length));
}

/** Loads a classifier program; a rejection carries the verifier's log. */
export function loadClassifier(name: string, program: readonly Instruction[]): number {
  const code = encodeInstructions(program);
  const memory = mapMemory(code.length + 16 + LOG_SIZE);
  memory.bytes.set(code);
  memory.bytes.set(Buffer.from('GPL\0'), code.length);
  const logAt = code.length + 16;
  const attributes = new Uint8Array(144);
  const view = new DataView(attributes.buffer);
  view.setUint32(0, PROG_TYPE_SCHED_CLS, true);
  view.setUint32(4, program.length, true);
  view.setBigUint64(8, BigInt(memory.address), true);
  view.setBigUint64(16, BigInt(memory.address + code.length), true);
  view.setUint32(24, 1, true);
  view.setUint32(28, LOG_SIZE, true);
  view.setBigUint64(32, BigInt(memory.address + logAt), true);
  attributes.set(Buffer.from(name.slice(0, 15)), 48);
  try {
    const fd = bpf(BPF_PROG_LOAD, attributes);
    if (fd >= 0) return fd;
    const { errno, call } = lastError('BPF_PROG_LOAD');
    const log = Buffer.from(memory.bytes.subarray(logAt, memory.bytes.indexOf(0, logAt))).toString('latin1');
    throw new KernelError(call, errno, libc().strerror(errno), log);
  } finally {
    unmapMemory(memory);
  }
}

/** Attaches a program to a device with a tcx link; the link ends with its descriptor. */
export function linkTcx(program: number, ifindex: number, direction: keyof typeof ATTACH): number {
  const attributes = new Uint8Array(48);
  const view = new DataView(attributes.buffer);
  view.setUint32(0, program, true);
  view.setUint32(4, ifindex, true);
  view.setUint32(8, ATTACH[direction], true);
  const fd = bpf(BPF_LINK_CREATE, attributes);
  if (fd < 0) throw lastError('BPF_LINK_CREATE', `ifindex ${ifindex}`);
  return fd;
}
