// The control commands of connection tracking, ours and Debian's, after the same frames: equal text and exit codes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generator, Traffic } from './support/tracked-traffic.ts';
import { cannot, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovs-vswitchd') || false;
const COMMANDS = [
  'ct-get-maxconns',
  'ct-get-nconns',
  'ct-stats-show',
  'ct-stats-show verbose zone=3',
  'ct-bkts',
  'ct-bkts gt=1000',
  'ct-get-tcp-seq-chk',
  'ct-disable-tcp-seq-chk',
  'ct-get-tcp-seq-chk',
  'ct-enable-tcp-seq-chk',
  'ct-get-limits',
  'ct-set-limits default=1000 zone=3,limit=50 zone=4,limit=7',
  'ct-get-limits',
  'ct-get-limits zone=3,9',
  'ct-del-limits zone=4',
  'ct-get-limits',
  'ct-set-limits zone=1',
  'ct-set-maxconns 100',
  'ct-get-maxconns',
  'ct-set-maxconns x',
  'dump-conntrack foo@bar',
  'dump-conntrack zone=9',
  'flush-conntrack zone=9',
  'ct-get-nconns',
  'flush-conntrack zone=3 ct_nw_proto=17,ct_nw_dst=10.0.0.1',
  'ct-stats-show',
  'flush-conntrack bad=1',
  'flush-conntrack ct_nw_src=10.0.0.1,ct_nw_dst=10.0.0.2,ct_tp_src=1024,ct_tp_dst=8080,ct_nw_proto=6',
  'ct-stats-show',
  'flush-conntrack',
  'ct-get-nconns',
  'ipf-get-status -m foo',
  'ipf-get-status -x',
  'ipf-get-status foo',
  'ipf-get-status foo bar',
  'ipf-set-disabled v4',
  'ipf-set-disabled -m v6',
  'ipf-get-status',
  'ipf-set-enabled -s v4',
  'ipf-set-enabled v4 -m',
  'ipf-set-enabled v4 v6',
  'ipf-set-enabled v5',
  'ipf-set-enabled',
  'ipf-set-enabled dummy@ovs-dummy v6',
  'ipf-set-enabled foo v6',
  'ipf-set-min-frag v4 399',
  'ipf-set-min-frag v4 400',
  'ipf-set-min-frag v6 99999',
  'ipf-set-min-frag v7 1500',
  'ipf-set-min-frag v4 x',
  'ipf-set-min-frag v4 -5',
  'ipf-set-min-frag v4 0x300',
  'ipf-set-min-frag v4 600x',
  'ipf-set-min-frag v4',
  'ipf-set-min-frag v4 600 5',
  'ipf-set-min-frag dummy@ovs-dummy v4 500',
  'ipf-set-max-nfrags 5001',
  'ipf-set-max-nfrags 5000',
  'ipf-set-max-nfrags 0',
  'ipf-set-max-nfrags x',
  'ipf-set-max-nfrags -1',
  'ipf-set-max-nfrags',
  'ipf-get-status',
  'ct-get-maxconns foo',
  'ct-set-maxconns foo 5',
  'ct-set-maxconns 5 6',
  'dump-conntrack foo',
  'dump-conntrack foo zone=9',
  'dump-conntrack zone=9 -m',
  'dump-conntrack zone=9 foo',
  'dump-conntrack -x',
  'ct-set-limits foo zone=1,limit=5',
  'ct-set-limits dummy@ovs-dummy zone=1,limit=5',
  'ct-get-limits foo',
  'ct-get-limits zone=x',
  'ct-get-limits foo zone=1',
  'ct-del-limits foo zone=1',
  'ct-stats-show foo',
  'ct-stats-show foo zone=3',
  'ct-bkts foo',
  'ct-bkts gt=x',
  'flush-conntrack foo',
  'ct-get-tcp-seq-chk foo',
  'ct-enable-tcp-seq-chk foo',
];

test('control commands of connection tracking', { skip }, async (t) => {
  const w = world(t);
  const told: string[] = [];
  for (const tools of ['debian', 'weft'] as const) {
    const h = w.host(tools);
    await h.startOvsdb(tools);
    await h.startVswitchd(tools, ['--enable-dummy']);
    h.ok(
      'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=dummy fail_mode=secure -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2',
      { tools },
    );
    h.ok(`ovs-ofctl add-flow br0 'ip,actions=ct(commit,zone=3,exec(set_field:7->ct_mark,set_field:5->ct_label)),2'`, { tools });
    const traffic = new Traffic(generator(5), '10.0.0.1', '10.0.0.2');
    const frames = Array.from({ length: 30 }, () => traffic.next().frame);
    for (const frame of frames) h.ok(`ovs-appctl netdev-dummy/receive p1 ${Buffer.from(frame).toString('hex')}`, { tools });
    let text = '';
    const run = (command: string): void => {
      const done = h.run(`ovs-appctl dpctl/${command}`, { tools });
      text += `${command}\n${done.code}\n${done.stdout}${done.stderr.replace(/ovs-appctl: .*\n/, '')}`.replaceAll(
        /timeout=\d+/g,
        'timeout=N',
      );
    };
    for (const options of ['', '-s', '-m zone=3']) {
      const done = h.run(`ovs-appctl dpctl/dump-conntrack ${options}`, { tools });
      text += `${options}\n${done.stdout
        .replaceAll(/timeout=\d+/g, 'timeout=N')
        .split('\n')
        .sort()
        .join('\n')}`;
    }
    for (const command of COMMANDS) run(command);
    told.push(text);
  }
  assert.equal(told[1], told[0]);
});
