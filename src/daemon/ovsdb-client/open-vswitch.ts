// The tables of database Open_vSwitch, version 8.3.1. Made by `weft schema-types`: do not edit.
import type { Integer } from '../../ovsdb/client/typed.ts';

/** The columns of table AutoAttach. */
export interface AutoAttachColumns {
  readonly mappings: ReadonlyMap<Integer, Integer>;
  readonly system_description: string;
  readonly system_name: string;
}

/** The columns of table Bridge. */
export interface BridgeColumns {
  readonly auto_attach: string | undefined;
  readonly controller: readonly string[];
  readonly datapath_id: string | undefined;
  readonly datapath_type: string;
  readonly datapath_version: string;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly fail_mode: 'secure' | 'standalone' | undefined;
  readonly flood_vlans: readonly Integer[];
  readonly flow_tables: ReadonlyMap<Integer, string>;
  readonly ipfix: string | undefined;
  readonly mcast_snooping_enable: boolean;
  readonly mirrors: readonly string[];
  readonly name: string;
  readonly netflow: string | undefined;
  readonly other_config: ReadonlyMap<string, string>;
  readonly ports: readonly string[];
  readonly protocols: readonly ('OpenFlow10' | 'OpenFlow11' | 'OpenFlow12' | 'OpenFlow13' | 'OpenFlow14' | 'OpenFlow15')[];
  readonly rstp_enable: boolean;
  readonly rstp_status: ReadonlyMap<string, string>;
  readonly sflow: string | undefined;
  readonly status: ReadonlyMap<string, string>;
  readonly stp_enable: boolean;
}

/** The columns of table CT_Timeout_Policy. */
export interface CTTimeoutPolicyColumns {
  readonly external_ids: ReadonlyMap<string, string>;
  readonly timeouts: ReadonlyMap<
    | 'icmp_first'
    | 'icmp_reply'
    | 'tcp_close'
    | 'tcp_close_wait'
    | 'tcp_established'
    | 'tcp_fin_wait'
    | 'tcp_last_ack'
    | 'tcp_retransmit'
    | 'tcp_syn_recv'
    | 'tcp_syn_sent'
    | 'tcp_syn_sent2'
    | 'tcp_time_wait'
    | 'tcp_unack'
    | 'udp_first'
    | 'udp_multiple'
    | 'udp_single',
    Integer
  >;
}

/** The columns of table CT_Zone. */
export interface CTZoneColumns {
  readonly external_ids: ReadonlyMap<string, string>;
  readonly timeout_policy: string | undefined;
}

/** The columns of table Controller. */
export interface ControllerColumns {
  readonly connection_mode: 'in-band' | 'out-of-band' | undefined;
  readonly controller_burst_limit: Integer | undefined;
  readonly controller_queue_size: Integer | undefined;
  readonly controller_rate_limit: Integer | undefined;
  readonly enable_async_messages: boolean | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly inactivity_probe: Integer | undefined;
  readonly is_connected: boolean;
  readonly local_gateway: string | undefined;
  readonly local_ip: string | undefined;
  readonly local_netmask: string | undefined;
  readonly max_backoff: Integer | undefined;
  readonly other_config: ReadonlyMap<string, string>;
  readonly role: 'master' | 'other' | 'slave' | undefined;
  readonly status: ReadonlyMap<string, string>;
  readonly target: string;
  readonly type: 'primary' | 'service' | undefined;
}

/** The columns of table Datapath. */
export interface DatapathColumns {
  readonly capabilities: ReadonlyMap<string, string>;
  readonly ct_zones: ReadonlyMap<Integer, string>;
  readonly datapath_version: string;
  readonly external_ids: ReadonlyMap<string, string>;
}

/** The columns of table Flow_Sample_Collector_Set. */
export interface FlowSampleCollectorSetColumns {
  readonly bridge: string;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly id: Integer;
  readonly ipfix: string | undefined;
}

/** The columns of table Flow_Table. */
export interface FlowTableColumns {
  readonly external_ids: ReadonlyMap<string, string>;
  readonly flow_limit: Integer | undefined;
  readonly groups: readonly string[];
  readonly name: string | undefined;
  readonly overflow_policy: 'evict' | 'refuse' | undefined;
  readonly prefixes: readonly string[];
}

/** The columns of table IPFIX. */
export interface IPFIXColumns {
  readonly cache_active_timeout: Integer | undefined;
  readonly cache_max_flows: Integer | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly obs_domain_id: Integer | undefined;
  readonly obs_point_id: Integer | undefined;
  readonly other_config: ReadonlyMap<string, string>;
  readonly sampling: Integer | undefined;
  readonly targets: readonly string[];
}

/** The columns of table Interface. */
export interface InterfaceColumns {
  readonly admin_state: 'down' | 'up' | undefined;
  readonly bfd: ReadonlyMap<string, string>;
  readonly bfd_status: ReadonlyMap<string, string>;
  readonly cfm_fault: boolean | undefined;
  readonly cfm_fault_status: readonly string[];
  readonly cfm_flap_count: Integer | undefined;
  readonly cfm_health: Integer | undefined;
  readonly cfm_mpid: Integer | undefined;
  readonly cfm_remote_mpids: readonly Integer[];
  readonly cfm_remote_opstate: 'down' | 'up' | undefined;
  readonly duplex: 'full' | 'half' | undefined;
  readonly error: string | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly ifindex: Integer | undefined;
  readonly ingress_policing_burst: Integer;
  readonly ingress_policing_kpkts_burst: Integer;
  readonly ingress_policing_kpkts_rate: Integer;
  readonly ingress_policing_rate: Integer;
  readonly lacp_current: boolean | undefined;
  readonly link_resets: Integer | undefined;
  readonly link_speed: Integer | undefined;
  readonly link_state: 'down' | 'up' | undefined;
  readonly lldp: ReadonlyMap<string, string>;
  readonly mac: string | undefined;
  readonly mac_in_use: string | undefined;
  readonly mtu: Integer | undefined;
  readonly mtu_request: Integer | undefined;
  readonly name: string;
  readonly ofport: Integer | undefined;
  readonly ofport_request: Integer | undefined;
  readonly options: ReadonlyMap<string, string>;
  readonly other_config: ReadonlyMap<string, string>;
  readonly statistics: ReadonlyMap<string, Integer>;
  readonly status: ReadonlyMap<string, string>;
  readonly type: string;
}

/** The columns of table Manager. */
export interface ManagerColumns {
  readonly connection_mode: 'in-band' | 'out-of-band' | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly inactivity_probe: Integer | undefined;
  readonly is_connected: boolean;
  readonly max_backoff: Integer | undefined;
  readonly other_config: ReadonlyMap<string, string>;
  readonly status: ReadonlyMap<string, string>;
  readonly target: string;
}

/** The columns of table Mirror. */
export interface MirrorColumns {
  readonly external_ids: ReadonlyMap<string, string>;
  readonly name: string;
  readonly output_port: string | undefined;
  readonly output_vlan: Integer | undefined;
  readonly select_all: boolean;
  readonly select_dst_port: readonly string[];
  readonly select_src_port: readonly string[];
  readonly select_vlan: readonly Integer[];
  readonly snaplen: Integer | undefined;
  readonly statistics: ReadonlyMap<string, Integer>;
}

/** The columns of table NetFlow. */
export interface NetFlowColumns {
  readonly active_timeout: Integer;
  readonly add_id_to_interface: boolean;
  readonly engine_id: Integer | undefined;
  readonly engine_type: Integer | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly targets: readonly string[];
}

/** The columns of table Open_vSwitch. */
export interface OpenVSwitchColumns {
  readonly bridges: readonly string[];
  readonly cur_cfg: Integer;
  readonly datapath_types: readonly string[];
  readonly datapaths: ReadonlyMap<string, string>;
  readonly db_version: string | undefined;
  readonly dpdk_initialized: boolean;
  readonly dpdk_version: string | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly iface_types: readonly string[];
  readonly manager_options: readonly string[];
  readonly next_cfg: Integer;
  readonly other_config: ReadonlyMap<string, string>;
  readonly ovs_version: string | undefined;
  readonly ssl: string | undefined;
  readonly statistics: ReadonlyMap<string, string>;
  readonly system_type: string | undefined;
  readonly system_version: string | undefined;
}

/** The columns of table Port. */
export interface PortColumns {
  readonly bond_active_slave: string | undefined;
  readonly bond_downdelay: Integer;
  readonly bond_fake_iface: boolean;
  readonly bond_mode: 'active-backup' | 'balance-slb' | 'balance-tcp' | undefined;
  readonly bond_updelay: Integer;
  readonly cvlans: readonly Integer[];
  readonly external_ids: ReadonlyMap<string, string>;
  readonly fake_bridge: boolean;
  readonly interfaces: readonly string[];
  readonly lacp: 'active' | 'off' | 'passive' | undefined;
  readonly mac: string | undefined;
  readonly name: string;
  readonly other_config: ReadonlyMap<string, string>;
  readonly protected: boolean;
  readonly qos: string | undefined;
  readonly rstp_statistics: ReadonlyMap<string, Integer>;
  readonly rstp_status: ReadonlyMap<string, string>;
  readonly statistics: ReadonlyMap<string, Integer>;
  readonly status: ReadonlyMap<string, string>;
  readonly tag: Integer | undefined;
  readonly trunks: readonly Integer[];
  readonly vlan_mode: 'access' | 'dot1q-tunnel' | 'native-tagged' | 'native-untagged' | 'trunk' | undefined;
}

/** The columns of table QoS. */
export interface QoSColumns {
  readonly external_ids: ReadonlyMap<string, string>;
  readonly other_config: ReadonlyMap<string, string>;
  readonly queues: ReadonlyMap<Integer, string>;
  readonly type: string;
}

/** The columns of table Queue. */
export interface QueueColumns {
  readonly dscp: Integer | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly other_config: ReadonlyMap<string, string>;
}

/** The columns of table SSL. */
export interface SSLColumns {
  readonly bootstrap_ca_cert: boolean;
  readonly ca_cert: string;
  readonly certificate: string;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly private_key: string;
}

/** The columns of table sFlow. */
export interface SFlowColumns {
  readonly agent: string | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly header: Integer | undefined;
  readonly polling: Integer | undefined;
  readonly sampling: Integer | undefined;
  readonly targets: readonly string[];
}

/** The tables of database Open_vSwitch. */
export interface OpenVSwitch {
  readonly AutoAttach: AutoAttachColumns;
  readonly Bridge: BridgeColumns;
  readonly CT_Timeout_Policy: CTTimeoutPolicyColumns;
  readonly CT_Zone: CTZoneColumns;
  readonly Controller: ControllerColumns;
  readonly Datapath: DatapathColumns;
  readonly Flow_Sample_Collector_Set: FlowSampleCollectorSetColumns;
  readonly Flow_Table: FlowTableColumns;
  readonly IPFIX: IPFIXColumns;
  readonly Interface: InterfaceColumns;
  readonly Manager: ManagerColumns;
  readonly Mirror: MirrorColumns;
  readonly NetFlow: NetFlowColumns;
  readonly Open_vSwitch: OpenVSwitchColumns;
  readonly Port: PortColumns;
  readonly QoS: QoSColumns;
  readonly Queue: QueueColumns;
  readonly SSL: SSLColumns;
  readonly sFlow: SFlowColumns;
}
