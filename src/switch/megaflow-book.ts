// The megaflows that are installed, by id and by match. Of a match only the words under its mask are kept: a key is twenty times as large and
// lies outside the collector's own memory. Each mask is kept once.
import type { DpAction, FlowId } from '../datapath/datapath.ts';
import type { Key } from '../flow/key.ts';
import { W } from '../flow/key.ts';
import { type PackedMask, packMask } from '../flow/mask.ts';
import { hashWords, sameWords } from '../flow/word-hash.ts';
import type { Effect } from './translate/translation.ts';

/** A mask with its flows by the hash of their words. */
export interface MegaMask {
  readonly packed: PackedMask;
  readonly mask: Key;
  readonly flows: Map<number, Megaflow>;
  /** Words of the flow looked for. */
  readonly scratch: Uint32Array;
}

export interface Megaflow {
  readonly id: FlowId;
  readonly under: MegaMask;
  /** In the order of the packed mask. */
  readonly words: Uint32Array;
  readonly hash: number;
  /** Of the same hash. */
  next: Megaflow | undefined;
  readonly inPort: number;
  readonly recircId: number;
  actions: readonly DpAction[];
  effects: readonly Effect[];
  /** Of the counters already applied. */
  packets: number;
  bytes: number;
  usedMs: number;
  /** Of what translation reads: the one that it was translated by last. */
  generation: number;
}

/** What is known of a flow when it is put. */
export type NewMegaflow = Pick<Megaflow, 'id' | 'actions' | 'effects' | 'packets' | 'bytes' | 'usedMs' | 'generation'>;

export class MegaflowBook {
  readonly #byId = new Map<FlowId, Megaflow>();
  readonly #byMask = new Map<PackedMask, MegaMask>();
  #latest: MegaMask | undefined;

  get size(): number {
    return this.#byId.size;
  }

  values(): IterableIterator<Megaflow> {
    return this.#byId.values();
  }

  get(id: FlowId): Megaflow | undefined {
    return this.#byId.get(id);
  }

  /** The mask that flows of `mask` are kept under, a copy of it. */
  under(mask: Key): MegaMask {
    const latest = this.#latest;
    if (latest !== undefined && isSame(latest.mask, mask)) return latest;
    const packed = packMask(mask);
    const found = this.#byMask.get(packed) ?? {
      packed,
      mask: mask.slice(),
      flows: new Map<number, Megaflow>(),
      scratch: new Uint32Array(packed.words.length),
    };
    this.#latest = found;
    return found;
  }

  /** The flow of that mask which has the words of `key`. */
  find({ packed, flows, scratch }: MegaMask, key: Key): Megaflow | undefined {
    const { words, bits } = packed;
    for (let i = 0; i < scratch.length; i++) scratch[i] = key[words[i]!]! & bits[i]!;
    let flow = flows.get(hashWords(scratch));
    while (flow !== undefined && !sameWords(flow.words, scratch)) flow = flow.next;
    return flow;
  }

  /** Adds a flow that `find` has just not found for the same mask and key. */
  add(under: MegaMask, key: Key, flow: NewMegaflow): void {
    const { flows, packed, mask } = under;
    const words = under.scratch.slice();
    const hash = hashWords(words);
    const next = flows.get(hash);
    const inPort = (key[W.IN_PORT]! & mask[W.IN_PORT]!) >>> 0;
    const recircId = (key[W.RECIRC_ID]! & mask[W.RECIRC_ID]!) >>> 0;
    const { id, actions, effects, packets, bytes, usedMs, generation } = flow;
    const added: Megaflow = { id, under, words, hash, next, inPort, recircId, actions, effects, packets, bytes, usedMs, generation };
    this.#byId.set(id, added);
    if (flows.size === 0) this.#byMask.set(packed, under);
    flows.set(hash, added);
  }

  delete(flow: Megaflow): void {
    if (!this.#byId.delete(flow.id)) return;
    const { under, hash } = flow;
    const { flows, packed } = under;
    const first = flows.get(hash)!;
    if (first !== flow) {
      let at = first;
      while (at.next !== flow) at = at.next!;
      at.next = flow.next;
    } else if (flow.next !== undefined) {
      flows.set(hash, flow.next);
    } else {
      flows.delete(hash);
      if (flows.size === 0) this.#byMask.delete(packed);
    }
  }
}

/** Writes the masked key of a flow over `key`. */
export function writeKey({ under, words }: Megaflow, key: Key): Key {
  key.fill(0);
  const at = under.packed.words;
  for (let i = 0; i < words.length; i++) key[at[i]!] = key[at[i]!]! | words[i]!;
  return key;
}

function isSame(a: Key, b: Key): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
