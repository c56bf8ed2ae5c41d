import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PeerError } from '../../base/errors.ts';
import { type Field, mustField } from '../../flow/fields.ts';
import { matchAll, W } from '../../flow/key.ts';
import { NO_CODE } from '../errors.ts';
import { fieldPlace } from '../field-order.ts';
import type { FlowMonitorRequest, FlowUpdate, MonitorUpdate } from '../flow-monitor.ts';
import type { BundleType, Message, OfVersion } from '../message.ts';
import { TABLE_INSTRUCTIONS } from '../table-features.ts';
import { printBytes } from '../text/message-print.ts';
import { decodeMessage, encodeMessage } from './codec.ts';

const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }, requiredKeys?: (keyof T)[]): fc.Arbitrary<T> =>
  fc.record(
    model,
    requiredKeys === undefined ? { noNullPrototype: true } : { noNullPrototype: true, requiredKeys: requiredKeys as never },
  ) as never;
const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const percent = fc.integer({ min: 0, max: 100 });
const bits16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const tuple = record({ src: bits16, dst: bits16, srcPort: u16, dstPort: u16 }, []) as fc.Arbitrary<
  Extract<Message, { kind: 'ctFlush' }>['original']
>;
const icmpTuple = fc
  .tuple(record({ src: bits16, dst: bits16, icmpId: u16 }, []), fc.option(fc.tuple(u8, u8), { nil: undefined }))
  .map(([rest, kind]) => (kind === undefined ? rest : { ...rest, icmpType: kind[0], icmpCode: kind[1] })) as typeof tuple;
const settings = fc
  .record({
    evicts: fc.boolean(),
    tellsVacancy: fc.boolean(),
    evictionFlags: fc.integer({ min: 0, max: 7 }),
    a: percent,
    b: percent,
    now: percent,
  })
  .map(({ a, b, now, ...rest }) => ({ ...rest, vacancy: { down: Math.min(a, b), up: Math.max(a, b), now } }));
const queue = record(
  {
    port: fc.integer({ min: 1, max: 0xfeff }),
    queue: fc.integer({ min: 0, max: 0xfffffffe }),
    minRate: fc.integer({ min: 0, max: 1000 }),
    maxRate: fc.integer({ min: 0, max: 1000 }),
  },
  ['port', 'queue'],
);

const match = fc.integer({ min: 0, max: 0xfeff }).map((port) => {
  const all = matchAll();
  if (port === 0) return all;
  all.key[W.IN_PORT] = port;
  all.mask[W.IN_PORT] = 0xffff;
  return all;
});
const u64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });
const port = fc.oneof(fc.integer({ min: 1, max: 0xfeff }), fc.constant(0xffff));
const monitorRequest = (withGroup: boolean): fc.Arbitrary<FlowMonitorRequest> =>
  record({
    id: u32,
    flags: fc.integer({ min: 2, max: 0x3f }).filter((bits) => (bits & 14) !== 0),
    outPort: port,
    outGroup: withGroup ? u32 : fc.constant(0xffffffff),
    table: u8,
    command: withGroup ? fc.constantFrom<FlowMonitorRequest['command']>('add', 'modify', 'delete') : fc.constant<'add'>('add'),
    match,
    // A deletion's port says nothing and is not read.
  }).map((request) => (request.command === 'delete' ? { ...request, outPort: 0xffff } : request));
const update = (events: readonly FlowUpdate['event'][]): fc.Arbitrary<MonitorUpdate> =>
  fc.oneof(
    record({ event: fc.constant('abbrev' as const), xid: u32 }),
    fc.constantFrom(...events).chain((event) =>
      record<FlowUpdate>({
        event: fc.constant(event),
        reason:
          event === 'deleted' ? fc.constantFrom('idle', 'hard', 'delete', 'group_delete', 'meter_delete', 'eviction') : fc.constant('idle'),
        priority: u16,
        idleTimeoutSec: u16,
        hardTimeoutSec: u16,
        table: u8,
        cookie: u64,
        match,
        actions: fc.array(fc.constant({ kind: 'output' as const, port: 3, maxLen: 0 }), { maxLength: 3 }),
      }),
    ),
  );

const tlvMap = record({
  optionClass: u16,
  optionType: u8,
  size: fc.integer({ min: 0, max: 31 }).map((words) => words * 4),
  field: fc.integer({ min: 0, max: 63 }),
});

/** Each message with the versions that have it. */
const ipfix = record({
  totalFlows: u64,
  currentFlows: u64,
  packets: u64,
  ipv4Packets: u64,
  ipv6Packets: u64,
  errorPackets: u64,
  ipv4ErrorPackets: u64,
  ipv6ErrorPackets: u64,
  txPackets: u64,
  txErrors: u64,
  collectorSetId: u32,
});
const setOf = (names: readonly string[]): fc.Arbitrary<Field[]> =>
  fc.subarray([...names]).map((some) => some.map(mustField).sort((a, b) => fieldPlace(a) - fieldPlace(b)));
const actionFeatures = record({
  actions: fc.subarray([0, 22, 18, 17, 23]).map((bits) => bits.reduce((sum, bit) => sum | (1 << bit), 0)),
  setFields: setOf(['eth_src', 'ip_dst', 'tcp_src']),
});
const tableInstructions = record({
  next: fc.subarray([1, 2, 9, 200]),
  instructions: fc.subarray(TABLE_INSTRUCTIONS.map(([name]) => name)),
  write: actionFeatures,
  apply: actionFeatures,
});
const tableFeatures = record({
  table: fc.integer({ min: 0, max: 254 }),
  name: fc.constantFrom('', 'classifier', 'ingress'),
  command: fc.constant('replace' as const),
  metadataMatch: u64,
  metadataWrite: u64,
  maxEntries: u32,
  hasProperties: fc.constant(true),
  onMatch: tableInstructions,
  onMiss: tableInstructions,
  match: setOf(['eth_src', 'eth_dst', 'ip_src']),
  masked: fc.constant([] as Field[]),
  wildcarded: setOf(['eth_src', 'eth_dst']),
});

const messages: readonly (readonly [string, readonly OfVersion[], fc.Arbitrary<Message>])[] = [
  [
    'bundle control',
    [4, 5, 6],
    record({
      kind: fc.constant('bundleControl' as const),
      bundleId: u32,
      type: fc.constantFrom<BundleType>(0, 1, 2, 3, 4, 5, 6, 7),
      flags: u16,
    }),
  ],
  ['table mod', [2, 3, 4], record({ kind: fc.constant('tableMod' as const), table: u8, missConfig: fc.integer({ min: 0, max: 3 }) })],
  [
    'table mod with properties',
    [5, 6],
    settings.chain((s) =>
      record({
        kind: fc.constant('tableMod' as const),
        table: u8,
        missConfig: fc.constant(0),
        settings: fc.constant({ ...s, vacancy: { ...s.vacancy, now: 0 } }),
      }),
    ),
  ],
  [
    'table descriptions',
    [5, 6],
    record({
      kind: fc.constant('tableDescReply' as const),
      tables: fc.array(
        settings.chain((s) => u8.map((table) => ({ table, ...s }))),
        { minLength: 1, maxLength: 5 },
      ),
      more: fc.boolean(),
    }),
  ],
  [
    'table status',
    [5, 6],
    settings.chain((s) =>
      record({
        kind: fc.constant('tableStatus' as const),
        reason: fc.constantFrom('vacancy_down', 'vacancy_up'),
        desc: u8.map((table) => ({ table, ...s })),
      }),
    ),
  ],
  [
    'queue configuration',
    [5, 6],
    record({
      kind: fc.constant('queueConfigReply' as const),
      port: fc.constant(0xffff),
      queues: fc.array(queue, { minLength: 1, maxLength: 5 }),
      more: fc.boolean(),
    }),
  ],
  [
    'queue configuration of a port',
    [3, 4],
    fc
      .array(queue, { maxLength: 5 })
      .map((queues) => ({ kind: 'queueConfigReply' as const, port: 7, queues: queues.map((one) => ({ ...one, port: 7 })), more: false })),
  ],
  [
    'flow monitor request',
    [5, 6],
    record({ kind: fc.constant('flowMonitorRequest' as const), requests: fc.array(monitorRequest(true), { minLength: 1, maxLength: 3 }) }),
  ],
  [
    'flow monitor request before 1.4',
    [1, 2, 3, 4],
    record({ kind: fc.constant('flowMonitorRequest' as const), requests: fc.array(monitorRequest(false), { minLength: 1, maxLength: 3 }) }),
  ],
  [
    'flow monitor reply',
    [5, 6],
    record({
      kind: fc.constant('flowMonitorReply' as const),
      updates: fc.array(update(['initial', 'added', 'deleted', 'modified']), { maxLength: 4 }),
      more: fc.boolean(),
    }),
  ],
  [
    'flow monitor reply before 1.4',
    [1, 2, 3, 4],
    record({
      kind: fc.constant('flowMonitorReply' as const),
      updates: fc.array(update(['added', 'deleted', 'modified']), { maxLength: 4 }),
      more: fc.boolean(),
    }),
  ],
  [
    'TLV table mod',
    [1, 4, 6],
    record({
      kind: fc.constant('tlvTableMod' as const),
      command: fc.constantFrom('add', 'delete', 'clear'),
      maps: fc.array(tlvMap, { maxLength: 4 }),
    }),
  ],
  [
    'TLV table',
    [1, 4, 6],
    record({
      kind: fc.constant('tlvTableReply' as const),
      maxSpace: u32,
      maxFields: fc.integer({ min: 64, max: 0xffff }),
      maps: fc.array(tlvMap, { maxLength: 4 }),
    }),
  ],
  [
    'role status',
    [5, 6],
    record({
      kind: fc.constant('roleStatus' as const),
      role: fc.constantFrom('equal', 'primary', 'secondary'),
      reason: fc.constantFrom('primary_request', 'configuration_changed', 'experimenter_data_changed'),
      // All ones say that there is none.
      generationId: u64.filter((id) => id !== 0xffffffffffffffffn),
    }),
  ],
  [
    'forwarded request',
    [5],
    // A meter that goes away.
    u8.map((meter) => ({ kind: 'requestForward' as const, inner: new Uint8Array([5, 29, 0, 16, 0, 0, 0, 9, 0, 2, 0, 0, 0, 0, 0, meter]) })),
  ],
  ['IPFIX of a bridge', [1, 2, 3, 4, 5, 6], record({ kind: fc.constant('ipfixBridgeReply' as const), stats: ipfix })],
  [
    'IPFIX of collector sets',
    [1, 2, 3, 4, 5, 6],
    record({ kind: fc.constant('ipfixFlowReply' as const), stats: fc.array(ipfix, { maxLength: 3 }), more: fc.boolean() }),
  ],
  [
    'table features',
    [4],
    record({
      kind: fc.constant('tableFeaturesReply' as const),
      tables: fc.array(tableFeatures, { minLength: 1, maxLength: 3 }),
      more: fc.boolean(),
    }),
  ],
  ['flow monitor cancel', [1, 2, 3, 4], record({ kind: fc.constant('flowMonitorCancel' as const), id: u32 })],
  ['forget a zone', [1, 2, 3, 4, 5, 6], record({ kind: fc.constant('ctFlushZone' as const), zone: u16 })],
  [
    'forget a connection',
    [1, 2, 3, 4, 5, 6],
    record({
      kind: fc.constant('ctFlush' as const),
      proto: fc.constantFrom(6, 17),
      zone: fc.option(u16, { nil: undefined }),
      original: tuple,
      reply: tuple,
    }),
  ],
  [
    'forget a connection of ICMP',
    [1, 2, 3, 4, 5, 6],
    record({
      kind: fc.constant('ctFlush' as const),
      proto: fc.constantFrom(1, 58),
      zone: fc.option(u16, { nil: undefined }),
      original: icmpTuple,
      reply: icmpTuple,
    }),
  ],
];

for (const [name, versions, arbitrary] of messages) {
  test(`${name}: what is written is read, and printed`, () => {
    fc.assert(
      fc.property(fc.constantFrom(...versions), u32, arbitrary, (version, xid, message) => {
        const bytes = encodeMessage(version, xid, message);
        const framed = decodeMessage(bytes);
        assert.deepEqual(framed.message, message);
        assert.deepEqual(encodeMessage(version, xid, framed.message), bytes);
        assert.match(printBytes(bytes), /^[A-Z]+_[A-Z_0-9]+.*\(xid=/);
      }),
    );
  });

  test(`${name}: damaged bytes are refused with an error of OpenFlow's, or read`, () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...versions),
        arbitrary,
        fc.array(fc.tuple(fc.nat(), u8), { minLength: 1, maxLength: 4 }),
        fc.nat(),
        (version, message, damage, cut) => {
          const whole = encodeMessage(version, 1, message);
          const bytes = whole.slice(0, cut % 4 === 0 ? Math.max(8, cut % whole.length) : whole.length);
          for (const [at, value] of damage) if (bytes.length > 8) bytes[8 + (at % (bytes.length - 8))] = value;
          bytes[2] = bytes.length >> 8;
          bytes[3] = bytes.length & 0xff;
          try {
            decodeMessage(bytes);
          } catch (error) {
            assert.ok(error instanceof PeerError && (error.code === NO_CODE || /^(OFP|NX)/.test(error.code)), String(error));
          }
          printBytes(bytes);
        },
      ),
      { numRuns: 300 },
    );
  });
}
