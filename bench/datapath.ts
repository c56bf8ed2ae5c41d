// The default datapath: traffic through it beside the others, and its program alone, by number of flows and masks.
import { closeObject, createMap, loadProgram, testRun, updateElement } from '../src/bpf/kernel.ts';
import { shapeActions } from '../src/datapath/ebpf/compiler/action-cutter.ts';
import { ACTIONS_VALUE, FLOW_RECORD, FLOW_VALUE, fixedMaps, maskMap, PORT_VALUE } from '../src/datapath/ebpf/compiler/map-layout.ts';
import { compileProgram, MAX_MASKS, type MaskSpec } from '../src/datapath/ebpf/compiler/program.ts';
import { W } from '../src/flow/key.ts';
import { systemContenders } from './contender.ts';
import { run as runFlows } from './flows.ts';
import type { BenchOptions } from './main.ts';
import { compare } from './netdev.ts';
import { type ProgramFigures, printTargets, targets } from './targets.ts';
import { run as runTunnels } from './tunnels.ts';
import { inTurns, TURNS } from './turns.ts';

const FRAMES = 2000;
/** Of each frame: the first finds its flow's memory cold, as traffic of many flows does. */
const REPEAT = 4;

/** An IPv4 and UDP frame of 64 bytes with a destination of its own. */
function frameTo(address: number): Uint8Array {
  const frame = new Uint8Array(60);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1]);
  new DataView(frame.buffer).setUint32(30, address, false);
  frame.set([3, 232, 7, 208, 0, 26, 0, 0], 34);
  return frame;
}

/**
 * Nanoseconds of the program for a frame. All flows are under the last mask: the others are looked at in vain by a flow's first frame, after
 * which a hint leads to its mask.
 */
function nsPerFrame(flows: number, masks: number): { first: number; hot: number } {
  const maps = new Map<string, number>();
  const opened: number[] = [];
  const make = (spec: Parameters<typeof createMap>[0]): number => {
    const fd = createMap(spec);
    opened.push(fd);
    maps.set(spec.name, fd);
    return fd;
  };
  for (const spec of fixedMaps(1 << 20)) make(spec);
  const words = [W.IN_PORT, W.ETH, W.ETH + 1, W.ETH + 2, W.TYPE, W.VLAN0, W.NW_DST];
  const specs: MaskSpec[] = [];
  for (let i = 0; i < masks; i++) {
    const isLast = i === masks - 1;
    specs.push({
      map: `flows${i}`,
      number: i + 1,
      words,
      masks: words.map((word) => (word === W.NW_DST && !isLast ? (0xffffffff << (i % 31)) >>> 0 : 0xffffffff)),
    });
    make(maskMap(`flows${i}`, words.length));
  }
  const port = new Uint8Array(PORT_VALUE.size);
  port[0] = 1;
  updateElement(maps.get('ports')!, Uint8Array.of(1, 0, 0, 0), port);
  const shaped = shapeActions([{ kind: 'output', port: 2 }], () => ({ ifindex: 1, flags: 0 }));
  if (typeof shaped === 'string') throw new Error(shaped);
  const actions = new Uint8Array(ACTIONS_VALUE.size);
  actions[ACTIONS_VALUE.shape] = 1;
  actions.set(shaped.params, ACTIONS_VALUE.params);
  updateElement(maps.get('actions')!, new Uint8Array(4), actions);
  const table = maps.get(`flows${masks - 1}`)!;
  const key = new Uint8Array(words.length * 4);
  const keyView = new DataView(key.buffer);
  key.set([0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0, 17]);
  const value = new Uint32Array(FLOW_VALUE.size / 4);
  const record = new Uint8Array(FLOW_RECORD.size);
  for (let i = 0; i < flows; i++) {
    keyView.setUint32(24, 0x14000000 + i, false);
    value[0] = i;
    updateElement(table, key, new Uint8Array(value.buffer));
    record[FLOW_RECORD.mask] = masks;
    record.set(key, FLOW_RECORD.key);
    updateElement(maps.get('records')!, new Uint8Array(value.buffer), record);
  }
  const program = loadProgram(compileProgram({ masks: specs, shapes: [{ number: 1, shape: shaped.shape }] }), maps, 'weft_bench');
  opened.push(program);
  const round = (repeat: number): number => {
    let ns = 0;
    for (let i = 0; i < FRAMES; i++) {
      const run = testRun(program, frameTo(0x14000000 + ((i * 7919) % flows)), undefined, repeat);
      if (run.verdict !== 7) throw new Error(`verdict ${run.verdict}: the flow was not found`);
      ns += run.ns;
    }
    return ns / FRAMES;
  };
  const [first, hot] = [round(1), round(REPEAT)];
  for (const fd of opened) closeObject(fd);
  return { first, hot };
}

/** Prints what the program alone takes. */
export function runProgram(): ProgramFigures {
  process.stdout.write('the program alone, nanoseconds for a frame: of a flow that was seen before, and on the first round\n');
  const line = (label: string, flows: number, masks: number): { first: number; hot: number } => {
    const figures = nsPerFrame(flows, masks);
    const { first, hot } = figures;
    process.stdout.write(`  ${label.padEnd(28)} ${hot.toFixed(0).padStart(6)} ns ${first.toFixed(0).padStart(6)} ns\n`);
    return figures;
  };
  const [one, some, many] = [1, 1000, 100_000].map((flows) => line(`${flows.toLocaleString('en')} flows, 1 mask`, flows, 1));
  line('1,000 flows, 10 masks', 1000, 10);
  const last = line(`1,000 flows, ${MAX_MASKS} masks`, 1000, MAX_MASKS);
  return { oneFlow: one!.hot, manyFlows: many!.hot, perMask: (last.first - some!.first) / (MAX_MASKS - 1) };
}

/** Runs both. */
export async function run(options: BenchOptions): Promise<void> {
  const began = performance.now();
  const program = runProgram();
  const traffic = await compare('datapath', systemContenders, options);
  const turns = await inTurns([systemContenders.find(({ name }) => name === 'weft-system')!], TURNS);
  const flows = await runFlows(options);
  const tunnels = await runTunnels(options);
  printTargets(targets(traffic, turns, flows, tunnels, program));
  process.stdout.write(`in ${((performance.now() - began) / 60_000).toFixed(1)} minutes\n`);
}
