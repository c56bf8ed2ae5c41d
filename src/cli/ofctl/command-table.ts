// The commands of ovs-ofctl: a row is the name, how few and how many arguments it takes (* any number), whether it changes anything (rw
// does not work with --read-only), and its arguments as list-commands shows them.

const ROWS = `
show 1 1 ro switch
monitor 1 3 ro switch [misslen] [invalid_ttl] [watch:[...]]
snoop 1 1 ro switch
dump-desc 1 1 ro switch
dump-tables 1 1 ro switch
dump-table-features 1 1 ro switch
dump-table-desc 1 1 ro switch
dump-flows 1 2 ro switch
dump-aggregate 1 2 ro switch
queue-stats 1 3 ro switch [port [queue]]
queue-get-config 1 3 ro switch [port [queue]]
add-flow 2 2 rw switch flow
add-flows 2 2 rw switch file
mod-flows 2 2 rw switch flow
del-flows 1 2 rw switch [flow]
replace-flows 2 2 rw switch file
diff-flows 2 2 rw source1 source2
add-meter 2 2 rw switch meter
mod-meter 2 2 rw switch meter
del-meter 1 2 rw switch meter
del-meters 1 2 rw switch
dump-meter 1 2 ro switch meter
dump-meters 1 2 ro switch
meter-stats 1 2 ro switch [meter]
meter-features 1 1 ro switch
packet-out 2 * rw switch "in_port=<port> packet=<hex data> actions=..."
dump-ports 1 2 ro switch [port]
dump-ports-desc 1 2 ro switch [port]
mod-port 3 3 rw switch iface act
mod-table 3 3 rw switch mod
get-frags 1 1 ro switch
set-frags 2 2 rw switch frag_mode
probe 1 1 ro target
ping 1 2 ro target [n]
benchmark 3 3 ro target n count
dump-ipfix-bridge 1 1 ro switch
dump-ipfix-flow 1 1 ro switch
ct-flush-zone 2 2 ro switch zone
ct-flush 1 4 ro switch [zone=N] [ct-orig-tuple [ct-reply-tuple]]
ofp-parse 1 1 rw file
ofp-parse-pcap 1 * rw pcap
add-group 1 2 rw switch group
add-groups 2 2 rw switch file
mod-group 1 2 rw switch group
del-groups 1 2 rw switch [group]
insert-buckets 1 2 rw switch [group]
remove-buckets 1 2 rw switch [group]
dump-groups 1 2 ro switch [group]
dump-group-stats 1 2 ro switch [group]
dump-group-features 1 1 ro switch
bundle 2 2 rw switch file
add-tlv-map 2 2 ro switch map
del-tlv-map 1 2 ro switch [map]
dump-tlv-map 1 1 ro switch
help 0 * ro
list-commands 0 * ro
parse-flow 1 1 rw
parse-flows 1 1 rw
parse-group 1 1 rw
parse-nx-match 0 0 rw
parse-nxm 0 0 rw
parse-oxm 1 1 rw
parse-actions 1 1 rw
parse-instructions 1 1 rw
parse-ofp10-match 0 0 rw
parse-ofp11-match 0 0 rw
parse-pcap 1 * rw
check-vlan 2 2 rw
print-error 1 1 rw
encode-error-reply 2 2 rw
ofp-print 1 2 rw
encode-hello 1 1 rw
parse-key-value 1 * rw
compose-packet 1 2 ro
parse-packet 0 0 ro
`;

export interface Command {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly writes: boolean;
  readonly usage: string;
}

/** All commands, in the order in which list-commands shows them. */
export const COMMANDS: readonly Command[] = ROWS.trim()
  .split('\n')
  .map((row) => {
    const [, name = '', least = '', most = '', mode = '', usage = ''] = /^(\S+) (\d+) (\S+) (r[ow]) ?(.*)$/.exec(row) ?? [];
    return { name, least: Number(least), most: most === '*' ? Number.POSITIVE_INFINITY : Number(most), writes: mode === 'rw', usage };
  });

/** The command of that name. */
export const commandNamed = (name: string): Command | undefined => COMMANDS.find((command) => command.name === name);
