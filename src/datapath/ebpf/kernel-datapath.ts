// The devices that the program is attached to, and what it counted at them.
import { errorText, KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { ATTACH, attachTcx, closeObject, createMap, deleteElement, lookupElement, updateElement, updateLink } from '../../bpf/kernel.ts';
import type { TunnelProtocol } from '../../wire/tunnel-headers.ts';
import type { DpPort } from '../datapath.ts';
import type { OutputDevice } from './action-shape.ts';
import { KernelFlows } from './kernel-flows.ts';
import { fixedMaps, PORT_VALUE, TOTALS_VALUE, TX_VALUE } from './map-layout.ts';
import { Underlay } from './underlay.ts';

const log = logger('dpif_ebpf');
const ENOLINK = 67;

interface Attached {
  link: number;
  ifindex: number;
  isInternal: boolean;
  device: OutputDevice;
}

/** What the program counted at a port. */
export interface KernelPortCounters {
  rxPackets: bigint;
  rxBytes: bigint;
  txPackets: bigint;
  txBytes: bigint;
  lost: bigint;
}

const le32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

/** Ring of frames for user space. */
export const RING_SIZE = 1 << 23;

export class KernelDatapath {
  readonly flows: KernelFlows;
  readonly ringFd: number;
  readonly pendingFd: number;
  readonly #maps = new Map<string, number>();
  readonly #ports = new Map<DpPort, Attached>();
  readonly #underlay: Underlay;
  readonly #tunnels = new Map<DpPort, OutputDevice>();
  /** Of ports that are no more. */
  #pastPackets = 0n;

  /** Throws KernelError where the kernel does not allow it. */
  constructor() {
    try {
      for (const spec of fixedMaps(RING_SIZE)) this.#maps.set(spec.name, createMap(spec));
      this.#underlay = new Underlay(this.#maps, (ifindex) =>
        [...this.#ports.values()].some((one) => one.ifindex === ifindex && !one.isInternal),
      );
      this.flows = new KernelFlows(
        this.#maps,
        (port) => this.#ports.get(port)?.device ?? this.#tunnels.get(port),
        (port) => this.#tunnels.has(port),
        (program) => {
          for (const { link } of this.#ports.values()) replaceProgram(link, program);
        },
      );
    } catch (error) {
      for (const fd of this.#maps.values()) closeObject(fd);
      throw error;
    }
    this.ringFd = this.#maps.get('ring')!;
    this.pendingFd = this.#maps.get('pending')!;
  }

  /** Takes a device's frames: those that come in, or for an internal port those that the host sends. */
  attach(port: DpPort, ifindex: number, isInternal: boolean): void {
    const value = new Uint8Array(PORT_VALUE.size);
    value.set(le32(port), PORT_VALUE.port);
    updateElement(this.#maps.get('ports')!, le32(ifindex), value);
    updateElement(this.#maps.get('tx')!, le32(port), new Uint8Array(TX_VALUE.size));
    try {
      const link = attachTcx(this.flows.program, ifindex, isInternal ? ATTACH.tcxEgress : ATTACH.tcxIngress);
      this.#ports.set(port, { link, ifindex, isInternal, device: { ifindex, flags: isInternal ? 1 : 0 } });
      this.#underlay.refreshSoon();
    } catch (error) {
      deleteElement(this.#maps.get('ports')!, le32(ifindex));
      throw error;
    }
  }

  /** Takes a tunnel's packets off the devices that they come in at, and sends through it. */
  addTunnel(port: DpPort, protocol: TunnelProtocol, udpPort: number): void {
    updateElement(this.#maps.get('tx')!, le32(port), new Uint8Array(TX_VALUE.size));
    this.#tunnels.set(port, { outer: (tunnel) => this.#underlay.outers.take(protocol, udpPort, tunnel) });
    this.flows.setTunnels(true);
    this.#underlay.add(port, protocol, udpPort);
  }

  detach(port: DpPort): void {
    if (this.#tunnels.has(port)) {
      this.#underlay.remove(port);
      this.#pastPackets += this.#tunnelReceived(port);
      this.#tunnels.delete(port);
      return;
    }
    const attached = this.#ports.get(port);
    if (attached === undefined) return;
    closeObject(attached.link);
    this.#pastPackets += this.counters(port)?.rxPackets ?? 0n;
    deleteElement(this.#maps.get('ports')!, le32(attached.ifindex));
    this.#ports.delete(port);
    this.#underlay.refreshSoon();
  }

  #tunnelReceived(port: DpPort): bigint {
    const value = new Uint8Array(TX_VALUE.size);
    lookupElement(this.#maps.get('tx')!, le32(port), value);
    return new DataView(value.buffer).getBigUint64(TX_VALUE.rxPackets, true);
  }

  /** What the program counted at a tunnel port, without the frames that user space got; undefined when it is none. */
  tunnelCounters(port: DpPort): KernelPortCounters | undefined {
    if (!this.#tunnels.has(port)) return undefined;
    const value = new Uint8Array(TX_VALUE.size);
    lookupElement(this.#maps.get('tx')!, le32(port), value);
    const at = (offset: number): bigint => new DataView(value.buffer).getBigUint64(offset, true);
    return {
      rxPackets: at(TX_VALUE.rxPackets) - at(TX_VALUE.rxPunted),
      rxBytes: at(TX_VALUE.rxBytes) - at(TX_VALUE.rxPuntedBytes),
      lost: 0n,
      txPackets: at(TX_VALUE.packets),
      txBytes: at(TX_VALUE.bytes),
    };
  }

  /** What the program counted at a port; undefined when it is not in the kernel. */
  counters(port: DpPort): KernelPortCounters | undefined {
    const attached = this.#ports.get(port);
    if (attached === undefined) return undefined;
    const rx = new Uint8Array(PORT_VALUE.size);
    const tx = new Uint8Array(TX_VALUE.size);
    if (!lookupElement(this.#maps.get('ports')!, le32(attached.ifindex), rx)) return undefined;
    lookupElement(this.#maps.get('tx')!, le32(port), tx);
    const rxView = new DataView(rx.buffer);
    const txView = new DataView(tx.buffer);
    return {
      rxPackets: rxView.getBigUint64(PORT_VALUE.rxPackets, true),
      rxBytes: rxView.getBigUint64(PORT_VALUE.rxBytes, true),
      lost: rxView.getBigUint64(PORT_VALUE.lost, true),
      txPackets: txView.getBigUint64(TX_VALUE.packets, true),
      txBytes: txView.getBigUint64(TX_VALUE.bytes, true),
    };
  }

  /** Frames that a flow in the kernel took, that it dropped for want of actions, that the ring had no room for, and that went to user space by reason. */
  totals(): {
    hits: bigint;
    dropped: bigint;
    wrapFailed: bigint;
    lost: bigint;
    punted: { miss: bigint; unusual: bigint; actions: bigint };
  } {
    const value = new Uint8Array(TOTALS_VALUE.size);
    lookupElement(this.#maps.get('totals')!, le32(0), value);
    const view = new DataView(value.buffer);
    const punts = (reason: number): bigint => view.getBigUint64(TOTALS_VALUE.punted + reason * 8, true);
    const punted = { miss: punts(1), unusual: punts(2), actions: punts(3) };
    let received = this.#pastPackets;
    let lost = 0n;
    for (const port of this.#ports.keys()) {
      const counters = this.counters(port);
      received += counters?.rxPackets ?? 0n;
      lost += counters?.lost ?? 0n;
    }
    for (const port of this.#tunnels.keys()) received += this.#tunnelReceived(port);
    const hits = received - punted.miss - punted.unusual - punted.actions;
    const dropped = view.getBigUint64(TOTALS_VALUE.dropped, true);
    const wrapFailed = view.getBigUint64(TOTALS_VALUE.wrapFailed, true);
    return { hits: hits < 0n ? 0n : hits, dropped, wrapFailed, lost, punted };
  }

  /** Detaches and forgets. The descriptors of the ring and of its shares belong to whoever reads it. */
  close(): void {
    for (const port of [...this.#ports.keys(), ...this.#tunnels.keys()]) this.detach(port);
    this.#underlay.close();
    this.flows.close();
    for (const [name, fd] of this.#maps) if (name !== 'ring' && name !== 'pending') closeObject(fd);
    this.#maps.clear();
  }
}

/** A link whose device vanished takes no program, and needs none. */
function replaceProgram(link: number, program: number): void {
  try {
    updateLink(link, program);
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== ENOLINK) log.err(`a port keeps its former program: ${errorText(error)}`);
  }
}
