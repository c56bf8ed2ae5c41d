// What the daemon may ask of the switch, and what it can read back. One `SwitchHost` a process; one `SwitchBridge` a bridge.
// The daemon reconciles the database to this interface and knows nothing of translation; the switch knows nothing of OVSDB.
import type { Clock } from '../base/clock.ts';
import type { Listener, Stream } from '../base/stream.ts';
import type { Datapath, DpPort, DpPortCounters, FlowId, UserspaceCookie } from '../datapath/datapath.ts';
import type { Key } from '../flow/key.ts';
import type { Action, OfPort, Subfield } from '../openflow/action.ts';
import type { OfVersion, Role } from '../openflow/message.ts';
import type { Bond, BondSettings } from '../protocols/bond.ts';
import type { TunnelConfig } from './translate/tunnel-config.ts';
import type { Underlay } from './underlay/underlay.ts';

/** The outside world, given to the switch by the composition root so that tests can give it another. */
export interface SwitchEnvironment {
  clock: Clock;
  /** Opens an active connection (`tcp:`, `ssl:`, `unix:`); rejects with KernelError. `dscp` marks its packets. */
  connect(target: string, dscp: number): Promise<Stream>;
  /** Listens on a passive one (`ptcp:`, `pssl:`, `punix:`). */
  listen(target: string, onStream: (stream: Stream) => void, dscp?: number): Promise<Listener>;
  /** Opens the datapath of a type, once. */
  openDatapath(type: string): Datapath;
  /** Turns a port's device on or off, as OFPPC_PORT_DOWN asks; what comes of it is told by `portLink`. */
  setPortUp?(name: string, kind: PortKind, isUp: boolean): void;
  /** What the host has counted of a device of its own since that was made; undefined when it has no such device. */
  deviceCounters?(name: string): DeviceCounters | undefined;
  /** Where simulated datapaths' tunnels find their way; without it they hand outer headers to the datapath. */
  underlay?: Underlay;
  /** The Ethernet address behind which the host reaches an IPv4 address, as far as it is known, or why there is no way. */
  nextHop?(address: number): readonly [number, number] | string | undefined;
  /** The folder for NAME.mgmt and NAME.snoop. */
  runDirectory: string;
}

export interface DeviceCounters extends DpPortCounters {
  collisions: bigint;
  rxOverErrors: bigint;
  rxCrcErrors: bigint;
  rxFrameErrors: bigint;
}

/** Where a frame with a datapath's key comes in, for `ofproto/trace`; or what of the key nobody knows. */
export type DpIngress = { bridge: SwitchBridge; port: OfPort } | 'recirculation' | 'tunnel' | 'port';

export interface SwitchHost {
  readonly environment: SwitchEnvironment;
  bridgeAdd(name: string, datapathType: string): SwitchBridge;
  bridge(name: string): SwitchBridge | undefined;
  bridges(): Iterable<SwitchBridge>;
  /** Datapaths in use, for dpctl and dpif commands. */
  datapaths(): Iterable<Datapath>;
  /** Settings of Open_vSwitch:other_config that the switch honours. */
  configure(settings: { maxIdleMs: number; flowLimit: number; maxRevalidatorMs: number; vlanLimit: number }): void;
  /** Closes everything. With `keepDevices` ports are left as they stand, for the next daemon to take over. `goesOn`: told of each port. */
  close(keepDevices?: boolean, goesOn?: () => void): Promise<void>;
  /** From now on misses wait, and what former processes left in datapaths stays as it is, until `takeOver`. */
  hold?(): void;
  /** The configuration stands: datapaths exchange what former processes left in them for what the flow tables say now. */
  takeOver?(): void;
  /** The datapath flow limit in force, for `upcall/show`. */
  readonly flowLimit?: number;
  /** How many VLAN tags are told (`other_config:vlan-limit`). */
  readonly vlanLimit?: number;
  /** The limit that `upcall/set-flow-limit` set, until the configuration sets another. */
  readonly flowLimitSet?: number | undefined;
  setFlowLimit?(limit: number): void;
  /** Whether flows match only what translation looked at, or the whole frame (`upcall/disable-megaflows`). */
  setMegaflows?(enabled: boolean): void;
  /** The bridge and its port that a key with a datapath's port in W.IN_PORT means. */
  ingress?(datapath: Datapath, key: Key): DpIngress;
  /** How many flows there were at the passes over them, and how long the last pass took. */
  upcallStats?(datapath: Datapath): { average: number; most: number; passMs: number };
  /** Deletes all megaflows (`revalidator/purge`). */
  purge?(): void;
  /** Megaflows stay as they are until it is taken back (`revalidator/pause`). */
  setPaused?(isPaused: boolean): void;
  /** Counts all traffic that has been forwarded (`revalidator/wait`). */
  settle?(): void;
  /** Resolves when frames meet all that has changed so far, or after `limitMs`. */
  caughtUp?(limitMs: number): Promise<void>;
  /** A flow was taken out of the datapath by hand. */
  flowDeleted?(datapath: Datapath, id: FlowId): void;
  /** A port of the datapath goes by another number from now on. */
  portRenumbered?(datapath: Datapath, from: number, to: number): void;
  /** What a userspace action asks for, as text inside `userspace(pid=0,...)`. */
  cookieText?(datapath: Datapath, cookie: UserspaceCookie): string;
}

/** A port of a bridge; `tunnel` are the options of a tunnel as they were read. */
export interface PortSummary {
  port: OfPort;
  name: string;
  kind: PortKind;
  /** Undefined for a patch port. */
  dpPort?: DpPort | undefined;
  tunnel?: TunnelConfig | undefined;
}

/** Where a station was. */
export interface MacPlace {
  port: OfPort;
  isStatic: boolean;
}

/** For `fdb/stats-show`. */
export interface MacStatistics {
  current: number;
  maximum: number;
  fixed: number;
  learned: number;
  expired: number;
  evicted: number;
  moved: number;
}

export interface BridgeSettings {
  datapathId: bigint;
  failMode: 'standalone' | 'secure';
  /** OpenFlow versions allowed. */
  versions: readonly OfVersion[];
  dpDescription: string;
  serialNumber: string;
  macAgingSec: number;
  macTableSize: number;
  forwardBpdu: boolean;
  floodVlans: readonly number[];
  /** MAC of the local port. */
  localMac: readonly [number, number];
  /** Managers that are reached in-band. */
  inBandManagers?: readonly string[];
  /** The queue for in-band control. */
  inBandQueue?: number | undefined;
  /** Packet-ins that may wait for a peer of the management socket; 100 when not given. */
  queueLength?: number;
}

/** What a port is made of, from Interface:type and options. Strings are what the user wrote where the switch has to interpret them. */
export type PortKind =
  | { kind: 'system' }
  | { kind: 'internal'; mac: readonly [number, number] | undefined; mtu: number | undefined }
  | { kind: 'patch'; peer: string }
  | { kind: 'dummy'; options?: ReadonlyMap<string, string> }
  | { kind: 'tunnel'; protocol: 'gre' | 'vxlan' | 'geneve'; options: ReadonlyMap<string, string> };

export interface PortRequest {
  name: string;
  port: PortKind;
  /** Wanted OpenFlow port number, or undefined for the switch to choose. */
  ofportRequest: OfPort | undefined;
  /** What the device layer knows of it once it is open, so that controllers hear of the port as it is. */
  link?(): PortLink | undefined;
}

export type VlanMode = 'access' | 'trunk' | 'native-tagged' | 'native-untagged' | 'dot1q-tunnel';

/** How several interfaces carry one port. */
export type BondRequest = BondSettings;

/** A port of the database: one interface, or several for a bond, with its place in the VLANs. */
export interface BundleRequest {
  name: string;
  members: readonly OfPort[];
  vlanMode: VlanMode;
  /** -1 = none */
  vlan: number;
  /** Empty = all. */
  trunks: readonly number[];
  cvlans: readonly number[];
  qinqEthertype: number;
  priorityTags: 'never' | 'if-nonzero' | 'always';
  protectedPort: boolean;
  /** Of a port with several interfaces. */
  bond?: BondRequest | undefined;
}

/** A mirror of the database, its ports named. */
export interface MirrorRequest {
  name: string;
  /** Names of bundles whose input, and whose output, is mirrored. */
  sources: readonly string[];
  destinations: readonly string[];
  /** Only these VLANs; empty = all. */
  vlans: readonly number[];
  /** Where to: a bundle, or else all bundles that carry `outputVlan`. */
  outputBundle: string | undefined;
  outputVlan: number;
  /** Bytes of each frame that are kept; 0 = all. */
  snaplen: number;
}

/** A row of Flow_Table. */
export interface FlowTableRequest {
  name: string;
  /** Undefined: no limit but the switch's own. */
  maxFlows: number | undefined;
  /** A full table ends a flow for a new one. */
  evicts: boolean;
  /** Values of these make the groups of which eviction takes from the largest. */
  groups: readonly Subfield[];
  /** Names of fields whose prefixes are tracked; undefined = the switch's choice. */
  prefixes: readonly string[] | undefined;
}

export interface ControllerRequest {
  target: string;
  type: 'primary' | 'service';
  maxBackoffMs: number;
  /** What connections probe with: 0, or at least 5000. */
  probeIntervalMs: number;
  /** What the user set, unclamped: a bridge fails open after three times this; `probeIntervalMs` when not given. */
  failOpenProbeMs?: number;
  rateLimit: number;
  burstLimit: number;
  /** Packet-ins that may wait for the peer to read. */
  queueLength: number;
  /** Differentiated services codepoint of the connection. */
  dscp: number;
  enableAsync: boolean;
  /** The bridge lets its connection through its own ports. */
  inBand?: boolean;
}

export interface ControllerStatus {
  target: string;
  isConnected: boolean;
  role: Role;
  /** Values for Controller:status: last_error, state, sec_since_connect, sec_since_disconnect. */
  status: ReadonlyMap<string, string>;
}

/** What the device layer knows of a port, pushed by the daemon when it changes, for port descriptions and port status messages. */
export interface PortLink {
  mac: readonly [number, number];
  isUp: boolean;
  hasCarrier: boolean;
  speedKbps: number;
  /** OpenFlow feature bits. */
  current: number;
  advertised: number;
  supported: number;
  peer: number;
  mtu: number;
}

/** A flow's text, or a key as a frame would have it, with the OpenFlow port in W.IN_PORT. */
export type TraceFlow = string | Key;

/** What `ofproto/trace` may be told besides the flow. */
export interface TraceOptions {
  /** ct_state after each connection tracking, in order; `trk|new` where there are no more. */
  ctNext?: readonly number[];
  /** Instead of table 0: what a packet-out would bring. */
  actions?: readonly Action[];
  /** Whether these have to fit the flow as OpenFlow 1.1 and later ask for. */
  isConsistent?: boolean;
  /** Names of the datapath's ports; ports are printed by name then, OpenFlow's too. */
  dpPortName?: (port: DpPort) => string;
}

export interface SwitchBridge {
  readonly name: string;
  readonly datapath: Datapath;
  configure(settings: BridgeSettings): void;
  /** Adds a port and opens its device. Rejects with ConfigError or KernelError; nothing is left behind then. */
  portAdd(request: PortRequest): Promise<OfPort>;
  portDelete(port: OfPort): Promise<void>;
  /** New tunnel options, patch peer, and so on, without closing the port where that is possible. */
  portChange(port: OfPort, kind: PortKind): Promise<void>;
  portLink(port: OfPort, link: PortLink): void;
  portNamed(name: string): OfPort | undefined;
  ports(): Iterable<PortSummary>;
  portCounters(port: OfPort): DpPortCounters | undefined;
  bundleSet(request: BundleRequest): void;
  bundleDelete(name: string): void;
  /** The bonds, for commands and the database; `run` looks at them anew after a command changed one. */
  bonds?(): Iterable<{ bond: Bond; mac(member: string): readonly [number, number] | undefined; run(): void }>;
  /** Makes the mirrors exactly these. */
  mirrorsSet?(requests: readonly MirrorRequest[]): void;
  /** What a mirror has sent, for Mirror:statistics. */
  mirrorCounters?(name: string): { packets: number; bytes: number } | undefined;
  /** Makes the settings of tables exactly these, by number. */
  flowTablesSet?(requests: ReadonlyMap<number, FlowTableRequest>): void;
  controllersSet(requests: readonly ControllerRequest[]): void;
  controllers(): Iterable<ControllerStatus>;
  /** Drops connections to controllers and opens them again. */
  reconnect?(): void;
  /** Opens NAME.mgmt and NAME.snoop; resolves when they accept connections. */
  listen(): Promise<void>;
  flushMacTable(): void;
  /** For `fdb/show`, rows already sorted as the reference prints them. */
  macTable(): Iterable<{ port: OfPort; portName: string; vlan: number; mac: readonly [number, number]; ageSec: number }>;
  /**
   * For `ofproto/trace`: a flow's text or a key with the OpenFlow port in it, and a frame, 'generate' for one that the flow describes, or
   * undefined; gives the text to print. Throws ConfigError.
   */
  trace(flow: TraceFlow, frame: Uint8Array | 'generate' | undefined, options?: TraceOptions): string;
  /** Flows as `bridge/dump-flows` lists them, hidden and internal ones too. */
  dumpFlows?(showsOffload?: boolean): string;
  /** How many flows the tables hold, for `memory/show`. */
  ruleCount?(): number;
  macStatistics?(): MacStatistics;
  clearMacStatistics?(): void;
  /** Puts a station that does not age; gives what this puts an end to, undefined when there is no such port. */
  macAdd?(portName: string, vlan: number, mac: readonly [number, number]): MacPlace | 'unchanged' | undefined;
  /** Removes such a station; false when there is none. */
  macDelete?(vlan: number, mac: readonly [number, number]): boolean;
  /** Ends the bridge; with `keepPorts` without deleting its ports. */
  close(keepPorts?: boolean, goesOn?: () => void): Promise<void>;
}
