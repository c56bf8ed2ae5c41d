// See one-by-one.ts.
import type { SwitchCase } from './one-by-one.ts';

/** An ICMP echo request. */
const FRAME = '50540000000a50540000000908004500001c00000000400166df0a0000020a0000010800f7ff00000000';
/** The same as long as Ethernet has it. */
const RECEIVED = `${FRAME}${'00'.repeat(20)}`;
const CT_TABLE_1 = 'ffff00180000232000230001000000000000010000000000';
const PAUSE = 'ffff002000002320002500000000000000030006010200000004000400000000';
const DEBUG_RECIRC = 'ffff00100000232000ff000000000000';
const TO_PORT_2 = '00000010000000020000000000000000';
const TO_TABLES = '00000010fffffff90000000000000000';

const digits = (value: number, width: number): string => value.toString(16).padStart(width, '0');

/** OFPT_PACKET_OUT of OpenFlow 1.1 to 1.4. */
function packetOut(version: number, port: number, actions: string): string {
  const size = 24 + actions.length / 2 + FRAME.length / 2;
  return `${digits(version, 2)}0d${digits(size, 4)}00000007ffffffff${digits(port, 8)}${digits(actions.length / 2, 4)}000000000000${actions}${FRAME}`;
}

/** A service hears of packets once it said how much of them it wants. */
const listen = (version: number): string => `${version}> 0${version}09000c0000000100000080`;
const tableMod = (version: number, table: number, config: number): string =>
  `${version}> 0${version}11001000000001${digits(table, 2)}000000${digits(config, 8)}`;
const FLOWS_OF_10 = `1> 011000380000000100010000003820ff${'00'.repeat(36)}ff00ffff`;

export const CASES: readonly SwitchCase[] = [
  {
    name: 'groups and packet-outs that name an option which is not mapped: lost where it is written, 0 where it is read',
    steps: [
      'ofctl -OOpenFlow13 add-group br0 group_id=1,type=all,bucket=actions=1',
      'ofctl -OOpenFlow13 add-flow br0 actions=group:1',
      ...[
        'set_field:1->tun_metadata41,2',
        'set_field:0x1/0x5->tun_metadata41,2',
        'load:1->tun_metadata41[0..3],2',
        'load:7->reg0,move:tun_metadata41[0..3]->reg0[0..3],output:reg0[],2',
        'move:reg0[0..3]->tun_metadata41[0..3],2',
        'push:tun_metadata41[0..3],pop:reg1[0..3],2',
        'push:reg1[0..3],pop:tun_metadata41[0..3],2',
        'output:tun_metadata41[0..3],2',
        'ct(zone=tun_metadata41[0..15],table=1),2',
        'set_field:1->tun_metadata41,move:tun_metadata41[0..3]->reg0[0..3],2',
      ].flatMap((actions) => [
        `ofctl -OOpenFlow13 mod-group br0 group_id=1,type=all,bucket=actions=${actions}`,
        'ofctl -OOpenFlow13 dump-groups br0',
        'appctl ofproto/trace br0 in_port=1,ip',
        `ofctl -OOpenFlow13 packet-out br0 in_port=1,packet=${FRAME},actions=${actions}`,
      ]),
    ],
  },
  {
    name: 'flows that name an option which is not mapped',
    steps: [
      '4> 040e005800000007000000000000000000000000000000000000000000008000ffffffffffffffffffffffff0000000000010004000000000004002000000000ffff001800002320000f00030001a27cffff000000000000',
      '4> 040e005800000007000000000000000000000000000000000000000000008000ffffffffffffffffffffffff0000000000010004000000000004002000000000ffff001800002320002300000001a27c000fff0000000000',
      '4> 040e005000000007000000000000000000000000000000000000000000008000ffffffffffffffffffffffff0000000000010004000000000004001800000000ffff00100000232000210001a302010f',
      '4> 040e005000000007000000000000000000000000000000000000000000008000ffffffffffffffffffffffff0000000000010004000000000004001800000000001900100001a2010100000000000000',
      '4> 040e006800000007000000000000000000000000000000000000000000008000ffffffffffffffffffffffff0000000000010004000000000004003000000000ffff00280000232000100000000080000000000000000000000001000000000010040001a27c0000',
      '4> 040e006000000007000000000000000000000000000000000000000000008000ffffffffffffffffffffffff0000000000010004000000000004002800000000ffff002000002320000a0001000000000002000300000000000000030001a27c',
    ],
  },
  {
    name: 'a flow that several monitors of a request begin with is told with its actions if one of them wants them',
    steps: [
      'ofctl add-flow br0 idle_timeout=2,dl_vlan=5,actions=set_queue:1,output:1',
      '4> 04120060000012e0ffff0000000000004f4e46000000074e0000000300270004ffffffffff00000000010004000000000000000100040004fffffffa0000000000010004000000000000000000390004ffffffffff0000000001000400000000',
    ],
  },
  {
    name: 'flows that go and come with the fail mode and with the first and the last controller are told of',
    steps: [
      listen(4),
      'ofctl add-flow br0 table=1,send_flow_rem,actions=drop',
      'ofctl add-flow br0 priority=7,actions=1',
      '4> 0412003000001380ffff0000000000004f4e46000000074e00000003001f0004ffffffffff0000000001000400000000',
      ...['set bridge br0 fail_mode=standalone', 'set bridge br0 fail_mode=secure', 'clear bridge br0 fail_mode'].map(
        (words) => `vsctl ${words}`,
      ),
      'ofctl add-flow br0 table=1,send_flow_rem,actions=drop',
      ...['set-controller br0 ptcp:0:127.0.0.1', 'del-controller br0'].map((words) => `vsctl ${words}`),
      'vsctl set bridge br0 fail_mode=secure',
    ],
  },
  {
    name: 'copy-field of OpenFlow 1.5 and of ONF is told as such in OpenFlow 1.3 and 1.5, as a move elsewhere',
    steps: [
      '6> 060e005800001260000000000000000000000000000000000100000000000002ffffffffffffffffffffffff0000000000010004000000000004002000000000001c00180030000000000000800008068000060600000000',
      ...['3', '4', '5', '6'].map(
        (version) =>
          `${version}> 0${version}120038000000010001000000000000ff000000ffffffffffffffff00000000000000000000000000000000000000000001000400000000`,
      ),
      '5> 050e006000001260000000000000000000000000000000000100000000000002ffffffffffffffffffffffff0000000000010004000000000004002800000000ffff00204f4e46000c8000000030000000000000800008068000060600000000',
      ...['3', '4', '5', '6'].map(
        (version) =>
          `${version}> 0${version}120038000000010001000000000000ff000000ffffffffffffffff00000000000000000000000000000000000000000001000400000000`,
      ),
    ],
  },
  {
    name: 'counters of ports, RFC 2819',
    steps: ['5> 051200180000000100040000000000000000000100000000', '6> 0612001800000001000400000000000000000001ffffffff'],
  },
  {
    name: 'parts: what is wrong with a header is told at once, a part may be empty, and entries end with their part',
    steps: [
      '4> 0412001400001260000400010000000000000001 041200180000126000040000000000000000000100000000',
      '4> 0412001000001261ff08000100000000 0412001800001265ffff0001000000000000232000000063 0412001800001265ffff0001000000000000232100000063',
      '4> 041200180000126300000001000000000000000100000000 04120010000012630000000000000000',
      '4> 04120010000012630004000100000000 041200180000126300040001000000000000000100000000 04120010000012630004000000000000',
      '4> 04120010000012640005000100000000 041200180000126400050001000000000000000100000001 04120010000012640005000000000000',
      '5> 0512001000001150000f000100000000 0512001000001150000f000000000000',
      '4> 04120010000012650001000100000000 04120010000012650009000100000000',
    ],
  },
  {
    name: 'echo in another version; replies to echo requests; what is of another version is refused before parts are gathered',
    steps: ['4> 0502000800001262 0503000800001262 0501000c0000126200000000', '1> 04120018000011e0ffff0001000000000000232000000004'],
  },
  {
    name: 'secondaries: what has no form is told first, and they may resume',
    steps: [
      '2> 0204001400000001000023200000000a00000002',
      '2> 02100030000013b000000001000000100000000098608000000000000000000000000002001000000010000800000000 0204001000000002000023200000001c',
      '2> 020e000800000003',
    ],
  },
  {
    name: 'flow mods: which of two faults is told',
    steps: [
      '3> 030e005800001320000000000000000000000000000000000002000000000001fffffffffdffffffffffffff0002000000010010000120080000000000000003000400200000000000120008000000000000001000000001',
      '6> 06040030000011a0000023200000000d00000000000000008000000100008000800000100000001e0000000000008000',
    ],
  },
  {
    name: 'packet-outs of OpenFlow 1.5: unknown fields of the packet are passed over, no port is told before the actions, a bad one after them',
    steps: [
      '6> 060d003000001210ffffffff001000000001000400000000007700100000000000000000000000000000000000000000',
      '6> 060d003000001210ffffffff001000000001000c80000004fffffff80000000000770010000000000000000000000000',
      '6> 060d003400001210ffff00100000000100006a1e000000000000d0ff000000000000000000020000000000000000000000000000',
      '6> 060d00420000112000c5000000020000b25e000000000000002200000000000000140000ffff000000000000000080000000000000000010000000000000000000e8',
    ],
  },
  {
    name: 'groups: buckets inserted before OpenFlow 1.5 come first',
    steps: [
      'ofctl -OOpenFlow15 add-group br0 group_id=3,type=all,bucket=bucket_id:3,actions=output:1,bucket=bucket_id:4,actions=output:2',
      '4> 040f003000001000000300000000000300200000ffffffffffffffff0000000000000010000000030000000000000000',
      'ofctl -OOpenFlow15 dump-groups br0',
    ],
  },
  {
    name: 'flow monitors: a command that there is not does nothing',
    steps: [
      ...['ff', '00', '03', '80', '02', '09'].map(
        (command) => `5> 0512002800001350001000000000000000000002ffffffffffffffff001f00${command}0001000400000000`,
      ),
      'ofctl add-flow br0 priority=7,actions=drop',
    ],
  },
  {
    name: 'packet-outs: after debug_recirc with nothing behind it a frame goes to the tables',
    steps: [
      listen(4),
      `4> ${packetOut(4, 1, DEBUG_RECIRC)}`,
      `4> ${packetOut(4, 1, `${DEBUG_RECIRC}${TO_PORT_2}`)}`,
      'ofctl dump-tables br0',
    ],
  },
  {
    name: 'groups: which of two faults is told; ports: properties that there are not',
    steps: [
      '2> 020f0030000010000000000200020000001500be0000ffff0002000081e70000001f000000000000000000080000191a',
      '4> 040f00300000121000000200fffffffc00200000bfffffffffffffff0000000049000010000000020000000000000000',
      '1> 01040028000012f0000023200000001f000220000000000100000000ffffffff00000000000000cc',
      '5> 05100040000010b0000063a2000000006e6eccd3acd80000000000440000000500010018c200d85224ffac18140000a3f23ba5931df4799100000008ed8f4a88',
    ],
  },
  {
    name: 'resume: properties that there are not',
    steps: ['3> 0304002000001120000023200000001c00210008000800000000000000000000'],
  },
  {
    name: 'statistics of vendors in OpenFlow 1.0',
    steps: [
      '1> 0110001400001140ffff0000005ad65000000005 0110001000001141ffffff0000002300 0110001800001140ffff00004f4e46000000000500000000',
    ],
  },
  {
    name: 'meters: a burst of none is a second of the rate, whatever the flags say',
    steps: [
      ...[1, 5].flatMap((flags) =>
        [0, 7].map((burst) => `4> 041d0020000000010000000${flags}${digits(flags + burst, 8)}0001001000000064${digits(burst, 8)}00000000`),
      ),
      '4> 0412001800000001000a000000000000ffffffff00000000',
    ],
  },
  {
    name: 'asynchronous messages: invalid TTLs are no matter of set_config from OpenFlow 1.3 on',
    steps: ['4> 041c002000001190000000040000000500000005000000010000001800000000 0409000c0000119000000080 041a000800001190'],
  },
  { name: 'table features: the order of fields', steps: ['4> 04120010000010b0000c000000000000', '6> 06120010000010b0000c000000000000'] },
  {
    name: 'packet-ins: connection state, metadata in OpenFlow 1.0, frames that came by no port',
    steps: [
      listen(1),
      listen(3),
      `3> ${packetOut(3, 1, CT_TABLE_1)}`,
      '1> 0104001400000001000023200000001000000002',
      `2> ${packetOut(2, 1, PAUSE)}`,
      `2> ${packetOut(2, 0xfffffffd, PAUSE)}`,
      `2> ${packetOut(2, 9, PAUSE)}`,
    ],
  },
  {
    name: 'frames of no port come back from connection tracking',
    steps: [
      'ofctl add-flow br0 table=1,actions=output:2',
      `4> ${packetOut(4, 0xffffffff, CT_TABLE_1)}`,
      'ofctl dump-flows br0 table=1',
      'ofctl dump-ports br0 p2',
    ],
  },
  {
    name: 'misses that go on through the tables are told with the last',
    steps: [
      listen(2),
      tableMod(2, 0, 1),
      `2> ${packetOut(2, 1, TO_TABLES)}`,
      'ofctl -O OpenFlow13 add-flow br0 in_port=3,actions=goto_table:5',
      tableMod(2, 255, 1),
      `2> ${packetOut(2, 3, TO_TABLES)}`,
      // The reference keeps megaflows made before a table mod until it comes to them.
      'appctl revalidator/purge',
      `appctl netdev-dummy/receive p1 ${RECEIVED}`,
      '2',
    ],
  },
  {
    name: 'flows in OpenFlow 1.0 that match more than it can say',
    steps: [
      'ofctl add-flow br0 dl_src=50:54:00:00:00:01/ff:ff:ff:00:00:00,actions=drop',
      'ofctl add-flow br0 dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=drop',
      'ofctl add-flow br0 tcp,tp_src=0x10/0xfff0,actions=drop',
      'ofctl add-flow br0 udp,tp_dst=0x10/0xfff0,actions=drop',
      'ofctl add-flow br0 ip,nw_src=10.0.0.1/255.0.0.255,actions=drop',
      'ofctl add-flow br0 ip,nw_dst=10.0.0.0/255.0.255.0,actions=drop',
      'ofctl add-flow br0 ip,nw_ecn=2,actions=drop',
      'ofctl add-flow br0 ip,nw_tos=32,nw_ecn=2,actions=drop',
      FLOWS_OF_10,
    ],
  },
  {
    name: 'flows that send to a port: not those that cut frames',
    steps: ['ofctl add-flow br0 actions=output(port=1,max_len=64)', 'ofctl --no-stats dump-flows br0 out_port=1'],
  },
  {
    name: 'bundles: ports cannot be changed atomically',
    steps: [
      '5> 05210010000000090000000100000003 052200300000000900000001000000030510002000000009fffffffe00000000aa66aa66000000000000002000000020 05210010000000090000000100040003',
      '5> 05210010000000090000000100000000 052200300000000900000001000000000510002000000009fffffffe0000000000000000000100000000002000000020 05210010000000090000000100040000',
      '5> 05210010000000090000000100000000 052200300000000900000001000000000510002000000009fffffffe00000000aa66aa66000000000000002000000020 05210010000000090000000100040000',
    ],
  },
  {
    name: 'roles: a generation of all ones is older than others',
    steps: [
      '6> 061800180000000100000003000000000000000000000004 06180018000011900000000300000000ffffffffffffffff',
      '3> 03180018000011f00000000200000000ffffffffffffffff',
    ],
  },
  {
    name: 'table features: instructions, fields and properties that there are not',
    steps: [
      '4> 0412009800000001000c000000000000008801000000000078000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000c0001000400020004000000000002000502000000000400080000000400060008000000040008000880000606000a000400000000000c000400000000000e000400000000',
      '4> 0412009000000001000c0000000000000080010000000000780000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000008004d00040002000502000000000400080000000400060008000000040008000880000606000a000400000000000c000400000000000e000400000000',
      '4> 0412009800000001000c000000000000008801000000000078000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000c0001000400020004000000000002000502000000000400080000000400060008000000040008000880fe0004000a000400000000000c000400000000000e000400000000',
      '4> 041200a000000001000c000000000000009001000000000078000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000c0001000400020004000000000002000502000000000400080000000400060008000000040008000880000606000a000400000000000c000400000000000e0004000000000030000800000000',
    ],
  },
  {
    name: 'flow mods: options without a place are told before later actions, fields of the datapath before buffers',
    steps: [
      '4> 040e006800000007000000000000000000000000000000000000000000000005ffffffffffffffffffffffff0000000000010004000000000004003000000000ffff00180000232000320001507c00000000000000000000ffff0010000023200fff000000000000',
      '4> 040e006800000007000000000000000000000000000000000000000000000005ffffffffffffffffffffffff0000000000010004000000000004003000000000ffff0010000023200fff000000000000ffff00180000232000320001507c00000000000000000000',
      '3> 030e00400000000700000000000000000000000000000000000000000000000500000030ffffffffffffffff000000000001000c000146040000000500000000',
    ],
  },
  {
    name: 'flow monitors: what was changed in a request that is refused is gone',
    ignored: { lines: /^6: 0[16]01/, because: 'what the reference quotes in this error is memory that it has given back' },
    steps: [
      '6> 0612002800000001001000000000000000000001ffffffffffffffff000eff000001000400000000',
      '6> 0612004000000002001000000000000000000001ffffffffffffffff000fff01000100040000000000000009ffffffffffffffff000fff010001000400000000',
      '4> 040e003800001260000000000000000000000000000000000000000000008010ffffffffffffffffffffffff000000000001000400000000',
    ],
  },
  {
    name: 'continuations: the cookie of what a packet-out does itself',
    steps: [
      listen(2),
      '2> 0204001400000001000023200000001000000002',
      ...[1, 0xffffffff, 0xfffffffd].map((port) => `2> ${packetOut(2, port, `${PAUSE}${TO_PORT_2}`)}`),
    ],
  },
  {
    name: 'flow monitors: what the same request has changed again tells nothing',
    steps: [
      'ofctl add-flow br0 actions=drop',
      '5> 0512005800000001001000000000000000000002ffffffffffffffff004fff00000100040000000000000002ffffffffffffffff004cff01000100040000000000000003ffffffffffffffff0042ff000001000400000000',
    ],
  },
  {
    name: 'queue statistics: all ports have one name from OpenFlow 1.1 on',
    steps: [
      '1> 011000140000000100050000fffc0000ffffffff',
      '2> 02120018000000010005000000000000fffffffcffffffff 02120018000000010005000000000000ffffffffffffffff',
    ],
  },
  {
    name: 'queue configuration of OpenFlow 1.4: all ports have one name',
    steps: ['fffffffc', 'ffffffff', '00000009'].flatMap((port) =>
      ['00000003', '00000000', 'ffffffff'].map((queue) => `5> 0512001800000001000f000000000000${port}${queue}`),
    ),
  },
  {
    name: 'TCP flags: all that there are under a mask are another match than all without one',
    steps: [
      'ofctl add-flow br0 tcp,tcp_flags=2,actions=1',
      'ofctl add-flow br0 tcp,tcp_flags=2/0xfff,actions=2',
      'ofctl --no-stats dump-flows br0 tcp,tcp_flags=2',
      'ofctl --strict del-flows br0 tcp,tcp_flags=2/0xfff',
      'ofctl --no-stats dump-flows br0 table=0',
    ],
  },
  {
    name: 'flows that need not count do so too',
    steps: [
      'ofctl -O OpenFlow13 add-flow br0 no_byte_counts,no_packet_counts,actions=output:2',
      `4> ${packetOut(4, 1, TO_TABLES)}`,
      'ofctl -O OpenFlow13 dump-flows br0 table=0',
    ],
  },
  {
    name: 'matches: bits outside a mask are told before a mask that cannot be',
    steps: [
      '5> 050e0050000011d00000008c000000000000000000000000fe00000000008000ffffffffffffffffffffffff000000000001000a8000110286dd00000000000000010008020000000000000000000000',
    ],
  },
  {
    name: 'flow monitors: a modification that changes nothing is none',
    steps: [
      'ofctl add-flow br0 arp,actions=1',
      '6> 0612002800000001001000000000000000000001ffffffffffffffff001eff000001000400000000',
      'ofctl mod-flows br0 arp,actions=1',
      'ofctl mod-flows br0 arp,cookie=5,actions=1',
      'ofctl mod-flows br0 arp,actions=2',
    ],
  },
  {
    name: 'packet-ins of what a controller sent: wherever an action sent it back',
    steps: [
      listen(5),
      'ofctl -O OpenFlow13 add-group br0 group_id=1,type=all,bucket=actions=controller',
      ...['actions=controller', 'actions=group:1', 'actions=write_actions(controller)', 'priority=0,actions=controller'].flatMap((flow) => [
        'ofctl del-flows br0',
        `ofctl -O OpenFlow13 add-flow br0 ${flow}`,
        `4> ${packetOut(4, 1, TO_TABLES)}`,
      ]),
      `appctl netdev-dummy/receive p1 ${RECEIVED}`,
      '5',
    ],
  },
  {
    name: 'parts that do not end are told by the last',
    steps: ['6> 0612001800001020000a000100000000ffffffff00000000 0612001000001020000a000100000000', 'appctl time/warp 2000', '6'],
  },
  {
    name: 'flow removed: the hard timeout in OpenFlow 1.1',
    steps: [listen(2), 'ofctl add-flow br0 hard_timeout=7,idle_timeout=3,send_flow_rem,actions=drop', '2', 'ofctl del-flows br0', '2'],
  },
  {
    name: 'packet types: Ethernet that is asked for and Ethernet that a field implies',
    steps: [
      '6> 060e005800000001000000000000000000000000000000000000000000008000ffffffffffffffffffffffff000000000001000c80000004000000010000000000040018000000000000001000000002ffff000000000000',
      '6> 060e006000000001000000000000000000000000000000000000000000008000ffffffffffffffffffffffff0000000000010014800058040000000080000004000000010000000000040018000000000000001000000003ffff000000000000',
      'ofctl --no-stats -OOpenFlow15 dump-flows br0',
      '6> 060e006000000001000000000000000000000000000000000002000000008000ffffffffffffffffffffffff0000000000010014800058040000000080000004000000010000000000040018000000000000001000000001ffff000000000000',
      '6> 060e004000000001000000000000000000000000000000000004000000008000ffffffffffffffffffffffff000000000001000c800000040000000100000000',
      'ofctl --no-stats -OOpenFlow15 dump-flows br0',
      '6> 060e004000000001000000000000000000000000000000000003000000008000ffffffffffffffffffffffff000000000001000c800058040000000000000000',
      'ofctl --no-stats -OOpenFlow15 dump-flows br0',
      'ofctl del-flows br0',
      '6> 060e005800000001000000000000000000000000000000000000000000008000ffffffffffffffffffffffff000000000001000e80000606500000000001000000040018000000000000001000000002ffff000000000000',
      '6> 060e006000000001000000000000000000000000000000000000000000008000ffffffffffffffffffffffff0000000000010016800058040000000080000606500000000001000000040018000000000000001000000003ffff000000000000',
      'ofctl --no-stats -OOpenFlow15 dump-flows br0',
      '6> 060e006000000001000000000000000000000000000000000002000000008000ffffffffffffffffffffffff0000000000010016800058040000000080000606500000000001000000040018000000000000001000000001ffff000000000000',
      '6> 060e004000000001000000000000000000000000000000000004000000008000ffffffffffffffffffffffff000000000001000e800006065000000000010000',
      'ofctl --no-stats -OOpenFlow15 dump-flows br0',
      '6> 060e004000000001000000000000000000000000000000000003000000008000ffffffffffffffffffffffff000000000001000c800058040000000000000000',
      'ofctl --no-stats -OOpenFlow15 dump-flows br0',
      'ofctl del-flows br0',
      '6> 060e006000000001000000000000000000000000000000000000000000008000ffffffffffffffffffffffff00000000000100150001d30800000022000000220001ee010600000000040018000000000000001000000002ffff000000000000',
      '6> 060e006800000001000000000000000000000000000000000000000000008000ffffffffffffffffffffffff000000000001001d80005804000000000001d30800000022000000220001ee010600000000040018000000000000001000000003ffff000000000000',
      'ofctl --no-stats -OOpenFlow15 dump-flows br0',
      '6> 060e006800000001000000000000000000000000000000000002000000008000ffffffffffffffffffffffff000000000001001d80005804000000000001d30800000022000000220001ee010600000000040018000000000000001000000001ffff000000000000',
      '6> 060e004800000001000000000000000000000000000000000004000000008000ffffffffffffffffffffffff00000000000100150001d30800000022000000220001ee0106000000',
      'ofctl --no-stats -OOpenFlow15 dump-flows br0',
      '6> 060e004000000001000000000000000000000000000000000003000000008000ffffffffffffffffffffffff000000000001000c800058040000000000000000',
      'ofctl --no-stats -OOpenFlow15 dump-flows br0',
      'ofctl del-flows br0',
      '6> 060e005800000001000000000000000000000000000000000000000000008000ffffffffffffffffffffffff000000000001001080000408000000000000000500040018000000000000001000000002ffff000000000000',
      '6> 060e006000000001000000000000000000000000000000000000000000008000ffffffffffffffffffffffff0000000000010018800058040000000080000408000000000000000500040018000000000000001000000003ffff000000000000',
      'ofctl --no-stats -OOpenFlow15 dump-flows br0',
      '6> 060e006000000001000000000000000000000000000000000002000000008000ffffffffffffffffffffffff0000000000010018800058040000000080000408000000000000000500040018000000000000001000000001ffff000000000000',
      '6> 060e004000000001000000000000000000000000000000000004000000008000ffffffffffffffffffffffff0000000000010010800004080000000000000005',
      'ofctl --no-stats -OOpenFlow15 dump-flows br0',
      '6> 060e004000000001000000000000000000000000000000000003000000008000ffffffffffffffffffffffff000000000001000c800058040000000000000000',
      'ofctl --no-stats -OOpenFlow15 dump-flows br0',
      'ofctl del-flows br0',
      'ofctl add-flow br0 ct_state=+trk+est,ct_nw_proto=6,actions=2',
      'appctl ofproto/trace br0 in_port=1,ip,packet_type=(1,0x800),ct_state=est|trk,ct_nw_proto=6',
      'appctl ofproto/trace br0 in_port=1,ip,ct_state=est|trk,ct_nw_proto=6',
      'appctl ofproto/trace br0 in_port=1,packet_type=(1,0x1234)',
      'appctl ofproto/trace br0 in_port=1,packet_type=(1,0)',
      'appctl ofproto/trace br0 in_port=1,packet_type=(1,0x8847)',
    ],
  },
  {
    name: 'NORMAL: what is no Ethernet frame is for no station of its own',
    steps: [
      'ofctl -OOpenFlow13 add-flow br0 actions=decap,normal',
      'appctl ofproto/trace br0 in_port=1,ip,dl_src=50:00:00:00:00:01,dl_dst=50:00:00:00:00:02 -generate',
      'ofctl add-flow br0 actions=normal',
      'appctl ofproto/trace br0 in_port=1,ip,packet_type=(1,0x800) -generate',
      'appctl fdb/add br0 p3 0 00:00:00:00:00:00',
      'appctl ofproto/trace br0 in_port=1,ip,packet_type=(1,0x800)',
      'appctl ofproto/trace br0 in_port=3,ip,packet_type=(1,0x800)',
    ],
  },
  {
    name: 'actset_output: unset where a set has no output or a group',
    steps: [
      ...['0', '1', '2', '3', 'ANY', 'LOCAL'].map(
        (port, i) =>
          `ofctl add-flow br0 table=1,priority=${10 + i},actset_output=${port},actions=move:OXM_OF_ACTSET_OUTPUT[]->NXM_NX_REG2[],2`,
      ),
      'ofctl add-flow br0 table=1,priority=9,actset_output=UNSET,actions=move:OXM_OF_ACTSET_OUTPUT[]->NXM_NX_REG2[],3',
      'ofctl -OOpenFlow13 add-flow br0 table=2,actions=clear_actions,goto_table:3',
      'ofctl -OOpenFlow13 add-flow br0 table=3,actions=resubmit(,1)',
      'ofctl -OOpenFlow13 add-flow br0 table=4,actions=clone(resubmit(,1)),write_actions(output:3),goto_table:5',
      'ofctl add-flow br0 table=5,actions=resubmit(,1)',
      'ofctl -OOpenFlow13 add-group br0 group_id=1,type=all,bucket=actions=resubmit(,1)',
      ...[
        'resubmit(,1)',
        'clear_actions,goto_table:1',
        'write_actions(output:2),goto_table:2',
        'write_actions(output:2),goto_table:4',
        'write_actions(output:LOCAL),goto_table:1',
        'write_actions(output:3,group:1),goto_table:1',
        'write_actions(output:2,resubmit(,1))',
        'write_actions(set_field:1->nw_ttl),goto_table:1',
        'move:OXM_OF_IN_PORT[]->NXM_NX_REG0[],push:OXM_OF_IN_PORT[],pop:NXM_NX_REG1[],2',
        'move:OXM_OF_IN_PORT[16..31]->NXM_NX_REG0[0..15],2',
        'load:0xfffffffe->NXM_NX_REG0[],move:NXM_NX_REG0[]->OXM_OF_IN_PORT[],2,in_port',
        'load:0xfffe->NXM_NX_REG0[],move:NXM_NX_REG0[]->OXM_OF_IN_PORT[],2,in_port',
        'load:2->OXM_OF_IN_PORT[0..7],in_port,local',
      ].flatMap((actions) => [
        `ofctl -OOpenFlow13 add-flow br0 ip,actions=${actions}`,
        'appctl ofproto/trace br0 in_port=1,ip,actset_output=2',
        'appctl ofproto/trace br0 in_port=LOCAL,ip',
      ]),
    ],
  },
];
