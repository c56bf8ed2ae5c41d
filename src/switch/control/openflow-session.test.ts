import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Stream, StreamHandlers } from '../../base/stream.ts';
import { matchAll } from '../../flow/key.ts';
import { OpenFlowChannel } from '../../openflow/channel/channel.ts';
import { encodeMessage } from '../../openflow/codec/codec.ts';
import type { FlowMod, FlowStats, Framed, Message, OfVersion } from '../../openflow/message.ts';
import { controllerRequest, FakeCore, FakeNetwork, packetInEvent, portDesc, settle } from '../core-fixture.ts';
import { ConnectionManager } from './connection-manager.ts';

class Peer {
  readonly got: Message[] = [];
  readonly sizes: number[] = [];
  readonly channel: OpenFlowChannel;
  closed: string | undefined;
  constructor(stream: ConstructorParameters<typeof OpenFlowChannel>[1], versions: readonly OfVersion[]) {
    this.channel = new OpenFlowChannel('peer', stream, versions, {
      onOpen: () => {},
      onMessage: (message, bytes) => {
        if (message instanceof Error) throw message;
        this.got.push((message as Framed).message);
        this.sizes.push(bytes.length);
      },
      onClose: (reason) => {
        this.closed = reason;
      },
    });
  }
  async ask(message: Message, xid = 7): Promise<Message[]> {
    this.got.length = 0;
    this.channel.send(message, xid);
    await settle();
    return this.got;
  }
}

async function bridge(): Promise<{ core: FakeCore; network: FakeNetwork; manager: ConnectionManager; dial(v: OfVersion): Promise<Peer> }> {
  const core = new FakeCore();
  const network = new FakeNetwork(core.clock);
  const manager = new ConnectionManager(core, network.environment);
  await manager.listen();
  return {
    core,
    network,
    manager,
    dial: async (version) => {
      const peer = new Peer(network.dial('punix:/run/br0.mgmt'), [version]);
      await settle();
      return peer;
    },
  };
}

const flowMod = (overrides: Partial<FlowMod> = {}): FlowMod => ({
  kind: 'flowMod',
  command: 'add',
  match: matchAll(),
  priority: 1,
  cookie: 0n,
  cookieMask: 0n,
  newCookie: 5n,
  table: 0,
  idleTimeoutSec: 0,
  hardTimeoutSec: 0,
  importance: 0,
  bufferId: 0xffffffff,
  outPort: 0xffff,
  outGroup: 0xffffffff,
  flags: { sendFlowRem: false, checkOverlap: false, resetCounts: false, noPacketCounts: false, noByteCounts: false },
  actions: [{ kind: 'output', port: 2, maxLen: 0 }],
  ...overrides,
});

for (const version of [1, 4, 6] as const) {
  test(`version ${version}: features, configuration, echo, barrier, description`, async () => {
    const { dial } = await bridge();
    const peer = await dial(version);
    const [features] = await peer.ask({ kind: 'featuresRequest' });
    assert.ok(features?.kind === 'featuresReply');
    assert.equal(features.datapathId, 1n);
    assert.equal(features.tables, 254);
    assert.equal(features.ports?.length, version === 1 ? 2 : undefined);
    assert.deepEqual(await peer.ask({ kind: 'echoRequest', data: Uint8Array.of(1, 2) }), [
      { kind: 'echoReply', data: Uint8Array.of(1, 2) },
    ]);
    assert.deepEqual(await peer.ask({ kind: 'getConfigRequest' }), [{ kind: 'getConfigReply', flags: 0, missSendLength: 0 }]);
    assert.deepEqual(await peer.ask({ kind: 'barrierRequest' }), [{ kind: 'barrierReply' }]);
    const [desc] = await peer.ask({ kind: 'descRequest' });
    assert.ok(desc?.kind === 'descReply' && desc.manufacturer === 'Nicira, Inc.' && desc.serial === 'None');
  });

  test(`version ${version}: flows go in and come out, in several parts when they are many`, async () => {
    const { core, dial } = await bridge();
    const peer = await dial(version);
    for (let i = 0; i < 3000; i++) peer.channel.send(flowMod({ priority: i }), i);
    assert.deepEqual(await peer.ask({ kind: 'barrierRequest' }), [{ kind: 'barrierReply' }]);
    assert.equal(core.installed.length, 3000);
    peer.sizes.length = 0;
    const request = { match: matchAll(), table: 255, outPort: 0xffff, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n };
    const parts = await peer.ask({ kind: 'flowStatsRequest', request });
    const flows: FlowStats[] = [];
    for (const [i, part] of parts.entries()) {
      assert.ok(part.kind === 'flowStatsReply');
      assert.equal(part.more, i < parts.length - 1);
      flows.push(...part.flows);
    }
    assert.ok(parts.length > 1 && parts.length < 20, `${parts.length} parts`);
    assert.deepEqual(
      flows.map((flow) => flow.priority),
      core.installed.map((flow) => flow.priority),
    );
  });
}

test('a refusal is an error message that holds the request', async () => {
  const { dial } = await bridge();
  const peer = await dial(4);
  const [error] = await peer.ask({ kind: 'portMod', port: 77, mac: [0, 0], config: 0, mask: 0, advertise: 0 });
  assert.ok(error?.kind === 'error');
  assert.deepEqual([error.type, error.code, error.data.length], [7, 0, 40]);
  const [buffer] = await peer.ask(flowMod({ bufferId: 5 }));
  assert.ok(buffer?.kind === 'error' && buffer.type === 1 && buffer.code === 8);
});

test('vendor messages: NXT_FLOW_AGE is taken without a word, padding must be zero', async () => {
  const { dial } = await bridge();
  const peer = await dial(4);
  const vendor = (subtype: number, ...rest: number[]): Uint8Array =>
    Uint8Array.from([4, 4, 0, 16 + rest.length, 0, 0, 0, 9, 0, 0, 0x23, 0x20, 0, 0, 0, subtype, ...rest]);
  peer.channel.sendBytes(vendor(18));
  assert.deepEqual(await peer.ask({ kind: 'barrierRequest' }), [{ kind: 'barrierReply' }]);
  for (const subtype of [20, 29]) {
    peer.got.length = 0;
    peer.channel.sendBytes(vendor(subtype, 0, 0, 0, 0, 0, 0, 0, 3));
    peer.channel.sendBytes(vendor(subtype, 0, 0, 1, 0, 0, 0, 0, 3));
    await peer.ask({ kind: 'echoRequest', data: new Uint8Array(0) });
    const errors = peer.got
      .map((one) => JSON.stringify(one, (_, value) => (typeof value === 'bigint' ? `${value}` : value)))
      .filter((one) => one.includes('"error"'));
    assert.equal(errors.length, 1, `subtype ${subtype}: ${errors.join()}`);
    assert.match(errors[0] ?? '', /NXBRC_MUST_BE_ZERO/);
  }
});

test('roles: one primary, secondaries may only look, old generations are refused', async () => {
  const { core, dial } = await bridge();
  const a = await dial(4);
  const b = await dial(4);
  assert.deepEqual(await a.ask({ kind: 'roleRequest', role: 'primary', generationId: 9n }), [
    { kind: 'roleReply', role: 'primary', generationId: 9n },
  ]);
  a.got.length = 0;
  await b.ask({ kind: 'roleRequest', role: 'primary', generationId: 10n });
  assert.equal(a.got.length, 1, 'the old primary is told');
  const [refused] = await a.ask(flowMod());
  assert.ok(refused?.kind === 'error' && refused.type === 1 && refused.code === 10);
  assert.equal(core.installed.length, 0);
  const [stale] = await a.ask({ kind: 'roleRequest', role: 'primary', generationId: 8n });
  assert.ok(stale?.kind === 'error' && stale.type === 11 && stale.code === 0);
  assert.equal((await a.ask({ kind: 'getConfigRequest' }))[0]?.kind, 'getConfigReply');
});

test('a service hears nothing until it sets a miss_send_len; misses are for OpenFlow 1.0 to 1.2', async () => {
  const { core, manager, dial } = await bridge();
  const old = await dial(1);
  const young = await dial(4);
  core.events.onPacketIn?.(packetInEvent());
  core.events.onPortStatus?.('add', portDesc(3, 'p3'));
  await settle();
  assert.deepEqual([old.got, young.got], [[], []]);
  assert.equal(manager.wantsPacketInOnMiss(), true, 'whether anybody listens is asked when there is something to tell');
  await old.ask({ kind: 'setConfig', flags: 0, missSendLength: 0xffff });
  await young.ask({ kind: 'setConfig', flags: 0, missSendLength: 0xffff });
  assert.equal(manager.wantsPacketInOnMiss(), true);
  core.events.onPacketIn?.(packetInEvent());
  core.events.onPacketIn?.(packetInEvent({ reason: 'action', cookie: 3n }));
  core.events.onPacketIn?.(packetInEvent({ reason: 'action', controllerId: 5 }));
  core.events.onPacketIn?.(packetInEvent({ reason: 'invalid_ttl' }));
  core.events.onPortStatus?.('add', portDesc(3, 'p3'));
  await settle();
  assert.deepEqual(
    old.got.map((m) => (m.kind === 'packetIn' ? m.reason : m.kind)),
    ['no_match', 'action', 'portStatus'],
  );
  assert.deepEqual(
    young.got.map((m) => (m.kind === 'packetIn' ? m.reason : m.kind)),
    ['action', 'portStatus'],
  );
});

test('a primary controller is sought, and its state is told', async () => {
  const { core, network, manager } = await bridge();
  manager.controllersSet([controllerRequest('tcp:1.2.3.4:6653')]);
  assert.deepEqual(core.did, ['flush']);
  await settle();
  assert.deepEqual([...manager.controllers()][0]?.status.get('state'), 'BACKOFF');
  assert.equal([...manager.controllers()][0]?.status.get('last_error'), 'Connection refused');
  let peer: Peer | undefined;
  network.listeners.set('tcp:1.2.3.4:6653', (stream) => {
    peer = new Peer(stream, [1, 4]);
  });
  core.clock.advance(1000);
  await settle();
  const [status] = manager.controllers();
  assert.equal(status?.isConnected, true);
  assert.equal(status?.role, 'equal');
  assert.equal(peer?.channel.version, 4);
  peer?.channel.close();
  await settle();
  assert.equal([...manager.controllers()][0]?.isConnected, false);
  manager.controllersSet([]);
  assert.deepEqual(core.did, ['flush', 'flush']);
  assert.deepEqual([...manager.controllers()], []);
});

test('standalone: after three probe intervals the bridge is on its own, until a controller takes over', async () => {
  const { core, network, manager } = await bridge();
  core.settings = { ...core.settings, failMode: 'standalone' };
  core.events.onSettings?.();
  core.did.length = 0;
  manager.controllersSet([controllerRequest('tcp:1.2.3.4:6653', { probeIntervalMs: 5000, failOpenProbeMs: 1000 })]);
  await settle();
  core.clock.advance(2900);
  assert.equal(core.hidden.size, 0);
  core.clock.advance(600);
  assert.deepEqual([...core.hidden.keys()], [0xf0f0f0]);
  assert.deepEqual(core.did, ['flush', 'flush']);
  let peer: Peer | undefined;
  network.listeners.set('tcp:1.2.3.4:6653', (stream) => {
    peer = new Peer(stream, [1]);
  });
  for (let i = 0; i < 16; i++) {
    core.clock.advance(500);
    await settle();
  }
  assert.equal([...core.hidden.keys()].length, 1, 'connected is not yet in control');
  assert.ok(peer?.got.some((m) => m.kind === 'packetIn'));
  await peer?.ask({ kind: 'featuresRequest' });
  assert.equal(core.hidden.size, 1);
  await peer?.ask(flowMod());
  assert.equal(core.hidden.size, 0);
  assert.equal(core.installed.length, 1);
  manager.controllersSet([]);
});

test('snoop copies what a primary controller exchanges', async () => {
  const { network, manager } = await bridge();
  let peer: Peer | undefined;
  network.listeners.set('tcp:1.2.3.4:6653', (stream) => {
    peer = new Peer(stream, [1]);
  });
  manager.controllersSet([controllerRequest('tcp:1.2.3.4:6653')]);
  await settle();
  const snoop = new Peer(network.dial('punix:/run/br0.snoop'), [1]);
  await settle();
  await peer?.ask({ kind: 'barrierRequest' });
  assert.deepEqual(
    snoop.got.map((m) => m.kind),
    ['barrierRequest', 'barrierReply'],
  );
});

test('a peer that does not read gets a reply in parts as it reads, misses packet-ins, and is dropped in the end', async () => {
  const { core, network } = await bridge();
  let queued = 0;
  let handlers: StreamHandlers | undefined;
  let isPaused = false;
  let isDestroyed = false;
  const stream: Stream = {
    name: 'unix#9',
    write: (bytes) => {
      queued += bytes.length;
    },
    get queuedBytes() {
      return queued;
    },
    start: (given) => {
      handlers = given;
    },
    pause: () => {
      isPaused = true;
    },
    resume: () => {
      isPaused = false;
    },
    close: () => {},
    destroy: () => {
      isDestroyed = true;
    },
  };
  network.listeners.get('punix:/run/br0.mgmt')?.(stream);
  handlers?.onData(Uint8Array.of(4, 0, 0, 8, 0, 0, 0, 1));
  const send = (message: Message): void => handlers?.onData(encodeMessage(4, 7, message));
  send({ kind: 'setConfig', flags: 0, missSendLength: 128 });
  // Each answer to a table features request is more than a megabyte.
  const tableFeatures = { kind: 'unknown', type: 18, experimenter: 0, subtype: 0, body: Uint8Array.of(0, 12, 0, 0, 0, 0, 0, 0) } as const;
  for (let i = 0; i < 20; i++) send(tableFeatures);
  assert.ok(isPaused, 'reading stops');
  assert.ok(queued < 1024 * 1024, `${queued} bytes wait`);
  queued = 0;
  handlers?.onDrain?.();
  assert.ok(queued > 0 && queued < 1024 * 1024, 'it goes on as the peer reads');
  for (let i = 0; i < 20_000; i++) core.events.onPacketIn?.(packetInEvent({ reason: 'action' }));
  assert.ok(queued < 1200 * 1024, `${queued} bytes wait`);
  core.clock.advance(31_000);
  assert.ok(isDestroyed);
});

test('any bytes are answered with errors or end the session; the bridge lives on', async () => {
  const { manager, network, dial } = await bridge();
  const hello = (version: number): Uint8Array => Uint8Array.of(version, 0, 0, 8, 0, 0, 0, 1);
  const framed = fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 36 }), fc.uint8Array({ maxLength: 120 }))
    .map(([version, type, body]) => {
      const bytes = new Uint8Array(8 + body.length);
      bytes.set([version, type, 0, bytes.length]);
      bytes.set(body, 8);
      return bytes;
    });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.oneof(framed, fc.uint8Array({ maxLength: 40 })), { maxLength: 6 }),
      async (version, messages) => {
        const stream = network.dial('punix:/run/br0.mgmt');
        stream.start({ onData: () => {}, onClose: () => {} });
        stream.write(hello(version));
        for (const message of messages) {
          if (message[1] !== undefined && message.length >= 8 && message[0] !== undefined && message[0] > 0) message[0] = version;
          stream.write(message);
        }
        await settle();
        stream.close();
        await settle();
      },
    ),
    { numRuns: 150 },
  );
  assert.equal((await (await dial(1)).ask({ kind: 'barrierRequest' }))[0]?.kind, 'barrierReply');
  await manager.close();
});
