import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKey, W } from '../../flow/key.ts';
import type { Packet } from '../../netdev/packet.ts';
import { udpFrame } from '../contract-fixture.ts';
import { type DpAction, NO_OFFLOAD } from '../datapath.ts';
import { UserspaceCore } from './core.ts';
import type { FramePort } from './outputs.ts';
import { sharedState } from './shared-state.ts';
import { UpcallQueue } from './upcall-queue.ts';

/** A port that only remembers where a frame lies until it is flushed, as those do that send many frames with one call. */
class LazyPort implements FramePort {
  readonly sent: string[] = [];
  #queued: { bytes: Uint8Array; start: number; length: number }[] = [];
  flushes = 0;

  send(packet: Packet): void {
    this.#queued.push({ bytes: packet.bytes, start: packet.start, length: packet.length });
    packet.isQueued = true;
  }

  flush(): void {
    if (this.#queued.length > 0) this.flushes++;
    for (const { bytes, start, length } of this.#queued) this.sent.push(Buffer.from(bytes.subarray(start, start + length)).toString('hex'));
    this.#queued = [];
  }
}

test('frames of the control plane leave whole and in order, many with one flush, also those that are changed on their way', () => {
  const core = new UserspaceCore(sharedState(), new UpcallQueue(1 << 16));
  const [one, two] = [new LazyPort(), new LazyPort()];
  core.portAdd(1, one);
  core.portAdd(2, two);
  const plain: DpAction[] = [{ kind: 'output', port: 1 }];
  // The second output sees another frame than the first, which may not have left yet.
  const changing: DpAction[] = [
    { kind: 'output', port: 1 },
    { kind: 'pushVlan', tpid: 0x8100, tci: 0x1005 },
    { kind: 'output', port: 2 },
  ];
  const wanted: string[] = [];
  const wantedTagged: string[] = [];
  const key = newKey();
  key[W.IN_PORT] = 3;
  for (let i = 0; i < 300; i++) {
    const frame = Uint8Array.from(udpFrame);
    frame.set([i >> 8, i & 255], udpFrame.length - 2);
    const text = Buffer.from(frame).toString('hex');
    wanted.push(text);
    const isChanged = i % 50 === 49;
    if (isChanged) wantedTagged.push(`${text.slice(0, 24)}81000005${text.slice(24)}`);
    core.execute(frame, key, isChanged ? changing : plain, NO_OFFLOAD);
  }
  core.flush();
  assert.deepEqual(one.sent, wanted);
  assert.deepEqual(two.sent, wantedTagged);
  assert.ok(one.flushes < 20, `${one.flushes} flushes`);
});
