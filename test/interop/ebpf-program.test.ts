// The compiled program against the user-space datapath, frame for frame, through BPF_PROG_TEST_RUN: the same key for every frame, and the
// same bytes after the same actions. WEFT_EBPF_PAIRS sets how many pairs (4,000 by default).
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { closeObject, createMap, deleteElement, loadProgram, lookupElement, testRun, updateElement } from '../../src/bpf/kernel.ts';
import type { DpAction, SetGroup } from '../../src/datapath/datapath.ts';
import { type ShapedActions, shapeActions, shapeName } from '../../src/datapath/ebpf/action-shape.ts';
import { EXTRACTED_WORDS } from '../../src/datapath/ebpf/extract-program.ts';
import { ACTIONS_VALUE, COUNTER_VALUE, FLOW_VALUE, fixedMaps, maskMap, PORT_VALUE } from '../../src/datapath/ebpf/map-layout.ts';
import { compileProgram, MAX_MASKS, MAX_SHAPES, type MaskSpec } from '../../src/datapath/ebpf/program.ts';
import { DummyDatapath } from '../../src/datapath/userspace/dummy.ts';
import { extractKey } from '../../src/flow/extract.ts';
import { newKey, W } from '../../src/flow/key.ts';

const pairs = Number(process.env['WEFT_EBPF_PAIRS'] ?? 4_000);
let seed = Number(process.env['WEFT_SEED'] ?? 1);
/** A whole number below `n` (xorshift; the seed makes a run repeatable). */
function random(n: number): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) % n;
}
const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;

function sum16(bytes: Uint8Array, start: number, end: number, initial = 0): number {
  let sum = initial;
  for (let i = start; i < end; i += 2) sum += (bytes[i]! << 8) | (i + 1 < end ? bytes[i + 1]! : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** A frame as a network sees them, with right checksums; sometimes cut short or with one byte changed. */
function randomFrame(): Uint8Array {
  const body: number[] = [];
  const bytes = (n: number): number[] => Array.from({ length: n }, () => random(256));
  const type = pick([0x0800, 0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x1234, 0x88cc]);
  const mac = [...bytes(12)];
  if (type === 0x0806) {
    body.push(0, 1, 8, 0, 6, 4, 0, pick([1, 2, 1, 2, 9]), ...bytes(20));
  } else if (type === 0x0800 || type === 0x86dd) {
    const proto = pick([6, 6, 17, 17, type === 0x0800 ? 1 : 58, 132, 2, 89]);
    const payload = bytes(random(40));
    const l4 =
      proto === 6
        ? [...bytes(12), 0x50, random(64), ...bytes(2), 0, 0, 0, 0, ...payload]
        : proto === 17
          ? [...bytes(4), 0, 0, 0, 0, ...payload]
          : proto === 58
            ? [pick([1, 128, 129]), 0, 0, 0, ...bytes(4), ...payload]
            : [...bytes(12), ...payload];
    if (proto === 17) {
      l4[4] = (l4.length >> 8) & 255;
      l4[5] = l4.length & 255;
    }
    const csumAt = proto === 6 ? 16 : proto === 17 ? 6 : proto === 58 ? 2 : -1;
    if (type === 0x0800) {
      const options = random(6) === 0 ? bytes(4) : [];
      const size = 20 + options.length + l4.length;
      const head = [
        0x45 + options.length / 4,
        random(256),
        size >> 8,
        size & 255,
        ...bytes(2),
        0,
        0,
        random(256),
        proto,
        0,
        0,
        ...bytes(8),
        ...options,
      ];
      if (random(8) === 0) head.splice(6, 2, pick([0x20, 0, 0x20]), pick([0, 5]));
      const h = Uint8Array.from(head);
      const c = sum16(h, 0, h.length);
      head[10] = c >> 8;
      head[11] = c & 255;
      finishL4(l4, csumAt, proto, head.slice(12, 20));
      body.push(...head, ...l4);
    } else {
      const head = [
        0x60 | random(16),
        random(256),
        random(256),
        random(256),
        l4.length >> 8,
        l4.length & 255,
        proto,
        random(256),
        ...bytes(32),
      ];
      finishL4(l4, csumAt, proto, head.slice(8, 40));
      body.push(...head, ...l4);
    }
  } else {
    body.push(...bytes(random(60)));
  }
  let frame = Uint8Array.from([...mac, type >> 8, type & 255, ...body]);
  if (random(5) === 0) frame = frame.slice(0, Math.max(14, frame.length - random(frame.length)));
  if (random(10) === 0) frame[random(frame.length)] = random(256);
  if (random(3) === 0 || frame.length < 60) {
    const padded = new Uint8Array(Math.max(60, frame.length + random(8)));
    padded.set(frame);
    frame = padded;
  }
  return frame;
}

function finishL4(l4: number[], at: number, proto: number, addresses: number[]): void {
  if (at < 0) return;
  if (proto === 17 && random(8) === 0) return;
  const pseudo = Uint8Array.from([...addresses, 0, proto, l4.length >> 8, l4.length & 255, ...l4]);
  const c = sum16(pseudo, 0, pseudo.length) || 0xffff;
  l4[at] = c >> 8;
  l4[at + 1] = c & 255;
}

const PORT = 7;
const words = [...EXTRACTED_WORDS].sort((x, y) => x - y);
const allMask: MaskSpec = { map: 'flows', words, masks: words.map(() => 0xffffffff) };
const opened: number[] = [];
after(() => {
  for (const fd of opened) closeObject(fd);
});

function load(masks: readonly MaskSpec[], shaped: readonly ShapedActions[]) {
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
  const program = loadProgram(compileProgram({ masks, shapes }), maps, 'weft_test');
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

/** IPv6 extension headers, tags within the frame, LLC, MPLS and neighbour discovery are user space's. */
function isUserspaceFrame(frame: Uint8Array): boolean {
  const type = (frame[12]! << 8) | frame[13]!;
  if (type < 0x600 || [0x8100, 0x88a8, 0x8847, 0x8848].includes(type)) return true;
  if (type !== 0x86dd) return false;
  if ([0, 43, 44, 51, 60].includes(frame[20]!)) return true;
  return frame[20] === 58 && (frame[54] === 135 || frame[54] === 136);
}

test('the program reads the same key from every frame', () => {
  const { program, flows, maps } = load([allMask], []);
  const count = new Uint8Array(COUNTER_VALUE.size);
  let hits = 0;
  let punted = 0;
  for (let i = 0; i < pairs; i++) {
    const frame = randomFrame();
    const key = keyBytes(frame);
    updateElement(flows, key, new Uint8Array(FLOW_VALUE.size));
    testRun(program, frame);
    assert.ok(lookupElement(maps.get('counters')!, new Uint8Array(4), count));
    const packets = new DataView(count.buffer).getUint32(COUNTER_VALUE.packets, true);
    const hit = packets > hits;
    hits = packets;
    if (isUserspaceFrame(frame)) punted++;
    else assert.ok(hit, `frame ${i} (seed ${seed}): ${Buffer.from(frame).toString('hex')}`);
    assert.ok(deleteElement(flows, key));
  }
  assert.ok(punted < pairs / 4);
});

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
      if (isUserspaceFrame(frame)) continue;
      const actions = randomActions(frame, profile);
      const shaped = shapeActions(actions, true, () => undefined);
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
      if (hex(got) !== hex(sent)) assert.equal(hex(got), hex(sent), `seed ${seed}: frame ${hex(frame)} actions ${JSON.stringify(actions)}`);
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
