import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PeerError } from '../../../base/errors.ts';
import { type Match, newKey } from '../../../flow/key.ts';
import { packMatch, unpackMatch } from '../../../flow/mask.ts';
import { normalizeMatch } from '../../../flow/normal-match.ts';
import { requireConsistentFlow } from '../../flow-mod-check.ts';
import type { FlowMod, FlowStats, OfVersion } from '../../message.ts';
import { parseFlow } from '../../text/flow-text.ts';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { decodeMessage, encodeMessage } from '../codec.ts';
import { decodeOxmMatch, encodeOxmMatch } from '../fields/oxm.ts';

const n = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });
const ip = fc.tuple(n(255), n(255), n(255), n(255)).map((bytes) => bytes.join('.'));
const prefix = fc.tuple(ip, n(32)).map(([address, length]) => `${address}/${length}`);
const mac = fc.array(n(255), { minLength: 6, maxLength: 6 }).map((bytes) => bytes.map((byte) => byte.toString(16)).join(':'));
const ip6 = fc.array(n(0xffff), { minLength: 8, maxLength: 8 }).map((words) => words.map((word) => word.toString(16)).join(':'));
const text = (...parts: (string | fc.Arbitrary<unknown>)[]): fc.Arbitrary<string> =>
  fc.tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part))).map((all) => all.join(''));

/** Matches of many kinds: values that are free, values that decide, values that are checked. */
const match = fc.oneof(
  text('tcp,nw_src=', ip, ',tp_dst=', n(65535)),
  text(
    'udp,in_port=',
    fc.oneof(
      n(70000).filter((port) => port < 0xff00),
      fc.constantFrom('LOCAL', 'CONTROLLER'),
    ),
    ',nw_dst=',
    prefix,
  ),
  text(
    'ip,nw_src=',
    prefix,
    ',nw_tos=',
    n(63).map((dscp) => dscp * 4),
  ),
  text(
    'tcp6,ipv6_src=',
    ip6,
    ',tp_src=',
    n(65535),
    '/',
    n(65535).map((mask) => `0x${mask.toString(16)}`),
  ),
  text('icmp6,icmp_type=', fc.constantFrom(135, 136), ',icmp_code=0,nd_target=', ip6),
  text('icmp,icmp_type=', n(255), ',icmp_code=', n(255)),
  text('dl_vlan=', n(4095), ',dl_vlan_pcp=', n(7), ',dl_src=', mac),
  text('dl_vlan=', n(4095), ',dl_dst=', mac, '/ff:ff:ff:00:00:00'),
  text('arp,arp_op=', n(3), ',arp_spa=', ip, ',arp_sha=', mac),
  text('reg3=', n(0xffffffff), ',metadata=', n(0xffff), '/0xffff,tun_id=', n(0xffffff)),
  text('ct_state=+trk,ct_zone=', n(65535), ',ct_mark=', n(255), ',ip'),
  text('mpls,mpls_label=', n(0xfffff), ',mpls_tc=', n(7)),
  text('tun_src=', ip, ',tun_dst=', ip, ',pkt_mark=', n(0xffff)),
  text('vlan_tci=', n(0xffff), '/0x1fff'),
);
const actions = fc.constantFrom(
  'drop',
  'output:2',
  'dec_ttl,output:3',
  'mod_dl_src:00:11:22:33:44:55,controller',
  'resubmit(,3),write_metadata:7',
  'load:5->NXM_NX_REG0[],goto_table:9',
  'learn(table=7,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])',
);
const flow = fc
  .tuple(
    n(9),
    n(65535),
    n(0xffffff),
    fc.constantFrom('', ',idle_timeout=5', ',send_flow_rem', ',hard_timeout=9,importance=3'),
    match,
    actions,
  )
  .map(
    ([table, priority, cookie, extra, fields, list]) =>
      `table=${table},priority=${priority},cookie=${cookie}${extra},${fields},actions=${list}`,
  );
const command = fc.constantFrom('add', 'modify', 'modify_strict', 'delete', 'delete_strict' as const);

const MATCH_AT = 48;

/** What decoding gives, in one form for all ways. The third way is that without shapes, whatever has been read before. */
function outcome(bytes: Uint8Array, way: 'packed' | 'whole' | 'alone', flowModTableId = false): unknown {
  try {
    const framed = decodeMessage(bytes, { packsFlows: way === 'packed', flowModTableId });
    const { match: whole, packed, fitting: _, ...rest } = framed.message as FlowMod;
    let decoded: Match = packed === undefined ? whole : unpackMatch(packed.mask, packed.values);
    // The match of OpenFlow 1.1, type 0, has no shape.
    if (way === 'alone' && bytes[0] !== 1 && bytes[MATCH_AT + 1] === 1)
      decoded = decodeOxmMatch(new ByteReader(bytes.subarray(MATCH_AT))).match;
    const { key, mask } = normalizeMatch(decoded, { key: newKey(), mask: newKey() });
    return { ...framed, message: rest, key: [...key], mask: [...mask] };
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    return error.code;
  }
}

test('flow mods are read by the shapes of others as they are read alone', () => {
  fc.assert(
    fc.property(
      flow,
      command,
      fc.constantFrom<OfVersion>(3, 4, 5, 6),
      fc.array(fc.tuple(fc.nat(), n(255)), { maxLength: 3 }),
      (line, kind, version, damage) => {
        let bytes: Uint8Array;
        try {
          const mod = parseFlow(
            kind === 'add' || kind.startsWith('modify') ? line : line.replace(/(,importance=\d+)?,?actions=.*/, ''),
            kind,
          );
          bytes = encodeMessage(version, 7, mod);
        } catch {
          return;
        }
        // Twice: the first teaches.
        for (let i = 0; i < 3; i++) {
          for (const way of ['packed', 'whole'] as const) assert.deepEqual(outcome(bytes, way), outcome(bytes, 'alone'));
        }
        const alone = new ByteWriter();
        encodeOxmMatch(alone, parseFlow(line, 'add').match, version);
        assert.deepEqual(bytes.subarray(MATCH_AT, MATCH_AT + alone.size), alone.result());
        for (const [place, byte] of damage) {
          const damaged = bytes.slice();
          damaged[8 + (place % (bytes.length - 8))] = byte;
          for (const way of ['packed', 'whole'] as const) assert.deepEqual(outcome(damaged, way), outcome(damaged, 'alone'));
        }
      },
    ),
    { numRuns: 1500 },
  );
});

/** Matches that OpenFlow 1.0 can say. */
const match10 = fc.oneof(
  text('tcp,nw_src=', ip, ',tp_dst=', n(65535)),
  text('udp,in_port=', n(0xffff), ',nw_dst=', prefix, ',tp_src=', n(65535)),
  text(
    'ip,nw_src=',
    prefix,
    ',nw_tos=',
    n(63).map((dscp) => dscp * 4),
  ),
  text('icmp,icmp_type=', n(255), ',icmp_code=', n(255), ',nw_dst=', prefix),
  text('dl_vlan=', n(4095), ',dl_vlan_pcp=', n(7), ',dl_src=', mac),
  text('dl_vlan=', n(4095), ',dl_dst=', mac),
  text('vlan_tci=0,dl_src=', mac, ',dl_dst=', mac),
  text('arp,arp_op=', n(3), ',arp_spa=', ip, ',arp_tpa=', prefix),
  text('dl_type=0x86dd,dl_src=', mac),
);
const flow10 = fc
  .tuple(n(9), n(65535), n(0xffffff), fc.constantFrom('', ',idle_timeout=5', ',send_flow_rem'), match10, actions)
  .map(([table, priority, cookie, extra, fields, list]) => {
    return `table=${table},priority=${priority},cookie=${cookie}${extra},${fields},actions=${list}`;
  });

test('flow mods of OpenFlow 1.0 are read by the shapes of others as they are read alone', () => {
  fc.assert(
    fc.property(
      flow10,
      command,
      fc.boolean(),
      fc.array(fc.tuple(fc.nat(), n(255)), { maxLength: 3 }),
      n(0xffffffff),
      n(0xffffffff),
      (line, kind, tableIds, damage, wild, address) => {
        let bytes: Uint8Array;
        try {
          const isDeletion = kind === 'delete' || kind === 'delete_strict';
          const mod = parseFlow(isDeletion ? line.replace(/,?actions=.*/, '') : line, kind);
          bytes = encodeMessage(1, 7, mod, { flowModTableId: tableIds });
        } catch {
          return;
        }
        assert.equal(bytes[1], 14);
        const check = (one: Uint8Array): void => assert.deepEqual(outcome(one, 'packed', tableIds), outcome(one, 'whole', tableIds));
        for (let i = 0; i < 3; i++) check(bytes);
        // The same with other wildcards, with bits beside the prefix, and spoilt.
        const other = bytes.slice();
        new DataView(other.buffer).setUint32(8, wild);
        for (let i = 0; i < 2; i++) check(other);
        new DataView(other.buffer).setUint32(36, address);
        check(other);
        for (const [place, byte] of damage) {
          const damaged = bytes.slice();
          damaged[8 + (place % (bytes.length - 8))] = byte;
          check(damaged);
        }
      },
    ),
    { numRuns: 3000 },
  );
});

test('a flow mod on its way into a bundle is read like one alone', () => {
  const inner = (line: string): Uint8Array => encodeMessage(5, 9, parseFlow(line, 'add'));
  const carry = (bytes: Uint8Array): Uint8Array => encodeMessage(5, 9, { kind: 'bundleAdd', bundleId: 4, flags: 3, inner: bytes });
  const first = inner('table=3,tcp,nw_src=10.0.0.1,tp_dst=80,actions=output:1');
  for (let i = 0; i < 3; i++) decodeMessage(first, { packsFlows: true });
  const second = inner('table=3,tcp,nw_src=10.0.0.2,tp_dst=81,actions=output:1');
  const { message } = decodeMessage(carry(second), { packsFlows: true });
  assert.ok(message.kind === 'bundleAdd' && message.decoded !== undefined, 'it was read at once');
  assert.deepEqual([message.bundleId, message.flags], [4, 3]);
  const alone = decodeMessage(second, { packsFlows: true }).message;
  assert.deepEqual(message.decoded, alone);
  const bad = second.slice();
  bad[bad.length - 16 + 3] = 4;
  const refused = decodeMessage(carry(bad), { packsFlows: true }).message;
  assert.ok(refused.kind === 'bundleAdd' && refused.decoded instanceof PeerError);
  assert.throws(() => decodeMessage(bad), { code: refused.decoded.code });
  // A length that no flow mod has is the fault of the carrier, whatever is in it.
  const odd = new Uint8Array(second.length - 4);
  odd.set(second.subarray(0, odd.length));
  odd[3] = odd.length;
  assert.throws(() => decodeMessage(odd, { packsFlows: true }), { code: 'OFPBRC_BAD_LEN' });
  assert.throws(() => decodeMessage(carry(odd), { packsFlows: true }), { code: 'OFPBFC_MSG_UNSUP' });
  const other = carry(second);
  other[4 + 16] = 1;
  assert.throws(() => decodeMessage(other, { packsFlows: true }), { code: 'OFPBFC_MSG_BAD_XID' });
});

test('statistics with packed matches are the bytes of those with whole ones', () => {
  const lists = fc.array(flow, { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(lists, fc.constantFrom<OfVersion>(1, 2, 3, 4, 5, 6), fc.boolean(), (lines, version, nxFlows) => {
      const flows = lines.map((line): FlowStats => {
        const mod = parseFlow(line, 'add');
        // As a switch has them: lists that several flows share are written once.
        for (let i = 0; i < 3; i++)
          mod.actions = (decodeMessage(encodeMessage(5, 1, mod), { packsFlows: true }).message as FlowMod).actions;
        return {
          ...{
            match: normalizeMatch(mod.match),
            priority: mod.priority,
            cookie: mod.newCookie ?? 0n,
            table: mod.table,
            importance: mod.importance,
          },
          ...{ durationSec: 1, durationNsec: 2, idleAgeSec: 3, hardAgeSec: 4, packetCount: 5n, byteCount: 6n },
          ...{ idleTimeoutSec: mod.idleTimeoutSec, hardTimeoutSec: mod.hardTimeoutSec, flags: mod.flags, actions: mod.actions },
        };
      });
      const encode = (rows: FlowStats[]): Uint8Array =>
        encodeMessage(version, 1, { kind: 'flowStatsReply', flows: rows, more: false }, { nxFlows });
      let whole: Uint8Array;
      try {
        whole = encode(flows.map((one) => ({ ...one, actions: [...one.actions] })));
      } catch {
        return;
      }
      const packed = flows.map((one) => ({ ...one, match: { key: newKey(), mask: newKey() }, packed: packMatch(one.match) }));
      for (let i = 0; i < 2; i++) assert.deepEqual(encode(packed), whole);
    }),
    { numRuns: 600 },
  );
});

test('flows that do the same share one list, but not where the log is told of it or the TLV table decides', () => {
  const third = (list: string): unknown[] => {
    const bytes = encodeMessage(5, 1, parseFlow(`table=1,priority=5,ip,nw_dst=10.1.2.3,actions=${list}`, 'add'));
    const read = (): unknown => (decodeMessage(bytes, { packsFlows: true }).message as FlowMod).actions;
    read();
    read();
    return [read(), read()];
  };
  const [a, b] = third('output:7');
  assert.equal(a, b);
  const [c, d] = third('load:1->NXM_NX_TUN_METADATA0[0..15],output:7');
  assert.deepEqual(c, d);
  assert.notEqual(c, d);
  // In the place of the output, actions of OpenFlow 1.1: set a VLAN, take it away.
  const bytes = encodeMessage(5, 1, parseFlow('table=1,priority=5,ip,nw_dst=10.1.2.3,actions=output:1', 'add'));
  const action = bytes.length - 16;
  bytes.set([0, 1, 0, 8, 0, 5, 0, 0, 0, 18, 0, 8, 0, 0, 0, 0], action);
  const lists = [1, 2, 3, 4].map(() => (decodeMessage(bytes, { packsFlows: true }).message as FlowMod).actions);
  assert.deepEqual(lists[2], lists[3]);
  assert.deepEqual(lists[3]?.[0], { kind: 'setVlanVid', vid: 5, pushIfNeeded: false });
  assert.notEqual(lists[2], lists[3]);
});

test('actions that fit one match fit those alike, but not in every table', () => {
  const line = (table: number, address: string, more = ''): string =>
    `table=${table},tcp,nw_src=${address},tp_dst=80${more},actions=dec_ttl,goto_table:20`;
  for (const version of [3, 5] as const) {
    const checked = (text: string): FlowMod => {
      const mod = decodeMessage(encodeMessage(version, 1, parseFlow(text, 'add')), { packsFlows: true }).message as FlowMod;
      requireConsistentFlow(mod, version);
      return mod;
    };
    for (let i = 0; i < 4; i++) checked(line(3, `10.0.0.${i}`));
    const last = checked(line(3, '10.0.0.9'));
    assert.equal(last.fitting?.has(last.actions, 3), true);
    assert.equal(last.fitting?.has(last.actions, 30), false);
    const bytes = encodeMessage(version, 1, parseFlow(line(3, '10.0.0.9'), 'add'));
    bytes[24] = 30;
    const later = decodeMessage(bytes, { packsFlows: true }).message as FlowMod;
    assert.throws(() => requireConsistentFlow(later, version), { code: 'OFPBIC_BAD_TABLE_ID' });
    const other = parseFlow('table=3,dl_src=00:00:00:00:00:01,actions=goto_table:20', 'add');
    other.actions = last.actions;
    const unfit = decodeMessage(encodeMessage(version, 1, other), { packsFlows: true }).message as FlowMod;
    assert.throws(() => requireConsistentFlow(unfit, version), { code: 'OFPBAC_MATCH_INCONSISTENT' });
  }
});
