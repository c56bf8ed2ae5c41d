// Upcalls and revalidation: the megaflows of one datapath and how they are kept true.
//
// Upcall
// 1. The datapath port, and the outer header where it is a tunnel's, give the bridge and its port.
// 2. The key is translated; effects of the one frame are applied (a station is learned before the next frame comes).
// 3. The megaflow is installed unless the datapath holds its limit, and the frame is executed with the same actions.
//
// Revalidation
// 4. Whatever translation reads says `changed()` when it changes (a station that is learned does, if a translation asked for it in vain). A pass then translates every megaflow again, in slices, so that the main
//    thread is never held long: actions that differ are replaced; a mask that would now have to be narrower removes the flow.
// 5. Twice a second a pass runs anyhow: it moves counters from megaflows to rules and stations, and removes megaflows that carried nothing
//    for `maxIdleMs` (the sooner the fuller the datapath is).
// 6. Traffic between two passes counts for the rules that it was translated by.
//
// 7. Flows of a former process: `takeover.ts`.
import type { Clock } from '../base/clock.ts';
import { areSurelySame, type Datapath, type DpAction, type DpFlow, type FlowId, type Upcall } from '../datapath/datapath.ts';
import { type Key, newKey, W } from '../flow/key.ts';
import { packetMask } from '../flow/packet-mask.ts';
import { OFPP } from '../openflow/action.ts';
import { ControllerSends } from './control/send-store.ts';
import { DatapathPorts } from './datapath-ports.ts';
import { type Doing, MegaflowBook, NO_SLOT } from './megaflow-book.ts';
import type { SwitchPort } from './ports.ts';
import { isWithin, sameActions } from './sameness.ts';
import { MeterNumbers } from './tables/meter-table.ts';
import { inheritFlows } from './takeover.ts';
import { applyEffects } from './translate/effects.ts';
import { recycleTranslation, translate } from './translate/translate.ts';
import type { ControllerSend, Effect, Translation } from './translate/translation.ts';
import type { TunnelConfig } from './translate/tunnel-config.ts';
import type { NativeTunnels } from './underlay/native.ts';
import type { Underlay } from './underlay/underlay.ts';

const PASS_INTERVAL_MS = 500;
/** Work done before other events get their turn: the first frame of a new flow waits as long. */
const SLICE_MS = 1;
const SLICE_FLOWS = 64;
const FULL_IDLE_MS = 100;
/** A barrier brings megaflows up to date itself unless one has just done so: a stream of them does not pay for each. */
const CATCH_UP_MS = 20;
const MOST_CATCH_UP_MS = 4;
const MAX_HELD_BYTES = 8 << 20;

export interface PacketIn {
  send: ControllerSend;
  upcall: Upcall;
}

/** Where a tunnel's packets come in: 0 for GRE. */
const udpPortOf = ({ protocol, dstPort }: TunnelConfig): number => (protocol === 'gre' ? 0 : dstPort);

/** What a flow of the datapath does for a translation. */
const installed = ({ isSlow, actions }: Translation): readonly DpAction[] => (isSlow ? SLOW : actions);
const SLOW: readonly DpAction[] = [{ kind: 'userspace', cookie: { reason: 'slow_path', token: 0 } }];

export class Megaflows {
  readonly datapath: Datapath;
  readonly sends = new ControllerSends();
  readonly meterNumbers: MeterNumbers;
  /** 1. */
  readonly ports = new DatapathPorts();
  readonly #clock: Clock;
  /** Ours; their matches are the datapath's to keep. */
  readonly #flows = new MegaflowBook();
  /** The key of the flow being revalidated. */
  readonly #scratch = newKey();
  readonly #onPacketIn: (packetIn: PacketIn) => void;
  maxIdleMs = 10_000;
  flowLimit = 200_000;
  /** Flows match the whole frame. */
  isExact = false;
  /** Set where tunnel ports are told of there. */
  underlay: Underlay | undefined;
  /** Set where the datapath puts outer headers on itself. */
  native: NativeTunnels | undefined;
  /** How many flows there were at passes over them, and how long the last pass worked. */
  readonly passes = { average: 0, most: 0, passMs: 0 };
  #generation = 1;
  #timer: (() => void) | undefined;
  #timerAt = 0;
  /** The next slot of the pass under way. */
  #pass = NO_SLOT;
  #passGeneration = 0;
  #isClosed = false;
  #caughtUpAt = 0;
  #isPaused = false;
  #takeover: Promise<void> | undefined;
  /** Upcalls that came before the configuration stood, and the bytes of their frames; undefined when they are dealt with at once. */
  #held: Upcall[] | undefined;
  #heldBytes = 0;
  /** Of the megaflow installed last: those that come in numbers share them, which spares the collector most of what they are. */
  #lastDoing: Doing = { actions: [], effects: [] };

  constructor(datapath: Datapath, clock: Clock, onPacketIn: (packetIn: PacketIn) => void) {
    this.datapath = datapath;
    this.meterNumbers = new MeterNumbers(datapath);
    this.#clock = clock;
    this.#onPacketIn = onPacketIn;
    datapath.setUpcallSink((upcalls) => {
      for (const upcall of upcalls) {
        if (this.#held === undefined) this.#upcall(upcall);
        else this.#hold(upcall);
      }
    });
    this.#schedule(PASS_INTERVAL_MS);
  }

  get count(): number {
    return this.#flows.size;
  }

  /** A port of the datapath belongs to this port of a bridge. */
  portAttach(dpPort: number, port: SwitchPort): void {
    this.ports.attach(dpPort, port);
    if (port.tunnel !== undefined) this.underlay?.listen(udpPortOf(port.tunnel), port);
    this.changed();
  }

  portDetach(dpPort: number, port: SwitchPort): void {
    this.ports.detach(dpPort, port);
    if (port.tunnel !== undefined) this.underlay?.unlisten(udpPortOf(port.tunnel), port);
    // At once: the number may soon be another port's.
    const flows = this.#flows;
    for (let slot = 0; slot < flows.end; slot++) if (flows.ids[slot] !== 0 && flows.inPorts[slot] === dpPort) this.#remove(slot);
    this.changed();
  }

  portRenumbered(from: number, to: number): void {
    const port = this.ports.get(from);
    if (port === undefined) return;
    this.portDetach(from, port);
    port.dpPort = to;
    this.portAttach(to, port);
  }

  #translate(key: Key, nowMs: number): Translation | undefined {
    const recircId = key[W.RECIRC_ID]!;
    if (recircId !== 0) {
      // The frame comes back: what it was in the middle of says bridge, port and metadata. Without that it is dropped.
      const frozen = this.sends.recirculations.get(recircId);
      if (frozen === undefined) return undefined;
      // So is one that a controller sent with a port that is not there. Of a frame that came in by a port the flows may have changed it.
      const inPort = frozen.key[W.IN_PORT]!;
      const isNobodys = inPort === OFPP.CONTROLLER || inPort === OFPP.NONE;
      if (!isNobodys && !frozen.bridge.ports.has(inPort) && this.ports.ingress(key) === undefined) return undefined;
      return translate({ bridge: frozen.bridge, key, frozen, nowMs, sends: this.sends, isTunnelled: frozen.isTunnelled });
    }
    const ingress = this.ports.ingress(key);
    if (ingress === undefined) return undefined;
    const dpPort = key[W.IN_PORT]!;
    key[W.IN_PORT] = ingress.port.port;
    try {
      return translate({ bridge: ingress.port.bridge, key, nowMs, sends: this.sends, isTunnelled: ingress.isTunnelled });
    } finally {
      key[W.IN_PORT] = dpPort;
    }
  }

  #upcall(upcall: Upcall): void {
    if (upcall.kind === 'action' && upcall.cookie?.reason === 'slow_path') {
      // Its flow counts what it does; this is the doing.
      const slow = this.#translate(upcall.key, this.#clock.now());
      if (slow !== undefined && slow.actions.length > 0) this.datapath.execute(upcall.frame, upcall.key, slow.actions, upcall.offload);
      return;
    }
    if (upcall.kind === 'action') {
      const send = upcall.cookie === undefined ? undefined : this.sends.get(upcall.cookie.token);
      if (send !== undefined) this.#onPacketIn({ send, upcall });
      return;
    }
    const now = this.#clock.now();
    const generation = this.#generation;
    const translation = this.#translate(upcall.key, now);
    // A frame of a port that no bridge has (any more) is dropped, and nothing is installed.
    if (translation === undefined) return;
    // 2.
    if (applyEffects(translation.effects, 1, upcall.frame.length, now, upcall.key[W.TOS]! & 0xfff)) this.changed();
    // 3.
    this.#install(upcall.key, translation, now, generation);
    if (translation.actions.length > 0) this.datapath.execute(upcall.frame, upcall.key, translation.actions, upcall.offload);
    recycleTranslation(translation);
  }

  /**
   * `generation` is what the translation saw. `packets` and `bytes` are what it carried in a former process; the rules are not credited with
   * them.
   */
  #install(key: Key, translation: Translation, now: number, generation: number, packets = 0, bytes = 0): FlowId | undefined {
    const doing = this.#doing(translation);
    const { actions } = doing;
    const mask = this.isExact ? packetMask(key) : translation.mask;
    const before = this.datapath.flowFind(key, mask);
    const flows = this.#flows;
    const known = before === undefined ? NO_SLOT : flows.slot(before);
    if (before !== undefined && known !== NO_SLOT) {
      // The frame was on its way while another of its flow came first.
      this.datapath.flowToUserspace?.(before);
      this.#settle(known, now);
      this.#redo(known, doing);
      return undefined;
    }
    if (flows.size >= this.flowLimit) return undefined;
    const id = this.datapath.flowPut(key, mask, actions, key);
    const inPort = (key[W.IN_PORT]! & mask[W.IN_PORT]!) >>> 0;
    const recircId = (key[W.RECIRC_ID]! & mask[W.RECIRC_ID]!) >>> 0;
    flows.add(id, inPort, recircId, doing, packets, bytes, now, generation);
    return id;
  }

  /** What a flow does for a translation; the same for many. */
  #doing(translation: Translation): Doing {
    const last = this.#lastDoing;
    const actions = installed(translation);
    const isSameList = areSurelySame(last.actions, actions);
    const isSameBook = areSameLookups(last.effects, translation.effects);
    if (isSameList && isSameBook) return last;
    this.#lastDoing = { actions: isSameList ? last.actions : actions, effects: isSameBook ? last.effects : translation.effects };
    return this.#lastDoing;
  }

  /** A flow does this from now on. */
  #redo(slot: number, doing: Doing): void {
    const flows = this.#flows;
    const before = flows.doings[slot]!;
    if (before === doing) return;
    const isSame = sameActions(before.actions, doing.actions);
    flows.doings[slot] = isSame ? { actions: before.actions, effects: doing.effects } : doing;
    if (!isSame) this.datapath.flowModify(flows.ids[slot]!, doing.actions);
  }

  /** Moves the counters of a megaflow to what it was translated by. */
  #settle(slot: number, now: number): void {
    const flows = this.#flows;
    const id = flows.ids[slot]!;
    if (this.datapath.flowPackets(id) <= flows.packets[slot]!) return;
    const stats = this.datapath.flowStats(id);
    if (stats === undefined) return;
    const packets = Number(stats.packets);
    const bytes = Number(stats.bytes);
    const newPackets = packets - flows.packets[slot]!;
    if (newPackets <= 0) return;
    const newBytes = bytes - flows.bytes[slot]!;
    // The frame path's clock is the same one, but may be a tick ahead.
    const usedMs = stats.usedMs > flows.usedMs[slot]! && stats.usedMs <= now ? stats.usedMs : now;
    if (applyEffects(flows.doings[slot]!.effects, newPackets, newBytes, usedMs, stats.tcpFlags)) this.changed();
    flows.packets[slot] = packets;
    flows.bytes[slot] = bytes;
    flows.usedMs[slot] = usedMs;
  }

  #remove(slot: number): void {
    this.#settle(slot, this.#clock.now());
    this.datapath.flowDelete(this.#flows.ids[slot]!);
    this.#flows.delete(slot);
  }

  /** A flow is gone from the datapath without our doing. */
  forget(id: FlowId): void {
    const slot = this.#flows.slot(id);
    if (slot !== NO_SLOT) this.#remove(slot);
  }

  /** 4. Something that translation reads has changed. */
  changed(): void {
    this.#generation++;
    this.ports.forgetMisses();
    this.#schedule(0);
  }

  /** Whether every megaflow says what translation says now, or nothing is to be done about it. */
  get #isTrue(): boolean {
    if (this.#isPaused || this.#isClosed) return true;
    return this.#pass === NO_SLOT && this.#passGeneration === this.#generation;
  }

  /** Megaflows stay as they are until it is taken back. */
  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (isPaused) this.#timer?.();
    this.#timer = undefined;
    this.#schedule(0);
  }

  /** Revalidates for a short while, if it has not just been done. */
  catchUp(): void {
    const now = performance.now();
    if (this.#isTrue || now - this.#caughtUpAt < CATCH_UP_MS) return;
    while (!this.#isTrue && performance.now() - now < MOST_CATCH_UP_MS) this.#slice();
    this.#caughtUpAt = performance.now();
  }

  /** Resolves when frames meet all that has changed so far, or after `limitMs` of work. */
  async caughtUp(limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    while (!this.#isTrue && performance.now() < end) {
      this.#slice();
      await new Promise(setImmediate);
    }
    await this.datapath.flowBarrier?.();
  }

  /** Brings the counters of rules up to date. */
  settleAll(): void {
    const now = this.#clock.now();
    const { ids } = this.#flows;
    for (let slot = 0; slot < this.#flows.end; slot++) if (ids[slot] !== 0) this.#settle(slot, now);
  }

  #schedule(ms: number): void {
    if (this.#isClosed || this.#isPaused) return;
    const at = this.#clock.now() + ms;
    if (this.#timer !== undefined) {
      if (this.#timerAt <= at) return;
      this.#timer();
    }
    this.#timerAt = at;
    this.#timer = this.#clock.after(ms, () => {
      this.#timer = undefined;
      this.#slice();
    });
  }

  /** 5. One slice of a pass. */
  #slice(): void {
    const start = performance.now();
    const now = this.#clock.now();
    const flows = this.#flows;
    if (this.#pass === NO_SLOT) {
      const { passes } = this;
      passes.average = (passes.average + flows.size) >> 1;
      passes.most = Math.max(passes.most, flows.size);
      passes.passMs = 0;
      this.#pass = 0;
      this.#passGeneration = this.#generation;
    }
    const maxIdle = flows.size >= this.flowLimit ? FULL_IDLE_MS : this.maxIdleMs;
    for (let n = 1; ; n++) {
      while (this.#pass < flows.end && flows.ids[this.#pass] === 0) this.#pass++;
      if (this.#pass >= flows.end) {
        this.#pass = NO_SLOT;
        this.passes.passMs += performance.now() - start;
        this.underlay?.neighbors.sweep();
        this.#sweepRecirculations(now);
        this.#schedule(this.#generation !== this.#passGeneration ? 0 : PASS_INTERVAL_MS);
        return;
      }
      this.#revalidate(this.#pass++, now, maxIdle);
      if (n % SLICE_FLOWS === 0 && performance.now() - start > SLICE_MS) break;
    }
    this.passes.passMs += performance.now() - start;
    this.#schedule(0);
  }

  /** Recirculation ids that no megaflow puts out or matches are forgotten after a while. */
  #sweepRecirculations(now: number): void {
    const { recirculations } = this.sends;
    if (recirculations.size === 0) return;
    const live = new Set<number>();
    const { doings, recircIds } = this.#flows;
    for (const [slot, doing] of doings.entries()) {
      if (doing === undefined) continue;
      for (const effect of doing.effects) if (effect.kind === 'recirc') live.add(effect.id);
      if (recircIds[slot] !== 0) live.add(recircIds[slot]!);
    }
    recirculations.sweep((id) => live.has(id), now);
  }

  #revalidate(slot: number, now: number, maxIdle: number): void {
    const flows = this.#flows;
    this.#settle(slot, now);
    if (now - flows.usedMs[slot]! > maxIdle) {
      this.#remove(slot);
      return;
    }
    if (flows.generations[slot] === this.#generation) return;
    const generation = this.#generation;
    const id = flows.ids[slot]!;
    this.datapath.flowKey(id, this.#scratch);
    const mask = this.datapath.flowMask(id);
    const translation = mask === undefined ? undefined : this.#translate(this.#scratch, now);
    const isTrue = mask !== undefined && translation !== undefined && isWithin(translation.mask, mask);
    if (translation !== undefined) recycleTranslation(translation);
    if (!isTrue) {
      this.#remove(slot);
      return;
    }
    this.#redo(slot, this.#doing(translation));
    flows.generations[slot] = generation;
  }

  /** Revalidates everything at once: for tests and commands, not for traffic. */
  revalidateNow(): void {
    const now = this.#clock.now();
    const { ids } = this.#flows;
    for (let slot = 0; slot < this.#flows.end; slot++) if (ids[slot] !== 0) this.#revalidate(slot, now, this.maxIdleMs);
  }

  /** Forgets all megaflows. */
  flush(): void {
    for (let slot = 0; slot < this.#flows.end; slot++) if (this.#flows.ids[slot] !== 0) this.#remove(slot);
  }

  /** The megaflows with their counters, for dpctl. */
  *dump(): Generator<{ flow: DpFlow; port: SwitchPort | undefined }> {
    for (const flow of this.datapath.flows()) yield { flow, port: this.ports.ingress(flow.key)?.port };
  }

  /** With `keep` the datapath's flows stay as they are. */
  close(keep = false): void {
    this.#isClosed = true;
    this.#timer?.();
    this.#timer = undefined;
    if (!keep) this.flush();
  }

  /** Upcalls wait for `takeOver`; beyond a limit they are dropped. */
  hold(): void {
    if (this.#takeover === undefined) this.#held ??= [];
  }

  #hold(upcall: Upcall): void {
    this.#heldBytes += upcall.frame.length;
    if (this.#heldBytes > MAX_HELD_BYTES) return;
    this.#held?.push({ ...upcall, frame: upcall.frame.slice(), key: upcall.key.slice(), offload: { ...upcall.offload } });
  }

  /** 7. The first configuration stands. */
  takeOver(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const upcall of held) this.#upcall(upcall);
    this.#takeover ??= inheritFlows(this.datapath, {
      now: () => this.#clock.now(),
      isClosed: () => this.#isClosed,
      maxIdleMs: this.maxIdleMs,
      translate: (key) => this.#translate(key, this.#clock.now()),
      changed: () => this.changed(),
      install: (key, translation, stats) =>
        this.#install(key, translation, stats.usedMs, this.#generation, Number(stats.packets), Number(stats.bytes)),
    });
  }
}

/** Whether two lists are surely the same: they count for the same rules, and nothing else. */
function areSameLookups(a: readonly Effect[], b: readonly Effect[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    const x = a[i]!;
    const y = b[i]!;
    if (x.kind !== 'lookup' || y.kind !== 'lookup' || x.table !== y.table || x.rule !== y.rule) return false;
  }
  return true;
}
