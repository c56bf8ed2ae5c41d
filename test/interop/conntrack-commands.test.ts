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
