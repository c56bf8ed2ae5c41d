import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PeerError } from '../../base/errors.ts';
import { mustField } from '../../flow/fields.ts';
import { matchAll, newKey, setKeyBits } from '../../flow/key.ts';
import type { Action } from '../action.ts';
import { OFPP } from '../action.ts';
import type { FlowMod, Framed, Message, OfVersion } from '../message.ts';
import { decodeMessage, encodeMessage } from './codec.ts';
import { addToMatch } from './fields/oxm.ts';

// Plain prototypes, so that values compare with decoded ones.
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;

const u16 = fc.integer({ min: 0, max: 0xffff });
const u8 = fc.integer({ min: 0, max: 0xff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });
const port = fc.oneof(fc.integer({ min: 1, max: 0xfeff }), fc.constantFrom(OFPP.NORMAL, OFPP.LOCAL, OFPP.CONTROLLER, OFPP.IN_PORT));
const reg = fc.integer({ min: 0, max: 15 }).map((i) => mustField(`reg${i}`));
const subfield = fc
  .tuple(reg, fc.integer({ min: 0, max: 31 }), fc.integer({ min: 1, max: 32 }))
  .map(([field, offset, bits]) => ({ field, offset, bits: Math.min(bits, 32 - offset) }));
const bytes = fc.uint8Array({ maxLength: 20 });

const note = record({ kind: fc.constant('note' as const), data: fc.uint8Array({ minLength: 6, maxLength: 6 }) });
const conjunction = record({
  kind: fc.constant('conjunction' as const),
  id: u32,
  clause: fc.constant(1),
  clauses: fc.integer({ min: 2, max: 64 }),
});
/** What may change inside a connection's actions. */
const connectionChange = subfield.map((src): Action => ({ kind: 'regMove', src, dst: { ...src, field: mustField('ct_mark') } }));

const leaf: fc.Arbitrary<Action> = fc.oneof(
  record({ kind: fc.constant('output' as const), port, maxLen: u16 }),
  record({ kind: fc.constant('outputReg' as const), src: subfield, maxLen: u16 }),
  record({ kind: fc.constant('outputTrunc' as const), port, maxLen: fc.integer({ min: 14, max: 0xffffffff }) }),
  record({
    kind: fc.constant('controller' as const),
    maxLen: u16,
    reason: fc.constantFrom('action' as const, 'no_match' as const, 'invalid_ttl' as const),
    controllerId: u16,
    userdata: bytes,
    pause: fc.boolean(),
    meterId: u32,
  }),
  record({ kind: fc.constant('group' as const), group: u32 }),
  record({
    kind: fc.constant('regMove' as const),
    src: fc.constant({ field: mustField('reg1'), offset: 3, bits: 5 }),
    dst: fc.constant({ field: mustField('eth_src'), offset: 9, bits: 5 }),
  }),
  fc.constant<Action>({ kind: 'popQueue' }),
  record({ kind: fc.constant('decTtl' as const), controllerIds: fc.array(u16, { maxLength: 4 }), listed: fc.constant(true) }),
  record({ kind: fc.constant('setQueue' as const), queue: u32 }),
  record({ kind: fc.constant('finTimeout' as const), idleTimeoutSec: u16, hardTimeoutSec: u16 }),
  record({ kind: fc.constant('resubmit' as const), port: u16, table: u8, withCtTuple: fc.boolean() }),
  note,
  fc.constant<Action>({ kind: 'exit' }),
  fc.constant<Action>({ kind: 'ctClear' }),
  record({ kind: fc.constantFrom('push' as const, 'pop' as const), subfield }),
  record({
    kind: fc.constant('sample' as const),
    probability: fc.integer({ min: 1, max: 0xffff }),
    collectorSetId: u32,
    obsDomainId: u32,
    obsPointId: u32,
    samplingPort: fc.constantFrom(OFPP.NONE, 3),
    direction: fc.constant('' as const),
  }),
  record({
    kind: fc.constant('learn' as const),
    idleTimeoutSec: u16,
    hardTimeoutSec: u16,
    priority: u16,
    cookie: u64,
    table: fc.integer({ min: 0, max: 254 }),
    finIdleTimeoutSec: u16,
    finHardTimeoutSec: u16,
    sendFlowRem: fc.boolean(),
    deleteLearned: fc.boolean(),
    limit: u32,
    specs: fc.array(
      fc.oneof(
        subfield.map((dst) => ({ kind: 'match' as const, bits: dst.bits, src: 0n, dst })),
        subfield.map((dst) => ({ kind: 'load' as const, bits: dst.bits, src: { ...dst, field: mustField('reg3') }, dst })),
        subfield.map((src) => ({ kind: 'output' as const, bits: src.bits, src })),
      ),
      { maxLength: 4 },
    ),
  }),
  record({ kind: fc.constant('checkPktLarger' as const), length: u16, dst: subfield.map((s) => ({ ...s, bits: 1 })) }),
  fc.constant<Action>({
    kind: 'ct',
    commit: true,
    force: false,
    recircTable: 255,
    zone: 0,
    alg: 0,
    exec: [
      {
        kind: 'nat',
        nat: {
          direction: 'src',
          persistent: true,
          hash: false,
          random: true,
          family: 4,
          addrMin: [0, 0, 0, 1],
          addrMax: [0, 0, 0, 9],
          portMin: 3,
        },
      },
    ],
  }),
);
const nested: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: leaf },
  { weight: 1, arbitrary: fc.array(leaf, { maxLength: 3 }).map((actions) => ({ kind: 'clone' as const, actions })) },
  {
    weight: 1,
    arbitrary: record({
      kind: fc.constant('ct' as const),
      commit: fc.constant(true),
      force: fc.boolean(),
      recircTable: u8,
      zone: u16,
      alg: u16,
      exec: fc.array(connectionChange, { maxLength: 2 }),
    }),
  },
);

const list: fc.Arbitrary<Action[]> = fc.oneof(
  { weight: 9, arbitrary: fc.array(nested, { maxLength: 5 }) },
  { weight: 1, arbitrary: fc.array(fc.oneof(conjunction, note), { minLength: 1, maxLength: 3 }) },
);

const matchFields = ['in_port', 'eth_src', 'eth_dst', 'reg0', 'reg7', 'tun_id', 'metadata', 'pkt_mark', 'ct_zone', 'ct_mark', 'conj_id'];
const match = fc.array(fc.tuple(fc.constantFrom(...matchFields), u64), { maxLength: 6 }).chain((list) =>
  record({ tcp: fc.boolean(), src: u32, port: u16, vlan: fc.integer({ min: 0, max: 4095 }), hasVlan: fc.boolean() }).map((t) => {
    const result = matchAll();
    const add = (name: string, value: bigint): void => {
      const field = mustField(name);
      const ones = (1n << BigInt(field.bits)) - 1n;
      addToMatch(result, { field, value: value & ones, mask: ones });
    };
    for (const [name, value] of list) add(name, name === 'in_port' ? value % 0xff00n : value);
    if (t.hasVlan) add('dl_vlan', BigInt(t.vlan));
    if (t.tcp) {
      add('eth_type', 0x800n);
      add('nw_proto', 6n);
      add('ip_src', BigInt(t.src));
      add('tcp_dst', BigInt(t.port));
    }
    return result;
  }),
);

const flags = record({
  sendFlowRem: fc.boolean(),
  checkOverlap: fc.boolean(),
  resetCounts: fc.constant(false),
  noPacketCounts: fc.constant(false),
  noByteCounts: fc.constant(false),
});

const flowMod: fc.Arbitrary<FlowMod> = record({
  kind: fc.constant('flowMod' as const),
  command: fc.constant('add' as const),
  match,
  priority: u16,
  cookie: fc.constant(0n),
  cookieMask: fc.constant(0n),
  newCookie: u64,
  table: fc.constant(255),
  idleTimeoutSec: u16,
  hardTimeoutSec: u16,
  importance: fc.constant(0),
  bufferId: u32,
  outPort: port,
  outGroup: fc.constant(0xffffffff),
  flags,
  actions: list,
});

const versions: OfVersion[] = [1, 2, 3, 4, 5];

test('decode(encode(flow-mod)) is the flow-mod, in every version that can say it', () => {
  fc.assert(
    fc.property(flowMod, fc.constantFrom(1 as OfVersion, 3 as OfVersion, 4 as OfVersion, 5 as OfVersion), u32, (mod, version, xid) => {
      const { name: _, ...framed } = decodeMessage(encodeMessage(version, xid, mod));
      // Without a table an addition is to the first one.
      assert.deepEqual(framed, { version, xid, message: version === 1 ? mod : { ...mod, table: 0 } } satisfies Framed);
    }),
    { numRuns: 300 },
  );
});

/** Actions as they come back: OpenFlow 1.5 moves by copy-field. */
function cameBack(version: OfVersion, actions: readonly Action[]): Action[] {
  if (version !== 6) return [...actions];
  return actions.map((action) => {
    if (action.kind === 'regMove') return { ...action, isCopy: true };
    if (action.kind === 'ct') return { ...action, exec: cameBack(version, action.exec) };
    return 'actions' in action ? { ...action, actions: cameBack(version, action.actions) } : action;
  });
}

test('decode(encode(flow statistics)) is the same, plain and in Nicira form', () => {
  const stats = record({
    match,
    priority: u16,
    cookie: u64,
    table: u8,
    durationSec: u32,
    durationNsec: u32,
    idleTimeoutSec: u16,
    hardTimeoutSec: u16,
    idleAgeSec: fc.integer({ min: -1, max: 1000 }),
    hardAgeSec: fc.integer({ min: -1, max: 1000 }),
    importance: fc.constant(0),
    packetCount: u64,
    byteCount: u64,
    flags: fc.constant({ sendFlowRem: false, checkOverlap: false, resetCounts: false, noPacketCounts: false, noByteCounts: false }),
    actions: list,
  });
  fc.assert(
    fc.property(
      fc.array(stats, { maxLength: 3 }),
      fc.constantFrom(...([1, 3, 4, 5, 6] as OfVersion[])),
      fc.boolean(),
      (flows, version, more) => {
        const nx = version === 1;
        // OpenFlow 1.5 tells how long a flow has been idle, the extension for 1.0 how long it has been unchanged, too.
        const idleAge = (flow: { idleAgeSec: number }): number => (version === 6 ? flow.idleAgeSec : -1);
        const wanted = nx ? flows : flows.map((flow) => ({ ...flow, idleAgeSec: idleAge(flow), hardAgeSec: -1 }));
        const message: Message = { kind: 'flowStatsReply', flows: wanted, more };
        if (version === 6 && flows.some((flow) => flow.packetCount === 0xffffffffffffffffn)) return;
        const back = { ...message, flows: wanted.map((flow) => ({ ...flow, actions: cameBack(version, flow.actions) })) };
        assert.deepEqual(decodeMessage(encodeMessage(version, 7, message, { nxFlows: nx })).message, back);
      },
    ),
    { numRuns: 200 },
  );
});

test('decode(encode(x)) is x for messages without flows', () => {
  const desc = record({
    port: fc.integer({ min: 1, max: 0xfeff }),
    mac: fc.tuple(u32, u16),
    name: fc.stringMatching(/^[a-z0-9]{1,15}$/),
    config: fc.constantFrom(0, 1, 4, 0x20, 0x61),
    state: fc.constantFrom(0, 1),
    current: fc.constantFrom(0, 0x840, 0x2001),
    advertised: fc.constant(0),
    supported: fc.constantFrom(0, 0x840),
    peer: fc.constant(0),
    currentSpeedKbps: fc.constant(0),
    maxSpeedKbps: fc.constant(0),
  });
  const simple: fc.Arbitrary<Message> = fc.oneof(
    record({ kind: fc.constantFrom('echoRequest' as const, 'echoReply' as const), data: bytes }),
    fc.constantFrom<Message>(
      { kind: 'featuresRequest' },
      { kind: 'getConfigRequest' },
      { kind: 'barrierRequest' },
      { kind: 'barrierReply' },
      { kind: 'descRequest' },
      { kind: 'tableStatsRequest' },
      { kind: 'portDescRequest', port: 0xffff },
    ),
    record({ kind: fc.constant('getConfigReply' as const), flags: u16, missSendLength: u16 }),
    record({ kind: fc.constant('setConfig' as const), flags: fc.nat(3), missSendLength: u16 }),
    record({ kind: fc.constant('portStatsRequest' as const), port }),
    record({ kind: fc.constant('queueStatsRequest' as const), port, queue: u32 }),
    record({
      kind: fc.constant('portMod' as const),
      port,
      mac: fc.tuple(u32, u16),
      config: fc.constantFrom(0, 1, 0x65),
      mask: fc.constantFrom(1, 0x64, 0x65),
      advertise: fc.constantFrom(0, 0x840),
    }).map((mod) => ({ ...mod, config: mod.config & mod.mask })),
    record({ kind: fc.constant('aggregateReply' as const), packetCount: u64, byteCount: u64, flowCount: u32 }),
    record({ kind: fc.constant('setPacketInFormat' as const), format: fc.nat(2) }),
    record({ kind: fc.constant('setFlowFormat' as const), format: u32 }),
    record({ kind: fc.constant('flowModTableId' as const), enabled: fc.boolean() }),
    record({ kind: fc.constant('setControllerId' as const), controllerId: u16 }),
  );
  fc.assert(
    fc.property(simple, fc.constantFrom(...versions), u32, (message, version, xid) => {
      // Only OpenFlow 1.0 has flow formats to choose.
      if (message.kind === 'setFlowFormat' && version !== 1) return;
      const { name: _, multipartFlags: __, ...framed } = decodeMessage(encodeMessage(version, xid, message));
      assert.deepEqual(framed, { version, xid, message });
    }),
  );
  fc.assert(
    fc.property(fc.array(desc, { maxLength: 3 }), fc.constantFrom(...([2, 3, 4, 5, 6] as OfVersion[])), (ports, version) => {
      const message: Message = { kind: 'portDescReply', ports, more: false };
      assert.deepEqual(decodeMessage(encodeMessage(version, 1, message)).message, message);
    }),
  );
});

test('packet-in and packet-out keep frame, reason and metadata', () => {
  const packetIn = record({
    kind: fc.constant('packetIn' as const),
    bufferId: u32,
    totalLength: fc.integer({ min: 1, max: 0xffff }),
    reason: fc.constantFrom('no_match' as const, 'action' as const),
    table: u8,
    cookie: u64,
    match,
    data: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  }).map((message) => ({ ...message, totalLength: Math.max(message.totalLength, message.data.length) }));
  fc.assert(
    fc.property(packetIn, fc.constantFrom(0, 1, 2), (message, packetInFormat) => {
      assert.deepEqual(decodeMessage(encodeMessage(4, 1, message, { packetInFormat })).message, message);
    }),
  );
  fc.assert(
    fc.property(
      fc.oneof(fc.integer({ min: 1, max: 0xfeff }), fc.constantFrom(0xfffd, 0xfffe, 0xffff)),
      fc.array(nested, { maxLength: 3 }),
      fc.uint8Array({ maxLength: 30 }),
      fc.constantFrom(...versions),
      (inPort, actions, data, version) => {
        const message: Message = { kind: 'packetOut', bufferId: 0xffffffff, match: matchAll(), actions, data };
        message.match.key[0] = inPort;
        message.match.mask[0] = 0xffff;
        assert.deepEqual(decodeMessage(encodeMessage(version, 1, message)).message, message);
      },
    ),
  );
});

test('set_field keeps value and mask', () => {
  const value = newKey();
  const mask = newKey();
  const field = mustField('eth_dst');
  setKeyBits(value, field.at, 48, 0x0102030405n);
  setKeyBits(mask, field.at, 48, 0xffffffffffffn);
  const message: Message = {
    kind: 'packetOut',
    bufferId: 1,
    match: matchAll(),
    actions: [{ kind: 'setField', field, value, mask }],
    data: new Uint8Array(0),
  };
  message.match.mask[0] = 0xffff;
  for (const version of [3, 4, 5] as OfVersion[]) assert.deepEqual(decodeMessage(encodeMessage(version, 1, message)).message, message);
});

test('hostile bytes give a value or a PeerError, never anything else', () => {
  const decode = (message: Uint8Array): void => {
    try {
      decodeMessage(message);
    } catch (error) {
      assert.ok(error instanceof PeerError, String(error));
    }
  };
  const header = (version: number, type: number, body: Uint8Array): Uint8Array => {
    const message = new Uint8Array(8 + body.length);
    message.set([version, type, message.length >> 8, message.length & 0xff, 0, 0, 0, 1]);
    message.set(body, 8);
    return message;
  };
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 35 }), fc.uint8Array({ maxLength: 200 }), (version, type, body) =>
      decode(header(version, type, body)),
    ),
    { numRuns: 2000 },
  );
  // Mutations of good messages reach deeper.
  fc.assert(
    fc.property(flowMod, fc.constantFrom(...versions), fc.array(fc.tuple(fc.nat(400), u8), { maxLength: 4 }), (mod, version, changes) => {
      const message = encodeMessage(version, 1, mod);
      for (const [at, value] of changes) if (at >= 8) message[at % message.length] = value;
      message[2] = message.length >> 8;
      message[3] = message.length & 0xff;
      decode(message);
    }),
    { numRuns: 1000 },
  );
});

test('strip_vlan is pop_vlan since OpenFlow 1.1', () => {
  for (const version of versions) {
    const message: Message = {
      kind: 'packetOut',
      bufferId: 0xffffffff,
      match: matchAll(),
      actions: [{ kind: 'stripVlan' }],
      data: new Uint8Array(0),
    };
    message.match.mask[0] = 0xffff;
    const { message: decoded } = decodeMessage(encodeMessage(version, 1, message));
    assert.deepEqual(decoded.kind === 'packetOut' && decoded.actions, [
      version === 1 ? { kind: 'stripVlan' } : { kind: 'stripVlan', pop: true },
    ]);
  }
});
