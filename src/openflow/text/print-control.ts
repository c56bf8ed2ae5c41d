// Messages about eviction and vacancy of tables, queues' configuration and tracked connections as text.

import { formatIpv6 } from '../../base/addresses.ts';
import { formatPort, formatTable, type PortNames } from '../../flow/field-text.ts';
import { type CtTuple, isMapped } from '../conntrack.ts';
import type { Message, OfVersion } from '../message.ts';
import { EVICT, type QueueConfig, type TableDesc } from '../table.ts';
import type { TlvMap } from '../tlv-table.ts';
import type { BodyPrinters, PrintContext } from './print-context.ts';

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>;

const ALL_QUEUES = 0xffffffff;

/** All bits say as much as none said. */
const USUAL_EVICTION = 0xffffffff;

function evictionText(bits = USUAL_EVICTION): string {
  if (bits === USUAL_EVICTION) return '(default)';
  const words: string[] = [];
  if ((bits & EVICT.OTHER) !== 0) words.push('OTHER');
  if ((bits & EVICT.IMPORTANCE) !== 0) words.push('IMPORTANCE');
  if ((bits & EVICT.LIFETIME) !== 0) words.push('LIFETIME');
  if ((bits & ~EVICT.ALL) !== 0) words.push(`0x${((bits & ~EVICT.ALL) >>> 0).toString(16)}`);
  return words.length === 0 ? '0' : words.join('|');
}

function tableDesc(desc: TableDesc, names: PortNames | undefined): string {
  let text = `\n  table ${formatTable(desc.table, names)}:\n   eviction=${desc.evicts === true ? 'on' : 'off'} eviction_flags=${evictionText(desc.evictionFlags)}\n   vacancy=`;
  if (desc.tellsVacancy !== true) return `${text}off\n`;
  const { down, up, now } = desc.vacancy ?? { down: 0, up: 0, now: 0 };
  text += `on vacancy_down=${down}% vacancy_up=${up}% vacancy=${now}%\n`;
  return text;
}

function tableMod(message: Of<'tableMod'>, { version, names }: PrintContext): string {
  if (message.table === 255) return ' table_id: ALL_TABLES\n'.replace(/\n$/, version >= 5 || version <= 3 ? tail(message, version) : '\n');
  return ` table_id=${formatTable(message.table, names)}${tail(message, version)}`;
}

function tail(message: Of<'tableMod'>, version: OfVersion): string {
  const { settings } = message;
  if (version < 5)
    return version >= 4 ? '\n' : `, flow_miss_config=${['controller', 'continue', 'drop', 'controller'][message.missConfig & 3]}\n`;
  // The reference takes the flags of the property for something else, and prints what it takes them for.
  const { evicts = false, evictionFlags } = settings ?? {};
  const taken = evictionFlags === undefined ? (evicts ? 'on' : 'off') : ['', 'on', 'off'][evictionFlags];
  let text = taken === '' ? '' : `, eviction=${taken ?? '***error***'}`;
  text += `, vacancy=${settings?.tellsVacancy === true ? 'on' : 'off'}`;
  if (settings?.tellsVacancy === true) text += ` vacancy:${settings.vacancy?.down ?? 0},${settings.vacancy?.up ?? 0}`;
  return `${text}\n`;
}

const rate = (name: string, value: number | undefined): string =>
  value === undefined ? '' : ` ${name}:${value > 1000 ? '(disabled)' : `${Math.floor(value / 10)}.${value % 10}%`}`;

const queueText = (queue: QueueConfig): string =>
  `queue ${queue.queue}:${rate('min_rate', queue.minRate)}${rate('max_rate', queue.maxRate)}\n`;

const ICMP_PROTOCOLS = new Set([1, 58]);

function addressText(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return '::';
  if (isMapped(bytes)) return bytes.subarray(12).join('.');
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return formatIpv6([0, 4, 8, 12].map((at) => view.getUint32(at)) as [number, number, number, number]);
}

const isIpv4 = (bytes: Uint8Array | undefined): boolean => bytes !== undefined && isMapped(bytes);

function tupleText(tuple: CtTuple, proto: number, family: string, showProto: boolean): string {
  let text = `ct_${family}_src=${addressText(tuple.src)},ct_${family}_dst=${addressText(tuple.dst)}`;
  if (ICMP_PROTOCOLS.has(proto)) text += `,icmp_id=${tuple.icmpId ?? 0},icmp_type=${tuple.icmpType ?? 0},icmp_code=${tuple.icmpCode ?? 0}`;
  else text += `,ct_tp_src=${tuple.srcPort ?? 0},ct_tp_dst=${tuple.dstPort ?? 0}`;
  return showProto ? `${text},ct_nw_proto=${proto}` : text;
}

function mapsText(maps: readonly TlvMap[]): string {
  const hex = (value: number): string => (value === 0 ? '0' : `0x${value.toString(16)}`);
  let text = ' mapping table:\n  class  type  length  match field\n ------  ----  ------  --------------';
  for (const map of maps) {
    text += `\n ${hex(map.optionClass).padStart(6)}  ${hex(map.optionType).padStart(4)}  ${String(map.size).padStart(6)}  tun_metadata${map.field}`;
  }
  return `${text}\n`;
}

/** Bodies of these messages. */
export const CONTROL_BODIES: BodyPrinters = {
  tableMod,
  tableDescReply: (message, { names }) => message.tables.map((desc) => tableDesc(desc, names)).join(''),
  tableStatus: (message, { names }) => ` reason=${message.reason.toUpperCase()}\ntable_desc:-${tableDesc(message.desc, names)}`,
  queueConfigRequest: (message, { version, names }) => {
    const port = ` port=${message.port === 0xffff ? 'ANY' : formatPort(message.port, names)}`;
    return version < 5 || message.queue === ALL_QUEUES ? `${port}\n` : `${port} queue=${message.queue}\n`;
  },
  queueConfigReply: (message, { names, framed }) => {
    if (message.queues.length === 0) return framed.fault === undefined ? '\n' : '';
    let text = ' ';
    // Port 0 is not named: it is where the reference begins.
    let port = 0;
    for (const queue of [...message.queues].sort((a, b) => a.port - b.port || a.queue - b.queue)) {
      if (queue.port !== port) text += `port=${formatPort(queue.port, names)}\n`;
      port = queue.port;
      text += queueText(queue);
    }
    return text;
  },
  tlvTableMod: (message) =>
    `\n ${message.command === 'clear' ? 'CLEAR\n' : `${message.command === 'add' ? 'ADD' : 'DEL'}${mapsText(message.maps)}`}`,
  tlvTableReply: ({ maxSpace, maxFields, maps }) =>
    `\n max option space=${maxSpace} max fields=${maxFields}\n allocated option space=${maps.reduce((sum, map) => sum + map.size, 0)}\n\n${mapsText(maps)}`,
  ctFlushZone: (message) => ` zone_id=${message.zone}\n`,
  ctFlush: ({ zone = 0, proto, original, reply }) => {
    const family = [original, reply].some(({ src, dst }) => isIpv4(src) || isIpv4(dst)) ? 'nw' : 'ipv6';
    return ` zone=${zone} '${tupleText(original, proto, family, true)}' '${tupleText(reply, proto, family, false)}'\n`;
  },
};
