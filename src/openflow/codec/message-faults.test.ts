// Messages with something wrong, or something odd: what the reference says of them; behind an exclamation mark the error. Two faults at
// once show which one is looked for first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setLogSink } from '../../base/log.ts';
import { printBytes } from '../text/message-print.ts';
import { decodeMessage } from './codec.ts';

/** Bytes in hexadecimal; `(n)` are n zeros. */
const bytes = (text: string): Buffer =>
  Buffer.from(
    text.replace(/\((\d+)\)/g, (_, count: string) => '00'.repeat(Number(count))),
    'hex',
  );

/** OFPT_FLOW_MOD with a ct action: a type of frame, type of service and protocol; the helper's port. */
const ctOf = (matched: string, helper: string): string =>
  `010e006000000001003fffcf(18)${matched}(12)(8)(6)0005ffffffffffff0000ffff0018000023200023(8)ff(3)${helper}`;

const ROWS: readonly (readonly [string, string])[] = [
  // The length of flow statistics counts for instructions alone, and is told of after match and flags.
  ['04130048000000010001000000000000002f01(10)05(35)01000400000000', '! OFPBRC_BAD_LEN'],
  ['04130048000000010001000000000000003001(10)05(35)01000400000000', '! OFPBIC_BAD_LEN'],
  ['04130048000000010001000000000000003901(10)05(35)01000400000000', '! OFPBIC_BAD_LEN'],
  ['04130048000000010001000000000000004001(10)05(35)01000400000000', '! OFPBIC_BAD_LEN'],
  ['0413005000000001000100000000000000c801(10)05(35)01000f0001d7081111111111111100', '! OFPBMC_BAD_LEN'],
  ['0413004800000001000100000000000000c801(10)050000000001(30)01000400000000', '! OFPFMFC_BAD_FLAGS'],
  [
    '04130048000000010001000000000000003801(10)05(35)01000400000000',
    'cookie=0x0, duration=0s, table=1, n_packets=0, n_bytes=0, priority=5 actions=drop',
  ],
  // OpenFlow 1.5 says nothing of what fails in match and statistics.
  ['061300380000000100010000000000000017000001000005(17)010004000000000000000400000000', '! <invalid>'],
  ['061300380000000100010000000000000018000001000005(17)010004000000000000000400000000', '! OFPBIC_BAD_LEN'],
  ['0613004000000001000100000000000000300000010000050000000001(12)01000f0001d70811111111111111000000000400000000', '! <invalid>'],
  ['0613003800000001000100000000000000280000010000050000000001(12)010004000000000000000400000000', '! OFPFMFC_BAD_FLAGS'],
  ['061300380000000100010000000000000028000001000005(17)010004000000000000000680020000', '! <invalid>'],
  ['0613003c000000010001000000000000002c000001000005(17)010004000000000000000c8002080400000000', '! <invalid>'],
  [
    '061300400000000100010000000000000030000001000005(17)010004000000000000001080020208ffffffff00000000',
    'cookie=0x0, duration=4294967295.4294967295s, table=1, n_packets=?, n_bytes=?, priority=5 actions=drop',
  ],
  // Aggregates do.
  ['06130013000000010002(9)', '! OFPBMC_BAD_LEN'],
  ['06130018000000010002(9)0680020000', '! OFPBMC_BAD_LEN'],
  // Flags that nobody knows come before emergency flows.
  ['010e004800000001(63)08', '! OFPFMFC_BAD_FLAGS'],
  ['010e004800000001003820ff(59)04', '! OFPFMFC_TABLE_FULL'],
  // Helpers of connections and the transport that they need.
  [ctOf('86dd003a0000', '0015'), '! OFPBAC_MATCH_INCONSISTENT'],
  [ctOf('080000110000', '0015'), '! OFPBAC_MATCH_INCONSISTENT'],
  [ctOf('080000060000', '0045'), '! OFPBAC_MATCH_INCONSISTENT'],
  [ctOf('86dd003a0000', '000d'), 'ADD priority=5,icmp6 actions=ct(alg=13)'],
  [ctOf('080000110000', '000d'), 'ADD priority=5,udp actions=ct(alg=13)'],
  // A band of no size is of no type.
  ['041d0020000000010000000100000001(16)', '! OFPBRC_BAD_LEN'],
  ['041d002000000001000000010000000100090010(12)', '! OFPMMFC_BAD_BAND'],
  ['041d003000000001000000010000000100030018(28)', '! OFPBRC_BAD_LEN'],
  // Groups.
  ['030f00200000000100050300000000070010000000000003ffffffff00000000', '! OFPGMFC_BAD_BUCKET'],
  ['030f002000000001000500000000000700100005ffffffffffffffff00000000', '! OFPGMFC_BAD_BUCKET'],
  [
    '030f00200000000100020100000000070010000000000003ffffffff00000000',
    'DEL group_id=7,type=select,bucket=weight:0,watch_port:3,actions=drop',
  ],
  ['040f00200000000100020100000000070010000000000003ffffffff00000000', '! OFPGMFC_INVALID_GROUP'],
  ['040f00200000000100020900000000070010000000000003ffffffff00000000', '! OFPGMFC_INVALID_GROUP'],
  ['030f0010000000010006020000000007', '! OFPGMFC_INVALID_GROUP'],
  ['030f0010000000010006010000000007', '! OFPGMFC_BAD_COMMAND'],
  ['060f001800000001000502000000000700000000ffffffff', '! OFPGMFC_INVALID_GROUP'],
  // Packet-ins.
  ['040a001a00000001ffffffff000e(11)01', '! OFPBMC_BAD_LEN'],
  ['040a002400000001ffffffff000e(11)01000a80000a0208000000', '! OFPBMC_BAD_LEN'],
  // Flow monitors: flags, port, match; deletions ask for less.
  ['0412003000000001ffff0000000000004f4e46000000074e00000001010000080000fffeff0000000001000400000000', '! OFPMOFC_BAD_FLAGS'],
  ['0412003000000001ffff0000000000004f4e46000000074e00000001000200080000fffeff0000000002000400000000', '! OFPBAC_BAD_OUT_PORT'],
  ['0412003000000001ffff0000000000004f4e46000000074e00000001000b0008fffefffe020400000001000400000000', '! NXBRC_MUST_BE_ZERO'],
  ['05120028000000010010(9)010000fffeffffffff0002ff000001000400000000', '! OFPBAC_BAD_OUT_PORT'],
  ['05120028000000010010(9)010000fffeffffffff0002ff020001000400000000', 'id=1 command=delete'],
  ['05120028000000010010(9)010000fffe000000000000ff020000000400000000', '! OFPBMC_BAD_LEN'],
  ['05120028000000010010(9)01ffffffffd53df62e0002ff000001000400000000', 'id=1 flags=add out_group=-717359570'],
  // Updates: the match says itself how long it is.
  ['051300300000000100100000000000000018000103(20)01000400000000', '! OFPBIC_BAD_LEN'],
  ['0413003800000001ffff0000000000004f4e46000000074e0018(11)0803(10)01000400000000', '! OFPBRC_BAD_LEN'],
  ['051300300000000100100000000000000010000103(20)01000400000000', '! OFPBRC_BAD_LEN'],
  ['051300300000000100100000000000000020000103(22)0400000000', '! OFPBMC_BAD_LEN'],
  // Table features: a header of another size names nothing, and of command and table the command is told.
  [
    '0413009000000001000c00000000000000800100000000006e(58)08000100040002000602030000000400080000000400060008000000040008000780000000000a000880000004000c000880000004000e000880000004',
    '! OFPBMC_BAD_LEN',
  ],
  [
    '0413009800000001000c00000000000000880100000000006e(58)080001000400020006020300000004000800000004000600080000000400080009ffff0204(9)0a000880000004000c000880000004000e000880000004',
    '! OFPBMC_BAD_LEN',
  ],
  [
    '0413009000000001000c00000000000000800100000000006e(58)08000100040002000602030000000400080000000400060008000000040008000880000004000a000880000004000c000880000b06000e000880000004',
    'table 1 ("n"):\n    instructions (table miss and others):\n      next tables: 2-3\n      instructions: goto_table\n      Write-Actions features:\n        actions: output\n      Apply-Actions features:\n        actions: output\n        supported on Set-Field: in_port_oxm\n    matching:\n      exact match or wildcard: in_port_oxm',
  ],
  [
    '0413009000000001000c00000000000000800100000000006e(58)0800010004000200060203000000040008000000040006000800000004000800087fff0104000a000880000004000c000880000004000e000880000004',
    'table 1 ("n"):\n    instructions (table miss and others):\n      next tables: 2-3\n      instructions: goto_table\n      Write-Actions and Apply-Actions features:\n        actions: output\n        supported on Set-Field: in_port_oxm',
  ],
  [
    '0413009000000001000c0000000000000041ff00000000006e(58)08000100040002000602030000000400080000000400060008000000040008000880000004000a000880000004000c000880000004000e000880000004',
    '! OFPBPC_BAD_LEN',
  ],
  [
    '0613009000000001000c0000000000000080ff09000000006e(58)08000100040002000602030000000400080000000400060008000000040008000880000004000a000880000004000c000880000004000e000880000004',
    '! OFPTFFC_BAD_COMMAND',
  ],
  // Table status without a table; eviction by everything.
  ['051f0010000000010300000000000000', '! <invalid>'],
  [
    '051f00200000000103(8)1000000000000000020008ffffffff',
    'reason=VACANCY_DOWN\ntable_desc:-\n  table 0:\n   eviction=off eviction_flags=(default)\n   vacancy=off',
  ],
  // Two lists of counters are none.
  [
    '051300800000000100040000000000000070000000000001(72)ffff001a0000aa01000000020000000101610000000000000001000000000000',
    '1 ports\n  port  1: rx pkts=0, bytes=0, drop=0, errs=0, frame=?, over=?, crc=?\n           tx pkts=0, bytes=0, drop=0, errs=0, coll=?\n           duration=0s\n           CUSTOM Statistics\n                      a=1,',
  ],
  [
    '051300a00000000100040000000000000090000000000001(72)ffff001a0000aa01000000020000000101610000000000000001000000000000ffff001a0000aa01000000020000000101620000000000000001000000000000',
    '1 ports\n  port  1: rx pkts=0, bytes=0, drop=0, errs=0, frame=?, over=?, crc=?\n           tx pkts=0, bytes=0, drop=0, errs=0, coll=?\n           duration=0s',
  ],
  // Group statistics hold whole buckets.
  ['031300300000000100060000000000000024000000000001(24)', 'group_id=1,ref_count=0,packet_count=0,byte_count=0'],
  // Experimenter properties have the last type alone; in asynchronous configurations the last two.
  ['0404002000000001000023200000001e0000000400000000fffe000400000000', '! OFPBRC_BAD_LEN'],
  ['051c001000000001fffe000400000000', '! OFPBPC_BAD_LEN'],
  ['051c001800000001fffe000c000000020000000100000000', '! OFPBPC_BAD_EXP_TYPE'],
  // A port is told to advertise what it knows.
  ['0410002c000000010000000100000000010101010101(14)8000000000000000', '! OFPBRC_BAD_LEN'],
  // Actions that are none.
  ['0106002000000001(11)01010000000000000100001000', 'dpid:0000000000000000\nn_tables:1, n_buffers:1\ncapabilities: FLOW_STATS'],
  // Packets that begin without Ethernet.
  [
    '040a005200000001ffffffff0028(11)01000c800058040001080000000000000045000028000000004006ffff0a0000010a00000200500051(8)50020000abcd0000',
    'cookie=0x0 total_len=40 packet_type=(1,0x800) (via no_match) data_len=40 (unbuffered)\npacket_type=(1,0x800),nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_proto=6,nw_tos=0,nw_ecn=0,nw_ttl=64,nw_frag=no,tp_src=80,tp_dst=81,tcp_flags=syn tcp_csum:abcd',
  ],
  [
    '040a002a00000001ffffffff(13)01000c80005804000186dd000000000000',
    'cookie=0x0 total_len=0 packet_type=(1,0x86dd) (via no_match) data_len=0 (unbuffered)\npacket_type=(1,0x86dd),ipv6_src=::,ipv6_dst=::,ipv6_label=0x00000,nw_proto=0,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no',
  ],
  [
    '040a003200000001ffffffff0008(11)01000c80005804000188470000000000001234517812345078',
    'cookie=0x0 total_len=8 packet_type=(1,0x8847) (via no_match) data_len=8 (unbuffered)\npacket_type=(1,0x8847),mpls_label=74565,mpls_tc=0,mpls_ttl=120,mpls_bos=1',
  ],
  [
    '040a004200000001ffffffff0018(11)01000c800058040001894f0000000000000fc601030000234503030303030303030303030303030303',
    'cookie=0x0 total_len=24 packet_type=(1,0x894f) (via no_match) data_len=24 (unbuffered)\npacket_type=(1,0x894f),nsh_flags=0,nsh_ttl=63,nsh_mdtype=1,nsh_np=3,nsh_spi=0x23,nsh_si=69,nsh_c1=0x3030303,nsh_c2=0x3030303,nsh_c3=0x3030303,nsh_c4=0x3030303,nw_proto=0,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no',
  ],
  // Numbers in properties have their size, but for single bytes.
  ['0404003000000001000023200000001e000000040000000000040018(20)', '! OFPBPC_BAD_LEN'],
  ['0404002000000001000023200000001e00000004000000000003000607090000', '! OFPBRC_BAD_LEN'],
];

test('of several faults of a message the one is told that the reference finds first', () => {
  for (const [text, wanted] of ROWS) {
    const printed = printBytes(bytes(text), { verbosity: 2 });
    const fault = /decode error: (\S+?)\*\*\*/.exec(printed)?.[1];
    assert.equal(fault === undefined ? printed.slice(printed.indexOf(':') + 1).trim() : `! ${fault}`, wanted, text);
  }
});

test('reading a message leaves its bytes as they are', () => {
  const flowMod = bytes(
    '040e004000000001000000000000000000000000000000000000000000008000ffffffffffffffffffffffff000000000001000a80000a020800f3f3f3f3f3f3',
  );
  const before = Buffer.from(flowMod);
  decodeMessage(flowMod);
  assert.deepEqual(flowMod, before);
});

/** What is logged of a message that is refused. */
const LOGGED: readonly (readonly [string, string])[] = [
  ['0104002000000001000023200000001800060000(12)', 'ofp_match|tlv table mod command (6) is out of range'],
  ['0110002800000001ffff0000000023200000000200000000000000010080fffd(4)00(3)', 'ofp_monitor|NXST_FLOW_MONITOR has bad flags 0x80'],
  ['051200280000000100100000000000000000000100000000000000000041ff000001000400000000', 'ofp_monitor|OFPST_FLOW_MONITOR has bad flags 0x41'],
  ['0111002000000001ffff00000000232000000002000000000008000400000000', 'ofp_monitor|NXST_FLOW_MONITOR reply has bad event 4'],
  ['0111002000000001ffff00000000232000000002000000000010000000000000', 'ofp_monitor|NXST_FLOW_MONITOR reply has 8 leftover bytes at end'],
  [
    '0413(2)00000001ffff0000000000004f4e46000000074e00180001000000010000000000090000(8)0001000400000000',
    'ofp_monitor|ONFST_FLOW_MONITOR reply has 8 leftover bytes at end',
  ],
  [
    '051300300000000100100000000000000018000103(20)01000400000000',
    'ofp_actions|OpenFlow message instructions length 4294967288 exceeds remaining message length (0)',
  ],
  ['0513001800000001000e0000000000000810000000000000', 'ofp_table|OFP14_TABLE_DESC reply claims invalid length 2064'],
  ['041300180000000100070000000000000048000000000001', 'ofp_group|OFPST11_GROUP_DESC reply claims invalid length 72'],
  [
    '0111(2)00000001ffff000000002320000000080000000000100000ae140be30400(6)',
    'ofp_group|OFPST11_GROUP_DESC reply claims invalid bucket list length 1024',
  ],
  ['0613(2)0000000100070000(4)0008(6)', 'ofp_group|OFPST11_GROUP_DESC reply has 8 leftover bytes at end'],
  [
    '0111(2)00000001ffff0000000023200000000800000000004002000000000000300000000000000030002100000001(40)',
    'ofp_actions|OpenFlow message actions length 33 is not a multiple of 8',
  ],
  // Flow statistics.
  ['0413(2)0000000100010000(4)002f01(10)05(35)01000400000000', 'ofp_flow|OFPST_FLOW reply claims invalid length 47'],
  ['0413(2)0000000100010000(4)0030010000', 'ofp_flow|OFPST_FLOW reply has 5 leftover bytes at end'],
  ['0413(2)0000000100010000(4)00c801(10)05(35)01000f0001d7081111111111111100', 'ofp_flow|OFPST_FLOW reply bad match'],
  [
    '0613(2)00000001000100000000000000280000010000050000000001(12)01000f0001d708111111111111110000000004(4)',
    'ofp_flow|OFPST_FLOW reply bad match',
  ],
  ['0613(2)000000010001(6)0028000001000005(17)010004000000000000000680020000', 'ofp_flow|OXS OFPST_FLOW reply bad stats'],
  [
    '0413(2)0000000100010000(4)003001(10)05(35)01000400000000',
    'ofp_actions|OpenFlow message instructions length 4294967288 exceeds remaining message length (0)\nofp_flow|OFPST_FLOW reply bad instructions',
  ],
  [
    '0413(2)0000000100010000(4)003901(10)05(35)01000400000000',
    'ofp_actions|OpenFlow message instructions length 1 is not a multiple of 8\nofp_flow|OFPST_FLOW reply bad instructions',
  ],
  ['0111(2)00000001000100000057(88)', 'ofp_flow|OFPST_FLOW reply claims invalid length 87'],
  [
    '0111(2)0000000100010000005c(89)',
    'ofp_actions|OpenFlow message actions length 4 is not a multiple of 8\nofp_flow|OFPST_FLOW reply bad instructions',
  ],
  [
    '0111(2)00000001ffff00000000232000000000000000000038(16)0010(60)',
    'ofp_flow|NXST_FLOW reply with match_len=16 claims invalid length 56',
  ],
  ['0111(2)00000001ffff000000002320000000000000000000(10)', 'ofp_flow|NXST_FLOW reply has 11 leftover bytes at end'],
  // Instructions and lists of actions.
  [
    '040e(2)00000001(17)00(4)0005ffffffffffffffffffffffff(4)00010004000000000001000801000000ffff001000002320',
    'ofp_actions|bad instruction format at offset 8',
  ],
  [
    '010d(2)00000001ffffffff00020030ffff0010000023200000',
    'ofp_actions|OpenFlow message actions length 48 exceeds remaining message length (10)',
  ],
  // Group statistics: a length short of its head counts buckets that are not there.
  ['0413(2)0000000100060000(4)0007(46)', 'ofp_group|OFPST_GROUP reply reply claims invalid length 7'],
  ['0413(2)0000000100060000(4)0008(46)', 'ofp_group|OFPST_GROUP reply reply has 8 leftover bytes at end'],
  ['0111(2)00000001ffff00000000232000000007(4)0048(46)', 'ofp_group|NXST_GROUP reply reply has 8 leftover bytes at end'],
  // Tables.
  ['0211(2)000000010200000080000003', 'ofp_table|bad table miss config -2147483645'],
  ['0213(2)0000000100030000(44)(4)(4)(4)(4)(4)00000003(24)', 'ofp_table|bad table miss config 3'],
  // Bundles.
  ['0522(2)000000010000004300080001051d001000000001(8)', 'ofp_bundle|OFPT_METER_MOD message not allowed inside OFPT14_BUNDLE_ADD_MESSAGE'],
  [
    '0522(2)000000010000004300080001051300100000000100070000(4)',
    'ofp_bundle|NXST_GROUP_DESC reply message not allowed inside OFPT14_BUNDLE_ADD_MESSAGE',
  ],
  [
    '0522(2)0000000100000043000800010504000800000001',
    'ofp_bundle|OFPT14_BUNDLE_ADD_MESSAGE contained message is unparsable (OFPBRC_BAD_LEN)',
  ],
  // Nicira's flow mod is a flow mod.
  ['0522(2)00000001000000430008000105040030(3)01000023200000000d(32)', ''],
  // Hellos.
  [
    '0500(2)000000010001000800000001',
    'ofp_util|peer claims to support invalid OpenFlow version 0x00\nofp_util|peer does not support any OpenFlow version (between 0x01 and 0x1f)',
  ],
  ['0500(2)0000000100010008fffffffe', ''],
  ['0217(2)00000001fffffffe0000000046cde67900180000008100100000000004290000(4)', 'ofp_queue|unknown queue property 129'],
  [
    '060f(2)00000001(4)000000010018(2)ffffffff00180000(4)ffff00107fffffff9d05f252(4)',
    'ofp_group|unknown group bucket property type for exp_id 0x7fffffff, exp_type -1660554670',
  ],
  // Buckets of OpenFlow 1.5 that end too early are told of by what stands behind them.
  [
    '060f(2)0000000100000100000000050001(2)ffffffff0010000000000001(16)',
    'ofp_group|OpenFlow message bucket length 16 exceeds remaining buckets data size 1',
  ],
  ['060f(2)0000000100000100000000050007(2)ffffffff0007(14)', 'ofp_group|OpenFlow message bucket length 7 is not valid'],
  [
    '0613(2)00000001000700000000000000180100000000050007(6)0009000000000001(16)',
    'ofp_group|OpenFlow message bucket length 9 exceeds remaining buckets data size 7',
  ],
  ['0413(2)000000010007(6)0010(2)00000005(32)', 'ofp_group|buckets end with 8 leftover bytes'],
  // Counted, and then printed.
  [
    '0413(2)0000000100050000(4)41fa6f33(36)',
    'ofp_port|port 1106931507 is outside the supported range 0 through 65279 or 0xffffff00 through 0xffffffff\n'.repeat(2).trim(),
  ],
];

test('what is wrong with a message is logged in the words of the reference', () => {
  for (const [text, wanted] of LOGGED) {
    const message = bytes(text);
    message.writeUInt16BE(message.length, 2);
    const logged: string[] = [];
    const before = setLogSink({ shows: () => true, write: (record) => void logged.push(`${record.module}|${record.message}`) });
    try {
      printBytes(message, { verbosity: 2 });
    } finally {
      setLogSink(before);
    }
    assert.deepEqual(logged.join('\n'), wanted, text);
  }
});
