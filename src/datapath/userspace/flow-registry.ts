// The control plane's own book of installed flows: what is where, and which slot of the shared counters each has.
//
// A flow's id is never used twice; a slot is, as soon as its flow is deleted, because commands reach the frame path in order.
// A match is booked below its mask, and each mask is kept once: new flows come in numbers under few of them.
import { type Key, W } from '../../flow/key.ts';
import type { DpAction, DpFlow, DpFlowStats, FlowId } from '../datapath.ts';
import { packMatch } from './flow-table.ts';
import { FLOW, MAX_FLOWS, type SharedState } from './shared-state.ts';

interface Record {
  flow: DpFlow;
  slot: number;
  name: string;
  under: Mask;
}

/** A mask with its flows, by their masked words. */
interface Mask {
  mask: Key;
  indices: Int32Array;
  masks: Int32Array;
  name: string;
  flows: Map<string, Record>;
}

export class FlowRegistry {
  readonly #state: SharedState;
  readonly #byId = new Map<FlowId, Record>();
  readonly #masks = new Map<string, Mask>();
  #latest: Mask | undefined;
  readonly #freeSlots: number[] = [];
  #nextSlot = 0;
  #nextId = 1;

  constructor(state: SharedState) {
    this.#state = state;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Books a flow, in the place of the one with the same match if there is one. */
  put(key: Key, mask: Key, actions: readonly DpAction[], sample?: Key) {
    const under = this.#mask(key, mask);
    const { indices, masks } = under;
    const words = new Int32Array(indices.length);
    for (let i = 0; i < words.length; i++) words[i] = key[indices[i]!]! & masks[i]!;
    const name = words.join();
    const before = under.flows.get(name);
    const slot = before?.slot ?? this.#freeSlots.pop() ?? this.#nextSlot++;
    if (slot >= MAX_FLOWS) {
      this.#nextSlot--;
      throw new Error(`the datapath holds no more than ${MAX_FLOWS} flows`);
    }
    if (before !== undefined) this.#byId.delete(before.flow.id);
    const id = this.#nextId++;
    const flow: DpFlow = { id, key: key.slice(), mask: under.mask, actions };
    if (sample !== undefined) flow.sample = sample.slice(0, W.DP_END);
    const record = { flow, slot, name, under };
    this.#byId.set(id, record);
    under.flows.set(name, record);
    // Not before: a mask that is refused a flow must not stay.
    if (under.flows.size === 1) this.#masks.set(under.name, under);
    return { id, slot, replaced: before?.flow.id, indices, masks, words };
  }

  #mask(key: Key, mask: Key): Mask {
    const latest = this.#latest;
    if (latest !== undefined && sameMask(latest.mask, mask)) return latest;
    const { indices, masks } = packMatch(key, mask);
    const name = `${indices.join()}/${masks.join()}`;
    const known = this.#masks.get(name) ?? { mask: mask.slice(), indices, masks, name, flows: new Map<string, Record>() };
    this.#latest = known;
    return known;
  }

  /** The slot of a flow whose actions are now others. */
  modify(id: FlowId, actions: readonly DpAction[]): number | undefined {
    const record = this.#byId.get(id);
    if (record === undefined) return undefined;
    record.flow = { ...record.flow, actions };
    return record.slot;
  }

  /** The slot that a flow had. */
  delete(id: FlowId): number | undefined {
    const record = this.#byId.get(id);
    if (record === undefined) return undefined;
    this.#byId.delete(id);
    const { under, name } = record;
    under.flows.delete(name);
    if (under.flows.size === 0) this.#masks.delete(under.name);
    this.#freeSlots.push(record.slot);
    return record.slot;
  }

  clear(): void {
    this.#byId.clear();
    this.#masks.clear();
    this.#latest = undefined;
    this.#freeSlots.length = 0;
    this.#nextSlot = 0;
  }

  flow(id: FlowId): DpFlow | undefined {
    return this.#byId.get(id)?.flow;
  }

  *flows(): Iterable<DpFlow> {
    for (const record of this.#byId.values()) yield record.flow;
  }

  stats(id: FlowId): DpFlowStats | undefined {
    const record = this.#byId.get(id);
    if (record === undefined) return undefined;
    const at = record.slot * FLOW.SIZE;
    const f = this.#state.flows;
    // The frame path has not taken the flow yet: what stands there is another's.
    if (f[at + FLOW.generation] !== id) return { packets: 0n, bytes: 0n, usedMs: 0, tcpFlags: 0 };
    return { packets: BigInt(f[at]!), bytes: BigInt(f[at + FLOW.bytes]!), usedMs: f[at + FLOW.usedMs]!, tcpFlags: f[at + FLOW.tcpFlags]! };
  }
}

function sameMask(a: Key, b: Key): boolean {
  for (let i = 0; i < W.DP_END; i++) if (a[i] !== b[i]) return false;
  return true;
}
