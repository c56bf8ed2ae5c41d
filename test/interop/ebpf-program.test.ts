// The compiled program against the user-space datapath, frame for frame, through BPF_PROG_TEST_RUN: the same key for every frame, and the
// same bytes after the same actions. WEFT_EBPF_PAIRS sets how many pairs (4,000 by default).
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { closeObject, createMap, deleteElement, loadProgram, lookupElement, testRun, updateElement } from '../../src/bpf/kernel.ts';
import type { DpAction, SetGroup } from '../../src/datapath/datapath.ts';
import { type ShapedActions, shapeActions, shapeName } from '../../src/datapath/ebpf/action-shape.ts';
import { EXTRACTED_WORDS } from '../../src/datapath/ebpf/extract-program.ts';
import { ACTIONS_VALUE, FLOW_VALUE, fixedMaps, maskMap, PORT_VALUE, TOTALS_VALUE } from '../../src/datapath/ebpf/map-layout.ts';
import { compileProgram, MAX_MASKS, MAX_SHAPES, type MaskSpec, PUNT_REASON } from '../../src/datapath/ebpf/program.ts';
import { DummyDatapath } from '../../src/datapath/userspace/dummy.ts';
import { extractKey, setVlanLimit } from '../../src/flow/extract.ts';
import { newKey, W } from '../../src/flow/key.ts';
import { currentSeed, pick, random, randomFrame } from './support/random-frames.ts';

const pairs = Number(process.env['WEFT_EBPF_PAIRS'] ?? 4_000);
const PORT = 7;
const words = [...EXTRACTED_WORDS].sort((x, y) => x - y);
const allMask: MaskSpec = { map: 'flows', words, masks: words.map(() => 0xffffffff) };
const opened: number[] = [];
after(() => {
  for (const fd of opened) closeObject(fd);
});

function load(masks: readonly MaskSpec[], shaped: readonly ShapedActions[], vlanLimit = 2) {
  const maps = new Map<string, number>();
  for (const spec of [...fixedMaps(1 << 20), ...masks.map((mask) => maskMap(mask.map, mask.words.length))]) {
    const fd = createMap(spec);
    opened.push(fd);
    maps.set(spec.name, fd);
  }
  const port = new Uint8Array(PORT_VALUE.size);
  port[0] = PORT;
  updateElement(maps.get('ports')!, Uint8Array.of(1, 0, 0, 0), port);
  const shapes = shaped.map(({ shape }, i) => ({ number: i + 1, shape }));
  const program = loadProgram(compileProgram({ masks, shapes, vlanLimit }), maps, 'weft_test');
  opened.push(program);
  return { program, flows: maps.get('flows')!, maps };
}

function keyBytes(frame: Uint8Array): Uint8Array {
  const key = newKey();
  key[W.IN_PORT] = PORT;
  extractKey(frame, 0, frame.length, key);
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of words.entries()) view.setUint32(i * 4, key[word]!, false);
  return bytes;
}

/** The actions of the only list in use, number 0. */
function storeActions(maps: ReadonlyMap<string, number>, shape: number, params: Uint8Array): void {
  const value = new Uint8Array(ACTIONS_VALUE.size);
  new DataView(value.buffer).setUint32(ACTIONS_VALUE.shape, shape, true);
  value.set(params, ACTIONS_VALUE.params);
  updateElement(maps.get('actions')!, new Uint8Array(4), value);
}

/** Frames that the program gave to user space because of their headers, and because it knew no flow. */
function punted(maps: ReadonlyMap<string, number>): { unusual: number; miss: number } {
  const value = new Uint8Array(TOTALS_VALUE.size);
  lookupElement(maps.get('totals')!, new Uint8Array(4), value);
  const at = (reason: number): number => new DataView(value.buffer).getUint32(TOTALS_VALUE.punted + reason * 8, true);
  return { unusual: at(PUNT_REASON.unusual), miss: at(PUNT_REASON.miss) };
}

for (const vlanLimit of [1, 2]) {
  test(`the program reads the same key from every frame, up to ${vlanLimit} tags`, (t) => {
    setVlanLimit(vlanLimit);
    const { program, flows, maps } = load([allMask], [], vlanLimit);
    for (let i = 0; i < pairs; i++) {
      const before = currentSeed();
      const frame = randomFrame();
      const key = keyBytes(frame);
      updateElement(flows, key, new Uint8Array(FLOW_VALUE.size));
      testRun(program, frame);
      assert.equal(punted(maps).miss, 0, `frame ${i} (WEFT_SEED=${before}): ${Buffer.from(frame).toString('hex')}`);
      assert.ok(deleteElement(flows, key));
    }
    const { unusual } = punted(maps);
    t.diagnostic(`${pairs} frames, ${unusual} of them beyond the program's bounds`);
    assert.ok(unusual < pairs / 100);
    setVlanLimit(2);
  });
}

const set = (group: SetGroup, ...triples: [number, number, number][]): DpAction => ({
  kind: 'set',
  group,
  words: Uint32Array.from(triples.flat()),
});
const word32 = (): number => ((random(65536) << 16) | random(65536)) >>> 0;
const mask32 = (): number => pick([0xffffffff, 0xffffffff, 0xff00, 0xffff0000, word32()]);

/** Masks of a round of frames: they are part of a shape, so one program serves the round. */
const randomProfile = () => ({
  eth: [mask32(), mask32(), mask32()] as const,
  ipv4: [mask32(), mask32(), pick([0xff000000, 0xff0000, 0xfcff0000])] as const,
  ipv6: [random(4), random(4)] as const,
  address: [mask32(), mask32()] as const,
  ports: mask32(),
});

/** Changes that suit the frame, as translation would make them. */
function randomActions(frame: Uint8Array, profile: ReturnType<typeof randomProfile>): DpAction[] {
  const list: DpAction[] = [];
  const key = newKey();
  extractKey(frame, 0, frame.length, key);
  const type = key[W.TYPE]! >>> 16;
  const proto = key[W.TYPE]! & 255;
  const triple = (word: number, mask: number): [number, number, number] => [word, word32(), mask];
  if (random(2) === 0) list.push(set('eth', ...profile.eth.map((mask, i) => triple(W.ETH + i, mask))));
  const hasNetwork = key[W.NW_SRC] !== 0 || key[W.IPV6_SRC] !== 0;
  if (type === 0x0800 && hasNetwork) {
    const [source, destination, tos] = profile.ipv4;
    list.push(set('ipv4', triple(W.NW_SRC, source), triple(W.NW_DST, destination), triple(W.TOS, tos)));
  } else if (type === 0x86dd && hasNetwork) {
    const words = [triple(W.IPV6_SRC + profile.ipv6[0], profile.address[0]), triple(W.IPV6_DST + profile.ipv6[1], profile.address[1])];
    list.push(set('ipv6', ...words, triple(W.TOS, 0xffff0000)));
  }
  const isLater = (key[W.TYPE]! & 0x200) !== 0;
  if (hasNetwork && !isLater && (type === 0x0800 || type === 0x86dd) && key[W.TP] !== 0) {
    if (proto === 6) list.push(set('tcp', triple(W.TP, profile.ports)));
    if (proto === 17) list.push(set('udp', triple(W.TP, profile.ports)));
  }
  return list;
}

/** A test run does not show the tag in a frame's metadata: this one takes its place there, and puts it into the frame. */
const reveal: DpAction = { kind: 'pushVlan', tpid: 0x8100, tci: 0x1fff };

test('the same actions leave the same bytes', async () => {
  const datapath = new DummyDatapath(new VirtualClock());
  const out = await datapath.portAdd({ kind: 'dummy', device: 'p1' });
  let sent: Uint8Array | undefined;
  datapath.setSentSink((s) => {
    sent = s.frame.slice();
  });
  const hex = (b: Uint8Array | undefined): string => Buffer.from(b ?? []).toString('hex');
  let compared = 0;
  while (compared < pairs) {
    const profile = randomProfile();
    const samples: { frame: Uint8Array; actions: DpAction[]; shaped: ShapedActions; number: number }[] = [];
    const shapes = new Map<string, { number: number; shaped: ShapedActions }>();
    while (samples.length < 500) {
      const frame = randomFrame();
      const actions = randomActions(frame, profile);
      const shaped = shapeActions([...actions, reveal], true, () => undefined);
      assert.ok(typeof shaped !== 'string', String(shaped));
      const name = shapeName(shaped.shape);
      let known = shapes.get(name);
      if (known === undefined) {
        known = { number: shapes.size + 1, shaped };
        shapes.set(name, known);
      }
      samples.push({ frame, actions, shaped, number: known.number });
    }
    const { program, flows, maps } = load(
      [allMask],
      [...shapes.values()].map((one) => one.shaped),
    );
    for (const { frame, actions, shaped, number } of samples) {
      const key = keyBytes(frame);
      storeActions(maps, number, shaped.params);
      updateElement(flows, key, new Uint8Array(FLOW_VALUE.size));
      const got = testRun(program, frame).frame;
      deleteElement(flows, key);
      sent = undefined;
      const userKey = newKey();
      userKey[W.IN_PORT] = PORT;
      datapath.execute(frame, userKey, [...actions, { kind: 'output', port: out }]);
      if (hex(got) !== hex(sent))
        assert.equal(hex(got), hex(sent), `seed ${currentSeed()}: frame ${hex(frame)} actions ${JSON.stringify(actions)}`);
      compared++;
    }
    for (const fd of opened.splice(0)) closeObject(fd);
  }
});

test('the largest program that is ever made passes the verifier', (t) => {
  const masks = Array.from({ length: MAX_MASKS }, (_, i) => ({
    map: `flows${i}`,
    words,
    masks: words.map((_word, j) => (j === 1 ? i + 1 : 0xffffffff)),
  }));
  const shaped: ShapedActions[] = [];
  for (let i = 0; i < MAX_SHAPES; i++) {
    const frame = randomFrame();
    const list = [
      ...randomActions(frame, randomProfile()),
      { kind: 'output', port: 1 } as const,
      { kind: 'pushVlan', tpid: 0x8100, tci: 0x1001 } as const,
      { kind: 'output', port: 1 } as const,
    ];
    const one = shapeActions(list, true, () => ({ ifindex: 1, flags: 0 }));
    assert.ok(typeof one !== 'string', String(one));
    shaped.push(one);
  }
  const started = performance.now();
  load(masks, shaped);
  const ms = performance.now() - started;
  t.diagnostic(`${ms.toFixed(0)} ms`);
  // Generous: other work may share the processors.
  assert.ok(ms < 10_000, `took ${ms} ms`);
  for (const fd of opened.splice(0)) closeObject(fd);
});
