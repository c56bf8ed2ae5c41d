// Action lists in the kernel: each once, however many flows have it, and the shapes that they are made of.
//
// Lists that others hand frames to are kept beside those of flows. They have a name for user space, which runs them where no program can;
// it is never used for another, because frames that bear it may still be on their way.
import type { DpAction } from '../datapath.ts';
import { type ChildList, PARAM_SIZE, type Shape, type ShapedActions, type ShapeStep, shapeName } from './compiler/action-shape.ts';
import { MAX_ACTION_LISTS } from './compiler/map-layout.ts';
import { MAX_SHAPES, type NumberedShape } from './compiler/program.ts';
import { IndexPool } from './index-pool.ts';
import type { PooledOuter } from './outer-pool.ts';

/** An action list that the kernel has. */
export interface PooledActions {
  index: number;
  /** Undefined: user space runs it. */
  shape: PooledShape | undefined;
  params: Uint8Array;
  outers: readonly PooledOuter[];
  children: readonly PooledActions[];
  /** Its name for user space, 0 = none. */
  token: number;
  users: number;
  name: string;
}

interface PooledShape extends NumberedShape {
  lists: number;
  /** Its steps leave no frame to user space. */
  isWhole: boolean;
}

/** Steps that carry out what they say, whatever the frame. */
const CERTAIN: ReadonlySet<ShapeStep['op']> = new Set([
  'output',
  'drop',
  'popVlan',
  'pushVlan',
  'setVlan',
  'ethernet',
  'patch',
  'metadata',
]);

/** Whether no frame of flows with that list goes to user space, except to keep its order. */
export const isCarriedWhole = ({ shape, children }: PooledActions): boolean => shape?.isWhole === true && children.length === 0;

/** The same for equal lists. */
const actionsName = (actions: readonly DpAction[]): string =>
  JSON.stringify(actions, (_key, value: unknown) => {
    if (typeof value === 'bigint') return String(value);
    return ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex') : value;
  });

export class ActionPool {
  readonly #lists = new Map<string, PooledActions>();
  readonly #indices = new IndexPool(MAX_ACTION_LISTS);
  readonly #shapes = new Map<string, PooledShape>();
  #nextShape = 1;
  #lastShaped: ShapedActions | undefined;
  #lastList: PooledActions | undefined;
  readonly #store: (list: PooledActions) => void;
  readonly #newShape: () => void;
  readonly #tell: (token: number, actions: readonly DpAction[] | undefined) => void;
  #lastToken = crypto.getRandomValues(new Uint32Array(1))[0]!;

  /**
   * `store` writes a list into the kernel; `newShape` is told that the program lacks a shape; `tell` is told what a name means, and when
   * it means nothing any more.
   */
  constructor(
    store: (list: PooledActions) => void,
    newShape: () => void,
    tell: (token: number, actions: readonly DpAction[] | undefined) => void = () => {},
  ) {
    this.#store = store;
    this.#newShape = newShape;
    this.#tell = tell;
  }

  /** The pooled list, one user more; or why not. */
  take(shaped: ShapedActions): PooledActions | string {
    // The flows of a batch have one list, mostly.
    if (shaped === this.#lastShaped && this.#lastList !== undefined && this.#lastList.users > 0) {
      this.#lastList.users++;
      return this.#lastList;
    }
    const list = this.#take(shaped, undefined);
    if (typeof list !== 'string') {
      this.#lastShaped = shaped;
      this.#lastList = list;
    }
    return list;
  }

  /** `actions`: of a list that others hand frames to. */
  #take(shaped: ShapedActions | undefined, actions: readonly DpAction[] | undefined): PooledActions | string {
    const children: PooledActions[] = [];
    const refuse = (reason: string): string => {
      for (const child of children) this.give(child);
      return reason;
    };
    const params = shaped?.params ?? new Uint8Array(PARAM_SIZE);
    for (const one of shaped?.children ?? []) {
      const child = this.#takeChild(one, params);
      if (typeof child === 'string') return refuse(child);
      children.push(child);
    }
    const shape = shaped === undefined ? undefined : this.#shape(shaped.shape);
    if (shaped !== undefined && shape === undefined) return refuse('too_many_shapes');
    const bytes = Buffer.from(params.buffer, params.byteOffset, params.length).toString('latin1');
    const name = `${shape?.number ?? 0} ${bytes}${actions === undefined ? '' : actionsName(actions)}`;
    let list = this.#lists.get(name);
    if (list !== undefined) {
      refuse('');
    } else {
      const index = this.#indices.take();
      if (index === undefined) return refuse('too_many_action_lists');
      const outers = shaped?.outers ?? [];
      list = { index, shape, params, outers, children, token: actions === undefined ? 0 : this.#token(), users: 0, name };
      for (const outer of outers) outer.users++;
      if (shape !== undefined) shape.lists++;
      this.#lists.set(name, list);
      if (actions !== undefined) this.#tell(list.token, actions);
      this.#store(list);
    }
    list.users++;
    return list;
  }

  #takeChild({ at, actions, shaped }: ChildList, params: Uint8Array): PooledActions | string {
    const child = this.#take(shaped, actions);
    if (typeof child === 'string') return child;
    const view = new DataView(params.buffer, params.byteOffset);
    view.setUint32(at, child.index, true);
    view.setUint32(at + 4, child.token, true);
    return child;
  }

  #token(): number {
    this.#lastToken = (this.#lastToken + 1) >>> 0 || 1;
    return this.#lastToken;
  }

  give(list: PooledActions): void {
    if (--list.users > 0) return;
    this.#lists.delete(list.name);
    this.#indices.give(list.index);
    if (list.shape !== undefined) list.shape.lists--;
    for (const outer of list.outers) outer.users--;
    for (const child of list.children) this.give(child);
    if (list.token !== 0) this.#tell(list.token, undefined);
  }

  #shape(shape: Shape): PooledShape | undefined {
    const name = shapeName(shape);
    const known = this.#shapes.get(name);
    if (known !== undefined) return known;
    if (this.#shapes.size >= MAX_SHAPES) this.prune();
    if (this.#shapes.size >= MAX_SHAPES) return undefined;
    const pooled = { number: this.#nextShape++, shape, lists: 0, isWhole: shape.steps.every(({ op }) => CERTAIN.has(op)) };
    this.#shapes.set(name, pooled);
    this.#newShape();
    return pooled;
  }

  /** Forgets shapes that no list has. */
  prune(): void {
    for (const [name, { lists }] of this.#shapes) if (lists === 0) this.#shapes.delete(name);
  }

  /** Whether those that lists have are all among these numbers. */
  areKnown(numbers: ReadonlySet<number>): boolean {
    for (const { number, lists } of this.#shapes.values()) if (lists > 0 && !numbers.has(number)) return false;
    return true;
  }

  shapes(): NumberedShape[] {
    return [...this.#shapes.values()];
  }
}
