// Connections in the program against the tracker, frame for frame, through BPF_PROG_TEST_RUN: the same state, zone and mark, the same
// translated bytes. WEFT_EBPF_PAIRS sets how many pairs (2,000 by default).
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { deleteElement, loadProgram, lookupElement, testRun, updateElement } from '../../src/bpf/kernel.ts';
import { scanMap } from '../../src/bpf/objects.ts';
import type { DpAction } from '../../src/datapath/datapath.ts';
import { shapeActions } from '../../src/datapath/ebpf/compiler/action-cutter.ts';
import { CT_MORE } from '../../src/datapath/ebpf/compiler/ct-program.ts';
import { EXTRACTED_WORDS } from '../../src/datapath/ebpf/compiler/extract-program.ts';
import { ACTIONS_VALUE, FLOW_VALUE, PENDING_VALUE, RING_SIZE, TOTALS_VALUE } from '../../src/datapath/ebpf/compiler/map-layout.ts';
import { compileProgram, type MaskSpec, PUNT_REASON } from '../../src/datapath/ebpf/compiler/program.ts';
import { FlowRecords } from '../../src/datapath/ebpf/flow-records.ts';
import { ConnectionMirror, CT_KEY_SIZE, CT_VALUE } from '../../src/datapath/userspace/conntrack/mirror.ts';
import { Connection, MIRRORED } from '../../src/datapath/userspace/conntrack/table.ts';
import { TCP_STATE, TCP_TIMEOUT } from '../../src/datapath/userspace/conntrack/tcp-state.ts';
import { Conntrack } from '../../src/datapath/userspace/conntrack/tracker.ts';
import { FOUND, isIcmp, newTuple, readTuple, reverseTuple, T } from '../../src/datapath/userspace/conntrack/tuple.ts';
import { extractKey, layoutL4, setVlanLimit } from '../../src/flow/extract.ts';
import { CT_STATE, newKey, W } from '../../src/flow/key.ts';
import { HEADROOM, newPacket } from '../../src/netdev/packet.ts';
import { updateChecksum } from '../../src/wire/checksum.ts';
import { closeAll, keep, programMaps } from './support/program-maps.ts';
import { currentSeed, random, randomFrame } from './support/random-frames.ts';

const pairs = Number(process.env['WEFT_EBPF_PAIRS'] ?? 2_000);
const PORT = 7;
const ZONE = 77;
const RECIRC = 5;
const words = [...EXTRACTED_WORDS].sort((x, y) => x - y);
/** What the second lookup asks for; a mask has so many words at most. */
const tracked = [
  W.IN_PORT,
  W.ETH,
  W.TYPE,
  W.NW_SRC,
  W.NW_DST,
  W.TP,
  W.RECIRC_ID,
  W.CT_STATE,
  W.CT_ZONE,
  W.CT_MARK,
  W.IPV6_SRC,
  W.IPV6_DST,
  ...CT_MORE,
];
after(closeAll);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
const word32 = (): number => ((random(65536) << 16) | random(65536)) >>> 0;

const none = { addrMin: [0, 0, 0, 0], addrMax: [0, 0, 0, 0], portMin: 0, portMax: 0, persistent: false, hash: false, random: false };
const list: DpAction[] = [
  { kind: 'ct', commit: false, force: false, zone: ZONE, helper: '', timeout: '', nat: { direction: '', ...none } },
  { kind: 'recirc', id: RECIRC },
];
const request = {
  zone: ZONE,
  commit: false,
  force: false,
  markValue: 0,
  markMask: 0,
  label: undefined,
  labelMask: undefined,
  helper: '',
  nat: { direction: '' as const, ...none },
};
/** What a frame looks like that the second lookup found. */
const marked: DpAction[] = [
  { kind: 'set', group: 'eth', words: Uint32Array.of(W.ETH, 0x01020304, 0xffffffff) },
  { kind: 'pushVlan', tpid: 0x8100, tci: 0x1fff },
];

function open(actions: readonly DpAction[] = list) {
  const mask: MaskSpec = { map: 'flows', words, masks: words.map(() => 0xffffffff) };
  const second: MaskSpec = { map: 'tracked', words: tracked, masks: tracked.map(() => 0xffffffff) };
  const maps = programMaps(PORT, [mask, second], RING_SIZE);
  const shapes = [actions, marked].map((one, i) => {
    const shaped = shapeActions(one, () => undefined);
    assert.ok(typeof shaped !== 'string');
    const value = new Uint8Array(ACTIONS_VALUE.size);
    value[ACTIONS_VALUE.shape] = i + 1;
    value.set(shaped.params, ACTIONS_VALUE.params);
    updateElement(maps.get('actions')!, Uint8Array.of(i, 0, 0, 0), value);
    return { number: i + 1, shape: shaped.shape };
  });
  const program = loadProgram(compileProgram({ masks: [mask, second], shapes, vlanLimit: 2 }), maps, 'weft_test');
  keep(program);
  updateElement(maps.get('programs')!, new Uint8Array(4), new Uint8Array(Uint32Array.of(program).buffer));
  return { program, maps, flows: maps.get('flows')! };
}

function bytesOf(key: Uint32Array, of: readonly number[] = words): Uint8Array {
  const bytes = new Uint8Array(of.length * 4);
  for (const [i, word] of of.entries()) new DataView(bytes.buffer).setUint32(i * 4, key[word]!);
  return bytes;
}

/** Makes a frame one that may belong to an established connection: TCP has its ACK flag and no other. */
function acknowledge(frame: Uint8Array): void {
  const key = newKey();
  const layout = extractKey(frame, 0, frame.length, key);
  const l4 = layoutL4(layout);
  if (l4 === 0 || (key[W.TYPE]! & 0xff) !== 6) return;
  const view = new DataView(frame.buffer, frame.byteOffset);
  const before = view.getUint16(l4 + 12);
  const now = (before & 0xf000) | 0x10;
  view.setUint16(l4 + 12, now);
  view.setUint16(l4 + 16, updateChecksum(view.getUint16(l4 + 16), before, now));
}

function connectionOf(tuple: Uint32Array): { connection: Connection; isReply: boolean } {
  const isPing = isIcmp(tuple[T.WHAT]! & 0xff);
  // An echo reply is no request's direction.
  const type = (tuple[T.PORTS]! >>> 8) & 0xff;
  const isReply = isPing ? type === 0 || type === 129 : random(2) === 0;
  const nat = random(4);
  // What the packet has becomes one direction; the other is its reverse, but for what is translated.
  const other = newTuple();
  reverseTuple(tuple, other);
  const isSource = nat === 1;
  if (nat === 1 || nat === 2) {
    const changed = isReply === isSource ? T.SRC : T.DST;
    const isIpv4 = (other[T.WHAT]! & 0xff00) === 0x400;
    for (let i = isIpv4 ? 3 : 0; i < 4; i++) other[changed + i] = word32();
    if (!isPing && random(2) === 0) other[T.PORTS] = word32();
  }
  const connection = isReply ? new Connection(other, tuple) : new Connection(tuple, other);
  connection.nat = nat === 3 ? 0 : nat;
  connection.mark = word32();
  for (let i = 0; i < 4; i++) connection.label[i] = word32();
  connection.state = isPing ? 1 : 2;
  connection.expiresMs = 1e12;
  if (connection.tcp !== undefined) {
    connection.tcp.timeout = TCP_TIMEOUT.ESTABLISHED;
    for (const peer of connection.tcp.peers) peer.state = TCP_STATE.ESTABLISHED;
  }
  return { connection, isReply };
}

/** Frames that the program has left to user space for what is to be done with them. */
function puntedIn(maps: ReadonlyMap<string, number>): number {
  const value = new Uint8Array(TOTALS_VALUE.size);
  lookupElement(maps.get('totals')!, new Uint8Array(4), value);
  return new DataView(value.buffer).getUint32(TOTALS_VALUE.punted + PUNT_REASON.actions * 8, true);
}

test('established connections: the same state and the same bytes', (t) => {
  setVlanLimit(2);
  const { program, maps, flows } = open();
  const tracker = new Conntrack();
  tracker.share(maps.get('connections')!);
  const punted = (): number => puntedIn(maps);
  const settle = (): void => {
    const [fd, value] = [maps.get('pending')!, new Uint8Array(PENDING_VALUE.size)];
    lookupElement(fd, Uint8Array.of(PORT, 0, 0, 0), value);
    value.copyWithin(PENDING_VALUE.done, PENDING_VALUE.put, PENDING_VALUE.put + 4);
    updateElement(fd, Uint8Array.of(PORT, 0, 0, 0), value);
  };
  const records = new FlowRecords(maps.get('records')!);
  records.setActions(1, 1);
  records.close();
  let [compared, translated, left, echoes] = [0, 0, 0, 0];
  while (compared < pairs) {
    const frame = randomFrame();
    acknowledge(frame);
    const seed = currentSeed();
    const key = newKey();
    key[W.IN_PORT] = PORT;
    const packet = newPacket();
    packet.point(packet.bytes, packet.address, HEADROOM, frame.length);
    packet.bytes.set(frame, packet.start);
    const layout = extractKey(packet.bytes, packet.start, packet.length, key);
    const tuple = newTuple();
    const before = bytesOf(key);
    const isTracked = readTuple(packet, key, layout, ZONE, tuple) === FOUND.PLAIN;
    updateElement(flows, before, new Uint8Array(FLOW_VALUE.size));
    if (!isTracked) {
      // No connection: the tracker's business, with nothing done to the frame.
      const count = punted();
      testRun(program, frame);
      assert.equal(punted(), count + 1, `WEFT_SEED ${seed}: ${hex(frame)}`);
      deleteElement(flows, before);
      left++;
      continue;
    }
    const proto = tuple[T.WHAT]! & 0xff;
    const type = (tuple[T.PORTS]! >>> 8) & 0xff;
    const isEcho = (proto === 1 && (type === 8 || type === 0)) || (proto === 58 && (type === 128 || type === 129));
    if (proto !== 6 && proto !== 17 && !isEcho) {
      deleteElement(flows, before);
      continue;
    }
    if (isEcho) echoes++;
    const { connection, isReply } = connectionOf(tuple);
    tracker.table.insert(connection);
    connection.isLoose = true;
    tracker.execute(packet, key, layout, request);
    const what = `WEFT_SEED ${seed}: ${hex(frame)} nat ${connection.nat} reply ${isReply}`;
    assert.notEqual(connection.mirrored, MIRRORED.NOT, what);
    assert.ok((key[W.CT_STATE]! & CT_STATE.EST) !== 0, what);
    const bytes = packet.bytes.slice(packet.start, packet.start + packet.length);
    const second = newKey();
    second[W.IN_PORT] = PORT;
    extractKey(bytes, 0, bytes.length, second);
    for (const word of [W.CT_STATE, W.CT_ZONE, W.CT_MARK, ...CT_MORE]) second[word] = key[word]!;
    second[W.RECIRC_ID] = RECIRC;
    const found = bytesOf(second, tracked);
    updateElement(maps.get('tracked')!, found, new Uint8Array(Uint32Array.of(1).buffer));
    // The first frame of a direction follows others of its port to user space, until those have been dealt with.
    if (compared < 1000 && compared % 100 === 1) {
      const count = punted();
      testRun(program, frame);
      assert.equal(punted(), count + 1, what);
    }
    settle();
    const got = testRun(program, frame).frame;
    bytes.set([1, 2, 3, 4]);
    if (hex(got) !== hex(bytes)) assert.equal(hex(got), hex(bytes), what);
    if (connection.nat !== 0) translated++;
    tracker.table.remove(connection);
    // A connection that has gone is the tracker's again.
    const count = punted();
    testRun(program, frame);
    assert.equal(punted(), count + 1, what);
    deleteElement(flows, before);
    deleteElement(maps.get('tracked')!, found);
    compared++;
  }
  t.diagnostic(`${compared} frames of connections, ${translated} of them translated, ${echoes} echoes; ${left} frames without`);
  assert.ok(echoes > compared / 100);
  assert.ok(translated > compared / 4);
});

test('a committed connection is carried where it is what the action would make it', () => {
  setVlanLimit(2);
  const commit = (mark: readonly [number, number], label: readonly [readonly number[], readonly number[]]): DpAction[] => [
    { kind: 'ct', commit: true, force: true, zone: ZONE, helper: '', timeout: '', mark, label },
    { kind: 'recirc', id: RECIRC },
  ];
  const all = 0xffffffff;
  const { program, maps, flows } = open(
    commit(
      [0, all],
      [
        [0, 0, 0, 0],
        [all, all, all, all],
      ],
    ),
  );
  const tracker = new Conntrack();
  tracker.share(maps.get('connections')!);
  const punted = (): number => puntedIn(maps);
  const count = { carried: 0, left: 0 };
  while (count.carried < 40 || count.left < 40) {
    const frame = randomFrame();
    acknowledge(frame);
    const [key, tuple, packet] = [newKey(), newTuple(), newPacket()];
    key[W.IN_PORT] = PORT;
    packet.point(packet.bytes, packet.address, HEADROOM, frame.length);
    packet.bytes.set(frame, packet.start);
    const layout = extractKey(packet.bytes, packet.start, packet.length, key);
    if (readTuple(packet, key, layout, ZONE, tuple) !== FOUND.PLAIN || (tuple[T.WHAT]! & 0xff) !== 17) continue;
    const { connection, isReply } = connectionOf(tuple);
    tracker.table.insert(connection);
    connection.isLoose = true;
    tracker.execute(packet, key, layout, { ...request, nat: undefined });
    // What the action sets is there already, or one word of it is not.
    const masks = Array.from({ length: 5 }, () => word32() | 1);
    const values = [connection.mark, ...connection.label].map((word, i) => (word & masks[i]!) >>> 0);
    const wrong = random(2) === 0 ? random(5) : -1;
    if (wrong >= 0) values[wrong] = (values[wrong]! ^ 1) >>> 0;
    const shaped = shapeActions(commit([values[0]!, masks[0]!], [values.slice(1), masks.slice(1)]), () => undefined);
    assert.ok(typeof shaped !== 'string');
    const value = new Uint8Array(ACTIONS_VALUE.size);
    value[ACTIONS_VALUE.shape] = 1;
    value.set(shaped.params, ACTIONS_VALUE.params);
    updateElement(maps.get('actions')!, new Uint8Array(4), value);
    const before = newKey();
    before[W.IN_PORT] = PORT;
    extractKey(frame, 0, frame.length, before);
    updateElement(flows, bytesOf(before), new Uint8Array(FLOW_VALUE.size));
    const was = punted();
    testRun(program, frame);
    // With `force` an answer begins a connection anew.
    assert.equal(punted() - was, wrong >= 0 || isReply ? 1 : 0, `WEFT_SEED ${currentSeed()}`);
    if (wrong >= 0) count.left++;
    else if (!isReply) count.carried++;
    deleteElement(flows, bytesOf(before));
    tracker.table.remove(connection);
    const pending = new Uint8Array(PENDING_VALUE.size);
    lookupElement(maps.get('pending')!, Uint8Array.of(PORT, 0, 0, 0), pending);
    pending.copyWithin(PENDING_VALUE.done, PENDING_VALUE.put, PENDING_VALUE.put + 4);
    updateElement(maps.get('pending')!, Uint8Array.of(PORT, 0, 0, 0), pending);
  }
});

test('a connection that the kernel carries does not end; one that it does not carry does; the next tracker finds both', () => {
  setVlanLimit(2);
  const { program, maps, flows } = open();
  const now = performance.now();
  const tracker = new Conntrack();
  tracker.share(maps.get('connections')!);
  tracker.tick(now);
  let frame: Uint8Array;
  const [key, tuple] = [newKey(), newTuple()];
  do {
    frame = randomFrame();
    const packet = newPacket();
    packet.point(packet.bytes, packet.address, HEADROOM, frame.length);
    packet.bytes.set(frame, packet.start);
    key.fill(0);
    key[W.IN_PORT] = PORT;
    const layout = extractKey(packet.bytes, packet.start, packet.length, key);
    if (readTuple(packet, key, layout, ZONE, tuple) !== FOUND.PLAIN) tuple.fill(0);
  } while ((tuple[T.WHAT]! & 0xff) !== 17);
  updateElement(flows, bytesOf(key), new Uint8Array(FLOW_VALUE.size));
  const { connection } = connectionOf(tuple);
  const idle = connectionOf(Uint32Array.from(tuple, (word, i) => (i === T.PORTS ? word ^ 0xffff : word))).connection;
  const mirror = new ConnectionMirror(maps.get('connections')!, () => 30_000);
  for (const one of [connection, idle]) {
    tracker.table.insert(one);
    mirror.put(one);
    one.expiresMs = now - 1;
  }
  testRun(program, frame);
  // Its time seems to be over, but the kernel has just carried a packet.
  assert.ok(tracker.table.isAlive(connection, now));
  assert.ok(Math.abs(connection.expiresMs - now - 30_000) < 5000);
  assert.ok(!tracker.table.isAlive(idle, now));
  assert.equal(connection.mirrored, MIRRORED.BOTH_WAYS);
  // What is in the map is what a next process begins with.
  const next = new Conntrack();
  next.tick(now);
  next.share(maps.get('connections')!);
  const found = [...next.table.connections()].find((one) => one.original.tuple.every((word, i) => word === connection.original.tuple[i]));
  assert.ok(found !== undefined);
  assert.deepEqual(
    { reply: [...found.reply.tuple], mark: found.mark, label: found.label, nat: found.nat },
    { reply: [...connection.reply.tuple], mark: connection.mark, label: connection.label, nat: connection.nat },
  );
  tracker.table.remove(connection);
  tracker.table.remove(idle);
  const count = { entries: 0 };
  scanMap(maps.get('connections')!, CT_KEY_SIZE, CT_VALUE.size, () => void count.entries++);
  assert.equal(count.entries, 0);
});
