// Action lists in the kernel: each once, however many flows have it, and the shapes that they are made of.
import { type Shape, type ShapedActions, shapeName } from './action-shape.ts';
import { IndexPool } from './index-pool.ts';
import { MAX_ACTION_LISTS } from './map-layout.ts';
import type { PooledOuter } from './outer-pool.ts';
import { MAX_SHAPES, type NumberedShape } from './program.ts';

/** An action list that the kernel has. */
export interface PooledActions {
  index: number;
  shape: PooledShape;
  params: Uint8Array;
  outer: PooledOuter | undefined;
  users: number;
  name: string;
}

interface PooledShape extends NumberedShape {
  lists: number;
}

export class ActionPool {
  readonly #lists = new Map<string, PooledActions>();
  readonly #indices = new IndexPool(MAX_ACTION_LISTS);
  readonly #shapes = new Map<string, PooledShape>();
  #nextShape = 1;
  #lastShaped: ShapedActions | undefined;
  #lastList: PooledActions | undefined;
  readonly #store: (list: PooledActions) => void;
  readonly #newShape: () => void;

  /** `store` writes a list into the kernel; `newShape` is told that the program lacks a shape. */
  constructor(store: (list: PooledActions) => void, newShape: () => void) {
    this.#store = store;
    this.#newShape = newShape;
  }

  /** The pooled list, one user more; or why not. */
  take(shaped: ShapedActions): PooledActions | string {
    // The flows of a batch have one list, mostly.
    if (shaped === this.#lastShaped && this.#lastList !== undefined && this.#lastList.users > 0) {
      this.#lastList.users++;
      return this.#lastList;
    }
    const { shape, params, outer } = shaped;
    const pooled = this.#shape(shape);
    if (pooled === undefined) return 'too_many_shapes';
    const name = `${pooled.number} ${Buffer.from(params.buffer, params.byteOffset, params.length).toString('latin1')}`;
    let list = this.#lists.get(name);
    if (list === undefined) {
      const index = this.#indices.take();
      if (index === undefined) return 'too_many_action_lists';
      list = { index, shape: pooled, params, outer, users: 0, name };
      if (outer !== undefined) outer.users++;
      pooled.lists++;
      this.#lists.set(name, list);
      this.#store(list);
    }
    list.users++;
    this.#lastShaped = shaped;
    this.#lastList = list;
    return list;
  }

  give(list: PooledActions): void {
    if (--list.users > 0) return;
    this.#lists.delete(list.name);
    this.#indices.give(list.index);
    list.shape.lists--;
    if (list.outer !== undefined) list.outer.users--;
  }

  #shape(shape: Shape): PooledShape | undefined {
    const name = shapeName(shape);
    const known = this.#shapes.get(name);
    if (known !== undefined) return known;
    if (this.#shapes.size >= MAX_SHAPES) this.prune();
    if (this.#shapes.size >= MAX_SHAPES) return undefined;
    const pooled = { number: this.#nextShape++, shape, lists: 0 };
    this.#shapes.set(name, pooled);
    this.#newShape();
    return pooled;
  }

  /** Forgets shapes that no list has. */
  prune(): void {
    for (const [name, { lists }] of this.#shapes) if (lists === 0) this.#shapes.delete(name);
  }

  shapes(): NumberedShape[] {
    return [...this.#shapes.values()];
  }
}
