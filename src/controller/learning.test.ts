import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../base/clock.ts';
import { type Stream, streamPair } from '../base/stream.ts';
import { OpenFlowConnection, versionBits } from '../openflow/channel/connection.ts';
import { inPortMatch } from '../openflow/codec/packet-codec.ts';
import type { Message, OfVersion } from '../openflow/message.ts';
import { type Controller, createController } from './controller.ts';
import { hub, learning } from './learning.ts';

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** A controller, and a switch that says what a test wants. */
async function together(version: OfVersion, ...apps: Parameters<typeof createController>[1][]) {
  const clock = new VirtualClock();
  let accept: ((stream: Stream) => void) | undefined;
  const controller: Controller = await createController(
    {
      listen: 'ptcp:6653',
      environment: {
        clock,
        connect: () => Promise.reject(new Error('nobody there')),
        listen: (name, onStream) => {
          accept = onStream;
          return Promise.resolve({ name, boundPort: 6653, close: () => {} });
        },
      },
    },
    ...apps,
  );
  const [ours, theirs] = streamPair('tcp:127.0.0.1:40000');
  accept?.(theirs);
  const got: Message[] = [];
  const sw: OpenFlowConnection = new OpenFlowConnection(
    ours,
    { clock, versions: versionBits([version]) },
    {
      onMessage: ({ message, xid }) => {
        const base = { buffers: 0, tables: 254, auxiliaryId: 0, capabilities: 0, actions: 0 };
        if (message.kind === 'featuresRequest') sw.send({ kind: 'featuresReply', datapathId: 7n, ...base, ports: [] }, xid);
        else if (message.kind === 'portDescRequest') sw.send({ kind: 'portDescReply', ports: [], more: false }, xid);
        else got.push(message);
      },
      onClose: () => {},
    },
  );
  await settle();
  await settle();
  const frame = async (port: number, from: number, to: number): Promise<Message[]> => {
    got.length = 0;
    const data = new Uint8Array(60);
    data.set([2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 0x88, 0xb5]);
    const base = { kind: 'packetIn', bufferId: 0xffffffff, totalLength: 60, reason: 'no_match', table: 0, cookie: 0n } as const;
    sw.send({ ...base, match: inPortMatch(port), data }, 0);
    await settle();
    return [...got];
  };
  return { controller, ours, got, frame };
}

const shape = (messages: Message[]): string[] =>
  messages.map((m) => {
    const actions = 'actions' in m && Array.isArray(m.actions) ? m.actions.map((a) => ('port' in a ? a.port : a.kind)).join() : '';
    return `${m.kind}(${actions})`;
  });

for (const version of [1, 4] as const) {
  test(`version ${version}: floods the unknown, sends the known by a flow, drops what would go back`, async () => {
    const { controller, got, frame } = await together(version, learning());
    assert.deepEqual(shape(got), version === 1 ? ['setConfig()'] : ['setConfig()', 'flowMod(65533)']);
    assert.deepEqual(shape(await frame(1, 1, 2)), ['packetOut(65531)']);
    assert.deepEqual(shape(await frame(2, 2, 1)), ['flowMod(1)', 'packetOut(1)']);
    assert.deepEqual(shape(await frame(1, 1, 2)), ['flowMod(2)', 'packetOut(2)']);
    assert.deepEqual(shape(await frame(2, 3, 2)), ['flowMod()']);
    assert.equal([...controller.switches()][0]?.datapathId, 7n);
    controller.close();
    await settle();
    assert.deepEqual([...controller.switches()], []);
  });
}

test('a hub sets one flow that floods', async () => {
  const { controller, got } = await together(1, hub());
  assert.deepEqual(shape(got), ['flowMod(65531)']);
  controller.close();
});

test('an app that throws harms nobody', async () => {
  const bad = {
    name: 'bad',
    onPacketIn: (): void => {
      throw new Error('no');
    },
  };
  const { controller, frame } = await together(1, bad, learning());
  assert.deepEqual(shape(await frame(1, 1, 2)), ['packetOut(65531)']);
  controller.close();
});

test('any bytes from a switch end in nothing worse than a closed connection', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 5 }), async (pieces) => {
      const { controller, ours, frame } = await together(4, learning());
      for (const piece of pieces) ours.write(piece);
      await settle();
      await frame(1, 1, 2);
      controller.close();
    }),
    { numRuns: 60 },
  );
});
