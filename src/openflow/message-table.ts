// Every message of OpenFlow 1.0 to 1.5 with the extensions of Nicira and the ONF: its name, where it stands on the wire, and how long it may be.
//
// A row is a name (`?` a multipart request, `!` its reply) and for a range of wire versions a place and a size. Places: `t` a type; `n`
// and `o` a subtype of Nicira's and of the ONF's experimenter message; `s` a multipart type, `ns` and `os` an experimenter's.
// Sizes count the whole message: `32` exactly, `32+` at least, `32+8` longer by whole eights. Facts: the OpenFlow specifications, and
// what the reference says when a message is too short or too long.

import { PeerError } from '../base/errors.ts';
import { NX_VENDOR, ONF_VENDOR } from './codec/actions/action-constants.ts';
import type { OfVersion } from './message.ts';
import { lengthLog, typeLog, vendorLog } from './peer-logs.ts';

const ROWS = `
OFPT_HELLO 1-6:t0:8+
OFPT_ERROR 1-6:t1:12+
OFPT_ECHO_REQUEST 1-6:t2:8+
OFPT_ECHO_REPLY 1-6:t3:8+
OFPT_FEATURES_REQUEST 1-6:t5:8
OFPT_FEATURES_REPLY 1:t6:32+48 2-3:t6:32+64 4-6:t6:32
OFPT_GET_CONFIG_REQUEST 1-6:t7:8
OFPT_GET_CONFIG_REPLY 1-6:t8:12
OFPT_SET_CONFIG 1-6:t9:12
OFPT_PACKET_IN 1:t10:18+ 2:t10:24+ 3:t10:16+ 4-6:t10:24+
OFPT_FLOW_REMOVED 1:t11:88 2-5:t11:48+8 6:t11:24+8
OFPT_PORT_STATUS 1:t12:64 2-4:t12:80 5-6:t12:56+8
OFPT_PACKET_OUT 1:t13:16+ 2-5:t13:24+ 6:t13:16+
OFPT_FLOW_MOD 1:t14:72+8 2-6:t14:48+8
OFPT_PORT_MOD 1:t15:32 2-4:t16:40 5-6:t16:32+8
OFPT_BARRIER_REQUEST 1:t18:8 2-6:t20:8
OFPT_BARRIER_REPLY 1:t19:8 2-6:t21:8
OFPT_QUEUE_GET_CONFIG_REQUEST 1:t20:12 2-4:t22:16
OFPT_QUEUE_GET_CONFIG_REPLY 1:t21:16+8 2-4:t23:16+8
NXT_ROLE_REQUEST 1-6:n10:20
NXT_ROLE_REPLY 1-6:n11:20
NXT_SET_FLOW_FORMAT 1:n12:20
NXT_FLOW_MOD 1-6:n13:48+8
NXT_FLOW_REMOVED 1-6:n14:56+8
NXT_FLOW_MOD_TABLE_ID 1-6:n15:24
NXT_SET_PACKET_IN_FORMAT 1-6:n16:20
NXT_PACKET_IN 1-6:n17:40+
NXT_FLOW_AGE 1-6:n18:16
NXT_SET_ASYNC_CONFIG 1-6:n19:40
NXT_SET_CONTROLLER_ID 1-6:n20:24
NXT_FLOW_MONITOR_CANCEL 1-3:n21:20
NXT_FLOW_MONITOR_PAUSED 1-3:n22:16
NXT_FLOW_MONITOR_RESUMED 1-3:n23:16
NXT_TLV_TABLE_MOD 1-6:n24:24+8
NXT_TLV_TABLE_REQUEST 1-6:n25:16
NXT_TLV_TABLE_REPLY 1-6:n26:32+8
NXT_SET_ASYNC_CONFIG2 1-4:n27:16+8
NXT_RESUME 1-6:n28:16+8
NXT_CT_FLUSH_ZONE 1-6:n29:24
NXT_PACKET_IN2 1-6:n30:16+8
NXT_GROUP_MOD 1:n31:32+8
NXT_CT_FLUSH 1-6:n32:24+8
NXT_REQUESTFORWARD 1-3:n132:24+8
OFPST_DESC? 1:s0:12 2-6:s0:16
OFPST_FLOW? 1:s1:56 2-6:s1:48+8
OFPST_AGGREGATE? 1:s2:56 2-6:s2:48+8
OFPST_TABLE? 1:s3:12 2-6:s3:16
OFPST_PORT? 1:s4:20 2-6:s4:24
OFPST_QUEUE? 1:s5:20 2-6:s5:24
OFPST_PORT_DESC? 1:s13:12 2-5:s13:16 6:s13:24
NXST_FLOW? 1:ns0:32+8
NXST_AGGREGATE? 1:ns1:32+8
NXST_FLOW_MONITOR? 1-3:ns2:24+8
NXST_IPFIX_BRIDGE? 1-6:ns3:24
NXST_IPFIX_FLOW? 1-6:ns4:24
NXST_GROUP? 1:ns7:32
NXST_GROUP_DESC? 1:ns8:32
NXST_GROUP_FEATURES? 1-2:ns9:24
OFPST_DESC! 1:s0:1068 2-6:s0:1072
OFPST_FLOW! 1:s1:12+ 2-6:s1:16+
OFPST_AGGREGATE! 1:s2:36 2-5:s2:40 6:s2:16+
OFPST_TABLE! 1:s3:12+64 2:s3:16+88 3:s3:16+128 4-6:s3:16+24
OFPST_PORT! 1:s4:12+104 2-3:s4:16+104 4:s4:16+112 5-6:s4:16+8
OFPST_QUEUE! 1:s5:12+32 2-3:s5:16+32 4:s5:16+40 5-6:s5:16+8
OFPST_PORT_DESC! 1:s13:12+48 2-4:s13:16+64 5-6:s13:16+8
NXST_FLOW! 1:ns0:24+
NXST_AGGREGATE! 1:ns1:48
NXST_FLOW_MONITOR! 1-3:ns2:24+8
NXST_IPFIX_BRIDGE! 1-6:ns3:112
NXST_IPFIX_FLOW! 1-6:ns4:24+88
NXST_GROUP! 1:ns7:24+8
NXST_GROUP_DESC! 1:ns8:24+8
NXST_GROUP_FEATURES! 1-2:ns9:64
OFPT_GROUP_MOD 2-5:t15:16+8 6:t15:24+8
OFPT_TABLE_MOD 2-4:t17:16 5-6:t17:16+8
OFPST_GROUP? 2-6:s6:24
OFPST_GROUP_DESC? 2-5:s7:16 6:s7:24
OFPST_GROUP! 2-6:s6:16+8
OFPST_GROUP_DESC! 2-6:s7:16+8
OFPT_ROLE_REQUEST 3-6:t24:24
OFPT_ROLE_REPLY 3-6:t25:24
OFPST_GROUP_FEATURES? 3-6:s8:16
OFPST_GROUP_FEATURES! 3-6:s8:56
OFPT_GET_ASYNC_REQUEST 4-6:t26:8
OFPT_GET_ASYNC_REPLY 4:t27:32 5-6:t27:8+8
OFPT_SET_ASYNC 4:t28:32 5-6:t28:8+8
OFPT_METER_MOD 4-6:t29:16+8
ONFT_ROLE_STATUS 4:o1911:32+8
ONFT_REQUESTFORWARD 4:o2350:24+8
ONFT_BUNDLE_CONTROL 4:o2300:24+8
ONFT_BUNDLE_ADD_MESSAGE 4:o2301:24+
ONFT_FLOW_MONITOR_CANCEL 4:o1870:20
ONFT_FLOW_MONITOR_PAUSED 4:o1871:16
ONFT_FLOW_MONITOR_RESUMED 4:o1872:16
OFPST_METER? 4-6:s9:24
OFPST_METER_CONFIG? 4-6:s10:24
OFPST_METER_FEATURES? 4-6:s11:16
OFPST_TABLE_FEATURES? 4-6:s12:16+8
ONFST_FLOW_MONITOR? 4:os1870:24+8
OFPST_METER! 4-6:s9:16+8
OFPST_METER_CONFIG! 4-6:s10:16+8
OFPST_METER_FEATURES! 4-6:s11:32
OFPST_TABLE_FEATURES! 4-6:s12:80+8
ONFST_FLOW_MONITOR! 4:os1870:24+8
OFPT_ROLE_STATUS 5-6:t30:24+8
OFPT_TABLE_STATUS 5-6:t31:16+8
OFPT_REQUESTFORWARD 5-6:t32:16+8
OFPT_BUNDLE_CONTROL 5-6:t33:16+8
OFPT_BUNDLE_ADD_MESSAGE 5-6:t34:16+
OFPST_TABLE_DESC? 5-6:s14:16
OFPST_QUEUE_DESC? 5-6:s15:24
OFPST_FLOW_MONITOR? 5-6:s16:16+8
OFPST_TABLE_DESC! 5-6:s14:24+8
OFPST_QUEUE_DESC! 5-6:s15:16+8
OFPST_FLOW_MONITOR! 5-6:s16:16+8
`;

/** A message of one version. */
export interface MessageForm {
  /** As printed: `OFPT_HELLO`, `OFPST_FLOW reply`. */
  readonly name: string;
  readonly isMultipart: boolean;
  readonly minSize: number;
  /** 0: exactly the size; otherwise longer by multiples of this. */
  readonly step: number;
}

const EXPERIMENTER = 4;
const CLASS = { t: 0, n: 1, o: 2, s: 3, ns: 4, os: 5 } as const;
type PlaceClass = keyof typeof CLASS;

const keyOf = (cls: PlaceClass, version: number, type: number, number: number): number =>
  ((CLASS[cls] * 65536 + number) * 256 + type) * 8 + version;

const multipartType = (version: number, isReply: boolean): number => (version === 1 ? 16 : 18) + (isReply ? 1 : 0);

let forms: Map<number, MessageForm> | undefined;
/** Where a message of that name stands in `forms`, in all its versions. */
const places = new Map<string, number[]>();

function load(): Map<number, MessageForm> {
  const map = new Map<number, MessageForm>();
  for (const row of ROWS.trim().split('\n')) {
    const [label = '', ...texts] = row.split(' ');
    const isReply = label.endsWith('!');
    const name = label.replace('?', ' request').replace('!', ' reply');
    const keys = places.get(name) ?? [];
    places.set(name, keys);
    for (const text of texts) {
      const [, first = '', last = first, cls = 't', number = '', size = '', plus = '', step = ''] =
        /^(\d)(?:-(\d))?:([a-z]+)(\d+):(\d+)(\+?)(\d*)$/.exec(text) ?? [];
      const isMultipart = cls.endsWith('s');
      const form = { name, isMultipart, minSize: Number(size), step: plus === '' ? 0 : Number(step || 1) };
      for (let version = Number(first); version <= Number(last); version++) {
        const type = isMultipart ? multipartType(version, isReply) : cls === 't' ? Number(number) : EXPERIMENTER;
        const key = keyOf(cls as PlaceClass, version, type, cls === 't' ? 0 : Number(number));
        keys.push(key);
        map.set(key, form);
      }
    }
  }
  forms = map;
  return map;
}

/** All message names, in the table's order. */
export const messageNames = (): string[] => [...new Set([...(forms ?? load()).values()].map(({ name }) => name))];

const CLASSES = Object.keys(CLASS) as PlaceClass[];

/** The bytes that a message at a place begins with, up to where its body stands; length and transaction id are still to be said. */
function headAt(key: number): Uint8Array {
  const version = key % 8;
  const type = Math.floor(key / 8) % 256;
  const number = Math.floor(key / 2048) % 65536;
  const cls = CLASSES[Math.floor(key / 2048 / 65536)] ?? 't';
  const words: number[] = [((version << 24) | (type << 16)) >>> 0, 1];
  const vendor = cls.startsWith('n') ? NX_VENDOR : ONF_VENDOR;
  if (cls === 'n' || cls === 'o') words.push(vendor, number);
  else if (cls !== 't') {
    words.push((cls === 's' ? number << 16 : 0xffff0000) >>> 0);
    if (version > 1) words.push(0);
    if (cls !== 's') words.push(vendor, number);
    if (cls === 'ns' && version === 1) words.push(0);
  }
  const head = new Uint8Array(words.length * 4);
  for (const [i, word] of words.entries()) new DataView(head.buffer).setUint32(i * 4, word);
  return head;
}

/** Every message of every version with the bytes that it begins with, up to where its body stands. */
export const messageHeads = (): { version: number; form: MessageForm; head: Uint8Array }[] =>
  [...(forms ?? load())].map(([key, form]) => ({ version: key % 8, form, head: headAt(key) }));

const heads = new Map<string, (Uint8Array | undefined)[]>();

/**
 * The bytes that the message of that name begins with in a version, which nobody may change. In a version that does not have it: as in the
 * first one after it that has, or else the last.
 */
export function messageHead(name: string, version: OfVersion): Uint8Array {
  const known = heads.get(name) ?? [];
  heads.set(name, known);
  known[version] ??= findHead(name, version);
  return known[version];
}

function findHead(name: string, version: OfVersion): Uint8Array {
  if (forms === undefined) load();
  const byVersion = [...(places.get(name) ?? [])].sort((a, b) => (a % 8) - (b % 8));
  const key = byVersion.find((one) => one % 8 >= version) ?? byVersion.at(-1);
  if (key === undefined) throw new Error(`no message ${name}`);
  const head = headAt(key);
  head[0] = version;
  return head;
}

/** There is no such message, or it cannot have its length: nothing of it can be looked at. */
export class HeaderFault extends PeerError {}

const short = (): never => {
  throw new HeaderFault('OFPBRC_BAD_LEN', 'message ends in its header');
};

function vendorClass(vendor: number): 'n' | 'o' {
  if (vendor === NX_VENDOR) return 'n';
  return vendor === ONF_VENDOR ? 'o' : unknownVendor(vendor);
}

function unknownVendor(vendor: number): never {
  vendorLog.warn(() => `OpenFlow message has unknown vendor ${vendor === 0 ? '0' : `0x${vendor.toString(16)}`}`);
  throw new HeaderFault('OFPBRC_BAD_VENDOR', `vendor 0x${vendor.toString(16)}`);
}

function unknown(code: string, version: number, type: number, more = ''): never {
  const text = `unknown OpenFlow message (version ${version}, type ${type}${more})`;
  typeLog.warn(text);
  throw new HeaderFault(code, text);
}

const OFPT_ECHO_REPLY = 3;

/** Hello, error and echo are the same in all versions, those to come included. */
export const isOfAllVersions = (type: number): boolean => type <= OFPT_ECHO_REPLY;

/** What message bytes hold by their header, whatever their length. Throws PeerError. */
export function identifyMessage(bytes: Uint8Array): MessageForm {
  const version = bytes[0] ?? 0;
  const type = bytes[1] ?? 0;
  const map = forms ?? load();
  const size = bytes.length;
  if (isOfAllVersions(type) && version > 0) return map.get(keyOf('t', Math.min(6, version), type, 0)) ?? short();
  // Of versions that there are not nothing else is known.
  const isKnown = version >= 1 && version <= 6;
  const find = (cls: PlaceClass, number: number): MessageForm | undefined =>
    isKnown && number <= 0xffff ? map.get(keyOf(cls, version, type, number)) : undefined;
  if (type !== EXPERIMENTER && type !== multipartType(version, false) && type !== multipartType(version, true)) {
    return find('t', 0) ?? unknown('OFPBRC_BAD_TYPE', version, type);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (type === EXPERIMENTER) {
    if (size < 16) return short();
    const vendor = view.getUint32(8);
    const subtype = view.getUint32(12);
    const cls = vendorClass(vendor);
    const found = find(cls, subtype);
    return found ?? unknown('OFPBRC_BAD_SUBTYPE', version, type, `, vendor 0x${vendor.toString(16)}, subtype ${subtype}`);
  }
  const head = version === 1 ? 12 : 16;
  if (size < head) return short();
  const stat = view.getUint16(8);
  if (stat !== 0xffff && !isKnown) return unknown('OFPBRC_BAD_TYPE', version, type);
  if (stat !== 0xffff) return find('s', stat) ?? unknown('OFPBRC_BAD_STAT', version, type, `, stat ${stat}`);
  // OpenFlow 1.0 has a vendor's number and no more; Nicira's statistics go on from there.
  if (size < (version === 1 ? 16 : 24)) return short();
  const vendor = view.getUint32(head);
  if (version === 1 && vendor !== NX_VENDOR) unknownVendor(vendor);
  if (size < 24) return short();
  const subtype = view.getUint32(head + 4);
  const cls = vendorClass(vendor);
  const found = find(`${cls}s`, subtype);
  const place = `${isKnown ? `, stat ${stat}` : ''}, vendor 0x${vendor.toString(16)}, subtype ${subtype}`;
  return found ?? unknown('OFPBRC_BAD_SUBTYPE', version, type, place);
}

/** What a whole message is. Throws PeerError when there is no such message or it cannot have this length. */
export function messageForm(bytes: Uint8Array): MessageForm {
  const form = identifyMessage(bytes);
  const size = bytes.length;
  const isGood = form.step === 0 ? size === form.minSize : size >= form.minSize && (size - form.minSize) % form.step === 0;
  if (!isGood) {
    const expected =
      form.step === 0
        ? `expected length ${form.minSize}`
        : form.step === 1
          ? `expected length at least ${form.minSize} bytes`
          : `must be exactly ${form.minSize} bytes or longer by an integer multiple of ${form.step} bytes`;
    lengthLog.warn(() => `received ${form.name} with incorrect length ${size} (${expected})`);
    throw new HeaderFault('OFPBRC_BAD_LEN', `${form.name} of ${size} bytes`);
  }
  return form;
}

/** ` (OF1.3)`, nothing for OpenFlow 1.0. */
export function versionTag(version: OfVersion | number): string {
  if (version === 1) return '';
  return version >= 2 && version <= 6 ? ` (OF1.${version - 1})` : ` (OF 0x${version.toString(16).padStart(2, '0')})`;
}
