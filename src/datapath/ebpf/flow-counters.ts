// A flow's counters, as they lie in its record in the mapped map, where programs count.
import { FLOW_RECORD, USED_SHIFT } from './compiler/map-layout.ts';

/** Where a flow's record lies. */
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
  new BigUint64Array(words.buffer, words.byteOffset + at * 4, FLOW_RECORD.size / 8);
const halves = ({ words, at }: CounterPlace): Uint16Array => new Uint16Array(words.buffer, words.byteOffset + at * 4, FLOW_RECORD.size / 2);
const USED = FLOW_RECORD.used / 4;
const FLAGS = FLOW_RECORD.tcpFlags / 2;

/** The time that a record's 32 bits mean: within 26 days of now. */
function usedNs(used: number): bigint {
  if (used === 0) return 0n;
  const now = Number(process.hrtime.bigint() >> BigInt(USED_SHIFT));
  return BigInt(now - ((now - used) | 0)) << BigInt(USED_SHIFT);
}

export function readCounters(place: CounterPlace): KernelFlowStats {
  const { words, at } = place;
  const read = (offset: number): bigint => BigInt(words[at + offset / 4]!) | (BigInt(words[at + offset / 4 + 1]!) << 32n);
  return {
    packets: read(FLOW_RECORD.packets),
    bytes: read(FLOW_RECORD.bytes),
    usedNs: usedNs(words[at + USED]!),
    tcpFlags: halves(place)[FLAGS]!,
  };
}

/** Adds what another record has to one that programs count on in. */
export function addCounters(place: CounterPlace, from: CounterPlace): void {
  const [to, more] = [wide(place), wide(from)];
  Atomics.add(to, FLOW_RECORD.packets / 8, more[FLOW_RECORD.packets / 8]!);
  Atomics.add(to, FLOW_RECORD.bytes / 8, more[FLOW_RECORD.bytes / 8]!);
  const [used, other] = [place.words[place.at + USED]!, from.words[from.at + USED]!];
  if (other !== 0 && (used === 0 || ((other - used) | 0) > 0)) place.words[place.at + USED] = other;
  halves(place)[FLAGS]! |= halves(from)[FLAGS]!;
}
