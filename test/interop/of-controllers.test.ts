// Connections to controllers: when they are sought, probed and given up, how much waits for a peer that does not read, and how their packets
// are marked. The reference's daemon and ours side by side.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Framing } from '../../src/openflow/channel/framing.ts';
import { compare, pair } from './support/pair.ts';
import { cannot, eventually, type Host, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovs-ofctl', 'ovs-appctl', 'ss') || false;
const vsctl = 'ovs-vsctl --timeout=10';
const addBridge = `${vsctl} add-br br0 -- set bridge br0 fail_mode=secure other_config:disable-in-band=true`;
const controllers = `$(${vsctl} --bare -- --columns=_uuid list controller)`;
const setController = (columns: string): string => `for i in ${controllers}; do ${vsctl} set controller $i ${columns}; done`;

const OFPT_ECHO_REQUEST = 2;
const OFPT_PACKET_IN = 10;

/** A controller that a host's switch finds at c.sock, speaking OpenFlow 1.0. */
class Controller {
  readonly messages: Uint8Array[] = [];
  readonly sockets: Socket[] = [];
  #server: Server | undefined;
  /** Whether probes are answered. */
  answers = true;
  readonly #path: string;

  constructor(host: Host, t: TestContext) {
    this.#path = join(host.dir, 'c.sock');
    t.after(() => this.stop());
  }

  async listen(): Promise<void> {
    this.#server = createServer((socket) => {
      this.sockets.push(socket);
      const framing = new Framing();
      socket.write(Uint8Array.of(1, 0, 0, 8, 0, 0, 0, 1));
      socket.on('error', () => {});
      socket.on('data', (bytes) =>
        framing.push(bytes as Uint8Array, (message) => {
          this.messages.push(message);
          if (message[1] === OFPT_ECHO_REQUEST && this.answers) socket.write(Uint8Array.of(1, 3, ...message.subarray(2)));
        }),
      );
    }).listen(this.#path);
    await once(this.#server, 'listening');
  }

  stop(): void {
    this.#server?.close();
    for (const socket of this.sockets) socket.destroy();
    this.sockets.length = 0;
  }
}

/** What the log says of connections to controllers, and what the database does, while time passes second by second. */
async function story(host: Host, t: TestContext): Promise<string[]> {
  const controller = new Controller(host, t);
  const run = async (line: string): Promise<void> => {
    const { code, stdout, stderr } = await host.runAsync(line, { tools: 'debian' });
    assert.equal(code, 0, stdout + stderr);
  };
  const pass = async (seconds: number): Promise<void> => {
    for (let i = 0; i < 2 * seconds; i++) await run('ovs-appctl time/warp 500 >/dev/null; sleep 0.03');
  };
  await run('ovs-appctl time/stop; ovs-appctl vlog/set rconn:file:dbg');
  await run(`${addBridge} -- set-controller br0 unix:${host.dir}/c.sock`);
  await pass(30);
  // What is set while a peer is sought holds from the first configuration on that finds it connected.
  await run(setController('max_backoff=2000'));
  await controller.listen();
  await pass(10);
  controller.stop();
  await pass(12);
  await controller.listen();
  await pass(9);
  for (const columns of ['inactivity_probe=7000', 'inactivity_probe=0', 'inactivity_probe=6500 max_backoff=2500', 'inactivity_probe=-1']) {
    await run(setController(columns));
    await pass(9);
  }
  await run(`for i in ${controllers}; do ${vsctl} clear controller $i inactivity_probe; done`);
  await pass(9);
  await run('ovs-appctl bridge/reconnect br0; sleep 0.2');
  await pass(3);
  controller.answers = false;
  await pass(12);
  controller.stop();
  await pass(9);
  await run(`${vsctl} del-controller br0; sleep 0.2`);
  const told = host
    .log('ovs-vswitchd')
    .split('\n')
    .filter((line) => /\|rconn\|/.test(line))
    .map((line) => line.replace(/^.*?\|rconn\|/, '').replaceAll(host.dir, 'DIR'))
    // Controllers that control commands are; and ours is connecting where the reference knows at once that there is nobody.
    .filter((line) => !line.includes('unix#') && !line.includes('entering CONNECTING'))
    .map((line) => `${line}\n`);
  // How often a peer that answers was probed depends on where the warps fell.
  return told
    .join('')
    .replaceAll(/idle \d+ seconds/g, 'idle')
    .replaceAll(/((?:.*idle, sending.*\n.*entering IDLE\n.*entering ACTIVE\n))\1+/g, '$1')
    .split('\n');
}

test('when a controller is sought, probed and given up: the same as the reference', { skip, timeout: 240_000 }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  const [wanted, got] = await Promise.all(hosts.map((host) => story(host, t)));
  assert.deepEqual(got, wanted);
  const told = wanted?.join('\n') ?? '';
  for (const part of ['waiting 4 seconds', 'suppressing further logging', 'no response to inactivity probe', 'disconnecting'])
    assert.ok(told.includes(part), part);
});

const FRAME = '50540000000a50540000000908004500001c00000000400166df0a0000020a0000010800f7ff00000000'.padEnd(2400, '0');

/** How many packet-ins come through to a controller that read nothing while 1,000 were sent, beyond what the socket holds by itself. */
async function throughQueue(host: Host, t: TestContext, columns: string): Promise<number> {
  const controller = new Controller(host, t);
  await controller.listen();
  await host.runAsync(`${vsctl} set-controller br0 unix:${host.dir}/c.sock; ${setController(columns)}`, { tools: 'debian' });
  await eventually('a connection', () => controller.messages.length > 0);
  const [socket] = controller.sockets;
  // What a secure bridge without flows makes of a frame is nothing; the controller asks for all of it.
  socket?.write(Uint8Array.of(1, 9, 0, 12, 0, 0, 0, 2, 0, 0, 0xff, 0xff));
  await new Promise((resolve) => setTimeout(resolve, 300));
  socket?.pause();
  const frames = Array.from({ length: 50 }, () => FRAME).join(' ');
  for (let i = 0; i < 20; i++) await host.runAsync(`ovs-ofctl packet-out br0 none controller:65535 ${frames}`, { tools: 'debian' });
  socket?.resume();
  let before = -1;
  await eventually('all that waited', async () => {
    const count = controller.messages.length;
    const isSame = count === before;
    before = count;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return isSame;
  });
  controller.stop();
  await host.runAsync(`${vsctl} del-controller br0`, { tools: 'debian' });
  return controller.messages.filter((message) => message[1] === OFPT_PACKET_IN).length;
}

/** What queues of several sizes let through, on each side; what is wrong with it. */
async function measureQueues(hosts: Host[], t: TestContext): Promise<string> {
  const found = await Promise.all(
    hosts.map(async (host) => {
      const socketAlone = await throughQueue(host, t, 'controller_queue_size=1');
      const row = (await throughQueue(host, t, 'controller_queue_size=300')) - socketAlone;
      const usual = (await throughQueue(host, t, 'max_backoff=8000')) - socketAlone;
      await host.runAsync(`${vsctl} set bridge br0 other_config:controller-queue-size=500`, { tools: 'debian' });
      const byBridge = (await throughQueue(host, t, 'max_backoff=8000')) - socketAlone;
      await host.runAsync(`${vsctl} remove bridge br0 other_config controller-queue-size`, { tools: 'debian' });
      return { row, usual, byBridge };
    }),
  );
  const [wanted, got] = found;
  const isNear = (['row', 'usual', 'byBridge'] as const).every((one) => Math.abs((got?.[one] ?? 0) - (wanted?.[one] ?? 0)) <= 75);
  const isRight = (got?.row ?? 0) > 200 && (got?.usual ?? 0) > 25 && (got?.usual ?? 0) < 175 && (got?.byBridge ?? 0) > 400;
  return isNear && isRight ? '' : JSON.stringify(found);
}

test('controller_queue_size: as many packet-ins wait as with the reference', { skip, timeout: 240_000 }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  compare(hosts, [addBridge]);
  // The reader may take one more piece of 64 kB, 50 packet-ins, before it stops; if that is too much, once more.
  const faults: string[] = [];
  while (faults.length < 3) {
    const fault = await measureQueues(hosts, t);
    if (fault === '') return;
    faults.push(fault);
  }
  assert.fail(faults.join('\n'));
});

test('differentiated services codepoints of connections', { skip, timeout: 60_000 }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  for (const host of hosts) {
    for (const listen of ['ptcp:7001', 'ptcp:7002', 'ptcp:7003:[::1]'])
      host.start(`weft controller learning --listen ${listen}`, { tools: 'weft' });
    await eventually('controllers', () => host.run('ss -tln | grep -c ":700[123] "').stdout.trim() === '3');
  }
  const row = (name: string, target: string, columns: string): string =>
    `-- --id=@${name} create controller 'target="${target}"' ${columns}`;
  const settled = (count: number): string =>
    `for try in 1 2 3 4 5 6 7 8 9 10; do [ "$(ss -tn state established | grep -c ":700[12] *$")" = ${count} ] && break; sleep 0.3; done`;
  // The switch's side of each connection; IPv6 has traffic classes, which ss shows elsewhere.
  const shown = `${settled(2)}; ss -tn --tos state established | sed -n 's/.*:\\(700[12]\\) *\\(tos:[0-9xa-f]*\\).*/\\1 \\2/p' | sort`;
  const own = `ss -tn --tos state established | sed -n 's/.*[0-9]:7004 .*\\(tos:[0-9xa-f]*\\).*/\\1/p' | sort`;
  compare(hosts, [
    `${addBridge} ${row('a', 'tcp:127.0.0.1:7001', 'other_config:dscp=10')} ${row('b', 'tcp:127.0.0.1:7002', 'other_config:dscp=64')} ${row('c', 'ptcp:7004', 'other_config:dscp=11')} -- set bridge br0 controller=@a,@b,@c >/dev/null`,
    shown,
    // Those that are connected connect anew; those that listen go on as they began.
    `${setController('other_config:dscp=13')}; sleep 1.3; ${shown}`,
    `ovs-ofctl monitor tcp:127.0.0.1:7004 >/dev/null 2>&1 & monitor=$!; sleep 0.5; ${own}; kill $monitor`,
    `${setController('other_config:dscp=x')}; sleep 1.3; ${shown}`,
  ]);
});
