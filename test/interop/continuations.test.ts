// Frames that wait at a controller (`controller(pause)`) and go on when Debian's ovs-ofctl gives them back: what the continuation says, what
// goes out and what is counted are the reference's. Most cases are made at random from one seed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pair } from './support/pair.ts';
import { cannot, eventually, type Host, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd', 'ovs-ofctl', 'ovs-appctl') || false;

const GROUPS = ['group_id=1,type=all,bucket=actions=output:2,bucket=actions=output:3', 'group_id=2,type=indirect,bucket=actions=output:3'];

/** Cases that once differed. */
const KNOWN: readonly (readonly string[])[] = [
  ['table=0,actions=controller(pause),mod_vlan_vid:6,output:2,output:3'],
  ['table=0,cookie=1,actions=resubmit(,1),resubmit(,1),output:3', 'table=1,cookie=5,actions=controller(pause),output:2'],
  [
    'table=0,actions=resubmit(,1),output:3',
    'table=1,cookie=1,actions=controller(pause),output:3,resubmit(,2)',
    'table=2,cookie=2,actions=resubmit(,3),output:2,load:7->OXM_OF_METADATA[]',
    'table=3,cookie=7,actions=controller(pause),load:1->NXM_NX_REG0[],output:2',
  ],
  ['table=0,ip,cookie=1,actions=ct(table=2)', 'table=2,ip,cookie=9,actions=controller(pause),output:2'],
  ['table=0,ip,cookie=1,actions=ct(commit),controller(pause),output:2'],
  ['table=0,ip,cookie=1,actions=ct(commit),controller(userdata=01)'],
  ['table=0,cookie=1,actions=clone(controller(pause),output:2),output:3'],
  ['table=0,actions=clone(output:2,exit),output:3'],
  ['table=0,actions=write_actions(output:3),goto_table:1', 'table=1,actions=output:2,exit'],
  ['table=0,actions=write_actions(group:1),goto_table:1', 'table=1,cookie=8,actions=controller(pause),output:2'],
];

/** Numbers below `n`, the same ones for the same seed. */
function numbers(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x100000000) * n);
  };
}

function randomFlows(below: (n: number) => number): string[] {
  const list = (table: number, depth: number): string[] => Array.from({ length: 1 + below(4) }, () => one(table, depth));
  const one = (table: number, depth: number): string => {
    switch (below(9)) {
      case 0:
        return `load:${below(9)}->NXM_NX_REG${below(4)}[]`;
      case 1:
        return `load:${below(9)}->OXM_OF_METADATA[]`;
      case 2:
        return `push:NXM_NX_REG${below(4)}[]`;
      case 3:
      case 4:
        return 'controller(pause)';
      case 5:
        return table < 4 ? `resubmit(,${table + 1 + below(2)})` : 'mod_vlan_vid:5';
      case 6:
        return depth < 2 ? `clone(${list(table, depth + 1).join()})` : 'controller(userdata=07)';
      case 7:
        return `group:${1 + below(2)}`;
      default:
        return `output:${2 + below(2)}`;
    }
  };
  return Array.from({ length: 6 }, (_, table) => {
    const actions = list(table, 0);
    if (table < 5 && below(3) === 0) actions.push(`goto_table:${table + 1}`);
    return `table=${table},cookie=${[0, table, 7][below(3)]},actions=${actions.join()}`;
  });
}

const FRAME =
  'in_port(1),eth(src=50:54:00:00:00:05,dst=50:54:00:00:00:07),eth_type(0x0800),ipv4(src=1.2.3.4,dst=5.6.7.8,proto=17,tos=0,ttl=64,frag=no),udp(src=80,dst=90)';

const MESSAGES = /^(?!udp|send:)/;
const CHANGING = /\(xid=[^)]*\)|(?<=bridge=)[0-9a-f-]+|duration=[^,]*, |idle_age=[^,]*, /g;

/** Sends one frame through flows; what the controller was told, and what flows and ports counted when all has come to rest. */
async function outcome(host: Host, flows: readonly string[], number: number): Promise<string[]> {
  const run = (line: string, input = ''): string => host.ok(line, { tools: 'debian', input });
  const told = `${host.dir}/told.${number}`;
  run('ovs-ofctl del-flows br0');
  run('ovs-ofctl -O OpenFlow13 add-flows br0 -', `${flows.join('\n')}\n`);
  run(`ovs-appctl -t ${host.dir}/monitor.ctl ofctl/set-output-file ${told}`);
  run('ovs-appctl revalidator/purge');
  const ports = 'ovs-ofctl dump-ports br0 | grep -oE "port.*:|tx pkts=[0-9]*"';
  const before = run(ports);
  run(`ovs-appctl netdev-dummy/receive p1 '${FRAME}'`);
  const state = (): string => {
    run('ovs-appctl revalidator/wait');
    const messages = readFileSync(told, 'utf8').split('\n');
    const counted = [run('ovs-ofctl dump-flows br0'), before, run(ports)];
    return [...messages.filter((line) => MESSAGES.test(line)), ...counted].join('\n').replace(CHANGING, '');
  };
  let last = state();
  let quiet = 0;
  await eventually('the frame and what came of it are through', () => {
    const now = state();
    quiet = now === last ? quiet + 1 : 0;
    last = now;
    return quiet === 2;
  });
  return last.split('\n');
}

test('paused frames go on as in the reference', { skip, timeout: 300_000 }, async (t) => {
  const hosts = await pair(world(t), ['--enable-dummy=override']);
  const protocols = 'OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15';
  const port = (n: number): string => `-- add-port br0 p${n} -- set interface p${n} type=dummy ofport_request=${n}`;
  for (const host of hosts) {
    const ok = (line: string, input = ''): string => host.ok(line, { tools: 'debian', input, timeout: 20_000 });
    ok(
      `ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=dummy fail-mode=secure protocols=${protocols} ${[1, 2, 3].map(port).join(' ')}`,
    );
    for (const n of [1, 2, 3]) ok(`ovs-appctl netdev-dummy/set-admin-state p${n} up`);
    ok('ovs-ofctl -O OpenFlow13 add-groups br0 -', `${GROUPS.join('\n')}\n`);
    host.start(['ovs-ofctl', '-P', 'nxt_packet_in2', `--unixctl=${host.dir}/monitor.ctl`, 'monitor', 'br0', 'resume'], { tools: 'debian' });
    await eventually(
      'the monitor listens',
      () => host.run(`ovs-appctl -t ${host.dir}/monitor.ctl ofctl/barrier`, { tools: 'debian' }).code === 0,
    );
  }
  const below = numbers(20261129);
  for (const [i, flows] of [...KNOWN, ...Array.from({ length: 20 }, () => randomFlows(below))].entries()) {
    const [reference, ours] = await Promise.all(hosts.map((host) => outcome(host, flows, i)));
    assert.deepEqual({ flows, seen: ours }, { flows, seen: reference });
  }
});
