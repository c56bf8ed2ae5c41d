// A gate: the program that jumps to another, which a map names, and leaves frames to whatever comes after it while the map names none. It may stand at
// devices as a filter, which the kernel keeps when we are killed: the map's entries go with the last descriptor or pin of it (map_release_uref of
// `struct bpf_map_ops`), and then the filter is one that passes frames on.
import { closeFd } from '../host/ffi.ts';
import { Assembler } from './instructions.ts';
import { createMap, loadProgram, MAP_TYPE, updateElement } from './kernel.ts';

const TC_ACT_UNSPEC = -1;
/** bpf-helpers(7): bpf_tail_call(ctx, map, index), which returns only where it fails. */
const TAIL_CALL = 12;
const GATE = new Assembler().loadMap(2, 'to').mov(3, 0).call(TAIL_CALL).mov(0, TC_ACT_UNSPEC).exit().finish();

/** A gate to the first program that this map names, at any time. Gives its descriptor. Throws KernelError. */
export const loadGate = (map: number): number => loadProgram(GATE, new Map([['to', map]]), 'weft_gate');

/** A gate to one program, open until `close` or our end. */
export class Gate {
  /** The gate's descriptor. */
  readonly program: number;
  readonly #map: number;

  /** Throws KernelError. */
  constructor(target: number) {
    this.#map = createMap({ name: 'gate', type: MAP_TYPE.progArray, keySize: 4, valueSize: 4, maxEntries: 1 });
    try {
      updateElement(this.#map, new Uint8Array(4), new Uint8Array(Uint32Array.of(target).buffer));
      this.program = loadGate(this.#map);
    } catch (error) {
      closeFd(this.#map);
      throw error;
    }
  }

  close(): void {
    closeFd(this.program);
    closeFd(this.#map);
  }
}
