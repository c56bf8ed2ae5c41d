// Decoders of Nicira's extension actions: one entry a subtype, each given what follows the subtype. Facts: ovs-actions(7).

import { PeerError } from '../../../base/errors.ts';
import { tunFieldIndex } from '../../../flow/fields.ts';
import { newKey, setKeyBits } from '../../../flow/key.ts';
import { markPresent } from '../../../flow/tun-fields.ts';
import type { Action, Subfield } from '../../action.ts';
import type { Outer } from '../../action-place.ts';
import { checkMember } from '../../bundle-member.ts';
import { bundleActionLog, actionsLog as log } from '../../peer-logs.ts';
import { tellOddPort } from '../../ports.ts';
import { destination, source } from '../../subfield-check.ts';
import { type ByteReader, bytesToBig, u32At } from '../bytes.ts';
import type { FieldValue } from '../fields/oxm.ts';
import { decodeFieldHeader, decodeFieldValue, decodeHeader, MAX_ENTRY_BYTES } from '../fields/oxm.ts';
import { decodeFixedHeader, decodeNxmHeader, hasLongHeader, subfieldFromPacked } from '../fields/subfield-codec.ts';
import { BUNDLE_ALGORITHMS, CT_ALG, HASH_FIELDS, MULTIPATH_ALGORITHMS, NXAST, PT_USE_NEXT_PROTO } from './action-constants.ts';
import { decodeController, decodeControllerProperties } from './controller-codec.ts';
import { decodeLearn } from './learn-codec.ts';
import { decodeNat, isPlainNat } from './nat-codec.ts';
import { decodeSample } from './sample-codec.ts';

function bad(what: string): never {
  throw new PeerError('OFPBAC_BAD_ARGUMENT', what);
}

/** The same, told in the log. */
function refuse(what: string): never {
  log.warn(what);
  return bad(what);
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
  const packedDst = from.sub(4);
  const reserved = from.take(4);
  let fault = '';
  const warn = (text: string): void => {
    bundleActionLog.warn(text);
    fault = 'OFPBAC_BAD_ARGUMENT';
  };
  if (HASH_FIELDS[hash] === undefined) warn(`unsupported fields ${hash}`);
  else if (count > MAX_MEMBERS) warn('too many members');
  else if (BUNDLE_ALGORITHMS[number] === undefined) warn(`unsupported algorithm ${number}`);
  else if (memberType !== 2) warn(`unsupported member type ${memberType}`);
  if (reserved.some((byte) => byte !== 0)) warn('reserved field is nonzero');
  let dst: Subfield | undefined;
  if (isLoad) {
    // A field that is known makes the reference forget the faults before it.
    dst = subfieldFromPacked(decodeFixedHeader(packedDst), packed);
    fault = '';
    if (dst.bits < 16) warn('bundle_load action requires at least 16 bit destination.');
  } else if (packed !== 0 || packedDst.rest().some((byte) => byte !== 0)) warn('bundle action has nonzero reserved fields');
  if (count * 2 > from.left) {
    const needed = `${count * 2} bytes are required for ${count} members`;
    warn(`Nicira action ${isLoad ? 'bundle_load' : 'bundle'} only has ${from.left} bytes allocated for members.  ${needed}.`);
    fault = 'OFPBAC_BAD_LEN';
  }
  if (fault !== '') throw new PeerError(fault, 'bundle');
  const members = Array.from({ length: count }, () => from.u16());
  if (dst !== undefined) destination(dst);
  for (const port of members) checkMember(port);
  const action: Extract<Action, { kind: 'bundle' }> = {
    kind: 'bundle',
    fields: HASH_FIELDS[hash] ?? String(hash),
    basis,
    algorithm: BUNDLE_ALGORITHMS[number] ?? String(number),
    members,
  };
  if (dst !== undefined) action.dst = dst;
  return action;
}

/** Packet types that can be put around a packet: Ethernet, NSH, MPLS unicast and multicast. */
const ENCAPSULATIONS: ReadonlySet<number> = new Set([0, 0x1894f, 0x18847, 0x18848]);

/** Class of properties of NSH headers, and their types. */
const NSH_PROPERTY = { CLASS: 4, MD_TYPE: 1, TLV: 2 } as const;

function decodeEncap(from: ByteReader): Action {
  const headerSize = from.u16();
  const packetType = from.u32();
  if (!ENCAPSULATIONS.has(packetType)) throw new PeerError('NXBAC_BAD_HEADER_TYPE', `encap of packet type ${packetType}`);
  const props: { class: number; type: number; value: Uint8Array }[] = [];
  while (from.left > 0) {
    if (from.left < 4) throw new PeerError('OFPBAC_BAD_LEN', 'encap property cut off');
    const cls = from.u16();
    const type = from.u8();
    const length = from.u8();
    const padded = Math.ceil(length / 8) * 8;
    if (length < 4 || padded - 4 > from.left) throw new PeerError('OFPBAC_BAD_LEN', `encap property of ${length} bytes`);
    const value = from.take(padded - 4).slice();
    if (cls !== NSH_PROPERTY.CLASS || (type !== NSH_PROPERTY.MD_TYPE && type !== NSH_PROPERTY.TLV))
      throw new PeerError('NXBAC_UNKNOWN_ED_PROP', `encap property ${cls}:${type}`);
    // An option is filled up to whole eights within its property.
    if (type === NSH_PROPERTY.TLV && length < 8 + Math.ceil((value[3] ?? 0) / 8) * 8)
      throw new PeerError('NXBAC_BAD_ED_PROP', `NSH option in ${length} bytes`);
    props.push({ class: cls, type, value: type === NSH_PROPERTY.MD_TYPE ? value.slice(0, 1) : value.slice(0, length - 4) });
  }
  return { kind: 'encap', packetType, props, ...(headerSize === 0 ? {} : { headerSize }) };
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
    if (!isLoad && !header.hasMask && header.size > MAX_ENTRY_BYTES)
      throw new PeerError('OFPBAC_BAD_SET_LEN', `${known.name}: ${header.size} bytes`);
    if (isEmpty && header.size <= from.left && header.hasMask && !takesMask)
      throw new PeerError('OFPBAC_BAD_SET_MASK', `${known.name} with a mask of nothing`);
  } else if (isEmpty && header.cls !== 0xffff) throw new PeerError('OFPBAC_BAD_SET_TYPE', 'set_field of nothing');
  else if (known === undefined || perValue !== known.wireBytes)
    throw new PeerError('OFPBAC_BAD_SET_LEN', `${known?.name ?? 'unknown field'}: ${header.size} bytes`);
  if (header.size > from.left) throw new PeerError('OFPBMC_BAD_LEN', 'set_field ends in its value');
  let decoded: FieldValue | undefined;
  let odd: PeerError | undefined;
  let wide: bigint | undefined;
  const start = from.at;
  try {
    decoded = decodeFieldValue(from, header, false);
  } catch (error) {
    // More than there is room for: told after what is told of every value.
    if (!(error instanceof PeerError) || error.code !== 'OFPBMC_BAD_VALUE') throw error;
    odd = new PeerError('OFPBAC_BAD_SET_ARGUMENT', error.message);
    wide = known === undefined ? undefined : bytesToBig(from.bytes.subarray(start, start + known.wireBytes));
    from.at = start + header.size;
  }
  if (header.hasMask && !takesMask) throw new PeerError('OFPBAC_BAD_SET_MASK', 'set_field with a mask');
  from.zeros(from.left, 'OFPBAC_BAD_SET_ARGUMENT');
  if (!known.writable) {
    log.warn(`destination field ${known.name} is not writable`);
    throw new PeerError('OFPBAC_BAD_SET_ARGUMENT', `${known.name} is read-only`);
  }
  if (wide !== undefined && !isLoad) log.warn(`Invalid value for set field ${known.name}: ${wide}`);
  if (odd !== undefined || decoded === undefined) throw odd ?? new PeerError('OFPBAC_BAD_SET_ARGUMENT', known.name);
  if (!isLoad) checkSetValue(decoded);
  else if (known.format === 'port32') tellOddPort(u32At(from.bytes, start));
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
  const all = (1n << BigInt(width)) - 1n;
  const isWhole = (decoded.mask & all) === all;
  const { aboveMask = 0n } = decoded;
  return {
    kind: 'setField',
    field,
    value,
    mask,
    ...(decoded.isMasked === true && isWhole ? { isMasked: true } : {}),
    ...(aboveMask === 0n ? {} : { aboveMask }),
    ...(isLoad ? { isLoad2: true } : {}),
  };
}

/** Decodes nested actions; given by the caller so that this file does not depend on the codec above it. */
export type DecodeList = (from: ByteReader, outer: Outer) => Action[];

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
      return {
        kind: 'regMove',
        src: source({ field: src, offset: srcOffset, bits }),
        dst: destination({ field: dst, offset: dstOffset, bits }),
      };
    },
  ],
  [
    NXAST.REG_LOAD,
    (f) => {
      const packed = f.u16();
      const dst = destination(subfieldFromPacked(decodeFixedHeader(f), packed));
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
      const fields = HASH_FIELDS[hash] ?? refuse(`unsupported fields ${hash}`);
      const algorithm = MULTIPATH_ALGORITHMS[number] ?? refuse(`unsupported algorithm ${number}`);
      const needed = Math.ceil(Math.log2(maxLink + 1));
      if (dst.bits < needed) refuse(`multipath action requires at least ${needed} bits for ${maxLink + 1} links`);
      destination(dst);
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
      return { kind: 'outputReg', src: source(subfieldFromPacked(field, packed)), maxLen };
    },
  ],
  [
    NXAST.OUTPUT_REG2,
    (f) => {
      const packed = f.u16();
      const maxLen = f.u16();
      const field = decodeNxmHeader(f);
      f.zeros(f.left);
      const isReg2 = hasLongHeader(field) ? {} : { isReg2: true };
      return { kind: 'outputReg', src: source(subfieldFromPacked(field, packed)), maxLen, ...isReg2 };
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
      if (count * 2 > f.left) {
        const needed = `${count * 2} bytes are required for ${count} controllers`;
        log.warn(`Nicira action dec_ttl_cnt_ids only has ${f.left} bytes allocated for controller ids.  ${needed}.`);
        throw new PeerError('OFPBAC_BAD_LEN', 'dec_ttl controllers');
      }
      return { kind: 'decTtl', controllerIds: Array.from({ length: count }, () => f.u16()), listed: true };
    },
  ],
  [NXAST.FIN_TIMEOUT, (f) => ({ kind: 'finTimeout', idleTimeoutSec: f.u16(), hardTimeoutSec: f.u16() })],
  [NXAST.CONTROLLER, decodeController],
  [NXAST.CONTROLLER2, decodeControllerProperties],
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
      if ((flags & 3) === 2) bad('ct force without commit');
      const zoneSource = zoneField === 0 ? undefined : source(subfieldFromPacked(decodeFixedHeader(word(f, zoneField)), zone));
      if (zoneSource !== undefined && zoneSource.bits !== 16) {
        log.warn(`zone n_bits ${zoneSource.bits} not within valid range [16..16]`);
        throw new PeerError('OFPBAC_BAD_SET_LEN', 'ct zone');
      }
      const made: Extract<Action, { kind: 'ct' }> = {
        kind: 'ct',
        commit: (flags & 1) !== 0,
        force: (flags & 2) !== 0,
        recircTable,
        zone: zoneSource ?? zone,
        alg: algPort,
        exec: list(f, 'ct'),
      };
      if ((flags & ~3) !== 0) made.spareFlags = flags & ~3;
      // What a connection keeps is settled when it is committed.
      if (!made.commit && made.exec.some((one) => one.kind !== 'nat' || !isPlainNat(one)))
        refuse('CT action requires commit flag if actions other than NAT without arguments are specified.');
      return made;
    },
  ],
  [NXAST.NAT, decodeNat],
  [NXAST.CT_CLEAR, () => ({ kind: 'ctClear' })],
  [NXAST.GROUP, (f) => ({ kind: 'group', group: f.skip(2).u32() })],
  [NXAST.CLONE, (f, list) => ({ kind: 'clone', actions: list(f.skip(6), 'clone') })],
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
      return { kind: 'checkPktLarger', length, dst: destination({ field, offset, bits: 1 }) };
    },
  ],
  [NXAST.DELETE_FIELD, (f) => ({ kind: 'deleteField', field: decodeFieldHeader(f) })],
  [NXAST.DEBUG_RECIRC, () => ({ kind: 'debugRecirc' })],
  [NXAST.DEBUG_SLOW, () => ({ kind: 'debugSlow' })],
]);

function stack(from: ByteReader, kind: 'push' | 'pop'): Action {
  const offset = from.u16();
  const field = decodeNxmHeader(from);
  const bits = from.u16();
  from.zeros(from.left);
  return { kind, subfield: (kind === 'push' ? source : destination)({ field, offset, bits }) };
}

/** A reader over one 32-bit word that was read already. */
function word(from: ByteReader, value: number): ByteReader {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return from.within(bytes);
}

/** The name that a tracking helper's port stands for, if any. */
export const ctAlgName = (port: number): string | undefined => CT_ALG.get(port);
