// The compiled program against the user-space datapath, frame for frame, through BPF_PROG_TEST_RUN: the same key for every frame, and the
// same bytes after the same actions. WEFT_EBPF_PAIRS sets how many pairs (4,000 by default).
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { createMap, deleteElement, loadProgram, lookupElement, MAP_TYPE, testRun, updateElement } from '../../src/bpf/kernel.ts';
import { MapBatch } from '../../src/bpf/map-batch.ts';
import { verifiedInstructions } from '../../src/bpf/objects.ts';
import type { DpAction, SetGroup } from '../../src/datapath/datapath.ts';
import { shapeActions } from '../../src/datapath/ebpf/compiler/action-cutter.ts';
import { allSteps, type ShapedActions, shapeName } from '../../src/datapath/ebpf/compiler/action-shape.ts';
import { EXTRACTED_WORDS } from '../../src/datapath/ebpf/compiler/extract-program.ts';
import {
  ACTIONS_VALUE,
  FLOW_VALUE,
  PAIR_WORDS,
  PENDING_VALUE,
  PORT_VALUE,
  RECORD_WORDS,
  TOTALS_VALUE,
} from '../../src/datapath/ebpf/compiler/map-layout.ts';
import { compileProgram, MAX_MASKS, MAX_SHAPES, type MaskSpec, PUNT_REASON } from '../../src/datapath/ebpf/compiler/program.ts';
import { FlowRecords } from '../../src/datapath/ebpf/flow-records.ts';
import { KernelFlows } from '../../src/datapath/ebpf/kernel-flows.ts';
import { KernelMeters } from '../../src/datapath/ebpf/kernel-meters.ts';
import { DummyDatapath } from '../../src/datapath/userspace/dummy.ts';
import { extractKey, setVlanLimit } from '../../src/flow/extract.ts';
import { newKey, W } from '../../src/flow/key.ts';
import { closeAll, keep, programMaps } from './support/program-maps.ts';
import { currentSeed, pick, random, randomFrame } from './support/random-frames.ts';

const pairs = Number(process.env['WEFT_EBPF_PAIRS'] ?? 4_000);
const PORT = 7;
const words = [...EXTRACTED_WORDS].sort((x, y) => x - y);
const allMask: MaskSpec = { map: 'flows', words, masks: words.map(() => 0xffffffff) };
after(closeAll);

function load(masks: readonly MaskSpec[], shaped: readonly ShapedActions[], vlanLimit = 2) {
  const maps = programMaps(PORT, masks);
  const shapes = shaped.map(({ shape }, i) => ({ number: i + 1, shape }));
  const compiled = compileProgram({ masks, shapes, vlanLimit });
  const program = loadProgram(compiled, maps, 'weft_test');
  keep(program);
  updateElement(maps.get('programs')!, new Uint8Array(4), new Uint8Array(Uint32Array.of(program).buffer));
  return { program, flows: maps.get('flows')!, maps, length: compiled.length };
}

function keyBytes(frame: Uint8Array, recircId = 0, dpHash = 0): Uint8Array {
  const key = newKey();
  key[W.IN_PORT] = PORT;
  extractKey(frame, 0, frame.length, key);
  key[W.RECIRC_ID] = recircId;
  key[W.DP_HASH] = dpHash;
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of words.entries()) view.setUint32(i * 4, key[word]!, false);
  return bytes;
}

/** Stores an action list. */
function storeActions(maps: ReadonlyMap<string, number>, shape: number, params: Uint8Array, list = 0): void {
  const value = new Uint8Array(ACTIONS_VALUE.size);
  new DataView(value.buffer).setUint32(ACTIONS_VALUE.shape, shape, true);
  value.set(params, ACTIONS_VALUE.params);
  updateElement(maps.get('actions')!, new Uint8Array(Uint32Array.of(list).buffer), value);
}

/** All shapes of a list, those of the lists under it among them. */
function* shapesOf(shaped: ShapedActions): Generator<ShapedActions> {
  yield shaped;
  for (const child of shaped.children) if (child.shaped !== undefined) yield* shapesOf(child.shaped);
}

/** Stores an action list and those under it. */
function storeLists(maps: ReadonlyMap<string, number>, numbers: ReadonlyMap<string, number>, shaped: ShapedActions, list = 0): number {
  let next = list + 1;
  const params = shaped.params.slice();
  for (const child of shaped.children) {
    assert.ok(child.shaped !== undefined);
    new DataView(params.buffer).setUint32(child.at, next, true);
    next = storeLists(maps, numbers, child.shaped, next);
  }
  storeActions(maps, numbers.get(shapeName(shaped.shape))!, params, list);
  return next;
}

/** Frames that the program gave to user space because of their headers, and because it knew no flow. */
function punted(maps: ReadonlyMap<string, number>): { unusual: number; miss: number; actions: number } {
  const value = new Uint8Array(TOTALS_VALUE.size);
  lookupElement(maps.get('totals')!, new Uint8Array(4), value);
  const at = (reason: number): number => new DataView(value.buffer).getUint32(TOTALS_VALUE.punted + reason * 8, true);
  return { unusual: at(PUNT_REASON.unusual), miss: at(PUNT_REASON.miss), actions: at(PUNT_REASON.actions) };
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
  label: mask32(),
  tos6: pick([0xff000000, 0xff0000, 0xffff0000]),
  ports: mask32(),
  arp: [mask32(), mask32(), mask32(), mask32(), mask32()] as const,
  target: [mask32(), mask32()] as const,
  tci: pick([0xfff, 0xe000, 0xefff]),
  mpls: pick([0xffffffff, 0xfffff000, 0xff, 0xe00]),
  nsh: [pick([0x033f0000, 0x003f0000, 0x03000000]), mask32(), mask32()] as const,
});
type Profile = ReturnType<typeof randomProfile>;

const triple = (word: number, mask: number): [number, number, number] => [word, (word32() & mask) >>> 0, mask];

/** A test run does not show the tag in a frame's metadata: this one takes its place there, and puts it into the frame. */
const reveal: DpAction = { kind: 'pushVlan', tpid: 0x8100, tci: 0x1fff };

/** Whether a frame stands behind the NSH, and there is no tag before it: a tag is refused, and what is no frame is user space's. */
const isUnwrapped = (key: Uint32Array): boolean => key[W.VLAN0] === 0 && (key[W.NSH]! & 255) === 3;

/** Headers before the whole frame, as encap makes them. */
function randomWrap(): DpAction[] {
  const label = (): DpAction => ({ kind: 'addMpls', ethertype: 0x8847, lse: word32(), isL3: true });
  const header = Uint8Array.from({ length: pick([8, 24, 24, 40]) }, () => random(256));
  const inner: DpAction[] = random(3) > 0 ? [{ kind: 'pushNsh', header }] : [label()];
  if (random(4) === 0) inner.push(label());
  return [...inner, { kind: 'pushEth', dst: [word32(), random(65536)], src: [word32(), random(65536)] }];
}

/** Sets of the network and transport headers that the frame has. */
function headerSets(key: Uint32Array, profile: Profile): DpAction[] {
  const list: DpAction[] = [];
  const type = key[W.TYPE]! >>> 16;
  const proto = key[W.TYPE]! & 255;
  if (type === 0x0800) {
    const [source, destination, tos] = profile.ipv4;
    list.push(set('ipv4', triple(W.NW_SRC, source), triple(W.NW_DST, destination), triple(W.TOS, tos)));
    if (proto === 1) list.push(set('icmp', triple(W.TP, 0x00ff00ff)));
  } else if (type === 0x86dd) {
    const addresses = [triple(W.IPV6_SRC + profile.ipv6[0], profile.address[0]), triple(W.IPV6_DST + profile.ipv6[1], profile.address[1])];
    list.push(set('ipv6', ...addresses, triple(W.IPV6_LABEL, profile.label & 0xfffff), triple(W.TOS, profile.tos6)));
    if (proto === 58) {
      list.push(set('nd', triple(W.ND_TARGET, profile.target[0]), triple(W.ND_TARGET + 3, profile.target[1])));
      const links = profile.arp.slice(0, 3).map((mask, i) => triple(W.ARP_HW + i, mask));
      if (random(2) === 0) list.push(set('nd', triple(W.ND_RESERVED, 0xff), ...links.slice(random(3))));
      list.push(set('icmpv6', triple(W.TP, 0x00ff00ff)));
    }
  } else if (type === 0x0806) {
    const [spa, tpa, ...hw] = profile.arp;
    const words = hw.map((mask, i) => triple(W.ARP_HW + i, mask));
    list.push(set('arp', triple(W.NW_SRC, spa), triple(W.NW_DST, tpa), triple(W.TYPE, 0xff), ...words));
  } else if (type === 0x8847 || type === 0x8848) {
    list.push(set('mpls', triple(W.MPLS, profile.mpls)));
    for (let i = random(3); i > 0; i--) list.push({ kind: 'popMpls', ethertype: pick([0x0800, 0x86dd, 0x8847, 0x8848]) });
  }
  if (type === 0x894f) {
    const [first, path, context] = profile.nsh;
    const contexts = [triple(W.NSH_C, context), triple(W.NSH_C + 3, 0xffffffff)];
    list.push(set('nsh', ...(random(2) === 0 ? [triple(W.NSH, first), triple(W.NSH_PATH, path)] : []), ...contexts));
    if (random(2) === 0 && isUnwrapped(key)) list.push({ kind: 'popEth' }, { kind: 'popNsh' });
  }
  if (proto === 6 && type !== 0x0806) list.push(set('tcp', triple(W.TP, profile.ports)));
  if (proto === 17 && type !== 0x0806) list.push(set('udp', triple(W.TP, profile.ports)));
  if (proto === 132 && type !== 0x0806) list.push(set('sctp', triple(W.TP, profile.ports)));
  return list;
}

function vlanChanges(profile: Profile): DpAction[] {
  const list: DpAction[] = [];
  if (random(3) === 0) list.push(set('vlan', triple(W.VLAN0, profile.tci)));
  for (let i = random(3); i > 0; i--) {
    list.push(random(2) === 0 ? { kind: 'popVlan' } : { kind: 'pushVlan', tpid: pick([0x8100, 0x88a8]), tci: 0x1000 | random(0xefff) });
  }
  return list;
}

/** Changes that suit the frame, as translation would make them. */
function randomActions(frame: Uint8Array, profile: Profile): DpAction[] {
  const key = newKey();
  extractKey(frame, 0, frame.length, key);
  const list: DpAction[] = [];
  if (random(2) === 0) list.push(set('eth', ...profile.eth.map((mask, i) => triple(W.ETH + i, mask))));
  if (random(4) > 0) list.push(...headerSets(key, profile));
  if (random(6) === 0 && list.at(-1)?.kind !== 'popMpls') {
    list.push({ kind: 'pushMpls', ethertype: 0x8847, lse: word32() });
    if (random(2) === 0) list.push(set('mpls', triple(W.MPLS, profile.mpls)));
    if (random(2) === 0) list.push({ kind: 'popMpls', ethertype: 0x0800 });
  }
  if (random(3) === 0) list.push(...vlanChanges(profile));
  if (random(12) === 0 && !list.some(({ kind }) => kind === 'pushVlan')) list.push(...randomWrap());
  // Changes that need the headers read anew. Behind a third tag there are none for user space.
  if (random(6) === 0 && !list.some(({ kind }) => kind === 'pushVlan')) {
    for (let i = random(4); i >= 0; i--) list.push(...headerSets(key, profile));
    if (random(2) === 0) list.push({ kind: 'pushVlan', tpid: 0x8100, tci: 0x1000 }, { kind: 'pushMpls', ethertype: 0x8847, lse: word32() });
    list.push(...vlanChanges(profile));
  }
  if (random(8) > 0) return [...list, reveal];
  // A choice by length, with lists of their own; or one by chance that is certain or never so.
  const nested = (): DpAction[] => [set('eth', triple(W.ETH, profile.eth[0])), reveal];
  if (random(2) === 0)
    return [...list, { kind: 'checkPktLen', length: 60 + random(60), larger: nested(), smaller: [...vlanChanges(profile), reveal] }];
  return [...list, { kind: 'clone', actions: nested() }];
}

/** What user space sends for a list of actions: its outputs stand at the ends of lists, where the kernel's test run ends. */
function withOutputs(actions: readonly DpAction[], output: DpAction): DpAction[] {
  const last = actions.at(-1);
  const inner = (list: readonly DpAction[]): DpAction[] => withOutputs(list, output);
  if (last?.kind === 'checkPktLen') return [...actions.slice(0, -1), { ...last, larger: inner(last.larger), smaller: inner(last.smaller) }];
  if (last?.kind === 'clone') return [...actions.slice(0, -1), { ...last, actions: inner(last.actions) }];
  // The tag that the kernel's side keeps in the metadata is no part of the bytes compared.
  return [...actions.filter((action) => action !== reveal), output];
}

test('the same actions leave the same bytes', async (t) => {
  setVlanLimit(2);
  const datapath = new DummyDatapath(new VirtualClock());
  const out = await datapath.portAdd({ kind: 'dummy', device: 'p1' });
  let sent: Uint8Array | undefined;
  datapath.setSentSink((s) => {
    sent = s.frame.slice();
  });
  const hex = (b: Uint8Array | undefined): string => Buffer.from(b ?? []).toString('hex');
  /** Lists that had such a step. */
  const ops = new Map<string, number>();
  let compared = 0;
  let continued = 0;
  let left = 0;
  while (compared < pairs) {
    const profile = randomProfile();
    const samples: { frame: Uint8Array; actions: DpAction[]; shaped: ShapedActions }[] = [];
    const shapes = new Map<string, ShapedActions>();
    const numbers = new Map<string, number>();
    while (samples.length < 1000) {
      const frame = randomFrame();
      const actions = randomActions(frame, profile);
      const shaped = shapeActions(actions, () => undefined);
      assert.ok(typeof shaped !== 'string', String(shaped));
      const added = [...shapesOf(shaped)].filter((one) => !shapes.has(shapeName(one.shape)));
      if (shapes.size + added.length > MAX_SHAPES * 1.5) continue;
      for (const one of added) {
        // Two parts of a list may have one shape.
        if (shapes.has(shapeName(one.shape))) continue;
        shapes.set(shapeName(one.shape), one);
        numbers.set(shapeName(one.shape), shapes.size);
      }
      if (shaped.children.length > 0) continued++;
      samples.push({ frame, actions, shaped });
    }
    const { program, flows, maps } = load([allMask], [...shapes.values()]);
    for (const { frame, actions, shaped } of samples) {
      const key = keyBytes(frame);
      storeLists(maps, numbers, shaped);
      updateElement(flows, key, new Uint8Array(FLOW_VALUE.size));
      const before = punted(maps);
      const got = testRun(program, frame).frame;
      const after = punted(maps);
      deleteElement(flows, key);
      assert.equal(after.miss, before.miss);
      if (after.actions > before.actions || after.unusual > before.unusual) {
        left++;
        continue;
      }
      sent = undefined;
      const userKey = newKey();
      userKey[W.IN_PORT] = PORT;
      datapath.execute(frame, userKey, withOutputs(actions, { kind: 'output', port: out }));
      if (hex(got) !== hex(sent)) {
        assert.equal(hex(got), hex(sent), `WEFT_SEED ${currentSeed()}: frame ${hex(frame)} actions ${JSON.stringify(actions)}`);
      }
      compared++;
      for (const op of new Set([...shapesOf(shaped)].flatMap(({ shape }) => [...allSteps(shape.steps)].map((step) => step.op))))
        ops.set(op, (ops.get(op) ?? 0) + 1);
    }
    closeAll();
  }
  t.diagnostic([...ops].map(([op, count]) => `${op} ${count}`).join(', '));
  for (const op of ['patch', 'ndOption', 'pushMpls', 'popMpls', 'wrap', 'unwrap', 'choice', 'continue']) assert.ok(ops.get(op)! > 10, op);
  t.diagnostic(`${compared} pairs compared, ${continued} lists of several parts; ${left} more were left to user space`);
  assert.ok(continued > compared / 100);
  assert.ok(left < compared / 10);
});

test('a frame is cut off where user space cuts it off', async (t) => {
  setVlanLimit(2);
  const datapath = new DummyDatapath(new VirtualClock());
  const out = await datapath.portAdd({ kind: 'dummy', device: 'p1' });
  let sent: Uint8Array | undefined;
  datapath.setSentSink((s) => {
    sent = s.frame.slice();
  });
  let left = 0;
  let cut = 0;
  for (let round = 0; round < Math.max(10, pairs / 400); round++) {
    const actions: DpAction[] = [
      { kind: 'trunc', maxLength: 14 + random(400) },
      { kind: 'output', port: out },
    ];
    const shaped = shapeActions(actions, () => ({ ifindex: 1, flags: 0 }));
    assert.ok(typeof shaped !== 'string');
    const { program, flows, maps } = load([allMask], [shaped]);
    storeActions(maps, 1, shaped.params);
    for (let i = 0; i < 40; i++) {
      const frame = Uint8Array.from([...randomFrame(), ...new Uint8Array(random(400))]);
      const userKey = newKey();
      userKey[W.IN_PORT] = PORT;
      datapath.execute(frame, userKey, actions);
      // A test run does not show the tag that is in the metadata.
      if (sent![12] === 0x81 || sent![12] === 0x88) continue;
      const key = keyBytes(frame);
      updateElement(flows, key, new Uint8Array(FLOW_VALUE.size));
      const before = punted(maps);
      const got = testRun(program, frame).frame;
      deleteElement(flows, key);
      if (punted(maps).actions > before.actions || punted(maps).unusual > before.unusual) {
        left++;
        continue;
      }
      assert.equal(punted(maps).miss, before.miss);
      assert.deepEqual(got, sent, `WEFT_SEED ${currentSeed()}: ${Buffer.from(frame).toString('hex')} ${JSON.stringify(actions)}`);
      if (got.length < frame.length) cut++;
    }
    closeAll();
  }
  t.diagnostic(`${cut} frames cut off, ${left} left to user space`);
  assert.ok(cut > left);
});

for (const algorithm of [0, 1]) {
  test(`a frame is looked up once more, with the hash that user space makes (algorithm ${algorithm})`, async () => {
    setVlanLimit(2);
    const datapath = new DummyDatapath(new VirtualClock());
    let found: Uint32Array | undefined;
    datapath.setUpcallSink((batch) => {
      found = batch.at(-1)?.key;
    });
    const recirculate: DpAction[] = [
      { kind: 'hash', algorithm, basis: 7 },
      { kind: 'recirc', id: 5 },
    ];
    const first = shapeActions(recirculate, () => undefined);
    const second = shapeActions([set('eth', [W.ETH, 0x01020304, 0xffffffff]), reveal], () => undefined);
    assert.ok(typeof first !== 'string' && typeof second !== 'string');
    const { program, flows, maps } = load([allMask, { ...allMask, map: 'unused', masks: words.map(() => 0xff) }], [first, second]);
    storeActions(maps, 1, first.params, 0);
    storeActions(maps, 2, second.params, 1);
    const records = new FlowRecords(maps.get('records')!);
    records.setActions(1, 1);
    records.close();
    let hashes = 0;
    const count = Math.max(200, Math.floor(pairs / 20));
    for (let i = 0; i < count; i++) {
      const frame = randomFrame();
      const key = newKey();
      key[W.IN_PORT] = PORT;
      found = undefined;
      datapath.execute(frame, key, recirculate);
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(found !== undefined);
      assert.equal(found[W.RECIRC_ID], 5);
      if (found[W.DP_HASH] !== 0) hashes++;
      const before = keyBytes(frame);
      const after = keyBytes(frame, 5, found[W.DP_HASH]);
      updateElement(flows, before, new Uint8Array(FLOW_VALUE.size));
      updateElement(flows, after, new Uint8Array(Uint32Array.of(1).buffer));
      const got = testRun(program, frame).frame;
      assert.deepEqual([...got.subarray(0, 4)], [1, 2, 3, 4], `${i}: ${Buffer.from(frame).toString('hex')}`);
      deleteElement(flows, before);
      deleteElement(flows, after);
    }
    assert.equal(hashes, count);
    // A list that comes back to itself ends.
    const frame = randomFrame();
    storeActions(maps, 1, first.params, 1);
    updateElement(flows, keyBytes(frame), new Uint8Array(FLOW_VALUE.size));
    testRun(program, frame);
  });
}

test('a meter passes and counts as in user space', () => {
  const [metered, plain] = [
    shapeActions(
      [{ kind: 'meter', meter: 0 }, reveal],
      () => undefined,
      () => 18,
    ),
    shapeActions([], () => undefined),
  ];
  assert.ok(typeof metered !== 'string' && typeof plain !== 'string');
  const { program, flows, maps } = load([allMask], [metered, plain]);
  storeActions(maps, 1, metered.params);
  const meters = new KernelMeters(maps.get('meters')!);
  const frame = randomFrame();
  updateElement(flows, keyBytes(frame), new Uint8Array(FLOW_VALUE.size));
  const size = BigInt(frame.length);
  // The tenth meter has the place that the list names: even ones come first.
  for (let i = 0; i < 10; i++) meters.set(i, { countsPackets: true, bands: [{ rate: 1, burst: 1_000_000 }] });
  for (const countsPackets of [true, false]) {
    const began = performance.now();
    meters.set(9, { countsPackets, bands: [{ rate: 50, burst: countsPackets ? 20 : Math.ceil((frame.length * 8 * 20) / 1000) }] });
    for (let i = 0; i < 500; i++) testRun(program, frame);
    const { packets, bytes, bands } = meters.stats(9)!;
    assert.deepEqual([packets, bytes, bands[0]!.bytes], [500n, 500n * size, bands[0]!.packets * size]);
    const passed = Number(packets - bands[0]!.packets);
    const most = 22 + ((performance.now() - began) * 50) / (countsPackets ? 1000 : frame.length * 8) + 1000 / (frame.length * 8);
    assert.ok(passed >= 20 && passed <= most, `${passed} passed, ${most} at most`);
    // The same bucket from user space is as empty.
    assert.equal(punted(maps).actions, 0);
  }
  meters.close();
  closeAll();
});

test('a meter of several bands: the program counts each frame for the band that user space would', () => {
  const plain = shapeActions([], () => undefined);
  // Slow ones, so that what comes back meanwhile does not matter.
  const bands = [
    { rate: 2, burst: 30 },
    { rate: 1, burst: 10 },
    { rate: 3, burst: 60 },
  ];
  // The second meter's place: even ones come first.
  const place = 2;
  const shaped = shapeActions(
    [{ kind: 'meter', meter: 7 }, reveal],
    () => undefined,
    () => place,
  );
  assert.ok(typeof plain !== 'string');
  assert.ok(typeof shaped !== 'string');
  const { program, flows, maps } = load([allMask], [shaped, plain]);
  storeActions(maps, 1, shaped.params);
  const kernel = new KernelMeters(maps.get('meters')!);
  kernel.set(3, { countsPackets: true, bands: bands.slice(0, 1) });
  // Bands come and go, the place stays.
  for (let count = 0; count < 3; count++) {
    assert.equal(kernel.set(7, { countsPackets: true, bands: [...bands, ...bands] }), place);
    assert.equal(kernel.set(7, { countsPackets: true, bands }), place);
  }
  const frame = randomFrame();
  updateElement(flows, keyBytes(frame), new Uint8Array(FLOW_VALUE.size));
  const began = performance.now();
  for (let i = 0; i < 300; i++) testRun(program, frame);
  const { packets, bytes, bands: told } = kernel.stats(7)!;
  assert.deepEqual([packets, bytes], [300n, 300n * BigInt(frame.length)]);
  // What exceeds the lowest rate alone is its own; from the 31st frame on the next drops, from the 61st the highest.
  const seconds = Math.ceil((performance.now() - began) / 1000);
  const expected = [30, 20, 240];
  for (const [i, { packets: dropped, bytes: size }] of told.entries()) {
    assert.ok(Math.abs(Number(dropped) - expected[i]!) <= 6 * seconds, `band ${i} dropped ${dropped}`);
    assert.equal(size, dropped * BigInt(frame.length));
  }
  // Nothing is left of it once it is gone: the place lets all pass.
  assert.ok(kernel.delete(7));
  assert.equal(kernel.stats(7), undefined);
  for (let i = 0; i < 30; i++) testRun(program, frame);
  assert.equal(Number(kernel.stats(3)!.packets), 0);
  kernel.close();
});

test('a hint never gives a stale answer, and costs less than to look', (t) => {
  const shaped = Array.from({ length: 2 }, (_, i) => shapeActions([set('eth', [W.ETH, i + 1, 0xffffffff]), reveal], () => undefined));
  const nothing = shapeActions([], () => undefined);
  assert.ok(typeof nothing !== 'string');
  const masks = Array.from({ length: MAX_MASKS }, (_, i): MaskSpec => {
    // Keys of a third of them take two records, and some are too long for those.
    const more = i % 9 === 1 ? [W.VLAN0, W.NW_SRC, W.NW_DST] : [];
    const rest = i % 3 === 0 || i % 9 === 1 ? [...more, ...words.filter((word) => word >= W.IPV6_SRC).slice(0, i % 3 === 0 ? 8 : 21)] : [];
    const bits = [0xffffffff, (0x80000000 >> (i % 31)) >>> 0, ...rest.map(() => 0)];
    return { map: `flows${i}`, number: i + 1, words: [W.IN_PORT, W.ETH, ...rest], masks: bits };
  });
  const made = shaped.filter((one) => typeof one !== 'string');
  const { program, maps } = load(masks, [made[0]!, nothing]);
  for (const [i, one] of made.entries()) storeActions(maps, 1, one.params, i);
  const frame = randomFrame();
  frame.set([0x55, 0x55, 0x55, 0x55], 0);
  const key = (mask: number): Uint8Array => {
    const bytes = new Uint8Array(masks[mask]!.words.length * 4);
    new DataView(bytes.buffer).setUint32(0, PORT);
    new DataView(bytes.buffer).setUint32(4, (0x55555555 & (0x80000000 >> (mask % 31))) >>> 0);
    return bytes;
  };
  const held = new Map<number, { record: number; list: number }>();
  const records = new FlowRecords(maps.get('records')!);
  const remove = (mask: number): void => {
    records.hide(held.get(mask)!.record);
    deleteElement(maps.get(`flows${mask}`)!, key(mask));
    held.delete(mask);
  };
  let hinted = 0;
  for (let i = 0; i < 2000; i++) {
    const mask = random(MAX_MASKS);
    const fd = maps.get(`flows${mask}`)!;
    const change = random(5);
    const [[other] = []] = held;
    if (change === 0 && other !== undefined) {
      remove(other);
    } else if (held.size === 0 || change === 1) {
      // Only one flow at a time: overlapping ones would have the same actions. Its record was another's a moment ago.
      if (other !== undefined) remove(other);
      const { length } = masks[mask]!.words;
      const flow = { record: length > RECORD_WORDS && length <= PAIR_WORDS ? 10 + 2 * random(2) : random(3), list: random(2) };
      const isShort = length <= PAIR_WORDS;
      records.show(flow.record, mask + 1, isShort ? key(mask) : undefined, flow.list);
      updateElement(fd, key(mask), new Uint8Array(Uint32Array.of(flow.record).buffer));
      held.set(mask, flow);
    } else if (change === 2 && other !== undefined) {
      const flow = held.get(other)!;
      flow.list = random(2);
      records.setActions(flow.record, flow.list);
    } else if (change === 3 && other !== undefined && masks[other]!.words.length <= PAIR_WORDS) {
      // A hint leads to the flow while its mask's map does not have it.
      testRun(program, frame);
      deleteElement(maps.get(`flows${other}`)!, key(other));
      const before = punted(maps).miss;
      testRun(program, frame);
      if (punted(maps).miss === before) hinted++;
      updateElement(maps.get(`flows${other}`)!, key(other), new Uint8Array(Uint32Array.of(held.get(other)!.record).buffer));
    }
    const before = punted(maps).miss;
    const got = testRun(program, frame).frame;
    const [flow] = held.values();
    if (flow === undefined) assert.equal(punted(maps).miss, before + 1);
    else assert.deepEqual([...got.subarray(0, 4)], [0, 0, 0, flow.list + 1]);
  }
  assert.ok(hinted > 50, `${hinted} frames went by hints alone`);
  // Cost: the last mask's flow with and without a hint, beside a program of one mask.
  const only = load(masks.slice(0, 1), [made[0]!, nothing]);
  // An action that leaves the frame as it is: it is run many times.
  for (const side of [only.maps, maps]) storeActions(side, 2, nothing.params, 0);
  updateElement(only.maps.get('flows0')!, key(0), new Uint8Array(FLOW_VALUE.size));
  assert.ok(masks.some((mask) => mask.words.length > PAIR_WORDS));
  for (const other of [...held.keys()]) remove(other);
  records.show(0, MAX_MASKS, key(MAX_MASKS - 1), 0);
  records.close();
  updateElement(maps.get(`flows${MAX_MASKS - 1}`)!, key(MAX_MASKS - 1), new Uint8Array(FLOW_VALUE.size));
  const ns = (fd: number): number => Math.min(...Array.from({ length: 5 }, () => testRun(fd, frame, undefined, 20_000).ns));
  const [one, many] = [ns(only.program), ns(program)];
  deleteElement(maps.get(`flows${MAX_MASKS - 1}`)!, key(MAX_MASKS - 1));
  assert.ok(many < one * 3 + 100, `${one} ns under 1 mask, ${many} ns under the last of ${MAX_MASKS}`);
  t.diagnostic(`${one} ns under 1 mask, ${many} ns under the last of ${MAX_MASKS}`);
});

test('beyond the bound the least used masks go to user space, those in use stay', () => {
  const maps = programMaps(PORT, []);
  // Any mask may be called idle at once.
  const kernel = new KernelFlows(
    maps,
    () => ({ ifindex: 1, flags: 0 }),
    () => false,
    () => {},
    undefined,
    undefined,
    0,
  );
  const frame = randomFrame();
  frame.set([0xff, 0xff, 0xff, 0xff, 1, 1], 0);
  const flow = (i: number): [Uint32Array, Uint32Array] => {
    const [key, mask] = [newKey(), newKey()];
    key[W.IN_PORT] = PORT;
    mask[W.IN_PORT] = 0xffffffff;
    // Each has a mask of its own; the first matches the frame, no other does.
    mask[W.ETH] = i === 0 ? 0xffffffff : i;
    key[W.ETH] = i === 0 ? 0xffffffff : 0;
    return [key, mask];
  };
  const ids = Array.from({ length: MAX_MASKS * 2 }, (_, i) => i);
  for (const id of ids) {
    assert.equal(kernel.put(id, ...flow(id), []), undefined);
    kernel.reload();
    testRun(kernel.program, frame);
  }
  assert.equal(kernel.maskCount, MAX_MASKS);
  assert.ok(kernel.has(0), 'the mask in use');
  assert.ok((kernel.stats(0)?.packets ?? 0n) > MAX_MASKS);
  assert.ok(kernel.has(ids.at(-1)!), 'the newest');
  assert.equal(ids.filter((id) => kernel.has(id)).length, MAX_MASKS);
  assert.equal(kernel.refused.get('mask_replaced'), MAX_MASKS);
  // One that went comes back when it is put again.
  const gone = ids.find((id) => !kernel.has(id))!;
  assert.equal(kernel.put(gone, ...flow(gone), []), undefined);
  assert.ok(kernel.has(gone));
  kernel.close();
  closeAll();
});

test('flows for which the map of their mask has no room have another, that the program knows before it is needed', async () => {
  const maps = programMaps(PORT, []);
  const room = 20;
  /** So many before a map is full the next is made. */
  const ahead = 5;
  const kernel = new KernelFlows(
    maps,
    () => ({ ifindex: 1, flags: 0 }),
    () => false,
    () => {},
    undefined,
    undefined,
    undefined,
    room,
  );
  const frame = randomFrame();
  const put = (id: number): void => {
    const [key, mask] = [newKey(), newKey()];
    key[W.IN_PORT] = PORT;
    mask[W.IN_PORT] = 0xffffffff;
    key[W.ETH] = id;
    mask[W.ETH] = 0xffffffff;
    assert.equal(kernel.put(id, key, mask, []), undefined);
  };
  /** Sends a frame of each flow. */
  const run = (from: number, to: number): void => {
    for (let id = from; id < to; id++) {
      frame.set([0, 0, 0, id], 0);
      testRun(kernel.program, frame);
    }
  };
  for (let id = 0; id < room - ahead; id++) put(id);
  await kernel.settled();
  assert.equal(kernel.maskCount, 1);
  put(room - ahead);
  assert.ok(kernel.isSettled, 'all flows are carried');
  await kernel.settled();
  assert.equal(kernel.maskCount, 2);
  const { program } = kernel;
  for (let id = room - ahead + 1; id < 2 * room - ahead; id++) put(id);
  assert.ok(kernel.isSettled);
  assert.equal(kernel.program, program);
  const all = 3 * room - ahead;
  for (let id = 2 * room - ahead; id < all; id++) put(id);
  await kernel.settled();
  assert.ok(kernel.isSettled);
  assert.equal(kernel.maskCount, 3);
  assert.equal(kernel.activeCount, all);
  // The first frame of each may have to follow others.
  for (let i = 0; i < 2; i++) run(0, all);
  const counts = Array.from({ length: all }, (_, id) => Number(kernel.stats(id)!.packets));
  assert.deepEqual([...new Set(counts)].toSorted(), [2]);
  // Where there is room again it is used.
  kernel.delete(3);
  put(all);
  assert.equal(kernel.maskCount, 3);
  assert.equal(kernel.refused.size, 0);
  kernel.close();
  closeAll();
});

test('programs are loaded while the thread goes on; what is put meanwhile waits for the next', async () => {
  const maps = programMaps(PORT, []);
  const put: number[] = [];
  const kernel = new KernelFlows(
    maps,
    () => ({ ifindex: 1, flags: 0 }),
    () => false,
    (program) => put.push(program),
  );
  const frame = randomFrame();
  frame.set([0xff, 0xff, 0xff, 0xff, 1, 1], 0);
  const flow = (bits: number): [Uint32Array, Uint32Array] => {
    const [key, mask] = [newKey(), newKey()];
    key[W.IN_PORT] = PORT;
    mask[W.IN_PORT] = 0xffffffff;
    mask[W.ETH] = bits;
    // The first matches the frame, no other does.
    key[W.ETH] = bits === 0xffffffff ? bits : 0;
    return [key, mask];
  };
  const run = (): bigint => {
    testRun(kernel.program, frame);
    // What user space got has been dealt with.
    const pending = new Uint8Array(PENDING_VALUE.size);
    lookupElement(maps.get('pending')!, Uint8Array.of(PORT, 0, 0, 0), pending);
    pending.copyWithin(PENDING_VALUE.done, PENDING_VALUE.put, PENDING_VALUE.put + 4);
    updateElement(maps.get('pending')!, Uint8Array.of(PORT, 0, 0, 0), pending);
    return kernel.stats(0)!.packets;
  };
  const first = kernel.program;
  assert.equal(kernel.put(1, ...flow(1), []), undefined);
  const one = kernel.settled();
  assert.equal(kernel.program, first, 'it is under way');
  assert.equal(kernel.put(0, ...flow(0xffffffff), []), undefined);
  // Its map must outlive the load that names it.
  kernel.delete(1);
  await one;
  const second = kernel.program;
  assert.notEqual(second, first);
  assert.equal(run(), 0n, 'the running program does not know the mask');
  await kernel.settled();
  assert.notEqual(kernel.program, second);
  assert.equal(run(), 1n);
  assert.equal(run(), 2n);
  // One that is loaded at once makes the one under way worthless.
  assert.equal(kernel.put(2, ...flow(2), []), undefined);
  const late = kernel.settled();
  kernel.reload();
  const [third, count] = [kernel.program, put.length];
  await late;
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(kernel.program, third);
  assert.equal(put.length, count);
  assert.equal(run(), 3n);
  kernel.close();
  closeAll();
});

test('a program that would be too large goes without the least used masks', () => {
  const maps = programMaps(PORT, []);
  const kernel = new KernelFlows(
    maps,
    () => ({ ifindex: 1, flags: 0 }),
    () => false,
    () => {},
  );
  const all = Array.from({ length: 8 }, (_, i) => i);
  for (let id = 0; id < 30; id++) {
    const [key, mask] = [newKey(), newKey()];
    key[W.IN_PORT] = PORT;
    mask[W.IN_PORT] = 0xffffffff;
    mask[W.ETH] = id + 1;
    // Each a shape of its own of more than a thousand instructions.
    const sets = Array.from({ length: 4 }, (_, i) =>
      set('ipv6', ...all.map((word): [number, number, number] => [W.IPV6_SRC + word, 0, (0x10001 << (id % 16)) + (id >> 4) + i])),
    );
    assert.equal(kernel.put(id, key, mask, sets), undefined);
  }
  const before = kernel.program;
  kernel.reload();
  assert.notEqual(kernel.program, before);
  assert.ok(kernel.maskCount > 10 && kernel.maskCount < 30, `${kernel.maskCount} masks`);
  kernel.close();
  closeAll();
});

test('the largest program that is ever made passes the verifier', (t) => {
  const masks = Array.from({ length: MAX_MASKS }, (_, i) => ({
    map: `flows${i}`,
    words,
    masks: words.map((_word, j) => (j === 1 ? i + 1 : 0xffffffff)),
  }));
  const shaped: ShapedActions[] = [];
  while (shaped.length < MAX_SHAPES) {
    const frame = randomFrame();
    const list = randomActions(frame, randomProfile());
    const one = shapeActions(list, () => ({ ifindex: 1, flags: 0 }));
    if (typeof one === 'string') continue;
    shaped.push(one);
  }
  const started = performance.now();
  const { program, length } = load(masks, shaped);
  const ms = performance.now() - started;
  t.diagnostic(`${length} instructions, ${verifiedInstructions(program)} followed by the verifier, ${ms.toFixed(0)} ms`);
  assert.ok(verifiedInstructions(program) < 500_000, 'the verifier gives up at a million');
  // Generous: other work may share the processors.
  assert.ok(ms < 10_000, `took ${ms} ms`);
  closeAll();
});

test('misses of a port that the control plane refuses end in the program, whatever else user space must see does not', () => {
  const { program, flows, maps } = load([allMask], []);
  const frame = new Uint8Array(60);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
  const pending = new Uint32Array(PENDING_VALUE.size / 4);
  const read = (): { put: number; lost: number } => {
    const bytes = new Uint8Array(pending.buffer);
    lookupElement(maps.get('pending')!, Uint8Array.of(PORT, 0, 0, 0), bytes);
    const port = new Uint8Array(PORT_VALUE.size);
    lookupElement(maps.get('ports')!, Uint8Array.of(1, 0, 0, 0), port);
    return { put: pending[PENDING_VALUE.put / 4]!, lost: port[PORT_VALUE.lost]! };
  };
  testRun(program, frame);
  const before = read();
  assert.ok(before.put > 0);
  assert.equal(before.lost, 0);
  pending[PENDING_VALUE.refuses / 4] = 1;
  updateElement(maps.get('pending')!, Uint8Array.of(PORT, 0, 0, 0), new Uint8Array(pending.buffer));
  testRun(program, frame);
  assert.deepEqual(read(), { put: before.put, lost: 1 });
  // Its flow leaves it to user space.
  updateElement(maps.get('actions')!, new Uint8Array(4), new Uint8Array(ACTIONS_VALUE.size));
  updateElement(flows, keyBytes(frame), new Uint8Array(FLOW_VALUE.size));
  testRun(program, frame);
  const after = read();
  assert.equal(after.lost, 1);
  assert.ok(after.put > before.put);
  closeAll();
});

test('elements go into a map and out of it many at a time; those that it has no room for, or has not, are named', () => {
  const map = createMap({ name: 'small', type: MAP_TYPE.hash, keySize: 4, valueSize: 8, maxEntries: 5 });
  keep(map);
  const batch = new MapBatch(8);
  const keys = Array.from({ length: 9 }, (_, i) => Uint8Array.of(i, 1, 2, 3));
  // The third stands twice: what is there already finds room.
  for (const key of [...keys, keys[2]!]) {
    assert.ok(batch.fits(map, 4));
    batch.add(map, Uint8Array.of(9, ...key), 1, 4, Uint32Array.of(key[0]!, batch.length));
  }
  assert.ok(!batch.fits(map + 1, 4), 'one map at a time');
  assert.deepEqual(batch.send(), [5, 6, 7, 8]);
  assert.equal(batch.length, 0);
  const value = new Uint8Array(8);
  for (const [i, key] of keys.entries()) assert.equal(lookupElement(map, key, value), i < 5);
  lookupElement(map, keys[2]!, value);
  assert.deepEqual(value, Uint8Array.of(2, 0, 0, 0, 9, 0, 0, 0));
  const out = new MapBatch(0, 'out');
  for (const i of [1, 7, 3, 8]) out.add(map, keys[i]!, 0, 4);
  assert.deepEqual(out.send(), [1, 3]);
  assert.deepEqual(keys.map((key) => lookupElement(map, key, value)).slice(0, 5), [true, false, true, false, true]);
  out.close();
  batch.close();
  closeAll();
});
