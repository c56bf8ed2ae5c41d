// Meters in the switch: a flow's frames beyond the rate are dropped with a reason and counted, meters for controllers, refusals, flows
// that go with their meter.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PeerError } from '../../base/errors.ts';
import { OFPP } from '../../openflow/action.ts';
import type { MeterCommand } from '../../openflow/meter.ts';
import { OFPM } from '../../openflow/meter.ts';
import { parseMeter } from '../../openflow/text/meter-text.ts';
import type { Bridge } from '../bridge.ts';
import { ethernet, flowMod, Simulation } from '../simulation-fixture.ts';

async function site(): Promise<{ s: Simulation; bridge: Bridge; meter(text: string, command?: MeterCommand): void }> {
  const s = new Simulation();
  const bridge = await s.bridge('br0');
  for (const name of ['p1', 'p2']) await s.port(bridge, name);
  return { s, bridge, meter: (text, command = 'add') => bridge.core.meterMod(parseMeter(text, command)) };
}

const frame = ethernet('02:00:00:00:00:0b', '02:00:00:00:00:0a');

const refusal = (fn: () => void): string => {
  try {
    fn();
  } catch (error) {
    if (error instanceof PeerError) return error.code;
    throw error;
  }
  return '';
};

test('a flow with a meter: the rate passes, the rest is dropped with a reason and counted', async () => {
  const { s, bridge, meter } = await site();
  meter('meter=7,pktps,burst,stats,bands=type=drop,rate=100,burst_size=10');
  bridge.core.flowMod(flowMod({ actions: [{ kind: 'meter', meter: 7 }, { kind: 'output', port: 2, maxLen: 0 }] })); // biome-ignore format: one flow
  for (let ms = 0; ms < 2000; ms += 2) {
    s.receive('p1', frame);
    s.clock.advance(2);
  }
  const passed = s.ports().length;
  assert.ok(Math.abs(passed - 210) <= 2, `${passed} of 1000 passed`);
  assert.equal(s.datapath.drops().get('meter'), BigInt(1000 - passed));
  const [stats] = bridge.core.meterStats(7);
  assert.equal(stats?.packetInCount, 1000n);
  assert.equal(stats?.byteInCount, 60_000n);
  assert.deepEqual(stats?.bands, [{ packetCount: BigInt(1000 - passed), byteCount: BigInt(1000 - passed) * 60n }]);
  assert.equal(stats?.flowCount, 1);
  assert.equal(stats?.durationSec, 2);
  // A new rate counts at once, and the flow stays.
  meter('meter=7,pktps,bands=type=drop,rate=1000000', 'modify');
  for (let i = 0; i < 50; i++) s.receive('p1', frame);
  assert.equal(s.ports().length, 50);
});

test('the meter for controllers limits what is sent to them', async () => {
  const { s, bridge, meter } = await site();
  let heard = 0;
  bridge.core.subscribe({ onPacketIn: () => heard++ });
  const controller = { kind: 'output', port: OFPP.CONTROLLER, maxLen: 0xffff } as const;
  bridge.core.flowMod(flowMod({ actions: [controller, { kind: 'output', port: 2, maxLen: 0 }] }));
  meter('meter=controller,pktps,burst,bands=type=drop,rate=1,burst_size=3');
  for (let i = 0; i < 20; i++) s.receive('p1', frame);
  assert.equal(heard, 3);
  assert.equal(s.ports().length, 20, 'what else the flow does is not metered');
  meter('meter=controller', 'delete');
  s.clock.advance(10);
  for (let i = 0; i < 5; i++) s.receive('p1', frame);
  assert.equal(heard, 8);
});

test('refusals, statistics of all meters, and flows that go with their meter', async () => {
  const { bridge, meter } = await site();
  meter('meter=1,kbps,bands=type=drop,rate=50');
  assert.equal(
    refusal(() => meter('meter=1,kbps,bands=type=drop,rate=50')),
    'OFPMMFC_METER_EXISTS',
  );
  assert.equal(
    refusal(() => meter('meter=2,kbps,bands=type=drop,rate=50', 'modify')),
    'OFPMMFC_UNKNOWN_METER',
  );
  assert.equal(
    refusal(() => meter('meter=all,kbps,bands=type=drop,rate=50')),
    'OFPMMFC_INVALID_METER',
  );
  assert.equal(
    refusal(() => meter('meter=3,kbps,bands=type=dscp_remark,rate=50,prec_level=1')),
    'OFPMMFC_BAD_BAND',
  );
  assert.equal(
    refusal(() => meter(`meter=3,kbps,bands=${'type=drop,rate=1,'.repeat(9)}`)),
    'OFPMMFC_OUT_OF_BANDS',
  );
  assert.equal(
    refusal(() => bridge.core.meterStats(9)),
    'OFPMMFC_UNKNOWN_METER',
  );
  assert.equal(
    refusal(() => bridge.core.flowMod(flowMod({ actions: [{ kind: 'meter', meter: 9 }] }))),
    'OFPMMFC_INVALID_METER',
  );
  assert.equal(bridge.core.meterConfigs(1)[0]?.bands[0]?.burstSize, 50, 'the burst is a second of the rate where none is set');
  bridge.core.flowMod(flowMod({ table: 3, actions: [{ kind: 'meter', meter: 1 }] }));
  bridge.core.flowMod(flowMod({ table: 4, actions: [] }));
  const gone: string[] = [];
  bridge.core.subscribe({ onFlowChange: ({ change, reason, flow }) => gone.push(`${change} ${reason} ${flow.table}`) });
  meter('meter=slowpath,kbps,bands=type=drop,rate=5');
  assert.deepEqual(
    bridge.core.meterStats(OFPM.ALL).map((one) => one.meter),
    [1, OFPM.SLOWPATH],
  );
  bridge.core.meterMod({ kind: 'meterMod', command: 'delete', config: { meter: OFPM.ALL, flags: 0, bands: [] } });
  assert.deepEqual(gone, ['deleted meter_delete 3']);
  assert.deepEqual(bridge.core.meterStats(OFPM.ALL), []);
});
