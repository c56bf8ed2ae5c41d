// What a bridge answers to each request of a peer. A request is applied before `serve` returns; a refusal is a PeerError whose code is
// the OpenFlow error's name. Long replies are given back in parts for the session to write as the peer reads.
import { PeerError } from '../../base/errors.ts';
import { OPEN_VSWITCH_VERSION } from '../../base/version.ts';
import { OFPP } from '../../openflow/action.ts';
import { echoReplyTo } from '../../openflow/channel/echo.ts';
import { NX_VENDOR, ONF_VENDOR } from '../../openflow/codec/actions/action-constants.ts';
import { decodeMessage, encodeMessage } from '../../openflow/codec/codec.ts';
import { withResetCounts } from '../../openflow/codec/flow-flags.ts';
import { requireConsistentFlow } from '../../openflow/flow-mod-check.ts';
import type { FlowMod, FlowStatsRequest, Framed, Message, OfVersion, PacketOut, PortDesc } from '../../openflow/message.ts';
import { messageForm } from '../../openflow/message-table.ts';
import { TLV_FIELDS, TLV_SPACE } from '../../openflow/tlv-table.ts';
import { getAsyncReply, setAsync } from './openflow-async.ts';
import { groupFeatures } from './openflow-group-features.ts';
import { type Encode, replyParts } from './openflow-multipart.ts';
import type { OpenFlowSession } from './openflow-session.ts';
import { bundleControl, checkBundled, packetOutStep, requireMapped, requireNoBuffer, requireOwnFields } from './openflow-steps.ts';
import { tableFeatures } from './openflow-table-features.ts';

const ALL_QUEUES = 0xffffffff;
/** What a role reply says before there is a generation. */
const NO_GENERATION = 0xffffffffffffffffn;
const DEFAULT_MISS_SEND_LENGTH = 128;
/** Of OpenFlow 1.0. */
const OFPT_MULTIPART_REQUEST = 18;
const OFPT_STATS_REQUEST = 16;
const OFPT_EXPERIMENTER = 4;
const NXST_IPFIX_BRIDGE = 3;
const NXST_IPFIX_FLOW = 4;
/** Vendors' messages that change the switch: Nicira's flow and group mod and TLV table mod; the ONF's bundles. */
const NX_CHANGES: ReadonlySet<number> = new Set([13, 31, 24]);
const ONF_CHANGES: ReadonlySet<number> = new Set([2300, 2301]);
const NO_CHANGES: ReadonlySet<number> = new Set();

/** OFPC_FRAG_MASK, and the flag of OpenFlow 1.1 and 1.2 (an extension of 1.0). */
const FRAG_MASK = 3;
const INVALID_TTL_TO_CONTROLLER = 4;

type AggregateSums = ReturnType<OpenFlowSession['core']['aggregate']>;

/** What a request is answered with: nothing, one message (sent by `serve`), or parts. */
type Answer = Iterator<Uint8Array> | undefined;

/** Serves one request; the reply is sent, or given back in parts. */
export function serve(session: OpenFlowSession, request: Framed, bytes: Uint8Array): Answer {
  const { core, version } = session;
  const { xid, message } = request;
  switch (message.kind) {
    case 'flowMod':
      session.countFlowMod(message.command);
      // OpenFlow 1.0 and 1.1 have no flag for it: there an addition always begins to count anew.
      if (version <= 2 && message.command === 'add') message.flags = withResetCounts(message.flags);
      checkFlowMod(session, message);
      core.flowMod(message, session);
      return undefined;
    case 'bundleAdd':
      addToBundle(session, message, bytes);
      return undefined;
    case 'barrierRequest':
      core.catchUp?.();
      session.send({ kind: 'barrierReply' }, xid);
      return undefined;
    default:
      return serveOther(session, request, bytes);
  }
}

/** Those that come seldom. */
function serveOther(session: OpenFlowSession, request: Framed, bytes: Uint8Array): Answer {
  const { core, version } = session;
  const { xid, message } = request;
  const reply = (answer: Message): undefined => void session.send(answer, xid);
  // Statistics come back in the form they were asked for: OpenFlow 1.0's own, or Nicira's.
  const isVendorStats = version === 1 && bytes[1] === OFPT_STATS_REQUEST && bytes[8] === 0xff && bytes[9] === 0xff;
  const encode: Encode = (answer) => session.encode(answer, xid, isVendorStats);
  // Nicira's role request has a reply of its own, the same in all versions.
  const vendorReply = (answer: Message): undefined => {
    const part = encodeMessage(1, xid, answer);
    part[0] = version;
    return void session.channel.sendBytes(part);
  };
  switch (message.kind) {
    case 'echoRequest':
      session.channel.sendBytes(echoReplyTo(bytes));
      return undefined;
    case 'echoReply':
      return undefined;
    case 'featuresRequest':
      return reply(features(session));
    case 'getConfigRequest':
      return reply({ kind: 'getConfigReply', flags: configFlags(session), missSendLength: session.missSendLength });
    case 'setConfig':
      setConfig(session, message.flags, message.missSendLength);
      return undefined;
    case 'bundleControl':
      return bundleControl(session, request, bytes);
    case 'groupMod':
      core.groupMod(message, session);
      return undefined;
    case 'groupDescRequest':
      return replyParts(core.groupDescs(message.group), (groups, more) => ({ kind: 'groupDescReply', groups, more }), encode);
    case 'groupStatsRequest':
      return replyParts(core.groupStats(message.group), (groups, more) => ({ kind: 'groupStatsReply', groups, more }), encode);
    case 'meterMod':
      core.meterMod(message, session);
      return undefined;
    case 'meterConfigRequest':
      return replyParts(core.meterConfigs(message.meter), (meters, more) => ({ kind: 'meterConfigReply', meters, more }), encode);
    case 'meterStatsRequest':
      return replyParts(core.meterStats(message.meter), (meters, more) => ({ kind: 'meterStatsReply', meters, more }), encode);
    case 'meterFeaturesRequest':
      return reply({ kind: 'meterFeaturesReply', features: core.meterFeatures() });
    case 'groupFeaturesRequest':
      return reply({ kind: 'groupFeaturesReply', features: groupFeatures(version) });
    case 'packetOut':
      packetOut(session, message);
      return undefined;
    case 'portMod':
      core.portMod(message);
      return undefined;
    case 'tableMod':
      tableMod(session, message);
      return undefined;
    case 'roleRequest':
      if (bytes[1] === OFPT_EXPERIMENTER) return role(session, message.role, undefined, vendorReply);
      // One with all bits set is a generation like others.
      return role(session, message.role, message.generationId ?? NO_GENERATION, reply);
    case 'setAsync':
      setAsync(session.async, version, message.masks, version >= 5 && bytes[1] !== OFPT_EXPERIMENTER);
      // A service that says what it wants to hear wants to hear something.
      if (session.settings.kind === 'service' && session.missSendLength === 0) session.missSendLength = DEFAULT_MISS_SEND_LENGTH;
      session.hub.onInterest();
      return undefined;
    case 'getAsyncRequest':
      return reply({ kind: 'getAsyncReply', masks: getAsyncReply(session.async) });
    case 'setPacketInFormat':
      if (message.format < 0 || message.format > 2) throw new PeerError('OFPBRC_EPERM', `packet-in format ${message.format}`);
      session.channel.options.packetInFormat = message.format;
      return undefined;
    case 'setFlowFormat':
      if (version > 1) throw new PeerError('OFPBRC_BAD_SUBTYPE', 'flow format is of OpenFlow 1.0');
      if (message.format !== 0 && message.format !== 2) throw new PeerError('OFPBRC_EPERM', `flow format ${message.format}`);
      session.channel.options.nxFlows = message.format === 2;
      return undefined;
    case 'flowModTableId':
      session.channel.options.flowModTableId = message.enabled;
      return undefined;
    case 'flowAge':
      // It was for counters of old; the reference takes it without a word.
      return undefined;
    case 'setControllerId':
      requirePadding(bytes);
      session.controllerId = message.controllerId;
      session.hub.onInterest();
      return undefined;
    case 'descRequest':
      return reply({
        kind: 'descReply',
        manufacturer: 'Nicira, Inc.',
        hardware: 'Open vSwitch',
        software: OPEN_VSWITCH_VERSION,
        serial: core.settings.serialNumber === '' ? 'None' : core.settings.serialNumber,
        datapath: core.settings.dpDescription === '' ? 'None' : core.settings.dpDescription,
        more: false,
      });
    case 'flowStatsRequest':
      return flowStats(session, message.request, encode);
    case 'aggregateRequest':
      return replyParts([core.aggregate(message.request)], ([sums]) => ({ kind: 'aggregateReply', ...(sums as AggregateSums) }), encode);
    case 'tableStatsRequest':
      return replyParts(core.tableStats(), (tables, more) => ({ kind: 'tableStatsReply', tables, more }), encode);
    case 'resume':
      core.resume?.(message, version);
      return undefined;
    case 'tlvTableMod':
      tlvTableMod(core, message);
      return undefined;
    case 'tlvTableRequest':
      return reply({ kind: 'tlvTableReply', maxSpace: TLV_SPACE, maxFields: TLV_FIELDS, maps: core.tlvTable?.maps() ?? [] });
    case 'flowMonitorRequest':
      return replyParts(
        session.monitors.request(message.requests),
        (updates, more) => ({ kind: 'flowMonitorReply', updates, more }),
        encode,
      );
    case 'flowMonitorCancel':
      session.monitors.cancel(message.id);
      return undefined;
    case 'tableDescRequest':
      return replyParts(core.tableDescs?.() ?? [], (tables, more) => ({ kind: 'tableDescReply', tables, more }), encode);
    case 'queueConfigRequest':
      return queueConfig(session, message, encode);
    case 'ctFlushZone':
      requirePadding(bytes);
      core.flushConnections?.(message);
      return undefined;
    case 'ctFlush':
      core.flushConnections?.(message);
      return undefined;
    case 'portStatsRequest':
      return replyParts(portStats(session, message.port), (ports, more) => ({ kind: 'portStatsReply', ports, more }), encode);
    case 'portDescRequest':
      return replyParts(portDescs(session, message.port), (ports, more) => ({ kind: 'portDescReply', ports, more }), encode);
    case 'queueStatsRequest':
      return replyParts(
        queueStats(session, message.port, message.queue),
        (queues, more) => ({ kind: 'queueStatsReply', queues, more }),
        encode,
      );
    case 'ipfixBridgeRequest':
    case 'ipfixFlowRequest':
      throw new PeerError('NXST_NOT_CONFIGURED', 'no IPFIX exporter');
    case 'tableFeaturesRequest':
      // Only asking is allowed, as in the reference: what tables can do is not for controllers to change.
      if (bytes.length > 16) throw new PeerError('OFPTFFC_EPERM', 'table features cannot be set');
      return tableFeatures(version, xid, core.tableStats());
    case 'unknown':
      throw new PeerError(unknownCode(message.type, message.experimenter, message.subtype, version), `message type ${message.type}`);
    default:
      // Replies, and what only a switch sends.
      throw new PeerError('OFPBRC_BAD_TYPE', `${message.kind} from a controller`);
  }
}

/** What only a switch says: the reference does not look into it. */
const FROM_SWITCHES =
  / reply$|^OFPT_(HELLO|FEATURES_REPLY|GET_CONFIG_REPLY|PACKET_IN|FLOW_REMOVED|PORT_STATUS|BARRIER_REPLY|QUEUE_GET_CONFIG_REPLY|ROLE_REPLY|GET_ASYNC_REPLY|ROLE_STATUS|TABLE_STATUS|REQUESTFORWARD)$|^NXT_(ROLE_REPLY|FLOW_REMOVED|PACKET_IN2?|FLOW_MONITOR_(PAUSED|RESUMED)|TLV_TABLE_REPLY)$|^ONFT_(ROLE_STATUS|FLOW_MONITOR_(PAUSED|RESUMED))$/;

/** Whether a message that could not be decoded is at least one that switches serve; one that is no message at all counts as that. */
export function isForSwitches(bytes: Uint8Array): boolean {
  try {
    return !FROM_SWITCHES.test(messageForm(bytes).name);
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    return true;
  }
}

/** Refuses what a secondary controller may not ask; the body is not looked at. */
export function refuseSecondary(session: OpenFlowSession, bytes: Uint8Array): void {
  if (session.role !== 'secondary' || !changesTheSwitch(bytes, session.version)) return;
  throw new PeerError('OFPBRC_IS_SECONDARY', 'a secondary controller may only look');
}

/** Whether a message by its type is packet-out, flow, group, port, table or meter mod, or a vendor's form of one. */
function changesTheSwitch(bytes: Uint8Array, version: OfVersion): boolean {
  const type = bytes[1] ?? 0;
  if (type === 13 || type === 14 || type === 15) return true;
  if (version >= 2 && (type === 16 || type === 17)) return true;
  if (version >= 4 && type === 29) return true;
  // OFPT_BUNDLE_CONTROL and OFPT_BUNDLE_ADD_MESSAGE.
  if (version >= 5 && (type === 33 || type === 34)) return true;
  if (type !== 4 || bytes.length < 16) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return (view.getUint32(8) === NX_VENDOR ? NX_CHANGES : view.getUint32(8) === ONF_VENDOR ? ONF_CHANGES : NO_CHANGES).has(
    view.getUint32(12),
  );
}

/** Six bytes behind a vendor's subtype that must be zero. Who prints such a message does not mind. */
function requirePadding(bytes: Uint8Array): void {
  if (bytes.subarray(16, 22).some((byte) => byte !== 0)) throw new PeerError('NXBRC_MUST_BE_ZERO', 'padding is not zero');
}

/** OFPC_* of ofp_switch_features: flow, table, port and queue statistics, then what each version adds. */
function capabilities(version: OfVersion): number {
  if (version === 1) return 0xc7; // with ARP_MATCH_IP
  if (version === 2) return 0xcf; // with GROUP_STATS and ARP_MATCH_IP
  return version >= 5 ? 0x24f : 0x4f; // from 1.4 on with BUNDLES
}

function features(session: OpenFlowSession): Message {
  const { core, version } = session;
  const message: Extract<Message, { kind: 'featuresReply' }> = {
    kind: 'featuresReply',
    datapathId: core.settings.datapathId,
    buffers: 0,
    tables: core.tableCount,
    auxiliaryId: 0,
    capabilities: capabilities(version),
    actions: version === 1 ? 0xfff : 0,
  };
  if (version < 4) message.ports = core.portDescs().slice(0, maxPorts(version));
  return message;
}

/** Ports that fit a features reply; the rest can only be had by a port description request. */
function maxPorts(version: OfVersion): number {
  return Math.floor((0xffff - 32) / (version === 1 ? 48 : 64));
}

function setConfig(session: OpenFlowSession, flags: number, missSendLength: number): void {
  const known = session.version < 4 ? FRAG_MASK | INVALID_TTL_TO_CONTROLLER : FRAG_MASK;
  if ((flags & ~known) !== 0) throw new PeerError('OFPSCFC_BAD_FLAGS', `flags 0x${flags.toString(16)}`);
  // Fragments are the bridge's matter, the rest is the connection's. Reassembly (2) is not to be had.
  if ((flags & FRAG_MASK) !== 2) {
    session.hub.fragFlags = flags & FRAG_MASK;
    session.core.setFragments?.((['normal', 'drop', 'normal', 'match'] as const)[flags & FRAG_MASK] ?? 'normal');
  }
  session.missSendLength = missSendLength;
  if (session.version < 4) session.async.setInvalidTtl((flags & INVALID_TTL_TO_CONTROLLER) !== 0);
  session.hub.onInterest();
}

function addToBundle(session: OpenFlowSession, add: Extract<Message, { kind: 'bundleAdd' }>, bytes: Uint8Array): void {
  if (add.decoded instanceof PeerError) throw add.decoded;
  const message = add.decoded ?? decodeMessage(add.inner, session.channel.options).message;
  if (message.kind === 'flowMod') checkFlowMod(session, message);
  else if (message.kind === 'packetOut') packetOutStep(message, session.version);
  checkBundled(message, session.core.tableCount);
  session.bundles.add(add.bundleId, add.flags, message, bytes);
}

/** What can be said against a flow mod without looking at the tables. */
function checkFlowMod(session: OpenFlowSession, mod: FlowMod): void {
  requireMapped(mod.actions, session.core.tlvTable);
  requireConsistentFlow(mod, session.version);
  checkBundled(mod, session.core.tableCount);
  requireOwnFields(mod);
  requireNoBuffer(mod);
}

/** Flows are described part by part. */
function flowStats({ core }: OpenFlowSession, request: FlowStatsRequest, encode: Encode): Answer {
  const list = core.flowRows?.(request);
  if (list === undefined) return replyParts([...core.flows(request)], (flows, more) => ({ kind: 'flowStatsReply', flows, more }), encode);
  return replyParts(list.rows, (rows, more) => ({ kind: 'flowStatsReply', flows: rows.map((row) => list.describe(row)), more }), encode);
}

function tlvTableMod(core: OpenFlowSession['core'], { command, maps }: Extract<Message, { kind: 'tlvTableMod' }>): void {
  const { tlvTable } = core;
  if (tlvTable === undefined) return;
  if (command === 'add') {
    tlvTable.add(maps);
    return;
  }
  const going = command === 'delete' ? maps.map(({ field }) => field) : tlvTable.maps().map((map) => map.field);
  const isUsed = going.length > 0 && core.isOptionUsed?.(new Set(going));
  if (isUsed) throw new PeerError('NXTTMFC_INVALID_TLV_DEL', 'a flow matches or changes the field');
  if (command === 'delete') tlvTable.remove(maps);
  else tlvTable.clear();
}

function packetOut(session: OpenFlowSession, message: PacketOut): void {
  session.core.packetOut(packetOutStep(message, session.version));
}

function tableMod(session: OpenFlowSession, message: Extract<Message, { kind: 'tableMod' }>): void {
  const { table, missConfig, settings } = message;
  const step = { kind: 'tableMod', table, miss: tableMiss(missConfig, session.version) } as const;
  session.core.tableMod(settings === undefined ? step : { ...step, settings });
}

/** Ports without queues have one all the same, number 0, as in the reference. */
function queueConfig(session: OpenFlowSession, request: Extract<Message, { kind: 'queueConfigRequest' }>, encode: Encode): Answer {
  const { core, version } = session;
  const { port, queue } = request;
  const isAll = port === OFPP.NONE;
  if (!isAll && core.portDesc(port) === undefined) throw new PeerError('OFPQOFC_BAD_PORT', `port ${port}`);
  const found = core.queueConfigs?.(isAll ? OFPP.NONE : port) ?? [];
  const queues = found.filter((one) => queue === ALL_QUEUES || one.queue === queue);
  if (queues.length === 0 && queue !== ALL_QUEUES) throw new PeerError('OFPQOFC_BAD_QUEUE', `queue ${queue}`);
  if (version < 5) return replyParts([queues], ([all]) => ({ kind: 'queueConfigReply', port, queues: all ?? [], more: false }), encode);
  return replyParts(queues, (part, more) => ({ kind: 'queueConfigReply', port, queues: part, more }), encode);
}

function tableMiss(config: number, version: OfVersion): 'controller' | 'continue' | 'drop' | undefined {
  // OFPTC_TABLE_MISS_* of OpenFlow 1.1 and 1.2; OpenFlow 1.3 on has nothing here.
  return version >= 4 ? undefined : (['controller', 'continue', 'drop', 'controller'] as const)[config & 3];
}

function role(
  session: OpenFlowSession,
  wanted: OpenFlowSession['role'],
  generationId: bigint | undefined,
  reply: (answer: Message) => undefined,
): undefined {
  const { hub } = session;
  if (wanted !== 'nochange') {
    if (generationId !== undefined && wanted !== 'equal') {
      // Signed distance, so that the id may wrap around: OpenFlow 1.3.5 section 6.3.6.
      if (hub.generationId !== undefined && BigInt.asIntN(64, generationId - hub.generationId) < 0n) {
        throw new PeerError('OFPRRFC_STALE', `generation ${generationId} is older than ${hub.generationId}`);
      }
      hub.generationId = generationId;
    }
    session.role = wanted;
    if (wanted === 'primary') hub.onPrimary(session);
    hub.onInterest();
  }
  return reply({ kind: 'roleReply', role: session.role, generationId: hub.generationId ?? NO_GENERATION });
}

function portStats(session: OpenFlowSession, port: number): ReturnType<OpenFlowSession['core']['portStats']> {
  try {
    return session.core.portStats(port);
  } catch (error) {
    // The reference answers with an empty list where OpenFlow has an error.
    if (error instanceof PeerError) return [];
    throw error;
  }
}

function queueStats(session: OpenFlowSession, port: number, queue: number): ReturnType<OpenFlowSession['core']['queueStats']> {
  const isAll = port === OFPP.NONE || (session.version === 1 && port === OFPP.ALL);
  if (!isAll && session.core.portDesc(port) === undefined) throw new PeerError('OFPQOFC_BAD_PORT', `port ${port}`);
  const found = session.core.queueStats(isAll ? OFPP.NONE : port, queue);
  if (found.length === 0 && queue !== ALL_QUEUES) throw new PeerError('OFPQOFC_BAD_QUEUE', `queue ${queue}`);
  return found;
}

function configFlags(session: OpenFlowSession): number {
  const { version, async, hub } = session;
  return hub.fragFlags | (version < 4 && async.hasInvalidTtl ? INVALID_TTL_TO_CONTROLLER : 0);
}

/** The fault in asking for something that does not exist: a vendor, a vendor's message, a statistic, or a type. */
function unknownCode(type: number, vendor: number, subtype: number, version: OfVersion): string {
  if (
    (type === OFPT_STATS_REQUEST || type === OFPT_MULTIPART_REQUEST) &&
    vendor === NX_VENDOR &&
    (subtype === NXST_IPFIX_BRIDGE || subtype === NXST_IPFIX_FLOW)
  ) {
    // No exporter is configured, ever.
    return 'NXST_NOT_CONFIGURED';
  }
  if (type === OFPT_EXPERIMENTER) return vendor === NX_VENDOR || vendor === ONF_VENDOR ? 'OFPBRC_BAD_SUBTYPE' : 'OFPBRC_BAD_VENDOR';
  return type === (version === 1 ? OFPT_STATS_REQUEST : OFPT_STATS_REQUEST + 2) ? 'OFPBRC_BAD_STAT' : 'OFPBRC_BAD_TYPE';
}

function portDescs(session: OpenFlowSession, port: number): PortDesc[] {
  // Only OpenFlow 1.5 can ask for one; the codec gives OFPP.NONE for all.
  if (session.version < 6 || port === 0xffff) return session.core.portDescs();
  const desc = session.core.portDesc(port);
  return desc === undefined ? [] : [desc];
}
