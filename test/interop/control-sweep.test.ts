// Every control command that the reference has, each with forms of arguments that fit it, nearly fit it or make no sense: both daemons say
// the same, and neither ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Control } from './support/control.ts';
import { cannot, eventually, type Host, type Tools, type World, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd') || false;
type Daemon = 'ovs-vswitchd' | 'ovsdb-server';

const forms = (type: string): readonly (readonly string[])[] => [
  ...[[], [''], ['x'], ['0'], ['1'], ['-1'], ['99999999999999999999'], ['-m'], ['--help'], ['on'], ['zone=1'], ['any:dbg'], ['10.0.0.1']],
  ...[['br0'], ['br0', 'p1'], ['br0', 'x'], ['br0', '10'], ['p1', 'up'], ['p1'], ['bond0'], ['bond0', 'nope']],
  ...[[`${type}@ovs-${type}`], ['10.0.0.0/24', 'br0'], ['br0', 'p1', '10', '50:54:00:00:00:01'], ['a', 'b', 'c'], ['Open_vSwitch', 'x']],
  ...[['_Server'], ['ptcp:0:127.0.0.1'], ['a', 'b', 'c', 'd', 'e', 'f']],
];

/** Commands that end a daemon or tell of its insides: threads, modules, counters of its own, the order of a hash table. */
const LEFT_OUT =
  /^(exit|bond\/list|time\/|backtrace|coverage\/show|vlog\/list|upcall\/show|list-commands|dpif-netlink\/dispatch-mode|ovsdb-server\/(add-db|.*-log-rec))/;
/** Forms that end the reference by a fault of its own. */
const FATAL = /^dpctl\/(ct-(set|get|del)-limits|(add|del|set)-\S+ -)|^ovsdb-server\/set-sync-exclude-tables$/;
/** Makes datapaths by the names of all that is given to commands. */
const MAKES = 'dpctl/add-dp';
/** The manual has a datapath there, and the reference takes it for a tuple. */
const isKnown = (line: string): boolean => /^dpctl\/flush-conntrack (dummy|netdev)@/.test(line);

function plain(text: string, host: Host): string {
  return text
    .replaceAll(host.dir, 'DIR')
    .replaceAll(/([0-9a-f]{2}:){5}[0-9a-f]{2}/g, 'MAC')
    .replaceAll(/[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}/g, 'UUID')
    .replaceAll(/\d+(\.\d+)?( ?ms| ?s\b| secs?)/g, 'TIME')
    .replaceAll(/\d{4}-\d\d-\d\d[T ][\d:.]+Z?/g, 'DATE');
}

async function sides(w: World, daemon: Daemon, flags: string[], prepare: (host: Host) => void): Promise<[Host, Host]> {
  const made: Host[] = [];
  for (const tools of ['debian', 'weft'] as const satisfies readonly Tools[]) {
    const host = w.host(tools);
    await host.startOvsdb(daemon === 'ovsdb-server' ? tools : 'debian');
    await host.startVswitchd(tools, flags);
    prepare(host);
    made.push(host);
  }
  return made as [Host, Host];
}

async function sweep(hosts: readonly [Host, Host], daemon: Daemon, type: string): Promise<void> {
  const [reference, ours] = hosts.map((host) => new Control(host, daemon)) as [Control, Control];
  try {
    if (type === 'dummy' && daemon === 'ovs-vswitchd') for (const side of [reference, ours]) await side.ask(['time/stop']);
    const listed = (await reference.run('list-commands')).split('\n').slice(1);
    const commands = listed.map((line) => line.trim().split(/\s+/)[0] ?? '').filter((name) => !LEFT_OUT.test(name) && name !== MAKES);
    assert.ok(commands.length > 10);
    for (const command of commands) {
      for (const form of forms(type)) {
        const line = [command, ...form].join(' ');
        if (FATAL.test(line)) continue;
        const [wanted, got] = await Promise.all([reference.ask([command, ...form]), ours.ask([command, ...form])]);
        assert.ok(wanted !== undefined, `the reference has ended at ${line}`);
        assert.ok(got !== undefined, `the daemon has ended at ${line}`);
        if (!isKnown(line)) assert.deepEqual({ line, text: plain(got, hosts[1]) }, { line, text: plain(wanted, hosts[0]) });
      }
    }
  } finally {
    reference.close();
    ours.close();
  }
}

/** Port by port, for the reference numbers those of one transaction in no order; which member a bond uses is said. */
const bridges = (type: string): string => {
  const bridge = (name: string, id: number): string =>
    `add-br ${name} -- set bridge ${name} datapath_type=${type} other_config:hwaddr=aa:bb:cc:00:00:0${id} other_config:datapath-id=${id}`;
  const port = (name: string): string => `add-port br0 ${name} -- set interface ${name} ofport_request=${name.slice(1)}`;
  const member = (name: string): string => `--id=@i create Interface name=${name} ofport_request=${name.slice(1)}`;
  const bond = 'create Port name=bond0 bond_mode=active-backup other_config:bond-primary=p2';
  const commands = [
    bridge('br0', 1),
    port('p1'),
    `-- ${member('p2')} -- --id=@p ${bond} interfaces=@i -- add bridge br0 ports @p`,
    `-- ${member('p3')} -- add port bond0 interfaces @i`,
    bridge('br1', 2),
  ];
  return commands.map((words) => `ovs-vsctl --timeout=10 ${words}`).join(' && ');
};

const debian = { tools: 'debian' } as const;

test('all commands of ovs-vswitchd over simulated ports', { skip }, async (t) => {
  const flags = ['--enable-dummy=override', '--disable-system', '--disable-system-route'];
  const hosts = await sides(world(t), 'ovs-vswitchd', flags, (host) => void host.ok(bridges('dummy'), debian));
  await sweep(hosts, 'ovs-vswitchd', 'dummy');
});

test('all commands of ovs-vswitchd over devices', { skip }, async (t) => {
  const hosts = await sides(world(t), 'ovs-vswitchd', [], (host) => {
    host.ok('sysctl -qw net.ipv6.conf.default.disable_ipv6=1');
    for (const i of [1, 2, 3]) {
      host.ok(`ip link add p${i} address 50:54:00:00:01:0${i} type veth peer name q${i} address 50:54:00:00:02:0${i}`);
      host.ok(`ip link set p${i} up && ip link set q${i} up`);
    }
    host.ok(bridges('netdev'), debian);
  });
  await sweep(hosts, 'ovs-vswitchd', 'netdev');
});

test('all commands of ovsdb-server', { skip }, async (t) => {
  const hosts = await sides(world(t), 'ovsdb-server', ['--enable-dummy=override', '--disable-system'], (host) => {
    host.ok(bridges('dummy'), debian);
  });
  await sweep(hosts, 'ovsdb-server', 'dummy');
});

test('a daemon that its monitor has started anew says so', { skip }, async (t) => {
  const w = world(t);
  const told: string[] = [];
  for (const tools of ['debian', 'weft'] as const) {
    const host = w.host(tools);
    await host.startOvsdb('debian');
    await host.startVswitchd(tools, ['--monitor', '--enable-dummy=override', '--disable-system', '--disable-system-route']);
    const first = host.pidOf('ovs-vswitchd');
    process.kill(first, 'SIGSEGV');
    const lines = [
      'dpctl/show nope',
      'dpctl/add-flow x y',
      'dpctl/dump-flows',
      'dpctl/parse-actions x',
      'dpctl/add-dp dummy@ovs-dummy x@y',
    ];
    await eventually('another process', () => host.pidOf('ovs-vswitchd') !== first && host.run('ovs-appctl version', debian).code === 0);
    told.push(lines.map((line) => host.run(`ovs-appctl ${line}`, debian).stderr).join(''));
  }
  assert.equal(told[1], told[0]);
  assert.match(told[1] ?? '', /^ovs-vswitchd\(ovs-vswitchd\): /);
});
