// `ofproto/trace ... -generate`: the trace has the side effects of a frame that the flow describes, as in Debian, and counts none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cannot, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovs-vswitchd') || false;

test('a trace with -generate learns, one without does not', { skip }, async (t) => {
  const w = world(t);
  const told: string[] = [];
  for (const tools of ['debian', 'weft'] as const) {
    const h = w.host(tools);
    await h.startOvsdb(tools);
    await h.startVswitchd(tools, ['--enable-dummy']);
    h.ok(
      'ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=dummy -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2',
      { tools },
    );
    let text = '';
    const run = (command: string): void => {
      const done = h.run(command, { tools });
      text += `${command}\n${done.code}\n${done.stdout}${done.stderr}`
        .replaceAll(/(in_port|Datapath actions).*/g, '')
        .replaceAll(/(duration|idle_age)=\S+/g, '')
        // The last column of fdb/show: seconds since the address was learned.
        .replaceAll(/((?:[0-9a-f]{2}:){5}[0-9a-f]{2}) +\d+$/gm, '$1');
    };
    const flow = 'in_port=p1,udp,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64';
    for (const options of ['', '-generate', '--generate', 'bogus', '-generate -generate']) {
      run(`ovs-appctl ofproto/trace br0 ${flow} ${options}`);
      run('ovs-appctl fdb/show br0');
      run('ovs-appctl fdb/flush br0');
    }
    run('ovs-ofctl dump-flows br0');
    run('ovs-appctl ofproto/trace nobr in_port=1');
    run('ovs-appctl ofproto/trace br0 bogus=1');
    told.push(text);
  }
  assert.equal(told[1], told[0]);
});
