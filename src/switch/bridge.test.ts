import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchAll, newKey, VLAN_CFI, W } from '../flow/key.ts';
import { OFPP } from '../openflow/action.ts';
import type { FlowRemoved } from '../openflow/message.ts';
import { parseFlow } from '../openflow/text/flow-text.ts';
import { parseGroup } from '../openflow/text/group-text.ts';
import { parseMeter } from '../openflow/text/meter-text.ts';
import { ethernet, flowMod, hex, Simulation } from './simulation-fixture.ts';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';
const C = '02:00:00:00:00:0c';
const ALL_FLOWS = { match: matchAll(), table: 255, outPort: OFPP.NONE, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n };

async function three(): Promise<[Simulation, Awaited<ReturnType<Simulation['bridge']>>]> {
  const simulation = new Simulation();
  const bridge = await simulation.bridge('br0');
  for (const name of ['p1', 'p2', 'p3']) await simulation.port(bridge, name);
  simulation.clock.advance(10);
  return [simulation, bridge];
}

test('a bridge without controllers learns', async () => {
  const [s, bridge] = await three();
  s.receive('p1', ethernet(B, A));
  assert.deepEqual(s.ports(), ['br0', 'p2', 'p3']);
  s.receive('p2', ethernet(A, B));
  assert.deepEqual(s.ports(), ['p1']);
  s.clock.advance(10);
  s.receive('p1', ethernet(B, A));
  assert.deepEqual(s.ports(), ['p2']);
  assert.deepEqual([...bridge.macTable()].map((row) => [row.portName, row.vlan, row.mac[1]]).sort(), [
    ['p1', 0, 0x0a],
    ['p2', 0, 0x0b],
  ]);
  // The station moves: the next frame goes to its new place.
  s.receive('p3', ethernet(A, B));
  s.ports();
  s.clock.advance(10);
  s.receive('p1', ethernet(B, A));
  assert.deepEqual(s.ports(), ['p3']);
});

test('a NORMAL flow that the user deleted stays deleted when controllers are set anew', async () => {
  const [, bridge] = await three();
  const flows = () => [...bridge.core.flows(ALL_FLOWS)].length;
  bridge.core.flowMod(flowMod({ command: 'delete', table: 255 }));
  assert.equal(flows(), 0);
  bridge.controllersSet([]);
  assert.equal(flows(), 0);
});

test('with the flows groups and meters go, when the first controller comes', async () => {
  const [, bridge] = await three();
  const { core } = bridge;
  core.groupMod(parseGroup('group_id=5,type=all,bucket=output:2', 'add'));
  core.meterMod(parseMeter('meter=3,kbps,band=type=drop,rate=5', 'add'));
  core.flowMod(flowMod({ actions: [{ kind: 'group', group: 5 }] }));
  core.flushFlows();
  assert.deepEqual(core.groupDescs(0xfffffffc), []);
  assert.deepEqual(core.meterConfigs(0xffffffff), []);
  assert.deepEqual(
    [...core.flows(ALL_FLOWS)].map(({ actions }) => actions[0]),
    [{ kind: 'output', port: OFPP.NORMAL, maxLen: 0 }],
  );
});

test('counters reach the flow, megaflows go when idle, stations age', async () => {
  const [s, bridge] = await three();
  for (let i = 0; i < 5; i++) s.receive('p1', ethernet(B, A));
  const [flow] = [...bridge.core.flows(ALL_FLOWS)];
  assert.equal(flow?.packetCount, 5n);
  assert.equal(flow?.byteCount, 300n);
  assert.equal(bridge.core.megaflows.count, 1);
  s.clock.advance(11_000);
  assert.equal(bridge.core.megaflows.count, 0);
  assert.equal(bridge.core.macs.count, 1);
  s.clock.advance(300_000);
  assert.equal(bridge.core.macs.count, 0);
});

test('frames meet a change before a barrier or a configuration is answered, though no time passes', async () => {
  const [s, bridge] = await three();
  const { core } = bridge;
  core.flowMod(flowMod({ actions: [{ kind: 'output', port: 2, maxLen: 0 }] }));
  s.receive('p1', ethernet(B, A));
  assert.deepEqual(s.ports(), ['p2']);
  const modify = (...ports: number[]) =>
    core.flowMod(flowMod({ command: 'modify', actions: ports.map((port) => ({ kind: 'output', port, maxLen: 0 })) }));
  modify(3);
  core.catchUp();
  s.receive('p1', ethernet(B, A));
  assert.deepEqual(s.ports(), ['p3']);
  modify(2, 3);
  await core.megaflows.caughtUp(1000);
  s.receive('p1', ethernet(B, A));
  assert.deepEqual(s.ports(), ['p2', 'p3']);
});

test('a bridge that is gone is not held on to by the datapath that it shared', async () => {
  const [s, bridge] = await three();
  const { megaflows } = bridge.core;
  const other = await s.bridge('br1');
  await s.port(other, 'q1');
  let forgotten = 0;
  const { macs } = other.core;
  macs.forgetMisses = () => void forgotten++;
  megaflows.changed();
  assert.equal(forgotten, 1);
  await other.close();
  forgotten = 0;
  megaflows.changed();
  assert.equal(forgotten, 0);
});

test('access ports take and give untagged frames, trunks tagged ones', async () => {
  const s = new Simulation();
  const bridge = await s.bridge('br0');
  await s.port(bridge, 'a10', { kind: 'dummy' }, { vlan: 10 });
  await s.port(bridge, 'b10', { kind: 'dummy' }, { vlan: 10 });
  await s.port(bridge, 'c20', { kind: 'dummy' }, { vlan: 20 });
  await s.port(bridge, 't', { kind: 'dummy' }, { trunks: [10] });
  s.receive('a10', ethernet(B, A));
  const out = s.frames();
  assert.deepEqual(
    out.map(({ port }) => port),
    ['br0', 'b10', 't'],
  );
  assert.deepEqual(out[1]!.frame, ethernet(B, A));
  assert.deepEqual(out[2]!.frame.subarray(0, 18), hex('02000000000b 02000000000a 8100000a 88b5'));
  s.receive('t', ethernet(A, B, '8100000a88b5'));
  assert.deepEqual(s.ports(), ['a10']);
  s.receive('t', ethernet(A, B, '8100001488b5'));
  assert.deepEqual(s.ports(), []);
  s.receive('a10', ethernet(B, A, '8100000a88b5'));
  assert.deepEqual(s.ports(), []);
});

test('a changed flow changes forwarding; its counters go on; deletion tells', async () => {
  const [s, bridge] = await three();
  const removed: FlowRemoved[] = [];
  bridge.core.subscribe({ onFlowRemoved: (message) => removed.push(message) });
  const flags = { ...flowMod({}).flags, sendFlowRem: true };
  bridge.core.flowMod(flowMod({ actions: [{ kind: 'output', port: 2, maxLen: 0 }], flags, newCookie: 7n }));
  s.receive('p1', ethernet(B, A));
  assert.deepEqual(s.ports(), ['p2']);
  bridge.core.flowMod(flowMod({ command: 'modify_strict', actions: [{ kind: 'output', port: 3, maxLen: 0 }], newCookie: undefined }));
  s.clock.advance(10);
  s.receive('p1', ethernet(B, A));
  assert.deepEqual(s.ports(), ['p3']);
  bridge.core.flowMod(flowMod({ command: 'delete', cookie: 7n, cookieMask: 0xffn, table: 255 }));
  assert.equal(removed[0]?.packetCount, 2n);
  assert.equal(removed[0]?.cookie, 7n);
  s.clock.advance(10);
  s.receive('p1', ethernet(B, A));
  assert.deepEqual(s.ports(), ['br0', 'p2', 'p3']);
});

test('timeouts', async () => {
  const [s, bridge] = await three();
  const removed: FlowRemoved[] = [];
  bridge.core.subscribe({ onFlowRemoved: (message) => removed.push(message) });
  const flags = { ...flowMod({}).flags, sendFlowRem: true };
  bridge.core.flowMod(flowMod({ priority: 1, hardTimeoutSec: 5, flags }));
  bridge.core.flowMod(flowMod({ priority: 2, idleTimeoutSec: 3, flags }));
  for (let i = 0; i < 4; i++) {
    s.clock.advance(2000);
    s.receive('p1', ethernet(B, A));
  }
  s.clock.advance(5000);
  assert.deepEqual(
    removed.map(({ priority, reason }) => [priority, reason]),
    [
      [1, 'hard'],
      [2, 'idle'],
    ],
  );
});

test('a bundle of steps is applied whole or not at all', async () => {
  const [, bridge] = await three();
  const good = flowMod({ actions: [{ kind: 'output', port: 2, maxLen: 0 }] });
  const bad = flowMod({ actions: [{ kind: 'output', port: OFPP.NONE, maxLen: 0 }] });
  assert.throws(() => bridge.core.apply([good, bad]), { code: 'OFPBAC_BAD_OUT_PORT', step: 1 });
  assert.equal([...bridge.core.flows(ALL_FLOWS)].length, 1);
  bridge.core.apply([good, flowMod({ table: 3 })]);
  assert.equal([...bridge.core.flows(ALL_FLOWS)].length, 3);
});

test('patch ports join two bridges that learn each for itself', async () => {
  const s = new Simulation();
  const left = await s.bridge('left');
  const right = await s.bridge('right');
  await s.port(left, 'l1');
  await s.port(right, 'r1');
  await s.port(left, 'lp', { kind: 'patch', peer: 'rp' });
  await s.port(right, 'rp', { kind: 'patch', peer: 'lp' });
  s.receive('l1', ethernet(B, A));
  assert.deepEqual(s.ports(), ['left', 'right', 'r1']);
  s.receive('r1', ethernet(A, B));
  assert.deepEqual(s.ports(), ['l1']);
  assert.deepEqual(
    [...right.macTable()].map((row) => row.portName),
    ['rp', 'r1'],
  );
  assert.equal(left.core.portStats(left.portNamed('lp')!)[0]?.txPackets, 1n);
});

test('an OpenFlow rewrite: set, tag, output, and back', async () => {
  const [s, bridge] = await three();
  const mask = newKey();
  const key = newKey();
  mask[W.IN_PORT] = 0xffff;
  key[W.IN_PORT] = 1;
  bridge.core.flowMod(
    flowMod({
      match: { key, mask },
      actions: [
        { kind: 'setEthDst', mac: [0x02000000, 0xc] },
        { kind: 'setVlanVid', vid: 5, pushIfNeeded: true },
        { kind: 'output', port: 2, maxLen: 0 },
        { kind: 'stripVlan' },
        { kind: 'output', port: 3, maxLen: 0 },
        { kind: 'output', port: OFPP.IN_PORT, maxLen: 0 },
      ],
    }),
  );
  s.clock.advance(10);
  s.receive('p1', ethernet(B, A));
  const out = s.frames();
  assert.deepEqual(
    out.map(({ port }) => port),
    ['p2', 'p3', 'p1'],
  );
  assert.deepEqual(out[0]!.frame.subarray(0, 18), hex('02000000000c 02000000000a 81000005 88b5'));
  assert.deepEqual(out[1]!.frame, ethernet(C, A));
  const [installed] = [...s.datapath.flows()];
  assert.equal(installed!.mask[W.VLAN0]! & VLAN_CFI, VLAN_CFI);
});

test('frames for controllers, and frames from them', async () => {
  const [s, bridge] = await three();
  const seen: string[] = [];
  bridge.core.subscribe({
    onPacketIn: ({ reason, match, frame, cookie }) => seen.push(`${reason} ${match.key[W.IN_PORT]} ${frame.length} ${cookie}`),
  });
  bridge.core.flowMod(flowMod({ newCookie: 9n, actions: [{ kind: 'output', port: OFPP.CONTROLLER, maxLen: 128 }] }));
  s.clock.advance(10);
  s.receive('p1', ethernet(B, A));
  s.receive('p1', ethernet(B, A));
  assert.deepEqual(seen, ['action 1 60 9', 'action 1 60 9']);
  const match = matchAll();
  bridge.core.packetOut({ frame: ethernet(B, A), match, actions: [{ kind: 'output', port: OFPP.ALL, maxLen: 0 }] });
  assert.deepEqual(s.ports(), ['br0', 'p1', 'p2', 'p3']);
});

test('a flow that replaces another goes on counting and stays as idle; reset_counts begins anew', async () => {
  const [s, bridge] = await three();
  const shown = () => [...bridge.core.flows(ALL_FLOWS)].map((flow) => [flow.packetCount, flow.durationSec, flow.idleAgeSec]);
  const to = (port: number) => [{ kind: 'output', port, maxLen: 0 } as const];
  bridge.core.flowMod(flowMod({ command: 'delete', table: 255 }));
  bridge.core.flowMod(flowMod({ actions: to(2) }));
  s.receive('p1', ethernet(B, A));
  s.clock.advance(10);
  s.receive('p1', ethernet(B, A));
  s.clock.advance(3000);
  bridge.core.flowMod(flowMod({ actions: to(3) }));
  s.clock.advance(2000);
  assert.deepEqual(shown(), [[2n, 2, 5]]);
  const flags = { sendFlowRem: false, checkOverlap: false, resetCounts: true, noPacketCounts: false, noByteCounts: false };
  bridge.core.flowMod(flowMod({ actions: to(2), flags }));
  assert.deepEqual(shown(), [[0n, 0, 5]]);
});

test('a frame that has lived out goes to the controllers, by whom the action names or by the first', async () => {
  const [s, bridge] = await three();
  const told: [string, number][] = [];
  bridge.core.subscribe({ onPacketIn: ({ reason, controllerId }) => told.push([String(reason), controllerId]) });
  const ip = (ttl: string): Uint8Array => ethernet(B, A, '0800', `4500001c00000000${ttl}110000 0a000001 0a000002 00010002 0008 0000`);
  const decTtl = (rest: object) =>
    flowMod({
      actions: [
        { kind: 'decTtl', controllerIds: [], ...rest },
        { kind: 'output', port: 2, maxLen: 0 },
      ],
    });
  bridge.core.flowMod(decTtl({}));
  s.receive('p1', ip('01'));
  assert.deepEqual(told, [['invalid_ttl', 0]]);
  assert.deepEqual(s.ports(), []);
  bridge.core.flowMod(decTtl({ controllerIds: [4, 5], listed: true }));
  s.clock.advance(10);
  s.receive('p1', ip('01'));
  assert.deepEqual(told.slice(1), [
    ['invalid_ttl', 4],
    ['invalid_ttl', 5],
  ]);
});

test('the bridge has flows of its own in table 254, which count misses and cannot be changed', async () => {
  const [s, bridge] = await three();
  const own = () => [...bridge.core.flows({ ...ALL_FLOWS, table: 254 })];
  assert.deepEqual(
    own().map(({ priority, actions }) => [priority, actions.map(({ kind }) => kind)]),
    [
      [2, []],
      [0, ['controller']],
      [0, []],
      [0, []],
    ],
  );
  bridge.core.flowMod(flowMod({ command: 'delete', table: 255 }));
  s.receive('p1', ethernet(B, A));
  assert.deepEqual(
    own().map(({ packetCount }) => packetCount),
    [0n, 0n, 1n, 0n],
  );
  assert.throws(() => bridge.core.flowMod(flowMod({ command: 'add', table: 254 })), { code: 'OFPBRC_EPERM' });
  assert.throws(() => bridge.core.flowMod(flowMod({ command: 'modify', table: 254, priority: 3 })), { code: 'OFPBRC_EPERM' });
  assert.throws(() => bridge.core.flowMod(flowMod({ command: 'delete', table: 254 })), { code: 'OFPBRC_EPERM' });
  assert.equal(own().length, 4);
});

test('a frame whose input port the flows changed goes on after the datapath has done something with it', async () => {
  const [s, bridge] = await three();
  bridge.core.flowMod(parseFlow('table=0,ip,actions=load:0->NXM_OF_IN_PORT[],ct(table=1)', 'add'));
  bridge.core.flowMod(parseFlow('table=1,ct_state=+trk,actions=2', 'add'));
  s.receive('p1', ethernet(B, A, '0800', '4500001c000000004011000a0a0000010a0000020008000900080000'));
  assert.deepEqual(s.ports(), ['p2']);
});

test('a number is not given anew soon, also one that was asked for', async () => {
  const s = new Simulation();
  const bridge = await s.bridge('br0');
  const asked = await s.port(bridge, 'p1', { kind: 'dummy' }, {}, 1);
  assert.equal(asked, 1);
  await bridge.portDelete(asked);
  assert.equal(await s.port(bridge, 'p2'), 2);
  assert.equal(await s.port(bridge, 'p3', { kind: 'dummy' }, {}, 1), 1);
  await bridge.portDelete(1);
  await bridge.portDelete(2);
  for (let number = 3; number < OFPP.MAX; number++) bridge.core.ports.set(number, bridge.core.ports.get(OFPP.LOCAL)!);
  // Where no other is left, the one that has rested longest.
  assert.equal(await s.port(bridge, 'p4'), 1);
  await bridge.portDelete(1);
  s.clock.advance(3_600_001);
  assert.equal(await s.port(bridge, 'p5'), 1);
});
