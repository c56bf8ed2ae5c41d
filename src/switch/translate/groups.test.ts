// Groups in the switch: traffic through every type, failover when a port or a watched group dies, shares of select groups, counters,
// references, flows that go with their group, several changes seen at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PeerError } from '../../base/errors.ts';
import { mustField } from '../../flow/fields.ts';
import type { Action } from '../../openflow/action.ts';
import type { GroupCommand } from '../../openflow/group.ts';
import { OFPG } from '../../openflow/group.ts';
import { parseGroup } from '../../openflow/text/group-text.ts';
import type { Bridge } from '../bridge.ts';
import { flowMod, hex, Simulation } from '../simulation-fixture.ts';
import { shareSlots } from '../tables/group-table.ts';

const link = (isUp: boolean) => ({
  mac: [0, 1] as const,
  isUp: true,
  hasCarrier: isUp,
  speedKbps: 0,
  current: 0,
  advertised: 0,
  supported: 0,
  peer: 0,
  mtu: 1500,
});

/** A UDP frame from one of many senders. */
function udp(sender: number): Uint8Array {
  const frame = new Uint8Array(60);
  frame.set(hex('02000000000b02000000000a08004500002e000000004011000000000000 0a000002 1000 0035 001a 0000'));
  frame.set([10, 1, sender >> 8, sender & 255], 26);
  return frame;
}

const reg0 = { field: mustField('reg0'), offset: 0, bits: 8 };
const sendToReg0: Action = { kind: 'outputReg', src: { ...reg0, bits: 16 }, maxLen: 0 };
const viaGroup = (group: number): Action[] => [{ kind: 'group', group }];

async function site(): Promise<{ s: Simulation; bridge: Bridge; group(text: string, command?: GroupCommand): void }> {
  const s = new Simulation();
  const bridge = await s.bridge('br0');
  for (const name of ['p1', 'p2', 'p3', 'p4']) await s.port(bridge, name);
  return { s, bridge, group: (text, command = 'add') => bridge.core.groupMod(parseGroup(text, command)) };
}

const refusal = (fn: () => void): string => {
  try {
    fn();
  } catch (error) {
    if (error instanceof PeerError) return error.code;
    throw error;
  }
  return '';
};

test('all, indirect: every bucket gets the frame as it came', async () => {
  const { s, bridge, group } = await site();
  group('group_id=1,type=all,bucket=mod_dl_src:50:54:00:00:00:05,output:2,bucket=output:3,bucket=output:1');
  bridge.core.flowMod(flowMod({ actions: [...viaGroup(1), { kind: 'output', port: 4, maxLen: 0 }] }));
  s.receive('p1', udp(1));
  const sent = s.frames();
  assert.deepEqual(
    sent.map(({ port, frame }) => [port, frame[11]]),
    [
      ['p2', 5],
      ['p3', 0x0a],
      ['p4', 0x0a],
    ],
  );
  group('group_id=1,type=indirect,bucket=output:2', 'modify');
  s.clock.advance(1000);
  s.receive('p1', udp(1));
  assert.deepEqual(s.ports(), ['p2', 'p4'], 'megaflows follow a modified group');
});

test('fast failover: traffic moves when a port loses its carrier, and back; a watched group counts', async () => {
  const { s, bridge, group } = await site();
  group('group_id=1,type=ff,bucket=watch_port:2,output:2,bucket=watch_group:2,output:3');
  group('group_id=2,type=ff,bucket=watch_port:4,output:4');
  bridge.core.flowMod(flowMod({ actions: viaGroup(1) }));
  const heard = (): string[] => {
    s.clock.advance(10);
    s.receive('p1', udp(1));
    return s.ports();
  };
  assert.deepEqual(heard(), ['p2']);
  bridge.portLink(2, link(false));
  assert.deepEqual(heard(), ['p3']);
  bridge.portLink(4, link(false));
  assert.deepEqual(heard(), []);
  bridge.portLink(4, link(true));
  assert.deepEqual(heard(), ['p3']);
  bridge.portLink(2, link(true));
  assert.deepEqual(heard(), ['p2']);
  bridge.core.portMod({ kind: 'portMod', port: 2, mac: [0, 1], config: 1, mask: 1, advertise: 0 });
  assert.deepEqual(heard(), ['p3'], 'a port configured down is dead, too');
});

test('groups that watch each other in circles end the question, not the switch', async () => {
  const { s, bridge, group } = await site();
  group('group_id=1,type=ff,bucket=watch_group:1,output:2,bucket=watch_group:2,output:2,bucket=watch_group:1,output:3');
  group('group_id=2,type=ff,bucket=watch_group:1,output:2,bucket=watch_group:2,output:3');
  group('group_id=3,type=all,bucket=group:3,bucket=group:3,bucket=output:2');
  bridge.core.flowMod(flowMod({ actions: viaGroup(1) }));
  s.receive('p1', udp(1));
  assert.deepEqual(s.ports(), []);
  bridge.core.flowMod(flowMod({ actions: viaGroup(3) }));
  s.clock.advance(1000);
  s.receive('p1', udp(2));
  assert.deepEqual(s.ports(), [], 'a translation that is given up drops');
});

for (const [name, method] of [
  ['the default', ''],
  ['dp_hash', ',selection_method=dp_hash'],
  ['hash over fields', ',selection_method=hash,fields(ip_src)'],
]) {
  test(`select by ${name}: shares follow weights, a flow stays with its bucket, a dead bucket's flows move`, async () => {
    const { s, bridge, group } = await site();
    group(`group_id=1,type=select${method},bucket=weight:3,watch_port:2,output:2,bucket=watch_port:3,output:3`);
    bridge.core.flowMod(flowMod({ actions: viaGroup(1) }));
    const round = (): string[] => {
      const chosen: string[] = [];
      for (let i = 0; i < 400; i++) {
        s.receive('p1', udp(i));
        const ports = s.ports();
        assert.equal(ports.length, 1);
        chosen.push(ports[0] ?? '');
      }
      return chosen;
    };
    const first = round();
    const share = first.filter((port) => port === 'p2').length / first.length;
    assert.ok(share > 0.6 && share < 0.9, `share of p2: ${share}`);
    assert.deepEqual(round(), first, 'the same flows, the same buckets');
    if (!method?.includes('fields')) assert.ok(s.datapath.flowCount() <= 17, `${s.datapath.flowCount()} megaflows for 400 flows`);
    bridge.portLink(2, link(false));
    s.clock.advance(10);
    assert.deepEqual(new Set(round()), new Set(['p3']));
    bridge.portLink(2, link(true));
    s.clock.advance(10);
    assert.deepEqual(round(), first);
  });
}

test('what follows a select group is done after the hash, with the registers it had', async () => {
  const { s, bridge, group } = await site();
  group('group_id=1,type=select,bucket=output:2');
  const reg0 = { kind: 'setEthDst', mac: [0x02000000, 0x77] } as const;
  bridge.core.flowMod(flowMod({ actions: [reg0, ...viaGroup(1), { kind: 'output', port: 3, maxLen: 0 }] }));
  s.receive('p1', udp(1));
  const sent = s.frames();
  assert.deepEqual(
    sent.map(({ port, frame }) => [port, frame[5]]),
    [
      ['p2', 0x77],
      ['p3', 0x77],
    ],
  );
});

test('statistics: groups and buckets count through megaflows; flows that name a group are counted and go with it', async () => {
  const { s, bridge, group } = await site();
  group('group_id=1,type=all,bucket=output:2,bucket=output:3');
  group('group_id=2,type=select,bucket=output:2');
  bridge.core.flowMod(flowMod({ actions: viaGroup(1) }));
  bridge.core.flowMod(flowMod({ table: 1, actions: [{ kind: 'writeActions', actions: viaGroup(1) }] }));
  bridge.core.flowMod(flowMod({ table: 2, actions: viaGroup(2) }));
  for (let i = 0; i < 5; i++) s.receive('p1', udp(1));
  s.clock.advance(2000);
  const [stats] = bridge.core.groupStats(1);
  assert.equal(stats?.packetCount, 5n);
  assert.equal(stats?.byteCount, 300n);
  assert.equal(stats?.refCount, 2);
  assert.equal(stats?.durationSec, 2);
  assert.deepEqual(stats?.buckets, [
    { packetCount: 5n, byteCount: 300n },
    { packetCount: 5n, byteCount: 300n },
  ]);
  const gone: string[] = [];
  bridge.core.subscribe({ onFlowChange: ({ change, reason, flow }) => gone.push(`${change} ${reason} ${flow.table}`) });
  group('group_id=1', 'delete');
  assert.deepEqual(gone.sort(), ['deleted group_delete 0', 'deleted group_delete 1']);
  assert.equal(bridge.core.groupStats(OFPG.ALL).length, 1);
});

test('refusals, and a batch that fails changes nothing', async () => {
  const { bridge, group } = await site();
  group('group_id=1,type=select,bucket=bucket_id:1,output:2');
  assert.equal(
    refusal(() => group('group_id=1,type=all')),
    'OFPGMFC_GROUP_EXISTS',
  );
  assert.equal(
    refusal(() => group('group_id=2,type=all', 'modify')),
    'OFPGMFC_UNKNOWN_GROUP',
  );
  assert.equal(
    refusal(() => group('group_id=all,type=all')),
    'OFPGMFC_INVALID_GROUP',
  );
  assert.equal(
    refusal(() => group('group_id=2,command_bucket_id=1', 'insert_bucket')),
    'OFPGMFC_UNKNOWN_GROUP',
  );
  assert.equal(
    refusal(() => group('group_id=1,command_bucket_id=7', 'remove_bucket')),
    'OFPGMFC_UNKNOWN_BUCKET',
  );
  assert.equal(
    refusal(() => group('group_id=1,command_bucket_id=last,bucket=bucket_id:1,3', 'insert_bucket')),
    'OFPGMFC_BUCKET_EXISTS',
  );
  assert.equal(
    refusal(() => bridge.core.flowMod(flowMod({ actions: viaGroup(9) }))),
    'OFPBAC_BAD_OUT_GROUP',
  );
  const steps = [
    parseGroup('group_id=5,type=all,bucket=output:2', 'add'),
    flowMod({ table: 3, actions: viaGroup(5) }),
    parseGroup('group_id=1', 'delete'),
    flowMod({ table: 4, actions: viaGroup(1) }),
  ];
  assert.equal(
    refusal(() => bridge.core.apply(steps)),
    'OFPBAC_BAD_OUT_GROUP',
  );
  assert.deepEqual(
    bridge.core.groupDescs(OFPG.ALL).map((one) => one.group),
    [1],
  );
  bridge.core.apply(steps.slice(0, 3));
  assert.deepEqual(
    bridge.core.groupDescs(OFPG.ALL).map((one) => one.group),
    [5],
  );
});

test('buckets are put in and taken out where the command says', async () => {
  const { bridge, group } = await site();
  const ids = (): number[] => bridge.core.groupDescs(1)[0]?.buckets.map(({ bucketId }) => bucketId) ?? [];
  group('group_id=1,type=select,bucket=bucket_id:1,1,bucket=bucket_id:2,2,bucket=bucket_id:3,3');
  group('group_id=1,command_bucket_id=2,bucket=bucket_id:10,2', 'insert_bucket');
  group('group_id=1,command_bucket_id=first,bucket=bucket_id:11,2', 'insert_bucket');
  group('group_id=1,command_bucket_id=last,bucket=bucket_id:12,2', 'insert_bucket');
  assert.deepEqual(ids(), [11, 1, 2, 10, 3, 12]);
  for (const place of ['first', 'last', '10']) group(`group_id=1,command_bucket_id=${place}`, 'remove_bucket');
  assert.deepEqual(ids(), [1, 2, 3]);
  group('group_id=1,command_bucket_id=all', 'remove_bucket');
  assert.deepEqual(ids(), []);
});

test('hash values are shared out as the reference does, and by weight', () => {
  const text = (weights: number[]): string => [...(shareSlots(weights) ?? [])].join('');
  assert.equal(text([3, 5]), '1010110110101101');
  assert.equal(text([5, 3, 1]), '0100120100100120');
  assert.equal(text([7, 3, 3, 3]), '0123000123001230');
  assert.equal(text([0, 1, 2]), '2122122122122122');
  assert.equal(shareSlots([255, 1])?.length, 256);
  assert.equal(shareSlots([256, 1]), undefined);
  assert.equal(shareSlots([0]), undefined);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 12 }), (weights) => {
      const slots = shareSlots(weights);
      if (slots === undefined) return;
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [i, weight] of weights.entries()) {
        const got: number = slots.filter((slot) => slot === i).length;
        assert.ok(Math.abs(got - (slots.length * weight) / total) < 2, `bucket ${i} of ${weights}: ${got} of ${slots.length}`);
      }
    }),
  );
});

test('a group made before an option has a place writes it where it is when a frame comes, be that here, there or nowhere', async () => {
  const { s, bridge, group } = await site();
  const { tlvTable } = bridge.core;
  group('group_id=1,type=indirect,bucket=set_field:0x1234567802->tun_metadata0,set_field:3->tun_metadata1,resubmit(,1)');
  bridge.core.flowMod(flowMod({ actions: viaGroup(1) }));
  const map = (optionType: number, field: number, size: number) => ({ optionClass: 0xffff, optionType, size, field });
  /** Sends a frame to the port that the least byte of an option names, where the group resubmits it. */
  const readBy = (field: number): string[] => {
    const src = { field: tlvTable.field(field) ?? assert.fail(), offset: 0, bits: 8 };
    bridge.core.flowMod(flowMod({ table: 1, actions: [{ kind: 'regMove', src, dst: reg0 }, sendToReg0] }));
    s.clock.advance(1000);
    s.receive('p1', udp(1));
    bridge.core.flowMod(flowMod({ table: 1, command: 'delete' }));
    return s.ports();
  };
  tlvTable.add([map(0, 0, 4)]);
  assert.deepEqual(readBy(0), ['p2']);
  tlvTable.clear();
  tlvTable.add([map(0, 1, 8), map(1, 0, 4)]);
  assert.deepEqual(readBy(0), ['p2'], 'in another place');
  assert.deepEqual(readBy(1), ['p3']);
  tlvTable.clear();
  tlvTable.add([map(0, 5, 4)]);
  assert.deepEqual(readBy(5), [], 'what has no place is in nobody else’s');
});
