// What a predecessor pinned where we may only look: a bpffs that is read-only by now. Its programs go on at their devices, and the pins hold them
// there whatever becomes of us. The kernel opens no pin there, but links have numbers, and these were noted.
import { type Attachment, findAttachment, type Hook } from '../../bpf/attachment.ts';
import type { DpPort } from '../datapath.ts';
import { type FormerPlaces, generations, type NotedPlace, placeName, placesOf, portsOf } from './pin-folder.ts';

export class StrandedPins implements FormerPlaces {
  readonly #places: Map<string, NotedPlace>;
  readonly #ports: ReadonlyMap<number, DpPort>;
  readonly #numbers: ReadonlySet<DpPort>;

  constructor(dir: string) {
    const places = placesOf(generations(dir));
    this.#places = new Map(places.map((one) => [placeName(one.ifindex, one.hook), one]));
    this.#ports = portsOf(places);
    this.#numbers = new Set(this.#ports.values());
  }

  formerPort(ifindex: number): DpPort | undefined {
    return this.#ports.get(ifindex);
  }

  isFormerPort(port: DpPort): boolean {
    return this.#numbers.has(port);
  }

  openAttachment(ifindex: number, hook: Hook): Attachment | undefined {
    const name = placeName(ifindex, hook);
    const found = this.#places.get(name);
    this.#places.delete(name);
    return found === undefined ? undefined : findAttachment(ifindex, hook, found.link);
  }

  /** What was opened is the opener's. */
  keepAttachments(): void {
    this.remove();
  }

  remove(): void {
    for (const { ifindex, hook, link } of this.#places.values()) findAttachment(ifindex, hook, link)?.detach();
    this.#places.clear();
  }
}
