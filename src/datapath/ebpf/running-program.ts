// The program that runs at the ports, and what takes its place: loaded here, or aside while this thread goes on, because the kernel takes 4 to
// 80 ms over it. One at a time; a program that is loaded here makes one that is under way aside worthless.

import type { Program } from '../../bpf/instructions.ts';
import { closeObject, loadProgram, loadProgramAside, updateElement } from '../../bpf/kernel.ts';

const NAME = 'weft_datapath';

export class RunningProgram {
  readonly #maps: ReadonlyMap<string, number>;
  readonly #onProgram: (program: number) => void;
  #fd: number;
  /** The load under way aside. */
  #aside: object | undefined;
  /** Descriptors of maps to be closed once nothing under way names them. */
  #closing: number[] = [];
  /** Programs loaded so far. */
  count = 1;

  /** `onProgram` puts a program in the place of the running one at the ports. Throws KernelError where the kernel refuses the first. */
  constructor(maps: ReadonlyMap<string, number>, first: Program, onProgram: (program: number) => void) {
    this.#maps = maps;
    this.#onProgram = onProgram;
    this.#fd = loadProgram(first, maps, NAME);
    this.#publish();
  }

  get fd(): number {
    return this.#fd;
  }

  /** Whether another one is under way. */
  get isChanging(): boolean {
    return this.#aside !== undefined;
  }

  /** Puts a program in the place of the running one. Throws KernelError, and then the former runs on. */
  replace(program: Program): void {
    this.giveUp();
    this.#put(loadProgram(program, this.#maps, NAME));
  }

  /** The same, later; `done` is told whether it was, and is not called when something else came between. */
  replaceAside(program: Program, done: (isReplaced: boolean) => void): void {
    this.giveUp();
    const aside = {};
    this.#aside = aside;
    loadProgramAside(program, this.#maps, NAME, (fd) => {
      if (this.#aside !== aside) {
        if (fd !== undefined) closeObject(fd);
        return;
      }
      if (fd !== undefined) this.#put(fd);
      this.giveUp();
      done(fd !== undefined);
    });
  }

  /** What is under way will not be put in place. */
  giveUp(): void {
    this.#aside = undefined;
    for (const fd of this.#closing) closeObject(fd);
    this.#closing = [];
  }

  #put(fd: number): void {
    this.count++;
    this.#onProgram(fd);
    closeObject(this.#fd);
    this.#fd = fd;
    this.#publish();
  }

  /** Other programs jump to the running one. */
  #publish(): void {
    updateElement(this.#maps.get('programs')!, new Uint8Array(4), new Uint8Array(Uint32Array.of(this.#fd).buffer));
  }

  /** Closes a map that no program made from now on names. The running one keeps its own hold on it until it is replaced. */
  closeMap(fd: number): void {
    if (this.isChanging) this.#closing.push(fd);
    else closeObject(fd);
  }

  close(): void {
    this.giveUp();
    closeObject(this.#fd);
  }
}
