// A program's place at a device: a tcx link where the kernel has them (from 6.6), else a filter of the clsact discipline. Either way the
// program is exchanged in one step, and the place can outlive this process: a link by being pinned, a filter by its nature.
//
// The kernel waits some 8 ms, a grace period of RCU, whenever a link comes to a device or leaves it, and lets nobody else change links of
// network devices meanwhile; a filter takes 0.07 ms. So a place that is wanted at once begins as a filter (`attachAtOnce`), and a link takes it
// over later (`settleAttachment`), made on another thread: with a program that passes all frames on to the filter, until ours takes its place in
// one step, and the filter goes. A link that is given up passes frames on first, and leaves the device later.
//
// WEFT_EBPF=tcx or WEFT_EBPF=clsact allows one of them only.
import { closeSync, existsSync, openSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { KernelError } from '../base/errors.ts';
import { closeFd, E } from '../host/ffi.ts';
import { interfaceName } from '../host/interface-request.ts';
import { type FilterPlace, putFilter, removeFilter } from '../host/netlink/traffic-filter.ts';
import { ATTACH, attachTcx, attachTcxAside, detachLinkAside, openPinned, pinObject, updateLink } from './kernel.ts';
import { detachLink, linkDevice, linkNumber, openLink } from './objects.ts';
import { passingProgram } from './passing-program.ts';

/** Where at a device: several may be taken, but only one comes in first. All but `egress` meet what comes in. */
export type Hook = FilterPlace;

/** Throws KernelError where a call is refused. */
export interface Attachment {
  readonly kind: 'tcx' | 'clsact';
  /** A link's number, which no other has; 0 for a filter. */
  readonly number: number;
  /** Exchanges the program. A device that has gone takes none, and needs none. */
  replace(program: number): void;
  /**
   * Takes the program off the device: no frame meets it any more, though the kernel may still be about to let go of it. `unpin` is called when it
   * has, or in `leaveToKernel`.
   */
  detach(unpin?: () => void): void;
  /** Lets go of it; what is pinned stays. */
  close(): void;
  /** Makes it outlive us, to be found under that path. */
  pin(path: string): void;
}

const isGone = (error: unknown): boolean => error instanceof KernelError && (error.errno === E.NOLINK || error.errno === E.NODEV);

/** Links that pass frames on until they are taken off: one after the other, so that the pool's other threads are free for other work. */
const leaving: { fd: number; unpin: (() => void) | undefined }[] = [];
let isLeaving = false;

async function leaveOneByOne(): Promise<void> {
  if (isLeaving) return;
  isLeaving = true;
  for (let one = leaving.shift(); one !== undefined; one = leaving.shift()) {
    await detachLinkAside(one.fd);
    closeFd(one.fd);
    one.unpin?.();
  }
  isLeaving = false;
}

/**
 * For a process that ends: the kernel waits in the close of a link's last descriptor, but where the last to hold a link is a pin, a thread of its
 * own takes it off.
 */
export function leaveToKernel(): void {
  const pinned = leaving.filter((one) => one.unpin !== undefined);
  leaving.splice(0, leaving.length, ...leaving.filter((one) => one.unpin === undefined));
  // All descriptors first: several may be of one link.
  for (const { fd } of pinned) closeFd(fd);
  for (const { unpin } of pinned) unpin?.();
}

class TcxLink implements Attachment {
  readonly kind = 'tcx';
  readonly number: number;
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
    this.number = linkNumber(fd);
  }

  replace(program: number): void {
    try {
      updateLink(this.#fd, program);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  detach(unpin?: () => void): void {
    try {
      updateLink(this.#fd, passingProgram());
    } catch (error) {
      if (!isGone(error)) {
        detachLink(this.#fd);
        closeFd(this.#fd);
        unpin?.();
        return;
      }
    }
    leaving.push({ fd: this.#fd, unpin });
    void leaveOneByOne();
  }

  close(): void {
    closeFd(this.#fd);
  }

  pin(path: string): void {
    pinObject(this.#fd, path);
  }
}

class ClsactFilter implements Attachment {
  readonly kind = 'clsact';
  readonly number = 0;
  readonly #ifindex: number;
  readonly #hook: Hook;

  constructor(ifindex: number, hook: Hook) {
    this.#ifindex = ifindex;
    this.#hook = hook;
  }

  replace(program: number): void {
    try {
      putFilter(this.#ifindex, this.#hook, program, 'weft');
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  detach(unpin?: () => void): void {
    removeFilter(this.#ifindex, this.#hook);
    unpin?.();
  }

  close(): void {}

  pin(path: string): void {
    symlinkSync(`clsact ${this.#ifindex} ${this.#hook}`, path);
  }
}

/** Puts a program at a device. */
export function attachProgram(program: number, ifindex: number, hook: Hook): Attachment {
  const only = process.env['WEFT_EBPF'] ?? '';
  let refusal: unknown;
  if (only !== 'clsact') {
    try {
      return new TcxLink(attachTcx(program, ifindex, hook === 'egress' ? ATTACH.tcxEgress : ATTACH.tcxIngress));
    } catch (error) {
      if (only === 'tcx') throw error;
      refusal = error;
    }
  }
  try {
    putFilter(ifindex, hook, program, 'weft');
  } catch (error) {
    throw refusal ?? error;
  }
  return new ClsactFilter(ifindex, hook);
}

/** The same, without waiting where that is possible: what comes of it may be settled later. */
export function attachAtOnce(program: number, ifindex: number, hook: Hook): Attachment {
  if ((process.env['WEFT_EBPF'] ?? '') !== 'tcx') {
    try {
      putFilter(ifindex, hook, program, 'weft');
      return new ClsactFilter(ifindex, hook);
    } catch {
      // Another's discipline is in the way, or the kernel has none.
    }
  }
  return attachProgram(program, ifindex, hook);
}

/** Links leave a quarter of the descriptors that we may have for other things. */
function hasDescriptors(): boolean {
  most ??= Number(/^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? Number.POSITIVE_INFINITY);
  const next = openSync('/dev/null', 'r');
  closeSync(next);
  return next < most * 0.75;
}
let most: number | undefined;

/** A link that passes frames on to the filter at the same place, and may take that over; undefined where there can be none. */
export async function settleAttachment(ifindex: number, hook: Hook): Promise<Attachment | undefined> {
  if (process.env['WEFT_EBPF'] === 'clsact' || !hasDescriptors()) return undefined;
  const fd = await attachTcxAside(passingProgram(), ifindex, hook === 'egress' ? ATTACH.tcxEgress : ATTACH.tcxIngress);
  return fd < 0 ? undefined : new TcxLink(fd);
}

/** The place of a filter that stands already. */
export const filterAttachment = (ifindex: number, hook: Hook): Attachment => new ClsactFilter(ifindex, hook);

/** A place at a device by its link's number, or the filter's (0), without its pin; undefined when it is no more. */
export function findAttachment(ifindex: number, hook: Hook, number: number): Attachment | undefined {
  if (number === 0) return interfaceName(ifindex) === undefined ? undefined : new ClsactFilter(ifindex, hook);
  const fd = openLink(number);
  if (fd === undefined) return undefined;
  if (linkDevice(fd) === ifindex) return new TcxLink(fd);
  closeFd(fd);
  return undefined;
}

/** What a former process pinned there; undefined, and nothing is left there, when its device has gone or it is something else. */
export function openAttachment(path: string): { attachment: Attachment; ifindex: number } | undefined {
  let text = '';
  try {
    text = readlinkSync(path);
  } catch {
    if (!existsSync(path)) return undefined;
  }
  if (text !== '') {
    const [, index, hook] = /^clsact ([1-9]\d{0,9}) (ingress|egress|underlay|shield)$/.exec(text) ?? [];
    const ifindex = Number(index);
    if (hook !== undefined && interfaceName(ifindex) !== undefined) return { attachment: new ClsactFilter(ifindex, hook as Hook), ifindex };
  } else {
    const fd = openPinned(path);
    const ifindex = fd === undefined ? undefined : linkDevice(fd);
    if (fd !== undefined && ifindex !== undefined && ifindex !== 0) return { attachment: new TcxLink(fd), ifindex };
    closeFd(fd ?? -1);
  }
  rmSync(path, { recursive: true, force: true });
  return undefined;
}
