// Bonds beside Debian's ovs-vswitchd over dummy ports: what commands tell, which member sends and takes, failover, delays. Ours does not move
// buckets by their load: the reference is told not to.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pair } from './support/pair.ts';
import { cannot, eventually, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovs-vswitchd', 'tcpdump') || false;

/** Addresses of dummy devices, and the order in which a frame goes to several ports, are each side's own. */
const plain = (text: string): string =>
  text
    .replace(/aa:55:aa:55:00:[0-9a-f]{2}/g, 'MAC')
    .replace(/expires in \d+ ms/g, 'expires in N ms')
    .replace(/(Datapath actions: )([\d,]+)$/gm, (_, head: string, list: string) => head + list.split(',').sort().join());

const SHOW = 'ovs-appctl bond/show bond0';
const frame = (port: number, src: string, dst: string): string => `in_port=${port},dl_src=50:54:00:00:00:${src},dl_dst=${dst}`;
const trace = (port: number, src: string, dst = '50:54:00:00:01:01'): string =>
  `ovs-appctl ofproto/trace br0 ${frame(port, src, dst)} | tail -5`;
const MANY = 'ff:ff:ff:ff:ff:ff';
const traces = [trace(1, '0a'), trace(2, '0a'), trace(1, '0a', MANY), trace(2, '0a', MANY), trace(3, '01'), trace(3, '02'), trace(3, '03')];
/** A link goes up or down, and both have seen it. */
const link = (port: string, state: 'up' | 'down'): string[] => [
  `ovs-appctl netdev-dummy/set-admin-state ${port} ${state}`,
  `for i in $(seq 50); do ${SHOW} | grep -A3 "member ${port}:" | grep -q "may_enable: ${state === 'up'}" && break; sleep .1; done`,
];

for (const mode of ['active-backup', 'balance-slb']) {
  test(mode, { skip, timeout: 120_000 }, async (t) => {
    const [reference, ours] = await pair(world(t), ['--enable-dummy=override', '--disable-system']);
    const run = (line: string): void => {
      const [wanted, got] = [reference, ours].map((host) => {
        const { code, stdout, stderr } = host.run(line, { tools: 'debian' });
        return { line, code, text: plain(stdout + stderr).split('\n') };
      });
      assert.deepEqual(got, wanted);
    };
    const ports = [1, 2, 3].map((n) => `-- set interface p${n} type=dummy ofport_request=${n}`).join(' ');
    run(
      `ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=dummy -- add-bond br0 bond0 p1 p2 bond_mode=${mode} other-config:bond-rebalance-interval=0 -- add-port br0 p3 ${ports}`,
    );
    // Which member is active at first is each side's choice.
    for (const host of [reference, ours]) host.run('ovs-appctl bond/set-active-member bond0 p1', { tools: 'debian' });
    for (const line of [
      SHOW,
      'ovs-appctl bond/show nosuch',
      ...['p9', 'p1', 'p2', 'p1'].map((member) => `ovs-appctl bond/set-active-member bond0 ${member}`),
      'ovs-appctl bond/enable-member bond0 p9; ovs-appctl bond/enable-member bond0 p1; ovs-appctl bond/disable-member nosuch p1',
      ...(mode === 'active-backup' ? [...traces, 'ovs-appctl bond/migrate bond0 5 p2'] : traces.slice(2, 4)),
      ...link('p1', 'down'),
      SHOW,
      ...traces,
      ...link('p2', 'down'),
      SHOW,
      ...traces,
      ...link('p1', 'up'),
      SHOW,
      ...traces,
      ...link('p2', 'up'),
      'ovs-vsctl set port bond0 bond_updelay=60000 bond_downdelay=50000 other-config:bond-hash-basis=5 other-config:bond-primary=p1',
      SHOW,
      ...link('p1', 'down'),
      SHOW,
      ...link('p1', 'up'),
      SHOW,
      'ovs-vsctl set port bond0 bond_updelay=0 bond_downdelay=0',
      ...(mode === 'balance-slb'
        ? [
            ...[0, 1, 2].map((bucket) => `ovs-appctl bond/migrate bond0 ${bucket} p2`),
            'ovs-appctl bond/migrate bond0 1 p9',
            'ovs-appctl fdb/add br0 p3 0 50:54:00:00:00:0a',
            ...traces.slice(0, 2),
            'ovs-vsctl set port bond0 other-config:all-members-active=true',
            SHOW,
          ]
        : []),
      'ovs-vsctl set port bond0 bond_mode=balance-tcp',
      ...traces.slice(0, 5),
      'ovs-vsctl del-port br0 bond0; ovs-appctl bond/list',
    ])
      run(line);
  });
}

test('stations behind a bond stay reachable when its link goes', { skip, timeout: 60_000 }, async (t) => {
  const w = world(t);
  const [h, peer] = [w.host('h'), w.host('peer')];
  for (const n of [1, 2]) w.wire(h, `b${n}`, peer, `c${n}`);
  // The other end learns as any switch does.
  peer.ok(
    'ip link add sw type bridge && ip link set c1 master sw && ip link set c2 master sw && ip link set sw up && ip addr add 10.0.0.2/24 dev sw',
  );
  await h.startOvsdb('weft');
  await h.startVswitchd('weft');
  h.ok(
    'ovs-vsctl --timeout=15 add-br br0 -- add-bond br0 bond0 b1 b2 bond_mode=active-backup && ip addr add 10.0.0.1/24 dev br0 && ip link set br0 up',
  );
  const reaches = (): boolean => h.run('ping -c1 -W1 10.0.0.2').code === 0;
  await eventually('the peer answers', reaches);
  const active = (): string => /\((b\d)\)/.exec(h.ok('ovs-appctl bond/show bond0'))?.[1] ?? '';
  const first = active();
  const mac = h.ok('cat /sys/class/net/br0/address').trim();
  const other = first === 'b1' ? 'c2' : 'c1';
  const heard = peer.start(`tcpdump -l -e -nn -c 1 -i ${other} rarp`);
  await eventually('tcpdump listens', () => heard.output().includes('listening'));
  peer.ok(`ip link set ${first.replace('b', 'c')} down`);
  await eventually('the other link is the active one', () => active() !== first && active() !== '');
  // In the station's name, so that the switch at the other end sends to it by the link that is left.
  await eventually('the peer is told where the station is', () => new RegExp(`${mac} > ff:ff:ff:ff:ff:ff`).test(heard.output()));
  await eventually('the peer answers by it', reaches);
  assert.match(h.ok('ovs-vsctl get port bond0 bond_active_slave'), /:/);
});
