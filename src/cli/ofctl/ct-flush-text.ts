// The arguments of ovs-ofctl ct-flush: a zone, and the addresses of a connection's direction or of both.
import { parseIpv4, parseIpv6 } from '../../base/addresses.ts';
import { ConfigError } from '../../base/errors.ts';
import type { CtTuple } from '../../openflow/conntrack.ts';
import type { Message } from '../../openflow/message.ts';

type CtFlush = Extract<Message, { kind: 'ctFlush' }>;

const ICMP = 1;
const ICMPV6 = 58;
/** ICMP types and what answers them. */
const ICMP_ANSWERS = new Map([
  [8, 0],
  [0, 8],
  [13, 14],
  [14, 13],
  [15, 16],
  [16, 15],
  [17, 18],
  [18, 17],
]);
const ICMPV6_ANSWERS = new Map([
  [128, 129],
  [129, 128],
]);

const NUMBERS: ReadonlyMap<string, { max: number; as: 'srcPort' | 'dstPort' | 'icmpId' | 'icmpType' | 'icmpCode' }> = new Map([
  ['ct_tp_src', { max: 0xffff, as: 'srcPort' as const }],
  ['ct_tp_dst', { max: 0xffff, as: 'dstPort' as const }],
  ['icmp_id', { max: 0xffff, as: 'icmpId' as const }],
  ['icmp_type', { max: 0xff, as: 'icmpType' as const }],
  ['icmp_code', { max: 0xff, as: 'icmpCode' as const }],
]);

const fault = (text: string): never => {
  throw new ConfigError(`Failed to parse ct-tuple: ${text}`);
};

function address(text: string, name: string): { bytes: Uint8Array; family: 4 | 6 } {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  if (name.startsWith('ct_nw')) {
    const word = parseIpv4(text);
    if (word === undefined) return fault(`failed to parse field ${name}`);
    view.setUint32(8, 0xffff);
    view.setUint32(12, word);
    return { bytes, family: 4 };
  }
  const words = parseIpv6(text);
  if (words === undefined) return fault(`failed to parse field ${name}`);
  for (const [i, word] of words.entries()) view.setUint32(i * 4, word);
  return { bytes, family: 6 };
}

/** One direction; `proto` is the other's, when there is another. */
function parseTuple(text: string, known: number | undefined): { tuple: CtTuple; proto: number } {
  const tuple: CtTuple = {};
  let proto = known ?? 0;
  let family = 0;
  for (const pair of text.split(/[,\s]+/).filter((part) => part !== '')) {
    const [, name = '', value] = /^([^=(]+)(?:=(.*))?$/.exec(pair) ?? [];
    if (value === undefined) return fault(`field ${pair} missing value`);
    const number = NUMBERS.get(name);
    if (/^ct_(nw|ipv6)_(src|dst)$/.test(name)) {
      const { bytes, family: own } = address(value, name);
      const side = name.endsWith('src') ? 'src' : 'dst';
      if (tuple[side] !== undefined) return fault(`${name} is set multiple times`);
      if (family !== 0 && family !== own) return fault(`the L3 protocol does not match ${value}`);
      family = own;
      tuple[side] = bytes;
    } else if (name === 'ct_nw_proto') {
      if (!/^\d+$/.test(value) || Number(value) > 255) return fault('failed to parse field ct_nw_proto');
      proto = Number(value);
    } else if (number !== undefined) {
      if (!/^(\d+|0x[0-9a-f]+)$/i.test(value) || Number(value) > number.max) return fault(`failed to parse field ${name}`);
      tuple[number.as] = Number(value);
    } else return fault(`invalid conntrack tuple field: ${name}`);
  }
  const isIcmp = proto === ICMP || proto === ICMPV6;
  const hasPorts = tuple.srcPort !== undefined || tuple.dstPort !== undefined;
  const hasIcmp = tuple.icmpId !== undefined || tuple.icmpType !== undefined || tuple.icmpCode !== undefined;
  if (hasPorts && proto === 0) return fault('port is set without protocol');
  if ((hasPorts && isIcmp) || (hasIcmp && !isIcmp)) return fault('invalid L4 fields');
  return { tuple, proto };
}

/** What the arguments after the switch ask for. */
export function parseCtFlush(args: readonly string[]): CtFlush {
  const message: CtFlush = { kind: 'ctFlush', proto: 0, zone: undefined, original: {}, reply: {} };
  const rest = [...args];
  const zone = /^zone=(-?\d+)$/.exec(rest[0] ?? '')?.[1];
  if (zone !== undefined) {
    message.zone = Number(zone) & 0xffff;
    rest.shift();
  }
  if (rest.length > 2) throw new ConfigError('Invalid arguments');
  const [original, reply] = rest;
  if (original !== undefined && original !== '') {
    const { tuple, proto } = parseTuple(original, undefined);
    message.original = tuple;
    message.proto = proto;
    const answer = (proto === ICMP ? ICMP_ANSWERS : ICMPV6_ANSWERS).get(tuple.icmpType ?? -1);
    // What answers an ICMP message has the same identifier.
    if (answer !== undefined) message.reply = { icmpId: tuple.icmpId ?? 0, icmpType: answer, icmpCode: tuple.icmpCode ?? 0 };
  }
  if (reply !== undefined && reply !== '') {
    const { tuple, proto } = parseTuple(reply, message.proto);
    message.reply = tuple;
    message.proto = proto;
  }
  return message;
}
