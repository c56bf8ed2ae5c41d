import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigError, PeerError } from '../../base/errors.ts';
import { matchAll } from '../../flow/key.ts';
import { formatMatch } from '../../flow/match-text.ts';
import { checkActions } from '../action-check.ts';
import { decodeActionBytes, encodeActions } from '../codec/actions/action-codec.ts';
import { ByteWriter } from '../codec/bytes.ts';
import type { OfVersion } from '../message.ts';
import { formatActions } from './action-format.ts';
import { parseActions } from './action-parse.ts';
import { emptyFlowMod, formatFlowMod, parseFlow } from './flow-text.ts';

/** What the reference prints for each of these, in OpenFlow 1.0's terms. */
const MATCHES: readonly [string, string][] = [
  ['priority=5,ip,nw_src=10.0.0.0/8,in_port=1,dl_vlan=5', 'priority=5,ip,in_port=1,dl_vlan=5,nw_src=10.0.0.0/8'],
  ['arp,arp_op=1,arp_spa=1.2.3.4,arp_tha=1:2:3:4:5:6', 'arp,arp_spa=1.2.3.4,arp_op=1,arp_tha=01:02:03:04:05:06'],
  ['tcp,tp_src=80,tp_dst=0x50/0xfff0,tcp_flags=+syn-ack', 'tcp,tp_src=80,tp_dst=0x50/0xfff0,tcp_flags=+syn-ack'],
  [
    'ipv6,ipv6_src=2001::1/64,ipv6_label=5,nw_tos=4,nw_ecn=1,nw_ttl=9,nw_frag=no',
    'ipv6,ipv6_src=2001::/64,ipv6_label=0x00005,nw_tos=4,nw_ecn=1,nw_ttl=9,nw_frag=no',
  ],
  ['ct_state=+trk-new,ct_zone=5,ct_mark=1/3,ct_label=0x5', 'ct_state=-new+trk,ct_zone=5,ct_mark=0x1/0x3,ct_label=0x5'],
  ['mpls,mpls_label=5,mpls_tc=3,mpls_bos=1,mpls_ttl=7', 'mpls,mpls_label=5,mpls_tc=3,mpls_ttl=7,mpls_bos=1'],
  ['dl_vlan=0xffff', 'vlan_tci=0x0000'],
  ['dl_vlan_pcp=3', 'dl_vlan_pcp=3'],
];

test('a match is printed as the reference prints it', () => {
  for (const [text, printed] of MATCHES) {
    const mod = parseFlow(`${text},actions=drop`, 'add');
    assert.equal(formatMatch(mod.match, mod.priority), printed);
  }
});

test('parse(format(actions)) is the actions', () => {
  const words = fc.constantFrom(
    'output:3',
    'NORMAL',
    'CONTROLLER:128',
    'mod_vlan_vid:5',
    'strip_vlan',
    'push_vlan:0x8100',
    'mod_nw_src:1.2.3.4',
    'load:0x5->NXM_NX_REG1[3..8]',
    'move:NXM_NX_REG0[]->NXM_NX_REG1[]',
    'set_field:0x5->reg1',
    'set_field:01:02:03:04:05:06->eth_dst',
    'resubmit(4,5)',
    'resubmit(,5)',
    'dec_ttl(1,2,3)',
    'note:01.02.03.00.00.00',
    'controller(reason=no_match,max_len=100,id=5)',
    'learn(table=2,idle_timeout=10,priority=9,cookie=0x5,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])',
    'ct(commit,zone=5,nat(src=1.2.3.4-1.2.3.8:5-10,random),exec(load:0x5->NXM_NX_CT_MARK[]))',
    'clone(output:1,set_queue:3)',
    'enqueue:2:7',
  );
  fc.assert(
    fc.property(fc.array(words, { minLength: 1, maxLength: 6 }), (list) => {
      const text = list.join(',');
      assert.equal(formatActions(parseActions(text)), text);
      assert.deepEqual(parseActions(formatActions(parseActions(text))), parseActions(text));
    }),
  );
});

test('any text gives a flow or a ConfigError', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'ip',
      'tcp',
      'actions=',
      'learn(',
      'ct(',
      'nat(',
      '->',
      '[',
      ']',
      ')',
      ',',
      'load:',
      'reg0',
      '=',
      '0x5',
      '/',
      'set_field:',
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      try {
        formatFlowMod(parseFlow(`${pieces.join('')}`, 'add'));
        parseActions(pieces.join(''));
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test("faults are in the reference's words", () => {
  const fault = (text: string): string => {
    try {
      parseFlow(text, 'add');
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.equal(fault('tcp'), 'must specify an action');
  assert.equal(fault('foo=1,actions=drop'), 'unknown keyword foo');
  assert.equal(fault('actions=drop,output:1'), '"drop" must not be accompanied by any other action or instruction');
  assert.equal(fault('tcp,tp_src=99999,actions=drop'), '99999: value too large for 2-byte field tcp_src');
  assert.equal(fault('actions=load:0x100->NXM_NX_REG0[0..3]'), '0x100->NXM_NX_REG0[0..3]: value 0x100 does not fit into 4 bits');
  assert.equal(fault('actions=set_field:5->NXM_NX_REG0'), 'NXM_NX_REG0 is not a valid OXM field name');
  assert.equal(fault('ip,actions=set_field:4->ip_ecn'), '4 is not a valid value for field ip_ecn');
  assert.equal(fault('actions=check_pkt_larger(100)->reg0'), 'Only 1-bit destination field is allowed');
  assert.equal(fault('actions=learn(table=1,nsh_ttl=3)'), "table=1,nsh_ttl=3: experimenter OXM field 'nsh_ttl' not supported");
  assert.equal(
    fault('actions=learn(table=1,reg6=5/2)'),
    "table=1,reg6=5/2: reg6 value 5/2 cannot be parsed as a subfield (5/2: unknown field `5/2') or an immediate value (5/2: wildcards not allowed here)",
  );
  assert.equal(fault('actions=learn(table=1,xreg2[]=reg0[])'), 'table=1,xreg2[]=reg0[]: bit widths of xreg2[] (32) and reg0[] (64) differ');
  assert.equal(emptyFlowMod('add').priority, 0x8000);
});

test('what text may say and the wire may not is refused where it is read', () => {
  const sent = (text: string, version: OfVersion): string => {
    const out = new ByteWriter();
    encodeActions(out, parseActions(text), version);
    try {
      return formatActions(decodeActionBytes(out.result(), version));
    } catch (error) {
      assert.ok(error instanceof PeerError, String(error));
      return error.code;
    }
  };
  assert.equal(sent('load:1->eth_type[]', 1), 'OFPBAC_BAD_SET_ARGUMENT');
  assert.equal(sent('set_field:5->vlan_vid', 4), 'OFPBAC_BAD_SET_ARGUMENT');
  assert.equal(sent('set_field:0x1005->vlan_vid', 4), 'set_field:4101->vlan_vid');
  assert.equal(sent('set_field:0x1005/0x100f->vlan_vid', 4), 'load:0x5->OXM_OF_VLAN_VID[0..3]');
  assert.equal(sent('set_field:1->in_port_oxm', 4), 'OFPBAC_BAD_SET_ARGUMENT');
  assert.equal(sent('load:3->nw_tos[0..1]', 6), 'OFPBAC_BAD_SET_ARGUMENT');
  assert.equal(sent('set_field:7/3->reg0', 6), 'OFPBMC_BAD_WILDCARDS');
  assert.equal(sent('load:0xaa8f6->ipv6_label[]', 6), 'set_field:0xaa8f6/0xfffff->ipv6_label');
  assert.equal(sent('set_field:0xaa8f6->ipv6_label', 6), 'set_field:0xaa8f6->ipv6_label');
  assert.equal(sent('load:5->nsh_spi[]', 1), 'set_field:0x5/0xffffff->nsh_spi');
  assert.equal(sent('load:1->nsh_si[4..7]', 1), 'set_field:16/0xf0->nsh_si');
  assert.equal(sent('set_field:1/1->tun_erspan_dir', 1), 'set_field:1/0x1->tun_erspan_dir');
  assert.equal(sent('set_field:2/512->tun_metadata0', 5), 'OFPBMC_BAD_WILDCARDS');
  assert.equal(sent('load:5->skb_priority[]', 4), 'OFPBAC_BAD_SET_LEN');
  assert.equal(sent('load:0xd->dl_vlan[8..11]', 1), 'set_field:3328/0xf00->in_port');
  assert.equal(sent('learn(table=1,output:nsh_ttl[])', 1), 'OFPBAC_BAD_SET_TYPE');
  assert.equal(sent('output:dl_vlan[]', 1), 'OFPBMC_BAD_FIELD');
  const checked = parseActions('delete_field:reg0');
  assert.throws(() => checkActions(checked, matchAll()), /actions are invalid with specified match \(OFPBAC_BAD_ARGUMENT\)/);
});
