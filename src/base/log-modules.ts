// Open vSwitch's log modules. A name of these is accepted by -v and vlog/set even where no part of ours logs under it yet.

/** Every program of Open vSwitch's has these. */
const COMMON =
  'backtrace bundle command_line conntrack conntrack_tp coverage ct_dpif dns_resolve dpdk dpif dpif_lookup_autovalidator ' +
  'dpif_lookup_generic dpif_mfex_extract_study dpif_netdev dpif_netdev_extract dpif_netdev_impl dpif_netdev_lookup dpif_netlink ' +
  'dpif_netlink_rtnl entropy fatal_signal flow hmap ipf jsonrpc meta_flow native_tnl netdev netdev_afxdp netdev_linux ' +
  'netdev_offload netdev_offload_tc netdev_vport netlink netlink_conntrack netlink_notifier netlink_socket nx_match odp_execute ' +
  'odp_execute_impl odp_util ofp_actions ofp_bundle ofp_connection ofp_errors ofp_flow ofp_group ofp_match ofp_meter ofp_monitor ' +
  'ofp_msgs ofp_packet ofp_port ofp_protocol ofp_queue ofp_table ofp_util ovs_numa ovs_rcu ovs_replay ovs_router ovs_thread ' +
  'ovsdb_cs ovsdb_error ovsdb_idl ox_stat pmd_perf poll_loop reconnect route_table sha1 signals socket_util socket_util_unix ' +
  'stream stream_fd stream_replay stream_ssl stream_tcp stream_unix svec tc timeval unixctl userspace_tso util uuid vlog';

/** And these have the programs before them (`PROGRAM --verbose=MODULE` of Open vSwitch 3.1, asked for each). */
const OTHERS: readonly (readonly [programs: string, modules: string])[] = [
  [
    'ovs-vswitchd',
    'bfd bond bridge bundles cfm collectors connmgr fail_open in_band ipfix lacp lldp lldpd lldpd_structs netdev_dummy netflow ' +
      'ofproto ofproto_dpif ofproto_dpif_mirror ofproto_dpif_monitor ofproto_dpif_rid ofproto_dpif_upcall ofproto_dpif_xlate ' +
      'ofproto_xlate_cache ovs_lldp rstp rstp_sm sflow stp system_stats tunnel vswitchd',
  ],
  ['ovs-appctl ovsdb-client ovsdb-server ovs-ofctl ovs-vswitchd ovs-testcontroller', 'daemon daemon_unix'],
  ['ovs-testcontroller', 'learning_switch'],
  ['ovs-appctl ovsdb-client ovsdb-tool ovsdb-server ovs-ofctl ovs-vswitchd ovs-testcontroller', 'lockfile'],
  ['ovsdb-server ovs-vswitchd', 'memory'],
  ['ovs-ofctl', 'ofctl'],
  [
    'ovsdb-client ovsdb-tool ovsdb-server',
    'ovsdb ovsdb_file ovsdb_jsonrpc_server ovsdb_log ovsdb_monitor ovsdb_rbac ovsdb_util raft raft_rpc storage transaction ' +
      'transaction_forward trigger',
  ],
  ['ovsdb-client', 'ovsdb_client'],
  ['ovsdb-server', 'ovsdb_server relay replication'],
  ['ovs-ofctl ovs-vswitchd', 'pcap'],
  ['ovs-vsctl ovs-appctl ovsdb-client ovsdb-server ovs-ofctl ovs-vswitchd ovs-testcontroller', 'process'],
  ['ovs-vswitchd ovs-testcontroller', 'rconn'],
  ['ovs-vsctl ovs-ofctl ovs-vswitchd ovs-testcontroller', 'vconn vconn_stream'],
  ['ovs-vsctl', 'vsctl'],
];

/** Of programs that are not among these nothing is known: they have every module. */
const PROGRAMS: ReadonlySet<string> = new Set(['ovs-dpctl', ...OTHERS.flatMap(([programs]) => programs.split(' '))]);

/** The modules of a program, and those that others have and it does not. */
export function modulesOf(program: string): { own: readonly string[]; foreign: ReadonlySet<string> } {
  const has = ([programs]: readonly [string, string]): boolean => !PROGRAMS.has(program) || programs.split(' ').includes(program);
  const words = (lists: typeof OTHERS): string[] => lists.flatMap(([, modules]) => modules.split(' '));
  return { own: [...COMMON.split(' '), ...words(OTHERS.filter(has))], foreign: new Set(words(OTHERS.filter((list) => !has(list)))) };
}
