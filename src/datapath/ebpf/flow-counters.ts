// A flow's counters, as they lie in the mapped map that programs count in.
import { COUNTER_VALUE } from './compiler/map-layout.ts';

/** Where a flow's counters lie. */
export interface CounterPlace {
  words: Uint32Array;
  /** Index of its first word. */
  at: number;
}

/** What was counted; `usedNs` is the kernel's monotonic clock, 0 = never. */
export interface KernelFlowStats {
  packets: bigint;
  bytes: bigint;
  usedNs: bigint;
  tcpFlags: number;
}

const wide = ({ words, at }: CounterPlace): BigUint64Array =>
  new BigUint64Array(words.buffer, words.byteOffset + at * 4, COUNTER_VALUE.size / 8);

export function readCounters({ words, at }: CounterPlace): KernelFlowStats {
  const read = (offset: number): bigint => BigInt(words[at + offset / 4]!) | (BigInt(words[at + offset / 4 + 1]!) << 32n);
  return {
    packets: read(COUNTER_VALUE.packets),
    bytes: read(COUNTER_VALUE.bytes),
    usedNs: read(COUNTER_VALUE.usedNs),
    tcpFlags: words[at + COUNTER_VALUE.tcpFlags / 4]!,
  };
}

/** Adds to counters while programs count on. */
export function addCounters(place: CounterPlace, more: KernelFlowStats): void {
  const to = wide(place);
  Atomics.add(to, COUNTER_VALUE.packets / 8, more.packets);
  Atomics.add(to, COUNTER_VALUE.bytes / 8, more.bytes);
  if (more.usedNs > to[COUNTER_VALUE.usedNs / 8]!) to[COUNTER_VALUE.usedNs / 8] = more.usedNs;
  place.words[place.at + COUNTER_VALUE.tcpFlags / 4]! |= more.tcpFlags;
}
