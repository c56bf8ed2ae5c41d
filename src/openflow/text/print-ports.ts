// Messages about the switch and its ports as text: features, port descriptions, port and queue statistics, port status.
import { formatMac } from '../../base/addresses.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { formatPort } from '../../flow/field-text.ts';
import type { Message, OfVersion, PortDesc, PortStats } from '../message.ts';
import { formatDuration } from './flow-text.ts';
import type { BodyPrinters } from './print-context.ts';

const UNKNOWN = 0xffffffffffffffffn;

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

function printFeatures(message: Extract<Message, { kind: 'featuresReply' }>, version: OfVersion): string {
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

/** Names of a port's configuration bits. */
export const configNames = (bits: number): string[] => bitNames(bits, CONFIG);
/** Names of what a port's link can do. */
export const featureNames = (bits: number): string[] => bitNames(bits, FEATURES);

const sorted = (ports: readonly PortDesc[]): PortDesc[] => [...ports].sort((a, b) => a.port - b.port);

/** A port as `show` prints it. */
export function formatPortDesc(desc: PortDesc, version: OfVersion): string {
  const label = formatPort(desc.port);
  let text = ` ${label}(${/^([A-Za-z_][\w-]*)?$/.test(desc.name) ? desc.name : JSON.stringify(desc.name)}): addr:${formatMac(...desc.mac)}\n`;
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
    const words = bitNames(bits, FEATURES);
    if (words.length > 0) text += `     ${name} ${words.join(' ')}\n`;
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

const count = (value: bigint): string => (value === UNKNOWN ? '?' : String(value));

/** Bodies of these messages. */
export const PORT_BODIES: BodyPrinters = {
  featuresReply: (message, { version }) => printFeatures(message, version),
  portDescReply: (message, { version }) =>
    `\n${sorted(message.ports)
      .map((port) => formatPortDesc(port, version))
      .join('')}`,
  portStatsReply: (message, { names }) =>
    ` ${message.ports.length} ports\n${message.ports.map((port) => formatPortStats(port, names)).join('')}`,
  portStatus: (message, { version }) =>
    ` ${message.reason === 'add' ? 'ADD' : message.reason === 'delete' ? 'DEL' : 'MOD'}:${formatPortDesc(message.desc, version)}`,
  queueStatsRequest: (message, { names }) => {
    const isAll = message.port === 0xfffc || message.port === 0xffff;
    const queue = message.queue === 0xffffffff ? 'ALL' : message.queue;
    return ` port=${isAll ? 'ALL' : formatPort(message.port, names)} queue=${queue}\n`;
  },
  queueStatsReply: (message, { names }) => {
    const rows = message.queues.map((queue) => {
      const duration = queue.durationSec === 0xffffffff ? '?' : formatDuration(queue.durationSec, queue.durationNsec);
      return `  port ${formatPort(queue.port, names)} queue ${queue.queue}: bytes=${count(queue.txBytes)}, pkts=${count(queue.txPackets)}, errors=${count(queue.txErrors)}, duration=${duration}\n`;
    });
    return ` ${message.queues.length} queues\n${rows.join('')}`;
  },
};
