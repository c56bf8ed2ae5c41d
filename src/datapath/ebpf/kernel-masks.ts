// The masks in the kernel: which there are, each with a map of its own, and which go when there is a mask too many.
//
// A map holds only so many flows. The others of a mask have one more, which is a mask of its own here; it is made before the first is full, so
// that the program knows it by then.
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { createMap } from '../../bpf/kernel.ts';
import { MAX_FLOWS_PER_MASK, maskMap } from './compiler/map-layout.ts';
import { MAX_MASKS } from './compiler/program.ts';
import { type Mask, moreName, newMask, nextMaskNumber } from './kernel-mask.ts';
import { idleMask } from './mask-order.ts';
import type { PinStore } from './pin-store.ts';

const log = logger('dpif_ebpf');
/** How long a program that the kernel refused keeps others of its size from being tried. */
const LIMIT_MS = 60_000;

/** What masks need of those who have them. */
export interface MaskOwner {
  /** Frames that the flows of a mask carried. */
  hits(mask: Mask): number;
  /** User space has all flows of a mask from now on. */
  leave(mask: Mask): void;
  /** The running program keeps its own hold on a map until it is replaced. */
  closeMap(fd: number): void;
  /** Numbers of masks that the running program knows are no new mask's. */
  running(): readonly Mask[];
  /** A mask has come. */
  changed(): void;
  /** So many flows went to user space because their mask made room for another. */
  replaced(flows: number): void;
}

export class KernelMasks {
  readonly #owner: MaskOwner;
  readonly #maps: Map<string, number>;
  readonly #store: PinStore | undefined;
  readonly #masks = new Map<string, Mask>();
  /** After which a mask may be called idle. */
  readonly #idleMs: number;
  /** Flows of a mask's map, and how many before it is full the next is made. */
  readonly #room: number;
  readonly #ahead: number;
  #limit = MAX_MASKS;
  #limitEndsMs = 0;
  #nextMap = 0;
  #lastNumber = 0;

  /** `maps` are those that programs name; a store pins each. */
  constructor(owner: MaskOwner, maps: Map<string, number>, store: PinStore | undefined, idleMs: number, room: number = MAX_FLOWS_PER_MASK) {
    this.#owner = owner;
    this.#maps = maps;
    this.#store = store;
    this.#idleMs = idleMs;
    this.#room = room;
    this.#ahead = Math.max(1, room >> 2);
  }

  get size(): number {
    return this.#masks.size;
  }

  values(): Iterable<Mask> {
    return this.#masks.values();
  }

  has(mask: Mask): boolean {
    return this.#masks.get(mask.name) === mask;
  }

  hasRoom({ flows }: Mask): boolean {
    return flows.length < this.#room;
  }

  /** A mask of these words with room for a flow; undefined where there is a mask too many, or the kernel gives no map. */
  take(words: readonly number[], masks: readonly number[]): Mask | undefined {
    let name = `${words.join()}/${masks.join()}`;
    for (let known = this.#masks.get(name); known !== undefined; known = this.#masks.get(name)) {
      if (this.hasRoom(known)) return known;
      name = moreName(name);
    }
    if (performance.now() > this.#limitEndsMs) this.#limit = MAX_MASKS;
    if (this.#masks.size >= this.#limit) this.dropEmpty();
    if (this.#masks.size >= this.#limit) this.#dropIdle();
    return this.#make(name, words, masks);
  }

  #make(name: string, words: readonly number[], masks: readonly number[]): Mask | undefined {
    if (this.#masks.size >= this.#limit) return undefined;
    const map = `flows${this.#nextMap++}`;
    const fd = this.#newMap(map, words, masks);
    if (fd === undefined) return undefined;
    this.#maps.set(map, fd);
    this.#lastNumber = nextMaskNumber(this.#lastNumber, [...this.#masks.values(), ...this.#owner.running()]);
    const mask = newMask(name, { number: this.#lastNumber, map, words, masks }, fd);
    this.#masks.set(name, mask);
    this.#owner.changed();
    return mask;
  }

  /** A mask has one flow more: the next is made, where there is room for it, before it is needed. */
  grown(mask: Mask): void {
    if (mask.flows.length !== this.#room - this.#ahead + 1) return;
    const name = moreName(mask.name);
    mask.more = this.#masks.get(name) ?? this.#make(name, mask.words, mask.masks);
  }

  /** Undefined where the kernel gives none: for want of descriptors or memory. */
  #newMap(name: string, words: readonly number[], masks: readonly number[]): number | undefined {
    let fd: number;
    try {
      fd = createMap(maskMap(name, words.length));
    } catch (error) {
      log.warn(`flows of a new mask go through user space: ${errorText(error)}`);
      return undefined;
    }
    this.#store?.pinMask(fd, name, words, masks);
    return fd;
  }

  #drop(mask: Mask): void {
    this.#owner.leave(mask);
    this.#masks.delete(mask.name);
    this.#maps.delete(mask.map);
    this.#owner.closeMap(mask.fd);
    this.#store?.unpinMask(mask.map);
  }

  /** Makes room for a mask: the least used goes to user space, unless it is new or has carried frames since masks were measured last. */
  #dropIdle(): void {
    const idle = idleMask(this.#masks.values(), performance.now(), this.#idleMs, (mask) => this.#owner.hits(mask));
    if (idle === undefined) return;
    this.#owner.replaced(idle.flows.length);
    this.#drop(idle);
  }

  dropEmpty(): void {
    const spare = new Set<Mask>();
    for (const { flows, more } of this.#masks.values())
      if (more !== undefined && flows.length > this.#room - 2 * this.#ahead) spare.add(more);
    for (const mask of [...this.#masks.values()]) if (mask.flows.length === 0 && !spare.has(mask)) this.#drop(mask);
  }

  /** The kernel refused a program with these, the least used last: half of them go, and there are no more for a while. */
  halve(ordered: readonly Mask[]): void {
    this.#limit = ordered.length >> 1;
    this.#limitEndsMs = performance.now() + LIMIT_MS;
    for (const mask of ordered.slice(this.#limit)) this.#drop(mask);
  }

  /** Those with the most hits in the last interval first. */
  ordered(): Mask[] {
    return [...this.#masks.values()].sort((a, b) => b.hits - a.hits || b.flows.length - a.flows.length);
  }

  /** Counts their hits, at regular times; tells whether many have no flows. */
  measure(): boolean {
    let empty = 0;
    for (const mask of this.#masks.values()) {
      const hits = this.#owner.hits(mask);
      // Flows that have gone took their frames with them.
      mask.hits = Math.max(0, hits - mask.hitsBefore);
      mask.hitsBefore = hits;
      if (mask.flows.length === 0) empty++;
    }
    return empty * 4 > this.#masks.size;
  }

  clear(): void {
    this.#masks.clear();
  }
}
