// ovs-vswitchd: the composition root of the switch daemon. Makes the parts, joins them, and takes them down in order.

import { parseIpv4, parseIpv6 } from '../../base/addresses.ts';
import { runCoverage } from '../../base/coverage.ts';
import { ConfigError } from '../../base/errors.ts';
import type { OptionSpec } from '../../base/getopt.ts';
import { logger } from '../../base/log.ts';
import type { Datapath } from '../../datapath/datapath.ts';
import { openSystemDatapath } from '../../datapath/ebpf/system-datapath.ts';
import { DummyDatapath } from '../../datapath/userspace/dummy.ts';
import { NetdevDatapath, openNetdevDatapath } from '../../datapath/userspace/netdev.ts';
import { runDir } from '../../host/directories.ts';
import { closeEthtool } from '../../host/ethtool.ts';
import { LinkTable } from '../../host/netlink/links.ts';
import { nextHop } from '../../host/netlink/next-hop.ts';
import { CAPABILITY } from '../../host/process-user.ts';
import { realClock } from '../../host/real-clock.ts';
import { connectStream } from '../../host/sockets/socket.ts';
import { listenPolled } from '../../host/sockets/socket-polled.ts';
import { keysFromOptions, setTlsKeys } from '../../host/sockets/tls-keys.ts';
import { takeDebugActions } from '../../openflow/codec/actions/action-codec.ts';
import { connectIdl } from '../../ovsdb/client/replica.ts';
import { mixedServers } from '../../ovsdb/client/servers.ts';
import type { SwitchEnvironment } from '../../switch/contract.ts';
import { openSwitchHost } from '../../switch/host.ts';
import { Underlay } from '../../switch/underlay/underlay.ts';
import { activeUsage, daemonUsage, PKI_USAGE } from '../plumbing/options.ts';
import { type DaemonContext, runDaemon } from '../plumbing/plumbing.ts';
import { Reconciler } from '../reconcile/reconcile.ts';
import type { WantedOptions } from '../reconcile/wanted.ts';
import { WarpClock } from './clock.ts';
import { registerBridgeCommands } from './commands/bridge-commands.ts';
import { registerDatapathCommands } from './commands/datapath-commands.ts';
import { speakAs } from './commands/dpctl-fault.ts';
import { receiveFrame, registerDummyCommands } from './commands/dummy-commands.ts';
import { registerFrameCommands } from './commands/frame-path-commands.ts';
import { registerProcessCommands } from './commands/process-commands.ts';
import { registerProtocolCommands } from './commands/protocol-commands.ts';
import { registerTraceCommands } from './commands/trace-commands.ts';
import { registerUnderlayCommands } from './commands/underlay-commands.ts';
import { DeviceTable } from './devices.ts';
import { DummyWires } from './dummy-wires.ts';
import { HostNetwork } from './host-network.ts';
import { ConfigurationLoop } from './loop.ts';
import { SpareDatapaths } from './spare-datapaths.ts';
import { takeSslKeys } from './ssl-keys.ts';

const log = logger('vswitchd');
const OPENFLOW_PORT = 6653;
/** Interface types that exist only because `--enable-dummy=override` makes dummies of them. */
const SIMULATED_TYPES = ['afxdp', 'afxdp-nonpmd', 'bareudp', 'erspan', 'gtpu', 'ip6erspan', 'lisp', 'stt'];

const OPTIONS: readonly OptionSpec[] = [
  { name: 'mlockall' },
  { name: 'enable-dummy', argument: 'optional' },
  { name: 'disable-system' },
  { name: 'disable-system-route' },
];

function usage(): string {
  return `ovs-vswitchd: Open vSwitch daemon
usage: ovs-vswitchd [OPTIONS] [DATABASE]
where DATABASE is a socket on which ovsdb-server is listening
      (default: "unix:${runDir()}/db.sock").

${activeUsage('DATABASE')}${PKI_USAGE}${daemonUsage('ovs-vswitchd')}
DPDK options:
Configuration of DPDK via command-line is removed from this
version of Open vSwitch. DPDK is configured through ovsdb.

Other options:
  --unixctl=SOCKET          override default control socket name
  -h, --help                display this help message
  -V, --version             display version information
`;
}

/** Columns that the daemon reads or writes; others, like external_ids, it never sees. */
const TABLES: ReadonlyMap<string, 'all' | readonly string[]> = new Map<string, 'all' | readonly string[]>([
  [
    'Open_vSwitch',
    ['ssl', 'bridges', 'next_cfg', 'cur_cfg', 'other_config', 'datapath_types', 'iface_types', 'dpdk_initialized', 'dpdk_version'],
  ],
  [
    'Bridge',
    [
      'name',
      'ports',
      'controller',
      'fail_mode',
      'datapath_type',
      'datapath_id',
      'datapath_version',
      'stp_enable',
      'rstp_enable',
      'mcast_snooping_enable',
      'netflow',
      'sflow',
      'ipfix',
      'auto_attach',
      'flood_vlans',
      'mirrors',
      'flow_tables',
      'other_config',
      'protocols',
      'status',
    ],
  ],
  ['Mirror', 'all'],
  ['Manager', ['target', 'connection_mode']],
  ['QoS', ['type']],
  ['Flow_Table', 'all'],
  [
    'Port',
    [
      ...[
        'name',
        'interfaces',
        'lacp',
        'tag',
        'trunks',
        'cvlans',
        'vlan_mode',
        'fake_bridge',
        'mac',
        'protected',
        'qos',
        'other_config',
        'status',
      ],
      ...['bond_mode', 'bond_updelay', 'bond_downdelay', 'bond_active_slave'],
    ],
  ],
  [
    'Interface',
    [
      'name',
      'type',
      'options',
      'ofport_request',
      'ofport',
      'mac',
      'mtu_request',
      'error',
      'admin_state',
      'link_state',
      'link_resets',
      'link_speed',
      'duplex',
      'mac_in_use',
      'mtu',
      'ifindex',
      'lacp_current',
      'bfd',
      'cfm_mpid',
      'ingress_policing_rate',
      'ingress_policing_kpkts_rate',
      'status',
      'statistics',
    ],
  ],
  ['SSL', ['private_key', 'certificate', 'ca_cert', 'bootstrap_ca_cert']],
  [
    'Controller',
    [
      'target',
      'type',
      'max_backoff',
      'inactivity_probe',
      'controller_rate_limit',
      'controller_burst_limit',
      'controller_queue_size',
      'enable_async_messages',
      'connection_mode',
      'other_config',
      'is_connected',
      'role',
      'status',
    ],
  ],
]);

/** An address as on the wire. */
function addressBytes(text: string): Uint8Array | undefined {
  const ipv4 = parseIpv4(text);
  if (ipv4 !== undefined) return Uint8Array.of(ipv4 >>> 24, ipv4 >>> 16, ipv4 >>> 8, ipv4);
  const ipv6 = parseIpv6(text);
  return ipv6 === undefined ? undefined : Uint8Array.from(ipv6.flatMap((word) => [word >>> 24, word >>> 16, word >>> 8, word]));
}

/** The options of all simulated devices. */
function dummyOptions(reconciler: Reconciler): Map<string, ReadonlyMap<string, string>> {
  const found = new Map<string, ReadonlyMap<string, string>>();
  for (const live of reconciler.bridges.values()) {
    for (const { name, kind } of live.ports.values())
      if (kind.kind === 'dummy' && kind.options !== undefined) found.set(name, kind.options);
  }
  return found;
}

async function start(context: DaemonContext): Promise<void> {
  if (context.operands.length > 1) context.fatal('at most one non-option argument accepted; use --help for usage');
  const remote = context.operands[0] ?? `unix:${runDir()}/db.sock`;
  const dummyOption = context.options.find((option) => option.name === 'enable-dummy');
  const hasDummy = dummyOption !== undefined;
  if (hasDummy) takeDebugActions();
  const wantedOptions: WantedOptions = {
    dummy: hasDummy,
    dummyOverride: dummyOption?.value === 'override',
    dummySystem: dummyOption?.value === 'override' || dummyOption?.value === 'system',
    runDirectory: runDir(),
  };
  speakAs(context.program, context.log.subprogram);
  const clock = hasDummy ? new WarpClock(realClock) : realClock;
  const devices = new DeviceTable(new LinkTable());
  const dummies = new Set<DummyDatapath>();
  const wires = new DummyWires({
    connect: (target) => connectStream(target),
    listen: (target, onStream) => listenPolled(target, onStream),
    after: (ms, fn) => realClock.after(ms, fn),
    receive: (device, frame) => receiveFrame({ dummies, wires }, device, frame),
  });
  const network = new HostNetwork(devices, () => underlay.routes.onChange?.());
  const underlay = new Underlay(() => clock.now(), network);
  if (!context.options.some((option) => option.name === 'disable-system-route')) underlay.routes.source = network;
  const openDatapath = (type: string, name?: string): Datapath => {
    if (type === 'dummy' || wantedOptions.dummyOverride) {
      const datapath = new DummyDatapath(clock, name ?? `ovs-${type}`, type);
      datapath.setSentSink(({ port, frame }) => {
        const device = datapath.portName(port);
        if (device === undefined) return;
        wires.sent(device, frame);
        const reply = devices.dummyReply(device, frame);
        if (reply !== undefined) queueMicrotask(() => receiveFrame({ dummies, wires }, device, reply));
      });
      dummies.add(datapath);
      return datapath;
    }
    if (type === 'system') return openSystemDatapath(true, runDir());
    if (type === 'netdev') return name === undefined ? openNetdevDatapath(type, true) : new NetdevDatapath(type, name);
    throw new ConfigError('Address family not supported by protocol');
  };
  const environment: SwitchEnvironment = {
    clock,
    connect: (target, dscp) => connectStream(target, OPENFLOW_PORT, dscp),
    listen: (target, onStream, dscp) => listenPolled(target, onStream, { defaultPort: OPENFLOW_PORT, dscp }),
    openDatapath: (type) => openDatapath(type),
    setPortUp: (name, kind, isUp) => devices.setUp(name, kind, isUp),
    deviceCounters: (name) => devices.counters(name),
    nextHop: wantedOptions.dummySystem ? () => 'Operation not supported' : nextHop,
    underlay,
    runDirectory: runDir(),
  };
  const host = openSwitchHost(environment);
  const datapathTypes = [...(hasDummy ? ['dummy'] : []), 'netdev', 'system'];
  const interfaceTypes = [
    ...(hasDummy ? ['dummy', 'dummy-internal', 'dummy-pmd'] : []),
    ...(wantedOptions.dummyOverride ? SIMULATED_TYPES : []),
    'geneve',
    'gre',
    'internal',
    'ip6gre',
    'patch',
    'system',
    'tap',
    'vxlan',
  ];
  const spare = new SpareDatapaths(datapathTypes, interfaceTypes, openDatapath, (datapath) => {
    if (datapath instanceof DummyDatapath) dummies.delete(datapath);
  });
  const reconciler = new Reconciler(host, devices, datapathTypes, `Open vSwitch (${runDir()})`);
  setTlsKeys(keysFromOptions(context.options));
  const idl = connectIdl(
    { remotes: mixedServers(remote), database: 'Open_vSwitch', tables: TABLES, lock: 'ovs_vswitchd' },
    { connect: (target) => connectStream(target), clock: realClock },
  );
  // Before the loop hears of a change, so that the controllers it connects find the keys.
  idl.onChange(() => takeSslKeys(idl));
  const loop = new ConfigurationLoop({
    host,
    idl,
    clock,
    reconciler,
    devices,
    wantedOptions,
    datapathTypes,
    interfaceTypes,
    tunnelEgress: (options) => devices.egress(addressBytes(options.get('remote_ip') ?? '')),
    onConfigured: () => wires.configure(dummyOptions(reconciler)),
    onReady: () => context.ready(),
  });
  const rows = (table: string) => idl.rows(table);
  const { dummyOverride: isOverridden } = wantedOptions;
  const parts = { unixctl: context.unixctl, host, reconciler, devices, loop, clock, rows, isOverridden, spare };
  registerBridgeCommands(parts);
  registerTraceCommands(parts);
  registerDatapathCommands(parts);
  registerProcessCommands(parts);
  registerProtocolCommands(parts);
  registerUnderlayCommands({ ...parts, underlay });
  registerFrameCommands(parts);
  if (clock instanceof WarpClock) registerDummyCommands({ ...parts, clock, dummies, wires });
  const stopCoverage = runCoverage(realClock);
  context.onExit(async ({ args, goesOn }) => {
    stopCoverage();
    await loop.stop();
    wires.close();
    idl.close();
    // Without --cleanup the host keeps its devices, addresses and routes for the next daemon.
    await spare.closeAll();
    await host.close(!args.includes('--cleanup'), goesOn);
    network.close();
    devices.close();
    closeEthtool();
    log.dbg('all parts are down');
  });
  loop.start();
}

/** Runs the daemon. */
export function runVswitchd(argv: readonly string[]): Promise<number | undefined> {
  // Devices and raw sockets, and eBPF.
  const { NET_ADMIN, NET_RAW, NET_BROADCAST, BPF, PERFMON } = CAPABILITY;
  const capabilities = [NET_ADMIN, NET_RAW, NET_BROADCAST, BPF, PERFMON];
  return runDaemon({ program: 'ovs-vswitchd', options: OPTIONS, usage, exitUsage: '[--cleanup]', exitArgs: 1, capabilities, start }, argv);
}
