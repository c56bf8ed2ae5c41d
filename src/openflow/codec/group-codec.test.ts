// Groups and meters: bytes round trip in every version, bytes of the reference, hostile bytes, text round trip.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigError, PeerError } from '../../base/errors.ts';
import { mustField } from '../../flow/fields.ts';
import type { Action } from '../action.ts';
import { OFPP } from '../action.ts';
import { sortHashFields } from '../field-order.ts';
import type { GroupBucket, GroupMod, GroupSelection } from '../group.ts';
import { BUCKET, noSelection, OFPG } from '../group.ts';
import type { Message, OfVersion } from '../message.ts';
import { METER_FLAG } from '../meter.ts';
import { formatGroupMod, parseGroup } from '../text/group-text.ts';
import { printBytes } from '../text/message-print.ts';
import { formatMeterConfig, parseMeter } from '../text/meter-text.ts';
import { decodeMessage, encodeMessage } from './codec.ts';

const VERSIONS: readonly OfVersion[] = [1, 2, 3, 4, 5, 6];
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const groupId = fc.integer({ min: 0, max: OFPG.MAX });
const port = fc.integer({ min: 1, max: 0xfeff });

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constant('output' as const), port, maxLen: fc.constant(0) }),
  fc.record({ kind: fc.constant('group' as const), group: groupId }),
  fc.record({ kind: fc.constant('resubmit' as const), port, table: fc.integer({ min: 0, max: 254 }), withCtTuple: fc.constant(false) }),
);

const HASHABLE = ['ip_src', 'ip_dst', 'eth_src', 'eth_dst', 'tcp_src', 'udp_dst', 'ipv6_src', 'reg0', 'metadata'].map(mustField);
const fields = fc
  .subarray(HASHABLE)
  .chain((chosen) =>
    fc.tuple(
      ...chosen.map((field) => fc.bigInt({ min: 1n, max: (1n << BigInt(field.wireBytes * 8)) - 1n }).map((mask) => ({ field, mask }))),
    ),
  );
const selection: fc.Arbitrary<GroupSelection> = fc.oneof(
  fc.constant(noSelection()),
  u64.map((param) => ({ method: 'dp_hash', param, fields: [] })),
  fc.tuple(u64, fields).map(([param, list]) => ({ method: 'hash', param, fields: sortHashFields([...list]) })),
);

const bucket = (type: GroupMod['type']): fc.Arbitrary<GroupBucket> =>
  fc.record({
    bucketId: fc.integer({ min: 0, max: BUCKET.MAX }),
    weight: type === 'select' ? fc.integer({ min: 0, max: 0xffff }) : fc.constant(0),
    watchPort: type === 'ff' ? port : type === 'select' ? fc.oneof(port, fc.constant(OFPP.NONE)) : fc.constant(OFPP.NONE),
    watchGroup: type === 'ff' || type === 'select' ? fc.oneof(groupId, fc.constant(OFPG.ANY)) : fc.constant(OFPG.ANY),
    actions: fc.array(action, { maxLength: 4 }),
  });

const groupMod: fc.Arbitrary<GroupMod> = fc
  .constantFrom('all' as const, 'select' as const, 'indirect' as const, 'ff' as const)
  .chain((type) =>
    fc.record({
      kind: fc.constant('groupMod' as const),
      command: fc.constantFrom('add' as const, 'modify' as const, 'add_or_mod' as const),
      type: fc.constant(type),
      group: groupId,
      commandBucket: fc.constant(BUCKET.ALL),
      buckets: fc.uniqueArray(bucket(type), {
        selector: (b) => b.bucketId,
        minLength: type === 'indirect' ? 1 : 0,
        maxLength: type === 'indirect' ? 1 : 6,
      }),
      selection: type === 'select' ? selection : fc.constant(noSelection()),
    }),
  );

const hasIds = (version: OfVersion): boolean => version === 1 || version === 6;

/** What an older version cannot say is lost: numbers of buckets become places, the selection goes. */
function asSeenBy(mod: GroupMod, version: OfVersion): GroupMod {
  if (hasIds(version)) return mod;
  return { ...mod, selection: noSelection(), buckets: mod.buckets.map((b, bucketId) => ({ ...b, bucketId })) };
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
const same = (a: unknown, b: unknown): void => assert.equal(JSON.stringify(a, plain), JSON.stringify(b, plain));

test('group modifications: bytes round trip in every version', () => {
  fc.assert(
    fc.property(groupMod, fc.constantFrom(...VERSIONS), (mod, version) => {
      // OpenFlow 1.0 writes resubmit in Nicira's form like the others.
      same(decodeMessage(encodeMessage(version, 7, mod)).message, asSeenBy(mod, version));
    }),
  );
});

test('group modifications: text round trip', () => {
  fc.assert(
    fc.property(groupMod, (mod) => {
      const text = formatGroupMod(mod, 6).replace(/^\S+ /, '');
      const parsed = parseGroup(text, mod.command);
      // A parameter of 0 is not written, nor are fields that no method uses.
      same(parsed, mod);
    }),
  );
});

test('group descriptions, statistics and features round trip', () => {
  const stats = fc.record({
    group: groupId,
    refCount: u32,
    packetCount: u64,
    byteCount: u64,
    durationSec: fc.integer({ min: 0, max: 0xfffffffe }),
    durationNsec: fc.integer({ min: 0, max: 999_999_999 }),
    buckets: fc.array(fc.record({ packetCount: u64, byteCount: u64 }), { maxLength: 5 }),
  });
  fc.assert(
    fc.property(
      fc.array(groupMod, { maxLength: 4 }),
      fc.array(stats, { maxLength: 4 }),
      fc.constantFrom(...VERSIONS),
      (mods, all, version) => {
        const groups = mods.map((mod) => {
          const { group, type, buckets, selection: chosen } = asSeenBy(mod, version);
          return { group, type, buckets, selection: chosen };
        });
        const desc: Message = { kind: 'groupDescReply', groups, more: false };
        same(decodeMessage(encodeMessage(version, 7, desc)).message, desc);
        const unknown = version === 2 || version === 3 ? { durationSec: 0xffffffff, durationNsec: 0xffffffff } : {};
        const reply: Message = { kind: 'groupStatsReply', groups: all.map((one) => ({ ...one, ...unknown })), more: true };
        same(decodeMessage(encodeMessage(version, 7, reply)).message, reply);
        const features: Message = {
          kind: 'groupFeaturesReply',
          features: { types: 15, capabilities: 7, maxGroups: [1, 2, 3, 4], actions: [5, 6, 7, 8] },
        };
        same(decodeMessage(encodeMessage(version, 7, features)).message, features);
      },
    ),
  );
});

test('meters: bytes and text round trip', () => {
  const band = (hasBurst: boolean) =>
    fc.record({
      kind: fc.constantFrom('drop' as const, 'dscp_remark' as const),
      rate: fc.integer({ min: 1, max: 0xffffffff }),
      burstSize: hasBurst ? fc.integer({ min: 1, max: 0xffffffff }) : fc.constant(0),
      precLevel: fc.integer({ min: 1, max: 255 }),
    });
  const config = fc
    .record({ unit: fc.constantFrom(METER_FLAG.KBPS, METER_FLAG.PKTPS), burst: fc.boolean(), stats: fc.boolean() })
    .chain(({ unit, burst, stats }) =>
      fc.record({
        meter: fc.constantFrom(1, 2, 0xffff0000, 0xfffffffe, 0xfffffffd),
        flags: fc.constant(unit | (burst ? METER_FLAG.BURST : 0) | (stats ? METER_FLAG.STATS : 0)),
        bands: fc.array(
          band(burst).map((b) => (b.kind === 'drop' ? { ...b, precLevel: 0 } : b)),
          { minLength: 1, maxLength: 8 },
        ),
      }),
    );
  fc.assert(
    fc.property(config, fc.constantFrom(...([4, 5, 6] as const)), (meter, version) => {
      const mod: Message = { kind: 'meterMod', command: 'add', config: meter };
      same(decodeMessage(encodeMessage(version, 7, mod)).message, mod);
      same(parseMeter(formatMeterConfig(meter), 'add').config, meter);
      const reply: Message = { kind: 'meterConfigReply', meters: [meter, meter], more: false };
      const seen = decodeMessage(encodeMessage(version, 7, reply)).message;
      assert.ok(seen.kind === 'meterConfigReply');
      for (const one of seen.meters) same(one, meter);
      const stats: Message = {
        kind: 'meterStatsReply',
        meters: [
          {
            meter: 1,
            flowCount: 2,
            packetInCount: 3n,
            byteInCount: 4n,
            durationSec: 5,
            durationNsec: 6,
            bands: [{ packetCount: 7n, byteCount: 8n }],
          },
        ],
        more: false,
      };
      same(decodeMessage(encodeMessage(version, 7, stats)).message, stats);
    }),
  );
});

test('hostile bytes behind the header of each of these messages are a value or a PeerError', () => {
  const heads: [OfVersion, number[]][] = [];
  for (const version of VERSIONS) {
    if (version > 1) heads.push([version, [15]]);
    else heads.push([1, [4, 0, 0, 0x23, 0x20, 0, 0, 0, 31]]);
    for (const reply of [0, 1]) {
      const stats = (version === 1 ? 16 : 18) + reply;
      if (version === 1) for (const n of [7, 8, 9]) heads.push([1, [stats, 0xff, 0xff, 0, 0, 0, 0, 0x23, 0x20, 0, 0, 0, n, 0, 0, 0, 0]]);
      else for (let n = 6; n <= 11; n++) heads.push([version, [stats, 0, n, 0, 0, 0, 0, 0, 0]]);
    }
    if (version >= 4) heads.push([version, [29]]);
  }
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 120 }),
    // Small numbers where lengths and types stand get further.
    fc.array(fc.constantFrom(0, 1, 2, 8, 16, 24, 32, 40, 0xff), { maxLength: 120 }).map((list) => Uint8Array.from(list)),
    fc.tuple(groupMod, fc.nat(), fc.nat(255)).map(([mod, at, value]) => {
      const bytes = encodeMessage(6, 1, mod).slice(8);
      if (bytes.length > 0) bytes[at % bytes.length] = value;
      return bytes;
    }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...heads), body, ([version, head], rest) => {
      const padded = [...rest, ...new Array((8 - (rest.length % 8)) % 8).fill(0)];
      const bytes = Uint8Array.from([version, head[0] ?? 0, 0, 0, 0, 0, 0, 1, ...head.slice(1), ...padded]);
      bytes[2] = bytes.length >> 8;
      bytes[3] = bytes.length & 0xff;
      try {
        decodeMessage(bytes);
      } catch (error) {
        assert.ok(error instanceof PeerError, String(error));
      }
      assert.equal(typeof printBytes(bytes), 'string');
    }),
    { numRuns: Number(process.env['RUNS'] ?? 3000) },
  );
});

test('any text is a group or a meter, or a ConfigError', () => {
  const words = fc.constantFrom(
    'group_id=1',
    'type=select',
    'type=ff',
    'bucket=',
    'bucket_id:',
    'weight:',
    'watch_port:',
    'output:1',
    'selection_method=hash',
    'fields(',
    ')',
    ',',
    '=',
    'ip_src',
    'meter=1',
    'kbps',
    'band=',
    'type=drop',
    'rate=',
    '5',
    'command_bucket_id=',
    'all',
    '->',
    '"',
    ' ', // biome-ignore format: a list of words
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(words, { maxLength: 14 }).map((list) => list.join('')),
      ),
      (text) => {
        for (const parse of [
          () => parseGroup(text, 'add'),
          () => parseGroup(text, 'delete'),
          () => parseGroup(text, 'insert_bucket'),
          () => parseMeter(text, 'add'),
          () => parseMeter(text, 'request'),
        ]) {
          try {
            parse();
          } catch (error) {
            assert.ok(error instanceof ConfigError, String(error));
          }
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('the bytes of the reference', () => {
  const hex = (version: OfVersion, text: string): string => Buffer.from(encodeMessage(version, 2, parseGroup(text, 'add'))).toString('hex');
  const text = 'group_id=6,type=ff,bucket=watch_port:2,output:1,bucket=watch_group:5,output:2';
  assert.equal(
    hex(1, text),
    '0104005000000002000023200000001f000003000000000600300000ffffffff001800080000000000000008000100000001000800000002001800080000000100000008000200000002000800000005',
  );
  assert.equal(
    hex(4, text),
    '040f00500000000200000300000000060020000000000002ffffffff000000000000001000000001000000000000000000200000ffffffff000000050000000000000010000000020000000000000000',
  );
  assert.equal(
    hex(6, text),
    '060f005800000002000003000000000600400000ffffffff00200010000000000000001000000001000000000000000000010008000000020020001000000001000000100000000200000000000000000002000800000005',
  );
  assert.equal(
    hex(
      6,
      'group_id=5,type=select,selection_method=hash,selection_method_param=7,fields(ip_src,ip_dst=255.255.0.0,tcp_src,eth_dst=ff:ff:ff:00:00:00,vlan_vid),bucket=output:1',
    ),
    '060f008800000002000001000000000500200000ffffffff0020001000000000000000100000000100000000000000000000000800010000ffff004e0000154d000000010000000068617368000000000000000000000000000000000000000780000606ffffff00000080000c02ffff80001604ffffffff80001804ffff000080001a02ffff0000',
  );
});
