// `ovs-ofctl monitor` and `snoop` in the background: each side's own ovs-ofctl on its own switch, and what is left behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pair } from './support/pair.ts';
import { cannot, type Host, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd') || false;
const FRAME =
  'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=TTL,frag=no),tcp(src=8,dst=9)';
const receive = (ttl: number): string => `ovs-appctl netdev-dummy/receive p1 '${FRAME.replace('TTL', String(ttl))}'; sleep 0.5`;

const LINES = [
  'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=dummy fail-mode=secure -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1',
  'ovs-ofctl -O OpenFlow13 monitor br0 invalid_ttl --detach',
  'ovs-ofctl -O OpenFlow13 monitor br0 bogus --detach',
  'ovs-ofctl monitor brx 65534 --detach --no-chdir --pidfile=$OVS_RUNDIR/x.pid',
  'ovs-ofctl -O OpenFlow12 monitor br0 65534 invalid_ttl --detach --no-chdir --pidfile 2>$OVS_RUNDIR/heard',
  'cd $OVS_RUNDIR && ls *.pid && test -d /proc/$(cat ovs-ofctl.pid) && echo alive',
  "ovs-ofctl add-flow br0 'ip,actions=dec_ttl,controller'",
  receive(1),
  receive(5),
  'ovs-appctl -t ovs-ofctl ofctl/barrier',
  'ovs-appctl -t ovs-ofctl vlog/list | head -3',
  'ovs-appctl -t ovs-ofctl exit; sleep 0.5; cd $OVS_RUNDIR; ls *.pid; cat heard',
  'cd $OVS_RUNDIR && ovs-ofctl monitor br0 65534 -P nxt_packet_in --detach --no-chdir --pidfile=x.pid --unixctl=$OVS_RUNDIR/x.ctl 2>heard',
  'cd $OVS_RUNDIR && ovs-ofctl monitor br0 65534 --detach --no-chdir --pidfile=x.pid 2>&1 | sed "s/pid [0-9]*/pid N/"',
  receive(9),
  'cd $OVS_RUNDIR; kill $(cat x.pid); sleep 0.7; ls x.*; cat heard',
];

test('monitor goes to the background, obeys, and leaves nothing', { skip }, async (t) => {
  const [theirs, ours] = await pair(world(t), ['--enable-dummy']);
  const run = (host: Host, line: string): object => {
    const { code, stdout, stderr } = host.run(line);
    return {
      line,
      code,
      text: (stdout + stderr)
        .replaceAll(host.dir, 'DIR')
        .replaceAll(/^[\d-]+T[\d:]+Z/gm, 'TIME')
        .split('\n'),
    };
  };
  for (const line of LINES) assert.deepEqual(run(ours, line), run(theirs, line));
});
