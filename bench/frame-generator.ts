// Sends one frame out of a device, over and over, as fast as one core can: `frame-generator.ts DEVICE HEX`, until it is ended.
//
// Why not trafgen: a socket's sender pays for a system call, a copy and the receiver's softirq on one core, about 2 to 3.6 us a frame here,
// and so it is the sender that is measured (docs/decisions/006-frame-generator.md). Here the kernel makes the frames of an XDP program
// (BPF_PROG_TEST_RUN with live frames) and hands them to the device in batches. The other end of a veth takes them only when it has NAPI:
// `ethtool -K DEVICE gro on`.

import { Assembler } from '../src/bpf/instructions.ts';
import { closeObject, loadProgram, PROGRAM_TYPE, runLive } from '../src/bpf/kernel.ts';
import { interfaceIndex } from '../src/host/interface-request.ts';

const HELPER_REDIRECT = 23;
const PER_CALL = 1_000_000;

const [device = '', hex = ''] = process.argv.slice(2);
const frame = Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
const code = new Assembler().mov(1, interfaceIndex(device)).mov(2, 0).call(HELPER_REDIRECT).exit().finish();
const program = loadProgram(code, new Map(), 'bench_frames', PROGRAM_TYPE.xdp);
const parent = process.ppid;
process.stdout.write('sending\n');
while (process.ppid === parent) runLive(program, frame, PER_CALL);
closeObject(program);
