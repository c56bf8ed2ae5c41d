// The datapath contract over real devices. Run by datapath.test.ts inside a network namespace of its own.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { datapathContract, udpFrame } from '../../../src/datapath/contract-suite.ts';
import type { DpPort } from '../../../src/datapath/datapath.ts';
import { type NetdevDatapath, openNetdevDatapath } from '../../../src/datapath/userspace/netdev.ts';
import { newKey, W } from '../../../src/flow/key.ts';
import { openPacketSocket, PacketSocketDevice } from '../../../src/netdev/packet-socket.ts';
import { mappedPacket } from '../../../src/netdev/receive-pool.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function ip(command: string): void {
  const done = spawnSync('ip', command.split(' '), { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`ip ${command}: ${done.stderr}`);
}

const noCounters = { sent() {}, sendFailed() {}, sendDropped() {}, receiveFailed() {}, receiveDropped() {} };

/** Three veth pairs v1-e1 to v3-e3: the v ends are the datapath's, the e ends ours. */
async function openWorld() {
  const datapath: NetdevDatapath = openNetdevDatapath();
  const ends = new Map<DpPort, PacketSocketDevice>();
  const ports: DpPort[] = [];
  for (const i of [1, 2, 3]) {
    ip(`link add v${i} type veth peer name e${i}`);
    ip(`link set v${i} up`);
    ip(`link set e${i} up`);
    const port = await datapath.portAdd({ kind: 'system', device: `v${i}` });
    ports.push(port);
    ends.set(port, new PacketSocketDevice(openPacketSocket(`e${i}`, { small: 1, large: 2 }), noCounters));
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
      for (const { port, frame } of waiting.splice(0)) {
        packet.point(packet.bytes, packet.address, 128, frame.length);
        packet.bytes.set(frame, 128);
        ends.get(port)?.send(packet);
        ends.get(port)?.flush();
      }
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

datapathContract('netdev', openWorld);

test('a device that vanishes is reported, and neither stops nor spins the frame path', async () => {
  const world = await openWorld();
  try {
    const [a, b, c] = world.ports;
    const gone: DpPort[] = [];
    world.datapath.setPortGoneSink((port) => void gone.push(port));
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
    assert.deepEqual(gone, [c]);
    const before = process.cpuUsage();
    await sleep(500);
    const used = process.cpuUsage(before);
    assert.ok(used.user + used.system < 250_000, `used ${used.user + used.system} us of processor while idle`);
    world.inject(a, udpFrame);
    assert.deepEqual(await world.settle(), [{ port: b, frame: udpFrame }]);
    assert.equal(world.datapath.portCounters(c)?.txErrors, 1n);
    await world.datapath.portDelete(c);
    ip('link set v2 down');
    await sleep(100);
    ip('link set v2 up');
    await sleep(100);
    world.inject(a, udpFrame);
    assert.deepEqual(await world.settle(), [{ port: b, frame: udpFrame }]);
    assert.deepEqual(gone, [c]);
  } finally {
    await world.close();
  }
});

test('an interface that does not exist is refused with its name', async () => {
  const datapath = openNetdevDatapath();
  await assert.rejects(datapath.portAdd({ kind: 'system', device: 'nosuch0' }), /No such device/);
  assert.deepEqual([...datapath.ports()], []);
  await datapath.close();
});

test('an internal port is a device with that address and MTU, gone with the datapath', async () => {
  const datapath = openNetdevDatapath();
  await datapath.portAdd({ kind: 'internal', device: 'int0', mac: [0x02000000, 0x0105], mtu: 1400 });
  const shown = spawnSync('ip', ['-o', 'link', 'show', 'int0'], { encoding: 'utf8' }).stdout;
  assert.match(shown, /mtu 1400/);
  assert.match(shown, /02:00:00:00:01:05/);
  await datapath.close();
  assert.notEqual(spawnSync('ip', ['link', 'show', 'int0']).status, 0);
});
