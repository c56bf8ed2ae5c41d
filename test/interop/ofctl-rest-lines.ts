// Command lines for the commands of ovs-ofctl that no other section has: what watches a switch, what measures it, what reads files.

/** Bytes into a file of the run's own folder. */
const file = (name: string, hex: string): string => `perl -e 'print pack("H*", "${hex}")' > "$OVS_RUNDIR/${name}"`;

const FRAME = '50540000000a50540000000908004500001c00000000400166df0a0000020a0000010800f7ff00000000';
/** An Ethernet frame of TCP to port 6653 with OFPT_HELLO in it. */
const PCAP =
  'd4c3b2a1020004000000000000000000ffff00000100000001000000000000003e0000003e00000050540000000a50540000000908004500003000010000400600000a0000010a000002' +
  '9c4019fd000000010000000050180200000000000100000800000001';
/** The same with ICMP. */
const FRAMES = `d4c3b2a1020004000000000000000000ffff000001000000010000000000000000002a0000002a000000${FRAME}`.replace(
  '0000000000002a000000',
  '000000002a000000',
);

const quietly = 'sed -E "s/[0-9.]+ (ms|packets|bytes)/N \\1/g"';
/** While a program watches, frames and flows come by another. */
const watched = (program: string): string =>
  `${program} > "$OVS_RUNDIR/seen" 2>&1 & seer=$!; sleep 1.5; ovs-ofctl add-flow br0 in_port=1,actions=controller; ` +
  `ovs-ofctl packet-out br0 "in_port=1,packet=${FRAME},actions=table"; ovs-ofctl del-flows br0; sleep 0.5; kill -9 $seer; wait; cat "$OVS_RUNDIR/seen"`;

export const restSections: readonly (readonly [string, readonly string[]])[] = [
  [
    'table features and IPFIX',
    [
      ...['13', '14', '15'].map((version) => `ovs-ofctl -O OpenFlow${version} dump-table-features br0`),
      'ovs-ofctl -O OpenFlow10 dump-table-features br0',
      'ovs-ofctl dump-ipfix-bridge br0',
      'ovs-ofctl dump-ipfix-flow br0',
      'ovs-ofctl -O OpenFlow15 dump-ipfix-bridge br0',
      'ovs-ofctl -O OpenFlow15 dump-ipfix-flow br0',
    ],
  ],
  [
    'whether a switch is there and how it answers',
    [
      'ovs-ofctl probe br0',
      'ovs-ofctl -t 2 probe unix:nothing.sock',
      'ovs-ofctl ping br0 3',
      'ovs-ofctl -O OpenFlow13 ping br0',
      `ovs-ofctl benchmark br0 0 5 | ${quietly}`,
      `ovs-ofctl benchmark br0 1400 3 | ${quietly}`,
      'ovs-ofctl benchmark br0 70000 3',
    ],
  ],
  [
    'watching',
    [
      watched('ovs-ofctl monitor br0 64'),
      watched('ovs-ofctl -O OpenFlow13 monitor br0 64 watch:'),
      watched('ovs-ofctl monitor br0 64 invalid_ttl -P nxt_packet_in2'),
      // Without a controller there is nothing to hear, and how the end of the connection is called depends on when it is seen.
      'timeout -s KILL 10 ovs-ofctl snoop br0 2>&1 | sed "s/:.*/: ended/"',
      'ovs-ofctl monitor br0 zz',
      'ovs-ofctl snoop nothing',
    ],
  ],
  [
    'meters by one name or another',
    [
      'ovs-ofctl -O OpenFlow13 add-meter br0 meter=1,kbps,band=type=drop,rate=5',
      'ovs-ofctl -O OpenFlow13 dump-meter br0 meter=1',
      'ovs-ofctl -O OpenFlow13 dump-meters br0',
      'ovs-ofctl -O OpenFlow13 mod-meter br0 meter=1,pktps,band=type=drop,rate=6',
      'ovs-ofctl -O OpenFlow13 meter-stats br0 meter=1',
      'ovs-ofctl -O OpenFlow13 del-meter br0 meter=1',
      'ovs-ofctl -O OpenFlow13 del-meters br0',
      'ovs-ofctl -O OpenFlow13 meter-features br0',
    ],
  ],
  [
    'files',
    [
      file('messages', '01000008000000010505000800000002050600'),
      'ovs-ofctl ofp-parse "$OVS_RUNDIR/messages"',
      file('openflow.pcap', PCAP),
      'ovs-ofctl ofp-parse-pcap "$OVS_RUNDIR/openflow.pcap"',
      'ovs-ofctl ofp-parse-pcap "$OVS_RUNDIR/openflow.pcap" 6633',
      file('frames.pcap', FRAMES),
      'ovs-ofctl parse-pcap "$OVS_RUNDIR/frames.pcap"',
      'ovs-ofctl parse-pcap nothing.pcap',
      'ovs-ofctl parse-pcap nothing.pcap none.pcap "$OVS_RUNDIR/frames.pcap"',
      'ovs-ofctl show /nonexistent',
      'ovs-ofctl snoop /nonexistent',
      'ovs-ofctl --unixctl=/nonexistent/x monitor br0',
      'ovs-ofctl --unixctl=/nonexistent/x --detach --no-chdir monitor br0',
      'ovs-ofctl --sort= dump-flows br0',
      'ovs-ofctl --rsort= dump-flows br0',
    ],
  ],
  [
    'texts and bytes',
    [
      'ovs-ofctl help',
      'ovs-ofctl list-commands',
      'ovs-ofctl parse-flow tcp,actions=drop',
      ...[
        'actions=65534',
        'actions=65535',
        'actions=output:65528',
        'in_port=65534,actions=drop',
        'actions=enqueue:65534:1',
        'actions=65527',
      ].map((flow) => `ovs-ofctl parse-flow ${flow}`),
      'echo tcp,actions=1 | ovs-ofctl parse-flows -',
      'ovs-ofctl parse-group group_id=1,type=all,bucket=actions=1',
      'ovs-ofctl -O OpenFlow15 parse-group group_id=1,type=select,bucket=weight:5,actions=1',
      'ovs-ofctl parse-nx-match',
      'echo "NXM_OF_IN_PORT(0001)" | ovs-ofctl parse-nxm',
      'echo "OXM_OF_ETH_TYPE(0800)" | ovs-ofctl parse-oxm OpenFlow13',
      'echo "0000 0008 0001 0000" | ovs-ofctl parse-actions OpenFlow10',
      'echo "0001 0008 05 000000" | ovs-ofctl parse-instructions OpenFlow13',
      'echo "003820ef 0001 000000000000 000000000000 0000 00 00 0800 00 00 0000 00000000 00000000 0000 0000" | ovs-ofctl parse-ofp10-match',
      'echo "0000 0058 00000001 000003fe 000000000000 ffffffffffff 000000000000 ffffffffffff 0000 00 00 0000 00 00 00000000 ffffffff 00000000 ffffffff 0000 0000 00000000 00 000000 0000000000000000 ffffffffffffffff" | ovs-ofctl parse-ofp11-match',
      'ovs-ofctl check-vlan 1234 ffff',
      'ovs-ofctl print-error OFPBRC_BAD_TYPE',
      'ovs-ofctl encode-error-reply OFPBRC_BAD_TYPE 0105000800000001',
      'ovs-ofctl ofp-print 0105000800000001',
      'ovs-ofctl encode-hello 0x12',
      'ovs-ofctl parse-key-value a=b,c(d)',
      'ovs-ofctl compose-packet tcp,tp_dst=80',
      `echo ${FRAME} | ovs-ofctl parse-packet`,
    ],
  ],
];
