// The devices that the program is attached to, and what it counted at them.
//
// Taking over from a predecessor, whose programs go on forwarding meanwhile:
// 1. Maps of a new generation are made; the ring of frames for user space is the predecessor's.
// 2. A port that is added finds its device's link there and keeps the program that runs; its number is the former one where that is free.
// 3. `takeOver`: the flows have been put anew. Each link's program is exchanged in one step; links that no port claimed go.
// 4. When no processor can be in a former program any more, what it counted is added to the new counters, and its maps go.
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { type Attachment, attachAtOnce, attachProgram, type Hook } from '../../bpf/attachment.ts';
import { loadGate } from '../../bpf/gate.ts';
import { closeObject, createMap, deleteElement, updateElement } from '../../bpf/kernel.ts';
import { W } from '../../flow/key.ts';
import type { TunnelProtocol } from '../../wire/tunnel-headers.ts';
import type { DpOffload, DpPort } from '../datapath.ts';
import type { OutputDevice } from './compiler/action-shape.ts';
import { fixedMaps, PORT_VALUE, RING_SIZE } from './compiler/map-layout.ts';
import { Former, type FormerFlow } from './former.ts';
import { KernelFlows } from './kernel-flows.ts';
import { KernelMeters } from './kernel-meters.ts';
import type { FormerPlaces } from './pin-folder.ts';
import { isShared, type PinStore } from './pin-store.ts';
import { keepPlace, type Place, PlaceSettler, settlePlace } from './place-settler.ts';
import { addToPort, addToTotals, clearPort, type KernelPortCounters, le32, readPort, readTotals, readTunnel } from './port-counters.ts';
import { Underlay } from './underlay.ts';

const log = logger('dpif_ebpf');
/** After which no processor is in a program that was exchanged. */
const SETTLE_MS = 100;

interface Attached extends Place {
  port: DpPort;
  device: OutputDevice;
  /** A predecessor's program runs there. */
  isFormer: boolean;
  /** The gate stands there. */
  isGated: boolean;
}

export class KernelDatapath {
  readonly flows: KernelFlows;
  readonly meters: KernelMeters;
  readonly ringFd: number;
  readonly pendingFd: number;
  readonly metersFd: number;
  readonly connectionsFd: number;
  readonly #maps = new Map<string, number>();
  readonly #ports = new Map<DpPort, Attached>();
  readonly #byDevice = new Map<number, Attached>();
  readonly #underlay: Underlay;
  readonly #tunnels = new Map<DpPort, OutputDevice>();
  readonly #store: PinStore | undefined;
  readonly #places: FormerPlaces | undefined;
  /** Predecessors' programs hand frames to nobody, so they end as soon as we come upon them. */
  readonly #replacesAtOnce: boolean;
  /** Where nothing is pinned: what stands at devices in the place of the running program, and leads to it. */
  readonly #gate: number | undefined;
  readonly #settler = new PlaceSettler<Attached>((attached, link) => this.#settle(attached, link));
  #former: Former[] = [];
  #settling: NodeJS.Timeout | undefined;
  #hasTakenOver = false;
  #hasLink = false;

  /** With a store, everything outlives the process; `places` are those of predecessors. Throws KernelError where the kernel does not allow it. */
  constructor(store?: PinStore, places: FormerPlaces | undefined = store) {
    this.#store = store;
    this.#places = places;
    try {
      for (const [name, fd] of store?.shared() ?? []) this.#maps.set(name, fd);
      for (const spec of fixedMaps(RING_SIZE)) if (!this.#maps.has(spec.name)) this.#maps.set(spec.name, createMap(spec));
      this.#replacesAtOnce = store?.hasFormerRing !== true;
      if (store === undefined) this.#gate = loadGate(this.#maps.get('programs')!);
      this.#underlay = new Underlay(
        this.#maps,
        (ifindex) => this.#byDevice.get(ifindex)?.hook === 'ingress',
        store,
        places,
        this.#replacesAtOnce,
      );
      this.meters = new KernelMeters(this.#maps.get('meters')!);
      this.flows = new KernelFlows(
        this.#maps,
        (port) => this.#ports.get(port)?.device ?? this.#tunnels.get(port),
        (port) => this.#tunnels.has(port),
        (program) => {
          for (const { link, isFormer, isGated } of this.#ports.values()) if (!isFormer && !isGated) replaceProgram(link, program);
        },
        store,
        (meter) => this.meters.place(meter),
      );
      for (const [name, fd] of this.#maps) if (!isShared(name)) store?.pinMap(fd, name);
    } catch (error) {
      for (const fd of this.#maps.values()) closeObject(fd);
      throw error;
    }
    this.ringFd = this.#maps.get('ring')!;
    this.pendingFd = this.#maps.get('pending')!;
    this.connectionsFd = this.#maps.get('connections')!;
    this.metersFd = this.#maps.get('meters')!;
    for (const generation of store?.former() ?? []) {
      try {
        const former = Former.open(generation);
        if (former !== undefined) this.#former.push(former);
      } catch (error) {
        log.warn(`${generation.dir}: its flows cannot be taken over: ${errorText(error)}`);
      }
    }
  }

  /** Takes a device's frames: those that come in, or for an internal port those that the host sends. */
  attach(port: DpPort, ifindex: number, isInternal: boolean): void {
    const hook: Hook = isInternal ? 'egress' : 'ingress';
    const value = new Uint8Array(PORT_VALUE.size);
    value.set(le32(port), PORT_VALUE.port);
    updateElement(this.#maps.get('ports')!, le32(ifindex), value);
    clearPort(this.#maps, port);
    try {
      const device: OutputDevice = { ifindex, flags: isInternal ? 1 : 0 };
      this.#underlay.refreshSoon();
      const former = this.#places?.openAttachment(ifindex, hook);
      const link = former ?? this.#attachNew(ifindex, hook);
      if (former !== undefined && this.#replacesAtOnce) replaceProgram(former, this.flows.program);
      const isFormer = former !== undefined && !this.#replacesAtOnce;
      const attached = { port, link, ifindex, hook, device, isFormer, isGated: former === undefined && this.#gate !== undefined };
      this.#ports.set(port, attached);
      this.#byDevice.set(ifindex, attached);
      this.#setDetour();
      keepPlace(this.#store, attached, this.flows.program, port, former === undefined);
      this.#settleLater(attached);
    } catch (error) {
      this.#forget(port);
      deleteElement(this.#maps.get('ports')!, le32(ifindex));
      throw error;
    }
  }

  /** The first begins as a link, by whose pin others see whether our namespace still is. */
  #attachNew(ifindex: number, hook: Hook): Attachment {
    const isFirst = this.#store !== undefined && !this.#hasLink;
    const link = (isFirst ? attachProgram : attachAtOnce)(this.#gate ?? this.flows.program, ifindex, hook);
    this.#hasLink = true;
    return link;
  }

  /** What cannot be pinned stays a filter, of our own or of a predecessor's, for the next to find it. */
  #settleLater(attached: Attached): void {
    if (this.#store !== undefined && attached.link.kind === 'clsact' && !attached.isFormer) this.#settler.add(attached);
  }

  /** A link takes the place of a port's filter; false when the port has gone meanwhile, or cannot be had yet. */
  #settle(attached: Attached, link: Attachment): boolean {
    if (this.#store === undefined || this.#ports.get(attached.port) !== attached || attached.isFormer) return false;
    return settlePlace(this.#store, attached, link, this.flows.program, attached.port);
  }

  #forget(port: DpPort): void {
    const attached = this.#ports.get(port);
    this.#ports.delete(port);
    if (attached !== undefined && this.#byDevice.get(attached.ifindex) === attached) this.#byDevice.delete(attached.ifindex);
  }

  /** Copies of frames make their detours by way of an internal port. */
  #setDetour(): void {
    let ifindex = 0;
    for (const one of this.#ports.values()) {
      if (one.hook !== 'egress' || one.isFormer) continue;
      ifindex = one.ifindex;
      break;
    }
    updateElement(this.#maps.get('detour')!, le32(0), Uint8Array.from([...le32(ifindex), 0, 0, 0, 0]));
  }

  /** Takes a tunnel's packets off the devices that they come in at, and sends through it. */
  addTunnel(port: DpPort, protocol: TunnelProtocol, udpPort: number): void {
    clearPort(this.#maps, port);
    this.#tunnels.set(port, { outer: (tunnel) => this.#underlay.outers.take(protocol, udpPort, tunnel) });
    this.flows.setTunnels(true);
    this.#underlay.add(port, protocol, udpPort);
  }

  #removeTunnel(port: DpPort): void {
    this.#underlay.remove(port);
    addToTotals(this.#maps, { punted: [], dropped: 0n, past: readTunnel(this.#maps, port).received, wrapFailed: 0n, metered: 0n });
    this.#tunnels.delete(port);
  }

  detach(port: DpPort): void {
    if (this.#tunnels.has(port)) this.#removeTunnel(port);
    const attached = this.#ports.get(port);
    if (attached === undefined) return;
    const { link, ifindex, hook } = attached;
    // Before its program goes: without one, copies of frames would come out of the device.
    this.#forget(port);
    this.#settler.delete(attached);
    this.#setDetour();
    link.detach(this.#store?.putAside(ifindex, hook));
    addToTotals(this.#maps, { punted: [], dropped: 0n, past: readPort(this.#maps, port, ifindex).rxPackets, wrapFailed: 0n, metered: 0n });
    deleteElement(this.#maps.get('ports')!, le32(ifindex));
    this.#underlay.refreshSoon();
  }

  /** What the program counted at a tunnel port, without the frames that user space got; undefined when it is none. */
  tunnelCounters(port: DpPort): KernelPortCounters | undefined {
    return this.#tunnels.has(port) ? readTunnel(this.#maps, port).counters : undefined;
  }

  /** The number that a predecessor gave to a device. */
  formerPort(ifindex: number): DpPort | undefined {
    return this.#hasTakenOver ? undefined : this.#places?.formerPort(ifindex);
  }

  /** Whether a predecessor gave this number to a device, which may still come. */
  isFormerPort(port: DpPort): boolean {
    return !this.#hasTakenOver && this.#places?.isFormerPort(port) === true;
  }

  /** The flows that predecessors left, under the present port numbers; those of devices that are no port now are left out. */
  *formerFlows(): Generator<FormerFlow> {
    for (const former of this.#former) {
      const numbers = new Map<DpPort, DpPort>();
      for (const [port, { ifindex }] of this.#ports) {
        const before = former.ports.get(ifindex);
        if (before !== undefined) numbers.set(before, port);
      }
      for (const flow of former.flows()) {
        const port = numbers.get(flow.key[W.IN_PORT]!);
        if (port === undefined) continue;
        flow.key[W.IN_PORT] = port;
        yield flow;
      }
    }
  }

  /** Puts our program in the place of predecessors', and ends them. */
  takeOver(): void {
    if (this.#places === undefined) return;
    this.flows.reloadNow();
    for (const attached of this.#ports.values()) {
      if (attached.isFormer) replaceProgram(attached.link, this.flows.program);
      attached.isFormer = false;
      this.#settleLater(attached);
    }
    this.#setDetour();
    const kept = [...this.#ports.values(), ...this.#underlay.takeOver()];
    attempt('programs of a former daemon may be left at devices', () => this.#places?.keepAttachments(kept));
    this.#settling = setTimeout(() => this.#endFormer(), SETTLE_MS);
  }

  #endFormer(): void {
    this.#settling = undefined;
    this.#hasTakenOver = true;
    this.flows.absorbFormer();
    for (const former of this.#former) {
      const totals = former.totals();
      for (const ifindex of former.ports.keys()) {
        const counters = former.port(ifindex);
        const port = this.#byDevice.get(ifindex)?.port;
        if (counters === undefined) continue;
        if (port !== undefined) addToPort(this.#maps, port, counters);
        else totals.past += counters.rxPackets;
      }
      addToTotals(this.#maps, totals);
      former.close();
    }
    this.#former = [];
    attempt('maps of a former daemon are left', () => this.#store?.removeFormer());
  }

  /** What was counted at a port; undefined when it is not in the kernel. */
  counters(port: DpPort): KernelPortCounters | undefined {
    const attached = this.#ports.get(port);
    if (attached === undefined) return undefined;
    const { ifindex } = attached;
    const sum = readPort(this.#maps, port, ifindex);
    for (const former of this.#former) {
      const more = former.port(ifindex);
      if (more !== undefined) for (const name of Object.keys(sum) as (keyof KernelPortCounters)[]) sum[name] += more[name];
    }
    return sum;
  }

  /** Frames that a flow in the kernel took, that it dropped and why, that the ring had no room for, and that went to user space by reason. */
  totals(): { hits: bigint; dropped: bigint; wrapFailed: bigint; metered: bigint; lost: bigint; punted: DpOffload['punted'] } {
    const totals = readTotals(this.#maps);
    let received = totals.past;
    let lost = 0n;
    for (const port of this.#ports.keys()) {
      const counters = this.counters(port);
      received += counters?.rxPackets ?? 0n;
      lost += counters?.lost ?? 0n;
    }
    for (const port of this.#tunnels.keys()) received += readTunnel(this.#maps, port).received;
    for (const former of this.#former) {
      const more = former.totals();
      received += more.past;
      totals.dropped += more.dropped;
      totals.wrapFailed += more.wrapFailed;
      totals.metered += more.metered;
      for (const [i, count] of more.punted.entries()) totals.punted[i]! += count;
    }
    const [order = 0n, miss = 0n, unusual = 0n, actions = 0n] = totals.punted;
    const hits = received - order - miss - unusual - actions;
    const { dropped, wrapFailed, metered } = totals;
    return { hits: hits < 0n ? 0n : hits, dropped, wrapFailed, metered, lost, punted: { order, miss, unusual, actions } };
  }

  /** Ends our part. With `keep` everything goes on without us; the descriptors of the ring and of its shares belong to whoever reads it. */
  close(keep = false): void {
    this.#settler.close();
    if (this.#settling !== undefined) {
      clearTimeout(this.#settling);
      this.#endFormer();
    }
    const isKept = keep && this.#store !== undefined;
    if (!isKept) for (const port of [...this.#ports.keys(), ...this.#tunnels.keys()]) this.detach(port);
    this.#underlay.close(isKept);
    for (const { link } of this.#ports.values()) link.close();
    this.#ports.clear();
    this.flows.close();
    this.meters.close();
    closeObject(this.#gate ?? -1);
    for (const former of this.#former) former.close();
    for (const [name, fd] of this.#maps) if (!isShared(name)) closeObject(fd);
    this.#maps.clear();
    if (!isKept) attempt('programs may be left at devices', () => this.#places?.remove());
  }
}

/** What goes wrong with pinned objects is no reason to stop forwarding. */
function attempt(consequence: string, body: () => void): void {
  try {
    body();
  } catch (error) {
    log.warn(`${consequence}: ${errorText(error)}`);
  }
}

function replaceProgram(link: Attachment, program: number): void {
  try {
    link.replace(program);
  } catch (error) {
    log.err(`a port keeps its former program: ${errorText(error)}`);
  }
}
