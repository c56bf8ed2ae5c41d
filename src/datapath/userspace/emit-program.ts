// The kernel's half of `netdev/emitter.ts`: sends the frames whose addresses stand in the shared memory.
//
// For each frame: (1) fetch it from the process's memory, (2) fill a short partial checksum in, (3) make the packet as long as it is and
// look whether the device takes that much, as a packet socket would, (4) write it into the packet, (5) give a copy to the device.
// A frame that cannot be fetched ends the run; whoever asked for it sees how far it came.
import { Assembler, type Program } from '../../bpf/instructions.ts';
import { closeObject, createMap, loadProgram, MAP_TYPE } from '../../bpf/kernel.ts';
import { EMIT, EMIT_TOO_LONG, type OpenedEmitter } from '../../netdev/emitter.ts';

const HELPER = { storeBytes: 9, cloneRedirect: 13, csumDiff: 28, changeTail: 38, probeReadUser: 112, checkMtu: 163 } as const;
const MMAPABLE = 1024;
const MAP = 'emit';
/** Ethernet header and the least MTU there is (RFC 791): nothing shorter can be too long. */
const ALWAYS_FITS = 14 + 68;
/** 802.1Q's type as this machine loads it. */
const TAG_LOADED = new Uint16Array(Uint8Array.of(0x81, 0x00).buffer)[0]!;
const UDP_CHECKSUM = 6;
/** On the stack. */
const LENGTH = -8;
const PLACE = -16;
const MTU = -24;

/** The program; pure. r6 = packet, r7 = memory, r8 = frame's number, r9 = its vector. */
export function emitProgram(): Program {
  const a = new Assembler();
  a.mov(6, { reg: 1 }).loadMapValue(7, MAP, 0).mov(8, 0);
  a.label('next').load(4, 1, 7, EMIT.count).jump('ge', 8, { reg: 1 }, 'end').jump('ge', 8, EMIT.most, 'end');
  a.mov(9, { reg: 8 }).alu('mul', 9, EMIT.vectorSize).alu('add', 9, { reg: 7 }).alu('add', 9, EMIT.vectors);
  // 1.
  a.load(4, 2, 9, EMIT.length).jump('gt', 2, EMIT.longest, 'end').jump('lt', 2, 14, 'end').store(8, 10, LENGTH, { reg: 2 });
  a.mov(1, { reg: 7 }).load(8, 3, 9, 0).call(HELPER.probeReadUser).jump('ne', 0, 0, 'end');
  // 2.
  a.load(4, 1, 9, EMIT.checksum).jump('eq', 1, 0, 'summed');
  fillChecksum(a);
  a.label('summed');
  // 3.
  a.load(8, 2, 10, LENGTH).load(4, 1, 6, 0).jump('eq', 1, { reg: 2 }, 'sized');
  a.mov(1, { reg: 6 }).mov(3, 0).call(HELPER.changeTail).jump('ne', 0, 0, 'end');
  a.label('sized').load(8, 1, 10, LENGTH).jump('le', 1, ALWAYS_FITS, 'fits');
  a.store(4, 10, MTU, 0)
    .mov(4, 0)
    .load(2, 1, 7, EMIT.frame + 12)
    .jump('ne', 1, TAG_LOADED, 'untagged')
    .mov(4, -4)
    .label('untagged');
  a.mov(1, { reg: 6 }).load(4, 2, 7, EMIT.ifindex).mov(3, { reg: 10 }).alu('add', 3, MTU).mov(5, 0).call(HELPER.checkMtu);
  a.jump('eq', 0, 0, 'fits').store(4, 9, EMIT.result, EMIT_TOO_LONG).goto('one');
  // 4.
  a.label('fits').mov(1, { reg: 6 }).mov(2, 0).mov(3, { reg: 7 }).load(8, 4, 10, LENGTH).mov(5, 0).call(HELPER.storeBytes);
  a.jump('ne', 0, 0, 'end');
  // 5.
  a.mov(1, { reg: 6 }).load(4, 2, 7, EMIT.ifindex).mov(3, 0).call(HELPER.cloneRedirect).store(4, 9, EMIT.result, { reg: 0 });
  a.label('one').alu('add', 8, 1).goto('next');
  return a.label('end').store(4, 7, EMIT.done, { reg: 8 }).mov(0, 0).exit().finish();
}

/** r1 = start and offset. */
function fillChecksum(a: Assembler): void {
  a.mov(2, { reg: 1 }).alu('and', 2, 0xffff).alu('rsh', 1, 16).load(8, 3, 10, LENGTH);
  a.jump('gt', 3, EMIT.longestWithChecksum, 'end').jump('gt', 2, EMIT.longestWithChecksum, 'end').jump('gt', 1, 64, 'end');
  a.jump('ge', 2, { reg: 3 }, 'end');
  a.alu('add', 1, { reg: 2 }).store(8, 10, PLACE, { reg: 1 });
  // The sum is of whole words.
  a.mov(4, { reg: 7 }).alu('add', 4, { reg: 3 }).store(4, 4, EMIT.frame, 0);
  a.mov(4, { reg: 3 }).alu('sub', 4, { reg: 2 }).alu('add', 4, 3).alu('and', 4, 0x1fc);
  a.mov(3, { reg: 7 }).alu('add', 3, { reg: 2 }).mov(1, 0).mov(2, 0).mov(5, 0).call(HELPER.csumDiff);
  for (let i = 0; i < 2; i++) a.alu32('mov', 1, { reg: 0 }).alu32('and', 0, 0xffff).alu32('rsh', 1, 16).alu32('add', 0, { reg: 1 });
  a.alu32('xor', 0, 0xffff).jump('ne', 0, 0, 'sum');
  // RFC 768: a sum of 0 is sent as all ones.
  a.load(4, 1, 9, EMIT.checksum).alu('rsh', 1, 16).jump('ne', 1, UDP_CHECKSUM, 'sum').mov(0, 0xffff);
  a.label('sum').load(8, 1, 10, PLACE).alu('add', 1, { reg: 7 }).store(2, 1, EMIT.frame, { reg: 0 });
}

/** Loads it; throws KernelError where the kernel does not allow that. */
export function openEmitter(): OpenedEmitter {
  const map = createMap({ name: MAP, type: MAP_TYPE.array, keySize: 4, valueSize: EMIT.size, maxEntries: 1, flags: MMAPABLE });
  try {
    return { map, program: loadProgram(emitProgram(), new Map([[MAP, map]]), 'weft_emit') };
  } catch (error) {
    closeObject(map);
    throw error;
  }
}

/** Lets go of it. */
export function closeEmitter(emitter: OpenedEmitter): void {
  closeObject(emitter.program);
  closeObject(emitter.map);
}
