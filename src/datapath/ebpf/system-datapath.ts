// The `system` datapath: user space complete, and the kernel's program in front of it at every port that is a kernel device.
//
// A flow goes to both. Frames that the program cannot deal with come up through the ring buffer and are user space's as if they had been
// received there; what user space sends leaves through the same devices.
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { Key } from '../../flow/key.ts';
import { openSendSocket } from '../../netdev/send-socket.ts';
import type { Datapath, DpAction, DpFlowStats, DpPort, DpPortCounters, DpPortSpec, FlowId } from '../datapath.ts';
import type { OpenedDevice } from '../userspace/attach.ts';
import { NetdevDatapath, openNetdevDatapath } from '../userspace/netdev.ts';
import { KernelFlows } from './kernel-flows.ts';

const log = logger('dpif_ebpf');
/** Port number under which the ring is attached; ports of frames count from 1. */
const RING_PORT = 0;

export class SystemDatapath extends NetdevDatapath {
  readonly #kernel: KernelFlows;
  readonly #ringReady: Promise<void>;
  /** performance.now() of the kernel's monotonic clock at 0. */
  readonly #clockOffsetMs = performance.now() - Number(process.hrtime.bigint() / 1000n) / 1000;

  constructor(kernel: KernelFlows) {
    super('system', 'ovs-system');
    this.#kernel = kernel;
    this.#ringReady = this.attach(RING_PORT, { kind: 'ring', fd: kernel.ringFd, size: kernel.ringSize });
    this.#ringReady.catch((error: unknown) => log.err(`the ring of the kernel's frames cannot be read: ${errorText(error)}`));
  }

  protected override async openPort(port: DpPort, spec: DpPortSpec): Promise<void> {
    await this.#ringReady;
    await super.openPort(port, spec);
  }

  protected override openDevice(port: DpPort, spec: DpPortSpec): OpenedDevice {
    if (spec.kind !== 'system' && spec.kind !== 'internal') return super.openDevice(port, spec);
    const device = spec.kind === 'system' ? openSendSocket(spec.device) : super.openDevice(port, spec);
    if (device.kind === 'sender' || device.kind === 'tap') this.#kernel.attach(port, device.ifindex, device.kind === 'tap');
    return device;
  }

  protected override async closePort(port: DpPort): Promise<void> {
    this.#kernel.detach(port);
    await super.closePort(port);
  }

  override flowPut(key: Key, mask: Key, actions: readonly DpAction[]): FlowId {
    const id = super.flowPut(key, mask, actions);
    this.#kernel.put(id, key, mask, actions);
    return id;
  }

  override flowModify(id: FlowId, actions: readonly DpAction[]): void {
    super.flowModify(id, actions);
    const flow = this.flow(id);
    if (flow !== undefined) this.#kernel.put(id, flow.key, flow.mask, actions);
  }

  override flowDelete(id: FlowId): void {
    this.#kernel.delete(id);
    super.flowDelete(id);
  }

  override flowFlush(): void {
    this.#kernel.clear();
    super.flowFlush();
  }

  override flowStats(id: FlowId): DpFlowStats | undefined {
    const user = super.flowStats(id);
    const kernel = this.#kernel.stats(id);
    if (user === undefined || kernel === undefined || kernel.packets === 0n) return user;
    return {
      packets: user.packets + kernel.packets,
      bytes: user.bytes + kernel.bytes,
      usedMs: Math.max(user.usedMs, Number(kernel.usedNs / 1000n) / 1000 + this.#clockOffsetMs),
      tcpFlags: user.tcpFlags | kernel.tcpFlags,
    };
  }

  override portCounters(port: DpPort): DpPortCounters | undefined {
    const user = super.portCounters(port);
    const kernel = this.#kernel.portCounters(port);
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

  override lookupStats() {
    const user = super.lookupStats();
    return { ...user, hit: user.hit + this.#kernel.hits() };
  }

  /** `yes` when the kernel carries the flow's frames, otherwise `no`. */
  offloaded(id: FlowId): 'yes' | 'no' {
    return this.#kernel.has(id) ? 'yes' : 'no';
  }

  /** Why flows stayed in user space, and how many of each. */
  get refused(): ReadonlyMap<string, number> {
    return this.#kernel.refused;
  }

  override async close(): Promise<void> {
    this.#kernel.close();
    await super.close();
  }
}

/** Opens the `system` datapath: in the kernel where it is allowed, otherwise in user space, with one line that says why. */
export function openSystemDatapath(): Datapath {
  let kernel: KernelFlows;
  try {
    kernel = new KernelFlows();
  } catch (error) {
    log.info(`system datapath: frames are forwarded in user space, because the kernel refuses eBPF: ${errorText(error)}`);
    return openNetdevDatapath('system');
  }
  log.info('system datapath: flow tables are compiled to eBPF');
  return new SystemDatapath(kernel);
}
