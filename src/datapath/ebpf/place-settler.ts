// Ports' programs begin as filters, which costs no waiting, and get links one after the other when no port has come for a while: a link takes the
// kernel 8 to 15 ms, in which whoever else wants to change network devices waits for it, so there are pauses between them.
//
// A link outlives what somebody else does to queueing disciplines, and its program is exchanged in 2 us instead of 60.
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { type Attachment, attachProgram, filterAttachment, type Hook, settleAttachment } from '../../bpf/attachment.ts';
import type { PinStore } from './pin-store.ts';

const log = logger('dpif_ebpf');
const QUIET_MS = 1000;
const PAUSE_MS = 20;

/** A place at a device. */
export interface Place {
  /** A filter at first, a link later where the kernel has them. */
  link: Attachment;
  readonly ifindex: number;
  readonly hook: Hook;
}

/**
 * Pins what stands at a place, if it `isNew`, and notes it; a filter that cannot be pinned, and would stay when we are killed, becomes a link. `port`: 0
 * where the device is none.
 */
export function keepPlace(store: PinStore | undefined, place: Place, program: number, port: number, isNew: boolean): void {
  const { link, ifindex, hook } = place;
  if (isNew && store?.pinAttachment(link, ifindex, hook) === false && link.kind === 'clsact')
    place.link = attachProgram(program, ifindex, hook);
  store?.notePlace(place.link, ifindex, hook, port);
  // Where somebody was killed between a link and the end of its filter.
  if (place.link.kind === 'tcx') filterAttachment(ifindex, hook).detach();
}

/** A link takes the place of a filter; false where it cannot be pinned: all is as before. */
export function settlePlace(store: PinStore, place: Place, link: Attachment, program: number, port: number): boolean {
  const { link: filter, ifindex, hook } = place;
  if (!store.pinInstead(link, ifindex, hook, () => link.replace(program))) return false;
  place.link = link;
  store.notePlace(link, ifindex, hook, port);
  // Last: where we are killed before, the next daemon finds both, and lets the filter go.
  filter.detach();
  return true;
}

export class PlaceSettler<P extends Place> {
  readonly #waiting = new Set<P>();
  readonly #onLink: (place: P, link: Attachment) => boolean;
  #timer: NodeJS.Timeout | undefined;
  #isBusy = false;
  #isClosed = false;

  /** `onLink` puts a link, which passes all frames on, in place, or tells that it is not wanted any more. */
  constructor(onLink: (place: P, link: Attachment) => boolean) {
    this.#onLink = onLink;
  }

  add(place: P): void {
    this.#waiting.add(place);
    if (!this.#isBusy) this.#after(QUIET_MS);
  }

  delete(place: P): void {
    this.#waiting.delete(place);
  }

  #after(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = this.#isClosed ? undefined : setTimeout(() => void this.#next(), ms);
    this.#timer?.unref();
  }

  async #next(): Promise<void> {
    const [place] = this.#waiting;
    if (place === undefined) return;
    this.#waiting.delete(place);
    this.#isBusy = true;
    let link: Attachment | undefined;
    try {
      link = await settleAttachment(place.ifindex, place.hook);
      if (link !== undefined && (this.#isClosed || !this.#onLink(place, link))) link.detach();
    } catch (error) {
      link?.detach();
      log.dbg(() => `the program at device ${place.ifindex} stays a filter: ${errorText(error)}`);
    }
    this.#isBusy = false;
    this.#after(PAUSE_MS);
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    clearTimeout(this.#timer);
  }
}
