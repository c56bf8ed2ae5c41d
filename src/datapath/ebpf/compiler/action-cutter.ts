// Cuts a list of actions into the steps of a shape and their parameters. See `action-shape.ts`.
//
//   1. Steps are taken in order. One that consumes the frame waits for the end of the list; where another such comes, or a change, it becomes
//      a list of its own and runs on a copy here (`fork`).
//   2. A nested list changes nothing for what follows it: the two are put one behind the other so that this holds, or it is a fork too.
//   3. What needs to know the frame as it is by now, headers behind a label or changed addresses, is another list (`continue`), and so is
//      what finds no room among the parameters.
//   4. A fork that no program can run is user space's, alone. Any other refusal makes user space run the whole list.
import { W } from '../../../flow/key.ts';
import { type DpAction, type TunnelKey, USERSPACE_REASONS } from '../../datapath.ts';
import type { PooledOuter } from '../outer-pool.ts';
import { type ChildList, type FindDevice, type FindMeter, PARAM_SIZE, type ShapedActions, type ShapeStep } from './action-shape.ts';
import { isNshContext, patchesOf } from './field-patch.ts';
import type { PatchStep } from './patch-program.ts';
import { wrapHeaders } from './wrap-headers.ts';

/** Steps of a shape, those of nested lists among them: the same list may stand behind several choices. */
const MAX_STEPS = 48;
/** How deep lists may be nested, and how many may hang on each other. */
const MAX_DEPTH = 4;
const MAX_LISTS = 16;
/** Bytes kept free for a step that goes on elsewhere. */
const RESERVE = 16;
/** Longer ones hold every checksum that the kernel may still have to fill in, also behind another tunnel's header; it cuts off none before. */
const SHORT = 152;
/** "Always", of a sample. */
const CERTAIN = 0xffffffff;

/** Why a list is user space's; thrown within this file alone. */
class Refusal extends Error {}

/** The frame changed in a way that another list has to read anew. */
class Anew extends Error {}

/** Whether a list leaves frame and metadata as they are for what follows. */
const changesNothing = (actions: readonly DpAction[]): boolean =>
  actions.every(({ kind }) => kind === 'output' || kind === 'setTunnel' || kind === 'userspace' || kind === 'trunc' || kind === 'drop');

/** What has happened to the frame up to here, in a list and those above it. */
interface Progress {
  tunnel: TunnelKey | undefined;
  trunc: number;
  /** Tags that were pushed; 2 = more than one. */
  pushes: number;
  hasLabel: boolean;
  /** What was inside may have any number of tags. */
  isUnwrapped: boolean;
  /** The words that a hash is made from, and a connection known by, are as in the key. */
  isHashed: boolean;
  hasTracked: boolean;
}

/** A step that consumes the frame, and the actions that it stands for. */
interface Waiting {
  step: ShapeStep;
  actions: readonly DpAction[];
}

/** An output that consumes the frame; `take` makes a step of it. */
interface Consuming {
  actions: readonly DpAction[];
  take(): Waiting;
}

class Cutter {
  readonly params: Uint8Array = new Uint8Array(PARAM_SIZE);
  readonly outers: PooledOuter[] = [];
  readonly children: ChildList[] = [];
  readonly #view = new DataView(this.params.buffer);
  readonly #device: FindDevice;
  readonly #meter: FindMeter;
  /** Lists above this one. */
  readonly #above: number;
  #used = 0;
  #steps = 0;

  constructor(device: FindDevice, meter: FindMeter, above: number) {
    this.#device = device;
    this.#meter = meter;
    this.#above = above;
  }

  #take(...words: readonly number[]): number {
    const at = this.#used;
    if (at + words.length * 4 > PARAM_SIZE - RESERVE) throw new Refusal('too_many_parameters');
    this.#used += words.length * 4;
    for (const [i, word] of words.entries()) this.#view.setUint32(at + i * 4, word, true);
    return at;
  }

  /** Network order. */
  #takeNetwork(...words: readonly number[]): number {
    const at = this.#take(...words);
    for (const [i, word] of words.entries()) this.#view.setUint32(at + i * 4, word, false);
    return at;
  }

  /** A list of its own; the place of its parameters, for which room is kept. */
  #child(actions: readonly DpAction[], mayPunt: boolean): number {
    if (this.#above >= MAX_LISTS) throw new Refusal('nested_too_deep');
    const shaped = shape(actions, this.#device, this.#meter, this.#above + 1);
    if (typeof shaped === 'string' && !mayPunt) throw new Refusal(shaped);
    const at = this.#used;
    this.#used += 8;
    if (this.#used > PARAM_SIZE) throw new Refusal('too_many_parameters');
    this.children.push({ at, actions, shaped: typeof shaped === 'string' ? undefined : shaped });
    return at;
  }

  cutAll(actions: readonly DpAction[]): ShapeStep[] {
    const progress = { tunnel: undefined, trunc: 0, pushes: 0, hasLabel: false, isUnwrapped: false, isHashed: true, hasTracked: false };
    return this.#cut(actions, progress, 0);
  }

  #cut(actions: readonly DpAction[], progress: Progress, depth: number): ShapeStep[] {
    if (depth > MAX_DEPTH) throw new Refusal('nested_too_deep');
    const steps: ShapeStep[] = [];
    let waiting: Waiting | undefined;
    /** What waits becomes a list of its own, because the frame changes now. */
    const settle = (): void => {
      if (waiting === undefined) return;
      const { step, actions: list } = waiting;
      steps.push({ op: 'fork', at: step.op === 'continue' ? step.at : this.#child(list, true) });
      waiting = undefined;
    };
    /** What is set for outputs goes along with a list. */
    const along = (list: readonly DpAction[]): DpAction[] => {
      const before: DpAction[] = progress.tunnel === undefined ? [] : [{ kind: 'setTunnel', tunnel: progress.tunnel }];
      if (progress.trunc !== 0) before.push({ kind: 'trunc', maxLength: progress.trunc });
      return [...before, ...list];
    };
    // Actions that stand in one step with those before them.
    let taken = 0;
    for (const [index, action] of actions.entries()) {
      if (taken-- > 0) continue;
      taken = 0;
      if (++this.#steps > MAX_STEPS) throw new Refusal('too_many_steps');
      const rest = actions.slice(index + 1);
      const { kind } = action;
      if (kind === 'setTunnel') {
        progress.tunnel = action.tunnel;
        continue;
      }
      if (kind === 'trunc') {
        progress.trunc = action.maxLength;
        continue;
      }
      const before = { used: this.#used, children: this.children.length, outers: this.outers.length, steps: steps.length, waiting };
      try {
        if (kind === 'output' || kind === 'userspace') {
          const isAlone = depth === 0 && actions.every(({ kind: other }, i) => i === index || other === 'setTunnel' || other === 'trunc');
          const consuming = this.#output(action, progress, steps, along, isAlone);
          if (kind === 'output') progress.trunc = 0;
          if (consuming === undefined) continue;
          // Whichever waits already goes on doing so.
          const isOnly = actions.every((other, i) => i === index || (other.kind !== 'output' && other.kind !== 'userspace'));
          waiting ??= this.#await(consuming, isOnly);
          if (waiting?.actions !== consuming.actions) steps.push({ op: 'fork', at: this.#child(consuming.actions, true) });
          continue;
        }
        settle();
        if (kind === 'drop') return [...steps, { op: 'drop' }];
        if (kind === 'recirc') {
          if (rest.length === 0) return [...steps, { op: 'recirculate', at: this.#takeNetwork(action.id) }];
          steps.push({ op: 'fork', at: this.#child([action], true) });
          continue;
        }
        if (kind === 'clone' || (kind === 'sample' && action.probability >>> 0 === CERTAIN)) {
          const nested = along(action.actions);
          const order = behind(nested, rest.length === 0 ? [] : along(rest));
          if (order !== undefined) return [...steps, ...this.#cut(order, { ...progress, trunc: 0, tunnel: undefined }, depth + 1)];
          steps.push({ op: 'fork', at: this.#child(nested, true) });
          continue;
        }
        if (kind === 'sample' || kind === 'checkPktLen') return [...steps, this.#choice(action, rest, progress, along, depth)];
        taken = this.#change(action, rest, progress, steps);
      } catch (error) {
        const isFull = error instanceof Refusal && error.message === 'too_many_parameters';
        if (!isFull && !(error instanceof Anew)) throw error;
        // Back to before this action, which begins another list.
        this.#used = before.used;
        this.children.length = before.children;
        this.outers.length = before.outers;
        steps.length = before.steps;
        waiting = before.waiting;
        if (isFull && steps.length === 0 && waiting === undefined) throw error;
        settle();
        steps.push({ op: 'continue', at: this.#child(along([action, ...rest]), false) });
        return steps;
      }
    }
    if (waiting !== undefined) return [...steps, waiting.step];
    const end = steps.at(-1);
    return end?.op === 'output' ? [...steps.slice(0, -1), { ...end, isLast: true }] : steps;
  }

  /** A step to wait for the end; undefined when no program can make it, but there is more to be done than that. */
  #await({ take }: Consuming, isOnly: boolean): Waiting | undefined {
    try {
      return take();
    } catch (error) {
      if (isOnly || !(error instanceof Refusal) || error.message === 'too_many_parameters') throw error;
      return undefined;
    }
  }

  /** An output that leaves the frame alone is a step; any other is given back, to be taken as the last or to run elsewhere. */
  #output(
    action: Extract<DpAction, { kind: 'output' | 'userspace' }>,
    { tunnel, trunc, pushes }: Progress,
    steps: ShapeStep[],
    along: (list: readonly DpAction[]) => DpAction[],
    isAlone: boolean,
  ): Consuming | undefined {
    if (action.kind === 'userspace') {
      const { reason, token } = action.cookie;
      const actions = [action];
      return {
        actions,
        take: () => ({ step: { op: 'userspace', at: this.#take(USERSPACE_REASONS.indexOf(reason) + 1, token) }, actions }),
      };
    }
    const target = this.#device(action.port);
    if (target === undefined) throw new Refusal('output_not_in_kernel');
    const actions = along([action]);
    if ('outer' in target) {
      return {
        actions,
        take: () => {
          const step = this.#tunnel(target.outer, tunnel, action.port, pushes, trunc);
          // A long run of instructions, which is there once for all that go this way.
          if (!step.hasSum || isAlone) return { step, actions };
          this.#used = step.at;
          this.outers.pop();
          return { step: { op: 'continue', at: this.#child(actions, true) }, actions };
        },
      };
    }
    const { ifindex, flags } = target;
    if (trunc !== 0)
      return {
        actions,
        take: () => ({ step: { op: 'truncated', at: this.#take(ifindex, flags, action.port, trunc), isShort: trunc < SHORT }, actions }),
      };
    steps.push({ op: 'output', at: this.#take(ifindex, flags, action.port), isLast: false });
    return undefined;
  }

  #choice(
    action: Extract<DpAction, { kind: 'sample' | 'checkPktLen' }>,
    rest: readonly DpAction[],
    progress: Progress,
    along: (list: readonly DpAction[]) => DpAction[],
    depth: number,
  ): ShapeStep {
    const after = rest.length === 0 ? [] : along(rest);
    const cut = (nested: readonly DpAction[]): ShapeStep[] => {
      const list = along(nested);
      const order = behind(list, after) ?? [{ kind: 'clone', actions: list }, ...after];
      return this.#cut(order, { ...progress, trunc: 0, tunnel: undefined }, depth + 1);
    };
    if (action.kind === 'sample') {
      const at = this.#take(action.probability);
      return { op: 'choice', by: 'chance', at, yes: cut(action.actions), no: this.#cut(after, { ...progress, trunc: 0 }, depth + 1) };
    }
    const at = this.#take(action.length);
    return { op: 'choice', by: 'length', at, yes: cut(action.larger), no: cut(action.smaller) };
  }

  /** A step that changes the frame or what is known of it; gives how many of the following actions it stands for too. */
  #change(action: DpAction, rest: readonly DpAction[], progress: Progress, steps: ShapeStep[]): number {
    switch (action.kind) {
      case 'pushNsh':
      case 'addMpls':
        return this.#wrap([action, ...rest], progress, steps);
      case 'popEth':
        if (rest[0]?.kind !== 'popNsh') throw new Refusal('popEth');
        if (progress.pushes > 0 || progress.hasLabel) throw new Anew();
        steps.push({ op: 'unwrap' });
        progress.hasLabel = true;
        progress.isUnwrapped = true;
        progress.isHashed = false;
        return 1;
      case 'popVlan':
        steps.push({ op: 'popVlan' });
        break;
      case 'pushVlan': {
        const at = this.#take(0);
        this.#view.setUint16(at, action.tpid, false);
        this.#view.setUint16(at + 2, action.tci & 0xefff, true);
        steps.push({ op: 'pushVlan', at });
        progress.pushes = Math.min(2, progress.pushes + 1);
        break;
      }
      case 'pushMpls':
        if (progress.pushes > 0 || progress.isUnwrapped) throw new Anew();
        steps.push({ op: 'pushMpls', at: this.#takeNetwork(action.lse, action.ethertype << 16) });
        progress.hasLabel = true;
        break;
      case 'popMpls':
        if (progress.pushes > 0 || progress.isUnwrapped) throw new Anew();
        // The kernel would take the type for a tag, or the frame for one of IEEE 802.3.
        if (action.ethertype < 0x600 || action.ethertype === 0x8100 || action.ethertype === 0x88a8) throw new Refusal('popMpls');
        steps.push({ op: 'popMpls', at: this.#takeNetwork(action.ethertype << 16) });
        progress.hasLabel = true;
        break;
      case 'set':
        this.#set(action, progress.hasLabel, steps);
        if (action.words.some((word, i) => i % 3 === 0 && isHashWord(word))) progress.isHashed = false;
        break;
      case 'hash':
        if (action.algorithm > 1) throw new Refusal('hash_algorithm');
        if (!progress.isHashed || progress.hasLabel) throw new Anew();
        steps.push({ op: 'hash', at: this.#take(action.basis), isSymmetric: action.algorithm === 1 });
        break;
      case 'ct':
        if (progress.hasTracked || !progress.isHashed || progress.hasLabel) throw new Anew();
        this.#track(action, steps);
        progress.hasTracked = true;
        // The addresses may be others now.
        if (action.nat !== undefined) progress.isHashed = false;
        break;
      case 'ctClear':
        steps.push({ op: 'ctClear' });
        break;
      case 'meter': {
        const place = this.#meter(action.meter);
        if (place === undefined) throw new Refusal('meter');
        steps.push({ op: 'meter', at: this.#take(place) });
        break;
      }
      default:
        throw new Refusal(action.kind);
    }
    return 0;
  }

  /** Headers before a whole frame make one step with the Ethernet header that follows; gives how many actions that are, but for the first. */
  #wrap(actions: readonly DpAction[], progress: Progress, steps: ShapeStep[]): number {
    const made = wrapHeaders(actions);
    if (made === undefined) throw new Refusal(actions[0]!.kind);
    const { bytes, count } = made;
    const view = new DataView(bytes.buffer);
    const words = Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(i * 4));
    steps.push({ op: 'wrap', at: this.#takeNetwork(...words), size: bytes.length - 16 });
    progress.hasLabel = true;
    progress.isHashed = false;
    return count - 1;
  }

  #tunnel(
    take: (tunnel: TunnelKey) => PooledOuter | string,
    tunnel: TunnelKey | undefined,
    port: number,
    pushes: number,
    trunc: number,
  ): Extract<ShapeStep, { op: 'tunnel' }> {
    const made = tunnel === undefined ? 'tunnel_no_key' : take(tunnel);
    if (typeof made === 'string') throw new Refusal(made);
    const { index, size, isIpv6, isUdp, hasSum } = made;
    const trims = trunc !== 0;
    this.outers.push(made);
    const at = this.#take(index, port, ...(trims ? [trunc] : []));
    return { op: 'tunnel', at, size, isIpv6, isUdp, hasSum, pushes, trims, isShort: trims && trunc < SHORT };
  }

  #track({ zone, commit, force, mark, label, nat }: Extract<DpAction, { kind: 'ct' }>, steps: ShapeStep[]): void {
    const [value, bits] = mark ?? [0, 0];
    const checksMark = commit && bits !== 0;
    const params = checksMark ? [(zone << 16) >>> 0, value >>> 0, bits >>> 0] : [(zone << 16) >>> 0];
    const checksLabel = commit && label !== undefined ? [0, 1, 2, 3].filter((i) => label[1][i] !== 0) : [];
    for (const i of checksLabel) params.push(label![0][i]! >>> 0, label![1][i]! >>> 0);
    const at = this.#takeNetwork(...params);
    steps.push({ op: 'ct', at, nat: nat !== undefined, force, checksMark, checksLabel });
  }

  /** Adds steps for the link-layer addresses among the triples; gives the other triples. */
  #ndOptions(words: Uint32Array, steps: ShapeStep[]): Uint32Array {
    const rest: number[] = [];
    const [value, mask] = [new DataView(new ArrayBuffer(12)), new DataView(new ArrayBuffer(12))];
    for (let i = 0; i + 2 < words.length; i += 3) {
      const at = (words[i]! - W.ARP_HW) * 4;
      if (at < 0 || at > 8) {
        rest.push(words[i]!, words[i + 1]!, words[i + 2]!);
        continue;
      }
      value.setUint32(at, words[i + 1]! & words[i + 2]!);
      mask.setUint32(at, words[i + 2]!);
    }
    // nd_sll is option 1, nd_tll option 2.
    for (const option of [1, 2]) {
      const at = (option - 1) * 6;
      const masks = [0, 2, 4].map((i) => mask.getUint16(at + i));
      if (masks.every((bits) => bits === 0)) continue;
      const params = this.#takeNetwork(value.getUint32(at), value.getUint16(at + 4) << 16);
      steps.push({ op: 'ndOption', option, masks, at: params });
    }
    return Uint32Array.from(rest);
  }

  #set(action: Extract<DpAction, { kind: 'set' }>, hasLabel: boolean, steps: ShapeStep[]): void {
    const { group, words } = action;
    const [word = 0, value = 0, mask = 0] = words;
    if (group === 'skb_mark' || group === 'skb_priority') {
      const at = this.#takeNetwork((value & mask) >>> 0);
      steps.push({ op: 'metadata', field: group === 'skb_mark' ? 'mark' : 'priority', mask, at });
      return;
    }
    if (group === 'vlan') {
      if (words.length !== 3 || word !== W.VLAN0) throw new Refusal('set_vlan');
      const bits = mask & 0xefff;
      steps.push({ op: 'setVlan', at: this.#take(value & bits), mask: bits });
      return;
    }
    if (group === 'eth') {
      const indices: number[] = [];
      const masks: number[] = [];
      const values: number[] = [];
      for (let i = 0; i + 2 < words.length; i += 3) {
        if (words[i]! < W.ETH || words[i]! > W.ETH + 2) throw new Refusal('set_eth');
        indices.push(words[i]!);
        values.push((words[i + 1]! & words[i + 2]!) >>> 0);
        masks.push(words[i + 2]! >>> 0);
      }
      steps.push({ op: 'ethernet', words: indices, masks, at: this.#takeNetwork(...values) });
      return;
    }
    if (group === 'nsh' && !isNshContext(word) && words.some((one, i) => i % 3 === 0 && isNshContext(one))) {
      // Frames may have the ones without the others.
      for (const context of [false, true]) {
        const part = words.filter((_, i) => isNshContext(words[i - (i % 3)]!) === context);
        this.#set({ ...action, words: part }, hasLabel, steps);
      }
      return;
    }
    const made = patchesOf(group, group === 'nd' ? this.#ndOptions(words, steps) : words);
    if (made === undefined) throw new Refusal(`set_${group}`);
    // Behind a label there is no network header for a program, as there is none for user space.
    if (hasLabel && made.guard !== 'mpls') throw new Anew();
    if (made.patches.length === 0) return;
    const patches: PatchStep[] = made.patches.map(({ value: bits, ...patch }) => ({
      ...patch,
      at: this.#takeNetwork(patch.size === 2 ? (bits << 16) >>> 0 : bits),
    }));
    steps.push({ op: 'patch', guard: made.guard, patches });
  }
}

/** Whether the hash of a flow is made from a word. */
const isHashWord = (word: number): boolean =>
  word === W.TYPE || word === W.NW_SRC || word === W.NW_DST || word === W.TP || (word >= W.IPV6_SRC && word < W.IPV6_DST + 4);

/** A nested list and what follows it, which sees the frame as it was before; undefined when no order of the two does that. */
function behind(nested: readonly DpAction[], rest: readonly DpAction[]): readonly DpAction[] | undefined {
  if (rest.length === 0 || changesNothing(nested)) return [...nested.filter(({ kind }) => kind !== 'drop' || rest.length === 0), ...rest];
  return changesNothing(rest) ? [...rest, ...nested] : undefined;
}

/** `above`: how many lists this one hangs on. */
function shape(actions: readonly DpAction[], device: FindDevice, meter: FindMeter, above: number): ShapedActions | string {
  const cutter = new Cutter(device, meter, above);
  try {
    const steps = cutter.cutAll(actions);
    const { params, outers, children } = cutter;
    return { shape: { steps }, params, outers, children };
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}

/**
 * Cuts a list. Gives why not, when user space has to run it: a reason for a counter. `device` finds an output, `meter` a meter's place;
 * undefined = not in the kernel.
 */
export const shapeActions = (
  actions: readonly DpAction[],
  device: FindDevice,
  meter: FindMeter = () => undefined,
): ShapedActions | string => shape(actions, device, meter, 0);
