// When a program for other masks and shapes is made, and who waits for it. What comes in the same moment shares one; it is loaded aside, unless it is
// wanted at once. One that the kernel refuses is made smaller.
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { Program } from '../../bpf/instructions.ts';
import type { Mask } from './kernel-mask.ts';
import { RunningProgram } from './running-program.ts';

const log = logger('dpif_ebpf');
const RELOAD_MS = 2;

/** What a program is made of: its masks in the order in which it asks them, and the numbers of its shapes. */
export interface ProgramParts {
  masks: readonly Mask[];
  shapes: ReadonlySet<number>;
}

/** What is needed of whoever has the flows. */
export interface ProgramOwner {
  /** Of what the next program is to be made, which is compiled right afterwards. */
  prepare(): ProgramParts;
  compile(masks: readonly Mask[]): Program;
  /** The kernel refused a program with these: the next `prepare` is to give fewer. */
  refused(masks: readonly Mask[]): void;
  /** Another program runs. */
  adopted(): void;
}

export class ProgramChanges {
  readonly #owner: ProgramOwner;
  readonly #running: RunningProgram;
  #parts: ProgramParts = { masks: [], shapes: new Set() };
  #timer: NodeJS.Timeout | undefined;
  /** Who waits for the next program, and who for the one under way. */
  #waiting: (() => void)[] = [];
  #served: (() => void)[] = [];

  /** Begins with a program without masks. `onProgram` puts a program in the place of the running one. Throws KernelError where the kernel refuses it. */
  constructor(owner: ProgramOwner, maps: ReadonlyMap<string, number>, onProgram: (program: number) => void) {
    this.#owner = owner;
    this.#running = new RunningProgram(maps, owner.compile([]), onProgram);
  }

  /** The running program. */
  get fd(): number {
    return this.#running.fd;
  }

  /** Programs loaded so far. */
  get count(): number {
    return this.#running.count;
  }

  /** Masks in the order of the running program. */
  get masks(): readonly Mask[] {
    return this.#parts.masks;
  }

  /** Numbers of the shapes that it knows. */
  get shapes(): ReadonlySet<number> {
    return this.#parts.shapes;
  }

  /** Whether another is due or under way. */
  get isDue(): boolean {
    return this.#timer !== undefined || this.#running.isChanging;
  }

  closeMap(fd: number): void {
    this.#running.closeMap(fd);
  }

  soon(): void {
    this.#timer ??= setTimeout(() => this.#aside(), RELOAD_MS);
  }

  /** Resolves when the program that is due or under way runs. */
  next(): Promise<void> {
    if (!this.isDue) return Promise.resolve();
    return new Promise((resolve) => {
      if (this.#timer === undefined) {
        this.#served.push(resolve);
        return;
      }
      this.#waiting.push(resolve);
      this.#aside();
    });
  }

  #prepare(): ProgramParts {
    const parts = this.#owner.prepare();
    // What was asked for so far is in it.
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return parts;
  }

  /** Puts a program for the present masks and shapes in the place of the running one, while this thread goes on. */
  #aside(): void {
    if (this.#running.isChanging) {
      // One after the other: what is under way would never come to an end.
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#aside(), RELOAD_MS);
      return;
    }
    const parts = this.#prepare();
    this.#served = this.#waiting;
    this.#waiting = [];
    this.#running.replaceAside(this.#owner.compile(parts.masks), (isReplaced) => {
      if (isReplaced) this.#adopt(parts);
      else this.now();
    });
  }

  /** The same at once. */
  now(): void {
    for (;;) {
      const parts = this.#prepare();
      this.#served.push(...this.#waiting.splice(0));
      try {
        this.#running.replace(this.#owner.compile(parts.masks));
      } catch (error) {
        log.warn(`the kernel refuses the datapath's program for ${parts.masks.length} masks: ${errorText(error)}`);
        if (parts.masks.length > 0) {
          this.#owner.refused(parts.masks);
          continue;
        }
      }
      this.#adopt(parts);
      return;
    }
  }

  #adopt(parts: ProgramParts): void {
    this.#parts = parts;
    this.#owner.adopted();
    for (const resolve of this.#served.splice(0)) resolve();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#running.close();
    for (const resolve of [...this.#served.splice(0), ...this.#waiting.splice(0)]) resolve();
  }
}
