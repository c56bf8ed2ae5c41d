// Decoders of Nicira's extension actions: one entry a subtype, each given what follows the subtype. Facts: ovs-actions(7).
import { PeerError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { tunFieldIndex } from '../../flow/fields.ts';
import { newKey, setKeyBits } from '../../flow/key.ts';
import { markPresent } from '../../flow/tun-fields.ts';
import type { Action, NatSpec, PacketInReason, Subfield } from '../action.ts';
import { OFPP } from '../action.ts';
import {
  BUNDLE_ALGORITHMS,
  CT_ALG,
  HASH_FIELDS,
  MULTIPATH_ALGORITHMS,
  NAT_FLAG,
  NAT_RANGE,
  NXAST,
  PACKET_IN_REASONS,
  PT_USE_NEXT_PROTO,
  SAMPLE_DIRECTIONS,
} from './action-constants.ts';
import { ByteReader } from './bytes.ts';
import { decodeLearn } from './learn-codec.ts';
import type { FieldValue } from './oxm.ts';
import { decodeFieldHeader, decodeFieldValue, decodeHeader } from './oxm.ts';
import { decodeFixedHeader, decodeNxmHeader, subfield, subfieldFromPacked, written } from './subfield-codec.ts';

const log = logger('ofp_actions');

const bad = (what: string): never => {
  throw new PeerError('OFPBAC_BAD_ARGUMENT', what);
};

function named<T extends string>(names: readonly T[], index: number, what: string): T {
  return names[index] ?? bad(`${what} ${index}`);
}

function decodeControllerProperties(from: ByteReader): Action {
  const action: Extract<Action, { kind: 'controller' }> = {
    kind: 'controller',
    maxLen: 0xffff,
    reason: 'action' as PacketInReason,
    controllerId: 0,
    userdata: new Uint8Array(0),
    pause: false,
    meterId: 0xffffffff,
  };
  while (from.left >= 4) {
    const type = from.u16();
    const length = from.u16();
    if (length < 4) throw new PeerError('OFPBPC_BAD_LEN', 'property too short');
    const body = from.sub(length - 4, 'OFPBPC_BAD_LEN');
    from.skip(Math.min(from.left, (8 - (length % 8)) % 8));
    if (type === 0) action.maxLen = body.u16();
    else if (type === 1) action.controllerId = body.u16();
    else if (type === 2) action.reason = named(PACKET_IN_REASONS, body.u8(), 'reason');
    else if (type === 3) action.userdata = body.rest().slice();
    else if (type === 4) action.pause = true;
    else if (type === 5) action.meterId = body.u32();
    else throw new PeerError('OFPBPC_BAD_TYPE', `controller property ${type}`);
  }
  return action;
}

/** Parts of a range that stand together: a maximum behind its minimum, ports behind addresses, one kind of addresses. Other bits mean nothing. */
const NAT_RANGES: ReadonlySet<number> = new Set([0, 1, 3, 4, 12, 17, 19, 20, 28, 49, 51, 52, 60]);
const NAT_SIZES: readonly (readonly [number, number])[] = [
  [NAT_RANGE.V4_MIN, 4],
  [NAT_RANGE.V4_MAX, 4],
  [NAT_RANGE.V6_MIN, 16],
  [NAT_RANGE.V6_MAX, 16],
  [NAT_RANGE.PORT_MIN, 2],
  [NAT_RANGE.PORT_MAX, 2],
];

function decodeNat(from: ByteReader): Action {
  from.skip(2);
  const flags = from.u16();
  const present = from.u16();
  const direction = (flags & NAT_FLAG.SRC) !== 0 ? 'src' : (flags & NAT_FLAG.DST) !== 0 ? 'dst' : 'none';
  if ((flags & 3) === 3 || (flags & ~31) !== 0) bad('nat flags');
  if (!NAT_RANGES.has(present & 63)) bad('nat range');
  let size = 0;
  for (const [bit, bytes] of NAT_SIZES) if ((present & bit) !== 0) size += bytes;
  if (from.left < size) bad('nat range cut off');
  const family = (present & 3) !== 0 ? 4 : (present & 12) !== 0 ? 6 : 0;
  const nat: NatSpec = {
    direction,
    persistent: (flags & NAT_FLAG.PERSISTENT) !== 0,
    hash: (flags & NAT_FLAG.HASH) !== 0,
    random: (flags & NAT_FLAG.RANDOM) !== 0,
    family,
  };
  const v6 = (): number[] => [from.u32(), from.u32(), from.u32(), from.u32()];
  if ((present & NAT_RANGE.V4_MIN) !== 0) nat.addrMin = [0, 0, 0, from.u32()];
  if ((present & NAT_RANGE.V4_MAX) !== 0) nat.addrMax = [0, 0, 0, from.u32()];
  if ((present & NAT_RANGE.V6_MIN) !== 0) nat.addrMin = v6();
  if ((present & NAT_RANGE.V6_MAX) !== 0) nat.addrMax = v6();
  if ((present & NAT_RANGE.PORT_MIN) !== 0) nat.portMin = from.u16();
  if ((present & NAT_RANGE.PORT_MAX) !== 0) nat.portMax = from.u16();
  return { kind: 'nat', nat };
}

function decodeSample(from: ByteReader, generation: 1 | 2 | 3): Action {
  const probability = from.u16();
  if (probability === 0) bad('sample probability 0');
  const sample: Extract<Action, { kind: 'sample' }> = {
    kind: 'sample',
    probability,
    collectorSetId: from.u32(),
    obsDomainId: from.u32(),
    obsPointId: from.u32(),
    samplingPort: OFPP.NONE,
    direction: '',
  };
  if (generation >= 2) sample.samplingPort = from.u16();
  if (generation < 3) return sample;
  const direction = from.u8();
  from.zeros(from.left);
  sample.direction = named(SAMPLE_DIRECTIONS, direction, 'direction');
  return sample;
}

/** Members that a bundle may have. */
const MAX_MEMBERS = 2048;

function decodeBundle(from: ByteReader, isLoad: boolean): Action {
  const number = from.u16();
  const hash = from.u16();
  const basis = from.u16();
  const memberType = from.u32();
  const count = from.u16();
  const packed = from.u16();
  const dstReader = from.sub(8);
  const fields = HASH_FIELDS[hash];
  const algorithm = BUNDLE_ALGORITHMS[number];
  let code = 'OFPBAC_BAD_ARGUMENT';
  let isBad = true;
  if (fields === undefined) log.warn(`unsupported fields ${hash}`);
  else if (count > MAX_MEMBERS) log.warn('too many members');
  else if (algorithm === undefined) log.warn(`unsupported algorithm ${number}`);
  else if (memberType !== 2) log.warn(`unsupported member type ${memberType}`);
  else isBad = false;
  const packedDst = dstReader.sub(4);
  if (dstReader.rest().some((byte) => byte !== 0)) {
    log.warn('reserved field is nonzero');
    isBad = true;
  }
  const dst = isLoad ? subfieldFromPacked(decodeFixedHeader(packedDst), packed) : undefined;
  if (dst !== undefined && dst.bits < 16) {
    log.warn('bundle_load action requires at least 16 bit destination.');
    isBad = true;
  } else if (!isLoad && (packed !== 0 || packedDst.rest().some((byte) => byte !== 0))) {
    log.warn('bundle action has nonzero reserved fields');
    isBad = true;
  }
  if (count * 2 > from.left) {
    const needed = `${count * 2} bytes are required for ${count} members`;
    log.warn(`Nicira action ${isLoad ? 'bundle_load' : 'bundle'} only has ${from.left} bytes allocated for members.  ${needed}.`);
    [code, isBad] = ['OFPBAC_BAD_LEN', true];
  }
  if (isBad || fields === undefined || algorithm === undefined) throw new PeerError(code, 'bundle');
  const members = Array.from({ length: count }, () => from.u16());
  const action: Extract<Action, { kind: 'bundle' }> = { kind: 'bundle', fields, basis, algorithm, members };
  if (dst !== undefined) action.dst = dst;
  return action;
}

/** Packet types that can be put around a packet: Ethernet, NSH, MPLS unicast and multicast. */
const ENCAPSULATIONS: ReadonlySet<number> = new Set([0, 0x1894f, 0x18847, 0x18848]);

function decodeEncap(from: ByteReader): Action {
  from.skip(2);
  const packetType = from.u32();
  if (!ENCAPSULATIONS.has(packetType)) throw new PeerError('NXBAC_BAD_HEADER_TYPE', `encap of packet type ${packetType}`);
  const props: { class: number; type: number; value: Uint8Array }[] = [];
  while (from.left >= 4) {
    const cls = from.u16();
    const type = from.u8();
    const length = from.u8();
    if (length < 4) throw new PeerError('OFPBAC_BAD_LEN', `encap property of ${length} bytes`);
    const value = from.take(length - 4).slice();
    // An NSH option is filled up to whole eights within its property.
    if (cls === 4 && type === 2 && value.length < 4 + Math.ceil((value[3] ?? 0) / 8) * 8)
      throw new PeerError('NXBAC_BAD_ED_PROP', `NSH option in ${value.length} bytes`);
    props.push({ class: cls, type, value });
    from.skip(Math.min(from.left, (8 - (length % 8)) % 8));
  }
  return { kind: 'encap', packetType, props };
}

/** Values that a field has room for and a packet has not. A tag that is set is a tag that is there. */
function checkSetValue({ field, value }: FieldValue): void {
  const { name } = field;
  const isOdd =
    (name === 'vlan_vid' && (value & 0x1000n) === 0n) || (name === 'nw_tos' && (value & 3n) !== 0n) || (name === 'nsh_ttl' && value > 63n);
  if (isOdd) log.warn(`Invalid value for set field ${name}: ${value}`);
  // The port that a packet came in by has a name of its own to be set by.
  if (isOdd || name === 'in_port_oxm') throw new PeerError('OFPBAC_BAD_SET_ARGUMENT', `set_field ${name} to ${value}`);
}

/** A masked or whole value of a field, as an action; `isLoad` is Nicira’s form, which takes any value. Masks came with OpenFlow 1.5. */
export function decodeSetField(from: ByteReader, isLoad: boolean, takesMask = isLoad): Action {
  // The faults in the reference's order: header, size, value, what is behind it, what may be set.
  if (from.left < 4) throw new PeerError('OFPBAC_BAD_SET_LEN', 'set_field ends in its header');
  if (from.left < 8 && from.bytes[from.at] === 0xff && from.bytes[from.at + 1] === 0xff)
    throw new PeerError('OFPBMC_BAD_LEN', 'set_field ends in its header');
  const header = decodeHeader(from);
  const known = header.coded?.field;
  const isOption = known !== undefined && tunFieldIndex(known) >= 0;
  const perValue = header.hasMask ? header.size >> 1 : header.size;
  const isEmpty = perValue === 0;
  if (isOption) {
    if (isEmpty && header.hasMask && !takesMask) throw new PeerError('OFPBAC_BAD_SET_MASK', `${known.name} with a mask of nothing`);
  } else if (isEmpty && !header.isExperimenter) throw new PeerError('OFPBAC_BAD_SET_TYPE', 'set_field of nothing');
  else if (known === undefined || perValue !== known.wireBytes)
    throw new PeerError('OFPBAC_BAD_SET_LEN', `${known?.name ?? 'unknown field'}: ${header.size} bytes`);
  if (header.size > from.left) throw new PeerError('OFPBMC_BAD_LEN', 'set_field ends in its value');
  let decoded: FieldValue;
  try {
    decoded = decodeFieldValue(from, header, false);
  } catch (error) {
    // A port that there is no number for.
    if (error instanceof PeerError && error.code === 'OFPBMC_BAD_VALUE' && known.format === 'port32')
      throw new PeerError('OFPBAC_BAD_SET_ARGUMENT', error.message);
    throw error;
  }
  if (header.hasMask && !takesMask) throw new PeerError('OFPBAC_BAD_SET_MASK', 'set_field with a mask');
  from.zeros(from.left, 'OFPBAC_BAD_SET_ARGUMENT');
  if (!known.writable) {
    log.warn(`destination field ${known.name} is not writable`);
    throw new PeerError('OFPBAC_BAD_SET_ARGUMENT', `${known.name} is read-only`);
  }
  if (!isLoad) checkSetValue(decoded);
  const { field } = decoded;
  const value = newKey();
  const mask = newKey();
  if (field.name === 'vlan_vid') {
    setKeyBits(value, field.at - 1, 13, decoded.value);
    setKeyBits(mask, field.at - 1, 13, decoded.mask);
  } else {
    setKeyBits(value, field.at, field.bits, decoded.value);
    setKeyBits(mask, field.at, field.bits, decoded.mask);
    markPresent(field, value, mask);
  }
  const width = field.name === 'vlan_vid' ? 13 : field.bits;
  const isWhole = decoded.mask === (1n << BigInt(width)) - 1n;
  return { kind: 'setField', field, value, mask, ...(decoded.isMasked === true && isWhole ? { isMasked: true } : {}) };
}

/** Decodes nested actions; given by the caller so that this file does not depend on the codec above it. */
export type DecodeList = (from: ByteReader) => Action[];

type Decoder = (from: ByteReader, list: DecodeList) => Action;

/** A multiprotocol label switching ethertype. */
export function mplsType(ethertype: number): number {
  if (ethertype !== 0x8847 && ethertype !== 0x8848) bad(`push_mpls of 0x${ethertype.toString(16)}`);
  return ethertype;
}

function resubmitTable(from: ByteReader, withCtTuple: boolean): Action {
  const [port, table] = [from.u16(), from.u8()];
  from.zeros(3, 'OFPBAC_BAD_ARGUMENT');
  return { kind: 'resubmit', port, table, withCtTuple };
}

/** What follows the subtype, by subtype. */
export const NICIRA_DECODERS: ReadonlyMap<number, Decoder> = new Map<number, Decoder>([
  [NXAST.RESUBMIT, (f) => ({ kind: 'resubmit', port: f.u16(), table: 255, withCtTuple: false, portOnly: true })],
  [NXAST.RESUBMIT_TABLE, (f) => resubmitTable(f, false)],
  [NXAST.RESUBMIT_TABLE_CT, (f) => resubmitTable(f, true)],
  [NXAST.SET_TUNNEL, (f) => ({ kind: 'setTunnel', tunnelId: BigInt(f.skip(2).u32()), wide: false })],
  [NXAST.SET_TUNNEL64, (f) => ({ kind: 'setTunnel', tunnelId: f.skip(6).u64(), wide: true })],
  [NXAST.SET_QUEUE, (f) => ({ kind: 'setQueue', queue: f.skip(2).u32() })],
  [NXAST.POP_QUEUE, () => ({ kind: 'popQueue' })],
  [
    NXAST.REG_MOVE,
    (f) => {
      const bits = f.u16();
      const srcOffset = f.u16();
      const dstOffset = f.u16();
      const [src, dst] = [decodeNxmHeader(f), decodeNxmHeader(f)];
      f.zeros(f.left);
      return { kind: 'regMove', src: subfield(src, srcOffset, bits), dst: subfield(dst, dstOffset, bits) };
    },
  ],
  [
    NXAST.REG_LOAD,
    (f) => {
      const packed = f.u16();
      const dst = written(subfieldFromPacked(decodeFixedHeader(f), packed));
      const value = f.u64();
      if (value >> BigInt(dst.bits) !== 0n) bad('load value too wide');
      return { kind: 'regLoad', dst, value };
    },
  ],
  [NXAST.REG_LOAD2, (f) => decodeSetField(f, true)],
  [NXAST.NOTE, (f) => ({ kind: 'note', data: f.rest().slice() })],
  [
    NXAST.MULTIPATH,
    (f) => {
      const hash = f.u16();
      const basis = f.u16();
      f.skip(2);
      const number = f.u16();
      const maxLink = f.u16();
      const arg = f.u32();
      f.skip(2);
      const packed = f.u16();
      const dst = subfieldFromPacked(decodeFixedHeader(f), packed);
      const fields = named(HASH_FIELDS, hash, 'hash fields');
      const algorithm = named(MULTIPATH_ALGORITHMS, number, 'multipath algorithm');
      if (dst.bits < 16 && maxLink + 1 > 1 << dst.bits) bad('multipath destination too narrow');
      return { kind: 'multipath', fields, basis, algorithm, maxLink, arg, dst };
    },
  ],
  [NXAST.BUNDLE, (f) => decodeBundle(f, false)],
  [NXAST.BUNDLE_LOAD, (f) => decodeBundle(f, true)],
  [
    NXAST.OUTPUT_REG,
    (f) => {
      const packed = f.u16();
      const header = f.sub(4);
      const maxLen = f.u16();
      f.zeros(6, 'OFPBAC_BAD_ARGUMENT');
      const field = decodeFixedHeader(header);
      return { kind: 'outputReg', src: subfieldFromPacked(field, packed), maxLen };
    },
  ],
  [
    NXAST.OUTPUT_REG2,
    (f) => {
      const packed = f.u16();
      const maxLen = f.u16();
      const field = decodeNxmHeader(f);
      f.zeros(f.left);
      return { kind: 'outputReg', src: subfieldFromPacked(field, packed), maxLen };
    },
  ],
  [
    NXAST.OUTPUT_TRUNC,
    (f) => {
      const [port, maxLen] = [f.u16(), f.u32()];
      // An Ethernet header must be left.
      if (maxLen < 14) bad(`output of ${maxLen} bytes`);
      return { kind: 'outputTrunc', port, maxLen };
    },
  ],
  [NXAST.LEARN, (f) => decodeLearn(f, false)],
  [NXAST.LEARN2, (f) => decodeLearn(f, true)],
  [NXAST.EXIT, () => ({ kind: 'exit' })],
  [NXAST.DEC_TTL, () => ({ kind: 'decTtl', controllerIds: [] })],
  [
    NXAST.DEC_TTL_CNT_IDS,
    (f) => {
      const count = f.u16();
      f.zeros(4);
      if (count * 2 > f.left) throw new PeerError('OFPBAC_BAD_LEN', 'dec_ttl controllers');
      return { kind: 'decTtl', controllerIds: Array.from({ length: count }, () => f.u16()), listed: true };
    },
  ],
  [NXAST.FIN_TIMEOUT, (f) => ({ kind: 'finTimeout', idleTimeoutSec: f.u16(), hardTimeoutSec: f.u16() })],
  [
    NXAST.CONTROLLER,
    (f) => ({
      kind: 'controller',
      maxLen: f.u16(),
      controllerId: f.u16(),
      reason: named(PACKET_IN_REASONS, f.u8(), 'reason'),
      userdata: new Uint8Array(0),
      pause: false,
      meterId: 0xffffffff,
    }),
  ],
  [NXAST.CONTROLLER2, (f) => decodeControllerProperties(f.zeros(6))],
  [NXAST.WRITE_METADATA, (f) => ({ kind: 'writeMetadata', metadata: f.zeros(6).u64(), mask: f.u64() })],
  [NXAST.PUSH_MPLS, (f) => ({ kind: 'pushMpls', ethertype: mplsType(f.u16()) })],
  [NXAST.POP_MPLS, (f) => ({ kind: 'popMpls', ethertype: f.u16() })],
  [NXAST.SET_MPLS_TTL, (f) => ({ kind: 'setMplsTtl', ttl: f.u8() })],
  [NXAST.DEC_MPLS_TTL, () => ({ kind: 'decMplsTtl' })],
  [NXAST.SET_MPLS_LABEL, (f) => ({ kind: 'setMplsLabel', label: f.skip(2).u32() })],
  [NXAST.SET_MPLS_TC, (f) => ({ kind: 'setMplsTc', tc: f.u8() })],
  [NXAST.DEC_NSH_TTL, () => ({ kind: 'decNshTtl' })],
  [NXAST.STACK_PUSH, (f) => stack(f, 'push')],
  [NXAST.STACK_POP, (f) => stack(f, 'pop')],
  [NXAST.SAMPLE, (f) => decodeSample(f, 1)],
  [NXAST.SAMPLE2, (f) => decodeSample(f, 2)],
  [NXAST.SAMPLE3, (f) => decodeSample(f, 3)],
  [
    NXAST.CONJUNCTION,
    (f) => {
      const clause = f.u8();
      const clauses = f.u8();
      if (clauses < 2 || clauses > 64 || clause >= clauses) throw new PeerError('NXBAC_BAD_CONJUNCTION', 'conjunction');
      return { kind: 'conjunction', clause, clauses, id: f.u32() };
    },
  ],
  [
    NXAST.CT,
    (f, list) => {
      const flags = f.u16();
      const zoneField = f.u32();
      const zone = f.u16();
      const recircTable = f.u8();
      f.skip(3);
      const algPort = f.u16();
      const source = zoneField === 0 ? undefined : zoneSource(f, zoneField, zone);
      if (source !== undefined && source.bits !== 16) {
        log.warn(`zone n_bits ${source.bits} not within valid range [16..16]`);
        throw new PeerError('OFPBAC_BAD_SET_LEN', 'ct zone');
      }
      if ((flags & ~3) !== 0 || flags === 2) bad('ct flags');
      const made: Extract<Action, { kind: 'ct' }> = {
        kind: 'ct',
        commit: (flags & 1) !== 0,
        force: (flags & 2) !== 0,
        recircTable,
        zone: source ?? zone,
        alg: algPort,
        exec: list(f),
      };
      // What a connection keeps is settled when it is committed.
      if (!made.commit && made.exec.some((one) => one.kind !== 'nat' || one.nat.family !== 0 || one.nat.portMin !== undefined)) {
        log.warn('CT action requires commit flag if actions other than NAT without arguments are specified.');
        bad('ct without commit');
      }
      return made;
    },
  ],
  [NXAST.NAT, decodeNat],
  [NXAST.CT_CLEAR, () => ({ kind: 'ctClear' })],
  [NXAST.GROUP, (f) => ({ kind: 'group', group: f.skip(2).u32() })],
  [NXAST.CLONE, (f, list) => ({ kind: 'clone', actions: list(f.skip(6)) })],
  [NXAST.ENCAP, decodeEncap],
  [
    NXAST.DECAP,
    (f) => {
      f.skip(2);
      const newPacketType = f.u32();
      if (f.left > 0) throw new PeerError('NXBAC_UNKNOWN_ED_PROP', 'decap with properties');
      return newPacketType === PT_USE_NEXT_PROTO ? { kind: 'decap' } : { kind: 'decap', newPacketType };
    },
  ],
  [
    NXAST.CHECK_PKT_LARGER,
    (f) => {
      const length = f.u16();
      const offset = f.u16();
      const field = decodeNxmHeader(f);
      f.zeros(f.left);
      return { kind: 'checkPktLarger', length, dst: written(subfield(field, offset, 1)) };
    },
  ],
  [NXAST.DELETE_FIELD, (f) => ({ kind: 'deleteField', field: decodeFieldHeader(f, true) })],
  [NXAST.DEBUG_RECIRC, () => ({ kind: 'debugRecirc' })],
  [NXAST.DEBUG_SLOW, () => ({ kind: 'debugSlow' })],
]);

/** The field that a ct action's zone comes from. */
function zoneSource(from: ByteReader, header: number, bits: number): Subfield {
  try {
    return subfieldFromPacked(decodeFixedHeader(word(from, header)), bits);
  } catch (error) {
    throw error instanceof PeerError ? new PeerError('OFPBAC_BAD_SET_TYPE', error.message) : error;
  }
}

function stack(from: ByteReader, kind: 'push' | 'pop'): Action {
  const offset = from.u16();
  const field = decodeNxmHeader(from);
  const bits = from.u16();
  from.zeros(from.left);
  return { kind, subfield: subfield(field, offset, bits) };
}

/** A reader over one 32-bit word that was read already. */
function word(from: ByteReader, value: number): ByteReader {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return new ByteReader(bytes, from.shortCode);
}

/** The name that a tracking helper's port stands for, if any. */
export const ctAlgName = (port: number): string | undefined => CT_ALG.get(port);
