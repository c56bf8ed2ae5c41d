// ovs-ofctl monitor and its control commands, four ways: Debian's and ours, each on Debian's ovs-vswitchd and on ours. Flow monitors of
// every version hear the same changes in the same words; what a client prints is compared byte for byte but for addresses and ids.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { cannot, eventually, type Host, type Tools, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd', 'ovs-ofctl', 'ovs-appctl') || false;

const masked = (text: string): string => text.replace(/([0-9a-f]{2}:){5}[0-9a-f]{2}/g, 'MAC').replace(/dpid:[0-9a-f]{16}/g, 'dpid:ID');

/** A flow mod of the monitor's own: OpenFlow 1.0, in_port=9, drop. */
const OWN = `010e004800000077${'003820fe0009'.padEnd(80, '0')}${'0'.repeat(28)}8000ffffffffffff0000`;

/** A controller's frame, by the name of its port. */
const PACKET_OUT = 'in_port=p1 packet=000000000001000000000002080000000000 actions=controller,p2';
/** A request for statistics of port 1, and an echo, of OpenFlow 1.0. */
const ASKED = ['011000140000000100040000000100000000 0000', '0102000a00000002abcd'];

/** Version, arguments of monitor, and whether the monitor's own changes are tried too. */
const WATCHES: readonly (readonly [version: string, args: readonly string[], own?: string])[] = [
  ['OpenFlow10', ['watch:'], OWN],
  ['OpenFlow10', ['watch:!own,!initial'], OWN],
  ['OpenFlow13', ['watch:!actions,table=3']],
  ['OpenFlow14', ['watch:out_port=3']],
  ['OpenFlow14', ['--names', 'watch:']],
  ['OpenFlow10', ['--no-names', '-m', 'watch:']],
  ['OpenFlow15', ['watch:!delete,in_port=2']],
];

/** Changes that a monitor is to hear of, made by another client. */
function change(host: Host): void {
  const ofctl = (line: string, input = ''): void => void host.ok(`ovs-ofctl ${line}`, { tools: 'debian', input });
  ofctl('add-flow br0 in_port=2,actions=3');
  ofctl('add-flow br0 in_port=2,actions=1');
  ofctl('mod-flows br0 in_port=2,actions=drop');
  ofctl(
    '--bundle add-flows br0 -',
    'in_port=4,actions=p3\ntable=3,priority=5,actions=3\ndelete in_port=4\nin_port=5,hard_timeout=60,actions=2\n',
  );
  ofctl('del-flows br0 in_port=2');
  ofctl('del-flows br0');
}

async function watched(host: Host, tools: Tools, [version, args, own]: (typeof WATCHES)[number]): Promise<string> {
  const ofctl = (line: string): string => host.ok(`ovs-ofctl ${line}`, { tools: 'debian' });
  ofctl('del-flows br0');
  ofctl('add-flow br0 in_port=1,cookie=5,idle_timeout=99,actions=2');
  ofctl('add-flow br0 table=3,priority=9,tcp,actions=p3');
  const socket = `${host.dir}/monitor.ctl`;
  const file = `${host.dir}/monitor.out`;
  rmSync(file, { force: true });
  const program = host.start(['ovs-ofctl', '--unixctl', socket, '-O', version, 'monitor', 'br0', ...args], { tools });
  await eventually('the monitor listens', () => existsSync(socket));
  const control = (...words: string[]): string => {
    const { code, stdout, stderr } = host.run(['ovs-appctl', '-t', socket, ...words], { tools: 'debian' });
    return `${words[0]} [${code}] ${stdout}${stderr.replace(/ovs-appctl: .*\n/, '')}`;
  };
  let said = control('ofctl/barrier');
  said += control('ofctl/set-output-file', file);
  change(host);
  if (own !== undefined) said += control('ofctl/send', own);
  said += control('ofctl/barrier');
  said += control('ofctl/packet-out', PACKET_OUT);
  said += control('ofctl/packet-out', PACKET_OUT.replace('p1', 'nobody')) + control('ofctl/packet-out', 'in_port=1 actions=2');
  said += control('ofctl/barrier');
  if (version === 'OpenFlow10') said += control('ofctl/send', ...ASKED) + control('ofctl/barrier');
  said += control('ofctl/send', 'zz') + control('ofctl/send', '0105') + control('ofctl/send', '0105000900000007');
  said += control('ofctl/block') + control('ofctl/block');
  ofctl('add-flow br0 in_port=3,actions=3');
  said += control('ofctl/unblock') + control('ofctl/unblock');
  said += control('ofctl/barrier');
  said += control('ofctl/set-output-file', '/nonexistent/file');
  said += control('nope') + control('exit');
  const code = await program.ended;
  return masked(`${program.output()}== file\n${readFileSync(file, 'utf8')}== control\n${said}exit ${code}\n`.replaceAll(host.dir, 'DIR'));
}

test('flow monitors and control commands, four ways', { skip, timeout: 300_000 }, async (t) => {
  const w = world(t);
  const hosts = { debian: w.host('debian'), weft: w.host('weft') };
  const names = ['debian', 'weft'] as const;
  for (const name of names) {
    await hosts[name].startOvsdb(name);
    await hosts[name].startVswitchd(name, ['--enable-dummy']);
    const port = (n: number): string => `-- add-port br0 p${n} -- set interface p${n} type=dummy ofport_request=${n}`;
    const protocols = 'OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15';
    hosts[name].ok(
      `ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=dummy fail-mode=secure protocols=${protocols} ${[1, 2, 3].map(port).join(' ')}`,
      { tools: 'debian' },
    );
  }
  for (const watch of WATCHES) {
    const reference = await watched(hosts.debian, 'debian', watch);
    assert.match(reference, /event=ADDED/);
    for (const server of names) {
      for (const client of names) {
        if (server === 'debian' && client === 'debian') continue;
        const got = await watched(hosts[server], client, watch);
        assert.equal(got, reference, `${watch[0]} ${watch[1].join(' ')}: ${client}'s ovs-ofctl on ${server}'s switch`);
      }
    }
  }
});
