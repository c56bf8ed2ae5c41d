// Programs as values, without a kernel: the same specification always gives the same instructions, and their text is on record under
// `snapshots/`. After a change that is meant: `node --test --test-update-snapshots src/datapath/ebpf/compiler/program.test.ts`.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { programText } from '../../../bpf/program-text.ts';
import { W } from '../../../flow/key.ts';
import type { DpAction, SetGroup } from '../../datapath.ts';
import { shapeActions } from './action-cutter.ts';
import { type OutputDevice, shapeName } from './action-shape.ts';
import { compileProgram, type MaskSpec, type ProgramSpec } from './program.ts';
import { ALL, nshHeader, outer, tunnelKey } from './program-fixture.ts';
import { compileTunnelPop } from './tunnel-pop-program.ts';

const device = (port: number): OutputDevice | undefined =>
  port === 9 ? { outer: () => outer } : port > 9 ? undefined : { ifindex: port + 100, flags: port === 1 ? 1 : 0 };

const output = (port: number): DpAction => ({ kind: 'output', port });
const set = (group: SetGroup, ...words: number[]): DpAction => ({ kind: 'set', group, words: Uint32Array.from(words) });

function spec(masks: readonly [number, number][][], lists: readonly DpAction[][], more: Partial<ProgramSpec> = {}): ProgramSpec {
  return {
    masks: masks.map(
      (pairs, i): MaskSpec => ({
        map: `flows${i}`,
        number: i + 1,
        words: pairs.map(([word]) => word),
        masks: pairs.map(([, bits]) => bits),
      }),
    ),
    shapes: lists.map((list, i) => {
      const made = shapeActions(list, device, () => 5);
      if (typeof made === 'string') throw new Error(made);
      return { number: i + 1, shape: made.shape };
    }),
    ...more,
  };
}

const port: [number, number] = [W.IN_PORT, ALL];
const ethernet: [number, number][] = [port, [W.RECIRC_ID, ALL], [W.ETH, ALL], [W.ETH + 1, ALL], [W.ETH + 2, ALL], [W.TYPE, 0xffff0000]];
const small = spec([ethernet], [[output(2)]]);
const typical = spec(
  [
    ethernet,
    [...ethernet, [W.VLAN0, ALL]],
    [port, [W.RECIRC_ID, ALL], [W.TYPE, ALL], [W.NW_SRC, ALL], [W.NW_DST, 0xffffff00], [W.TP, 0xffff]],
  ],
  [
    [output(2)],
    [output(2), output(3), output(1)],
    [{ kind: 'popVlan' }, output(2)],
    [set('eth', W.ETH, 1, ALL), set('ipv4', W.TOS, 0x3f0000, 0xff0000), output(3)],
  ],
);
const large = spec(
  [
    ...typical.masks.map(({ words, masks }) => words.map((word, i): [number, number] => [word, masks[i]!])),
    [
      port,
      [W.RECIRC_ID, ALL],
      [W.TYPE, ALL],
      ...Array.from({ length: 8 }, (_, i): [number, number] => [W.IPV6_SRC + i, ALL]),
      [W.ND_TARGET, ALL],
    ],
    [port, [W.TYPE, ALL], [W.MPLS, 0xfffff000], [W.VLAN1, ALL]],
    [port, [W.TUN_ID + 1, ALL], [W.TUN_SRC, ALL], [W.TUN_DST, ALL], [W.ETH, ALL], [W.ARP_HW, ALL]],
  ],
  [
    [output(2)],
    [],
    [{ kind: 'drop', reason: 0 }],
    [set('arp', W.NW_SRC, 1, ALL, W.ARP_HW + 1, 2, 0xffff, W.TYPE, 2, 0xff), output(1)],
    [set('ipv6', W.IPV6_DST + 3, 5, ALL, W.TOS, 0, 0xff0000), set('tcp', W.TP, 80, 0xffff), set('skb_mark', W.PKT_MARK, 7, 15), output(2)],
    [set('nd', W.ND_TARGET, 1, ALL, W.ARP_HW + 1, 5, 0xffff), set('icmpv6', W.TP, 136 << 16, 0xff0000), output(4)],
    [{ kind: 'pushMpls', ethertype: 0x8847, lse: 0x123ff }, set('mpls', W.MPLS, 0, 0xff), output(4)],
    [{ kind: 'popMpls', ethertype: 0x0800 }, output(4)],
    [set('vlan', W.VLAN0, 5, 0xfff), { kind: 'pushVlan', tpid: 0x88a8, tci: 0x1001 }, output(4)],
    [{ kind: 'trunc', maxLength: 100 }, output(4), output(5)],
    [{ kind: 'setTunnel', tunnel: tunnelKey }, output(9), output(2)],
    [{ kind: 'sample', probability: 0x10000000, actions: [{ kind: 'userspace', cookie: { reason: 'sflow', token: 3 } }] }, output(2)],
    [{ kind: 'checkPktLen', length: 1500, larger: [output(2)], smaller: [{ kind: 'popVlan' }, output(3)] }],
    [{ kind: 'meter', meter: 1 }, output(2)],
    [
      { kind: 'hash', algorithm: 0, basis: 9 },
      { kind: 'recirc', id: 5 },
    ],
    [
      { kind: 'hash', algorithm: 1, basis: 9 },
      { kind: 'recirc', id: 5 },
    ],
    [{ kind: 'recirc', id: 5 }, output(2)],
    [set('ipv4', W.NW_SRC, 1, ALL), { kind: 'hash', algorithm: 0, basis: 0 }, { kind: 'recirc', id: 1 }],
    [set('sctp', W.TP, 80, 0xffff), output(2)],
    [set('nsh', W.NSH_PATH, 5, ALL, W.NSH_C, 7, ALL), output(2)],
    [{ kind: 'pushNsh', header: nshHeader }, { kind: 'pushEth', dst: [1, 2], src: [3, 4] }, output(2)],
    [{ kind: 'popEth' }, { kind: 'popNsh' }, { kind: 'recirc', id: 2 }],
    [{ kind: 'trunc', maxLength: 60 }, { kind: 'setTunnel', tunnel: tunnelKey }, output(9)],
  ],
  { hasTunnels: true, vlanLimit: 2 },
);

const snapshot = (t: TestContext, name: string, text: string): void =>
  t.assert.fileSnapshot(text, join(import.meta.dirname, 'snapshots', `${name}.txt`), { serializers: [(value) => String(value)] });

for (const [name, value] of Object.entries({ small, typical, large })) {
  test(`a ${name} program is what is on record`, (t) => {
    const program = compileProgram(value);
    assert.deepEqual(compileProgram(structuredClone(value)).bytes, program.bytes);
    snapshot(t, name, programText(program));
  });
}

test('the program that unwraps tunnels is what is on record', (t) => snapshot(t, 'tunnels', programText(compileTunnelPop())));

test('lists that differ in parameters alone share a shape; the parameters differ', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 }), fc.nat(0xfff), fc.nat(0xfff), (a, b, tagA, tagB) => {
      const list = (to: number, tci: number): DpAction[] => [{ kind: 'pushVlan', tpid: 0x8100, tci }, output(to)];
      const one = shapeActions(list(a, tagA), device);
      const two = shapeActions(list(b, tagB), device);
      assert.ok(typeof one !== 'string' && typeof two !== 'string');
      assert.equal(shapeName(one.shape), shapeName(two.shape));
      assert.equal(Buffer.compare(one.params, two.params) === 0, a === b && tagA === tagB);
    }),
  );
});

test('what the kernel cannot run is refused by cause', () => {
  const cases: [string, DpAction[]][] = [
    ['output_not_in_kernel', [output(10)]],
    ['tunnel_no_key', [output(9)]],
    ['popMpls', [{ kind: 'popMpls', ethertype: 0x8100 }, output(2)]],
    ['set_nd', [set('nd', W.TP, 1, ALL), output(2)]],
    ['popEth', [{ kind: 'popEth' }, output(2)]],
    ['pushNsh', [{ kind: 'pushNsh', header: nshHeader }, output(2)]],
    ['addMpls', [{ kind: 'addMpls', ethertype: 0x8847, lse: 1, isL3: true }, output(2)]],
    ['meter', [{ kind: 'meter', meter: 1 }, output(2)]],
  ];
  for (const [reason, list] of cases) assert.equal(shapeActions(list, device), reason);
});

test('what is too much for one list becomes several', () => {
  const tunnel: DpAction = { kind: 'setTunnel', tunnel: tunnelKey };
  const pop: DpAction = { kind: 'popVlan' };
  const hash: DpAction = { kind: 'hash', algorithm: 0, basis: 0 };
  const recirc: DpAction = { kind: 'recirc', id: 1 };
  const track: DpAction = { kind: 'ct', commit: false, force: false, zone: 1, helper: '', timeout: '' };
  const tooLong: DpAction[] = Array.from({ length: 25 }, () => output(2));
  /** Steps of a list; `(...)` those of one under it, `user` where user space runs that. */
  const text = (shaped: ReturnType<typeof shapeActions> | undefined): string => {
    if (shaped === undefined) return 'user';
    assert.ok(typeof shaped !== 'string', String(shaped));
    const under = (at: number): string => text(shaped.children.find((child) => child.at === at)?.shaped);
    return shaped.shape.steps
      .map((step) => (step.op === 'fork' || step.op === 'continue' ? `${step.op}(${under(step.at)})` : step.op))
      .join(' ');
  };
  const cases: [string, DpAction[]][] = [
    ['fork(tunnel) output tunnel', [tunnel, output(9), output(9), output(2)]],
    ['fork(tunnel) popVlan output', [tunnel, output(9), pop, output(2)]],
    ['patch continue(hash recirculate)', [set('ipv4', W.NW_SRC, 1, ALL), hash, recirc]],
    ['pushMpls continue(patch output)', [{ kind: 'pushMpls', ethertype: 0x8847, lse: 0 }, set('ipv4', W.NW_SRC, 1, ALL), output(2)]],
    ['fork(popVlan output) popVlan output', [{ kind: 'clone', actions: [pop, output(2)] }, pop, output(3)]],
    ['fork(recirculate) output', [recirc, output(2)]],
    ['ct continue(ct recirculate)', [track, track, recirc]],
    ['fork(truncated) popVlan output', [{ kind: 'trunc', maxLength: 60 }, output(2), pop, output(3)]],
    ...([60, 152].map((maxLength) => [
      'fork(tunnel) userspace',
      [{ kind: 'userspace', cookie: { reason: 'controller', token: 1 } }, tunnel, { kind: 'trunc', maxLength }, output(9)],
    ]) as [string, DpAction[]][]),
    ['fork(user) popVlan output', [{ kind: 'clone', actions: [{ kind: 'meter', meter: 1 }, pop, output(2)] }, pop, output(3)]],
    [`${'output '.repeat(9)}continue(${'output '.repeat(9)}continue(${'output '.repeat(7).trim()}))`, tooLong],
    [
      'fork(tunnel) popVlan pushVlan continue(popMpls fork(tunnel) tunnel)',
      [tunnel, output(9), pop, { kind: 'pushVlan', tpid: 0x8100, tci: 5 }, { kind: 'popMpls', ethertype: 0x800 }, output(9), output(9)],
    ],
  ];
  for (const [steps, list] of cases) assert.equal(text(shapeActions(list, device)), steps);
});

test('what must come last is moved behind outputs, and nested lists behind what they must not change', () => {
  const ops = (list: DpAction[]): string[] => {
    const made = shapeActions(list, device);
    if (typeof made === 'string') throw new Error(made);
    return made.shape.steps.map((step) => step.op);
  };
  const cookie = { reason: 'controller', token: 1 } as const;
  assert.deepEqual(ops([{ kind: 'setTunnel', tunnel: tunnelKey }, output(9), output(2)]), ['output', 'tunnel']);
  assert.deepEqual(ops([{ kind: 'userspace', cookie }, output(2), output(3)]), ['output', 'output', 'userspace']);
  // The hash does not cover a TTL.
  assert.deepEqual(ops([set('ipv4', W.TOS, 0, 0xff0000), { kind: 'hash', algorithm: 0, basis: 0 }, { kind: 'recirc', id: 1 }]), [
    'patch',
    'hash',
    'recirculate',
  ]);
  assert.deepEqual(ops([{ kind: 'clone', actions: [{ kind: 'popVlan' }, output(2)] }, output(3)]), ['output', 'popVlan', 'output']);
});
