// Instructions for the hashes that recirculation spreads flows by: the same numbers as in user space, `flowHash` in `userspace/core.ts` and
// `symmetric_l3l4+udp` in `flow/hash.ts`. Never 0.
import type { Assembler } from '../../../bpf/instructions.ts';
import { FRAG, W } from '../../../flow/key.ts';
import { keyAt } from './frame-context.ts';

/** Words that a hash is made from, in the order of the plain one. */
export const HASH_WORDS: readonly number[] = [W.NW_SRC, W.NW_DST, ...Array.from({ length: 8 }, (_, i) => W.IPV6_SRC + i)];

/** Makes the hash the frame's. `at`: where r9 points to the basis. */
export function emitHash(a: Assembler, at: number, isSymmetric: boolean): void {
  const some = a.fresh('hashed');
  if (isSymmetric) emitSymmetric(a, at);
  else emitPlain(a, at);
  a.jump32('ne', 0, 0, some).mov(0, 1).label(some).toBigEndian(0, 32).store(4, 10, keyAt(W.DP_HASH), { reg: 0 });
}

function emitPlain(a: Assembler, at: number): void {
  const add = (): void => {
    a.alu32('xor', 0, { reg: 1 }).alu32('mul', 0, 0x85ebca6b).mov(1, { reg: 0 }).alu32('rsh', 1, 13).alu32('xor', 0, { reg: 1 });
  };
  a.load(4, 0, 9, at);
  for (const word of HASH_WORDS) {
    a.load(4, 1, 10, keyAt(word)).toBigEndian(1, 32);
    add();
  }
  a.load(1, 1, 10, keyAt(W.TYPE) + 3);
  add();
  a.load(4, 1, 10, keyAt(W.TP)).toBigEndian(1, 32);
  add();
  a.alu32('mul', 0, 0xc2b2ae35).mov(1, { reg: 0 }).alu32('rsh', 1, 16).alu32('xor', 0, { reg: 1 });
}

/** Rotates r1 or r0 to the left, through r2. */
function rotate(a: Assembler, reg: 0 | 1, by: number): void {
  a.mov(2, { reg })
    .alu32('lsh', reg, by)
    .alu32('rsh', 2, 32 - by)
    .alu32('or', reg, { reg: 2 });
}

/** MurmurHash3: the word in r1 into the hash in r0. */
function add(a: Assembler): void {
  a.alu32('mul', 1, 0xcc9e2d51 | 0);
  rotate(a, 1, 15);
  a.alu32('mul', 1, 0x1b873593).alu32('xor', 0, { reg: 1 });
  rotate(a, 0, 13);
  a.alu32('mul', 0, 5).alu32('add', 0, 0xe6546b64 | 0);
}

function emitSymmetric(a: Assembler, at: number): void {
  const [ipv6, ipv4, ports, mixed, finish] = [a.fresh('hash6'), a.fresh('hash4'), a.fresh('ports'), a.fresh('mixed'), a.fresh('finish')];
  // Words of the key are in the frame's order, as the hash wants them.
  const pair = (source: number, destination: number): void => {
    a.load(4, 1, 10, keyAt(source)).load(4, 2, 10, keyAt(destination)).alu32('xor', 1, { reg: 2 });
    add(a);
  };
  a.load(2, 1, 10, keyAt(W.TYPE)).toBigEndian(1, 16).load(4, 0, 9, at).jump('eq', 1, 0x86dd, ipv6);
  a.jump('eq', 1, 0x0800, ipv4);
  // What is not IP is told apart by its Ethernet header. Addresses are read in halves, so that none lies across words.
  const halves = (first: number, second: number): void => {
    a.load(2, 2, 10, first).alu32('xor', 1, { reg: 2 }).load(2, 2, 10, second).alu32('xor', 1, { reg: 2 });
  };
  const [destination, source] = [keyAt(W.ETH), keyAt(W.ETH) + 6];
  a.mov(1, 0);
  halves(keyAt(W.VLAN0) + 2, keyAt(W.VLAN1) + 2);
  a.alu32('and', 1, 0xff0f).alu32('lsh', 1, 16).load(2, 2, 10, keyAt(W.TYPE)).alu32('or', 1, { reg: 2 });
  add(a);
  a.mov(1, 0);
  halves(destination + 2, source + 2);
  a.alu32('lsh', 1, 16);
  halves(destination, source);
  add(a);
  a.mov(1, 0);
  halves(destination + 4, source + 4);
  add(a);
  a.goto(finish).label(ipv4);
  pair(W.NW_SRC, W.NW_DST);
  a.goto(mixed).label(ipv6);
  for (let i = 0; i < 4; i++) pair(W.IPV6_SRC + i, W.IPV6_DST + i);
  a.label(mixed).load(1, 1, 10, keyAt(W.TYPE) + 3);
  add(a);
  // A later fragment has no ports.
  a.load(1, 1, 10, keyAt(W.TYPE) + 2)
    .alu32('and', 1, FRAG.LATER)
    .jump('ne', 1, 0, finish);
  a.load(1, 1, 10, keyAt(W.TYPE) + 3);
  for (const proto of [6, 17, 132]) a.jump('eq', 1, proto, ports);
  a.goto(finish)
    .label(ports)
    .load(2, 1, 10, keyAt(W.TP))
    .load(2, 2, 10, keyAt(W.TP) + 2)
    .alu32('xor', 1, { reg: 2 });
  add(a);
  a.label(finish).load(4, 1, 9, at).alu32('xor', 0, { reg: 1 });
  for (const [shift, factor] of [
    [16, 0x85ebca6b],
    [13, 0xc2b2ae35],
    [16, 0],
  ] as const) {
    a.mov(1, { reg: 0 }).alu32('rsh', 1, shift).alu32('xor', 0, { reg: 1 });
    if (factor !== 0) a.alu32('mul', 0, factor | 0);
  }
}
