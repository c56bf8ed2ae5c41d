// Flow monitors whose peer does not read, under a clock that stands still: the reference's switch and ours pause, tell of deletions alone while
// paused, resume when all has been read, and leave the peer with the truth (OpenFlow 1.4.1 section 7.3.5.17).
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { matchAll } from '../../src/flow/key.ts';
import { Framing } from '../../src/openflow/channel/framing.ts';
import { encodeHello } from '../../src/openflow/channel/hello.ts';
import { decodeMessage, encodeMessage } from '../../src/openflow/codec/codec.ts';
import { MONITOR, type MonitorUpdate } from '../../src/openflow/flow-monitor.ts';
import type { Message, OfVersion } from '../../src/openflow/message.ts';
import { parseFlow } from '../../src/openflow/text/flow-text.ts';
import { cannotCompare, Side } from '../compare/switch/sides.ts';

const ANY_PORT = 0xffff;
const ANY_GROUP = 0xffffffff;
/** So many flows that what is told of them fits no socket. */
const FLOWS = 9000;

/** A peer that reads when it is told to. */
class SlowPeer {
  readonly version: OfVersion;
  readonly socket: Socket;
  readonly messages: Message[] = [];
  #xid = 1;

  constructor(side: Side, version: OfVersion) {
    this.version = version;
    this.socket = connect(join(side.dir, 'br0.mgmt'));
    const framing = new Framing();
    this.socket.on('data', (bytes) =>
      framing.push(bytes as Uint8Array, (message) => {
        this.messages.push(decodeMessage(message, { nxFlows: true }).message);
      }),
    );
    this.socket.write(encodeHello([version], 1));
  }

  send(message: Message): void {
    this.socket.write(encodeMessage(this.version, ++this.#xid, message, { nxFlows: true }));
  }

  /** Waits until all that was sent before has been answered. */
  async settle(): Promise<void> {
    const seen = this.messages.filter(({ kind }) => kind === 'barrierReply').length;
    this.send({ kind: 'barrierRequest' });
    while (this.messages.filter(({ kind }) => kind === 'barrierReply').length === seen) await sleep(10);
  }
}

const nameOf = (update: { table: number; priority: number; match: { key: Uint32Array } }): string =>
  `${update.table}/${update.priority}/${Buffer.from(update.match.key.buffer, update.match.key.byteOffset, update.match.key.byteLength).toString('hex')}`;

/** What a listener was told, in order; pausing and resuming in one form for all versions. */
function updatesOf(messages: readonly Message[]): MonitorUpdate[] {
  return messages.flatMap((message): MonitorUpdate[] => {
    if (message.kind === 'flowMonitorReply') return message.updates;
    if (message.kind === 'flowMonitorPaused') return [{ event: 'paused' }];
    return message.kind === 'flowMonitorResumed' ? [{ event: 'resumed' }] : [];
  });
}

async function story(side: Side, version: OfVersion): Promise<string[]> {
  side.makeBridge(2);
  const listener = new SlowPeer(side, version);
  const actor = new SlowPeer(side, 6);
  await Promise.all([once(listener.socket, 'connect'), once(actor.socket, 'connect')]);
  await Promise.all([listener.settle(), actor.settle()]);
  const flow = (i: number, rest: string, command: 'add' | 'modify_strict' | 'delete_strict' = 'add'): void =>
    actor.send(
      parseFlow(`table=${i % 3},priority=7,dl_src=50:54:00:00:${(i >> 8).toString(16)}:${(i & 255).toString(16)}${rest}`, command),
    );
  for (let i = 0; i < 100; i++) flow(i, ',actions=1');
  await actor.settle();
  const flags = MONITOR.INITIAL | MONITOR.ADD | MONITOR.DELETE | MONITOR.MODIFY | MONITOR.ACTIONS;
  const request = { id: 5, flags, outPort: ANY_PORT, outGroup: ANY_GROUP, table: 255, command: 'add', match: matchAll() } as const;
  listener.send({ kind: 'flowMonitorRequest', requests: [request] });
  await listener.settle();
  listener.socket.pause();
  for (let i = 100; i < FLOWS; i++) flow(i, ',actions=2');
  await actor.settle();
  // While it is paused: flows that the peer knows change and go, others come, and some of those go again.
  for (let i = 0; i < 40; i++) flow(i, ',actions=2', 'modify_strict');
  for (let i = 20; i < 60; i++) flow(i, '', 'delete_strict');
  for (let i = FLOWS; i < FLOWS + 50; i++) flow(i, ',actions=1');
  for (let i = FLOWS; i < FLOWS + 20; i++) flow(i, '', 'delete_strict');
  for (let i = FLOWS + 20; i < FLOWS + 30; i++) flow(i, ',actions=drop', 'modify_strict');
  for (let i = FLOWS + 60; i < FLOWS + 70; i++)
    for (const command of ['add', 'modify_strict', 'delete_strict'] as const)
      flow(i, command === 'delete_strict' ? '' : ',actions=1', command);
  await actor.settle();
  listener.socket.resume();
  await listener.settle();
  for (let tries = 0; tries < 200 && updatesOf(listener.messages).at(-1)?.event !== 'resumed'; tries++) await sleep(25);
  flow(FLOWS + 99, ',actions=1');
  await actor.settle();
  await listener.settle();
  const updates = updatesOf(listener.messages);
  const told: string[] = [];
  const known = new Map<string, string>();
  let isPaused = false;
  for (const update of updates) {
    if (update.event === 'paused' || update.event === 'resumed') {
      isPaused = update.event === 'paused';
      told.push(update.event);
      continue;
    }
    assert.notEqual(update.event, 'abbrev');
    if (update.event === 'abbrev') continue;
    const name = nameOf(update);
    // What the peer has missed is told before that it may go on. A flow that came and was changed meanwhile counts as one that it knows.
    if (isPaused) told.push(`while paused: ${update.event} of one ${known.has(name) ? '' : 'not '}known`);
    if (update.event === 'deleted') known.delete(name);
    else known.set(name, JSON.stringify(update.actions));
  }
  assert.ok(told.includes('paused') && told.includes('resumed'), 'what was to be told fitted the socket');
  const last = new SlowPeer(side, 6);
  last.send({
    kind: 'flowStatsRequest',
    request: { table: 255, outPort: ANY_PORT, outGroup: ANY_GROUP, cookie: 0n, cookieMask: 0n, match: matchAll() },
  });
  await last.settle();
  const there = new Map<string, string>();
  for (const message of last.messages)
    if (message.kind === 'flowStatsReply') for (const one of message.flows) there.set(nameOf(one), JSON.stringify(one.actions));
  assert.equal(there.size, FLOWS - 40 + 30 + 1);
  assert.deepEqual([...known].sort(), [...there].sort());
  for (const peer of [listener, actor, last]) peer.socket.destroy();
  // How much was told before the pause is the socket's affair.
  return [...new Set(told)].sort();
}

for (const version of [1, 4, 5, 6] as const) {
  test(`a flow monitor that does not read, version ${version} on the wire`, { skip: cannotCompare, timeout: 120_000 }, async (t) => {
    const sides = [new Side('debian'), new Side('weft')];
    t.after(() => {
      for (const side of sides) side.stop();
    });
    const told: string[][] = [];
    for (const side of sides) {
      side.start(2);
      told.push(await story(side, version));
    }
    assert.deepEqual(told[1], told[0]);
  });
}
