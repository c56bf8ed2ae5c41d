// What is pinned, and how it lies in the folder:
//
//   owner                   the process that uses it (text of a symbolic link)
//   ring-LAYOUT, pending-LAYOUT, connections-LAYOUT
//                           frames for user space, and connections; they pass from daemon to daemon
//   links/IFINDEX-HOOK      a program's place at a device
//   gen-NUMBER-LAYOUT/      a generation: the maps of one daemon's run, under their names; and for each map of flows a symbolic
//     NAME-mask             link whose text says which words of the key its mask has
//
// Each start makes a generation of its own, while the former one goes on forwarding; when what it holds has been translated anew the links'
// programs are exchanged, each in one step, and the former generation is removed. So a start that is killed at any moment leaves what the
// next one can start from, and a change of layout (LAYOUT is its hash) needs no migration.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { type Attachment, type Hook, openAttachment } from '../../bpf/attachment.ts';
import { openPinned, pinObject } from '../../bpf/kernel.ts';
import { W } from '../../flow/key.ts';
import { PUNT_RECORD } from '../../netdev/punt-ring.ts';
import { CT_KEY_SIZE, CT_VALUE } from '../userspace/conntrack/mirror.ts';
import { MAX_PORTS } from '../userspace/shared-state.ts';
import {
  FLOW_RECORD,
  FLOW_VALUE,
  PENDING_VALUE,
  PORT_BASE,
  PORT_VALUE,
  TOTALS_BASE,
  TOTALS_VALUE,
  TX_VALUE,
  USED_SHIFT,
} from './compiler/map-layout.ts';
import { ownerText, pinFolder } from './pin-root.ts';

const log = logger('dpif_ebpf');
const hash = (layout: unknown): string => createHash('sha256').update(JSON.stringify(layout)).digest('hex').slice(0, 12);
/** Changes whenever a successor could not read a generation's maps. */
const GENERATION_LAYOUT = hash([1, W, FLOW_RECORD, USED_SHIFT, FLOW_VALUE, PORT_BASE, PORT_VALUE, TOTALS_BASE, TOTALS_VALUE, TX_VALUE]);
const RING_LAYOUT = hash([1, PUNT_RECORD, PENDING_VALUE, CT_KEY_SIZE, CT_VALUE, MAX_PORTS]);

/** `underlay`: the tunnels' program, at a device's ingress. */
/** A mask as the text of a link: WORD:MASK in hexadecimal, with commas. */
export const maskText = (words: readonly number[], masks: readonly number[]): string =>
  words.map((word, i) => `${word.toString(16)}:${(masks[i]! >>> 0).toString(16)}`).join(',');

/** Reads it; undefined when it is none. */
export function parseMaskText(text: string): { words: number[]; masks: number[] } | undefined {
  if (!/^[0-9a-f]{1,3}:[0-9a-f]{1,8}(,[0-9a-f]{1,3}:[0-9a-f]{1,8})*$/.test(text)) return undefined;
  const pairs = text.split(',').map((pair) => pair.split(':').map((digits) => Number.parseInt(digits, 16)));
  return { words: pairs.map((pair) => pair[0]!), masks: pairs.map((pair) => pair[1]!) };
}

/** A generation that a predecessor left. Whoever opens its maps closes them. */
export interface FormerGeneration {
  dir: string;
  open(name: string): number | undefined;
  masks(): { fd: number; words: number[]; masks: number[] }[];
}

export class PinStore {
  readonly dir: string;
  readonly #generation: string;
  readonly #links: string;

  /** `dir` is made if it is not there. Throws where pinning is not allowed. */
  constructor(dir: string) {
    this.dir = dir;
    this.#links = join(dir, 'links');
    // One by one: at a read-only file system `recursive` tells of a folder that is missing.
    for (const one of [dir, this.#links]) if (!existsSync(one)) mkdirSync(one, { mode: 0o700 });
    rmSync(join(dir, 'owner'), { force: true });
    symlinkSync(ownerText(), join(dir, 'owner'));
    const numbers = this.#generations().map((name) => Number(name.split('-')[1]));
    const name = `gen-${Math.max(0, ...numbers) + 1}-${GENERATION_LAYOUT}`;
    this.#generation = join(dir, name);
    mkdirSync(this.#generation, { mode: 0o700 });
  }

  #generations(): string[] {
    return readdirSync(this.dir).filter((name) => /^gen-\d+-/.test(name));
  }

  /** Pins a map of this generation. */
  pinMap(fd: number, name: string): void {
    pinObject(fd, join(this.#generation, name));
  }

  /** Pins a map of flows with its mask. */
  pinMask(fd: number, name: string, words: readonly number[], masks: readonly number[]): void {
    symlinkSync(maskText(words, masks), join(this.#generation, `${name}-mask`));
    this.pinMap(fd, name);
  }

  unpinMask(name: string): void {
    rmSync(join(this.#generation, name), { force: true });
    rmSync(join(this.#generation, `${name}-mask`), { force: true });
  }

  /** A map that passes from daemon to daemon: the pinned one, or `make`'s. */
  shared(name: string, make: () => number): number {
    const path = join(this.dir, `${name}-${RING_LAYOUT}`);
    const found = openPinned(path);
    if (found !== undefined) return found;
    const fd = make();
    pinObject(fd, path);
    return fd;
  }

  /** Generations of predecessors whose layout is known. */
  former(): FormerGeneration[] {
    return this.#generations()
      .map((name) => join(this.dir, name))
      .filter((dir) => dir !== this.#generation && dir.endsWith(`-${GENERATION_LAYOUT}`))
      .map((dir) => ({
        dir,
        open: (name) => openPinned(join(dir, name)),
        masks: () => openMasks(dir),
      }));
  }

  /** Whether a predecessor left anything. */
  get hasFormer(): boolean {
    return this.#generations().length > 1 || readdirSync(this.#links).length > 0;
  }

  /** Forgets all generations but this one, and what other layouts left. */
  removeFormer(): void {
    const isOurs = (name: string): boolean =>
      name === 'owner' || name === 'links' || name.endsWith(`-${RING_LAYOUT}`) || join(this.dir, name) === this.#generation;
    for (const name of readdirSync(this.dir)) if (!isOurs(name)) rmSync(join(this.dir, name), { recursive: true, force: true });
  }

  #place(ifindex: number, hook: Hook): string {
    return join(this.#links, `${ifindex}-${hook}`);
  }

  pinAttachment(attachment: Attachment, ifindex: number, hook: Hook): void {
    attachment.pin(this.#place(ifindex, hook));
  }

  unpinAttachment(ifindex: number, hook: Hook): void {
    rmSync(this.#place(ifindex, hook), { force: true });
  }

  /** The program's place that a predecessor left at a device, if it is still there. */
  openAttachment(ifindex: number, hook: Hook): Attachment | undefined {
    const found = openAttachment(this.#place(ifindex, hook));
    if (found === undefined || found.ifindex === ifindex) return found?.attachment;
    found.attachment.close();
    this.unpinAttachment(ifindex, hook);
    return undefined;
  }

  /** Removes the programs at other places than these from their devices. */
  keepAttachments(kept: readonly { ifindex: number; hook: Hook }[]): void {
    const names = new Set(kept.map(({ ifindex, hook }) => `${ifindex}-${hook}`));
    for (const name of readdirSync(this.#links)) {
      if (names.has(name)) continue;
      openAttachment(join(this.#links, name))?.attachment.detach();
      rmSync(join(this.#links, name), { force: true });
    }
  }

  /** Nothing of this instance stays. */
  remove(): void {
    this.keepAttachments([]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function openMasks(dir: string): { fd: number; words: number[]; masks: number[] }[] {
  const found: { fd: number; words: number[]; masks: number[] }[] = [];
  for (const name of readdirSync(dir)) {
    if (!name.endsWith('-mask')) continue;
    const mask = parseMaskText(readlinkSync(join(dir, name)));
    const fd = mask === undefined ? undefined : openPinned(join(dir, name.slice(0, -'-mask'.length)));
    if (mask !== undefined && fd !== undefined) found.push({ fd, ...mask });
  }
  return found;
}

/** The store of the instance with that run directory; undefined, with one line in the log, where nothing can be pinned. */
export function openPinStore(runDirectory: string): PinStore | undefined {
  try {
    const dir = pinFolder(runDirectory);
    if (dir !== undefined) return new PinStore(dir);
    log.info('programs end with this daemon: there is no bpffs to pin them in, and none can be mounted at /sys/fs/bpf');
  } catch (error) {
    log.info(`programs end with this daemon: they cannot be pinned: ${errorText(error)}`);
  }
  return undefined;
}
