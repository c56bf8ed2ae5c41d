// Sends frames out of a device as fast as one core can: `frame-generator.ts DEVICE HEX [FLOWS [NETS [RATE]]]`, until it is ended.
//
// With FLOWS, an IPv4 and UDP frame is sent with as many pairs of destination (its low 16 bits) and source port in turn; with NETS, with as
// many values of the destination's second byte. The header's checksum stays right: the identification takes up what the address adds.
//
// With RATE, so many a second, in portions up to 400 times a second: starting one takes half a millisecond, and much more on a busy machine,
// where portions become larger.
//
// Why not trafgen: a socket's sender pays for a system call, a copy and the receiver's softirq on one core, about 2 to 3.6 us a frame here,
// and so it is the sender that is measured (docs/decisions/006-frame-generator.md). Here the kernel makes the frames of an XDP program
// (BPF_PROG_TEST_RUN with live frames) and hands them to the device in batches. The other end of a veth takes them only when it has NAPI:
// `ethtool -K DEVICE gro on`.

import { Assembler, type Program } from '../src/bpf/instructions.ts';
import { closeObject, createMap, loadProgram, MAP_TYPE, PROGRAM_TYPE, runLive } from '../src/bpf/kernel.ts';
import { interfaceIndex } from '../src/host/interface-request.ts';

const HELPER_REDIRECT = 23;
const PER_CALL = 1_000_000;
const PORTION_MS = 2.5;
const MOST_OWED_MS = 100;
const IDENTIFICATION = 18;
const DESTINATION = 30;
const SOURCE_PORT = 34;
const FIRST_PORT = 1000;

function generator(ifindex: number, flows: number, nets: number): Program {
  const a = new Assembler();
  if (flows > 1 || nets > 1) {
    a.load(4, 7, 1, 0).load(4, 8, 1, 4).mov(2, { reg: 7 }).alu('add', 2, 42).jump('gt', 2, { reg: 8 }, 'send');
    a.loadMapValue(1, 'count', 0).load(8, 6, 1, 0).mov(2, { reg: 6 }).alu('add', 2, 1).store(8, 1, 0, { reg: 2 });
    // r3 = low half of the destination, r4 = its second byte.
    a.mov(2, { reg: 6 }).alu('mod', 2, flows).mov(3, { reg: 2 }).alu('and', 3, 0xffff).alu('rsh', 2, 16).alu('add', 2, FIRST_PORT);
    a.toBigEndian(2, 16).store(2, 7, SOURCE_PORT, { reg: 2 });
    a.mov(4, { reg: 6 })
      .alu('mod', 4, nets)
      .store(1, 7, DESTINATION + 1, { reg: 4 })
      .mov(5, { reg: 4 })
      .alu('add', 5, { reg: 3 });
    a.mov(0, { reg: 5 }).alu('rsh', 0, 16).alu('and', 5, 0xffff).alu('add', 5, { reg: 0 });
    a.mov(0, 0xffff).alu('sub', 0, { reg: 5 }).toBigEndian(0, 16).store(2, 7, IDENTIFICATION, { reg: 0 });
    a.toBigEndian(3, 16).store(2, 7, DESTINATION + 2, { reg: 3 });
    a.label('send');
  }
  return a.mov(1, ifindex).mov(2, 0).call(HELPER_REDIRECT).exit().finish();
}

const [device = '', hex = '', flows = '1', nets = '1', ratePerSec = '0'] = process.argv.slice(2);
const frame = Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
const count = createMap({ name: 'count', type: MAP_TYPE.array, keySize: 4, valueSize: 8, maxEntries: 1 });
const code = generator(interfaceIndex(device), Number(flows), Number(nets));
const program = loadProgram(code, new Map([['count', count]]), 'bench_frames', PROGRAM_TYPE.xdp);
const parent = process.ppid;
process.stdout.write('sending\n');
const rate = Number(ratePerSec) / 1000;
const clock = new Int32Array(new SharedArrayBuffer(4));
for (let last = performance.now(), owed = 0; process.ppid === parent; ) {
  if (rate === 0) {
    runLive(program, frame, PER_CALL);
    continue;
  }
  Atomics.wait(clock, 0, 0, Math.max(0, last + PORTION_MS - performance.now()));
  const now = performance.now();
  // What a long pause has left owing is not sent as one flood.
  owed = Math.min(owed + (now - last) * rate, MOST_OWED_MS * rate);
  last = now;
  const portion = Math.floor(owed);
  owed -= portion;
  if (portion > 0) runLive(program, frame, portion);
}
closeObject(program);
