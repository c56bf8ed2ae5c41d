// The same OpenFlow bytes to Debian's ovs-vswitchd and to ours, two connections each: after every request all replies, errors and
// asynchronous messages must be equal, byte for byte. Longer runs: `node test/compare/switch/main.ts count=N seed=N`.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HEADS, soundMessage } from '../compare/messages.ts';
import { Dice } from '../compare/random.ts';
import { CASES } from '../compare/switch/cases.ts';
import { comparable } from '../compare/switch/heard.ts';
import { compareCases } from '../compare/switch/one-by-one.ts';
import { compareSwitches } from '../compare/switch/run.ts';
import { cannotCompare, Peer, primaryControllers, Side } from '../compare/switch/sides.ts';

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

/** Answers that a snoop loses where the switch has more for it than it takes, and faults that quote memory which has been given back. */
const UNSTEADY = /^OFPT_HELLO|TABLE_FEATURES request|FLOW_MONITOR request/;

interface Told {
  answers: string[];
  snooped: string[];
  /** What the daemon's log says of the connections, refusals among it. */
  log: string[];
}

/** Sends one message of every kind that a version has, as a controller, while a snoop listens and all messages are logged. */
async function everyKind(side: Side): Promise<Told> {
  const told: Told = { answers: [], snooped: [], log: [] };
  side.start(2);
  side.appctl('vlog/set', 'vconn:file:dbg');
  for (const module of ['vconn', 'connmgr', 'ofp_errors']) side.appctl('vlog/disable-rate-limit', module);
  for (const version of VERSIONS) {
    const { peers, stop } = await primaryControllers(side, [version]);
    const [peer] = peers;
    assert.ok(peer !== undefined);
    await peer.settle();
    const snoop = new Peer(join(side.dir, 'br0.snoop'), version);
    for (let i = 0; i < 100 && snoop.heardCount === 0; i++) await sleep(20);
    for (const [index, head] of HEADS.entries()) {
      if (head.version !== version || UNSTEADY.test(head.form.name)) continue;
      const { bytes } = soundMessage(new Dice(3000 + index), index);
      new DataView(bytes.buffer).setUint32(4, 0x1000 + index);
      peer.send(bytes);
      const { lines } = comparable(await peer.settle(2));
      told.answers.push(`${head.form.name} ${Buffer.from(bytes).toString('hex')}`, ...lines);
    }
    for (const other of [...VERSIONS, 0, 255]) {
      // Features, and an echo, which every version has.
      for (const type of [5, 2]) peer.send(Uint8Array.from([other, type, 0, 8, 0, 0, other, type]));
      const { lines } = comparable(await peer.settle(2));
      told.answers.push(`features of version ${other}`, ...lines);
    }
    assert.ok(!peer.isClosed);
    // A snoop asks for nothing: what it has heard is there.
    for (let before = -1; before !== snoop.heardCount; await sleep(50)) before = snoop.heardCount;
    const [, ...messages] = snoop.take();
    told.snooped.push(...comparable({ messages, isClosed: false }).lines);
    snoop.close();
    stop();
  }
  // The last entry may be one of those that are compared, or another may have come behind it.
  const entries = side
    .log()
    .trimEnd()
    .split(/\n(?=\d{4}-\d\d-\d\dT)/);
  told.log = entries
    .filter((entry) => /^[^|]*\|[^|]*\|(vconn(_stream)?\||ofp_errors\||connmgr\|.*error reply)/.test(entry))
    .map((entry) =>
      entry
        .replace(/^[^|]*\|[^|]*\|/, '')
        .replaceAll(side.dir, 'DIR')
        .replaceAll(/unix#\d+/g, 'unix#')
        .replaceAll(/aa:55:aa:55:[0-9a-f:]+/g, 'ADDRESS'),
    );
  return told;
}

test('every kind of message in every version: answers, what a snoop hears and what is logged', {
  skip: cannotCompare,
  timeout: 120_000,
}, async (t) => {
  const sides = [new Side('debian'), new Side('weft')];
  try {
    const [debian, weft] = await Promise.all(sides.map(everyKind));
    assert.ok(debian !== undefined && weft !== undefined && debian.snooped.length > 1000 && debian.log.length > 4000);
    t.diagnostic(`${debian.answers.length} requests and answers, ${debian.snooped.length} messages snooped, ${debian.log.length} logged`);
    for (const what of ['answers', 'snooped', 'log'] as const)
      for (let i = 0; i < debian[what].length; i++) assert.equal(weft[what][i], debian[what][i], `${what}, ${i}`);
    assert.deepEqual(weft, debian);
  } finally {
    for (const side of sides) side.stop();
  }
});
