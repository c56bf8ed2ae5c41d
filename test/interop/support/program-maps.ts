// Maps for the kernel's programs that BPF_PROG_TEST_RUN runs, and what else of the kernel's a test has opened.
import { closeObject, createMap, updateElement } from '../../../src/bpf/kernel.ts';
import { fixedMaps, maskMap, PORT_VALUE } from '../../../src/datapath/ebpf/compiler/map-layout.ts';
import type { MaskSpec } from '../../../src/datapath/ebpf/compiler/program.ts';

const RING_BYTES = 1 << 20;
const opened: number[] = [];

/** An object to be closed with the others; gives it. */
export function keep(fd: number): number {
  opened.push(fd);
  return fd;
}

/** Closes all that was kept. */
export function closeAll(): void {
  for (const fd of opened.splice(0)) closeObject(fd);
}

/** All maps of a program by name, those of its masks among them; the device that test runs come in by (index 1) is the datapath's `port`. */
export function programMaps(port: number, masks: readonly Pick<MaskSpec, 'map' | 'words'>[], ringSize = RING_BYTES): Map<string, number> {
  const specs = [...fixedMaps(ringSize), ...masks.map(({ map, words }) => maskMap(map, words.length))];
  const maps = new Map(specs.map((spec) => [spec.name, keep(createMap(spec))]));
  const value = new Uint8Array(PORT_VALUE.size);
  value[0] = port;
  updateElement(maps.get('ports')!, Uint8Array.of(1, 0, 0, 0), value);
  return maps;
}
