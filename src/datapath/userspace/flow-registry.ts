// The control plane's own book of installed flows: what is where, and which slot of the shared counters each has.
//
// A flow's id is never used twice; a slot is, as soon as its flow is deleted, because commands reach the frame path in order.
// A match is booked below its mask, and each mask is kept once: new flows come in numbers under few of them. Of a flow only the words under
// its mask are kept; what others see of it is made when they ask.
import { type Key, newKey, W } from '../../flow/key.ts';
import { hashWords, sameWords } from '../../flow/word-hash.ts';
import type { DpAction, DpFlow, DpFlowStats, FlowId } from '../datapath.ts';
import { packMatch } from './flow-table.ts';
import { FLOW, MAX_FLOWS, type SharedState } from './shared-state.ts';

/** A mask and the words of a key below it. One object of `indices` for each mask: compare by identity. */
export interface PackedMatch {
  indices: Int32Array;
  masks: Int32Array;
  words: Int32Array;
}

interface Record {
  id: FlowId;
  slot: number;
  under: Mask;
  words: Int32Array;
  hash: number;
  /** Of the same hash. */
  next: Record | undefined;
  actions: readonly DpAction[];
  /** The first words of the key that it was made for, up to the last that is not 0. */
  sample: Key | undefined;
}

/** A mask with its flows, by the hash of their words. */
interface Mask {
  mask: Key;
  indices: Int32Array;
  masks: Int32Array;
  name: string;
  flows: Map<number, Record>;
  /** Words of the flow looked for. */
  scratch: Int32Array;
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
    const { indices, masks, scratch, flows } = under;
    for (let i = 0; i < scratch.length; i++) scratch[i] = key[indices[i]!]! & masks[i]!;
    const hash = hashWords(scratch);
    const first = flows.get(hash);
    let before = first;
    while (before !== undefined && !sameWords(before.words, scratch)) before = before.next;
    if (before === undefined && this.#freeSlots.length === 0 && this.#nextSlot >= MAX_FLOWS) {
      throw new Error(`the datapath holds no more than ${MAX_FLOWS} flows`);
    }
    const id = this.#nextId++;
    const kept = sample === undefined ? undefined : sample.slice(0, usedWords(sample));
    if (before !== undefined) {
      const replaced = before.id;
      this.#byId.delete(replaced);
      before.id = id;
      before.actions = actions;
      before.sample = kept;
      this.#byId.set(id, before);
      return { id, slot: before.slot, replaced, indices, masks, words: before.words };
    }
    const slot = this.#freeSlots.pop() ?? this.#nextSlot++;
    const words = scratch.slice();
    const record: Record = { id, slot, under, words, hash, next: first, actions, sample: kept };
    this.#byId.set(id, record);
    // Not before: a mask that is refused a flow must not stay.
    if (flows.size === 0) this.#masks.set(under.name, under);
    flows.set(hash, record);
    return { id, slot, replaced: undefined, indices, masks, words };
  }

  #mask(key: Key, mask: Key): Mask {
    const latest = this.#latest;
    if (latest !== undefined && sameMask(latest.mask, mask)) return latest;
    const { indices, masks } = packMatch(key, mask);
    const name = `${indices.join()}/${masks.join()}`;
    const known = this.#masks.get(name) ?? {
      mask: mask.slice(),
      indices,
      masks,
      name,
      flows: new Map<number, Record>(),
      scratch: new Int32Array(indices.length),
    };
    this.#latest = known;
    return known;
  }

  /** The slot of a flow whose actions are now others. */
  modify(id: FlowId, actions: readonly DpAction[]): number | undefined {
    const record = this.#byId.get(id);
    if (record === undefined) return undefined;
    record.actions = actions;
    return record.slot;
  }

  /** The slot that a flow had. */
  delete(id: FlowId): number | undefined {
    const record = this.#byId.get(id);
    if (record === undefined) return undefined;
    this.#byId.delete(id);
    const { under, hash } = record;
    const { flows } = under;
    const first = flows.get(hash)!;
    if (first !== record) {
      let at = first;
      while (at.next !== record) at = at.next!;
      at.next = record.next;
    } else if (record.next !== undefined) {
      flows.set(hash, record.next);
    } else {
      flows.delete(hash);
      if (flows.size === 0) this.#masks.delete(under.name);
    }
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

  /** A flow's match, packed. */
  match(id: FlowId): PackedMatch | undefined {
    const record = this.#byId.get(id);
    return record === undefined ? undefined : { indices: record.under.indices, masks: record.under.masks, words: record.words };
  }

  /** What a flow does. */
  actions(id: FlowId): readonly DpAction[] | undefined {
    return this.#byId.get(id)?.actions;
  }

  *flows(): Iterable<DpFlow> {
    for (const record of this.#byId.values()) yield toFlow(record);
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

function toFlow({ id, under, words, actions, sample }: Record): DpFlow {
  const key = newKey();
  for (let i = 0; i < words.length; i++) key[under.indices[i]!] = words[i]!;
  const flow: DpFlow = { id, key, mask: under.mask, actions };
  if (sample !== undefined) {
    flow.sample = newKey();
    flow.sample.set(sample);
  }
  return flow;
}

function usedWords(key: Key): number {
  let end: number = W.DP_END;
  while (end > 0 && key[end - 1] === 0) end--;
  return end;
}

function sameMask(a: Key, b: Key): boolean {
  for (let i = 0; i < W.DP_END; i++) if (a[i] !== b[i]) return false;
  return true;
}
