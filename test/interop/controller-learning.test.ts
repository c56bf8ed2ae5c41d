// Our learning controller runs Debian's ovs-vswitchd (dummy ports, in a network namespace of its own) and our own switch.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createController } from '../../src/controller/controller.ts';
import { learning } from '../../src/controller/learning.ts';
import { dummyPorts } from './support/dummy-daemons.ts';
import { controllerAt, dummySwitch, eventually, udpFrame } from './support/dummy-switch.ts';
import { endProcess } from './support/end-process.ts';
import { cannot } from './support/world.ts';

const skip = cannot('ovs-vswitchd', 'ovsdb-server', 'unshare') || false;

const udp = (port: number, from: number, to: number): string =>
  `in_port(${port}),eth(src=50:54:00:00:00:0${from},dst=50:54:00:00:00:0${to}),eth_type(0x0800),` +
  `ipv4(src=10.0.0.${from},dst=10.0.0.${to},proto=17,tos=0,ttl=64,frag=no),udp(src=${1000 + from},dst=${1000 + to})`;

class DebianSwitch {
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-debian-'));
  readonly #daemons: ReturnType<typeof spawn>[] = [];

  get #env(): NodeJS.ProcessEnv {
    const { dir } = this;
    return { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir, OVS_SYSCONFDIR: dir };
  }

  run(program: string, ...args: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      execFile(program, args, { env: this.#env, timeout: 20_000 }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${program} ${args.join(' ')}: ${stderr}`));
      });
    });
  }

  #start(program: string, ...args: string[]): void {
    this.#daemons.push(spawn(program, args, { env: this.#env, stdio: 'ignore' }));
  }

  async start(): Promise<void> {
    await this.run('ovsdb-tool', 'create', `${this.dir}/conf.db`, '/usr/share/openvswitch/vswitch.ovsschema');
    this.#start('ovsdb-server', `--remote=punix:${this.dir}/db.sock`, `--unixctl=${this.dir}/db.ctl`, `${this.dir}/conf.db`);
    await eventually('the database', () =>
      this.run('ovs-vsctl', '--no-wait', 'init').then(
        () => true,
        () => false,
      ),
    );
    const dummy = ['--enable-dummy=override', '--disable-system', `--unixctl=${this.dir}/vs.ctl`];
    this.#start('unshare', '--net', 'ovs-vswitchd', ...dummy, `unix:${this.dir}/db.sock`);
  }

  appctl(...args: string[]): Promise<string> {
    return this.run('ovs-appctl', '-t', `${this.dir}/vs.ctl`, ...args);
  }

  async end(): Promise<void> {
    await this.appctl('exit').catch(() => {});
    for (const { pid } of this.#daemons) if (pid !== undefined) endProcess(pid);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

async function debian(t: TestContext): Promise<DebianSwitch> {
  const sw = new DebianSwitch();
  t.after(() => sw.end());
  await sw.start();
  return sw;
}

for (const [version, protocol] of [
  [1, 'OpenFlow10'],
  [4, 'OpenFlow13'],
] as const) {
  test(`learning runs Debian's ovs-vswitchd with ${protocol}`, { skip, timeout: 60_000 }, async (t) => {
    const sw = await debian(t);
    const seen: string[] = [];
    const controller = await createController(
      { listen: `punix:${sw.dir}/ctl.sock`, versions: [version] },
      {
        name: 'seen',
        onPacketIn: (_sw, event) => void seen.push(`${event.inPort}`),
        onMessage: (_sw, framed) => void seen.push(framed.message.kind),
      },
      learning(),
    );
    t.after(() => controller.close());
    const bridge = ['add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=dummy', 'fail_mode=secure', ...dummyPorts([1, 2, 3])];
    await sw.run('ovs-vsctl', ...bridge, '--', 'set-controller', 'br0', `unix:${sw.dir}/ctl.sock`);
    await eventually('the switch', () => [...controller.switches()].length === 1);
    const [handle] = controller.switches();
    assert.equal(handle?.version, version);
    assert.deepEqual(
      [...(handle?.ports.keys() ?? [])].sort((a, b) => a - b),
      [1, 2, 3, 65534],
    );
    await handle?.barrier();
    await sw.appctl('netdev-dummy/receive', 'p1', udp(1, 1, 2));
    await eventually('the first frame', () => seen.length >= 1);
    await sw.appctl('netdev-dummy/receive', 'p2', udp(2, 2, 1));
    await eventually('a flow', async () => ((await handle?.flows()) ?? []).some((flow) => flow.idleTimeoutSec === 60));
    await sw.appctl('netdev-dummy/receive', 'p1', udp(1, 1, 2));
    await eventually('two flows', async () => ((await handle?.flows()) ?? []).filter((flow) => flow.idleTimeoutSec === 60).length === 2);
    const text = await sw.run('ovs-ofctl', `-O${protocol}`, '--no-stats', 'dump-flows', `unix:${sw.dir}/br0.mgmt`);
    const vlan = version === 1 ? 'vlan_tci=0x0000' : 'vlan_tci=0x0000/0x1fff';
    for (const [from, to] of [
      [1, 2],
      [2, 1],
    ] as const) {
      const wanted =
        `udp,in_port=${from},${vlan},dl_src=50:54:00:00:00:0${from},dl_dst=50:54:00:00:00:0${to},` +
        `nw_src=10.0.0.${from},nw_dst=10.0.0.${to},nw_tos=0,tp_src=${1000 + from},tp_dst=${1000 + to} actions=output:${to}`;
      assert.ok(text.includes(wanted), `${wanted}\nis not in\n${text}`);
    }
    // A frame that has a flow no longer comes up.
    const before = seen.length;
    await sw.appctl('netdev-dummy/receive', 'p1', udp(1, 1, 2));
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(seen.length, before);
    // LLDP stays where it came in.
    await sw.appctl('netdev-dummy/receive', 'p1', 'in_port(1),eth(src=50:54:00:00:00:01,dst=01:80:c2:00:00:0e),eth_type(0x88cc)');
    await eventually('the drop', async () =>
      /dl_dst=01:80:c2:00:00:0e,dl_type=0x88cc actions=drop/.test(
        await sw.run('ovs-ofctl', `-O${protocol}`, 'dump-flows', `unix:${sw.dir}/br0.mgmt`),
      ),
    );
    assert.ok(!seen.includes('error'), 'the switch refused something');
  });

  test(`learning runs our switch with ${protocol}`, { skip }, async (t) => {
    const s = dummySwitch(t);
    const bridge = await s.bridge('br0', 3, { failMode: 'secure', versions: [version] });
    const controller = await createController({ listen: `punix:${s.dir}/ctl.sock` }, learning());
    t.after(() => controller.close());
    bridge.controllersSet([controllerAt(`unix:${s.dir}/ctl.sock`)]);
    await eventually('the switch', () => [...controller.switches()].length === 1);
    const [handle] = controller.switches();
    await handle?.barrier();
    s.receive('br0p1', udpFrame(1, 2));
    await eventually('flooded', () => s.sent.filter((sent) => /p[23]$/.test(sent.port)).length === 2);
    s.sent.length = 0;
    s.receive('br0p2', udpFrame(2, 1));
    await eventually('answered', () => s.sent.length === 1 && s.sent[0]?.port === 'br0p1');
    s.receive('br0p1', udpFrame(1, 2));
    await eventually('two flows', async () => ((await handle?.flows()) ?? []).filter((flow) => flow.idleTimeoutSec === 60).length === 2);
    bridge.controllersSet([]);
    await eventually('gone', () => [...controller.switches()].length === 0);
  });
}
