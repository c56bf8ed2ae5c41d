import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKey, W } from '../../flow/key.ts';
import { ControllerSends } from '../control/send-store.ts';
import { Simulation } from '../simulation-fixture.ts';
import { translate } from './translate.ts';

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
