// The datapath contract over real devices. Run by datapath.test.ts inside a network namespace of its own, with the datapath's type.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { udpFrame } from '../../../src/datapath/contract-fixture.ts';
import { datapathContract } from '../../../src/datapath/contract-suite.ts';
import type { DpAction, DpPort } from '../../../src/datapath/datapath.ts';
import { openSystemDatapath } from '../../../src/datapath/ebpf/system-datapath.ts';
import { type NetdevDatapath, openNetdevDatapath } from '../../../src/datapath/userspace/netdev.ts';
import { newKey, W } from '../../../src/flow/key.ts';
import { mappedPacket } from '../../../src/netdev/receive-pool.ts';
import { PacketEnd } from './packet-end.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function ip(command: string): void {
  const done = spawnSync('ip', command.split(' '), { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`ip ${command}: ${done.stderr}`);
}

const noCounters = { sent() {}, sendFailed() {}, sendDropped() {}, receiveFailed() {}, receiveDropped() {} };

const type = process.argv[2] === 'system' ? 'system' : 'netdev';
const openDatapath = (): NetdevDatapath => (type === 'system' ? (openSystemDatapath() as NetdevDatapath) : openNetdevDatapath());

/** So many ports that those which come then have no rings. */
const crowd = process.argv[3] === 'crowded' ? Array.from({ length: 32 }, (_, i) => `x${i}`) : [];
for (const name of crowd) ip(`link add ${name} type veth peer name ${name}-far`);

/** Three veth pairs v1-e1 to v3-e3: the v ends are the datapath's, the e ends ours. */
async function openWorld() {
  const datapath = openDatapath();
  const ends = new Map<DpPort, PacketEnd>();
  const ports: DpPort[] = [];
  for (const device of crowd) await datapath.portAdd({ kind: 'system', device });
  for (const i of [1, 2, 3]) {
    ip(`link add v${i} type veth peer name e${i}`);
    ip(`link set v${i} up`);
    ip(`link set e${i} up`);
    const port = await datapath.portAdd({ kind: 'system', device: `v${i}` });
    ports.push(port);
    ends.set(port, new PacketEnd(`e${i}`, noCounters));
  }
  const packet = mappedPacket();
  const waiting: { port: DpPort; frame: Uint8Array }[] = [];
  const taken: { port: DpPort; frame: Uint8Array }[] = [];
  const collect = (): number => {
    let count = 0;
    for (const [port, end] of ends) {
      count += end.receive(64, (got) => void taken.push({ port, frame: got.bytes.slice(got.start, got.start + got.length) }));
      end.release();
    }
    return count;
  };
  return {
    datapath,
    ports: ports as [DpPort, DpPort, DpPort],
    inject: (port: DpPort, frame: Uint8Array) => void waiting.push({ port, frame }),
    async settle() {
      // Flows put before are on their way to the frame path: they come first.
      await sleep(60);
      const received = (): bigint => ports.reduce((sum, port) => sum + (datapath.portCounters(port)?.rxPackets ?? 0n), 0n);
      const all = received() + BigInt(waiting.length);
      for (const { port, frame } of waiting.splice(0)) {
        packet.point(packet.bytes, packet.address, 128, frame.length);
        packet.bytes.set(frame, 128);
        ends.get(port)?.send(packet);
        ends.get(port)?.flush();
      }
      for (let waits = 0; waits < 100 && received() < all; waits++) await sleep(20);
      for (let quiet = 0; quiet < 5; quiet++) {
        await sleep(20);
        if (collect() > 0) quiet = 0;
      }
      taken.sort((a, b) => a.port - b.port);
      return taken.splice(0);
    },
    async close() {
      await datapath.close();
      for (const end of ends.values()) end.close();
      for (const i of [1, 2, 3]) spawnSync('ip', ['link', 'del', `v${i}`]);
    },
  };
}

spawnSync('sysctl', ['-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1']);

datapathContract(type, openWorld);

test('a device that vanishes neither stops nor spins the frame path', async () => {
  const world = await openWorld();
  try {
    const [a, b, c] = world.ports;
    const key = newKey();
    const mask = newKey();
    key[W.IN_PORT] = a;
    mask[W.IN_PORT] = 0xffffffff;
    world.datapath.flowPut(key, mask, [
      { kind: 'output', port: c },
      { kind: 'output', port: b },
    ]);
    ip('link del v3');
    await sleep(200);
    const before = process.cpuUsage();
    await sleep(500);
    const used = process.cpuUsage(before);
    assert.ok(used.user + used.system < 250_000, `used ${used.user + used.system} us of processor while idle`);
    world.inject(a, udpFrame);
    assert.deepEqual(await world.settle(), [{ port: b, frame: udpFrame }]);
    // The kernel does not tell a program that a device took no frame.
    if (type === 'netdev') assert.equal(world.datapath.portCounters(c)?.txErrors, 1n);
    await world.datapath.portDelete(c);
    ip('link set v2 down');
    await sleep(100);
    ip('link set v2 up');
    await sleep(100);
    world.inject(a, udpFrame);
    assert.deepEqual(await world.settle(), [{ port: b, frame: udpFrame }]);
  } finally {
    await world.close();
  }
});

test('an interface that does not exist is refused with its name', async () => {
  const datapath = openDatapath();
  await assert.rejects(datapath.portAdd({ kind: 'system', device: 'nosuch0' }), /No such device/);
  assert.deepEqual([...datapath.ports()], []);
  await datapath.close();
});

test('an internal port is a device with that address and MTU, gone with the datapath', async () => {
  const datapath = openDatapath();
  await datapath.portAdd({ kind: 'internal', device: 'int0', mac: [0x02000000, 0x0105], mtu: 1400 });
  const shown = spawnSync('ip', ['-o', 'link', 'show', 'int0'], { encoding: 'utf8' }).stdout;
  assert.match(shown, /mtu 1400/);
  assert.match(shown, /02:00:00:00:01:05/);
  await datapath.close();
  assert.notEqual(spawnSync('ip', ['link', 'show', 'int0']).status, 0);
});

const flowOf = (port: DpPort): [Uint32Array, Uint32Array] => {
  const key = newKey();
  const mask = newKey();
  key[W.IN_PORT] = port;
  mask[W.IN_PORT] = 0xffffffff;
  mask[W.RECIRC_ID] = 0xffffffff;
  mask[W.VLAN0] = 0xffffffff;
  return [key, mask];
};
const out = (port: DpPort): DpAction => ({ kind: 'output', port });

/** The frame of the suite with a tag. */
const tagged = (tci: number): Uint8Array => {
  const frame = new Uint8Array(udpFrame.length + 4);
  frame.set(udpFrame.subarray(0, 12));
  frame.set([0x81, 0, tci >> 8, tci & 255], 12);
  frame.set(udpFrame.subarray(12), 16);
  return frame;
};

/** Whether the kernel has all flows, where it can have them. */
const allOffloaded = (datapath: NetdevDatapath): void => {
  const offload = (datapath as ReturnType<typeof openSystemDatapath>).offload?.();
  assert.equal(offload === undefined, type === 'netdev');
  if (offload === undefined) return;
  for (const flow of datapath.flows()) assert.ok(offload.isOffloaded(flow.id), JSON.stringify([...offload.refused]));
};

test('tags are pushed, popped, changed and matched on; outputs see the frame as it then is', async () => {
  const world = await openWorld();
  try {
    const { datapath } = world;
    const [a, b, c] = world.ports;
    const push = { kind: 'pushVlan', tpid: 0x8100, tci: 0x100a } as const;
    datapath.flowPut(...flowOf(a), [out(b), push, out(c)]);
    const [key, mask] = flowOf(b);
    key[W.VLAN0] = 0x8100100a;
    datapath.flowPut(key, mask, [out(c), { kind: 'popVlan' }, out(a)]);
    const [other, otherMask] = flowOf(b);
    other[W.VLAN0] = 0x8100100b;
    datapath.flowPut(other, otherMask, [{ kind: 'popVlan' }, push, out(a)]);
    allOffloaded(datapath);
    world.inject(a, udpFrame);
    assert.deepEqual(await world.settle(), [
      { port: b, frame: udpFrame },
      { port: c, frame: tagged(10) },
    ]);
    world.inject(b, tagged(10));
    assert.deepEqual(await world.settle(), [
      { port: a, frame: udpFrame },
      { port: c, frame: tagged(10) },
    ]);
    world.inject(b, tagged(11));
    assert.deepEqual(await world.settle(), [{ port: a, frame: tagged(10) }]);
    const counters = datapath.portCounters(b);
    assert.deepEqual([counters?.rxPackets, counters?.rxBytes], [2n, BigInt(2 * tagged(10).length)]);
    const sent = datapath.portCounters(c);
    assert.deepEqual([sent?.txPackets, sent?.txBytes], [2n, BigInt(2 * tagged(10).length)]);
  } finally {
    await world.close();
  }
});

test('a flow keeps its counters when its actions change, also into some that only user space has, under traffic', async () => {
  const world = await openWorld();
  try {
    const { datapath } = world;
    const [a, b, c] = world.ports;
    datapath.setUpcallSink(() => {});
    const id = datapath.flowPut(...flowOf(a), [out(b)]);
    const lists: DpAction[][] = [
      [out(c)],
      [{ kind: 'trunc', maxLength: 60 }, out(b)],
      [{ kind: 'set', group: 'ipv4', words: Uint32Array.of(W.TOS, 0x04000000, 0xfc000000) }, out(b)],
      [out(b), out(c)],
    ];
    world.inject(a, udpFrame);
    assert.equal((await world.settle()).length, 1);
    for (const [i, list] of lists.entries()) {
      datapath.flowModify(id, list);
      world.inject(a, udpFrame);
      const sent = await world.settle();
      assert.deepEqual(
        sent.map((one) => one.port),
        list.flatMap((action) => (action.kind === 'output' ? [action.port] : [])),
      );
      const stats = datapath.flowStats(id);
      assert.equal(stats?.packets, BigInt(i + 2));
      assert.ok(Math.abs(performance.now() - (stats?.usedMs ?? 0)) < 1000, `used ${stats?.usedMs} of ${performance.now()}`);
    }
    datapath.flowDelete(id);
    const again = datapath.flowPut(...flowOf(a), [out(b)]);
    assert.equal(datapath.flowStats(again)?.packets, 0n);
    world.inject(a, udpFrame);
    assert.equal((await world.settle()).length, 1);
    assert.equal(datapath.flowStats(again)?.packets, 1n);
  } finally {
    await world.close();
  }
});

test('labels are pushed and popped behind a tag and without, and the inner frame is looked at again', async () => {
  const world = await openWorld();
  try {
    const { datapath } = world;
    const [a, b, c] = world.ports;
    const labelled = Uint8Array.of(...udpFrame.subarray(0, 12), 0x88, 0x47, 0, 6, 0x41, 0x40, ...udpFrame.subarray(14));
    const both = Uint8Array.of(...tagged(10).subarray(0, 16), 0x88, 0x47, 0, 6, 0x41, 0x40, ...tagged(10).subarray(18));
    const label = { kind: 'pushMpls', ethertype: 0x8847, lse: 0x00064140 } as const;
    const pop = { kind: 'popMpls', ethertype: 0x0800 } as const;
    for (const [port, tci] of [
      [a, 0],
      [a, 0x8100100a],
    ] as const) {
      const [key, mask] = flowOf(port);
      key[W.VLAN0] = tci;
      datapath.flowPut(key, mask, [label, out(b), pop, out(c)]);
      const [labels, labelsMask] = flowOf(b);
      labels[W.VLAN0] = tci;
      labels[W.TYPE] = 0x88470000;
      labelsMask[W.TYPE] = 0xffff0000;
      datapath.flowPut(labels, labelsMask, [pop, { kind: 'recirc', id: 3 }]);
      const [inner, innerMask] = flowOf(b);
      inner[W.VLAN0] = tci;
      inner[W.RECIRC_ID] = 3;
      inner[W.NW_DST] = 0x0a000002;
      innerMask[W.NW_DST] = 0xffffffff;
      datapath.flowPut(inner, innerMask, [out(a)]);
    }
    allOffloaded(datapath);
    for (const [plain, with_] of [
      [udpFrame, labelled],
      [tagged(10), both],
    ] as const) {
      world.inject(a, plain);
      assert.deepEqual(await world.settle(), [
        { port: b, frame: with_ },
        { port: c, frame: plain },
      ]);
      world.inject(b, with_);
      assert.deepEqual(await world.settle(), [{ port: a, frame: plain }]);
    }
  } finally {
    await world.close();
  }
});

test('a meter is one bucket for the kernel and user space, and whoever can run it does', async () => {
  const world = await openWorld();
  try {
    const { datapath } = world;
    const [a, b] = world.ports;
    const [meter, list]: [number, DpAction[]] = [7, [{ kind: 'meter', meter: 7 }, out(b)]];
    datapath.flowPut(...flowOf(a), list);
    datapath.meterSet(meter, { countsPackets: true, bands: [{ rate: 1, burst: 10 }] });
    allOffloaded(datapath);
    const key = newKey();
    key[W.IN_PORT] = a;
    for (let i = 0; i < 20; i++) {
      datapath.execute(udpFrame, key, list);
      world.inject(a, udpFrame);
    }
    const passed = (await world.settle()).length;
    assert.ok(passed >= 10 && passed < 18, `${passed} passed`);
    const stats = datapath.meterStats(meter);
    assert.deepEqual([stats?.packets, stats?.bands[0]?.packets], [40n, BigInt(40 - passed)]);
    const offloaded = (): boolean | undefined => {
      const [flow] = [...datapath.flows()];
      return (datapath as ReturnType<typeof openSystemDatapath>).offload?.().isOffloaded(flow!.id);
    };
    datapath.meterSet(meter, {
      countsPackets: true,
      bands: [
        { rate: 1, burst: 10 },
        { rate: 2, burst: 20 },
      ],
    });
    assert.equal(offloaded(), type === 'system' ? true : undefined);
    // What has no rate never fills again: user space's.
    datapath.meterSet(meter, { countsPackets: true, bands: [{ rate: 0, burst: 10 }] });
    assert.equal(offloaded() ?? false, false);
    datapath.meterSet(meter, { countsPackets: false, bands: [{ rate: 1000, burst: 1000 }] });
    assert.equal(offloaded(), type === 'system' ? true : undefined);
    datapath.meterDelete(meter);
    assert.equal(offloaded() ?? false, false);
    world.inject(a, udpFrame);
    assert.equal((await world.settle()).length, 1);
  } finally {
    await world.close();
  }
});

test('a flow in the place of another takes its frames, whatever its actions', async () => {
  const world = await openWorld();
  try {
    const { datapath } = world;
    const [a, b, c] = world.ports;
    datapath.flowPut(...flowOf(a), [out(b)]);
    datapath.flowPut(...flowOf(a), [{ kind: 'trunc', maxLength: 60 }, out(c)]);
    world.inject(a, udpFrame);
    assert.deepEqual(await world.settle(), [{ port: c, frame: udpFrame.slice(0, 60) }]);
  } finally {
    await world.close();
  }
});

test('new masks and shapes under traffic lose no frame', async () => {
  const world = await openWorld();
  try {
    const { datapath } = world;
    const [a, b, c] = world.ports;
    datapath.flowPut(...flowOf(a), [out(b)]);
    await world.settle();
    let received = 0;
    for (let i = 0; i < 20; i++) {
      const [key, mask] = flowOf(c);
      key[W.NW_SRC] = i << 8;
      mask[W.NW_SRC] = (0xffffffff << i) >>> 0;
      datapath.flowPut(key, mask, [{ kind: 'set', group: 'eth', words: Uint32Array.of(W.ETH, i, 0xff << i) }, out(b)]);
      for (let n = 0; n < 20; n++) world.inject(a, udpFrame);
      received += (await world.settle()).length;
    }
    assert.equal(received, 400);
  } finally {
    await world.close();
  }
});

test('frames to and from the host through an internal port', async () => {
  const world = await openWorld();
  const { datapath } = world;
  const [a, b] = world.ports;
  const internal = await datapath.portAdd({ kind: 'internal', device: 'int1', mac: [0x02000000, 0x0106], mtu: 1500 });
  ip('link set int1 up');
  const host = new PacketEnd('int1', noCounters);
  try {
    datapath.flowPut(...flowOf(a), [out(internal), out(b)]);
    datapath.flowPut(...flowOf(internal), [out(a), out(b)]);
    allOffloaded(datapath);
    world.inject(a, udpFrame);
    assert.deepEqual(await world.settle(), [{ port: b, frame: udpFrame }]);
    const got: Uint8Array[] = [];
    host.receive(8, (packet) => void got.push(packet.bytes.slice(packet.start, packet.start + packet.length)));
    host.release();
    assert.deepEqual(got, [udpFrame]);
    const packet = mappedPacket();
    packet.point(packet.bytes, packet.address, 128, udpFrame.length);
    packet.bytes.set(udpFrame, 128);
    host.send(packet);
    host.flush();
    assert.deepEqual(await world.settle(), [
      { port: a, frame: udpFrame },
      { port: b, frame: udpFrame },
    ]);
    const counters = datapath.portCounters(internal);
    assert.deepEqual([counters?.rxPackets, counters?.txPackets], [1n, 1n]);
  } finally {
    host.close();
    await world.close();
  }
});

test('a device that went and came back is a port again', async () => {
  const world = await openWorld();
  const { datapath } = world;
  const [a, b, c] = world.ports;
  try {
    datapath.flowPut(...flowOf(a), [out(b)]);
    ip('link del v3');
    await sleep(100);
    await datapath.portDelete(c);
    ip('link add v3 type veth peer name e3');
    ip('link set v3 up');
    ip('link set e3 up');
    const again = await datapath.portAdd({ kind: 'system', device: 'v3' });
    const end = new PacketEnd('e3', noCounters);
    datapath.flowPut(...flowOf(a), [out(again)]);
    await sleep(100);
    world.inject(a, udpFrame);
    assert.deepEqual(await world.settle(), []);
    const got: Uint8Array[] = [];
    end.receive(8, (packet) => void got.push(packet.bytes.slice(packet.start, packet.start + packet.length)));
    end.close();
    assert.deepEqual(got, [udpFrame]);
    assert.equal(datapath.portCounters(again)?.txPackets, 1n);
  } finally {
    await world.close();
  }
});

// What the frame path has to complain of it says on stderr, which datapath.test.ts reads.
test('one may be closed at once', async () => {
  for (let i = 0; i < 5; i++) await openDatapath().close();
});
