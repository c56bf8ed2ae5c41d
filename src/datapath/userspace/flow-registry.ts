// The control plane's own book of installed flows: what is where, and which slot of the shared counters each has.
//
// A flow's id is never used twice; a slot is, as soon as its flow is deleted, because commands reach the frame path in order.
import { type Key, W } from '../../flow/key.ts';
import type { DpAction, DpFlow, DpFlowStats, FlowId } from '../datapath.ts';
import { packMatch } from './flow-table.ts';
import { FLOW, MAX_FLOWS, type SharedState } from './shared-state.ts';

interface Record {
  flow: DpFlow;
  slot: number;
  name: string;
}

export class FlowRegistry {
  readonly #state: SharedState;
  readonly #byId = new Map<FlowId, Record>();
  readonly #byMatch = new Map<string, Record>();
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
    const packed = packMatch(key, mask);
    const name = `${packed.indices.join()}/${packed.masks.join()}/${packed.words.join()}`;
    const before = this.#byMatch.get(name);
    const slot = before?.slot ?? this.#freeSlots.pop() ?? this.#nextSlot++;
    if (slot >= MAX_FLOWS) {
      this.#nextSlot--;
      throw new Error(`the datapath holds no more than ${MAX_FLOWS} flows`);
    }
    if (before !== undefined) this.#byId.delete(before.flow.id);
    const id = this.#nextId++;
    const flow: DpFlow = { id, key: key.slice(), mask: mask.slice(), actions };
    if (sample !== undefined) flow.sample = sample.slice(0, W.DP_END);
    const record = { flow, slot, name };
    this.#byId.set(id, record);
    this.#byMatch.set(name, record);
    return { id, slot, replaced: before?.flow.id, ...packed };
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
    this.#byMatch.delete(record.name);
    this.#freeSlots.push(record.slot);
    return record.slot;
  }

  clear(): void {
    this.#byId.clear();
    this.#byMatch.clear();
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
