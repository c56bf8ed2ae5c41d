// The `system` datapath: user space complete, and the kernel's program in front of it at every port that is a kernel device.
//
// A flow goes to both, unless a miss brings it and the kernel carries it whole (decision 012). Frames that the program cannot deal with come
// up through the ring buffer and are user space's as if they had been received there; what user space sends leaves through the same devices.
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { Assembler } from '../../bpf/instructions.ts';
import { loadProgram } from '../../bpf/kernel.ts';
import { closeFd } from '../../host/ffi.ts';
import { changeInterfaceFlags, interfaceHardware, interfaceIndex, interfaceName } from '../../host/interface-request.ts';
import { SharedSendSocket } from '../../netdev/send-socket.ts';
import type {
  Datapath,
  DpAction,
  DpFlowStats,
  DpInheritedFlow,
  DpMeter,
  DpMeterStats,
  DpOffload,
  DpPort,
  DpPortCounters,
  DpPortSpec,
  FlowId,
} from '../datapath.ts';
import type { OpenedDevice } from '../userspace/attach.ts';
import type { PackedMatch } from '../userspace/flow-registry.ts';
import { NetdevDatapath, openNetdevDatapath } from '../userspace/netdev.ts';
import { MAX_PORTS, RING_PORT } from '../userspace/shared-state.ts';
import { METERS_SIZE, RING_SIZE } from './compiler/map-layout.ts';
import { type CounterPlace, type KernelFlowStats, readCounters } from './flow-counters.ts';
import { KernelDatapath } from './kernel-datapath.ts';
import { MeterUsers } from './meter-users.ts';
import { openPinStore } from './pin-store.ts';

const log = logger('dpif_ebpf');
const IFF_PROMISC = 0x100;
const ARPHRD_ETHER = 1;
const LIST_END_MS = 2000;

/** An internal port's device, and whether it is in our namespace, where the program finds it. */
interface InternalDevice {
  readonly device: string;
  readonly ifindex: number;
  isHere: boolean;
  /** What was counted before it went or came last, less what is counted by the present way. */
  before: PassedFrames;
}

type PassedFrames = Pick<DpPortCounters, 'rxPackets' | 'rxBytes' | 'txPackets' | 'txBytes'>;

const NOTHING: PassedFrames = { rxPackets: 0n, rxBytes: 0n, txPackets: 0n, txBytes: 0n };

const together = (a: PassedFrames, b: PassedFrames, sign = 1n): PassedFrames => ({
  rxPackets: a.rxPackets + sign * b.rxPackets,
  rxBytes: a.rxBytes + sign * b.rxBytes,
  txPackets: a.txPackets + sign * b.txPackets,
  txBytes: a.txBytes + sign * b.txBytes,
});

/** A predecessor's flow, with the place where its programs count. */
interface InheritedFlow extends DpInheritedFlow {
  counters: CounterPlace;
}

export class SystemDatapath extends NetdevDatapath {
  readonly #kernel: KernelDatapath;
  readonly #ringReady: Promise<void>;
  readonly #meterUsers = new MeterUsers();
  readonly #sendSocket = new SharedSendSocket();
  /** Devices that it keeps promiscuous. */
  readonly #senders = new Map<DpPort, number>();
  /** Devices made promiscuous. */
  readonly #promiscuous = new Map<DpPort, { device: string; ifindex: number }>();
  /** Those that went away so, to another namespace perhaps, from where they may come back. */
  readonly #leftPromiscuous = new Set<string>();
  readonly #internals = new Map<DpPort, InternalDevice>();
  /** performance.now() of the kernel's monotonic clock at 0. */
  readonly #clockOffsetMs = performance.now() - Number(process.hrtime.bigint() / 1000n) / 1000;

  constructor(kernel: KernelDatapath, keepDevices: boolean) {
    super('system', 'ovs-system', keepDevices);
    this.#kernel = kernel;
    this.#ringReady = this.attach(RING_PORT, {
      kind: 'ring',
      fd: kernel.ringFd,
      size: RING_SIZE,
      pendingFd: kernel.pendingFd,
      ports: MAX_PORTS,
    });
    this.shareMeters(kernel.metersFd, METERS_SIZE);
    this.shareConnections(kernel.connectionsFd);
    kernel.flows.onList = (token, actions) => this.#list(token, actions);
    kernel.flows.onLeft = (id) => this.flowToUserspace(id);
    this.#ringReady.catch((error: unknown) => log.err(`the ring of the kernel's frames cannot be read: ${errorText(error)}`));
  }

  /** Frames with a list that is no more may still be on their way. */
  #list(token: number, actions: readonly DpAction[] | undefined): void {
    if (actions !== undefined) this.commandNow({ op: 'listPut', token, actions });
    else setTimeout(() => this.command({ op: 'listDelete', token }), LIST_END_MS).unref();
  }

  protected override async openPort(port: DpPort, spec: DpPortSpec): Promise<void> {
    await this.#ringReady;
    await super.openPort(port, spec);
  }

  protected override openDevice(port: DpPort, spec: DpPortSpec): OpenedDevice {
    if (spec.kind === 'internal') {
      const device = super.openDevice(port, spec);
      if (device.kind === 'tap') {
        this.#attach(port, spec.device, device.ifindex, true);
        this.#internals.set(port, { device: spec.device, ifindex: device.ifindex, isHere: true, before: NOTHING });
      }
      return device;
    }
    if (spec.kind === 'system') {
      this.refuseDevice(spec.device);
      const device = this.#sendSocket.open(spec.device);
      if (this.#attach(port, spec.device, device.ifindex, false)) {
        this.#makePromiscuous(port, spec.device, device.ifindex);
        this.#senders.set(port, device.ifindex);
        return device;
      }
      this.#sendSocket.leave(device.ifindex);
    }
    if (spec.kind === 'tunnel') {
      const device = super.openDevice(port, spec);
      try {
        this.#kernel.addTunnel(port, spec.protocol, spec.dstPort);
      } catch (error) {
        this.#kernel.detach(port);
        log.warn(`${spec.device}: packets of this tunnel go through user space: ${errorText(error)}`);
      }
      return device;
    }
    return super.openDevice(port, spec);
  }

  /** As the kernel's own Open vSwitch: Ethernet devices only, and not the loopback. */
  protected override refuseDevice(device: string): void {
    const hardware = interfaceHardware(device);
    if (hardware !== undefined && hardware !== ARPHRD_ETHER) this.refused(device);
  }

  #attach(port: DpPort, device: string, ifindex: number, isInternal: boolean): boolean {
    try {
      this.#kernel.attach(port, ifindex, isInternal);
      return true;
    } catch (error) {
      log.warn(`${device}: frames of this port go through user space, because its program could not be attached: ${errorText(error)}`);
      return false;
    }
  }

  /**
   * A program finds no device of another namespace, and from there none of ours: while an internal port is away, user space carries its frames, by
   * the descriptor it holds. A number that is back under another name is another device.
   */
  devicesMoved(): boolean {
    let isChanged = false;
    for (const [port, internal] of this.#internals) {
      const name = interfaceName(internal.ifindex);
      const isHere = internal.isHere ? name !== undefined : name === internal.device;
      if (isHere === internal.isHere) continue;
      const counted = this.portCounters(port) ?? NOTHING;
      if (isHere) this.#attach(port, internal.device, internal.ifindex, true);
      else this.#kernel.detach(port);
      internal.isHere = isHere;
      internal.before = NOTHING;
      internal.before = together(counted, this.portCounters(port) ?? NOTHING, -1n);
      isChanged = true;
    }
    return isChanged;
  }

  /** By flag, not by a socket's membership alone: frames for other stations must come in while no daemon runs, too. */
  #makePromiscuous(port: DpPort, device: string, ifindex: number): void {
    try {
      const before = changeInterfaceFlags(device, IFF_PROMISC, 0);
      const isOurs = (before & IFF_PROMISC) === 0 || this.#kernel.formerPort(ifindex) !== undefined || this.#leftPromiscuous.has(device);
      if (isOurs) this.#promiscuous.set(port, { device, ifindex });
      this.#leftPromiscuous.delete(device);
    } catch (error) {
      log.dbg(() => `${device} is promiscuous only while this daemon runs: ${errorText(error)}`);
    }
  }

  #endPromiscuous(port: DpPort): void {
    const made = this.#promiscuous.get(port);
    if (made === undefined) return;
    this.#promiscuous.delete(port);
    const name = interfaceName(made.ifindex);
    if (name === undefined) this.#leftPromiscuous.add(made.device);
    try {
      if (name !== undefined) changeInterfaceFlags(name, 0, IFF_PROMISC);
    } catch {
      // The device is on its way out.
    }
  }

  protected override async closePort(port: DpPort): Promise<void> {
    this.#kernel.detach(port);
    this.#internals.delete(port);
    this.#endPromiscuous(port);
    const sender = this.#senders.get(port);
    if (sender !== undefined) this.#sendSocket.leave(sender);
    this.#senders.delete(port);
    await super.closePort(port);
  }

  override setVlanLimit(limit: number): void {
    super.setVlanLimit(limit);
    this.#kernel.flows.setVlanLimit(limit);
  }

  protected override flowBooked(id: FlowId, match: PackedMatch, actions: readonly DpAction[]): boolean {
    this.#meterUsers.put(id, actions);
    return this.#kernel.flows.putPacked(id, match, actions) === undefined && this.#kernel.flows.isWhole(id);
  }

  protected override flowsPut(): void {
    this.#kernel.flows.commit();
    const { activeCount, isSettled } = this.#kernel.flows;
    this.upcalls.allInKernel = isSettled && activeCount === this.flowCount();
  }

  protected override meterPlace(meter: number, config: DpMeter): number {
    const before = this.#kernel.meters.place(meter);
    const place = this.#kernel.meters.set(meter, config);
    if (place !== before) this.#putAgain(meter);
    return place ?? -1;
  }

  override meterDelete(meter: number): void {
    super.meterDelete(meter);
    if (this.#kernel.meters.delete(meter)) this.#putAgain(meter);
  }

  override meterStats(meter: number): DpMeterStats | undefined {
    return this.#kernel.meters.stats(meter) ?? super.meterStats(meter);
  }

  /** Flows that name a meter, once the kernel runs it or does so no more. */
  #putAgain(meter: number): void {
    for (const id of this.#meterUsers.of(meter)) {
      const match = this.flowMatch(id);
      if (match !== undefined) this.#kernel.flows.putPacked(id, match, this.flowActions(id)!);
    }
  }

  protected override flowReplaced(id: FlowId): void {
    this.#meterUsers.delete(id);
    this.#kernel.flows.delete(id);
  }

  override flowModify(id: FlowId, actions: readonly DpAction[]): void {
    super.flowModify(id, actions);
    this.#meterUsers.put(id, actions);
    const match = this.flowMatch(id);
    if (match !== undefined) this.#kernel.flows.putPacked(id, match, actions);
  }

  override async flowBarrier(): Promise<void> {
    await this.#kernel.flows.settled();
    await super.flowBarrier();
  }

  override flowDelete(id: FlowId): void {
    this.#meterUsers.delete(id);
    this.#kernel.flows.delete(id);
    super.flowDelete(id);
  }

  override flowFlush(): void {
    this.#meterUsers.clear();
    this.#kernel.flows.clear();
    super.flowFlush();
  }

  override flowStats(id: FlowId): DpFlowStats | undefined {
    const user = super.flowStats(id);
    const counted = this.#kernel.flows.stats(id);
    if (user === undefined || counted === undefined || counted.packets === 0n) return user;
    const kernel = this.#toStats(counted);
    return {
      packets: user.packets + kernel.packets,
      bytes: user.bytes + kernel.bytes,
      usedMs: Math.max(user.usedMs, kernel.usedMs),
      tcpFlags: user.tcpFlags | kernel.tcpFlags,
    };
  }

  override flowPackets(id: FlowId): number {
    return super.flowPackets(id) + this.#kernel.flows.packets(id);
  }

  override portCounters(port: DpPort): DpPortCounters | undefined {
    const counters = this.#presentCounters(port);
    const before = this.#internals.get(port)?.before ?? NOTHING;
    return counters === undefined || before === NOTHING ? counters : { ...counters, ...together(counters, before) };
  }

  #presentCounters(port: DpPort): DpPortCounters | undefined {
    const user = super.portCounters(port);
    const tunnel = this.#kernel.tunnelCounters(port);
    if (user !== undefined && tunnel !== undefined) {
      return {
        ...user,
        rxPackets: user.rxPackets + tunnel.rxPackets,
        rxBytes: user.rxBytes + tunnel.rxBytes,
        txPackets: user.txPackets + tunnel.txPackets,
        txBytes: user.txBytes + tunnel.txBytes,
      };
    }
    const kernel = this.#kernel.counters(port);
    if (user === undefined || kernel === undefined) return user;
    // Frames that came up through the ring were counted below already.
    return {
      ...user,
      rxPackets: kernel.rxPackets,
      rxBytes: kernel.rxBytes,
      rxDropped: user.rxDropped + kernel.lost,
      txPackets: user.txPackets + kernel.txPackets,
      txBytes: user.txBytes + kernel.txBytes,
    };
  }

  override drops(): ReadonlyMap<string, bigint> {
    const drops = new Map(super.drops());
    const { dropped, lost, wrapFailed, metered } = this.#kernel.totals();
    if (metered > 0n) drops.set('meter', (drops.get('meter') ?? 0n) + metered);
    if (wrapFailed > 0n) drops.set('tunnel_header', (drops.get('tunnel_header') ?? 0n) + wrapFailed);
    if (dropped > 0n) drops.set('action_drop', (drops.get('action_drop') ?? 0n) + dropped);
    if (lost > 0n) drops.set('ring_full', lost);
    return drops;
  }

  override lookupStats() {
    const user = super.lookupStats();
    const { hits, lost } = this.#kernel.totals();
    return { ...user, hit: user.hit + hits, lost: user.lost + lost };
  }

  offload(): DpOffload {
    return {
      isOffloaded: (id) => this.#kernel.flows.has(id),
      isPartial: (id) => this.#kernel.flows.isPartial(id),
      flows: this.#kernel.flows.flowCount,
      masks: this.#kernel.flows.maskCount,
      programs: this.#kernel.flows.programCount,
      punted: this.#kernel.totals().punted,
      refused: this.#kernel.flows.refused,
    };
  }

  /** A device keeps its number from process to process, so that inherited flows and queued frames mean the same port. */
  protected override preferredPort(spec: DpPortSpec): DpPort | undefined {
    return spec.kind === 'tunnel' ? undefined : this.#kernel.formerPort(interfaceIndex(spec.device));
  }

  protected override isReserved(port: DpPort): boolean {
    return this.#kernel.isFormerPort(port);
  }

  *inheritedFlows(): Generator<InheritedFlow> {
    for (const { key, counters } of this.#kernel.formerFlows()) yield { key, counters, stats: this.#toStats(readCounters(counters)) };
  }

  flowInherit(id: FlowId, former: DpInheritedFlow): void {
    const { counters } = former as InheritedFlow;
    this.#kernel.flows.inherit(id, counters);
  }

  takeOver(): void {
    this.#kernel.takeOver();
  }

  #toStats({ packets, bytes, usedNs, tcpFlags }: KernelFlowStats): DpFlowStats {
    return { packets, bytes, usedMs: usedNs === 0n ? 0 : Number(usedNs / 1000n) / 1000 + this.#clockOffsetMs, tcpFlags };
  }

  override async close(keep = false): Promise<void> {
    // The frame path takes maps by their descriptors, and may only be about to.
    await super.flowBarrier();
    this.#kernel.close(keep);
    await super.close();
    this.#sendSocket.close();
  }
}

/** With pinned maps where they can be pinned. Where we cannot, predecessors' programs make room for ours all the same. */
function openKernel(runDirectory: string | undefined): KernelDatapath {
  if (runDirectory === undefined) return new KernelDatapath();
  const { store, stranded } = openPinStore(runDirectory);
  if (store === undefined) return new KernelDatapath(undefined, stranded);
  try {
    return new KernelDatapath(store);
  } catch (error) {
    const kernel = new KernelDatapath(undefined, store);
    log.info(`programs end with this daemon: they cannot be pinned: ${errorText(error)}`);
    try {
      store.removeMaps();
    } catch (fault) {
      log.warn(`${store.dir} cannot be cleared: ${errorText(fault)}`);
    }
    return kernel;
  }
}

/**
 * Opens the `system` datapath: in the kernel where it is allowed, otherwise in user space, with one line that says why. With a run directory,
 * programs outlive the process, and are found again by that directory's name.
 */
export function openSystemDatapath(keepDevices = false, runDirectory?: string): Datapath {
  let kernel: KernelDatapath;
  try {
    if (process.env['WEFT_EBPF'] === 'no') throw new Error('WEFT_EBPF=no');
    // Before anything is said of where programs would be kept.
    closeFd(loadProgram(new Assembler().mov(0, 0).exit().finish(), new Map(), 'weft_probe'));
    kernel = openKernel(runDirectory);
  } catch (error) {
    log.info(`system datapath: frames are forwarded in user space, because the kernel refuses eBPF: ${errorText(error)}`);
    return openNetdevDatapath('system', keepDevices);
  }
  log.info('system datapath: flow tables are compiled to eBPF');
  return new SystemDatapath(kernel, keepDevices);
}
