// The control plane's own book of installed flows: what is where, and which slot of the shared counters each has.
//
// A flow's id is never used twice; a slot is, as soon as its flow is deleted, because commands reach the frame path in order. The id's low bits
// are the slot. A match is booked below its mask, and each mask is kept once: new flows come in numbers under few of them. Of a flow only the
// words under its mask are kept; what others see of it is made when they ask.
import { type Key, newKey, W } from '../../flow/key.ts';
import { WordTable } from '../../flow/word-table.ts';
import { type DpAction, type DpFlow, type DpFlowStats, type FlowId, MAX_FLOWS, slotOf } from '../datapath.ts';
import { FlowSlots } from '../flow-slots.ts';
import { packMatch } from './flow-table.ts';
import { FLOW, FLOW_WORD, type SharedState } from './shared-state.ts';
import { WordArena } from './word-arena.ts';

/** A mask and the words of a key below it. One object of `indices` for each mask: compare by identity. */
export interface PackedMatch {
  indices: Int32Array;
  masks: Int32Array;
  words: Int32Array;
}

const NO_WORDS: Key = new Uint32Array(0);

interface Record {
  id: FlowId;
  under: Mask;
  /** In the mask's table. */
  index: number;
  actions: readonly DpAction[];
  /** Where the key stands that it was made for, and how many words that has up to the last that is not 0; 0 = none. */
  sample: number;
  sampleLength: number;
}

/** A mask with its flows. */
interface Mask {
  mask: Key;
  indices: Int32Array;
  masks: Int32Array;
  name: string;
  table: WordTable;
  /** By index in the table. */
  records: (Record | undefined)[];
}

export class FlowRegistry {
  readonly #state: SharedState;
  readonly #flows = new FlowSlots<Record>();
  readonly #masks = new Map<string, Mask>();
  #latest: Mask | undefined;
  readonly #samples = new WordArena();
  readonly #freeSlots: number[] = [];
  #nextSlot = 0;
  #nextId = 1;

  constructor(state: SharedState) {
    this.#state = state;
  }

  get size(): number {
    return this.#flows.size;
  }

  /** The flow of that match. */
  find(key: Key, mask: Key): FlowId | undefined {
    const { table, records } = this.#mask(key, mask);
    const index = table.find(key);
    return index < 0 ? undefined : records[index]!.id;
  }

  /** Books a flow, in the place of the one with the same match if there is one. `words` hold until the next call. */
  put(key: Key, mask: Key, actions: readonly DpAction[], sample?: Key) {
    const under = this.#mask(key, mask);
    const { indices, masks, table, records } = under;
    let index = table.find(key);
    const before = index < 0 ? undefined : records[index];
    if (before === undefined && this.#freeSlots.length === 0 && this.#nextSlot >= MAX_FLOWS) {
      throw new Error(`the datapath holds no more than ${MAX_FLOWS} flows`);
    }
    const slot = before === undefined ? (this.#freeSlots.pop() ?? this.#nextSlot++) : slotOf(before.id);
    const id = this.#nextId++ * MAX_FLOWS + slot;
    if (before === undefined) {
      // Not before: a mask that is refused a flow must not stay.
      if (table.count === 0) this.#masks.set(under.name, under);
      index = table.add();
    } else this.#samples.give(before.sample, before.sampleLength);
    const sampleLength = sample === undefined ? 0 : usedWords(sample);
    const record: Record = { id, under, index, actions, sample: this.#samples.put(sample ?? NO_WORDS, sampleLength), sampleLength };
    records[index] = record;
    this.#flows.set(record);
    return { id, slot, replaced: before?.id, indices, masks, words: wordsOf(record) };
  }

  #mask(key: Key, mask: Key): Mask {
    const latest = this.#latest;
    if (latest !== undefined && sameMask(latest.mask, mask)) return latest;
    const { indices, masks } = packMatch(key, mask);
    const name = `${indices.join()}/${masks.join()}`;
    const known = this.#masks.get(name) ?? { mask: mask.slice(), indices, masks, name, table: new WordTable(indices, masks), records: [] };
    this.#latest = known;
    return known;
  }

  /** The slot of a flow whose actions are now others. */
  modify(id: FlowId, actions: readonly DpAction[]): number | undefined {
    const record = this.#flows.get(id);
    if (record === undefined) return undefined;
    record.actions = actions;
    return slotOf(id);
  }

  /** The slot that a flow had. */
  delete(id: FlowId): number | undefined {
    const record = this.#flows.get(id);
    if (record === undefined) return undefined;
    const { under, index } = record;
    const slot = slotOf(id);
    this.#flows.delete(id);
    this.#samples.give(record.sample, record.sampleLength);
    under.records[index] = undefined;
    under.table.remove(index);
    if (under.table.count === 0) this.#masks.delete(under.name);
    this.#freeSlots.push(slot);
    return slot;
  }

  clear(): void {
    this.#flows.clear();
    this.#masks.clear();
    this.#samples.clear();
    this.#latest = undefined;
    this.#freeSlots.length = 0;
    this.#nextSlot = 0;
  }

  /** A flow's match, packed; `words` hold until the next call of anything. */
  match(id: FlowId): PackedMatch | undefined {
    const record = this.#flows.get(id);
    return record === undefined ? undefined : { indices: record.under.indices, masks: record.under.masks, words: wordsOf(record) };
  }

  /** A flow's mask. */
  maskOf(id: FlowId): Key | undefined {
    return this.#flows.get(id)?.under.mask;
  }

  /** Writes a flow's masked key. */
  writeKey(id: FlowId, key: Key): void {
    const record = this.#flows.get(id);
    key.fill(0);
    record?.under.table.write(record.index, key);
  }

  /** What a flow does. */
  actions(id: FlowId): readonly DpAction[] | undefined {
    return this.#flows.get(id)?.actions;
  }

  /** All, in the order in which they were put. */
  *flows(): Iterable<DpFlow> {
    const all = [...this.#flows.values()].sort((a, b) => a.id - b.id);
    for (const record of all) if (this.#flows.get(record.id) === record) yield this.#toFlow(record);
  }

  #toFlow({ id, under, index, actions, sample, sampleLength }: Record): DpFlow {
    const key = newKey();
    under.table.write(index, key);
    const flow: DpFlow = { id, key, mask: under.mask, actions };
    if (sampleLength > 0) {
      flow.sample = newKey();
      this.#samples.read(sample, sampleLength, flow.sample);
    }
    return flow;
  }

  packets(id: FlowId): number {
    const at = slotOf(id) * FLOW.SIZE;
    return this.#state.flows[at + FLOW.generation] === id ? this.#state.flows[at]! : 0;
  }

  stats(id: FlowId): DpFlowStats | undefined {
    if (this.#flows.get(id) === undefined) return undefined;
    const at = slotOf(id) * FLOW.SIZE;
    const f = this.#state.flows;
    // The frame path has not taken the flow yet: what stands there is another's.
    if (f[at + FLOW.generation] !== id) return { packets: 0n, bytes: 0n, usedMs: 0, tcpFlags: 0 };
    const tcpFlags = this.#state.flowWords[slotOf(id) * FLOW_WORD.SIZE + FLOW_WORD.tcpFlags]! & 0xfff;
    return { packets: BigInt(f[at]!), bytes: BigInt(f[at + FLOW.bytes]!), usedMs: f[at + FLOW.usedMs]!, tcpFlags };
  }
}

function wordsOf({ under, index }: Record): Int32Array {
  const { table } = under;
  return table.words.subarray(index * table.width, (index + 1) * table.width);
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
