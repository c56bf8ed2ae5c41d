// Flow text in which something is odd: what the reference makes of it, once it has been sent and read again, or what it says against it
// (behind an exclamation mark).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../base/errors.ts';
import { encodeMessage } from '../codec/codec.ts';
import { checkFlow } from '../protocols.ts';
import { parseFlow } from './flow-text.ts';
import { printBytes } from './message-print.ts';

const ROWS: readonly (readonly [string, string])[] = [
  ['actions=set_field:-oam->tun_flags', 'actions=load:0->NXM_NX_TUN_FLAGS[]'],
  ['actions=learn(table=1,tun_flags=1)', 'actions=learn(table=1,tun_flags=oam)'],
  ['actions=learn(table=1,packet_type=(0,0))', 'actions=learn(table=1,packet_type=eth)'],
  ['actions=learn(table=1,packet_type=(1,0x800))', 'actions=learn(table=1,packet_type=packet_type=(1,0x800))'],
  ['actions=encap(nsh(md_type))', '! Value missing for encap property'],
  ['actions=encap(foo(md_type))', '! Encap hdr not supported: md_type'],
  ['actions=encap((nsh))', '! Encap hdr not supported: nsh'],
  ['actions=multipath(nw_src,1,hrw,-0,0,reg0[0..15])', '! nw_src,1,hrw,-0,0,reg0[0..15]: n_links 0 is not in valid range 1 to 65536'],
  ['actions=multipath(nw_src,1,hrw,1x,0x,reg0[0..15])', 'actions=multipath(nw_src,1,hrw,1,0,NXM_NX_REG0[0..15])'],
  ['actions=multipath(nw_src,1,hrw,1,0,)', '! nw_src,1,hrw,1,0,: not enough arguments to multipath action'],
  ['actions=multipath(nw_src,1,,hrw,1,0,reg0[0..15])', 'actions=multipath(nw_src,1,hrw,1,0,NXM_NX_REG0[0..15])'],
  ['actions=multipath(nw_src,70000,hrw,1,-1,reg0[0..15])', 'actions=multipath(nw_src,4464,hrw,1,4294967295,NXM_NX_REG0[0..15])'],
  ['actions=multipath(nw_src,1,iter_ha]h,1,0,reg0[0..15])', "! nw_src,1,iter_ha]h,1,0,reg0[0..15]: unknown algorithm `iter_ha]h'"],
  ['actions=check_pkt_larger(65)', "! 65: missing `->'"],
  ['actions=check_pkt_larger(65)->', "! 65)->: missing field name following `->'"],
  ['actions=output:NXM_NX_CT_STATE[26.', '! NXM_NX_CT_STATE[26.: output to unknown port'],
  ['actions=output:NXM_NX_CT_STATE[0..311]', '! NXM_NX_CT_STATE[0..311]: output to unknown port'],
  ['actions=conjunction([,1/47)', '! "conjunction" syntax is "conjunction(id,i/n)"'],
  ['actions=conjunction(1,2/552)', 'actions=conjunction(1,2/40)'],
  ['actions=conjunction(1,-1/2)', '! clause index must be less than or equal to number of clauses'],
  ['actions=conjunction(1,0x1/2)', '! "conjunction" syntax is "conjunction(id,i/n)"'],
  ['actions=conjunction(1 , 1 / 2 )', 'actions=conjunction(1,1/2)'],
  ['actions=conjunction(99999999999,1/2)', 'actions=conjunction(1215752191,1/2)'],
  ['actions=learn(table=1,fin_idle_timeout=65x)', 'actions=learn(table=1,fin_idle_timeout=65)'],
  ['actions=learn(table=1,idle_timeout=70000)', 'actions=learn(table=1,idle_timeout=4464)'],
  ['actions=learn(table=1,priority=x)', 'actions=learn(table=1,priority=0)'],
  ['actions=learn(table=1,limit=1x)', 'actions=learn(table=1,limit=1)'],
  ['actions=learn(table=1,load:reg12[17..24]x->reg0[0..7])', "! reg12[17..24]x->reg0[0..7]: missing `->' following source"],
  ['actions=learn(table=1,load:5x->NXM_NX_REG0[10..17])', "! load: garbage before `->' in `5x->NXM_NX_REG0[10..17]'"],
  ['actions=learn(table=1,load:->NXM_NX_REG0[10..17])', "! load: missing source before `->' in `->NXM_NX_REG0[10..17]'"],
  ['actions=learn(table=1,load:reg0[0..3]->reg1[])', '! reg0[0..3]->reg1[]: source field is 4 bits wide but destination is 32 bits wide'],
  [
    'actions=learn(table=1,ct_state=32)',
    'actions=learn(table=1,ct_state=-new-est-rel-rpl-inv+trk-snat-dnat-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown]-[Unknown])',
  ],
  ['actions=load:reg12[17..24]->reg0[0..7]', '! reg12[17..24]->reg0[0..7]: cannot parse integer value'],
  ['actions=load:5x->reg0[0..7]', 'actions=load:0x5->NXM_NX_REG0[0..7]'],
  ['actions=load:0x9fffc->NXM_OF_UDP_SRC[]', '! 0x9fffc->NXM_OF_UDP_SRC[]: cannot parse integer value'],
  ['actions=controller(pause,meter_id=0)', 'actions=controller(pause)'],
  ['actions=controller(meter_id=4294967295)', 'actions=controller(meter_id=4294967295)'],
  ['packet_type=(9,0x5),actions=drop', 'packet_type=(9,5) actions=drop'],
  ['packet_type=(10,10),actions=drop', 'packet_type=(0xa,0xa) actions=drop'],
  ['packet_type=(1,0x88447),actions=drop', '! 0x88447): bad syntax for packet type ns_type'],
  ['packet_type=(x,1),actions=drop', '! x,1): bad syntax for packet type ns'],
  ['tun_erspan_idx=7/7,tun_erspan_ver=1,actions=drop', 'tun_erspan_ver=1,tun_erspan_idx=0x7 actions=drop'],
  ['ct_state=0x884/143,actions=drop', '! 0x884/143: unknown ct_state flag(s)'],
  ['xreg7=0/8/0x400,actions=drop', '! 0/8/0x400: bad syntax for xreg7 mask'],
  [
    'xxreg0=3402823669209384634633746074:1768211455,actions=drop',
    '! 3402823669209384634633746074:1768211455: value too large for 16-byte field xxreg0',
  ],
  ['udp6(udp_dst=0xfffe),reg7=5,actions=drop', 'udp6,reg7=0x5 actions=drop'],
  ['cookie=0xd/966x,actions=drop', '! flow additions cannot use a cookie mask'],
  ['ct_state=+trk-inv,actions=load:0x1->ct_mark[]', '! cannot set CT fields outside of ct action'],
  ['ip actions=ct(commit,nat(src=::47492-65000))', '! garbage (-65000) after nat range "::47492-65000" (pos: 7)'],
  ['ip actions=ct(commit,nat(src=::47492))', 'ip actions=ct(commit,nat(src))'],
  ['ip actions=ct(commit,nat(src=1.2.3.4-5.6))', '! invalid nat range "1.2.3.4-5.6"'],
  ['ip actions=ct(commit,nat(src=1.2.3.4:70000))', 'ip actions=ct(commit,nat(src=1.2.3.4:4464))'],
  ['ip actions=ct(commit,nat(src=1.2.3.4:))', '! invalid nat range "1.2.3.4:"'],
  ['ip actions=ct(commit,nat(src=1.2.3.4-1.2.3.3))', '! invalid nat range "1.2.3.4-1.2.3.3"'],
  ['ip actions=ct(commit,nat(src=0.0.0.0))', 'ip actions=ct(commit,nat(src))'],
  ['ip actions=ct(commit,nat(src(0:ffff::1,hash)))', '! garbage (,hash) after nat range "0:ffff::1,hash" (pos: 9)'],
  ['ip actions=ct(commit,nat(dst=,persistent))', 'ip actions=ct(commit,nat(dst))'],
  ['ipv6 actions=ct(commit,nat(src=[::1]-[::2]:5))', 'ipv6 actions=ct(commit,nat(src=[::1]-[::2]:5))'],
  [
    'ip actions=ct(commit,exec(set_field:1->ct_mark),nat(src=1.2.3.4))',
    'ip actions=ct(commit,exec(load:0x1->NXM_NX_CT_MARK[],nat(src=1.2.3.4)))',
  ],
  [
    'ip actions=ct(commit,exec(set_field:1->ct_mark,conjunction(1,1/2)))',
    '! "conjunction" actions may be used along with "note" but not any other kind of action (such as the "set_field" action used here)',
  ],
  ['actions=write_metadata:1,nat', '! Cannot have NAT action outside of "ct" action'],
  ['actions=goto_table:1,set_field:1->ct_mark', '! cannot set CT fields outside of ct action'],
  [
    'actions=conjunction(1,1/2),bundle_load(eth_src,50,hrw,ofport,reg0[0..15],members:1)',
    '! "conjunction" actions may be used along with "note" but not any other kind of action (such as the "bundle" action used here)',
  ],
  ['icmp6,icmp_type=135,icmp_code=3,nd_target=::1 actions=drop', 'icmp6,icmp_type=135,icmp_code=3 actions=drop'],
  [
    'icmp6,actions=pop_mpls:0x86dd,learn(table=35,load:NXM_NX_ICMPV6_TYPE[]->reg0[0..7])',
    'icmp6 actions=pop_mpls:0x86dd,learn(table=35,load:NXM_NX_ICMPV6_TYPE[]->NXM_NX_REG0[0..7])',
  ],
  // In ARP the operation stands where the protocol of IP does, until a header is put around it.
  ['arp,arp_op=6,actions=fin_timeout(idle_timeout=3)', 'arp,arp_op=6 actions=fin_timeout(idle_timeout=3)'],
  [
    'arp,arp_op=6,actions=encap(ethernet),fin_timeout(idle_timeout=3)',
    '! actions are invalid with specified match (OFPBAC_MATCH_INCONSISTENT)',
  ],
  ['tcp,actions=encap(nsh),fin_timeout(idle_timeout=3)', '! actions are invalid with specified match (OFPBAC_MATCH_INCONSISTENT)'],
  [
    'tcp,actions=push_mpls:0x8847,pop_mpls:0x800,load:5->tcp_src[]',
    '! actions are invalid with specified match (OFPBAC_MATCH_INCONSISTENT)',
  ],
];

const MENDED: readonly [string, string][] = [
  ['reg0[0..3]=5,reg0[4..7]=2 actions=drop', 'reg0=0x25/0xff actions=drop'],
  ['reg0=5,reg0[0..3]=6 actions=drop', 'reg0=0x6 actions=drop'],
  ['tcp,tcp_dst[0..7]=1 actions=drop', 'tcp,tp_dst=0x1/0xff actions=drop'],
  ['reg0[0..3]=16 actions=drop', '! reg0[0..3]: value 0x10 does not fit into 4 bits'],
  ['reg0[0..3] actions=drop', '! reg0[0..3]: cannot parse integer value: '],
  ['what[]=1 actions=drop', "! what[]: unknown field `what'"],
  ['mpls,mpls_label[]=8 actions=drop', '! actions are invalid with specified match (OFPBAC_MATCH_INCONSISTENT)'],
  ['actions=multipath(ETH_SRC,1,HRW,1,0,reg0)', 'actions=multipath(eth_src,1,hrw,1,0,NXM_NX_REG0[])'],
  ['actions=bundle(nw_src,1,HRW,OFPORT,members:1)', 'actions=bundle(nw_src,1,hrw,ofport,members:1)'],
  ['actions=bundle(nw_src,1,hrw,ofport,members:CONTROLLER)', '! actions are invalid with specified match (OFPBAC_BAD_OUT_PORT)'],
  ['actions=write_metadata:99999999999999999999/x', '! invalid numeric format x'],
  ['actions=controller(reason=NO_MATCH)', 'actions=controller(reason=no_match)'],
  ['actions=controller(1,pause)', '! unknown key "1" parsing controller action'],
  ['actions=ct(table=255)', '! invalid table 0xff'],
  ['ip actions=ct(commit,nat(src=1.2.3.4,src))', 'ip actions=ct(commit,nat(src))'],
  ['ip actions=dec_ttl(99999999999999999999)', 'ip actions=dec_ttl(65535)'],
  ['actions=learn(cookie=-1)', 'actions=learn(table=1,cookie=0xffffffffffffffff)'],
  ['actions=load:->->reg0', "! ->reg0: unknown field `'"],
];

function made(text: string): string {
  try {
    const mod = parseFlow(text, 'add');
    checkFlow(mod);
    return printBytes(encodeMessage(1, 1, mod, { nxFlows: true }))
      .replace(/^.*: ADD/, '')
      .trim();
  } catch (error) {
    if (error instanceof ConfigError) return `! ${error.message}`;
    throw error;
  }
}

test('odd text is taken, or refused in words, as by the reference', () => {
  for (const [text, wanted] of [...ROWS, ...MENDED]) assert.equal(made(text), wanted, text);
});

const bytesOf = (version: 1 | 6, text: string): string =>
  Buffer.from(encodeMessage(version, 1, parseFlow(text, 'add'), { nxFlows: version === 1 })).toString('hex');

test('loads name fields by the codes of the version', () => {
  assert.match(bytesOf(6, 'tcp actions=load:1->eth_dst[],load:0x3->tcp_src[]'), /80000606000000000001.*80001a020003/);
  assert.match(bytesOf(6, 'tcp actions=move:eth_src[]->eth_dst[]'), /8000080680000606/);
});

test('fields of neighbour discovery stand in the reference’s order', () => {
  const flow = 'icmp6,icmp_type=136,icmp_code=0,nd_tll=00:00:00:00:00:01,nd_target=::1,nd_options_type=2,nd_reserved=5,actions=drop';
  assert.match(bytesOf(1, flow), /1000020400000005.*00012e10.*1000040102.*00013206/);
});
