// `ofproto/trace` of random tables and packets: ours against Debian's ovs-vswitchd over its dummy datapath, byte for byte but for the
// numbers of datapath ports. WEFT_TRACE_TABLES makes it longer.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { takeDebugActions } from '../../src/openflow/codec/actions/action-codec.ts';
import { decodeMessage, encodeMessage } from '../../src/openflow/codec/codec.ts';
import type { FlowMod } from '../../src/openflow/message.ts';
import { parseFlow } from '../../src/openflow/text/flow-text.ts';
import { Simulation } from '../../src/switch/simulation-fixture.ts';
import { cannotRunReference } from './support/dummy-daemons.ts';
import { Reference } from './support/reference-dummy.ts';

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
  if (!pick(6)) out.push(of(pick, ['reg0=5', 'metadata=3', 'conj_id=7', 'conj_id=7', 'reg0=1', 'pkt_mark=0x99']));
  if (!pick(8) && (kind === 2 || kind === 3 || kind === 4))
    out.push(of(pick, ['ct_state=+trk', 'ct_state=+trk+new,ct_zone=3', 'ct_state=-trk', 'ct_mark=0x5', 'ct_label=0xff/0xff']));
  return out.join(',');
}

const CT = [
  'ct(table=1)',
  'ct(commit,zone=3,table=2)',
  'ct(commit,zone=NXM_NX_REG0[0..15],exec(set_field:0x5->ct_mark,set_field:0xff/0xff->ct_label))',
  'ct(commit,nat(src=10.0.0.7),table=2)',
  'ct(nat,zone=2,table=3)',
  'ct(commit,nat(dst=10.0.0.8:99),exec(move:NXM_NX_REG0[]->NXM_NX_CT_MARK[]),table=3)',
  'ct(commit,force,zone=9)',
  'ct(commit,nat(src=10.0.0.7-10.0.0.9:100-200,random,persistent))',
];

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
    'multipath(symmetric_l4,1024,modulo_n,16,0,NXM_NX_REG0[0..3])',
    'multipath(eth_src,7,hrw,5,0,NXM_NX_REG1[0..3])',
    'multipath(nw_src,7,hash_threshold,3,0,NXM_NX_REG1[0..3])',
    'multipath(nw_src,9,iter_hash,5,8,NXM_NX_REG1[0..3])',
    'bundle(eth_src,0,active_backup,ofport,members:9,2)',
    'bundle(nw_dst,50,hrw,ofport,members:1,2,3)',
    'bundle_load(symmetric_l4,50,hrw,ofport,NXM_NX_REG1[0..15],members:1,2,9)',
    'learn(table=3,priority=5,hard_timeout=10,eth_src=50:54:00:00:00:01,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:NXM_OF_IN_PORT[]->NXM_NX_REG1[0..15],output:NXM_OF_IN_PORT[])',
    'learn(table=3,limit=1,result_dst=NXM_NX_REG0[0],NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0x7->NXM_NX_REG1[0..15])',
    'output(port=2,max_len=100)',
    'output(port=in_port,max_len=64)',
    'output:NXM_NX_REG0[]',
    'controller(max_len=99,id=3,userdata=01.02)',
    'clone(set_field:50:54:00:00:00:03->eth_dst,output:2)',
    'clone(output(port=2,max_len=64)),output:3',
    'check_pkt_larger(100)->NXM_NX_REG0[0]',
    'load:2->NXM_NX_REG0[],push:NXM_NX_REG0[2..10],pop:NXM_NX_REG1[1..9]',
    'push_vlan:0x8100,set_field:4102->vlan_vid',
    'push_mpls:0x8847,set_field:99->mpls_label',
    'push_mpls:0x8847,push_mpls:0x8848,dec_mpls_ttl',
    'encap(nsh(md_type=1)),set_field:0x1234->nsh_spi,set_field:0x11->nsh_c1,encap(ethernet),set_field:50:54:00:00:00:04->eth_dst',
    'encap(nsh(md_type=2,tlv(0x1000,10,0x12345678))),dec_nsh_ttl,encap(ethernet)',
    'encap(mpls),set_field:77->mpls_label,encap(ethernet)',
    'decap(),encap(ethernet)',
    'ct_clear',
    'debug_recirc',
    'conjunction(7,1/2)',
    'conjunction(7,2/2)',
    'exit',
    'sample(probability=1000,collector_set_id=1,obs_domain_id=2,obs_point_id=3)',
    'fin_timeout(idle_timeout=3)',
    'set_queue:3',
    'pop_queue',
    'enqueue:2:5',
    'set_tunnel:0x5',
    'set_field:0x99->pkt_mark',
    'set_field:0x1/0xf->tun_id',
    ...(isIpv4 ? CT : []),
    ...(isIpv4
      ? [
          'dec_ttl(1,2)',
          'mod_nw_ecn:1',
          'mod_nw_ttl:9',
          'set_field:10.9.0.0/255.255.0.0->ip_dst',
          'move:NXM_OF_IP_SRC[0..7]->NXM_NX_REG0[]',
        ]
      : []),
    ...(isIpv4 ? ['dec_ttl', 'set_field:1.2.3.4->ip_dst', 'set_field:10.0.0.2->ip_src', 'mod_nw_tos:32'] : []),
  ];
  return of(pick, choices);
}

function flow(pick: Pick, priority: number): string {
  const table = pick(3);
  const matched = match(pick);
  const isIpv4 = /(^|,)(ip|tcp|udp|icmp)(,|$)/.test(matched);
  const actions = Array.from({ length: pick(5) }, () => action(pick, table, isIpv4));
  // Only notes may stand beside it.
  if (actions.some((one) => one.startsWith('conjunction')))
    return `table=${table},priority=${priority}${matched === '' ? '' : `,${matched}`},actions=conjunction(7,${1 + pick(2)}/2)`;
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

/**
 * Datapath port numbers of one side as names. A flood's order is nobody's promise: outputs in a row are sorted, each with the tags that the
 * frame has there.
 */
function named(text: string, names: ReadonlyMap<string, string>): string {
  const vlan = /^Flow: .*dl_vlan=(\d+),dl_vlan_pcp=(\d+)/m.exec(text);
  const first = vlan === null ? [] : [`vid=${vlan[1]},pcp=${vlan[2]}`];
  return text.replace(/^Datapath actions: (.*)$/gm, (_, list: string) => {
    const parts = list.match(/[^,(]+(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))?/g) ?? [];
    const out: string[] = [];
    let run: string[] = [];
    const tags = [...first];
    for (const part of [...parts, '']) {
      const pushed = /^push_vlan\((.*)\)$/.exec(part);
      if (/^\d+$/.test(part)) run.push(`${names.get(part) ?? part}@${tags.join('/')}`);
      else if (pushed !== null) tags.unshift(pushed[1]!);
      else if (part === 'pop_vlan') tags.shift();
      else {
        out.push(...run.sort());
        run = [];
        if (part !== '')
          out.push(
            part.replace(/\b\d+(?=[,)]|$)/g, (number) => (/^(clone|check_pkt_len)/.test(part) ? (names.get(number) ?? number) : number)),
          );
      }
    }
    return `Datapath actions: ${out.join(',')}`;
  });
}

/** Numbers that each side gives out itself, by their first appearance. */
function sameIds(text: string): string {
  const ids = new Map<string, string>();
  const nameOf = (id: string): string => {
    const known = ids.get(id) ?? `#${ids.size + 1}`;
    ids.set(id, known);
    return known;
  };
  return text
    .replace(/(recirc\(|recirc_id=)(0x[0-9a-f]+)/g, (_, before: string, id: string) => before + nameOf(id))
    .replace(/(continuation=\d,recirc_id)=\d+/g, '$1=ID');
}

/** A flow as it comes out of OpenFlow 1.4, which says some actions in another way. */
takeDebugActions();

function asSent(flow: FlowMod): FlowMod {
  const { message } = decodeMessage(encodeMessage(5, 1, flow));
  assert.equal(message.kind, 'flowMod');
  return message as FlowMod;
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
      bridge.core.flowMod(asSent(parseFlow(one, 'add')));
    }
    for (let i = 0; i < PACKETS; i++) {
      const text = packet(pick);
      const want = named(reference.appctl('ofproto/trace', 'br0', text).trimEnd(), theirs);
      const got = named(bridge.trace(text, undefined), ours);
      count++;
      if (sameIds(got) === sameIds(want)) continue;
      const report = `seed ${seed}\n${taken.join('\n')}\n${text}\n--- theirs\n${want}\n--- ours\n${got}\n`;
      // Both masks are right when one reads a prefix that the other did not need; what a frame undergoes must be equal.
      const forwarding = (all: string): string => sameIds(all).replace(/^Megaflow.*$/gm, '');
      if (forwarding(got) === forwarding(want)) maskOnly.push(report);
      else differing.push(report);
    }
    await s.host.close();
  }
  const show = process.env['WEFT_TRACE_SHOW'];
  if (show !== undefined) writeFileSync(show, [...differing, ...maskOnly].join('\n=====\n'));
  t.diagnostic(`${count} traces, ${differing.length} differ, ${maskOnly.length} in the mask alone`);
  assert.equal(differing.length, 0, `${differing.length} of ${count} differ\n${differing.slice(0, 3).join('\n')}`);
  assert.ok(maskOnly.length * 20 <= count, `${maskOnly.length} of ${count} masks differ\n${maskOnly.slice(0, 3).join('\n')}`);
});
