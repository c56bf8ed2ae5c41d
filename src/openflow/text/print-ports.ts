// Messages about the switch and its ports as text: features, port descriptions, port and queue statistics, port status.
import { formatMac } from '../../base/addresses.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { formatPort } from '../../flow/field-text.ts';
import type { IpfixStats } from '../ipfix.ts';
import type { Message, OfVersion, PortDesc, PortStats } from '../message.ts';
import { RFC2819_COUNTERS } from '../port-counters.ts';
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
  'FLOW_MONITORING',
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

/** Matching on ARP addresses is of OpenFlow 1.0 and 1.1, blocked ports of 1.2 and later, bundles of 1.4. */
const hasCapability = (version: OfVersion, bit: number): boolean =>
  bit === 7 ? version <= 2 : bit === 8 ? version >= 3 : bit >= 9 ? version >= 5 : true;

function printFeatures(message: Extract<Message, { kind: 'featuresReply' }>, version: OfVersion): string {
  const bit = (bits: number, index: number): boolean => (bits & (1 << index)) !== 0;
  const capabilities = CAPABILITIES.map((name, index) => (version > 1 && index === 3 ? 'GROUP_STATS' : name)).filter(
    (name, index) => name !== '' && bit(message.capabilities, index) && hasCapability(version, index),
  );
  let text = ` dpid:${message.datapathId.toString(16).padStart(16, '0')}\n`;
  text += `n_tables:${message.tables}, n_buffers:${message.buffers}`;
  if (message.auxiliaryId !== 0) text += `, auxiliary_id:${message.auxiliaryId}`;
  text += `\ncapabilities: ${capabilities.length === 0 ? '0' : capabilities.join(' ')}\n`;
  if (version === 1) {
    const actions = ACTION_ORDER.filter((index) => bit(message.actions, index)).map((index) => ACTIONS[index]);
    if (actions.length > 0) text += `actions: ${actions.join(' ')}\n`;
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
  const name = /^[ -~]*/.exec(desc.name.slice(0, 15))?.[0] ?? '';
  let text = ` ${label}(${name}): addr:${formatMac(...desc.mac)}\n`;
  const config = bitNames(desc.config, CONFIG);
  text += `     config:     ${config.length === 0 ? '0' : config.join(' ')}\n`;
  const states = bitNames(desc.state & 7, ['LINK_DOWN', 'BLOCKED', 'LIVE']);
  // The reference leaves no room behind the state of the spanning tree.
  const tree = version === 1 ? (['', 'STP_LEARN', 'STP_FORWARD', 'STP_BLOCK'][(desc.state >> 8) & 3] ?? '') : '';
  text += `     state:      ${tree}${states.length === 0 && tree === '' ? '0' : states.join(' ')}\n`;
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

/** Counters of RFC 2819 in a line for each direction, then those that the port names itself, three in a line. */
function furtherCounters({ rfc2819 = [], custom = [] }: PortStats): string {
  let text = '';
  for (const direction of ['rx', 'tx']) {
    const known = RFC2819_COUNTERS.map((counter, i) => ({ ...counter, value: rfc2819[i] ?? UNKNOWN })).filter(
      (counter) => counter.direction === direction && counter.value !== UNKNOWN,
    );
    if (known.length > 0) text += `           ${direction} rfc2819 ${known.map(({ name, value }) => `${name}=${value}, `).join('')}\n`;
  }
  if (custom.length > 0) {
    // A counter without a name is not shown, but has its place in the line.
    const shown = custom.map(({ name, value }, i) => (name === '' ? '' : `${i % 3 === 0 ? `\n${' '.repeat(22)}` : ' '}${name}=${value},`));
    text += `           CUSTOM Statistics${shown.join('')}\n`;
  }
  return text;
}

function formatPortStats(s: PortStats, names?: PortNames): string {
  const count = (name: string, value: bigint): string => `${name}${value === UNKNOWN ? '?' : value}`;
  const label = formatPort(s.port, names);
  let text = `  port ${s.port < 10 ? ' ' : ''}${label}: rx `;
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
  return text + furtherCounters(s);
}

const count = (value: bigint): string => (value === UNKNOWN ? '?' : String(value));

function ipfixText(stats: IpfixStats, indent: number): string {
  return (
    `flows=${count(stats.totalFlows)}, current flows=${count(stats.currentFlows)}, sampled pkts=${count(stats.packets)}, ` +
    `ipv4 ok=${count(stats.ipv4Packets)}, ipv6 ok=${count(stats.ipv6Packets)}, tx pkts=${count(stats.txPackets)}\n${' '.repeat(indent)}` +
    `pkts errs=${count(stats.errorPackets)}, ipv4 errs=${count(stats.ipv4ErrorPackets)}, ` +
    `ipv6 errs=${count(stats.ipv6ErrorPackets)}, tx errs=${count(stats.txErrors)}\n`
  );
}

/** Bodies of these messages. */
export const PORT_BODIES: BodyPrinters = {
  featuresReply: (message, { version }) => printFeatures(message, version),
  portDescReply: (message, { version }) =>
    `\n${sorted(message.ports)
      .map((port) => formatPortDesc(port, version))
      .join('')}`,
  portStatsReply: (message, { names, verbosity }) =>
    ` ${message.ports.length} ports\n${verbosity < 1 ? '' : message.ports.map((port) => formatPortStats(port, names)).join('')}`,
  portStatus: (message, { version }) =>
    ` ${message.reason === 'add' ? 'ADD' : message.reason === 'delete' ? 'DEL' : 'MOD'}:${formatPortDesc(message.desc, version)}`,
  ipfixBridgeReply: ({ stats }) => `\n  bridge ipfix: ${ipfixText(stats, 16)}`,
  ipfixFlowReply: ({ stats }) =>
    ` ${stats.length} ids\n${stats.map((one) => `  id ${String(one.collectorSetId).padStart(3)}: ${ipfixText(one, 10)}`).join('')}`,
  queueStatsRequest: (message, { names, version }) => {
    const queue = message.queue === 0xffffffff ? 'ALL' : message.queue;
    return ` port=${formatPort(version === 1 && message.port === 0xfffc ? 0xffff : message.port, names)} queue=${queue}\n`;
  },
  queueStatsReply: (message, { names, verbosity }) => {
    if (verbosity < 1) return ` ${message.queues.length} queues\n`;
    const rows = message.queues.map((queue) => {
      const duration = queue.durationSec === 0xffffffff ? '?' : formatDuration(queue.durationSec, queue.durationNsec);
      return `  port ${formatPort(queue.port, names)} queue ${queue.queue === 0xffffffff ? 'ALL' : queue.queue}: bytes=${count(queue.txBytes)}, pkts=${count(queue.txPackets)}, errors=${count(queue.txErrors)}, duration=${duration}\n`;
    });
    return ` ${message.queues.length} queues\n${rows.join('')}`;
  },
};
