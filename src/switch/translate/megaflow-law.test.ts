// The megaflow law over random tables and frames: what translation did not read may be anything. And the cached path against translation:
// a frame that meets a megaflow leaves as it would have left had it missed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FIELDS, mustField } from '../../flow/fields.ts';
import { type Key, type Match, newKey, setKeyBits, W } from '../../flow/key.ts';
import { type Action, OFPP } from '../../openflow/action.ts';
import type { FlowMod } from '../../openflow/message.ts';
import { parseActions } from '../../openflow/text/action-parse.ts';
import { parseGroup } from '../../openflow/text/group-text.ts';
import { ControllerSends } from '../control/send-store.ts';
import { sameActions } from '../sameness.ts';
import { flowMod, Simulation } from '../simulation-fixture.ts';
import { isIp, isMpls } from './subfield.ts';
import { translate } from './translate.ts';

const MATCHABLE =
  'in_port eth_src eth_dst eth_type vlan_tci ip_src ip_dst nw_proto nw_tos nw_ttl tcp_src tcp_dst reg0 reg1 metadata ct_state ct_mark'
    .split(' ')
    .map(mustField);
const values: Record<string, bigint[]> = {
  in_port: [1n, 2n, 3n],
  eth_src: [0x02000000000an, 0x02000000000bn],
  eth_dst: [0x02000000000an, 0x02000000000bn, 0xffffffffffffn, 0x0180c2000002n],
  eth_type: [0x0800n, 0x0806n, 0x88b5n, 0x86ddn],
  vlan_tci: [0n, 0x1005n, 0x300an],
  ip_src: [0x0a000001n, 0x0a000002n, 0x0a010203n],
  ip_dst: [0x0a000001n, 0x0a000002n, 0xc0a80001n],
  nw_proto: [6n, 17n, 1n],
  nw_tos: [0n, 0x20n],
  nw_ttl: [1n, 2n, 64n],
  tcp_src: [80n, 1024n],
  tcp_dst: [80n, 81n, 25n],
  ct_state: [0n, 0x21n, 0x22n, 0x2an],
  ct_mark: [0n, 5n],
  reg0: [0n, 1n, 5n],
  reg1: [0n, 1n],
  metadata: [0n, 3n],
};
const arbValue = fc.constantFrom(...MATCHABLE).chain((field) => fc.constantFrom(...values[field.name]!).map((value) => ({ field, value })));
const arbMatch: fc.Arbitrary<Match> = fc.array(fc.tuple(arbValue, fc.integer({ min: 0, max: 3 })), { maxLength: 3 }).map((parts) => {
  const match = { key: newKey(), mask: newKey() };
  for (const [{ field, value }, cut] of parts) {
    const bits = field.bits > 8 && field.maskable ? field.bits - cut * 3 : field.bits;
    const mask = ((1n << BigInt(bits)) - 1n) << BigInt(field.bits - bits);
    setKeyBits(match.mask, field.at, field.bits, mask);
    setKeyBits(match.key, field.at, field.bits, value & mask);
  }
  return match;
});
/** Groups 1, 2, ...: every type and every way to choose. */
const GROUPS = [
  'type=all,bucket=mod_dl_dst:02:00:00:00:00:0b,output:1,bucket=dec_ttl,output:2,bucket=mod_nw_src:10.0.0.9,output:3',
  'type=indirect,bucket=mod_nw_dst:10.0.0.1,output:2',
  'type=ff,bucket=watch_port:9,output:1,bucket=watch_port:2,mod_vlan_vid:7,output:2',
  'type=select,bucket=output:1,bucket=output:2,bucket=output:3',
  'type=select,selection_method=hash,bucket=output:1,bucket=mod_tp_dst:25,output:2,bucket=weight:3,output:3',
  'type=select,selection_method=hash,fields(ip_src=255.255.0.0,tcp_dst),bucket=output:1,bucket=output:2',
  'type=select,selection_method=dp_hash,bucket=weight:5,group:1,bucket=group:5',
];
const whole = (name: string) => ({ field: mustField(name), offset: 0, bits: mustField(name).bits });
/** One of every other kind. */
const TEXTS: readonly Action[] = [
  'multipath(symmetric_l4,1024,modulo_n,16,0,NXM_NX_REG0[0..3])',
  'multipath(nw_src,7,hrw,5,0,NXM_NX_REG1[0..3])',
  'bundle(eth_src,50,hrw,ofport,members:1,2,3)',
  'bundle_load(symmetric_l3l4,50,hrw,ofport,NXM_NX_REG1[0..15],members:1,2)',
  'learn(table=2,priority=5,eth_type=0x800,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:NXM_OF_IN_PORT[]->NXM_NX_REG1[0..15],output:NXM_OF_IN_PORT[])',
  'output(port=2,max_len=100)',
  'output:NXM_NX_REG0[]',
  'controller(max_len=99,id=3,userdata=01.02)',
  'controller(pause)',
  'clone(output(port=2,max_len=64))',
  'clone(ct(commit,zone=4),output:1)',
  'check_pkt_larger(100)->NXM_NX_REG0[0]',
  'push_mpls:0x8847',
  'push_mpls:0x8847,push_mpls:0x8848,dec_mpls_ttl',
  'push_mpls:0x8847,pop_mpls:0x0800',
  'encap(nsh(md_type=1)),set_field:0x1234->nsh_spi,encap(ethernet)',
  'encap(mpls),encap(ethernet)',
  'decap(),encap(ethernet)',
  'ct_clear',
  'debug_recirc',
  'set_queue:3',
  'pop_queue',
  'fin_timeout(idle_timeout=3)',
  'ct(table=1)',
  'ct(commit,zone=NXM_NX_REG0[0..15],table=2,exec(set_field:5->ct_mark,move:NXM_OF_ETH_SRC[]->NXM_NX_CT_LABEL[0..47]))',
  'ct(commit,nat(src=10.0.0.7),table=1)',
  'set_field:0x99->pkt_mark',
].flatMap((text) => parseActions(text, {}));

const arbAction = (table: number): fc.Arbitrary<Action> =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom<Action>(
        ...[1, 2, 3, OFPP.LOCAL, OFPP.IN_PORT].map((port) => ({ kind: 'output' as const, port, maxLen: 0 })),
      ),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom<Action>(
        ...[OFPP.NORMAL, OFPP.FLOOD, OFPP.CONTROLLER].map((port) => ({ kind: 'output' as const, port, maxLen: 9 })),
      ),
    },
    {
      weight: 6,
      arbitrary: fc.constantFrom<Action>(
        { kind: 'setEthDst', mac: [0x02000000, 0xb] },
        { kind: 'setEthSrc', mac: [0x02000000, 0xa] },
        { kind: 'setVlanVid', vid: 10, pushIfNeeded: true },
        { kind: 'setVlanPcp', pcp: 3, pushIfNeeded: false },
        { kind: 'stripVlan' },
        { kind: 'pushVlan', ethertype: 0x8100 },
        { kind: 'setIpv4Src', ip: 0x0a000002 },
        { kind: 'setIpv4Dst', ip: 0x0a000001 },
        { kind: 'setIpDscp', dscp: 8 },
        { kind: 'setL4DstPort', port: 25 },
        { kind: 'decTtl', controllerIds: [0] },
        { kind: 'regLoad', dst: whole('reg0'), value: 5n },
        { kind: 'regMove', src: { ...whole('nw_src'), bits: 8 }, dst: { ...whole('reg1'), bits: 8 } },
        { kind: 'regMove', src: { ...whole('reg1'), bits: 8 }, dst: { ...whole('nw_dst'), bits: 8 } },
        { kind: 'push', subfield: whole('eth_src') },
        { kind: 'pop', subfield: whole('eth_dst') },
        { kind: 'exit' },
        { kind: 'clearActions' },
        {
          kind: 'writeActions',
          actions: [
            { kind: 'setEthDst', mac: [2, 2] },
            { kind: 'output', port: 2, maxLen: 0 },
          ],
        },
        { kind: 'writeMetadata', metadata: 3n, mask: 0xfn },
        ...TEXTS,
        {
          kind: 'clone',
          actions: [
            { kind: 'setEthDst', mac: [2, 2] },
            { kind: 'output', port: 1, maxLen: 0 },
          ],
        },
      ),
    },
    {
      weight: 3,
      arbitrary: fc.constantFrom<Action>(
        ...[0, 1, 2].map((t) => ({ kind: 'resubmit' as const, port: OFPP.IN_PORT, table: Math.max(t, table), withCtTuple: false })),
      ),
    },
    { weight: 1, arbitrary: fc.constantFrom<Action>(...GROUPS.map((_, i) => ({ kind: 'group' as const, group: i + 1 }))) },
    ...(table < 2 ? [{ weight: 2, arbitrary: fc.constant<Action>({ kind: 'gotoTable', table: table + 1 }) }] : []),
  );
const arbMod: fc.Arbitrary<FlowMod> = fc
  .integer({ min: 0, max: 2 })
  .chain((table) =>
    fc.record({
      table: fc.constant(table),
      match: arbMatch,
      priority: fc.integer({ min: 1, max: 40000 }),
      actions: fc.array(arbAction(table), { maxLength: 6 }),
    }),
  )
  .map(flowMod);
const arbKey: fc.Arbitrary<Key> = fc
  .record(Object.fromEntries(Object.entries(values).map(([name, some]) => [name, fc.constantFrom(...some)])))
  .map((chosen) => {
    const key = newKey();
    for (const [name, value] of Object.entries(chosen)) {
      // A frame that was not tracked has no state.
      if (['reg0', 'reg1', 'metadata', 'ct_state', 'ct_mark'].includes(name)) continue;
      const field = mustField(name);
      setKeyBits(key, field.at, field.bits, value);
    }
    if ((key[W.VLAN0]! & 0x1000) !== 0) key[W.VLAN0] = (key[W.VLAN0]! | 0x81000000) >>> 0;
    return canonical(key);
  });

/** Leaves only what such a frame can have. */
function canonical(key: Key): Key {
  const type = key[W.TYPE]! >>> 16;
  const isArp = type === 0x0806;
  if (!isIp(key) && !isArp) {
    key[W.TYPE] = key[W.TYPE]! & 0xffff0000;
    key[W.NW_SRC] = 0;
    key[W.NW_DST] = 0;
  }
  if (type === 0x86dd) {
    key[W.NW_SRC] = 0;
    key[W.NW_DST] = 0;
  }
  if ((key[W.TYPE]! & 0xff) === 1) key[W.TP] = key[W.TP]! & 0x00ff00ff;
  if (!isIp(key)) {
    key[W.TOS] = 0;
    key[W.TP] = 0;
  }
  return key;
}

async function site(mods: FlowMod[]): Promise<Simulation> {
  const s = new Simulation();
  const bridge = await s.bridge('br0');
  await s.port(bridge, 'p1');
  await s.port(bridge, 'p2', { kind: 'dummy' }, { vlan: 5 });
  await s.port(bridge, 'p3', { kind: 'dummy' }, { vlanMode: 'native-untagged', vlan: 10 });
  for (const [i, text] of GROUPS.entries()) bridge.core.groupMod(parseGroup(`group_id=${i + 1},${text}`, 'add'));
  for (const mod of mods) bridge.core.flowMod(mod);
  const bundle = bridge.core.bundles.get('p3')!;
  bridge.core.macs.learn(10, 0x02000000, 0xb, bundle, s.clock.now());
  return s;
}

test('megaflow law: bits outside the mask do not change the actions', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(arbMod, { minLength: 1, maxLength: 12 }),
      arbKey,
      fc.array(fc.integer({ min: 0, max: W.TUN_ID * 32 - 1 }), { minLength: 60, maxLength: 60 }),
      async (mods, key, picks) => {
        const s = await site(mods);
        const bridge = s.host.bridge('br0')!.core;
        const sends = new ControllerSends();
        const run = (k: Key) => translate({ bridge, key: k, nowMs: s.clock.now(), sends, isTunnelled: false });
        // A frame may also be one that comes back after a recirculation that some frame's translation put out.
        const first = run(key).recirculations[0];
        const frozen = first !== undefined && picks[0]! % 2 === 0 ? sends.recirculations.get(first.id) : undefined;
        if (frozen !== undefined) {
          key[W.RECIRC_ID] = first!.id;
          key[W.CT_STATE] = [0x21, 0x22, 0x2a][picks[1]! % 3]!;
          key[W.CT_MARK] = picks[2]! % 2 === 0 ? 5 : 0;
        }
        const go = (k: Key) =>
          frozen === undefined ? run(k) : translate({ bridge, key: k, frozen, nowMs: s.clock.now(), sends, isTunnelled: false });
        const result = go(key);
        assert.ok(result.mask.every((word, i) => i < W.DP_END || word === 0));
        // All words of the hot part, bit by bit, and a sample of the others.
        const bits = [...Array.from({ length: 18 * 32 }, (_, i) => i), ...picks];
        for (const bit of bits) {
          const word = bit >> 5;
          const flag = 0x80000000 >>> (bit & 31);
          if ((result.mask[word]! & flag) !== 0) continue;
          const other = key.slice();
          other[word] = other[word]! ^ flag;
          // The law speaks of frames: a tag has a TPID, and without one there is none.
          const tag = other[W.VLAN0]!;
          if ((tag & 0x1000) === 0 && (tag !== 0 || other[W.VLAN1] !== 0)) continue;
          // Labels are in frames with labels.
          if (word >= W.MPLS && word < W.MPLS + 3 && !isMpls(other)) continue;
          // A frame that has not come back has no hash.
          if (word === W.DP_HASH && other[W.RECIRC_ID] === 0) continue;
          const isIcmp = isIp(other) && (other[W.TYPE]! & 0xff) === 1;
          if (isIcmp && (other[W.TP]! & 0xff00ff00) !== 0) continue;
          // No IP packet has the protocol 0: one that says so counts as one without a header, which the reference does not look for.
          if (isIp(other) && (other[W.TYPE]! & 0xff) === 0) continue;
          // Without tracking there is no state, and a recirculation's id is a whole.
          if (frozen === undefined && word >= W.CT_STATE && word <= W.CT_MARK) continue;
          const again = go(other);
          assert.ok(sameActions(again.actions, result.actions), `bit ${bit} of word ${word} changes the actions`);
        }
      },
    ),
    { numRuns: 120, endOnFailure: process.env['WEFT_SHRINK'] === undefined },
  );
});

test('every field that tables match stands in the field table', () => {
  for (const field of MATCHABLE) assert.ok(FIELDS.includes(field));
});
