// The frame path without a device: what key extraction, lookup and actions cost a frame.

import type { DpAction } from '../src/datapath/datapath.ts';
import { UserspaceCore } from '../src/datapath/userspace/core.ts';
import { packMatch } from '../src/datapath/userspace/flow-table.ts';
import { sharedState } from '../src/datapath/userspace/shared-state.ts';
import { UpcallQueue } from '../src/datapath/userspace/upcall-queue.ts';
import { newKey, W } from '../src/flow/key.ts';
import { newPacket } from '../src/netdev/packet.ts';
import type { BenchOptions } from './main.ts';

const OUT = 2;

function frameOf(i: number): Uint8Array {
  const frame = new Uint8Array(60);
  const view = new DataView(frame.buffer);
  view.setUint16(4, 2);
  view.setUint16(10, 1);
  view.setUint16(12, 0x800);
  view.setUint32(14, 0x4500002e);
  view.setUint32(22, 0x40110000);
  view.setUint32(26, 0x0a000001);
  view.setUint32(30, 0x0b000000 + i);
  view.setUint32(34, 0x03e807d0);
  return frame;
}

/** `step`: from one frame's flow to the next one's, no divisor of their number. */
function framesPerSecond(flows: number, masks: number, active: number, actions: DpAction[], step = 1): number {
  const core = new UserspaceCore(sharedState(), new UpcallQueue(1 << 20));
  core.portAdd(OUT, { send: () => {}, flush: () => {} });
  for (let i = 0; i < flows; i++) {
    const key = newKey();
    const mask = newKey();
    key[W.IN_PORT] = 1;
    mask[W.IN_PORT] = 0xffffffff;
    key[W.NW_DST] = 0x0b000000 + i;
    mask[W.NW_DST] = 0xffffffff;
    // Masks differ in bits that no frame here has set.
    mask[W.TUN_ID] = i % masks;
    const packed = packMatch(key, mask);
    core.flowPut(i, i + 1, packed.indices, packed.masks, packed.words, actions);
  }
  const packet = newPacket();
  const memory = packet.bytes;
  const frames = Array.from({ length: active }, (_, i) => frameOf(Math.floor((i * flows) / active)));
  const pass = (count: number): void => {
    for (let i = 0, at = 0; i < count; i++) {
      at = (at + step) % active;
      const frame = frames[at]!;
      memory.set(frame, 128);
      packet.point(memory, 0, 128, frame.length);
      core.receive(1, packet);
    }
  };
  pass(200_000);
  const start = performance.now();
  pass(1_000_000);
  return 1_000_000 / ((performance.now() - start) / 1000);
}

/** Prints the table. */
export async function run(_options: BenchOptions): Promise<void> {
  const output: DpAction[] = [{ kind: 'output', port: OUT }];
  const rewrite: DpAction[] = [{ kind: 'set', group: 'ipv4', words: Uint32Array.of(W.NW_DST, 1, 0xffffffff) }, ...output];
  const line = (label: string, rate: number): void => {
    process.stdout.write(`  ${label.padEnd(52)} ${(rate / 1e6).toFixed(2)} M frames/s, ${(1e9 / rate).toFixed(0)} ns\n`);
  };
  process.stdout.write('core: one thread, no device\n');
  line('1 flow', framesPerSecond(1, 1, 1, output));
  line('1 flow, with a set of ip_dst', framesPerSecond(1, 1, 1, rewrite));
  line('1,000 flows, 1,000 in use', framesPerSecond(1000, 1, 1000, output));
  line('100,000 flows, 100,000 in use', framesPerSecond(100_000, 1, 100_000, output));
  line('the same in no order', framesPerSecond(100_000, 1, 100_000, output, 7919));
  line('100,000 flows under 10 masks, 1,000 in use', framesPerSecond(100_000, 10, 1000, output));
  line('100,000 flows under 50 masks, 100,000 in use', framesPerSecond(100_000, 50, 100_000, output));
}
