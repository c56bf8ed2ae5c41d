// The control plane's half of the user-space datapath, the same over dummy ports and over a worker: it keeps the books of ports and flows,
// reads the shared counters, and sends commands. What differs is how a port is opened and where commands go.
import { type Key, W } from '../../flow/key.ts';
import type {
  Datapath,
  DpAction,
  DpFlow,
  DpFlowStats,
  DpMeter,
  DpMeterStats,
  DpPort,
  DpPortCounters,
  DpPortInfo,
  DpPortSpec,
  FlowId,
  FrameOffload,
  Upcall,
} from '../datapath.ts';
import { MAX_FLOWS, NO_OFFLOAD, slotOf } from '../datapath.ts';
import type { Command } from './command.ts';
import type { CtAnswer, CtRequestMessage } from './conntrack/request.ts';
import { FlowRegistry, type PackedMatch } from './flow-registry.ts';
import { DROP_REASONS, MAX_BANDS, MAX_METERS, MAX_PORTS, METER, PORT, type SharedState, STAT } from './shared-state.ts';
import type { UpcallQueue } from './upcall-queue.ts';

/** What a batch costs besides is shared by so many; it takes a millisecond or two. */
const UPCALL_BATCH = 256;

export abstract class UserspaceControl implements Datapath {
  readonly type: string;
  readonly name: string;
  protected readonly state: SharedState;
  protected readonly upcalls: UpcallQueue;
  readonly #flows: FlowRegistry;
  /** Meters with how many bands each has. */
  readonly #meters = new Map<number, number>();
  readonly #ports = new Map<DpPort, DpPortInfo & { users: number }>();
  /** All numbers below are taken. */
  #firstFree = 1;
  #sink: ((upcalls: Upcall[]) => void) | undefined;
  #isSinking = false;
  /** By slot, 1: a flow that the frame path has been spared. */
  readonly #spared = new Uint8Array(MAX_FLOWS);

  constructor(type: string, name: string, state: SharedState, upcalls: UpcallQueue) {
    this.type = type;
    this.name = name;
    this.state = state;
    this.upcalls = upcalls;
    this.#flows = new FlowRegistry(state);
  }

  /** Sends a command to the frame path, behind all earlier ones. */
  protected abstract command(command: Command): void;
  /** Asks the frame path's connection tracker. */
  abstract conntrack(request: CtRequestMessage): Promise<CtAnswer>;
  /** Opens the device and gives it to the frame path under that number. */
  protected abstract openPort(port: DpPort, spec: DpPortSpec): Promise<void>;
  protected abstract closePort(port: DpPort): Promise<void>;
  /** The number that a port would best have, if it is free. */
  protected preferredPort(_spec: DpPortSpec): DpPort | undefined {
    return undefined;
  }
  /** A number that is better left to a port which may still come. */
  protected isReserved(_port: DpPort): boolean {
    return false;
  }
  abstract close(keep?: boolean): Promise<void>;

  async portAdd(spec: DpPortSpec, wanted?: DpPort): Promise<DpPort> {
    if (spec.kind === 'tunnel') {
      // Tunnels of one protocol and port number share a socket, and so a port.
      for (const info of this.#ports.values()) {
        if (info.spec.kind !== 'tunnel' || spec.protocol !== info.spec.protocol || spec.dstPort !== info.spec.dstPort) continue;
        info.users++;
        return info.port;
      }
    }
    // Port 0 is the datapath's own in Open vSwitch's numbering.
    let port = wanted ?? this.preferredPort(spec);
    if (port === undefined || this.#ports.has(port)) {
      while (this.#ports.has(this.#firstFree)) this.#firstFree++;
      port = this.#firstFree;
      while (this.#ports.has(port) || this.isReserved(port)) port++;
    }
    if (port >= MAX_PORTS && spec.kind !== 'tunnel') throw new Error(`the datapath has no more than ${MAX_PORTS} ports`);
    const info = { port, name: spec.device, spec, users: 1 };
    this.#ports.set(port, info);
    try {
      await this.openPort(port, spec);
    } catch (error) {
      this.#forget(port);
      throw error;
    }
    return port;
  }

  async portDelete(port: DpPort): Promise<void> {
    const info = this.#ports.get(port);
    if (info === undefined || --info.users > 0) return;
    await this.closePort(port);
    this.#forget(port);
  }

  #forget(port: DpPort): void {
    this.#ports.delete(port);
    this.#firstFree = Math.min(this.#firstFree, port);
  }

  protected portInfo(port: DpPort): DpPortInfo | undefined {
    return this.#ports.get(port);
  }

  /** A port goes by another, free number from now on. */
  protected renumberPort(from: DpPort, to: DpPort): void {
    const info = this.#ports.get(from);
    if (info === undefined) return;
    this.#forget(from);
    info.port = to;
    this.#ports.set(to, info);
  }

  ports(): Iterable<DpPortInfo> {
    return this.#ports.values();
  }

  portCount(): number {
    return this.#ports.size;
  }

  portCounters(port: DpPort): DpPortCounters | undefined {
    if (!this.#ports.has(port)) return undefined;
    const at = (i: number): bigint => (port < MAX_PORTS ? BigInt(this.state.ports[port * PORT.SIZE + i]!) : 0n);
    return {
      rxPackets: at(PORT.rxPackets),
      rxBytes: at(PORT.rxBytes),
      txPackets: at(PORT.txPackets),
      txBytes: at(PORT.txBytes),
      rxErrors: at(PORT.rxErrors),
      txErrors: at(PORT.txErrors),
      rxDropped: at(PORT.rxDropped),
      txDropped: at(PORT.txDropped),
    };
  }

  flowPut(key: Key, mask: Key, actions: readonly DpAction[], sample?: Key): FlowId {
    const booked = this.#flows.put(key, mask, actions, sample);
    const { id, slot, replaced, indices, masks, words } = booked;
    if (replaced !== undefined) this.flowReplaced(replaced);
    const isCarried = this.flowBooked(id, booked, actions);
    // Most flows that a miss brings are carried elsewhere to their end.
    const isSpared = isCarried && this.#isSinking && replaced === undefined && key[W.RECIRC_ID] === 0;
    this.#spared[slot] = isSpared ? 1 : 0;
    if (!isSpared) this.command({ op: 'flowPut', slot, id, indices, masks, words, actions });
    return id;
  }

  flowToUserspace(id: FlowId): void {
    const slot = slotOf(id);
    if (this.#spared[slot] === 0) return;
    const match = this.#flows.match(id);
    if (match === undefined) return;
    this.#spared[slot] = 0;
    this.command({ op: 'flowPut', slot, id, ...match, actions: this.#flows.actions(id)! });
  }

  /** A flow has been put; its match holds until this returns. Tells whether its frames do not come to the frame path, as far as is known. */
  protected flowBooked(_id: FlowId, _match: PackedMatch, _actions: readonly DpAction[]): boolean {
    return false;
  }

  /** The flows that a batch of upcalls brought have all been put. */
  protected flowsPut(): void {}

  /** A flow has given its match to another. */
  protected flowReplaced(_id: FlowId): void {}

  flowModify(id: FlowId, actions: readonly DpAction[]): void {
    const slot = this.#flows.modify(id, actions);
    if (slot !== undefined && this.#spared[slot] === 0) this.command({ op: 'flowModify', slot, actions });
  }

  flowDelete(id: FlowId): void {
    const slot = this.#flows.delete(id);
    if (slot !== undefined && this.#spared[slot] === 0) this.command({ op: 'flowDelete', slot });
  }

  flowFlush(): void {
    this.#flows.clear();
    this.#spared.fill(0);
    this.command({ op: 'flowFlush' });
  }

  flows(): Iterable<DpFlow> {
    return this.#flows.flows();
  }

  flowFind(key: Key, mask: Key): FlowId | undefined {
    return this.#flows.find(key, mask);
  }

  flowKey(id: FlowId, key: Key): void {
    this.#flows.writeKey(id, key);
  }

  flowMask(id: FlowId): Key | undefined {
    return this.#flows.maskOf(id);
  }

  /** The match of an installed flow, and what it does. */
  protected flowMatch(id: FlowId): PackedMatch | undefined {
    return this.#flows.match(id);
  }

  protected flowActions(id: FlowId): readonly DpAction[] | undefined {
    return this.#flows.actions(id);
  }

  flowCount(): number {
    return this.#flows.size;
  }

  flowStats(id: FlowId): DpFlowStats | undefined {
    return this.#flows.stats(id);
  }

  flowPackets(id: FlowId): number {
    // A spared flow's counters are none that need be fetched from memory.
    return this.#spared[slotOf(id)] === 1 ? 0 : this.#flows.packets(id);
  }

  readonly maxMeters = MAX_METERS;
  readonly maxBands = MAX_BANDS;

  meterSet(meter: number, config: DpMeter): void {
    this.#meters.set(meter, config.bands.length);
    this.command({ op: 'meterSet', meter, config, place: this.meterPlace(meter, config) });
  }

  /** Where a meter's bucket is in the memory shared with the kernel, -1 = none. */
  protected meterPlace(_meter: number, _config: DpMeter): number {
    return -1;
  }

  meterDelete(meter: number): void {
    if (this.#meters.delete(meter)) this.command({ op: 'meterDelete', meter });
  }

  meterStats(meter: number): DpMeterStats | undefined {
    const bands = this.#meters.get(meter);
    if (bands === undefined) return undefined;
    const at = (i: number): bigint => BigInt(this.state.meters[meter * METER.SIZE + i]!);
    return {
      packets: at(METER.packets),
      bytes: at(METER.bytes),
      bands: Array.from({ length: bands }, (_, i) => ({ packets: at(METER.bands + 2 * i), bytes: at(METER.bands + 2 * i + 1) })),
    };
  }

  execute(frame: Uint8Array, key: Key, actions: readonly DpAction[], offload: FrameOffload = NO_OFFLOAD): void {
    this.command({ op: 'execute', frame, key, actions, offload });
  }

  setUpcallSink(sink: (upcalls: Upcall[]) => void): void {
    this.#sink = sink;
  }

  /** Delivers one batch of upcalls; tells whether more wait. */
  protected deliverUpcalls(): boolean {
    const batch = this.upcalls.drain(UPCALL_BATCH);
    if (batch.length > 0) {
      const { read } = this.upcalls;
      this.#isSinking = true;
      try {
        this.#sink?.(batch);
      } finally {
        this.#isSinking = false;
      }
      this.flowsPut();
      // Behind all that the sink commanded.
      this.command({ op: 'upcallsDone', position: read });
    }
    return !this.upcalls.isEmpty;
  }

  drops(): ReadonlyMap<string, bigint> {
    return new Map(DROP_REASONS.map((reason, i) => [reason as string, BigInt(this.state.drops[i]!)] as const).filter(([, n]) => n > 0n));
  }

  lookupStats() {
    const { stats } = this.state;
    return {
      hit: BigInt(stats[STAT.hit]!),
      missed: BigInt(stats[STAT.missed]!),
      lost: BigInt(stats[STAT.lost]!),
      masks: this.#flows.maskCount,
    };
  }
}
