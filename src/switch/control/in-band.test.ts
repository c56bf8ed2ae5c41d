import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMatch } from '../../flow/match-text.ts';
import { inBandFlows, remoteOf } from './in-band.ts';

test('targets by address are remotes; names, IPv6, sockets and listeners are not', () => {
  assert.deepEqual(remoteOf('tcp:10.0.0.1', 6653), { address: 0x0a000001, port: 6653 });
  assert.deepEqual(remoteOf('ssl:10.0.0.1:55', 6653), { address: 0x0a000001, port: 55 });
  for (const target of ['tcp:[::1]:1', 'tcp:host:1', 'tcp:1.2.3:5', 'ptcp:6653', 'unix:/x'])
    assert.equal(remoteOf(target, 1), undefined, target);
});

test('flows for a remote behind a next hop', () => {
  const flows = inBandFlows([{ address: 0x0a000001, port: 6653 }], [0xaa550000, 0x0001], [[0x02000000, 0x0005]]);
  assert.deepEqual(
    flows.map(({ priority, match }) => formatMatch(match, priority)),
    [
      'priority=180000,udp,in_port=LOCAL,dl_src=aa:55:00:00:00:01,tp_src=68,tp_dst=67',
      'priority=180001,arp,dl_dst=aa:55:00:00:00:01,arp_op=2',
      'priority=180002,arp,dl_src=aa:55:00:00:00:01,arp_op=1',
      'priority=180003,arp,dl_dst=02:00:00:00:00:05,arp_op=2',
      'priority=180004,arp,dl_src=02:00:00:00:00:05,arp_op=1',
      'priority=180005,arp,arp_tpa=10.0.0.1,arp_op=2',
      'priority=180006,arp,arp_spa=10.0.0.1,arp_op=1',
      'priority=180007,tcp,nw_dst=10.0.0.1,tp_dst=6653',
      'priority=180008,tcp,nw_src=10.0.0.1,tp_src=6653',
    ],
  );
});
