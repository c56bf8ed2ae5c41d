// Actions of the default datapath over real devices, as the kernel's program runs them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { station, switchHost } from './support/traffic.ts';
import { cannot, eventually, world } from './support/world.ts';

test('what actions do beyond output: labels, second tags, copies for the controller, truncation, several devices', {
  skip: cannot('ping', 'tcpdump') || false,
}, async (t) => {
  const w = world(t);
  const h = await switchHost(w, 'h');
  const a = station(w, h, 'a', 'va', '10.0.0.1/24');
  const b = station(w, h, 'b', 'vb', '10.0.0.2/24');
  const c = station(w, h, 'c', 'vc');
  h.ok(
    'ovs-vsctl add-br br0 -- add-port br0 va -- set interface va ofport_request=1 -- add-port br0 vb -- set interface vb ofport_request=2 -- add-port br0 vc -- set interface vc ofport_request=3',
  );
  const mac = b.ok('cat /sys/class/net/eth0/address').trim();
  h.ok('ovs-ofctl -O OpenFlow13 add-group br0 group_id=1,type=select,bucket=output:3,bucket=output:3');
  a.ok(`ip neigh replace 10.0.0.2 lladdr ${mac} dev eth0`);
  for (const [what, actions, seen, place] of [
    ['two outputs', 'output:2,output:3', /10\.0\.0\.1 > 10\.0\.0\.2/, /offloaded:yes/],
    ['a label', 'push_mpls:0x8847,set_field:77->mpls_label,output:3', /MPLS.*label 77/, /offloaded:yes/],
    [
      'two tags',
      'push_vlan:0x8100,set_field:4101->vlan_vid,push_vlan:0x88a8,set_field:4102->vlan_vid,output:3',
      /vlan 6.*vlan 5/s,
      /offloaded:yes/,
    ],
    ['truncation', 'output(port=3,max_len=60)', /length 60: /, /offloaded:yes/],
    [
      'a copy that changes, before a change',
      'clone(push_vlan:0x8100,set_field:4101->vlan_vid,output:3),dec_ttl,output:2',
      /vlan 5,.*10\.0\.0\.1 > 10\.0\.0\.2/,
      /offloaded:yes/,
    ],
    ['a select group', 'group:1', /10\.0\.0\.1 > 10\.0\.0\.2/, /offloaded:yes/],
    ['a controller', 'controller(max_len=64),output:3', /10\.0\.0\.1 > 10\.0\.0\.2/, /offloaded:partial/],
  ] as const) {
    h.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'del-flows', 'br0']);
    h.ok(['ovs-ofctl', '-O', 'OpenFlow13', 'add-flow', 'br0', `in_port=1,ip,actions=${actions}`]);
    // What carried the frames of the case before is not looked at again.
    h.ok('ovs-appctl revalidator/purge');
    const dump = c.start('tcpdump -l -n -e -i eth0');
    await eventually('tcpdump listens', () => dump.output().includes('listening on'));
    // What an earlier list put behind a recirculation may still be there.
    const flow = (): string =>
      h
        .ok('ovs-appctl dpctl/dump-flows -m')
        .split('\n')
        .find((line) => line.includes('recirc_id(0)') && line.includes('in_port(va)') && line.includes('eth_type(0x0800)')) ?? '';
    a.run('ping -c 1 -W 1 10.0.0.2');
    await eventually(`${what}: a flow`, () => place.test(flow()));
    a.run('ping -c 20 -i 0.02 -W 1 10.0.0.2');
    await eventually(`${what}: frames`, () => (dump.output().match(new RegExp(seen.source, 'g')) ?? []).length > 10);
    assert.match(flow(), place, what);
    // The kernel carried them: none that came once the flow was there came to user space.
    await eventually(`${what}: counted`, () => /packets:([2-9][0-9])/.test(flow()));
    await dump.stop('SIGINT');
  }
});
