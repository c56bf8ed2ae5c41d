import assert from 'node:assert/strict';
import { endianness } from 'node:os';
import { test } from 'node:test';
import { neighborMac, routeTo } from './next-hop.ts';

const ROUTES = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth1\t0002A8C0\t00000000\t0000\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
`;
const NEIGHBORS = `IP address       HW type     Flags       HW address            Mask     Device
192.168.1.1      0x1         0x2         0a:00:00:00:00:01     *        eth0
192.168.1.7      0x1         0x0         00:00:00:00:00:00     *        eth0
`;

test('routes and neighbours as the kernel lists them', { skip: endianness() === 'BE' }, () => {
  assert.deepEqual(routeTo(0xc0a80107, ROUTES), { device: 'eth0', hop: 0xc0a80107 });
  assert.deepEqual(routeTo(0xc0a80201, ROUTES), { device: 'eth0', hop: 0xc0a80101 }, 'a route that is down is none');
  assert.equal(routeTo(1, ROUTES.split('\n').slice(0, 3).join('\n')), undefined);
  assert.deepEqual(neighborMac(0xc0a80101, 'eth0', NEIGHBORS), [0x0a000000, 1]);
  assert.equal(neighborMac(0xc0a80101, 'eth1', NEIGHBORS), undefined);
  assert.equal(neighborMac(0xc0a80107, 'eth0', NEIGHBORS), undefined);
});
