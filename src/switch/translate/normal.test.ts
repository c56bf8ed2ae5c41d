import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKey, W } from '../../flow/key.ts';
import { OFPP } from '../../openflow/action.ts';
import { ControllerSends } from '../control/send-store.ts';
import { Simulation } from '../simulation-fixture.ts';
import { translate } from './translate.ts';
import type { TraceNode } from './translation.ts';

test('nothing is learned from a packet that is no Ethernet frame', async () => {
  const s = new Simulation();
  const bridge = await s.bridge('br0');
  await s.port(bridge, 'p1');
  const learns = (packetType: number): boolean => {
    const key = newKey();
    key[W.IN_PORT] = 1;
    key[W.TYPE] = 0x0800_0000;
    key[W.PACKET_TYPE] = packetType;
    const { effects } = translate({
      bridge: s.host.bridge('br0')!.core,
      key,
      nowMs: s.clock.now(),
      sends: new ControllerSends(),
      isTunnelled: false,
    });
    return effects.some(({ kind }) => kind === 'learn');
  };
  assert.deepEqual([learns(0), learns(0x1_0800)], [true, false]);
});

test('a packet that is no Ethernet frame is flooded: it comes from no station that it could be for', async () => {
  const s = new Simulation();
  const bridge = await s.bridge('br0');
  await s.port(bridge, 'p1');
  const says = (packetType: number): string[] => {
    const key = newKey();
    key[W.IN_PORT] = 1;
    key[W.TYPE] = 0x0800_0000;
    key[W.PACKET_TYPE] = packetType;
    const root: TraceNode[] = [];
    const text = { rule: () => '', actions: () => '', value: () => '' };
    translate({
      bridge: s.host.bridge('br0')!.core,
      key,
      nowMs: s.clock.now(),
      sends: new ControllerSends(),
      isTunnelled: false,
      actions: [{ kind: 'output', port: OFPP.NORMAL, maxLen: 0 }],
      trace: { root, text, isLearning: true },
    });
    const texts = (nodes: readonly TraceNode[]): string[] => nodes.flatMap((node) => [node.text, ...texts(node.subs)]);
    return texts(root).filter((line) => /flooding|input port/.test(line));
  };
  assert.deepEqual(says(0), ['learned port is input port, dropping']);
  assert.deepEqual(says(0x1_0800), ['no learned MAC for destination, flooding']);
});
