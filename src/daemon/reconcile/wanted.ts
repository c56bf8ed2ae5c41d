// The database's rows as what the switch should be: names resolved, defaults filled in, faults of the user turned into text for
// Interface:error. Pure; knows nothing of devices. Facts: ovs-vswitchd.conf.db(5).
import { parseMac } from '../../base/addresses.ts';
import { hashOrder } from '../../base/hash-order.ts';
import { OFPP } from '../../openflow/action.ts';
import type { OfVersion } from '../../openflow/message.ts';
import type { Atom, IdlRow } from '../../ovsdb/client/idl.ts';
import type { BondRequest, BundleRequest, ControllerRequest, PortKind, VlanMode } from '../../switch/contract.ts';
import { socketFault } from './controller-sockets.ts';
import { type WantedFlowTable, wantedFlowTables } from './flow-table-rows.ts';
import { type WantedMirror, wantedMirrors } from './mirrors.ts';
import { checkPatch, checkTunnel } from './tunnel.ts';

export type Mac = readonly [number, number];

/** Just what reading needs of the IDL. */
export interface RowSource {
  rows(table: string): ReadonlyMap<string, IdlRow>;
  row(table: string, uuid: string): IdlRow | undefined;
}

export interface WantedInterface {
  /** Undefined for a local port that the database does not mention. */
  row: IdlRow | undefined;
  name: string;
  /** Interface:type with the defaults applied: `system`, `internal`, `tap`, `patch`, `gre`, ... */
  type: string;
  /** Undefined when `error` says why it cannot be had. */
  kind: PortKind | undefined;
  error: string;
  warnings: readonly string[];
  ofportRequest: number | undefined;
  /** What the database says it had last time, to come back to after a restart. */
  ofportBefore: number | undefined;
  /** Interface:mac. */
  mac: Mac | undefined;
  /** The address that the database says it had last time. */
  macBefore: Mac | undefined;
  mtuRequest: number | undefined;
}

export interface WantedPort {
  row: IdlRow | undefined;
  name: string;
  interfaces: WantedInterface[];
  bundle: Omit<BundleRequest, 'members'>;
  fakeBridge: boolean;
  /** Port:mac, which only takes part in the choice of the bridge's address. */
  mac: Mac | undefined;
}

export interface WantedBridge {
  row: IdlRow;
  name: string;
  datapathType: string;
  /** The local port first, then by name. */
  ports: WantedPort[];
  /** Names of the ports in the order in which they are taken up. */
  order: readonly string[];
  hwaddr: Mac | undefined;
  datapathId: bigint | undefined;
  failMode: 'standalone' | 'secure';
  versions: readonly OfVersion[];
  dpDescription: string;
  serialNumber: string;
  macAgingSec: number;
  macTableSize: number;
  forwardBpdu: boolean;
  floodVlans: readonly number[];
  inBandManagers: readonly string[];
  inBandQueue: number | undefined;
  /** Packet-ins that may wait for a peer of the management socket, and for controllers whose rows say nothing. */
  queueLength: number;
  controllers: { row: IdlRow; request: ControllerRequest }[];
  mirrors: WantedMirror[];
  /** By table number. */
  flowTables: ReadonlyMap<number, WantedFlowTable>;
}

export interface Wanted {
  root: IdlRow | undefined;
  bridges: Map<string, WantedBridge>;
  settings: { maxIdleMs: number; flowLimit: number; maxRevalidatorMs: number; vlanLimit: number };
  statsIntervalMs: number;
  /** Flow tables are being restored from outside (`other_config:flow-restore-wait`): what forwards now is to be left alone. */
  isRestoring: boolean;
  /** Faults that belong to no interface, for the log. */
  faults: string[];
}

export interface WantedOptions {
  /** Whether datapath type dummy and interface type dummy exist. */
  dummy: boolean;
  /** --enable-dummy=override and =system: other datapaths, and system devices, become dummies too. */
  dummyOverride: boolean;
  dummySystem: boolean;
  /** Where controllers' sockets may be. */
  runDirectory: string;
}

const versionNumbers = new Map<string, OfVersion>([
  ['OpenFlow10', 1],
  ['OpenFlow11', 2],
  ['OpenFlow12', 3],
  ['OpenFlow13', 4],
  ['OpenFlow14', 5],
  ['OpenFlow15', 6],
]);
const allVersions: readonly OfVersion[] = [1, 2, 3, 4, 5, 6];

/** Marks control traffic: CS6. */
const DEFAULT_DSCP = 48;
/** Packet-ins that wait for a peer that does not read. */
const PACKET_QUEUE_LENGTH = 100;

const text = (value: Atom | undefined): string => (value === undefined ? '' : String(value));

/** An integer from a map of strings, `fallback` when it is absent or no number, forced into the range. */
export function integerOption(
  map: ReadonlyMap<Atom, Atom>,
  key: string,
  fallback: number,
  low = 0,
  high = Number.MAX_SAFE_INTEGER,
): number {
  const value = map.get(key);
  if (typeof value !== 'string' || !/^\s*[+-]?\d+\s*$/.test(value)) return fallback;
  return Math.min(high, Math.max(low, Number(value)));
}

/** What is out of its range is as if it had not been set. */
const within = (value: number, low: number, high: number, fallback: number): number => (value >= low && value <= high ? value : fallback);

function strings(map: ReadonlyMap<Atom, Atom>): ReadonlyMap<string, string> {
  return new Map([...map].map(([key, value]) => [String(key), String(value)]));
}

function numbers(row: IdlRow, column: string): number[] {
  return row
    .set(column)
    .map(Number)
    .sort((a, b) => a - b);
}

function unicast(mac: Mac | undefined): Mac | undefined {
  return mac !== undefined && (mac[0] & 0x01000000) === 0 && (mac[0] !== 0 || mac[1] !== 0) ? mac : undefined;
}

/** other_config:datapath-id: `0x` and up to 16 hex digits, or exactly 16; not zero. */
export function parseDatapathId(value: string): bigint | undefined {
  const digits = /^0[xX]([0-9a-fA-F]{1,16})$/.exec(value)?.[1] ?? /^([0-9a-fA-F]{16})$/.exec(value)?.[1];
  const id = digits === undefined ? 0n : BigInt(`0x${digits}`);
  return id === 0n ? undefined : id;
}

/** Types that are dummies with `--enable-dummy=override`; their options mean nothing then. */
const OVERRIDDEN: ReadonlySet<string> = new Set(
  'afxdp afxdp-nonpmd bareudp dummy-pmd erspan geneve gre gtpu ip6erspan ip6gre lisp stt vxlan'.split(' '),
);

/** The kind of port that an Interface asks for, or why it cannot be had. */
function portKind(
  name: string,
  type: string,
  options: ReadonlyMap<string, string>,
  wantedOptions: WantedOptions,
  dummyPath: boolean,
): { kind?: PortKind; error: string; warnings: readonly string[] } {
  const good = (kind: PortKind, warnings: readonly string[] = []) => ({ kind, error: '', warnings });
  if (wantedOptions.dummyOverride && OVERRIDDEN.has(type)) return good({ kind: 'dummy', options });
  switch (type) {
    case 'system':
      return good(wantedOptions.dummySystem ? { kind: 'dummy', options } : { kind: 'system' });
    case 'internal':
    case 'tap':
      return good(dummyPath ? { kind: 'dummy', options } : { kind: 'internal', mac: undefined, mtu: undefined });
    case 'patch': {
      const { error, warnings } = checkPatch(name, options);
      return error === '' ? good({ kind: 'patch', peer: options.get('peer') ?? '' }, warnings) : { error, warnings };
    }
    case 'gre':
    case 'ip6gre':
    case 'vxlan':
    case 'geneve': {
      const { error, warnings } = checkTunnel(name, type, options);
      const protocol = type === 'ip6gre' ? 'gre' : type;
      return error === '' ? good({ kind: 'tunnel', protocol, options }, warnings) : { error, warnings };
    }
    case 'dummy':
    case 'dummy-internal':
      if (wantedOptions.dummy) return good({ kind: 'dummy', options });
  }
  return {
    error: `could not open network device ${name} (Address family not supported by protocol)`,
    warnings: [`could not create netdev ${name} of unknown type ${type}`],
  };
}

/** Names of the reference's datapaths, one of each type. */
function isReserved(name: string, { dummy }: WantedOptions): boolean {
  return name === 'ovs-netdev' || name === 'ovs-system' || (dummy && name === 'ovs-dummy');
}

function wantedInterface(row: IdlRow, bridgeName: string, options: WantedOptions, dummyPath: boolean): WantedInterface {
  const name = text(row.scalar('name'));
  const declared = text(row.scalar('type'));
  const type = name === bridgeName ? 'internal' : declared === '' ? 'system' : declared;
  const found = isReserved(name, options)
    ? { kind: undefined, error: '', warnings: [`could not create interface ${name}, name is reserved`] }
    : portKind(name, type, strings(row.map('options')), options, dummyPath);
  const request = row.optional('ofport_request');
  const before = row.optional('ofport');
  const mtu = row.optional('mtu_request');
  return {
    row,
    name,
    type,
    kind: found.kind,
    error: found.error,
    warnings: found.warnings,
    ofportRequest: name === bridgeName ? OFPP.LOCAL : request === undefined ? undefined : Number(request),
    ofportBefore: before !== undefined && Number(before) > 0 && Number(before) < OFPP.MAX ? Number(before) : undefined,
    mac: unicast(parseMac(text(row.optional('mac')))),
    macBefore: unicast(parseMac(text(row.optional('mac_in_use')))),
    mtuRequest: mtu === undefined ? undefined : Number(mtu),
  };
}

/** Port's VLAN columns as the switch takes them; see conf.db(5) "VLAN Configuration". */
export function vlanBundle(row: IdlRow): Omit<BundleRequest, 'members'> {
  const tag = row.optional('tag');
  const mode = text(row.optional('vlan_mode')) as VlanMode | '';
  const vlanMode: VlanMode = mode !== '' ? mode : tag !== undefined ? 'access' : 'trunk';
  const vlan = vlanMode === 'trunk' ? -1 : Number(tag ?? 0);
  let trunks = vlanMode === 'access' || vlanMode === 'dot1q-tunnel' ? [] : numbers(row, 'trunks');
  // A native VLAN is always trunked.
  if (vlan >= 0 && trunks.length > 0 && !trunks.includes(vlan)) trunks = [...trunks, vlan].sort((a, b) => a - b);
  const other = row.map('other_config');
  const tags = text(other.get('priority-tags'));
  return {
    name: text(row.scalar('name')),
    vlanMode,
    vlan,
    trunks,
    cvlans: vlanMode === 'dot1q-tunnel' ? numbers(row, 'cvlans') : [],
    qinqEthertype: text(other.get('qinq-ethtype')) === '802.1q' ? 0x8100 : 0x88a8,
    priorityTags: tags === 'always' ? 'always' : tags === 'if-nonzero' || tags === 'true' ? 'if-nonzero' : 'never',
    protectedPort: row.scalar('protected') === true,
    bond: bondRequest(row),
  };
}

const hasLacp = (row: IdlRow): boolean => !['', 'off'].includes(text(row.optional('lacp')));

/** Whether a Port asks for QoS; without a type, and of type `linux-noop`, it asks for nothing. `find` gives rows of QoS. */
export function hasQos(find: (uuid: string) => IdlRow | undefined, port: IdlRow): boolean {
  const qos = port.optional('qos');
  const type = qos === undefined ? '' : text(find(String(qos))?.optional('type'));
  return type !== '' && type !== 'linux-noop';
}

/** What of an Interface's wishes is not built. */
function absentOf(row: IdlRow | undefined): string[] {
  if (row === undefined) return [];
  const isPoliced = ['ingress_policing_rate', 'ingress_policing_kpkts_rate'].some((column) => Number(row.optional(column) ?? 0) !== 0);
  return [
    ...(isPoliced ? ['ingress policing'] : []),
    ...(row.map('bfd').get('enable') === 'true' ? ['BFD'] : []),
    ...(row.optional('cfm_mpid') !== undefined ? ['CFM'] : []),
  ];
}

/** Columns of Bridge that ask for what is not built. */
const BRIDGE_PROTOCOLS = [
  ['stp_enable', 'STP'],
  ['rstp_enable', 'RSTP'],
  ['mcast_snooping_enable', 'multicast snooping'],
  ['netflow', 'NetFlow'],
  ['sflow', 'sFlow'],
  ['ipfix', 'IPFIX'],
] as const;

/** How the interfaces of a port are bonded; taken up where there are several. */
function bondRequest(row: IdlRow): BondRequest {
  const other = row.map('other_config');
  const number = (value: Atom | undefined): number => Number.parseInt(text(value), 10) || 0;
  const mode = text(row.optional('bond_mode'));
  return {
    mode: hasLacp(row) || (mode !== 'balance-slb' && mode !== 'balance-tcp') ? 'active-backup' : mode,
    updelayMs: Math.max(0, Number(row.scalar('bond_updelay') ?? 0)),
    downdelayMs: Math.max(0, Number(row.scalar('bond_downdelay') ?? 0)),
    hashBasis: number(other.get('bond-hash-basis')) >>> 0,
    primary: text(other.get('bond-primary')),
    takesAllByAll: text(other.get('all-members-active')) === 'true',
    fallsBack: text(other.get('lacp-fallback-ab')) === 'true',
  };
}

function localPort(name: string, dummyPath: boolean): WantedPort {
  return {
    row: undefined,
    name,
    interfaces: [
      {
        row: undefined,
        name,
        type: 'internal',
        kind: dummyPath ? { kind: 'dummy' } : { kind: 'internal', mac: undefined, mtu: undefined },
        error: '',
        warnings: [],
        ofportRequest: OFPP.LOCAL,
        ofportBefore: undefined,
        mac: undefined,
        macBefore: undefined,
        mtuRequest: undefined,
      },
    ],
    bundle: {
      name,
      vlanMode: 'trunk',
      vlan: -1,
      trunks: [],
      cvlans: [],
      qinqEthertype: 0x88a8,
      priorityTags: 'never',
      protectedPort: false,
    },
    fakeBridge: false,
    mac: undefined,
  };
}

/** The reference counts seconds here. */
const wholeSeconds = (ms: number): number => Math.trunc(ms / 1000) * 1000;

function wantedController(row: IdlRow, isOutOfBand: boolean, bridgeQueueLength: number): ControllerRequest {
  const target = text(row.scalar('target'));
  const passive = /^p(tcp|ssl|unix):/.test(target);
  const type = text(row.optional('type'));
  const whole = (column: string, fallback: number): number => Number(row.optional(column) ?? fallback);
  const rateLimit = Math.max(0, whole('controller_rate_limit', 0));
  const probe = row.optional('inactivity_probe');
  return {
    target,
    type: type === 'primary' || type === 'service' ? type : passive ? 'service' : 'primary',
    maxBackoffMs: Math.max(1000, wholeSeconds(whole('max_backoff', 8000))),
    probeIntervalMs: probe === undefined ? 5000 : wholeSeconds(Number(probe)) === 0 ? 0 : Math.max(5000, wholeSeconds(Number(probe))),
    failOpenProbeMs: probe === undefined ? 5000 : Math.max(0, Number(probe)),
    rateLimit,
    burstLimit: rateLimit === 0 ? 0 : Math.max(rateLimit >> 2, whole('controller_burst_limit', rateLimit >> 2)),
    queueLength: whole('controller_queue_size', bridgeQueueLength),
    dscp: within(integerOption(row.map('other_config'), 'dscp', DEFAULT_DSCP), 0, 63, DEFAULT_DSCP),
    enableAsync: row.optional('enable_async_messages') !== false,
    inBand: !isOutOfBand && row.optional('connection_mode') !== 'out-of-band',
  };
}

function wantedBridge(source: RowSource, row: IdlRow, options: WantedOptions, seen: Map<string, string>, faults: string[]): WantedBridge {
  const name = text(row.scalar('name'));
  const declared = text(row.scalar('datapath_type'));
  const datapathType = declared === '' ? 'system' : declared;
  const dummyPath = options.dummyOverride || datapathType === 'dummy';
  const other = row.map('other_config');
  const ports: WantedPort[] = [];
  const absent = BRIDGE_PROTOCOLS.flatMap(([column, what]) =>
    (row.optional(column) ?? false) !== false ? [`${what} of bridge ${name}`] : [],
  );
  for (const uuid of row.set('ports')) {
    const portRow = source.row('Port', String(uuid));
    if (portRow === undefined) continue;
    const portName = text(portRow.scalar('name'));
    const interfaces: WantedInterface[] = [];
    for (const interfaceUuid of portRow.set('interfaces')) {
      const interfaceRow = source.row('Interface', String(interfaceUuid));
      if (interfaceRow === undefined) continue;
      const wanted = wantedInterface(interfaceRow, name, options, dummyPath);
      // A device belongs to one port of one bridge; the first bridge by name has it.
      const owner = seen.get(wanted.name);
      if (owner !== undefined) {
        faults.push(`bridge ${name}: interface ${wanted.name} is already in bridge ${owner}`);
        continue;
      }
      seen.set(wanted.name, name);
      interfaces.push(wanted);
    }
    if (interfaces.length === 0) continue;
    interfaces.sort((a, b) => (a.name < b.name ? -1 : 1));
    if (interfaces.length > 1 && hasLacp(portRow))
      faults.push(`ignoring LACP of port ${portName}, which is not built in this version: one link at a time carries it`);
    if (hasQos((uuid) => source.row('QoS', uuid), portRow)) absent.push(`QoS of port ${portName}`);
    for (const one of interfaces) absent.push(...absentOf(one.row).map((what) => `${what} of interface ${one.name}`));
    ports.push({
      row: portRow,
      name: portName,
      interfaces,
      bundle: vlanBundle(portRow),
      fakeBridge: portRow.scalar('fake_bridge') === true,
      mac: unicast(parseMac(text(portRow.optional('mac')))),
    });
  }
  for (const what of absent) faults.push(`ignoring ${what}, which is not built in this version`);
  // Every bridge has a local port, whether the database says so or not.
  if (!ports.some((port) => port.name === name) && !seen.has(name)) {
    seen.set(name, name);
    ports.push(localPort(name, dummyPath));
  }
  const byRow = [...ports].sort((a, b) => ((a.row?.uuid ?? '~') < (b.row?.uuid ?? '~') ? -1 : 1));
  const order = hashOrder(byRow.map((port) => port.name));
  ports.sort((a, b) => (a.name === name ? -1 : b.name === name ? 1 : a.name < b.name ? -1 : 1));
  const hwaddrText = text(other.get('hwaddr'));
  const hwaddr = parseMac(hwaddrText);
  if (hwaddr !== undefined && unicast(hwaddr) === undefined) {
    faults.push(`bridge ${name}: cannot set MAC address to ${hwaddr[0] === 0 && hwaddr[1] === 0 ? 'zero' : 'multicast'}`);
  }
  const isOutOfBand = other.get('disable-in-band') === 'true';
  const queue = integerOption(other, 'in-band-queue', -1);
  const managers = isOutOfBand
    ? []
    : [...source.rows('Manager').values()].filter((one) => one.optional('connection_mode') !== 'out-of-band');
  const queueLength = within(integerOption(other, 'controller-queue-size', PACKET_QUEUE_LENGTH), 1, 512, PACKET_QUEUE_LENGTH);
  const controllers = row
    .set('controller')
    .map((uuid) => source.row('Controller', String(uuid)))
    .filter((controller) => controller !== undefined)
    .filter((controller) => {
      const fault = socketFault(name, text(controller.scalar('target')), options.runDirectory);
      if (fault !== undefined) faults.push(fault);
      return fault === undefined;
    })
    .map((controller) => ({ row: controller, request: wantedController(controller, isOutOfBand, queueLength) }))
    .sort((a, b) => (a.request.target < b.request.target ? -1 : 1));
  const versions = row.set('protocols').flatMap((protocol) => versionNumbers.get(String(protocol)) ?? []);
  return {
    row,
    name,
    datapathType,
    ports,
    order,
    hwaddr: unicast(hwaddr),
    datapathId: parseDatapathId(text(other.get('datapath-id'))),
    failMode: row.optional('fail_mode') === 'secure' ? 'secure' : 'standalone',
    versions: versions.length === 0 ? allVersions : versions.sort((a, b) => a - b),
    dpDescription: text(other.get('dp-desc')) === '' ? 'None' : text(other.get('dp-desc')),
    serialNumber: text(other.get('dp-sn')) === '' ? 'None' : text(other.get('dp-sn')),
    macAgingSec: integerOption(other, 'mac-aging-time', 300, 15, 3600),
    macTableSize: integerOption(other, 'mac-table-size', 8192, 10, 1_000_000),
    forwardBpdu: other.get('forward-bpdu') === 'true',
    floodVlans: numbers(row, 'flood_vlans'),
    inBandManagers: managers.map((one) => text(one.scalar('target'))).sort(),
    inBandQueue: queue < 0 ? undefined : queue,
    queueLength,
    controllers,
    mirrors: wantedMirrors(
      source,
      row,
      ports.map((port) => port.name),
      faults,
    ),
    flowTables: wantedFlowTables(source, row),
  };
}

/** Everything that the database wants. */
export function readWanted(source: RowSource, options: WantedOptions): Wanted {
  const root = source.rows('Open_vSwitch').values().next().value;
  const other: ReadonlyMap<Atom, Atom> = root?.map('other_config') ?? new Map();
  const faults: string[] = [];
  const bridges = new Map<string, WantedBridge>();
  const rows = (root?.set('bridges') ?? []).map((uuid) => source.row('Bridge', String(uuid))).filter((row) => row !== undefined);
  rows.sort((a, b) => (text(a.scalar('name')) < text(b.scalar('name')) ? -1 : 1));
  const seen = new Map<string, string>();
  for (const row of rows) {
    const name = text(row.scalar('name'));
    if (/[/\\]/.test(name)) {
      // The name becomes a file name in the run directory.
      faults.push(`ignoring bridge with invalid name "${name}"`);
      continue;
    }
    bridges.set(name, wantedBridge(source, row, options, seen, faults));
  }
  return {
    root,
    bridges,
    settings: {
      maxIdleMs: integerOption(other, 'max-idle', 10000, 500),
      flowLimit: integerOption(other, 'flow-limit', 200000, 0),
      maxRevalidatorMs: integerOption(other, 'max-revalidator', 500, 100),
      vlanLimit: integerOption(other, 'vlan-limit', 1, 0, 2),
    },
    statsIntervalMs: integerOption(other, 'stats-update-interval', 5000, 5000),
    isRestoring: other.get('flow-restore-wait') === 'true',
    faults,
  };
}
