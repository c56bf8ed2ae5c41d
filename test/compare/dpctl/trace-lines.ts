// Command lines of `ofproto/trace` and `ofproto/trace-packet-out` in all their forms, and a pipeline for them to go through.
import { exactFlow } from '../compose-lines.ts';
import { actionsText } from '../flow-lines.ts';
import type { Dice } from '../random.ts';
import { spoiltFlow } from './action-texts.ts';
import { flowText, spoil } from './flow-texts.ts';

export const GROUPS: readonly string[] = [
  'group_id=1,type=all,bucket=output:2,bucket=mod_vlan_vid:5,output:3',
  'group_id=2,type=indirect,bucket=dec_ttl,output:2',
  'group_id=3,type=ff,bucket=watch_port:2,output:2,bucket=watch_port:3,output:3',
];

/** Tables that read and change what a flow has: `p1` goes through them, what comes in by another port meets other things. */
export const PIPELINE: readonly string[] = [
  'table=0,priority=90,ct_state=-trk,in_port=1,ip,actions=ct(table=1)',
  'table=0,priority=90,ct_state=-trk,in_port=1,ipv6,actions=ct(table=1,zone=NXM_NX_REG0[0..15])',
  'table=0,priority=80,in_port=1,arp,arp_op=1,actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],load:2->NXM_OF_ARP_OP[],in_port',
  'table=0,priority=80,in_port=1,mpls,actions=pop_mpls:0x0800,resubmit(,2)',
  'table=0,priority=80,in_port=1,vlan_tci=0x1000/0x1000,actions=strip_vlan,resubmit(,2)',
  'table=0,priority=70,in_port=2,tcp,actions=dec_ttl,mod_nw_dst:10.9.9.9,mod_tp_dst:8080,goto_table:2',
  'table=0,priority=70,in_port=2,udp6,actions=set_field:2001::9->ipv6_dst,set_field:53->udp_dst,group:1',
  'table=0,priority=60,in_port=2,icmp,icmp_type=8,actions=clone(dec_ttl,output:3),check_pkt_larger(100)->NXM_NX_REG1[0],resubmit(,3)',
  'table=0,priority=60,in_port=2,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=push_vlan:0x8100,set_field:4101->vlan_vid,flood',
  'table=0,priority=50,in_port=3,actions=learn(table=4,idle_timeout=10,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),group:2',
  'table=0,priority=50,in_port=local,actions=normal',
  'table=0,priority=1,tun_id=5,actions=output:1,group:3',
  'table=1,priority=9,ct_state=+new+trk,tcp,actions=ct(commit,zone=5,nat(src=10.1.1.1-10.1.1.9),exec(set_field:7->ct_mark)),output:2',
  'table=1,priority=9,ct_state=+est+trk,actions=write_actions(output:3,dec_ttl),write_metadata:0x5/0xf,goto_table:2',
  'table=1,priority=8,ct_state=+inv+trk,actions=drop',
  'table=1,priority=7,actions=ct_clear,controller(max_len=64,reason=action),resubmit:2',
  'table=2,priority=9,metadata=0x5/0xf,actions=meter:1,output:2',
  'table=2,priority=8,nw_dst=10.0.0.0/8,ip,actions=multipath(eth_src,50,modulo_n,4,0,NXM_NX_REG2[0..1]),output:NXM_NX_REG2[0..1]',
  'table=2,priority=7,ipv6_src=fe80::/10,ipv6,actions=enqueue:2:7,set_queue:3,output:3,pop_queue',
  'table=2,priority=6,nw_ttl=64,ip,actions=output(port=2,max_len=80)',
  'table=2,priority=0,actions=note:00.11,output:in_port',
  'table=3,priority=9,reg1=1,actions=output:1',
  'table=3,priority=0,actions=bundle(eth_src,0,active_backup,ofport,members:1,3),exit',
];

const STATES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];
const options = (d: Dice): string[] =>
  d
    .some(d.pick([0, 1, 2, 3]), () =>
      d.pick([
        () => ['--names'],
        () => ['-generate'],
        () => ['--generate'],
        () => ['--ct-next', d.some(3, () => d.pick([...STATES, 'trk', 'trk', 'foo', ''])).join(d.pick([',', ' ', '|']))],
        () => ['--ct-next', d.pick(['trk,est', 'trk,new', 'trk,inv', 'trk,rel,est', 'trk,est,rpl', 'trk,new,snat'])],
        () => ['--l7', d.pick(['00', '0011 2233', 'zz', '', '0'])],
        () => ['--l7-len', d.pick(['0', '7', '64000', '64001', '-1', 'x', '0x10', ''])],
        () => [d.pick(['-consistent', '--consistent', '--no-names', '-names', '-', '--', '-l7', '--ct-next'])],
      ])(),
    )
    .flat();

/** A flow in OpenFlow's words that is likely to meet something. */
function likelyFlow(d: Dice): string {
  const inPort = d.pick(['1', '1', '2', '2', '3', 'LOCAL', 'p1', '99', 'nope']);
  const kind = d.pick([
    'tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tcp_src=5,tcp_dst=80',
    'tcp,nw_ttl=1,tcp_flags=syn',
    'udp,nw_ttl=64,nw_dst=224.0.0.1',
    'udp6,ipv6_src=fe80::1,nw_ttl=9,udp_dst=53',
    'tcp6,ipv6_dst=::1',
    'icmp,icmp_type=8,icmp_code=0,nw_ttl=3',
    'icmp6,icmpv6_type=135,icmpv6_code=0,nd_target=::1',
    'arp,arp_op=1,arp_spa=1.2.3.4,arp_tpa=1.2.3.5',
    'mpls,mpls_label=5,mpls_bos=1,mpls_ttl=3',
    'dl_vlan=5,ip,nw_dst=10.1.1.1',
    'dl_vlan=5,dl_vlan_pcp=3,arp',
    'ip,ip_frag=later,nw_proto=6',
    'dl_type=0x1234',
    'sctp,nw_dst=10.0.0.1',
    '',
  ]);
  const more = d.some(2, () =>
    d.pick([
      'dl_src=50:54:00:00:00:09',
      'dl_dst=01:00:5e:00:00:01',
      'dl_dst=ff:ff:ff:ff:ff:ff',
      'ct_state=trk|est',
      'ct_state=new|trk',
      'ct_zone=5',
      'ct_mark=7',
      'reg0=3',
      'reg1=1',
      'metadata=5',
      'pkt_mark=6',
      'tun_id=5',
      'skb_priority=1',
      'recirc_id=0x9001',
      'actset_output=2',
    ]),
  );
  return [`in_port=${inPort}`, ...more, kind].filter((part) => part !== '').join(',');
}

const FRAMES = [
  '50540000000a505400000009080045000028000040004006000001020304050607080050005100000001000000005002000000000000',
  '50540000000a50540000000908004500001c00000000401166cf0a0000010a000002000800090008e2fe',
  'ffffffffffff5054000000090806000108000604000150540000000901020304000000000000 01020305',
  '50540000000a50540000000981002005080045000028000040004006000001020304050607080050005100000001000000005002000000000000',
  '50540000000a50540000000986dd6000000000083aff fe800000000000000000000000000001 ff020000000000000000000000000001 8000000000010001',
  '50540000000a505400000009884700005140',
];
const frame = (d: Dice): string =>
  d.chance(3, 4) ? d.pick(FRAMES) : d.chance(1, 2) ? Buffer.from(d.bytes(14 + d.below(60))).toString('hex') : d.pick(['', '00', 'zz', '0']);

const DATAPATHS = ['ovs-dummy', 'ovs-dummy', 'dummy', 'dummy@ovs-dummy', 'foo', '@', '', 'br0', 'ovs-system', 'system'];

/** Who is asked, and for which flow. */
function subject(d: Dice): string[] {
  // Numbers that no frame waits under.
  const datapathFlow = (): string =>
    d
      .pick([() => flowText(d, 0), () => flowText(d, 0), () => flowText(d), () => spoiltFlow(d, 0)])()
      .replace(/recirc_id\((?:0x)?([17])\)/g, 'recirc_id(0x900$1)');
  const bridgeFlow = (): string =>
    d.pick([() => likelyFlow(d), () => likelyFlow(d), () => likelyFlow(d), () => exactFlow(d), () => spoil(d, likelyFlow(d))])();
  return d.pick([
    () => [datapathFlow()],
    () => [d.pick(DATAPATHS), datapathFlow()],
    () => ['br0', bridgeFlow()],
    () => ['br0', bridgeFlow()],
    () => ['br0', bridgeFlow()],
    () => [d.pick(['br1', '', 'ovs-dummy', 'BR0']), bridgeFlow()],
    () => [bridgeFlow()],
  ])();
}

/** Words in their order, with options anywhere between them. */
function withOptions(d: Dice, words: readonly string[], some: readonly string[]): string[] {
  if (some.length === 0) return [...words];
  const at = d.below(words.length + 1);
  return [...words.slice(0, at), ...some, ...words.slice(at)];
}

/** A command. */
export function traceLine(d: Dice): string[] {
  const words = [...subject(d), ...(d.chance(1, 4) ? [frame(d)] : []), ...(d.chance(1, 40) ? ['foo'] : [])];
  const line = withOptions(d, words, options(d));
  return ['ofproto/trace', ...line];
}

/** The same with actions that come from a controller. */
export function packetOutLine(d: Dice): string[] {
  const actions = d.pick([
    () =>
      d.pick([
        'resubmit(,0)',
        'resubmit(,2)',
        'table',
        'normal',
        'output:2',
        'dec_ttl,2',
        'dec_mpls_ttl,2',
        'group:1,3',
        'group:9',
        'meter:1,2',
      ]),
    () =>
      d.pick([
        '',
        'drop',
        'foo',
        '-generate',
        'goto_table:1',
        '2,write_actions(2)',
        'write_metadata:4,2',
        'apply_actions(2)',
        'output:65280',
      ]),
    () =>
      d.pick(['ct(table=1)', 'ct(commit),2', 'mod_nw_src:1.2.3.4,2', 'set_field:5->tcp_src,2', 'learn(table=4),2', 'conjunction(1,1/2)']),
    () => actionsText(d),
  ])();
  return ['ofproto/trace-packet-out', ...traceLine(d).slice(1), actions];
}
