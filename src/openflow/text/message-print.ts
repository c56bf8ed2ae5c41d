// Messages as `ovs-ofctl ofp-print` and the tools built on it show them: a header line, then the body.
import { formatMac } from '../../base/addresses.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { formatPort } from '../../flow/field-text.ts';
import { formatMatch } from '../../flow/match-text.ts';
import type { CodecOptions } from '../codec/codec.ts';
import { decodeMessage } from '../codec/codec.ts';
import { inPortOf } from '../codec/packet-codec.ts';
import type { Framed, Message, OfVersion, PortDesc, PortStats } from '../message.ts';
import { formatActions } from './action-format.ts';
import { formatBundleAdd, formatBundleControl } from './bundle-text.ts';
import { formatDuration, formatFlowMod, formatFlowRemoved, formatFlowStats } from './flow-text.ts';

const UNKNOWN = 0xffffffffffffffffn;

/** ` (OF1.3)`, and nothing for OpenFlow 1.0. */
const versionTag = (version: OfVersion): string => (version === 1 ? '' : ` (OF1.${version - 1})`);

function messageName({ version, message }: Framed, nx: boolean): string {
  const of10Nx = nx && version === 1;
  const names: Partial<Record<Message['kind'], string>> = {
    hello: 'OFPT_HELLO',
    error: 'OFPT_ERROR',
    echoRequest: 'OFPT_ECHO_REQUEST',
    echoReply: 'OFPT_ECHO_REPLY',
    featuresRequest: 'OFPT_FEATURES_REQUEST',
    featuresReply: 'OFPT_FEATURES_REPLY',
    getConfigRequest: 'OFPT_GET_CONFIG_REQUEST',
    getConfigReply: 'OFPT_GET_CONFIG_REPLY',
    setConfig: 'OFPT_SET_CONFIG',
    barrierRequest: 'OFPT_BARRIER_REQUEST',
    barrierReply: 'OFPT_BARRIER_REPLY',
    flowMod: nx ? 'NXT_FLOW_MOD' : 'OFPT_FLOW_MOD',
    packetIn: nx ? 'NXT_PACKET_IN' : 'OFPT_PACKET_IN',
    packetOut: 'OFPT_PACKET_OUT',
    flowRemoved: nx ? 'NXT_FLOW_REMOVED' : 'OFPT_FLOW_REMOVED',
    portStatus: 'OFPT_PORT_STATUS',
    portMod: 'OFPT_PORT_MOD',
    tableMod: 'OFPT_TABLE_MOD',
    roleRequest: version < 3 ? 'NXT_ROLE_REQUEST' : 'OFPT_ROLE_REQUEST',
    roleReply: version < 3 ? 'NXT_ROLE_REPLY' : 'OFPT_ROLE_REPLY',
    setPacketInFormat: 'NXT_SET_PACKET_IN_FORMAT',
    setFlowFormat: 'NXT_SET_FLOW_FORMAT',
    flowModTableId: 'NXT_FLOW_MOD_TABLE_ID',
    setControllerId: 'NXT_SET_CONTROLLER_ID',
    descRequest: 'OFPST_DESC request',
    descReply: 'OFPST_DESC reply',
    flowStatsRequest: of10Nx ? 'NXST_FLOW request' : 'OFPST_FLOW request',
    flowStatsReply: of10Nx ? 'NXST_FLOW reply' : 'OFPST_FLOW reply',
    aggregateRequest: of10Nx ? 'NXST_AGGREGATE request' : 'OFPST_AGGREGATE request',
    aggregateReply: of10Nx ? 'NXST_AGGREGATE reply' : 'OFPST_AGGREGATE reply',
    tableStatsRequest: 'OFPST_TABLE request',
    tableStatsReply: 'OFPST_TABLE reply',
    portStatsRequest: 'OFPST_PORT request',
    portStatsReply: 'OFPST_PORT reply',
    portDescRequest: 'OFPST_PORT_DESC request',
    portDescReply: 'OFPST_PORT_DESC reply',
    queueStatsRequest: 'OFPST_QUEUE request',
    queueStatsReply: 'OFPST_QUEUE reply',
    bundleControl: version < 5 ? 'ONFT_BUNDLE_CONTROL' : 'OFPT_BUNDLE_CONTROL',
    bundleAdd: version < 5 ? 'ONFT_BUNDLE_ADD_MESSAGE' : 'OFPT_BUNDLE_ADD_MESSAGE',
  };
  return names[message.kind] ?? 'unknown message';
}

/** Prints a message; `nx` says that it came in Nicira's form. No newline at the end unless the body has one of its own. */
export function printMessage(framed: Framed, nx = false, names?: PortNames): string {
  const head = `${messageName(framed, nx)}${versionTag(framed.version)} (xid=0x${framed.xid.toString(16)}):`;
  return head + printBody(framed, names);
}

/** Prints a whole message given as bytes. Throws PeerError when it cannot be decoded. */
export function printBytes(bytes: Uint8Array, names?: PortNames, options?: CodecOptions): string {
  const framed = decodeMessage(bytes, options);
  return printMessage(framed, isNicira(bytes), names);
}

/** Whether bytes hold a message in Nicira's form. */
export const isNicira = (bytes: Uint8Array): boolean =>
  bytes[1] === 4 || (bytes[0] === 1 && (bytes[1] === 16 || bytes[1] === 17) && bytes[8] === 0xff && bytes[9] === 0xff);

function printBody(framed: Framed, names?: PortNames): string {
  const { message, version } = framed;
  switch (message.kind) {
    case 'hello':
      return `\n version bitmap: ${versionList(message.versions)}\n`;
    case 'error':
      return printError(message, names);
    case 'echoRequest':
    case 'echoReply':
      return ` ${message.data.length} bytes of payload\n`;
    case 'featuresReply':
      return printFeatures(message, version, names);
    case 'getConfigReply':
    case 'setConfig':
      return ` frags=${FRAG_MODES[message.flags & 3] ?? 'unknown'} miss_send_len=${message.missSendLength}\n`;
    case 'flowMod':
      return `${formatFlowMod(message, names)}\n`;
    case 'flowRemoved':
      return `${formatFlowRemoved(message, names)}\n`;
    case 'flowStatsReply':
      return message.flows.map((flow) => `\n ${formatFlowStats(flow, names)}`).join('') + (message.flows.length === 0 ? '\n' : '\n');
    case 'aggregateReply':
      return ` packet_count=${message.packetCount} byte_count=${message.byteCount} flow_count=${message.flowCount}\n`;
    case 'descReply': {
      const lines = [
        `Manufacturer: ${message.manufacturer}`,
        `Hardware: ${message.hardware}`,
        `Software: ${message.software}`,
        `Serial Num: ${message.serial}`,
        `DP Description: ${message.datapath}`,
      ];
      return `\n${lines.join('\n')}\n`;
    }
    case 'portDescReply':
      return `\n${sorted(message.ports)
        .map((port) => formatPortDesc(port, version))
        .join('')}`;
    case 'portStatsReply':
      return ` ${message.ports.length} ports\n${message.ports.map((port) => formatPortStats(port, names)).join('')}`;
    case 'portStatus':
      return ` ${message.reason === 'add' ? 'ADD' : message.reason === 'delete' ? 'DEL' : 'MOD'}:${formatPortDesc(message.desc, version)}`;
    case 'packetIn': {
      const data = message.data.length === message.totalLength ? '' : ` data_len=${message.data.length}`;
      const table = message.table === 0 || version === 1 ? '' : ` table_id=${message.table}`;
      const cookie = message.cookie === UNKNOWN ? '' : ` cookie=0x${message.cookie.toString(16)}`;
      const buffer = message.bufferId === 0xffffffff ? ' (unbuffered)' : ` buffer=0x${message.bufferId.toString(16).padStart(8, '0')}`;
      return `${table}${cookie} total_len=${message.totalLength} ${formatMatch(message.match, 0x8000, names)} (via ${message.reason})${data}${buffer}\n`;
    }
    case 'packetOut': {
      const inPort = formatPort(inPortOf(message.match), names);
      const tail =
        message.bufferId === 0xffffffff
          ? ` data_len=${message.data.length}`
          : ` buffer=0x${message.bufferId.toString(16).padStart(8, '0')}`;
      return ` in_port=${inPort} actions=${formatActions(message.actions, names)}${tail}\n`;
    }
    case 'queueStatsRequest': {
      const isAll = message.port === 0xfffc || message.port === 0xffff;
      const queue = message.queue === 0xffffffff ? 'ALL' : message.queue;
      return ` port=${isAll ? 'ALL' : formatPort(message.port, names)} queue=${queue}\n`;
    }
    case 'queueStatsReply': {
      const count = (value: bigint): string => (value === UNKNOWN ? '?' : String(value));
      const rows = message.queues.map((queue) => {
        const duration = queue.durationSec === 0xffffffff ? '?' : formatDuration(queue.durationSec, queue.durationNsec).replace(/s$/, 's');
        return `  port ${formatPort(queue.port, names)} queue ${queue.queue}: bytes=${count(queue.txBytes)}, pkts=${count(queue.txPackets)}, errors=${count(queue.txErrors)}, duration=${duration}\n`;
      });
      return ` ${message.queues.length} queues\n${rows.join('')}`;
    }
    case 'bundleControl':
      return formatBundleControl(message);
    case 'bundleAdd':
      return formatBundleAdd(message) + printMessage({ version, xid: framed.xid, message: message.message }, false, names);
    case 'tableStatsReply':
      return `\n${printTables(message.tables, version)}`;
    default:
      return '\n';
  }
}

/** `set-frags` modes by the low bits of the switch configuration's flags. */
export const FRAG_MODES: readonly string[] = ['normal', 'drop', 'reassemble', 'nx-match'];

function versionList(bits: number): string {
  const versions: string[] = [];
  for (let version = 1; version < 31; version++)
    if ((bits & (1 << version)) !== 0) versions.push(`0x${version.toString(16).padStart(2, '0')}`);
  return versions.join(', ');
}

function printError(error: Extract<Message, { kind: 'error' }>, names?: PortNames): string {
  const name = error.name ?? `***unknown error type ${error.type} code ${error.code}***`;
  if (error.type === 0 && error.experimenter === 0) return ` ${name}\n${Buffer.from(error.data).toString('latin1')}\n`;
  if (error.data.length < 8) return ` ${name}\n`;
  try {
    return ` ${name}\n${printBytes(error.data, names, { flowModTableId: true })}`;
  } catch {
    return ` ${name}\n`;
  }
}

const CAPABILITIES = [
  'FLOW_STATS',
  'TABLE_STATS',
  'PORT_STATS',
  'STP',
  '',
  'IP_REASM',
  'QUEUE_STATS',
  'ARP_MATCH_IP',
  'PORT_BLOCKED',
  'BUNDLES',
];
const ACTIONS = [
  'output',
  'set_vlan_vid',
  'set_vlan_pcp',
  'strip_vlan',
  'mod_dl_src',
  'mod_dl_dst',
  'mod_nw_src',
  'mod_nw_dst',
  'mod_nw_tos',
  'mod_tp_src',
  'mod_tp_dst',
  'enqueue',
];
/** The reference lists actions in its own order, enqueue after output. */
const ACTION_ORDER = [0, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

function printFeatures(message: Extract<Message, { kind: 'featuresReply' }>, version: OfVersion, _names?: PortNames): string {
  const bit = (bits: number, index: number): boolean => (bits & (1 << index)) !== 0;
  const capabilities = CAPABILITIES.map((name, index) => (version > 1 && index === 3 ? 'GROUP_STATS' : name)).filter(
    (name, index) => name !== '' && bit(message.capabilities, index),
  );
  let text = ` dpid:${message.datapathId.toString(16).padStart(16, '0')}\n`;
  text += `n_tables:${message.tables}, n_buffers:${message.buffers}`;
  if (message.auxiliaryId !== 0) text += `, auxiliary_id:${message.auxiliaryId}`;
  text += `\ncapabilities: ${capabilities.join(' ')}\n`;
  if (version === 1) {
    text += `actions: ${ACTION_ORDER.filter((index) => bit(message.actions, index))
      .map((index) => ACTIONS[index])
      .join(' ')}\n`;
  }
  return (
    text +
    sorted(message.ports ?? [])
      .map((port) => formatPortDesc(port, version))
      .join('')
  );
}

const CONFIG = ['PORT_DOWN', 'NO_STP', 'NO_RECV', 'NO_RECV_STP', 'NO_FLOOD', 'NO_FWD', 'NO_PACKET_IN'];
const FEATURES = [
  '10MB-HD',
  '10MB-FD',
  '100MB-HD',
  '100MB-FD',
  '1GB-HD',
  '1GB-FD',
  '10GB-FD',
  '40GB-FD',
  '100GB-FD',
  '1TB-FD',
  'OTHER',
  'COPPER',
  'FIBER',
  'AUTO_NEG',
  'AUTO_PAUSE',
  'AUTO_PAUSE_ASYM',
];

const bitNames = (bits: number, names: readonly string[]): string[] => names.filter((_, index) => (bits & (1 << index)) !== 0);

const sorted = (ports: readonly PortDesc[]): PortDesc[] => [...ports].sort((a, b) => a.port - b.port);

/** A port as `show` prints it. */
export function formatPortDesc(desc: PortDesc, version: OfVersion): string {
  const label = formatPort(desc.port);
  let text = ` ${label}(${/^[A-Za-z_][\w-]*$/.test(desc.name) ? desc.name : JSON.stringify(desc.name)}): addr:${formatMac(...desc.mac)}\n`;
  const config = bitNames(desc.config, CONFIG);
  text += `     config:     ${config.length === 0 ? '0' : config.join(' ')}\n`;
  const states = bitNames(desc.state & 7, ['LINK_DOWN', 'BLOCKED', 'LIVE']);
  if (version === 1 && (desc.state & 0x300) !== 0) {
    states.push(['STP_LISTEN', 'STP_LEARN', 'STP_FORWARD', 'STP_BLOCK'][(desc.state >> 8) & 3] ?? '');
  }
  text += `     state:      ${states.length === 0 ? '0' : states.join(' ')}\n`;
  for (const [name, bits] of [
    ['current:   ', desc.current],
    ['advertised:', desc.advertised],
    ['supported: ', desc.supported],
    ['peer:      ', desc.peer],
  ] as const) {
    if (bits !== 0) text += `     ${name} ${bitNames(bits, FEATURES).join(' ')}\n`;
  }
  const mbps = (kbps: number): number => Math.floor(kbps / 1000);
  return `${text}     speed: ${mbps(desc.currentSpeedKbps)} Mbps now, ${mbps(desc.maxSpeedKbps)} Mbps max\n`;
}

function formatPortStats(s: PortStats, names?: PortNames): string {
  const count = (name: string, value: bigint): string => `${name}${value === UNKNOWN ? '?' : value}`;
  const label = formatPort(s.port, names);
  let text = `  port ${label.length < 2 ? ` ${label}` : label}: rx `;
  text += [
    count('pkts=', s.rxPackets),
    count('bytes=', s.rxBytes),
    count('drop=', s.rxDropped),
    count('errs=', s.rxErrors),
    count('frame=', s.rxFrameErr),
    count('over=', s.rxOverErr),
    count('crc=', s.rxCrcErr),
  ].join(', ');
  text += '\n           tx ';
  text += [
    count('pkts=', s.txPackets),
    count('bytes=', s.txBytes),
    count('drop=', s.txDropped),
    count('errs=', s.txErrors),
    count('coll=', s.collisions),
  ].join(', ');
  text += '\n';
  if (s.durationSec !== 0xffffffff) text += `           duration=${formatDuration(s.durationSec, s.durationNsec)}\n`;
  return text;
}

const FEATURES10 = 'in_port eth_{src,dst,type} vlan_{vid,pcp} ip_{src,dst} nw_{proto,tos} tcp_{src,dst}';

function printTables(tables: Extract<Message, { kind: 'tableStatsReply' }>['tables'], version: OfVersion): string {
  const numbers = (table: (typeof tables)[number]): string =>
    `    active=${table.activeCount}, lookup=${table.lookupCount}, matched=${table.matchedCount}\n`;
  const features = (table: (typeof tables)[number]): string =>
    version >= 4 ? '' : `    max_entries=${table.maxEntries}\n    matching:\n      exact match or wildcard: ${FEATURES10}\n`;
  let text = '';
  for (let i = 0; i < tables.length; ) {
    const table = tables[i];
    if (table === undefined) break;
    const before = tables[i - 1];
    const title =
      table.name === '' || table.name === `table${table.table}` ? `  table ${table.table}` : `  table ${table.table} ("${table.name}")`;
    if (before === undefined) text += `${title}:\n${numbers(table)}${features(table)}\n`;
    else if (numbers(before) === numbers(table)) {
      let j = i;
      while (j + 1 < tables.length && numbers(tables[j + 1] ?? table) === numbers(table)) j++;
      text += j === i ? `${title}: ditto\n\n` : `  tables ${table.table}...${tables[j]?.table ?? 0}: ditto\n`;
      if (j !== i && j + 1 < tables.length) text += '\n';
      i = j + 1;
      continue;
    } else text += `${title}:\n${numbers(table)}${version >= 4 ? '' : '    (same features)\n'}\n`;
    i++;
  }
  return text.replace(/\n\n$/, '\n');
}
