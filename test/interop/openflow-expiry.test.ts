// Flows under the virtual clock of daemons with dummy devices, Debian's and ours side by side: when they end, what their controllers are
// told, and the ages that dumps show.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { encodeMessage } from '../../src/openflow/codec/codec.ts';
import type { OfVersion } from '../../src/openflow/message.ts';
import { parseFlow } from '../../src/openflow/text/flow-text.ts';
import { comparable } from '../compare/switch/heard.ts';
import { cannotCompare, Peer, Side } from '../compare/switch/sides.ts';

const FRAME = '50540000000a50540000000908004500001c00000000400166df0a0000020a0000010800f7ff00000000';
const FLOWS = [
  'in_port=1,idle_timeout=5,hard_timeout=20,send_flow_rem,cookie=7,actions=2',
  'in_port=2,hard_timeout=7,send_flow_rem,actions=1',
  'table=1,in_port=3,idle_timeout=3,send_flow_rem,importance=4,actions=drop',
  'table=2,priority=9,tcp,hard_timeout=2,actions=drop',
  'table=2,priority=8,udp,send_flow_rem,actions=drop',
];

/** All that a side shows while time passes. */
async function story(side: Side, version: OfVersion): Promise<string[]> {
  side.start(3);
  const told: string[] = [];
  const peer = new Peer(join(side.dir, 'br0.mgmt'), version);
  await peer.settle();
  // The reference tells that a flow is gone when no thread of its can use the flow any more, which may be after the barrier.
  const say = async (what: string, expected = 0): Promise<void> => {
    let heard = await peer.settle(2);
    for (let round = 0; round < 40 && heard.messages.length < expected; round++) {
      await sleep(50);
      const later = await peer.settle(2);
      heard = { ...later, messages: [...heard.messages, ...later.messages] };
    }
    told.push(`${what}: ${comparable(heard).lines.join('\n')}`, side.ofctl('dump-flows', 'br0').replace(/xid=\S+/, ''));
  };
  // Second by second: flows are looked at once a second, by the reference when it comes to it.
  const wait = async (seconds: number): Promise<void> => {
    for (let i = 0; i < seconds; i++) {
      side.appctl('time/warp', '1000');
      await sleep(60);
    }
  };
  peer.send(encodeMessage(version, 1, { kind: 'setConfig', flags: 0, missSendLength: 128 }));
  for (const [i, flow] of FLOWS.entries()) peer.send(encodeMessage(version, 2 + i, parseFlow(flow, 'add')));
  await say('added');
  for (let second = 1; second <= 9; second++) {
    await wait(1);
    if (second === 3) side.appctl('netdev-dummy/receive', 'p1', FRAME);
    await say(`${second} s`);
  }
  // What takes the place of another is as idle as that was; a modification begins the hard timeout anew.
  peer.send(encodeMessage(version, 20, parseFlow('in_port=1,hard_timeout=4,send_flow_rem,actions=2', 'add')));
  await say('again');
  side.appctl('netdev-dummy/receive', 'p1', FRAME);
  await wait(3);
  peer.send(encodeMessage(version, 21, parseFlow('in_port=1,hard_timeout=9,send_flow_rem,actions=3', 'add')));
  await say('replaced');
  await wait(6);
  peer.send(encodeMessage(version, 22, parseFlow('in_port=1,actions=1', 'modify')));
  await wait(6);
  await say('modified');
  await wait(6);
  await say('over', 1);
  peer.send(encodeMessage(version, 23, parseFlow('table=2', 'delete')));
  await say('deleted', 1);
  peer.close();
  return told;
}

for (const version of [1, 4, 6] as const) {
  test(`flows end as with the reference, OpenFlow version ${version} on the wire`, { skip: cannotCompare, timeout: 120_000 }, async (t) => {
    // The reference's threads look at flows when they come to it, now and then a second or two late on a busy machine: one story in three
    // has to be equal.
    for (let tries = 1; ; tries++) {
      const sides = [new Side('debian'), new Side('weft')];
      t.after(() => {
        for (const side of sides) side.stop();
      });
      const [debian = [], weft = []] = await Promise.all(sides.map((side) => story(side, version)));
      if (tries < 3 && !isDeepStrictEqual(weft, debian)) continue;
      assert.deepEqual(weft, debian);
      return;
    }
  });
}
