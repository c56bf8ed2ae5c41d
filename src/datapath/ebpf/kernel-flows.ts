// The flows that the kernel has: masks, flows and program, kept in step with the control plane's flows.
//
//   1. A flow is taken if its key is one the program can read and its actions have a shape; otherwise it is user space's, with a reason.
//   2. Under a known mask and shape it is one map update. Those of a batch of new flows go to the kernel together, with `commit` or with
//      whatever else is done to flows. A new mask or shape makes a new program, loaded once for all that came in the same moment, which
//      replaces the running one at every port in place.
//   3. Until the new program runs, the frames concerned reach user space, which has or is given every flow: nothing is lost meanwhile.
//   4. Masks stand in the order of their hits, which are counted every few seconds; masks without flows are left out. Nothing that a new
//      mask brings about goes through all flows.
//   5. A program that the kernel refuses is made smaller: the least used half of the masks goes to user space.
import { logger } from '../../base/log.ts';
import { closeObject, updateElement } from '../../bpf/kernel.ts';
import { MapBatch } from '../../bpf/map-batch.ts';
import { type Key, W } from '../../flow/key.ts';
import { areSurelySame, type DpAction } from '../datapath.ts';
import type { PackedMatch } from '../userspace/flow-registry.ts';
import { packMatch } from '../userspace/flow-table.ts';
import { ActionPool, isCarriedWhole, type PooledActions } from './action-pool.ts';
import { shapeActions } from './compiler/action-cutter.ts';
import { allSteps, type OutputDevice, type ShapedActions } from './compiler/action-shape.ts';
import { ACTIONS_VALUE, FLOW_VALUE, MAX_FLOWS_PER_MASK } from './compiler/map-layout.ts';
import { compileProgram } from './compiler/program.ts';
import { addCounters, type CounterPlace, type KernelFlowStats, readCounters } from './flow-counters.ts';
import { FlowHolds } from './flow-holds.ts';
import { type FlowPlan, fitsPlan, planFlow, writeKey } from './flow-plan.ts';
import { FlowRecords } from './flow-records.ts';
import { KernelFlowBook, NO_SLOT } from './kernel-flow-book.ts';
import type { Mask } from './kernel-mask.ts';
import { KernelMasks, type MaskOwner } from './kernel-masks.ts';
import { isWorthReordering } from './mask-order.ts';
import type { PinStore } from './pin-store.ts';
import { ProgramChanges, type ProgramOwner, type ProgramParts } from './program-changes.ts';

const log = logger('dpif_ebpf');
const REORDER_MS = 5000;

const NONE: readonly CounterPlace[] = [];

interface Plan extends FlowPlan {
  mask: Mask;
}

export class KernelFlows {
  readonly #maps: Map<string, number>;
  readonly #masks: KernelMasks;
  readonly #flows = new KernelFlowBook();
  readonly #actions: ActionPool;
  readonly #records: FlowRecords;
  readonly #device: (port: number) => OutputDevice | undefined;
  readonly #isTunnel: (port: number) => boolean;
  readonly #meter: (meter: number) => number | undefined;
  readonly #holds: FlowHolds;
  readonly #reorder: NodeJS.Timeout;
  /** Why flows are not in the kernel: reason -> how many times. */
  readonly refused = new Map<string, number>();
  readonly #program: ProgramChanges;
  #hasTunnels = false;
  #vlanLimit = 1;
  /** Who runs what programs cannot is told of the names of lists, and when they mean nothing any more. */
  onList: (token: number, actions: readonly DpAction[] | undefined) => void = () => {};
  /** Whoever has all flows is told of those that the kernel carries no longer. */
  onLeft: (id: number) => void = () => {};
  readonly #value = new Uint8Array(ACTIONS_VALUE.size);
  readonly #entry = new Uint32Array(FLOW_VALUE.size / 4);
  readonly #index = new Uint32Array(1);
  /** By the words of the control plane's mask, which keeps one array of them for each. */
  readonly #plans = new WeakMap<Int32Array, Plan>();
  readonly #batch = new MapBatch(FLOW_VALUE.size);
  /** Entries of flows that are hidden already. */
  readonly #gone = new MapBatch(0, 'out');
  /** Slots of flows whose entries stand in the batch. */
  readonly #batched: number[] = [];
  #isCommitting = false;
  #activeCount = 0;
  /** The list of actions that was cut last; forgotten with each batch, because what it names may change. */
  #lastActions: readonly DpAction[] | undefined;
  #lastShaped: ShapedActions | string = '';

  /**
   * `maps` are the fixed ones; `onProgram` puts a program in the place of the running one; maps of flows are pinned in the store; `meter`
   * gives a meter's place.
   * Throws KernelError where the kernel does not allow it.
   */
  constructor(
    maps: Map<string, number>,
    device: (port: number) => OutputDevice | undefined,
    isTunnel: (port: number) => boolean,
    onProgram: (program: number) => void,
    store?: PinStore,
    meter: (meter: number) => number | undefined = () => undefined,
    idleMs = REORDER_MS,
    room = MAX_FLOWS_PER_MASK,
  ) {
    const owner: MaskOwner = {
      hits: (mask) => this.#hits(mask),
      leave: (mask) => this.#leaveMask(mask),
      closeMap: (fd) => this.#program.closeMap(fd),
      running: () => this.#program.masks,
      changed: () => this.#program.soon(),
      replaced: (flows) => this.#refuse('mask_replaced', flows),
    };
    this.#masks = new KernelMasks(owner, maps, store, idleMs, room);
    this.#meter = meter;
    this.#maps = maps;
    this.#isTunnel = isTunnel;
    this.#device = device;
    this.#actions = new ActionPool(
      (list) => this.#storeActions(list),
      () => this.#program.soon(),
      (token, actions) => this.onList(token, actions),
    );
    const programs: ProgramOwner = {
      prepare: () => this.#prepare(),
      compile: (order) =>
        compileProgram({ masks: order, shapes: this.#actions.shapes(), hasTunnels: this.#hasTunnels, vlanLimit: this.#vlanLimit }),
      refused: (order) => this.#masks.halve(order),
      adopted: () => this.#release(),
    };
    this.#program = new ProgramChanges(programs, maps, onProgram);
    this.#records = new FlowRecords(maps.get('records')!);
    this.#holds = new FlowHolds(this.#flows, this.#records.memory, maps.get('pending')!);
    this.#reorder = setInterval(() => this.#measure(), REORDER_MS);
    this.#reorder.unref();
  }

  /** The running program. */
  get program(): number {
    return this.#program.fd;
  }

  /** Whether there are tunnel ports, which cost each frame a little. */
  setTunnels(has: boolean): void {
    if (this.#hasTunnels === has) return;
    this.#hasTunnels = has;
    this.reload();
  }

  /** How many VLAN tags keys tell; flows put before are meaningless afterwards. */
  setVlanLimit(limit: number): void {
    const vlanLimit = limit === 1 ? 1 : 2;
    if (this.#vlanLimit === vlanLimit) return;
    this.#vlanLimit = vlanLimit;
    this.reload();
  }

  /** Programs loaded so far. */
  get programCount(): number {
    return this.#program.count;
  }

  #storeActions({ index, shape, params }: PooledActions): void {
    new DataView(this.#value.buffer).setUint32(ACTIONS_VALUE.shape, shape?.number ?? 0, true);
    this.#value.set(params, ACTIONS_VALUE.params);
    this.#index[0] = index;
    updateElement(this.#maps.get('actions')!, new Uint8Array(this.#index.buffer), this.#value);
  }

  /** Installs a flow or replaces its actions. Gives why it stays in user space, or undefined when the kernel has it. */
  put(id: number, key: Key, mask: Key, actions: readonly DpAction[]): string | undefined {
    const reason = this.putPacked(id, packMatch(key, mask), actions);
    this.commit();
    return reason ?? (this.has(id) ? undefined : 'map_full');
  }

  /** The same, at the next `commit` at the latest. */
  putPacked(id: number, match: PackedMatch, actions: readonly DpAction[]): string | undefined {
    const reason = this.#tryPut(id, match, actions);
    if (reason !== undefined) {
      this.commit();
      this.#refuse(reason);
      const before = this.#flows.slot(id);
      if (before !== NO_SLOT) this.#leave(before);
    }
    return reason;
  }

  #refuse(reason: string, flows = 1): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + flows);
  }

  #tryPut(id: number, match: PackedMatch, actions: readonly DpAction[]): string | undefined {
    const shaped = this.#shape(actions);
    if (typeof shaped === 'string') return shaped;
    const flows = this.#flows;
    let slot = flows.slot(id);
    const isNew = slot === NO_SLOT;
    if (isNew) {
      const made = this.#newFlow(id, match);
      if (typeof made === 'string') return made;
      slot = made;
    } else {
      const before = flows.masks[slot]!;
      if (!this.#masks.has(before)) {
        this.commit();
        const mask = this.#masks.take(before.words, before.masks);
        if (mask === undefined) return 'too_many_masks';
        const key = mask.keys.take();
        mask.keys.bytes.set(before.keys.key(flows.keys[slot]!), key);
        flows.masks[slot] = mask;
        flows.keys[slot] = key;
      }
    }
    const list = this.#actions.take(shaped);
    const reason = typeof list === 'string' ? list : this.#enter(slot, list);
    if (reason !== undefined) {
      if (typeof list !== 'string') this.#actions.give(list);
      if (isNew) this.#forget(slot);
    }
    return reason;
  }

  #shape(actions: readonly DpAction[]): ShapedActions | string {
    if (this.#lastActions === undefined || !areSurelySame(this.#lastActions, actions)) {
      this.#lastShaped = shapeActions(actions, this.#device, this.#meter);
      this.#lastActions = actions;
      this.#commitSoon();
    }
    return this.#lastShaped;
  }

  /** The slot of a new flow. */
  #newFlow(id: number, match: PackedMatch): number | string {
    const { indices, masks, words } = match;
    // Words stand in ascending order.
    const hasPort = indices[0] === W.IN_PORT && masks[0] === -1;
    const port = hasPort ? words[0]! >>> 0 : 0;
    // No frame of such a port meets the program.
    if (hasPort && this.#device(port) === undefined) return 'input_not_in_kernel';
    const isOfDevice = hasPort && !this.#isTunnel(port);
    const recirc = indices.indexOf(W.RECIRC_ID);
    const isFresh = recirc >= 0 && masks[recirc] === -1 && words[recirc] === 0;
    let plan = this.#plans.get(indices);
    if (
      plan === undefined ||
      plan.isOfDevice !== isOfDevice ||
      plan.isFresh !== isFresh ||
      !this.#masks.has(plan.mask) ||
      !this.#masks.hasRoom(plan.mask) ||
      !fitsPlan(plan, words)
    ) {
      const made = planFlow(match, isOfDevice, isFresh);
      if (typeof made === 'string') return made;
      this.commit();
      const mask = this.#masks.take(
        made.kept.map((at) => indices[at]!),
        made.kept.map((at) => masks[at]! >>> 0),
      );
      if (mask === undefined) return 'too_many_masks';
      plan = { ...made, mask };
      this.#plans.set(indices, plan);
    }
    const { mask } = plan;
    const record = this.#records.take(mask.hasPairs);
    if (record === undefined) return 'too_many_flows';
    const isFirst = recirc < 0 || words[recirc] === 0;
    const key = mask.keys.take();
    writeKey(plan, words, mask.keys.bytes, key);
    return this.#flows.add(id, mask, key, record, isFirst ? port : 0);
  }

  #enter(slot: number, list: PooledActions): string | undefined {
    const flows = this.#flows;
    const mask = flows.masks[slot]!;
    const record = flows.records[slot]!;
    if (!this.#masks.has(mask)) return 'mask_dropped';
    const before = flows.actions[slot];
    if (before !== undefined) {
      this.#records.setActions(record, list.index);
      this.#actions.give(before);
      flows.actions[slot] = list;
      return undefined;
    }
    // What goes in under a key goes in after what goes out.
    if (this.#gone.length > 0 || !this.#batch.fits(mask.fd, mask.keys.size)) this.commit();
    this.#holds.begin(slot);
    const key = flows.keys[slot]!;
    this.#records.show(record, mask.number, mask.isInRecord ? mask.keys.key(key) : undefined, list.index);
    this.#entry[FLOW_VALUE.record / 4] = record;
    this.#batch.add(mask.fd, mask.keys.bytes, key, mask.keys.size, this.#entry);
    this.#commitSoon();
    this.#batched.push(slot);
    flows.actions[slot] = list;
    flows.join(slot);
    this.#masks.grown(mask);
    this.#activeCount++;
    return undefined;
  }

  #commitSoon(): void {
    if (this.#isCommitting) return;
    this.#isCommitting = true;
    queueMicrotask(() => this.commit());
  }

  /** Everything that was put is in the kernel now, or refused. */
  commit(): void {
    this.#isCommitting = false;
    this.#lastActions = undefined;
    this.#gone.send();
    if (this.#batch.length === 0) return;
    for (const index of this.#batch.send()) {
      log.dbg(() => 'flow not taken');
      this.#refuse('map_full');
      const slot = this.#batched[index]!;
      this.#hide(slot);
      this.onLeft(this.#flows.ids[slot]!);
    }
    this.#batched.length = 0;
    this.#release();
  }

  #leave(slot: number): void {
    this.#deactivate(slot);
    this.onLeft(this.#flows.ids[slot]!);
  }

  /** The frames of a flow go to user space from now on. */
  #deactivate(slot: number): void {
    if (this.#batch.length > 0) this.commit();
    const { actions, masks, keys } = this.#flows;
    if (actions[slot] === undefined) return;
    this.#hide(slot);
    const { fd, keys: slab } = masks[slot]!;
    if (!this.#gone.fits(fd, slab.size)) this.#gone.send();
    this.#gone.add(fd, slab.bytes, keys[slot]!, slab.size);
    this.#commitSoon();
  }

  #hide(slot: number): void {
    const flows = this.#flows;
    this.#records.hide(flows.records[slot]!);
    this.#actions.give(flows.actions[slot]!);
    flows.actions[slot] = undefined;
    this.#activeCount--;
    flows.leave(slot);
  }

  /** User space has all flows of a mask from now on. */
  #leaveMask(mask: Mask): void {
    for (let slot = mask.flows.at(-1); slot !== undefined; slot = mask.flows.at(-1)) this.#leave(slot);
    this.commit();
  }

  /** Frames that the flows of a mask carried. */
  #hits({ flows }: Mask): number {
    let hits = 0;
    const { records } = this.#flows;
    for (const slot of flows) hits += this.#records.packets(records[slot]!);
    return hits;
  }

  /** Flows of which the running program can do all that they want need not wait any more. */
  #release(): void {
    const knows = ({ shape, children }: PooledActions): boolean =>
      (shape === undefined || this.#program.shapes.has(shape.number)) && children.every(knows);
    const { masks, actions } = this.#flows;
    // The flows of a batch are alike, mostly.
    let lastMask: Mask | undefined;
    let lastList: PooledActions | undefined;
    let isRunning = false;
    this.#holds.release((slot) => {
      const mask = masks[slot]!;
      const list = actions[slot];
      // Of a flow that user space has there is nothing to wait for.
      if (list === undefined) return true;
      if (mask === lastMask && list === lastList) return isRunning;
      lastMask = mask;
      lastList = list;
      isRunning = this.#program.masks.includes(mask) && knows(list);
      return isRunning;
    });
  }

  /** Does now what would be done soon. */
  reloadNow(): void {
    this.commit();
    if (this.#program.isDue) this.#program.now();
  }

  /** Puts a program for the present masks and shapes in the place of the running one, at once. */
  reload(): void {
    this.#program.now();
  }

  /** Whether the running program carries every flow that has been put so far, but those that are user space's. */
  get isSettled(): boolean {
    const { masks, shapes } = this.#program;
    for (const mask of this.#masks.values()) if (mask.flows.length > 0 && !masks.includes(mask)) return false;
    return this.#actions.areKnown(shapes);
  }

  /** Resolves when the running program knows all that has been put so far. */
  settled(): Promise<void> {
    this.commit();
    return this.#program.next();
  }

  #prepare(): ProgramParts {
    this.commit();
    this.#masks.dropEmpty();
    this.#actions.prune();
    return { masks: this.#masks.ordered(), shapes: new Set(this.#actions.shapes().map(({ number }) => number)) };
  }

  /** At regular times. */
  #measure(): void {
    if (this.#masks.size < 2) return;
    if (this.#masks.measure() || isWorthReordering(this.#program.masks.map(({ hits }) => hits))) this.#program.soon();
  }

  delete(id: number): void {
    const slot = this.#flows.slot(id);
    if (slot === NO_SLOT) return;
    this.#deactivate(slot);
    this.#forget(slot);
  }

  #forget(slot: number): void {
    const { masks, keys, records } = this.#flows;
    const mask = masks[slot]!;
    mask.keys.give(keys[slot]!);
    this.#records.give(records[slot]!, mask.hasPairs);
    this.#flows.delete(slot);
  }

  clear(): void {
    for (const id of this.#flows.ids.slice()) if (id !== NO_SLOT) this.delete(id);
  }

  /** The list of a flow that the kernel carries. */
  #listOf(id: number): PooledActions | undefined {
    const slot = this.#flows.slot(id);
    return slot === NO_SLOT ? undefined : this.#flows.actions[slot];
  }

  /** Whether copies of the flow's frames go to user space by its actions, or those of connections that the kernel does not carry. */
  isPartial(id: number): boolean {
    const isPartial = ({ shape, children }: PooledActions): boolean =>
      shape === undefined ||
      [...allSteps(shape.shape.steps)].some(({ op }) => op === 'userspace' || op === 'ct') ||
      children.some(isPartial);
    const actions = this.#listOf(id);
    return actions !== undefined && isPartial(actions);
  }

  /** Whether the kernel carries all of the flow's frames, as far as is known. */
  isWhole(id: number): boolean {
    const actions = this.#listOf(id);
    return actions !== undefined && isCarriedWhole(actions);
  }

  /** Whether the kernel carries the flow's frames. */
  has(id: number): boolean {
    this.commit();
    return this.#listOf(id) !== undefined;
  }

  packets(id: number): number {
    const flows = this.#flows;
    const slot = flows.slot(id);
    if (slot === NO_SLOT) return 0;
    if (flows.former.size > 0 && flows.former.has(slot)) return Number(this.stats(id)!.packets);
    return this.#records.packets(flows.records[slot]!);
  }

  stats(id: number): KernelFlowStats | undefined {
    const slot = this.#flows.slot(id);
    if (slot === NO_SLOT) return undefined;
    const stats = readCounters(this.#records.place(this.#flows.records[slot]!));
    for (const place of this.#flows.former.get(slot) ?? NONE) {
      const more = readCounters(place);
      stats.packets += more.packets;
      stats.bytes += more.bytes;
      if (more.usedNs > stats.usedNs) stats.usedNs = more.usedNs;
      stats.tcpFlags |= more.tcpFlags;
    }
    return stats;
  }

  /** What a predecessor's programs count at that place is this flow's; false when the kernel does not have the flow. */
  inherit(id: number, place: CounterPlace): boolean {
    const slot = this.#flows.slot(id);
    if (slot === NO_SLOT) return false;
    // Before it is free it has to be there.
    this.commit();
    const { former } = this.#flows;
    former.set(slot, [...(former.get(slot) ?? NONE), place]);
    this.#holds.free(slot);
    return true;
  }

  /** Predecessors' programs run no more: what they counted becomes ours. */
  absorbFormer(): void {
    const { former, records } = this.#flows;
    for (const [slot, places] of former) for (const place of places) addCounters(this.#records.place(records[slot]!), place);
    former.clear();
  }

  get maskCount(): number {
    return this.#masks.size;
  }

  /** Flows whose frames the kernel carries. */
  get activeCount(): number {
    return this.#activeCount;
  }

  get flowCount(): number {
    return this.#flows.size;
  }

  close(): void {
    this.commit();
    clearInterval(this.#reorder);
    this.#holds.close();
    this.#batch.close();
    this.#gone.close();
    this.#program.close();
    this.#records.close();
    for (const { fd, map } of this.#masks.values()) {
      closeObject(fd);
      this.#maps.delete(map);
    }
    this.#masks.clear();
    this.#flows.clear();
  }
}
