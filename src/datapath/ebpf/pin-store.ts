// What is pinned, and how it lies in the folder:
//
//   owner                   the process that uses it (text of a symbolic link)
//   ring-LAYOUT, pending-LAYOUT, connections-LAYOUT
//                           frames for user space, and connections; they pass from daemon to daemon
//   links/IFINDEX-HOOK      a program's place at a device
//   links/IFINDEX-HOOK-new  a link that is about to take it over
//   links/IFINDEX-HOOK-going-NUMBER
//                           a link that passes frames on until the kernel has let go of it
//   gen-NUMBER-LAYOUT/      a generation: the maps of one daemon's run, under their names; and for each map of flows a symbolic
//     NAME-mask             link whose text says which words of the key its mask has
//     place-IFINDEX-HOOK    such a text too: a port's number and its link's, which mean the same whatever the layout
//
// All these names are ours. What stands there that is something else, or a map of another size, makes room.
//
// Each start makes a generation of its own, while the former one goes on forwarding; when what it holds has been translated anew the links'
// programs are exchanged, each in one step, and the former generation is removed. So a start that is killed at any moment leaves what the
// next one can start from, and a change of layout (LAYOUT is its hash, that of the maps' sizes too) needs no migration.
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { type Attachment, type Hook, leaveToKernel, openAttachment } from '../../bpf/attachment.ts';
import { closeObject, createMap, type MapSpec, openPinned, pinObject } from '../../bpf/kernel.ts';
import { isMapOf } from '../../bpf/objects.ts';
import { W } from '../../flow/key.ts';
import { PUNT_RECORD } from '../../netdev/punt-ring.ts';
import type { DpPort } from '../datapath.ts';
import { CT_KEY_SIZE, CT_VALUE } from '../userspace/conntrack/mirror.ts';
import {
  FLOW_RECORD,
  FLOW_VALUE,
  fixedMaps,
  maskMap,
  PENDING_VALUE,
  PORT_BASE,
  PORT_VALUE,
  RING_SIZE,
  TOTALS_BASE,
  TOTALS_VALUE,
  TX_VALUE,
  USED_SHIFT,
} from './compiler/map-layout.ts';
import {
  FORMER_MAPS,
  type FormerGeneration,
  type FormerPlaces,
  generations,
  maskText,
  parseMaskText,
  placeName,
  placesOf,
  placeText,
  portsOf,
  textOf,
} from './pin-folder.ts';
import { ownerText, pinFolder } from './pin-root.ts';
import { StrandedPins } from './stranded-pins.ts';

const log = logger('dpif_ebpf');
const hash = (layout: unknown): string => createHash('sha256').update(JSON.stringify(layout)).digest('hex').slice(0, 12);
/** Changes whenever a successor could not read a generation's maps. */
const SPECS = new Map(fixedMaps(RING_SIZE).map(({ first, ...spec }) => [spec.name, spec]));
const sizes = (...names: readonly string[]): unknown[] => names.map((name) => SPECS.get(name));
const GENERATION_LAYOUT = hash([
  2,
  [W, FLOW_RECORD, USED_SHIFT, FLOW_VALUE, PORT_BASE, PORT_VALUE, TOTALS_BASE, TOTALS_VALUE, TX_VALUE],
  sizes(...FORMER_MAPS),
]);
/** Of the maps that pass from daemon to daemon. Ring and shares are of one kind: neither means anything without the other. */
const RING_LAYOUT = hash([2, PUNT_RECORD, PENDING_VALUE, sizes('ring', 'pending')]);
const CONNECTIONS_LAYOUT = hash([2, CT_KEY_SIZE, CT_VALUE, sizes('connections')]);
const SHARED_NAMES: ReadonlyMap<string, string> = new Map([
  ['ring', `ring-${RING_LAYOUT}`],
  ['pending', `pending-${RING_LAYOUT}`],
  ['connections', `connections-${CONNECTIONS_LAYOUT}`],
]);
/** Maps that pass from daemon to daemon. */
export const isShared = (name: string): boolean => SHARED_NAMES.has(name);

export class PinStore implements FormerPlaces {
  readonly dir: string;
  readonly #generation: string;
  readonly #links: string;
  readonly #formerPorts: ReadonlyMap<number, DpPort>;
  readonly #formerNumbers: ReadonlySet<DpPort>;
  #hasFailed = false;
  #asides = 0;
  /** Whether the frames that a predecessor's programs hand to user space are ours to read. */
  #hasFormerRing = false;

  /** `dir` is made if it is not there. Throws where pinning is not allowed. */
  constructor(dir: string) {
    this.dir = dir;
    this.#links = join(dir, 'links');
    // One by one: at a read-only file system `recursive` tells of a folder that is missing.
    for (const one of [dir, this.#links]) if (!existsSync(one)) mkdirSync(one, { mode: 0o700 });
    readdirSync(this.#links);
    const former = generations(dir);
    this.#formerPorts = portsOf(placesOf(former));
    this.#formerNumbers = new Set(this.#formerPorts.values());
    const name = `gen-${
      Number(
        former
          .at(-1)
          ?.slice(dir.length + 1)
          .split('-')[1] ?? 0,
      ) + 1
    }-${GENERATION_LAYOUT}`;
    this.#generation = join(dir, name);
    mkdirSync(this.#generation, { mode: 0o700 });
    this.#clear('owner');
    symlinkSync(ownerText(), join(dir, 'owner'));
  }

  #clear(...names: string[]): void {
    for (const name of names) rmSync(join(this.dir, name), { recursive: true, force: true });
  }

  /** What a running daemon can pin no more, because the file system is full or read-only now, is no reason to stop. */
  #attempt(body: () => void): boolean {
    try {
      body();
      return true;
    } catch (error) {
      if (!this.#hasFailed) log.warn(`what comes from now on ends with this daemon, because it cannot be pinned: ${errorText(error)}`);
      this.#hasFailed = true;
      return false;
    }
  }

  /** Pins a map of this generation. */
  pinMap(fd: number, name: string): void {
    pinObject(fd, join(this.#generation, name));
  }

  /** Pins a map of flows with its mask. */
  pinMask(fd: number, name: string, words: readonly number[], masks: readonly number[]): void {
    this.#attempt(() => {
      symlinkSync(maskText(words, masks), join(this.#generation, `${name}-mask`));
      this.pinMap(fd, name);
    });
  }

  unpinMask(name: string): void {
    this.#attempt(() => {
      for (const one of [name, `${name}-mask`]) rmSync(join(this.#generation, one), { force: true });
    });
  }

  /** The maps that pass from daemon to daemon: those pinned, or new ones. */
  shared(): Map<string, number> {
    const maps = new Map<string, number>();
    for (const [name, pin] of SHARED_NAMES) {
      const fd = openPinned(join(this.dir, pin));
      if (fd !== undefined && isMapOf(fd, SPECS.get(name)!)) maps.set(name, fd);
      else if (fd !== undefined) closeObject(fd);
    }
    this.#hasFormerRing = maps.has('ring') && maps.has('pending');
    if (!this.#hasFormerRing) {
      for (const name of ['ring', 'pending']) {
        const half = maps.get(name);
        if (half !== undefined) closeObject(half);
        maps.delete(name);
      }
    }
    try {
      for (const [name, pin] of SHARED_NAMES) {
        if (maps.has(name)) continue;
        maps.set(name, createMap(SPECS.get(name)!));
        this.#clear(pin);
        pinObject(maps.get(name)!, join(this.dir, pin));
      }
    } catch (error) {
      for (const fd of maps.values()) closeObject(fd);
      throw error;
    }
    return maps;
  }

  /** Whether what a predecessor's programs cannot deal with comes to us. */
  get hasFormerRing(): boolean {
    return this.#hasFormerRing;
  }

  formerPort(ifindex: number): DpPort | undefined {
    return this.#formerPorts.get(ifindex);
  }

  isFormerPort(port: DpPort): boolean {
    return this.#formerNumbers.has(port);
  }

  /** Generations of predecessors whose layout is known. */
  former(): FormerGeneration[] {
    return generations(this.dir)
      .filter((dir) => dir !== this.#generation && dir.endsWith(`-${GENERATION_LAYOUT}`))
      .map((dir) => ({
        dir,
        open: (name) => openMap(join(dir, name), SPECS.get(name)!),
        masks: () => openMasks(dir),
      }));
  }

  /** Forgets all generations but this one, and what other layouts left. */
  removeFormer(): void {
    const ours = new Set(['owner', 'links', ...SHARED_NAMES.values()]);
    this.#clear(...readdirSync(this.dir).filter((name) => !ours.has(name) && join(this.dir, name) !== this.#generation));
  }

  #place(ifindex: number, hook: Hook): string {
    return join(this.#links, `${ifindex}-${hook}`);
  }

  /** False where it cannot be, and will end with us. */
  pinAttachment(attachment: Attachment, ifindex: number, hook: Hook): boolean {
    return this.#attempt(() => {
      rmSync(this.#place(ifindex, hook), { recursive: true, force: true });
      attachment.pin(this.#place(ifindex, hook));
    });
  }

  /** A link takes over a filter's place, when `body` has put the program there. False where it cannot be pinned: all is as before. */
  pinInstead(attachment: Attachment, ifindex: number, hook: Hook, body: () => void): boolean {
    const path = this.#place(ifindex, hook);
    return this.#attempt(() => {
      rmSync(`${path}-new`, { recursive: true, force: true });
      attachment.pin(`${path}-new`);
      try {
        body();
        renameSync(`${path}-new`, path);
      } catch (error) {
        rmSync(`${path}-new`, { force: true });
        throw error;
      }
    });
  }

  /** A link that is given up: its pin makes room, and holds it until the function is called that this gives. */
  putAside(ifindex: number, hook: Hook): (() => void) | undefined {
    const isPinned = lstatSync(this.#place(ifindex, hook), { throwIfNoEntry: false }) !== undefined;
    const aside = `${this.#place(ifindex, hook)}-going-${++this.#asides}`;
    const isAside = this.#attempt(() => {
      rmSync(join(this.#generation, placeName(ifindex, hook)), { force: true });
      if (isPinned) renameSync(this.#place(ifindex, hook), aside);
    });
    return isPinned && isAside ? () => void this.#attempt(() => rmSync(aside, { force: true })) : undefined;
  }

  unpinAttachment(ifindex: number, hook: Hook): void {
    this.#attempt(() => {
      rmSync(join(this.#generation, placeName(ifindex, hook)), { force: true });
      rmSync(this.#place(ifindex, hook), { force: true });
    });
  }

  /** `port`: 0 where the device is none. */
  notePlace(attachment: Attachment, ifindex: number, hook: Hook, port: number): void {
    const name = join(this.#generation, placeName(ifindex, hook));
    this.#attempt(() => {
      rmSync(name, { recursive: true, force: true });
      symlinkSync(placeText(port, attachment.number), name);
    });
  }

  openAttachment(ifindex: number, hook: Hook): Attachment | undefined {
    const found = openAttachment(this.#place(ifindex, hook));
    if (found === undefined || found.ifindex === ifindex) return found?.attachment;
    found.attachment.close();
    this.unpinAttachment(ifindex, hook);
    return undefined;
  }

  keepAttachments(kept: readonly { ifindex: number; hook: Hook }[]): void {
    const names = new Set(kept.map(({ ifindex, hook }) => `${ifindex}-${hook}`));
    for (const name of readdirSync(this.#links)) {
      if (names.has(name)) continue;
      const path = join(this.#links, name);
      const unpin = (): void => rmSync(path, { recursive: true, force: true });
      const found = openAttachment(path);
      if (found === undefined) unpin();
      else found.attachment.detach(unpin);
    }
  }

  /** Of no use without maps: places at devices alone are kept. */
  removeMaps(): void {
    this.#clear(...readdirSync(this.dir).filter((name) => name !== 'owner' && name !== 'links'));
  }

  remove(): void {
    this.keepAttachments([]);
    leaveToKernel();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Opens a pinned map, unless it is another than we think. */
function openMap(path: string, spec: MapSpec): number | undefined {
  const fd = openPinned(path);
  if (fd === undefined || isMapOf(fd, spec)) return fd;
  closeObject(fd);
  return undefined;
}

function openMasks(dir: string): { fd: number; words: number[]; masks: number[] }[] {
  const found: { fd: number; words: number[]; masks: number[] }[] = [];
  for (const name of readdirSync(dir)) {
    if (!name.endsWith('-mask')) continue;
    const mask = parseMaskText(textOf(join(dir, name)));
    const fd = mask === undefined ? undefined : openMap(join(dir, name.slice(0, -'-mask'.length)), maskMap(name, mask.words.length));
    if (mask !== undefined && fd !== undefined) found.push({ fd, ...mask });
  }
  return found;
}

/** The store of the instance with that run directory, if its folder can be used; otherwise, with one line in the log, what stands there. */
export function openPinStore(runDirectory: string): { store?: PinStore; stranded?: StrandedPins } {
  let dir: string | undefined;
  try {
    dir = pinFolder(runDirectory);
    if (dir !== undefined) return { store: new PinStore(dir) };
    log.info('programs end with this daemon: there is no bpffs to pin them in, and none can be mounted at /sys/fs/bpf');
  } catch (error) {
    log.info(`programs end with this daemon: they cannot be pinned: ${errorText(error)}`);
  }
  return dir === undefined ? {} : { stranded: new StrandedPins(dir) };
}
