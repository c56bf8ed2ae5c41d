// The control plane's own book of installed flows: what is where, and which slot of the shared counters each has.
//
// A flow's id is never used twice; a slot is, as soon as its flow is deleted, because commands reach the frame path in order. The id's low bits
// are the slot. A match is booked below its mask, and each mask is kept once: new flows come in numbers under few of them. Of a flow only the
// words under its mask are kept, and columns by slot: objects would cost more than all else. What others see of a flow is made when they ask.
import { type Key, newKey, W } from '../../flow/key.ts';
import { WordTable } from '../../flow/word-table.ts';
import { type DpAction, type DpFlow, type DpFlowStats, type FlowId, MAX_FLOWS, slotOf } from '../datapath.ts';
import { packMatch } from './flow-table.ts';
import { FLOW, FLOW_WORD, type SharedState } from './shared-state.ts';
import { WordArena } from './word-arena.ts';

/** A mask and the words of a key below it. One object of `indices` for each mask: compare by identity. */
export interface PackedMatch {
  indices: Int32Array;
  masks: Int32Array;
  words: Int32Array;
}

/** A flow that has just been booked; of meaning until the next call. */
export interface Booked extends PackedMatch {
  id: FlowId;
  slot: number;
  /** The flow that had the match before. */
  replaced: FlowId | undefined;
}

const NO_WORDS: Key = new Uint32Array(0);
const NO_ACTIONS: readonly DpAction[] = [];
const NO_INDICES = new Int32Array(0);
const FIRST_ROOM = 64;

/** A mask with its flows. */
interface Mask {
  mask: Key;
  indices: Int32Array;
  masks: Int32Array;
  name: string;
  table: WordTable;
  /** Slots by index in the table. */
  slots: number[];
}

export class FlowRegistry {
  readonly #state: SharedState;
  /** By slot; 0 where there is no flow. */
  #ids = new Float64Array(FIRST_ROOM);
  /** In the mask's table. */
  #indices = new Uint32Array(FIRST_ROOM);
  /** Where the key stands that a flow was made for, and how many words that has up to the last that is not 0; 0 = none. */
  #samplePlaces = new Uint32Array(FIRST_ROOM);
  #sampleLengths = new Uint8Array(FIRST_ROOM);
  readonly #under: (Mask | undefined)[] = [];
  readonly #actions: (readonly DpAction[])[] = [];
  #size = 0;
  readonly #booked: Booked = { id: 0, slot: 0, replaced: undefined, indices: NO_INDICES, masks: NO_INDICES, words: NO_INDICES };
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
    return this.#size;
  }

  get maskCount(): number {
    return this.#masks.size;
  }

  /** The flow of that match. */
  find(key: Key, mask: Key): FlowId | undefined {
    const { table, slots } = this.#mask(key, mask);
    const index = table.find(key);
    return index < 0 ? undefined : this.#ids[slots[index]!]!;
  }

  /** Books a flow, in the place of the one with the same match if there is one. `words` hold until the next call. */
  put(key: Key, mask: Key, actions: readonly DpAction[], sample?: Key): Booked {
    const under = this.#mask(key, mask);
    const { table, slots } = under;
    let index = table.find(key);
    const before = index < 0 ? undefined : slots[index]!;
    const replaced = before === undefined ? undefined : this.#ids[before]!;
    if (before === undefined && this.#freeSlots.length === 0 && this.#nextSlot >= MAX_FLOWS) {
      throw new Error(`the datapath holds no more than ${MAX_FLOWS} flows`);
    }
    const slot = before ?? this.#freeSlots.pop() ?? this.#nextSlot++;
    if (slot === this.#ids.length) this.#grow();
    const id = this.#nextId++ * MAX_FLOWS + slot;
    if (before === undefined) {
      // Not before: a mask that is refused a flow must not stay.
      if (table.count === 0) this.#masks.set(under.name, under);
      index = table.add();
      this.#size++;
    } else this.#samples.give(this.#samplePlaces[before]!, this.#sampleLengths[before]!);
    const sampleLength = sample === undefined ? 0 : usedWords(sample);
    this.#ids[slot] = id;
    this.#indices[slot] = index;
    this.#samplePlaces[slot] = this.#samples.put(sample ?? NO_WORDS, sampleLength);
    this.#sampleLengths[slot] = sampleLength;
    this.#under[slot] = under;
    this.#actions[slot] = actions;
    slots[index] = slot;
    const booked = this.#booked;
    booked.id = id;
    booked.slot = slot;
    booked.replaced = replaced;
    booked.indices = under.indices;
    booked.masks = under.masks;
    booked.words = table.found;
    return booked;
  }

  #grow(): void {
    const larger = <A extends Float64Array | Uint32Array | Uint8Array>(to: A, from: A): A => {
      to.set(from);
      return to;
    };
    const room = this.#ids.length * 2;
    this.#ids = larger(new Float64Array(room), this.#ids);
    this.#indices = larger(new Uint32Array(room), this.#indices);
    this.#samplePlaces = larger(new Uint32Array(room), this.#samplePlaces);
    this.#sampleLengths = larger(new Uint8Array(room), this.#sampleLengths);
  }

  /** The slot of a flow, undefined when it is gone. */
  #slot(id: FlowId): number | undefined {
    const slot = slotOf(id);
    return id !== 0 && this.#ids[slot] === id ? slot : undefined;
  }

  #mask(key: Key, mask: Key): Mask {
    const latest = this.#latest;
    if (latest !== undefined && sameMask(latest.mask, mask)) return latest;
    const { indices, masks } = packMatch(key, mask);
    const name = `${indices.join()}/${masks.join()}`;
    const known = this.#masks.get(name) ?? { mask: mask.slice(), indices, masks, name, table: new WordTable(indices, masks), slots: [] };
    this.#latest = known;
    return known;
  }

  /** The slot of a flow whose actions are now others. */
  modify(id: FlowId, actions: readonly DpAction[]): number | undefined {
    const slot = this.#slot(id);
    if (slot !== undefined) this.#actions[slot] = actions;
    return slot;
  }

  /** The slot that a flow had. */
  delete(id: FlowId): number | undefined {
    const slot = this.#slot(id);
    if (slot === undefined) return undefined;
    const under = this.#under[slot]!;
    this.#ids[slot] = 0;
    this.#size--;
    this.#samples.give(this.#samplePlaces[slot]!, this.#sampleLengths[slot]!);
    this.#under[slot] = undefined;
    this.#actions[slot] = NO_ACTIONS;
    under.table.remove(this.#indices[slot]!);
    if (under.table.count === 0) this.#masks.delete(under.name);
    this.#freeSlots.push(slot);
    return slot;
  }

  clear(): void {
    this.#ids.fill(0);
    this.#under.length = 0;
    this.#actions.length = 0;
    this.#size = 0;
    this.#masks.clear();
    this.#samples.clear();
    this.#latest = undefined;
    this.#freeSlots.length = 0;
    this.#nextSlot = 0;
  }

  /** A flow's match, packed; `words` hold until the next call of anything. */
  match(id: FlowId): PackedMatch | undefined {
    const slot = this.#slot(id);
    if (slot === undefined) return undefined;
    const { indices, masks, table } = this.#under[slot]!;
    const from = this.#indices[slot]! * table.width;
    return { indices, masks, words: table.words.subarray(from, from + table.width) };
  }

  /** A flow's mask. */
  maskOf(id: FlowId): Key | undefined {
    const slot = this.#slot(id);
    return slot === undefined ? undefined : this.#under[slot]!.mask;
  }

  /** Writes a flow's masked key. */
  writeKey(id: FlowId, key: Key): void {
    const slot = this.#slot(id);
    key.fill(0);
    if (slot !== undefined) this.#under[slot]!.table.write(this.#indices[slot]!, key);
  }

  /** What a flow does. */
  actions(id: FlowId): readonly DpAction[] | undefined {
    const slot = this.#slot(id);
    return slot === undefined ? undefined : this.#actions[slot];
  }

  /** All, in the order in which they were put. */
  *flows(): Iterable<DpFlow> {
    const all = this.#ids.filter((id) => id !== 0).sort();
    for (const id of all) {
      const slot = this.#slot(id);
      if (slot !== undefined) yield this.#toFlow(slot);
    }
  }

  #toFlow(slot: number): DpFlow {
    const { table, mask } = this.#under[slot]!;
    const key = newKey();
    table.write(this.#indices[slot]!, key);
    const flow: DpFlow = { id: this.#ids[slot]!, key, mask, actions: this.#actions[slot]! };
    const sampleLength = this.#sampleLengths[slot]!;
    if (sampleLength > 0) {
      flow.sample = newKey();
      this.#samples.read(this.#samplePlaces[slot]!, sampleLength, flow.sample);
    }
    return flow;
  }

  packets(id: FlowId): number {
    const at = slotOf(id) * FLOW.SIZE;
    return this.#state.flows[at + FLOW.generation] === id ? this.#state.flows[at]! : 0;
  }

  stats(id: FlowId): DpFlowStats | undefined {
    if (this.#slot(id) === undefined) return undefined;
    const at = slotOf(id) * FLOW.SIZE;
    const f = this.#state.flows;
    // The frame path has not taken the flow yet: what stands there is another's.
    if (f[at + FLOW.generation] !== id) return { packets: 0n, bytes: 0n, usedMs: 0, tcpFlags: 0 };
    const tcpFlags = this.#state.flowWords[slotOf(id) * FLOW_WORD.SIZE + FLOW_WORD.tcpFlags]! & 0xfff;
    return { packets: BigInt(f[at]!), bytes: BigInt(f[at + FLOW.bytes]!), usedMs: f[at + FLOW.usedMs]!, tcpFlags };
  }
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
