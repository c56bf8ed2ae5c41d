// The flows that the kernel has: maps, program and links, kept in step with the control plane's flows.
//
//   1. A flow is taken if its key is one the program can read and its actions have a shape; otherwise it is user space's, with a reason.
//   2. Under a known mask and shape it is one map update. A new mask or shape makes a new program, loaded once for all that came in the
//      same moment, which replaces the running one at every port in place.
//   3. Until the new program runs, the frames concerned reach user space, which has every flow: nothing is lost meanwhile.
//   4. Counters are read from the maps into an array when they are older than STATS_AGE_MS, so that a sweep over all flows reads each map once.
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import {
  ATTACH,
  attachTcx,
  closeObject,
  createMap,
  deleteElement,
  loadProgram,
  lookupElement,
  MAP_TYPE,
  updateElement,
  updateLink,
} from '../../bpf/kernel.ts';
import { type Key, W } from '../../flow/key.ts';
import type { DpAction, DpPort } from '../datapath.ts';
import { packMatch } from '../userspace/flow-table.ts';
import { FLOW_VALUE, TX_VALUE } from './action-program.ts';
import { type OutputDevice, type Shape, shapeActions } from './action-shape.ts';
import { EXTRACTED_WORDS } from './extract-program.ts';
import { compileProgram, MAX_MASKS, MAX_SHAPES, type MaskSpec, PORT_VALUE } from './program.ts';

const log = logger('dpif_ebpf');
const MAX_FLOWS_PER_MASK = 1 << 17;
const MAX_PORTS = 1024;
const NO_PREALLOCATION = 1;
const RELOAD_MS = 2;

export interface KernelFlowStats {
  packets: bigint;
  bytes: bigint;
  usedNs: bigint;
  tcpFlags: number;
}

interface Mask extends MaskSpec {
  fd: number;
  flows: number;
}

interface Installed {
  mask: Mask;
  key: Uint8Array;
}

interface Attached {
  link: number;
  ifindex: number;
  device: OutputDevice;
}

const le32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

export class KernelFlows {
  readonly ringSize: number;
  readonly ringFd: number;
  readonly #fds = new Map<string, number>();
  readonly #ports = new Map<DpPort, Attached>();
  readonly #masks = new Map<string, Mask>();
  readonly #shapes = new Map<string, { number: number; shape: Shape }>();
  readonly #flows = new Map<number, Installed>();
  /** Why flows are not in the kernel: reason -> how many times. */
  readonly refused = new Map<string, number>();
  #program: number;
  #nextMap = 0;
  #reload: NodeJS.Timeout | undefined;
  readonly #value = new Uint8Array(FLOW_VALUE.size);

  /** Throws KernelError where the kernel does not allow it. */
  constructor(ringSize = 1 << 23) {
    this.ringSize = ringSize;
    this.#create('ports', MAP_TYPE.hash, 4, PORT_VALUE.size, MAX_PORTS);
    this.#create('tx', MAP_TYPE.array, 4, TX_VALUE.size, MAX_PORTS);
    this.#create('hits', MAP_TYPE.array, 4, 8, 1);
    this.ringFd = this.#create('ring', MAP_TYPE.ringBuffer, 0, 0, ringSize);
    this.#program = this.#load();
  }

  #create(name: string, type: number, keySize: number, valueSize: number, maxEntries: number, flags = 0): number {
    const fd = createMap({ name, type, keySize, valueSize, maxEntries, flags });
    this.#fds.set(name, fd);
    return fd;
  }

  #load(): number {
    const shapes = [...this.#shapes.values()].sort((a, b) => a.number - b.number).map((s) => s.shape);
    const started = performance.now();
    const program = compileProgram({ masks: [...this.#masks.values()], shapes });
    const fd = loadProgram(program, this.#fds, 'weft_datapath');
    log.dbg(
      () =>
        `program of ${program.length} instructions for ${this.#masks.size} masks and ${shapes.length} shapes in ${(performance.now() - started).toFixed(1)} ms`,
    );
    return fd;
  }

  /** Takes a device's frames: those that come in, or for an internal port those that the host sends. */
  attach(port: DpPort, ifindex: number, isInternal: boolean): void {
    const value = new Uint8Array(PORT_VALUE.size);
    value.set(le32(port), PORT_VALUE.port);
    updateElement(this.#fds.get('ports')!, le32(ifindex), value);
    updateElement(this.#fds.get('tx')!, le32(port), new Uint8Array(TX_VALUE.size));
    const link = attachTcx(this.#program, ifindex, isInternal ? ATTACH.tcxEgress : ATTACH.tcxIngress);
    this.#ports.set(port, { link, ifindex, device: { ifindex, flags: isInternal ? 1 : 0 } });
  }

  detach(port: DpPort): void {
    const attached = this.#ports.get(port);
    if (attached === undefined) return;
    closeObject(attached.link);
    deleteElement(this.#fds.get('ports')!, le32(attached.ifindex));
    this.#ports.delete(port);
  }

  /** Installs or replaces a flow. Gives why it stays in user space, or undefined when the kernel has it. */
  put(slot: number, key: Key, mask: Key, actions: readonly DpAction[]): string | undefined {
    this.delete(slot);
    const reason = this.#tryPut(slot, key, mask, actions);
    if (reason !== undefined) this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
    return reason;
  }

  #tryPut(slot: number, key: Key, mask: Key, actions: readonly DpAction[]): string | undefined {
    const { indices, masks, words } = packMatch(key, mask);
    const keptWords: number[] = [];
    const keptMasks: number[] = [];
    const keptValues: number[] = [];
    for (const [i, word] of indices.entries()) {
      if (!EXTRACTED_WORDS.has(word)) {
        // Connection and tunnel fields of frames that have neither are zero, and need no lookup.
        if (word < W.CT_LABEL) return 'key_field';
        if (words[i] !== 0) return 'key_field';
        continue;
      }
      keptWords.push(word);
      keptMasks.push(masks[i]! >>> 0);
      keptValues.push(words[i]! >>> 0);
    }
    if ((key[W.RECIRC_ID]! & mask[W.RECIRC_ID]!) !== 0) return 'recirculated';
    if (keptWords.length === 0) return 'empty_mask';
    const isUntagged = mask[W.VLAN0] === 0xffffffff && key[W.VLAN0] === 0;
    const shaped = shapeActions(actions, isUntagged, (port) => this.#ports.get(port)?.device);
    if (typeof shaped === 'string') return shaped;
    const shapeNumber = this.#shapeNumber(shaped.shape);
    if (shapeNumber === undefined) return 'too_many_shapes';
    const target = this.#mask(keptWords, keptMasks);
    if (target === undefined) return 'too_many_masks';
    const keyBytes = new Uint8Array(keptWords.length * 4);
    const view = new DataView(keyBytes.buffer);
    for (const [i, value] of keptValues.entries()) view.setUint32(i * 4, value, false);
    const value = this.#value.fill(0);
    value.set(le32(shapeNumber), FLOW_VALUE.shape);
    value.set(le32(slot), FLOW_VALUE.slot);
    value.set(shaped.params, FLOW_VALUE.params);
    try {
      updateElement(target.fd, keyBytes, value);
    } catch (error) {
      log.dbg(() => `flow not taken: ${errorText(error)}`);
      return 'map_full';
    }
    target.flows++;
    this.#flows.set(slot, { mask: target, key: keyBytes });
    return undefined;
  }

  #shapeNumber(shape: Shape): number | undefined {
    const known = this.#shapes.get(shape.name);
    if (known !== undefined) return known.number;
    if (this.#shapes.size >= MAX_SHAPES) return undefined;
    const number = this.#shapes.size + 1;
    this.#shapes.set(shape.name, { number, shape });
    this.#reloadSoon();
    return number;
  }

  #mask(words: number[], masks: number[]): Mask | undefined {
    const name = `${words.join()}/${masks.join()}`;
    const known = this.#masks.get(name);
    if (known !== undefined) return known;
    if (this.#masks.size >= MAX_MASKS && !this.#dropEmptyMasks()) return undefined;
    const map = `flows${this.#nextMap++}`;
    const fd = this.#create(map, MAP_TYPE.hash, words.length * 4, FLOW_VALUE.size, MAX_FLOWS_PER_MASK, NO_PREALLOCATION);
    const mask = { map, words, masks, fd, flows: 0 };
    this.#masks.set(name, mask);
    this.#reloadSoon();
    return mask;
  }

  /** Forgets masks without flows; tells whether there were any. */
  #dropEmptyMasks(): boolean {
    const before = this.#masks.size;
    for (const [name, mask] of this.#masks) {
      if (mask.flows > 0) continue;
      this.#masks.delete(name);
      this.#fds.delete(mask.map);
      // The running program keeps its own hold on the map until it is replaced.
      closeObject(mask.fd);
    }
    if (this.#masks.size === before) return false;
    this.#reloadSoon();
    return true;
  }

  #reloadSoon(): void {
    this.#reload ??= setTimeout(() => this.reload(), RELOAD_MS);
  }

  /** Puts a program for the present masks and shapes in the place of the running one. */
  reload(): void {
    clearTimeout(this.#reload);
    this.#reload = undefined;
    let next: number;
    try {
      next = this.#load();
    } catch (error) {
      log.warn(`the kernel refuses the datapath's program, frames that it would have carried go through user space: ${errorText(error)}`);
      return;
    }
    for (const { link } of this.#ports.values()) updateLink(link, next);
    closeObject(this.#program);
    this.#program = next;
  }

  delete(slot: number): void {
    const flow = this.#flows.get(slot);
    if (flow === undefined) return;
    deleteElement(flow.mask.fd, flow.key);
    flow.mask.flows--;
    this.#flows.delete(slot);
  }

  clear(): void {
    for (const slot of [...this.#flows.keys()]) this.delete(slot);
  }

  has(slot: number): boolean {
    return this.#flows.has(slot);
  }

  stats(slot: number): KernelFlowStats | undefined {
    const flow = this.#flows.get(slot);
    if (flow === undefined || !lookupElement(flow.mask.fd, flow.key, this.#value)) return undefined;
    const view = new DataView(this.#value.buffer);
    return {
      packets: view.getBigUint64(FLOW_VALUE.packets, true),
      bytes: view.getBigUint64(FLOW_VALUE.bytes, true),
      usedNs: view.getBigUint64(FLOW_VALUE.usedNs, true),
      tcpFlags: view.getUint32(FLOW_VALUE.tcpFlags, true),
    };
  }

  /** What the program counted at a port; undefined when it is not in the kernel. */
  portCounters(port: DpPort): { rxPackets: bigint; rxBytes: bigint; txPackets: bigint; txBytes: bigint; lost: bigint } | undefined {
    const attached = this.#ports.get(port);
    if (attached === undefined) return undefined;
    const rx = new Uint8Array(PORT_VALUE.size);
    const tx = new Uint8Array(TX_VALUE.size);
    if (!lookupElement(this.#fds.get('ports')!, le32(attached.ifindex), rx)) return undefined;
    lookupElement(this.#fds.get('tx')!, le32(port), tx);
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

  /** Frames that a flow in the kernel took. */
  hits(): bigint {
    const value = new Uint8Array(8);
    lookupElement(this.#fds.get('hits')!, le32(0), value);
    return new DataView(value.buffer).getBigUint64(0, true);
  }

  get maskCount(): number {
    return this.#masks.size;
  }

  close(): void {
    clearTimeout(this.#reload);
    for (const port of [...this.#ports.keys()]) this.detach(port);
    closeObject(this.#program);
    for (const fd of this.#fds.values()) closeObject(fd);
    this.#fds.clear();
  }
}
