// What of the datapath's vocabulary a program knows and what is always user space's, and that docs/datapath.md says why.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { newKey, W } from '../../../flow/key.ts';
import type { DpAction, SetGroup } from '../../datapath.ts';
import { packMatch } from '../../userspace/flow-table.ts';
import { planFlow } from '../flow-plan.ts';
import { shapeActions } from './action-cutter.ts';
import { ALL, nshHeader as header, outer, tunnelKey as tunnel } from './program-fixture.ts';

const out: DpAction = { kind: 'output', port: 1 };
const ethernet: DpAction = { kind: 'pushEth', dst: [1, 2], src: [3, 4] };
const ct = { kind: 'ct', commit: true, force: false, zone: 1, helper: '', timeout: '' } as const;

/** For each action lists that a program runs, and lists that it refuses with the reason. */
const ACTIONS: Record<DpAction['kind'], { runs: DpAction[][]; refuses?: Record<string, DpAction[]> }> = {
  output: { runs: [[out], [out, out]], refuses: { output_not_in_kernel: [{ kind: 'output', port: 10 }] } },
  userspace: { runs: [[{ kind: 'userspace', cookie: { reason: 'controller', token: 1 } }]] },
  pushVlan: { runs: [[{ kind: 'pushVlan', tpid: 0x88a8, tci: 0x1005 }, { kind: 'pushVlan', tpid: 0x8100, tci: 0x1005 }, out]] },
  popVlan: { runs: [[{ kind: 'popVlan' }, { kind: 'popVlan' }, out]] },
  pushMpls: { runs: [[{ kind: 'pushMpls', ethertype: 0x8847, lse: 1 }, out]] },
  popMpls: { runs: [[{ kind: 'popMpls', ethertype: 0x0800 }, out]], refuses: { popMpls: [{ kind: 'popMpls', ethertype: 0x8100 }, out] } },
  addMpls: {
    runs: [[{ kind: 'addMpls', ethertype: 0x8847, lse: 1, isL3: true }, ethernet, out]],
    refuses: { addMpls: [{ kind: 'addMpls', ethertype: 0x8847, lse: 1, isL3: true }, out] },
  },
  set: { runs: [[{ kind: 'set', group: 'eth', words: Uint32Array.of(W.ETH, 1, ALL) }, out]] },
  setTunnel: {
    runs: [
      [
        { kind: 'setTunnel', tunnel },
        { kind: 'output', port: 9 },
      ],
    ],
    refuses: { tunnel_no_key: [{ kind: 'output', port: 9 }] },
  },
  tunnelPush: {
    runs: [],
    refuses: { tunnelPush: [{ kind: 'tunnelPush', tunnelPort: 9, outPort: 1, protocol: 'gre', header }, out] },
  },
  tunnelPop: { runs: [], refuses: { tunnelPop: [{ kind: 'tunnelPop', port: 9, protocol: 'gre' }] } },
  recirc: { runs: [[{ kind: 'recirc', id: 1 }]] },
  hash: {
    runs: [0, 1].map((algorithm): DpAction[] => [
      { kind: 'hash', algorithm, basis: 0 },
      { kind: 'recirc', id: 1 },
    ]),
    refuses: {
      hash_algorithm: [
        { kind: 'hash', algorithm: 2, basis: 0 },
        { kind: 'recirc', id: 1 },
      ],
    },
  },
  ct: {
    runs: [
      [
        {
          ...ct,
          mark: [1, 2],
          label: [
            [1, 0, 0, 0],
            [1, 0, 0, 0],
          ],
        },
        { kind: 'recirc', id: 1 },
      ],
    ],
  },
  ctClear: { runs: [[{ kind: 'ctClear' }, out]] },
  sample: { runs: [[{ kind: 'sample', probability: 5, actions: [out] }, out]] },
  clone: { runs: [[{ kind: 'clone', actions: [{ kind: 'popVlan' }, out] }, { kind: 'popVlan' }, out]] },
  meter: { runs: [[{ kind: 'meter', meter: 0 }, out]], refuses: { meter: [{ kind: 'meter', meter: 1 }, out] } },
  trunc: {
    runs: [14, 100, 1000].flatMap((maxLength): DpAction[][] => [
      [{ kind: 'trunc', maxLength }, out],
      [
        { kind: 'setTunnel', tunnel },
        { kind: 'trunc', maxLength },
        { kind: 'output', port: 9 },
      ],
    ]),
  },
  checkPktLen: { runs: [[{ kind: 'checkPktLen', length: 100, larger: [out], smaller: [] }]] },
  pushEth: { runs: [[{ kind: 'pushNsh', header }, ethernet, out]], refuses: { pushEth: [ethernet, out] } },
  popEth: { runs: [[{ kind: 'popEth' }, { kind: 'popNsh' }, out]], refuses: { popEth: [{ kind: 'popEth' }, out] } },
  pushNsh: { runs: [[{ kind: 'pushNsh', header }, ethernet, out]], refuses: { pushNsh: [{ kind: 'pushNsh', header }, out] } },
  popNsh: { runs: [[{ kind: 'popEth' }, { kind: 'popNsh' }, out]], refuses: { popNsh: [{ kind: 'popNsh' }, out] } },
  drop: { runs: [[{ kind: 'drop', reason: 0 }]] },
};

/** Words of the key that each group sets. */
const GROUPS: Record<SetGroup, number[]> = {
  eth: [W.ETH, W.ETH + 1, W.ETH + 2],
  vlan: [W.VLAN0],
  ipv4: [W.NW_SRC, W.NW_DST, W.TOS],
  ipv6: [...Array.from({ length: 8 }, (_, i) => W.IPV6_SRC + i), W.IPV6_LABEL, W.TOS],
  tcp: [W.TP],
  udp: [W.TP],
  sctp: [W.TP],
  icmp: [W.TP],
  icmpv6: [W.TP],
  arp: [W.NW_SRC, W.NW_DST, W.TYPE, W.ARP_HW, W.ARP_HW + 1, W.ARP_HW + 2],
  nd: [W.ND_TARGET, W.ND_TARGET + 3, W.ND_RESERVED, W.ARP_HW, W.ARP_HW + 1, W.ARP_HW + 2],
  mpls: [W.MPLS, W.MPLS + 1, W.MPLS + 2],
  nsh: [W.NSH, W.NSH_PATH, W.NSH_C, W.NSH_C + 3],
  skb_mark: [W.PKT_MARK],
  skb_priority: [W.SKB_PRIORITY],
};

const shaped = (list: DpAction[]): string => {
  const made = shapeActions(
    list,
    (port) => (port === 9 ? { outer: () => outer } : port > 9 ? undefined : { ifindex: port, flags: 0 }),
    (meter) => (meter === 0 ? 0 : undefined),
  );
  return typeof made === 'string' ? made : 'runs';
};

test('each action runs in a program, but for what is refused with its reason', () => {
  for (const [kind, { runs, refuses }] of Object.entries(ACTIONS)) {
    for (const list of runs) assert.equal(shaped(list), 'runs', `${kind} ${JSON.stringify(list.map((action) => action.kind))}`);
    for (const [reason, list] of Object.entries(refuses ?? {})) assert.equal(shaped(list), reason, kind);
  }
});

test('each field that can be set is set by a program', () => {
  for (const [group, words] of Object.entries(GROUPS) as [SetGroup, number[]][]) {
    for (const word of words) {
      const mask = word === W.TYPE ? 0xff : word === W.TOS ? 0xffff0000 : ALL;
      assert.equal(shaped([{ kind: 'set', group, words: Uint32Array.of(word, 0, mask) }, out]), 'runs', `${group} ${word}`);
    }
  }
});

test('each word of the key is matched on in a program, but for these', () => {
  const refused = (port: number, recirc: number, isOfDevice: boolean): Map<string, number[]> => {
    const found = new Map<string, number[]>();
    for (let word = 1; word < W.DP_END; word++) {
      if (word === W.RECIRC_ID) continue;
      const [key, mask] = [newKey(), newKey()];
      for (const [at, value] of [
        [W.IN_PORT, port],
        [W.RECIRC_ID, recirc],
        [word, ALL],
      ] as const) {
        key[at] = value;
        mask[at] = ALL;
      }
      const plan = planFlow(packMatch(key, mask), isOfDevice, recirc === 0);
      if (typeof plan === 'string') found.set(plan, [...(found.get(plan) ?? []), word]);
    }
    return found;
  };
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
  // No tunnel brings ERSPAN or GTP-U, nor more options than the header has room for; a frame that was not looked up has no connection.
  const never = [W.TUN_ERSPAN_IDX, W.TUN_EXTRA, W.TUN_METADATA + 63, W.TUN_METADATA_MAP + 1];
  assert.deepEqual(
    refused(1, 5, false),
    new Map([
      ['key_field', [W.PACKET_TYPE]],
      ['tunnel_field', never],
    ]),
  );
  const fresh = new Map([
    ['connection_state', [W.CT_STATE, W.CT_ZONE, W.CT_MARK]],
    ['key_field', [W.PACKET_TYPE, ...range(W.CT_LABEL, W.TUN_ID)]],
    ['tunnel_field', never],
  ]);
  assert.deepEqual(refused(1, 0, false), fresh);
  // Nor has a frame from a device an outer header.
  const [before, after] = [range(W.TUN_ID, W.NSH), range(W.TUN_METADATA, W.DP_END)];
  assert.deepEqual(refused(1, 5, true), new Map([['key_field', [W.PACKET_TYPE, ...before, ...after]]]));
});

test('the documentation says why of each reason', () => {
  const sources = ['..', '.'].flatMap((dir) => {
    const path = join(import.meta.dirname, dir);
    const names = readdirSync(path).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
    return names.map((name) => readFileSync(join(path, name), 'utf8'));
  });
  const told = readFileSync(join(import.meta.dirname, '../../../../docs/datapath.md'), 'utf8');
  const reasons = new Set(Object.values(ACTIONS).flatMap(({ refuses }) => Object.keys(refuses ?? {})));
  for (const text of sources) {
    for (const [, reason] of text.matchAll(/(?:new Refusal|refuse)\('([a-z_A-Z]+)'\)|return '([a-z]+(?:_[a-z]+)+)'/g))
      if (reason !== undefined) reasons.add(reason);
  }
  assert.ok(reasons.size > 15, String([...reasons]));
  for (const reason of reasons) assert.ok(told.includes(`\`${reason}\``), reason);
});
