// Connection tracking with real TCP through namespaces, on both datapaths: only answers come back in; source and destination translation;
// and one flow of each kind of action that the eBPF program leaves to user space, through which frames must get all the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pings, station, switchHost } from './support/traffic.ts';
import { cannot, eventually, type Host, world } from './support/world.ts';

const skip = cannot('ovs-vsctl') || false;

/** Replaces the flows; one call, for each costs the start of a program. */
const flows = (host: Host, text: string, version = 'OpenFlow10'): void => {
  const lines = text
    .trim()
    .split('\n')
    .map((line) => `${line.trim()}\n`);
  host.ok(['sh', '-c', `ovs-ofctl del-flows br0; printf '%s' "$1" | ovs-ofctl -O ${version} add-flows br0 -`, 'sh', lines.join('')]);
};

const SERVER = `
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('0.0.0.0', int(sys.argv[1]))); s.listen(1); print('listening', flush=True)
c, peer = s.accept(); print('from', peer[0], c.recv(100).decode(), flush=True); c.sendall(b'welcome'); c.close()
`;
const CLIENT = `
import socket, sys
c = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3); c.sendall(b'hello'); print(c.recv(100).decode())
`;

/** What a TCP server at `to` heard from `from`, which connects to `address` and `port`; undefined when there was no connection. */
async function tcp(from: Host, to: Host, address: string, port: number, listenPort = port): Promise<string | undefined> {
  const server = to.start(['/usr/bin/python3', '-c', SERVER, String(listenPort)]);
  await eventually('listening', () => server.output().includes('listening'));
  const done = from.run(['/usr/bin/python3', '-c', CLIENT, address, String(port)], { timeout: 15_000 });
  if (done.code === 0) {
    assert.match(done.stdout, /welcome/);
    await eventually('heard', () => server.output().includes('hello'));
  }
  await server.stop();
  return done.code === 0 ? server.output() : undefined;
}

for (const type of ['netdev', 'system'] as const) {
  test(`${type}: statefulness, translation, and actions for user space`, { skip, timeout: 120_000 }, async (t) => {
    const w = world(t);
    const host = await switchHost(w, 'm');
    const left = station(w, host, 'l', 'pl', '10.9.0.1/24');
    const right = station(w, host, 'r', 'pr', '10.9.0.2/24');
    host.ok(
      `ovs-vsctl --timeout=20 add-br br0 -- set bridge br0 datapath_type=${type} fail_mode=secure -- add-port br0 pl -- set interface pl ofport_request=1 -- add-port br0 pr -- set interface pr ofport_request=2`,
    );
    // Only what the left side began.
    flows(
      host,
      `priority=20,arp,actions=flood
      priority=10,ip,actions=ct(table=1)
      table=1,in_port=1,ip,ct_state=+trk+new,actions=ct(commit),2
      table=1,ip,ct_state=+trk+est,actions=flood
      table=1,ip,ct_state=+trk+rel,actions=flood`,
    );
    await eventually('ping', () => pings(left, '10.9.0.2'));
    assert.ok(await tcp(left, right, '10.9.0.2', 8001), 'a connection that the left side began');
    assert.equal(await tcp(right, left, '10.9.0.1', 8002), undefined, 'a connection from outside');
    assert.match(host.ok('ovs-appctl dpctl/dump-conntrack'), /tcp,orig=\(src=10\.9\.0\.1,dst=10\.9\.0\.2,sport=\d+,dport=8001\)/);
    // The source is another outside.
    flows(
      host,
      `priority=20,arp,actions=flood
      priority=10,ip,actions=ct(nat,table=1)
      table=1,in_port=1,ip,ct_state=+trk+new,actions=ct(commit,nat(src=10.9.0.9)),2
      table=1,in_port=1,ip,ct_state=+trk+est,actions=2
      table=1,in_port=2,ip,ct_state=+trk+est,actions=1`,
    );
    const rightMac = right.ok('cat /sys/class/net/eth0/address').trim();
    const leftMac = left.ok('cat /sys/class/net/eth0/address').trim();
    right.ok(`ip neigh replace 10.9.0.9 lladdr ${leftMac} dev eth0`);
    assert.match((await tcp(left, right, '10.9.0.2', 8003)) ?? '', /from 10\.9\.0\.9 hello/);
    // The destination is another inside.
    flows(
      host,
      `priority=20,arp,actions=flood
      priority=10,ip,actions=ct(nat,table=1)
      table=1,in_port=1,ip,ct_state=+trk+new,actions=ct(commit,nat(dst=10.9.0.2:8080)),2
      table=1,in_port=1,ip,ct_state=+trk+est,actions=2
      table=1,in_port=2,ip,ct_state=+trk+est,actions=1`,
    );
    left.ok(`ip neigh replace 10.9.0.100 lladdr ${rightMac} dev eth0`);
    assert.ok(await tcp(left, right, '10.9.0.100', 80, 8080), 'through the translated address');
    // One of each kind; where a header goes on it comes off again at once.
    const kinds = [
      'push_mpls:0x8847,pop_mpls:0x0800',
      'encap(nsh(md_type=1)),decap()',
      'decap(),encap(ethernet)',
      'check_pkt_larger(1000)->NXM_NX_REG0[0]',
      'clone(set_field:1.2.3.4->ip_src,output:9)',
      'ct_clear',
      'learn(table=5,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])',
      'multipath(symmetric_l4,1024,modulo_n,16,0,NXM_NX_REG1[0..3])',
    ];
    for (const kind of kinds) {
      const restore = kind.startsWith('decap') ? `set_field:%->eth_dst,` : '';
      const to = (mac: string): string => restore.replace('%', mac);
      flows(
        host,
        `priority=20,arp,actions=flood
        priority=10,in_port=1,icmp,actions=${kind},${to(rightMac)}output:2
        priority=10,in_port=2,icmp,actions=${kind},${to(leftMac)}output:1`,
        'OpenFlow13',
      );
      await eventually(`ping through ${kind}`, () => pings(left, '10.9.0.2'));
    }
    assert.match(host.ok('ovs-ofctl -O OpenFlow13 dump-flows br0 table=0'), /n_packets=[1-9]/);
  });
}
