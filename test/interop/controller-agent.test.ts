// Debian's ovs-ofctl and ovs-testcontroller against our OpenFlow connections, over a real bridge on dummy ports.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controllerAt, dummySwitch, eventually, udpFrame } from './support/dummy-switch.ts';
import { cannot } from './support/world.ts';

const skip = cannot('ovs-ofctl', 'ovs-testcontroller') || false;
const freePort = (): number => 20_000 + (process.pid % 20_000) + Math.floor(Math.random() * 1000);

for (const version of ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'] as const) {
  test(`ovs-ofctl -O${version} shows, adds, dumps and deletes`, { skip }, async (t) => {
    const s = dummySwitch(t);
    await s.bridge('br0', 2, { failMode: 'secure' });
    const ofctl = async (...args: string[]): Promise<string> => {
      const ended = await s.run('ovs-ofctl', `-O${version}`, ...args);
      assert.equal(ended.code, 0, `${args.join(' ')}: ${ended.stderr}`);
      return ended.stdout;
    };
    const shown = await ofctl('show', 'br0');
    assert.match(shown, /dpid:0000000000001234/);
    assert.match(shown, /n_tables:254, n_buffers:0/);
    assert.match(shown, /1\(br0p1\): addr:aa:55:aa:55:00:01/);
    assert.match(shown, /LOCAL\(br0\)/);
    await ofctl('add-flow', 'br0', 'table=0,priority=7,cookie=0x5,tcp,tp_dst=80,actions=mod_dl_dst:50:54:00:00:00:09,output:2');
    await ofctl('add-flow', 'br0', 'table=1,priority=9,in_port=1,idle_timeout=60,actions=drop');
    const flows = await ofctl('--no-stats', '--sort', 'dump-flows', 'br0');
    assert.match(flows, /cookie=0x5, priority=7,tcp,tp_dst=80 actions=(mod_dl_dst:|set_field:)50:54:00:00:00:09(->eth_dst)?,output:2/);
    assert.match(flows, /table=1, (idle_timeout=60, )?priority=9,in_port=\S+ actions=drop/);
    if (version !== 'OpenFlow15') assert.match(await ofctl('dump-aggregate', 'br0'), /flow_count=2/);
    assert.match(await ofctl('dump-ports', 'br0'), /port\s+("?br0p1"?|1): rx pkts=0/);
    assert.match(await ofctl('dump-ports-desc', 'br0'), /2\(br0p2\)/);
    assert.match(await ofctl('dump-tables', 'br0'), /table 0/);
    assert.match(
      await ofctl('dump-desc', 'br0'),
      /Manufacturer: Nicira, Inc\.\nHardware: Open vSwitch\nSoftware: 3\.1\.0\nSerial Num: None/,
    );
    assert.match(await ofctl('get-frags', 'br0'), /normal/);
    assert.match(await ofctl('probe', 'br0'), /^$/);
    await ofctl('mod-port', 'br0', 'br0p1', 'no-receive');
    assert.match(await ofctl('show', 'br0'), /1\(br0p1\)[^\n]*\n\s+config:\s+NO_RECV/);
    await ofctl('del-flows', 'br0');
    assert.doesNotMatch(await ofctl('dump-flows', 'br0'), /actions/);
  });
}

test('ovs-ofctl monitor hears packet-ins, removed flows and ports', { skip }, async (t) => {
  const s = dummySwitch(t);
  const bridge = await s.bridge('br0', 2, { failMode: 'secure' });
  const old = s.start('ovs-ofctl', '-OOpenFlow10', 'monitor', 'br0', '65534');
  const young = s.start('ovs-ofctl', '-OOpenFlow13', 'monitor', 'br0', '65534');
  await new Promise((resolve) => setTimeout(resolve, 500));
  s.receive('br0p1', udpFrame(1, 2));
  await eventually('the miss', () => /total_len=60 in_port=1 \(via no_match\) data_len=60 \(unbuffered\)/.test(old.output()));
  assert.doesNotMatch(young.output(), /no_match/);
  await s.run('ovs-ofctl', 'add-flow', 'br0', 'dl_src=50:54:00:00:00:01,cookie=0x1234,actions=controller(max_len=64)');
  s.receive('br0p1', udpFrame(1, 2));
  for (const monitor of [old, young]) {
    await eventually('the action', () => /cookie=0x1234 total_len=60 in_port=1 \(via action\) data_len=60/.test(monitor.output()));
    assert.match(monitor.output(), /udp,vlan_tci=0x0000,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02,nw_src=10.0.0.1,nw_dst=10.0.0.2/);
  }
  await s.run('ovs-ofctl', 'add-flow', 'br0', 'table=4,priority=3,send_flow_rem,actions=drop');
  await s.run('ovs-ofctl', 'del-flows', 'br0', 'table=4');
  await s.run('ovs-ofctl', 'mod-port', 'br0', 'br0p1', 'no-flood');
  await bridge.portDelete(2);
  for (const monitor of [old, young]) {
    await eventually('flow removed', () => /FLOW_REMOVED.*priority=3 reason=delete/.test(monitor.output()));
    await eventually('port status', () => /PORT_STATUS.*DEL: 2\(br0p2\)/.test(monitor.output()));
  }
  assert.match(old.output(), /PORT_STATUS \(xid=0x0\): MOD: 1\(br0p1\)[^\n]*\n\s+config:\s+NO_FLOOD/);
});

for (const version of [1, 4, 6] as const) {
  test(`ovs-testcontroller runs our bridge with OpenFlow version ${version}; snoop watches`, { skip }, async (t) => {
    const s = dummySwitch(t);
    const bridge = await s.bridge('br0', 3, { failMode: 'secure', versions: [version] });
    const port = freePort();
    s.start('ovs-testcontroller', `ptcp:${port}:127.0.0.1`);
    const name = ['', 'OpenFlow10', '', '', 'OpenFlow13', '', 'OpenFlow15'][version];
    const snoop = s.start('ovs-ofctl', `-O${name}`, 'snoop', 'br0');
    bridge.controllersSet([controllerAt(`tcp:127.0.0.1:${port}`)]);
    await eventually('connected', () => [...bridge.controllers()][0]?.isConnected === true);
    await new Promise((resolve) => setTimeout(resolve, 300));
    s.receive('br0p1', udpFrame(1, 2));
    await eventually('flooded', () => s.sent.filter((sent) => /p[23]$/.test(sent.port)).length === 2);
    s.sent.length = 0;
    s.receive('br0p2', udpFrame(2, 1));
    await eventually('sent back', () => s.sent.length > 0);
    assert.deepEqual(
      s.sent.map((sent) => sent.port),
      ['br0p1'],
    );
    s.receive('br0p1', udpFrame(1, 2));
    await eventually('two flows', async () => {
      const { stdout } = await s.run('ovs-ofctl', `-O${name}`, 'dump-flows', 'br0');
      return (stdout.match(/idle_timeout=60.*dl_src=50:54:00:00:00:0[12].*actions=output:"?(br0p)?[12]"?/g) ?? []).length === 2;
    });
    await eventually('snooped', () => /PACKET_IN/.test(snoop.output()) && /FLOW_MOD/.test(snoop.output()));
    bridge.controllersSet([]);
  });
}

test('a standalone bridge forwards by itself when its controller is gone, and obeys again when it is back', { skip }, async (t) => {
  const s = dummySwitch(t);
  const bridge = await s.bridge('br0', 2, { failMode: 'standalone' });
  const dump = async (): Promise<string> => (await s.run('ovs-ofctl', '--no-stats', 'dump-flows', 'br0')).stdout;
  assert.match(await dump(), /priority=0 actions=NORMAL/);
  const port = freePort();
  bridge.controllersSet([controllerAt(`tcp:127.0.0.1:${port}`, { probeIntervalMs: 1000 })]);
  assert.doesNotMatch(await dump(), /NORMAL/);
  s.receive('br0p1', udpFrame(1, 2));
  assert.equal(s.sent.length, 0);
  await eventually('forwarding', () => {
    s.receive('br0p1', udpFrame(1, 2));
    return s.sent.some((sent) => sent.port === 'br0p2');
  });
  assert.doesNotMatch(await dump(), /NORMAL/, 'the flow is hidden');
  s.start('ovs-testcontroller', `ptcp:${port}:127.0.0.1`);
  await eventually('control', async () => / actions=CONTROLLER/.test(await dump()));
  bridge.controllersSet([]);
  assert.match(await dump(), /priority=0 actions=NORMAL/);
});
