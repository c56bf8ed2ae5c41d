// The same OpenFlow bytes to Debian's ovs-vswitchd and to ours, two connections each: after every request all replies, errors and
// asynchronous messages must be equal, byte for byte. Longer runs: `node test/compare/switch/main.ts count=N seed=N`.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CASES } from '../compare/switch/cases.ts';
import { compareCases } from '../compare/switch/one-by-one.ts';
import { compareSwitches } from '../compare/switch/run.ts';
import { cannotCompare, primaryControllers, Side } from '../compare/switch/sides.ts';

const VERSIONS = [1, 2, 3, 4, 5, 6] as const;

test('random sequences of OpenFlow requests are answered as by the reference', { skip: cannotCompare, timeout: 300_000 }, async (t) => {
  const result = await compareSwitches({ seed: 700, sequences: 25, length: 40, faults: 0, versions: VERSIONS });
  t.diagnostic(`${result.messages} messages in ${result.steps} steps`);
  assert.ok(result.messages > 800, 'the sequences have run');
  assert.deepEqual(result.differences.slice(0, 2), []);
});

test('requests that were once answered otherwise', { skip: cannotCompare, timeout: 300_000 }, async (t) => {
  const results = await compareCases(CASES);
  for (const { name, said } of results) await t.test(name, () => assert.deepEqual(said.weft, said.debian));
});

/** What a snoop hears: without controllers, of two of which the second is primary, and when they are gone. */
async function snoopStory(side: Side): Promise<string[]> {
  const snoop = (): { heard: (awaited: string) => Promise<string> } => {
    const socket = connect(join(side.dir, 'br0.snoop'));
    let [text, end] = ['', ''];
    socket.on('data', (bytes) => {
      text += (bytes as Buffer).toString('hex');
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      end = 'closed';
    });
    socket.write(Buffer.from('0100000800000001', 'hex'));
    // The hello's transaction id counts all connections.
    const heard = async (awaited: string): Promise<string> => {
      const said = (): string => `${text.replace(/^06000008.{8}/, 'hello ')}${end}`;
      for (let i = 0; i < 100 && !said().includes(awaited); i++) await sleep(50);
      return said();
    };
    return { heard };
  };
  side.start(1);
  const story = [await snoop().heard('closed')];
  const { peers, stop } = await primaryControllers(side, [4, 4]);
  for (const peer of peers) await peer.settle();
  peers[1]?.send(Uint8Array.from(Buffer.from('041800180000000100000002000000000000000000000005', 'hex')));
  await peers[1]?.settle();
  const one = snoop();
  story.push(await one.heard('hello'));
  for (const [i, peer] of peers.entries()) {
    peer.send(Uint8Array.from([4, 20, 0, 8, 0, 0, 0, i]));
    await peer.settle();
  }
  // The echo that settles the second comes behind what it asked.
  story.push(await one.heard('04030008'));
  stop();
  story.push(await one.heard('closed'));
  return story;
}

test('a snoop hears the controller with the highest role, and ends with it', { skip: cannotCompare, timeout: 60_000 }, async () => {
  const sides = [new Side('debian'), new Side('weft')];
  try {
    const [debian, weft] = await Promise.all(sides.map(snoopStory));
    assert.deepEqual(weft, debian);
    assert.match(debian?.[2] ?? '', /^hello (?:(?!0414000800000000).)*0414000800000001/);
  } finally {
    for (const side of sides) side.stop();
  }
});
