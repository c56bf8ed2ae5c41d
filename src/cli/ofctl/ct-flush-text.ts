// The arguments of ovs-ofctl ct-flush: a zone, and the addresses of a connection's direction or of both.
import { parseIpv6, parsePlainIpv4 } from '../../base/addresses.ts';
import { ConfigError } from '../../base/errors.ts';
import { parseInteger } from '../../flow/field-text.ts';
import type { CtTuple } from '../../openflow/conntrack.ts';
import type { Message } from '../../openflow/message.ts';
import { splitKeyValues } from '../../openflow/text/key-value-text.ts';

type CtFlush = Extract<Message, { kind: 'ctFlush' }>;

const ICMP = 1;
const ICMPV6 = 58;
/** Numbers of a tuple: an id of ICMP stands where others have their source port, its code and type where they have the two bytes of the other. */
const NUMBERS: ReadonlyMap<string, { as: 'srcPort' | 'dstPort'; bits: number; at: number }> = new Map([
  ['ct_tp_src', { as: 'srcPort' as const, bits: 16, at: 0 }],
  ['ct_tp_dst', { as: 'dstPort' as const, bits: 16, at: 0 }],
  ['icmp_id', { as: 'srcPort' as const, bits: 16, at: 0 }],
  ['icmp_type', { as: 'dstPort' as const, bits: 8, at: 0 }],
  ['icmp_code', { as: 'dstPort' as const, bits: 8, at: 8 }],
]);

/** What is wrong with both tuples, in one line without anything between. */
class Faults {
  #text = '';

  /** Something that is told only when there is more wrong. */
  note(text: string): void {
    this.#text += text;
  }

  fail(text: string): never {
    throw new ConfigError(`Failed to parse ct-tuple: ${this.#text}${text}`);
  }
}

function address(text: string, name: string, family: 4 | 6, faults: Faults): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  if (family === 4) {
    const word = parsePlainIpv4(text);
    if (word === undefined) return faults.fail(`failed to parse field ${name}`);
    view.setUint32(8, 0xffff);
    view.setUint32(12, word);
    return bytes;
  }
  const words = parseIpv6(text);
  if (words === undefined) return faults.fail(`failed to parse field ${name}`);
  for (const [i, word] of words.entries()) view.setUint32(i * 4, word);
  return bytes;
}

function numberUpTo(text: string, max: number, name: string, faults: Faults): number {
  const value = parseInteger(text);
  return value !== undefined && value <= BigInt(max) ? Number(value) : faults.fail(`failed to parse field ${name}`);
}

const isIcmpProto = (proto: number): boolean => proto === ICMP || proto === ICMPV6;

/** A tuple as it is sent. What is 0 is not said, but all of ICMP is, whose numbers stand where others have ports. */
function sentTuple({ src, dst, srcPort = 0, dstPort = 0 }: CtTuple, proto: number): CtTuple {
  const isSaid = (bytes: Uint8Array | undefined): bytes is Uint8Array => bytes?.some((byte) => byte !== 0) === true;
  const addresses: CtTuple = { ...(isSaid(src) ? { src } : {}), ...(isSaid(dst) ? { dst } : {}) };
  if (!isIcmpProto(proto)) {
    return { ...addresses, ...(srcPort === 0 ? {} : { srcPort }), ...(dstPort === 0 ? {} : { dstPort }) };
  }
  return { ...addresses, icmpId: srcPort, icmpType: dstPort & 0xff, icmpCode: dstPort >> 8 };
}

/** One direction; `proto` and the family are the other's, when there is another. */
function parseTuple(text: string, known: number, knownFamily: number, faults: Faults): { tuple: CtTuple; proto: number; family: number } {
  const tuple: CtTuple = {};
  let proto = known;
  let family = knownFamily;
  for (const { key: name, value = '' } of splitKeyValues(text)) {
    if (value === '') return faults.fail(`field ${name} missing value`);
    const number = NUMBERS.get(name);
    if (/^ct_(nw|ipv6)_(src|dst)$/.test(name)) {
      const own = name.startsWith('ct_nw') ? 4 : 6;
      const side = name.endsWith('src') ? 'src' : 'dst';
      if (family !== 0 && family !== own) return faults.fail(`the L3 protocol does not match ${value}`);
      if (tuple[side] !== undefined) return faults.fail(`${name} is set multiple times`);
      family = own;
      tuple[side] = address(value, name, own, faults);
    } else if (name === 'ct_nw_proto') {
      if (proto !== 0) faults.note(`${name} is set multiple times`);
      proto = numberUpTo(value, 0xff, name, faults);
    } else if (number !== undefined) {
      if (name.startsWith('icmp') && !isIcmpProto(proto)) return faults.fail('invalid L4 fields');
      const all = (1 << number.bits) - 1;
      const given = numberUpTo(value, all, name, faults);
      tuple[number.as] = ((tuple[number.as] ?? 0) & ~(all << number.at)) | (given << number.at);
    } else return faults.fail(`invalid conntrack tuple field: ${name}`);
  }
  const hasPorts = (tuple.srcPort ?? 0) !== 0 || (tuple.dstPort ?? 0) !== 0;
  if (hasPorts && proto === 0) return faults.fail('port is set without protocol');
  return { tuple, proto, family };
}

/** What the arguments after the switch ask for. */
export function parseCtFlush(args: readonly string[]): CtFlush {
  const message: CtFlush = { kind: 'ctFlush', proto: 0, zone: undefined, original: {}, reply: {} };
  const rest = [...args];
  if (rest[0]?.startsWith('zone=') === true) {
    const zone = /^zone=\s*([+-]?\d+)/.exec(rest[0])?.[1];
    if (zone === undefined) throw new ConfigError('Failed to parse zone');
    message.zone = Number(BigInt.asUintN(16, BigInt(zone.replace('+', ''))));
    rest.shift();
  }
  const faults = new Faults();
  let [proto, family] = [0, 0];
  // More than two are not looked at.
  const tuples = rest.slice(0, 2).map((text) => {
    const parsed = parseTuple(text, proto, family, faults);
    ({ proto, family } = parsed);
    return parsed.tuple;
  });
  message.proto = proto;
  message.original = sentTuple(tuples[0] ?? {}, proto);
  message.reply = sentTuple(tuples[1] ?? {}, proto);
  return message;
}
