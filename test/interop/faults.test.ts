// Bad input, missing things and no permission: our programs say and return what Debian's do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cannot, type Host, type Tools, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovs-vswitchd', 'setpriv') || false;

/** What a command gave, without what differs from run to run. */
function said(host: Host, tools: Tools, command: string): string {
  const { code, stdout, stderr } = host.run(command, { tools });
  const clean = (text: string): string =>
    text
      .replaceAll(host.dir, 'DIR')
      .replaceAll(/20\d\d-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replaceAll(/pid \d+|\.\d+\.ctl/g, 'PID')
      .replaceAll(/.*ovs_numa.*\n/g, '');
  return `${command}\ncode ${code}\n${clean(stdout)}${clean(stderr)}`;
}

function compare(hosts: readonly (readonly [Host, Tools])[], commands: readonly string[]): void {
  for (const command of commands) {
    const [debian, weft] = hosts.map(([host, tools]) => said(host, tools, command));
    assert.equal(weft, debian);
  }
}

test('faults of files, sockets, names and rights are told as Debian does', { skip }, async (t) => {
  const w = world(t);
  const hosts = (['debian', 'weft'] as const).map((tools) => [w.host(tools), tools] as const);
  const nobody = 'setpriv --reuid=65534 --regid=65534 --clear-groups';
  compare(hosts, [
    'ovsdb-server $OVS_RUNDIR/nosuch.db --remote=punix:$OVS_RUNDIR/x.sock',
    'echo hello > $OVS_RUNDIR/junk.db; ovsdb-server $OVS_RUNDIR/junk.db --remote=punix:$OVS_RUNDIR/x.sock',
    ': > $OVS_RUNDIR/empty.db; ovsdb-server $OVS_RUNDIR/empty.db --remote=punix:$OVS_RUNDIR/x.sock',
    'mkdir $OVS_RUNDIR/dir.db; ovsdb-server $OVS_RUNDIR/dir.db --remote=punix:$OVS_RUNDIR/x.sock',
    'ovsdb-server --detach --pidfile $OVS_RUNDIR/junk.db --remote=punix:$OVS_RUNDIR/x.sock; ls $OVS_RUNDIR',
    'ovsdb-tool show-log $OVS_RUNDIR/junk.db',
    'ovs-vsctl --timeout=2 show',
    'ovs-vswitchd a b',
    'ovs-appctl version',
    'rm $OVS_RUNDIR/*.db; ls $OVS_RUNDIR',
  ]);
  for (const [host, tools] of hosts) await host.startOvsdb(tools);
  compare(hosts, [
    'ovsdb-server $OVS_RUNDIR/conf.db --remote=punix:$OVS_RUNDIR/x.sock',
    'ovsdb-server --pidfile $OVS_RUNDIR/conf.db --remote=punix:$OVS_RUNDIR/x.sock',
    'ovsdb-server --detach --pidfile $OVS_RUNDIR/conf.db --remote=punix:$OVS_RUNDIR/x.sock',
    'ovsdb-tool create $OVS_RUNDIR/conf.db /usr/share/openvswitch/vswitch.ovsschema',
  ]);
  for (const [host, tools] of hosts) await host.startVswitchd(tools);
  compare(hosts, [
    'ovs-vswitchd --pidfile',
    'ovs-vswitchd --pidfile --detach',
    'ovs-vsctl --timeout=9 add-br br0 -- set bridge br0 datapath_type=netdev',
    'ovs-vsctl --timeout=9 add-br br1 -- set bridge br1 datapath_type=netdev',
    'ovs-vsctl --timeout=9 add-br br2 -- set bridge br2 datapath_type=bogus',
    'ovs-vsctl --timeout=9 del-br br2',
    'ovs-vsctl --timeout=9 add-port br0 nosuch0',
    'ovs-vsctl --timeout=9 add-port br0 t0 -- set interface t0 type=gre',
    'ovs-vsctl --timeout=9 add-port br0 t1 -- set interface t1 type=gre options:remote_ip=bad',
    'ovs-vsctl --timeout=9 add-port br0 t2 -- set interface t2 type=nosuchtype',
    'ip link add p0 type veth peer name p1; ovs-vsctl --timeout=9 add-port br0 p0',
    'ovs-vsctl --timeout=9 add-port br1 p0',
    'ovs-vsctl --timeout=9 --may-exist add-port br1 p0',
    'ovs-vsctl --timeout=9 add-port nobr p1',
    'ovs-vsctl --timeout=9 set interface p0 bogus=1',
    'ovs-vsctl --timeout=9 set interface p0 ofport_request=abc',
    ...['br0', 'nosuch0', 't0', 't1', 't2', 'p0'].map((name) => `ovs-vsctl --columns=name,ofport,error list interface ${name}`),
    'ovs-ofctl add-flow br0 bogus,actions=drop',
    'ovs-ofctl add-flow br0 actions=bogus',
    'ovs-ofctl show nobr',
    `OVS_RUNDIR=/nonexistent ovs-ofctl show ${'y'.repeat(120)}`,
    'ovs-ofctl add-flow br0 actions=output:99999',
    'ovs-vsctl --timeout=9 add-br b/r -- set-controller br0 foo; grep -Eo "(WARN|ERR).(ignoring bridge|br0: unsupported).*" $OVS_RUNDIR/ovs-vswitchd.log',
    'ovs-vsctl --timeout=9 del-br b/r -- del-controller br0',
    'ovs-appctl bogus',
    'ovs-appctl fdb/show nobr',
    // The folder of the test is closed to others.
    `${nobody} ovs-vsctl --timeout=2 show`,
    `${nobody} ovs-appctl version`,
    `${nobody} ovs-ofctl show br0`,
    `${nobody} ovs-vswitchd --pidfile=$OVS_RUNDIR/n.pid --unixctl=$OVS_RUNDIR/n.ctl`,
  ]);
});

test('a port that is taken does not end the database server, and is listened on when it is free', { skip }, async (t) => {
  const w = world(t);
  const h = w.host('h');
  await h.startOvsdb('weft');
  const other = h.start([
    'python3',
    '-c',
    'import socket,time; s=socket.create_server(("127.0.0.1",6640)); print("up",flush=True); time.sleep(60)',
  ]);
  while (!other.output().includes('up')) await new Promise((resolve) => setTimeout(resolve, 50));
  h.ok('ovs-vsctl --no-wait set-manager ptcp:6640:127.0.0.1');
  // The server acts on its own rows after it has answered.
  for (let tries = 0; tries < 100 && !h.log('ovsdb-server').includes('listen failed'); tries++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  assert.match(h.log('ovsdb-server'), /ptcp:6640:127.0.0.1: listen failed: Address already in use/);
  assert.notEqual(h.run('ovs-vsctl --db=tcp:127.0.0.1:6640 --timeout=2 show').code, 0);
  await other.stop('SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  h.ok('ovs-vsctl --db=tcp:127.0.0.1:6640 --timeout=5 show');
});

test('without root the switch runs and says at each interface what it may not do', { skip }, async (t) => {
  const w = world(t);
  const h = w.host('h');
  await h.startOvsdb('weft');
  h.ok(`chmod 711 ${w.dir} ${h.dir} && chmod 666 ${h.dir}/db.sock && mkdir -m 777 ${h.dir}/n && ip link add p0 type veth peer name p1`);
  const nobody = 'setpriv --reuid=65534 --regid=65534 --clear-groups';
  const daemon = h.start(`${nobody} ovs-vswitchd --pidfile unix:${h.dir}/db.sock`, { env: { OVS_RUNDIR: `${h.dir}/n` } });
  const said = h.run('ovs-vsctl --timeout=15 add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 p0');
  assert.equal(said.code, 0, said.stderr);
  assert.match(said.stderr, /setting up 'br0': could not open network device br0 \((Permission denied|Operation not permitted)\)/);
  assert.match(said.stderr, /setting up 'p0': could not open network device p0 \((Permission denied|Operation not permitted)\)/);
  await daemon.stop();
  assert.match(daemon.output(), /\|bridge\|WARN\|could not open network device p0 \(/);
});
