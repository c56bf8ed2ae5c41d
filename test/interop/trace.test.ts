// `ofproto/trace` of random tables and packets: ours against Debian's ovs-vswitchd over its dummy datapath, byte for byte but for the
// numbers of datapath ports. WEFT_TRACE_TABLES makes it longer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFlow } from '../../src/openflow/text/flow-text.ts';
import { Simulation } from '../../src/switch/simulation-fixture.ts';
import { cannotRunReference, Reference } from './support/reference-dummy.ts';

const skip = cannotRunReference;
const TABLES = Number(process.env['WEFT_TRACE_TABLES'] ?? 20);
const FLOWS = 12;
const PACKETS = 8;

/** A small generator that can be started again from its seed. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x100000000) * below);
  };
}

type Pick = (below: number) => number;
const of = <T>(pick: Pick, items: readonly T[]): T => items[pick(items.length)]!;

const MACS = ['50:54:00:00:00:01', '50:54:00:00:00:02', 'ff:ff:ff:ff:ff:ff', '01:80:c2:00:00:02'];
const IPS = ['10.0.0.1', '10.0.0.2', '10.1.2.3', '192.168.0.1'];
const PORTS = [80, 81, 25, 1024, 53];

function match(pick: Pick): string {
  const out: string[] = [];
  const kind = pick(7);
  if (kind === 0) out.push('arp', ...(pick(2) ? [`arp_op=${1 + pick(2)}`] : []), ...(pick(2) ? [`arp_tpa=${of(pick, IPS)}`] : []));
  else if (kind === 1) out.push('ipv6', ...(pick(2) ? ['ipv6_src=fe80::/10'] : []));
  else if (kind >= 5) out.push(...(pick(2) ? ['dl_type=0x88b5'] : []));
  else {
    const proto = of(pick, ['ip', 'tcp', 'udp', 'icmp']);
    out.push(proto);
    if (pick(2)) out.push(`nw_src=${of(pick, IPS)}${of(pick, ['', '/8', '/24'])}`);
    if (pick(2)) out.push(`nw_dst=${of(pick, IPS)}${of(pick, ['', '/8', '/24', '/30'])}`);
    if ((proto === 'tcp' || proto === 'udp') && pick(2)) out.push(`tp_dst=${of(pick, PORTS)}`);
    if ((proto === 'tcp' || proto === 'udp') && !pick(3)) out.push(`tp_src=${of(pick, PORTS)}`);
  }
  if (!pick(3)) out.push(`in_port=${1 + pick(3)}`);
  if (!pick(4)) out.push(`dl_dst=${of(pick, MACS)}`);
  if (!pick(5)) out.push(of(pick, ['dl_vlan=5', 'dl_vlan=10', 'vlan_tci=0x1000/0x1000']));
  if (!pick(6)) out.push(of(pick, ['reg0=5', 'metadata=3']));
  return out.join(',');
}

function action(pick: Pick, table: number, isIpv4: boolean): string {
  const choices = [
    'output:1',
    'output:2',
    'output:3',
    'output:2',
    'in_port',
    'normal',
    'flood',
    'all',
    'local',
    'output:9',
    'set_field:50:54:00:00:00:02->eth_dst',
    'set_field:50:54:00:00:00:01->eth_src',
    'set_field:5->reg0',
    'load:3->NXM_NX_REG1[0..3]',
    'move:NXM_NX_REG0[]->NXM_NX_REG2[]',
    'push:NXM_OF_ETH_SRC[],pop:NXM_OF_ETH_DST[]',
    `resubmit(,${table})`,
    `resubmit(,${Math.min(3, table + 1)})`,
    `resubmit(2,${Math.min(3, table + 1)})`,
    'pop_vlan',
    'note:01.02',
    ...(isIpv4 ? ['dec_ttl', 'set_field:1.2.3.4->ip_dst', 'set_field:10.0.0.2->ip_src', 'mod_nw_tos:32'] : []),
  ];
  return of(pick, choices);
}

function flow(pick: Pick, priority: number): string {
  const table = pick(3);
  const matched = match(pick);
  const isIpv4 = /(^|,)(ip|tcp|udp|icmp)(,|$)/.test(matched);
  const actions = Array.from({ length: pick(5) }, () => action(pick, table, isIpv4));
  if (!matched.includes('vlan') || !/vlan=|0x1000/.test(matched))
    actions.splice(0, actions.length, ...actions.filter((a) => a !== 'pop_vlan'));
  if (!pick(4)) actions.push(of(pick, ['write_actions(output:3)', 'write_actions(set_field:50:54:00:00:00:09->eth_dst,output:2)']));
  if (!pick(4)) actions.push('write_metadata:0x3/0xf');
  if (!pick(3)) actions.push(`goto_table:${table + 1}`);
  return `table=${table},priority=${priority}${matched === '' ? '' : `,${matched}`},actions=${actions.length === 0 ? 'drop' : actions.join(',')}`;
}

function packet(pick: Pick): string {
  const out = [`in_port=${1 + pick(3)}`, `dl_src=${of(pick, MACS.slice(0, 2))}`, `dl_dst=${of(pick, MACS)}`];
  if (!pick(3)) out.push(`dl_vlan=${of(pick, [5, 10])}`, ...(pick(2) ? ['dl_vlan_pcp=3'] : []));
  switch (pick(5)) {
    case 0:
      out.push('arp', `arp_spa=${of(pick, IPS)}`, `arp_tpa=${of(pick, IPS)}`, `arp_op=${1 + pick(2)}`);
      break;
    case 1:
      out.push('ipv6', 'ipv6_src=fe80::1', 'ipv6_dst=fe80::2');
      break;
    case 2:
      out.push('dl_type=0x88b5');
      break;
    default: {
      const proto = of(pick, ['tcp', 'udp', 'icmp']);
      out.push(proto, `nw_src=${of(pick, IPS)}`, `nw_dst=${of(pick, IPS)}`, `nw_ttl=${of(pick, [1, 2, 64])}`);
      if (proto !== 'icmp') out.push(`${proto}_src=${of(pick, PORTS)}`, `${proto}_dst=${of(pick, PORTS)}`);
    }
  }
  return out.join(',');
}

/** Datapath port numbers of one side as names; a flood's order is nobody's promise. */
function named(text: string, names: ReadonlyMap<string, string>): string {
  return text.replace(/^Datapath actions: (.*)$/m, (_, list: string) => {
    const parts = list.match(/[^,(]+(\((?:[^()]|\([^()]*\))*\))?/g) ?? [];
    const out: string[] = [];
    let run: string[] = [];
    for (const part of [...parts, '']) {
      if (/^\d+$/.test(part)) run.push(names.get(part) ?? part);
      else {
        out.push(...run.sort());
        run = [];
        if (part !== '') out.push(part);
      }
    }
    return `Datapath actions: ${out.join(',')}`;
  });
}

test('random tables and packets trace alike', { skip, timeout: 300_000 }, async (t) => {
  const reference = new Reference();
  t.after(() => reference.stop());
  reference.start();
  const theirs = new Map([...reference.appctl('dpif/show').matchAll(/^ {4}(\S+) \d+\/(\d+):/gm)].map((m) => [m[2]!, m[1]!]));
  const differing: string[] = [];
  const maskOnly: string[] = [];
  let count = 0;
  for (let seed = 1; seed <= TABLES; seed++) {
    const pick = generator(seed * 7919);
    const s = new Simulation();
    const bridge = s.host.bridgeAdd('br0', 'dummy');
    bridge.configure({ ...bridge.core.settings, failMode: 'secure' });
    await s.port(bridge, 'br0', { kind: 'internal', mac: undefined, mtu: undefined }, {}, 65534);
    for (const name of ['p1', 'p2']) await s.port(bridge, name);
    await s.port(bridge, 'p3', { kind: 'dummy' }, { vlan: 10 });
    const ours = new Map([...bridge.core.ports.values()].map((port) => [String(port.dpPort), port.name]));
    const flows = Array.from({ length: FLOWS }, (_, i) => flow(pick, 1000 + i));
    reference.run('/usr/bin/ovs-ofctl', ['del-flows', 'br0']);
    const taken: string[] = [];
    for (const one of flows) {
      // What the reference's client refuses is not a flow.
      try {
        reference.run('/usr/bin/ovs-ofctl', ['-OOpenFlow14', '--no-names', 'add-flow', 'br0', one]);
        taken.push(one);
      } catch {
        continue;
      }
      bridge.core.flowMod(parseFlow(one, 'add'));
    }
    for (let i = 0; i < PACKETS; i++) {
      const text = packet(pick);
      const want = named(reference.appctl('ofproto/trace', 'br0', text).trimEnd(), theirs);
      const got = named(bridge.trace(text, undefined), ours);
      count++;
      // How an action is written depends on what carried it here: only results are compared.
      const essence = (all: string): string =>
        all
          .split('\n')
          .filter((line) => /^(Flow|Final flow|Megaflow|Datapath actions|Translation)/.test(line))
          .join('\n');
      if (essence(got) === essence(want)) continue;
      const report = `seed ${seed}\n${taken.join('\n')}\n${text}\n--- theirs\n${want}\n--- ours\n${got}\n`;
      // Both masks are right when one reads a prefix that the other did not need; what a frame undergoes must be equal.
      const forwarding = (all: string): string => essence(all).replace(/^Megaflow.*$/m, '');
      if (forwarding(got) === forwarding(want)) maskOnly.push(report);
      else differing.push(report);
    }
    await s.host.close();
  }
  t.diagnostic(`${count} traces, ${differing.length} differ, ${maskOnly.length} in the mask alone`);
  assert.equal(differing.length, 0, `${differing.length} of ${count} differ\n${differing.slice(0, 3).join('\n')}`);
  assert.ok(maskOnly.length * 20 <= count, `${maskOnly.length} of ${count} masks differ\n${maskOnly.slice(0, 3).join('\n')}`);
});
