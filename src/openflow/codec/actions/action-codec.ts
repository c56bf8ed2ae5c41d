// Actions of OpenFlow 1.0 and of 1.1 to 1.5, and the instructions around them. An action is 16 bits type, 16 bits length (a multiple
// of 8), body; type 0xffff is an experimenter's. OpenFlow 1.0.0 section 5.2.4, OpenFlow 1.3.5 section 7.2.5.
//
// Which form an action takes in a version follows the reference, so that bytes agree: 1.0 has its own set actions and Nicira's loads,
// 1.2 and later turn every plain set into set_field, instructions of 1.1 stand in 1.0 as Nicira actions where there are such.

import { PeerError } from '../../../base/errors.ts';
import { hexDump } from '../../../base/hex-dump.ts';
import { mustField } from '../../../flow/fields.ts';
import { newKey, setKeyBits } from '../../../flow/key.ts';
import type { Action } from '../../action.ts';
import { OFPP } from '../../action.ts';
import { misplaced, type Outer } from '../../action-place.ts';
import type { OfVersion } from '../../message.ts';
import { actionsLog as log, placesLog } from '../../peer-logs.ts';
import { isOutputPort, isQueuePort, portFromWire32, portToWire32 } from '../../ports.ts';
import { destination, source } from '../../subfield-check.ts';
import { ByteReader, type ByteWriter } from '../bytes.ts';
import { decodeFieldHeader, encodeFieldHeader } from '../fields/oxm.ts';
import { encodeSetField, loadField, std } from '../fields/set-field-codec.ts';
import { NX_VENDOR, NXAST, ONF_VENDOR } from './action-constants.ts';
import { type ActionContext, follow } from './action-context.ts';
import { checkActionForm, unknownVendor } from './action-forms.ts';
import { decodeSetField, mplsType, NICIRA_DECODERS } from './nicira-decode.ts';
import { encodeNicira } from './nicira-encode.ts';
import { niciraAction } from './nicira-envelope.ts';

const EXPERIMENTER = 0xffff;
const ONF_COPY_FIELD = 3200;
const SET_FIELD = 25;
/** How deep clones, ct and write_actions may nest before a list is refused. */
const MAX_DEPTH = 32;

/** Bytes that are not whole eights hold no list. */
export function checkWhole(bytes: Uint8Array, what: string, code = 'OFPBRC_BAD_LEN'): void {
  checkSize(bytes.length, bytes.length, what, code);
}

function checkSize(size: number, left: number, what: string, code: string): void {
  const refuse = (text: string): never => {
    log.warn(`OpenFlow message ${what} length ${text}`);
    throw new PeerError(code, `${what} length ${text}`);
  };
  if (size % 8 !== 0) refuse(`${size} is not a multiple of 8`);
  if (size > left) refuse(`${size} exceeds remaining message length (${left})`);
}

/** The next `size` bytes, which hold a list; a length that is less than nothing counts as 32 bits without a sign. */
export function listOf(from: ByteReader, size: number, what: 'actions' | 'instructions', code = 'OFPBRC_BAD_LEN'): ByteReader {
  checkSize(size >>> 0, from.left, what, code);
  return from.sub(size);
}

/** Where a list stands, by which its places are held: it is what a flow does, or plain actions, or what an action has inside it. */
export type ListPlace = 'flow' | 'plain' | Outer;

/** Actions that are all of some bytes. */
export function decodeActionBytes(bytes: Uint8Array, version: OfVersion, place: ListPlace = 'flow'): Action[] {
  return decodeActions(new ByteReader(bytes, 'OFPBAC_BAD_LEN'), version, place);
}

/** Throws PeerError when an action stands where it may not. */
export function checkPlaces(actions: readonly Action[], version: OfVersion, place: ListPlace): void {
  const outer = place === 'flow' || place === 'plain' ? undefined : place;
  const fault = misplaced(actions, outer, { takesInstructions: place === 'flow', metersByAction: version >= 6 });
  if (fault === undefined) return;
  placesLog.warn(fault.text);
  throw new PeerError(fault.code, fault.text);
}

/** Reads actions to the end of `from`. What cannot be read is told in the log with its place. */
export function decodeActions(from: ByteReader, version: OfVersion, place: ListPlace = 'flow', depth = 0): Action[] {
  const actions = decodeUnplaced(from, version, depth);
  checkPlaces(actions, version, place);
  return actions;
}

/** The same, wherever they stand. */
export function decodeUnplaced(from: ByteReader, version: OfVersion, depth = 0): Action[] {
  const start = from.at;
  const bytes = from.bytes.subarray(start);
  checkWhole(bytes, 'actions');
  const place = { at: 0 };
  try {
    return decodeList(from, version, depth, place);
  } catch (error) {
    if (error instanceof PeerError) {
      const { code } = error;
      log.warn(() => `bad action at offset ${place.at - start} (${code}):\n${hexDump(bytes, 'log')}`);
    }
    throw error;
  }
}

function decodeList(from: ByteReader, version: OfVersion, depth: number, place: { at: number }): Action[] {
  if (depth > MAX_DEPTH) throw new PeerError('OFPBAC_BAD_ARGUMENT', 'actions nest too deeply');
  const actions: Action[] = [];
  while (from.left > 0) {
    place.at = from.at;
    const type = from.u16();
    const length = from.u16();
    if (type === EXPERIMENTER) {
      const vendor = from.u32();
      if (vendor !== NX_VENDOR && vendor !== ONF_VENDOR) unknownVendor(vendor);
      if (from.left < 2) throw new PeerError('OFPBAC_BAD_LEN', `experimenter action of ${length} bytes`);
      const subtype = from.u16();
      checkActionForm(version, vendor, subtype, length, from.left + 10);
      actions.push(decodeExperimenter(from.sub(length - 10, 'OFPBAC_BAD_LEN'), vendor, subtype, version, depth));
      continue;
    }
    checkActionForm(version, 0, type, length, from.left + 4);
    const body = from.sub(length - 4, 'OFPBAC_BAD_LEN');
    actions.push(version === 1 ? decode10(type, body) : decode11(type, body, version));
  }
  return actions;
}

let takesDebugActions = false;

/** Has this process take debug_recirc and debug_slow from peers, as --enable-dummy does. */
export function takeDebugActions(): void {
  takesDebugActions = true;
}

function decodeExperimenter(body: ByteReader, vendor: number, subtype: number, version: OfVersion, depth: number): Action {
  if (vendor === ONF_VENDOR) {
    body.skip(2);
    return decodeCopyField(body);
  }
  const decode = NICIRA_DECODERS.get(subtype);
  if (decode === undefined || (subtype >= NXAST.DEBUG_SLOW && !takesDebugActions))
    throw new PeerError('OFPBAC_BAD_VENDOR_TYPE', `Nicira action ${subtype}`);
  return decode(body, (from, outer) => decodeActions(from.sub(from.left, 'OFPBAC_BAD_LEN'), version, outer, depth + 1));
}

/** A port that something can be sent to. */
function outputPort(port: number): number {
  if (!isOutputPort(port)) throw new PeerError('OFPBAC_BAD_OUT_PORT', `output to port ${port}`);
  return port;
}

function decode10(type: number, f: ByteReader): Action {
  switch (type) {
    case 0:
      return { kind: 'output', port: outputPort(f.u16()), maxLen: f.u16() };
    case 1:
      return { kind: 'setVlanVid', vid: checked(f.u16(), 0xfff), pushIfNeeded: true };
    case 2:
      return { kind: 'setVlanPcp', pcp: checked(f.u8(), 7), pushIfNeeded: true };
    case 3:
      return { kind: 'stripVlan' };
    case 4:
      return { kind: 'setEthSrc', mac: f.mac() };
    case 5:
      return { kind: 'setEthDst', mac: f.mac() };
    case 6:
      return { kind: 'setIpv4Src', ip: f.u32() };
    case 7:
      return { kind: 'setIpv4Dst', ip: f.u32() };
    case 8:
      return { kind: 'setIpDscp', dscp: tos(f.u8()) };
    case 9:
      return { kind: 'setL4SrcPort', port: f.u16() };
    case 10:
      return { kind: 'setL4DstPort', port: f.u16() };
    case 11: {
      const port = f.u16();
      f.skip(6);
      if (!isQueuePort(port)) throw new PeerError('OFPBAC_BAD_OUT_PORT', `enqueue to port ${port}`);
      return { kind: 'enqueue', port, queue: f.u32() };
    }
    default:
      throw new PeerError('OFPBAC_BAD_TYPE', `action type ${type}`);
  }
}

function checked(value: number, most: number): number {
  if (value > most) throw new PeerError('OFPBAC_BAD_ARGUMENT', `${value} is more than ${most}`);
  return value;
}

function tos(value: number): number {
  if ((value & 3) !== 0) throw new PeerError('OFPBAC_BAD_ARGUMENT', 'DSCP with ECN bits');
  return value;
}

function decodeCopyField(f: ByteReader): Extract<Action, { kind: 'regMove' }> {
  const bits = f.u16();
  const srcOffset = f.u16();
  const dstOffset = f.u16();
  f.skip(2);
  // What is behind the last field is short of a header rather than of an action.
  const names = f.sub(f.left, 'OFPBMC_BAD_LEN');
  const [src, dst] = [decodeFieldHeader(names), decodeFieldHeader(names)];
  names.zeros(names.left);
  return {
    kind: 'regMove',
    isCopy: true,
    src: source({ field: src, offset: srcOffset, bits }),
    dst: destination({ field: dst, offset: dstOffset, bits }),
  };
}

function decode11(type: number, f: ByteReader, version: OfVersion): Action {
  switch (type) {
    case 0: {
      const port = outputPort(portFromWire32(f.u32()));
      return { kind: 'output', port, maxLen: f.u16() };
    }
    case 13:
      return { kind: 'setMplsLabel', label: f.u32() };
    case 14:
      return { kind: 'setMplsTc', tc: f.u8() };
    case 15:
      return { kind: 'setMplsTtl', ttl: f.u8() };
    case 16:
      return { kind: 'decMplsTtl' };
    case 17:
      return { kind: 'pushVlan', ethertype: vlanType(f.u16()) };
    case 18:
      return { kind: 'stripVlan', pop: true };
    case 19:
      return { kind: 'pushMpls', ethertype: mplsType(f.u16()) };
    case 20:
      return { kind: 'popMpls', ethertype: f.u16() };
    case 21:
      return { kind: 'setQueue', queue: f.u32() };
    case 22:
      return { kind: 'group', group: f.u32() };
    case 23:
      return { kind: 'setIpTtl', ttl: f.u8() };
    case 24:
      return { kind: 'decTtl', controllerIds: [] };
    case 25:
      if (version >= 3) return decodeSetField(f, false, version >= 6);
      break;
    case 28:
      if (version >= 6) return decodeCopyField(f);
      break;
    case 29:
      if (version >= 6) return { kind: 'meter', meter: f.u32() };
      break;
    default: {
      const action = decode11Set(type, f);
      if (action !== undefined) return action;
    }
  }
  throw new PeerError('OFPBAC_BAD_TYPE', `action type ${type}`);
}

/** The set actions that OpenFlow 1.1 alone has. */
function decode11Set(type: number, f: ByteReader): Action | undefined {
  switch (type) {
    case 1:
      return { kind: 'setVlanVid', vid: checked(f.u16(), 0xfff), pushIfNeeded: false };
    case 2:
      return { kind: 'setVlanPcp', pcp: checked(f.u8(), 7), pushIfNeeded: false };
    case 3:
      return { kind: 'setEthSrc', mac: f.mac() };
    case 4:
      return { kind: 'setEthDst', mac: f.mac() };
    case 5:
      return { kind: 'setIpv4Src', ip: f.u32() };
    case 6:
      return { kind: 'setIpv4Dst', ip: f.u32() };
    case 7:
      return { kind: 'setIpDscp', dscp: tos(f.u8()) };
    case 8:
      return { kind: 'setIpEcn', ecn: checked(f.u8(), 3) };
    case 9:
      return { kind: 'setL4SrcPort', port: f.u16() };
    case 10:
      return { kind: 'setL4DstPort', port: f.u16() };
    default:
      return undefined;
  }
}

function vlanType(ethertype: number): number {
  if (ethertype !== 0x8100 && ethertype !== 0x88a8) throw new PeerError('OFPBAC_BAD_ARGUMENT', `push_vlan of 0x${ethertype.toString(16)}`);
  return ethertype;
}

/** Writes actions for a version. Instructions other than those that are actions in that version are passed over. */
export function encodeActions(out: ByteWriter, actions: readonly Action[], version: OfVersion, context: ActionContext = {}): void {
  encodeInContext(out, actions, version, { ...context });
}

/** Writes actions and leaves in `context` what they made of the packet. */
export function encodeInContext(out: ByteWriter, actions: readonly Action[], version: OfVersion, context: ActionContext): void {
  for (const action of actions) {
    encodeAction(out, action, version, context);
    follow(context, action);
  }
}

function encodeAction(out: ByteWriter, action: Action, version: OfVersion, context: ActionContext): void {
  if (action.kind === 'setField') {
    const isLoad2 = action.isLoad2 === true && version < 6;
    const form = isLoad2 ? (action.isMasked === true ? 'masked-load2' : 'load2') : action.isMasked === true ? 'masked' : '';
    encodeSetField(out, action.field, action.value, action.mask, version, context, form, action.aboveMask);
    return;
  }
  if (version === 1 ? encode10(out, action) : encode11(out, action, version, context)) return;
  const list = (o: ByteWriter, nested: readonly Action[]): void => encodeActions(o, nested, version, context);
  encodeNicira(out, action, list);
}

function encode10(out: ByteWriter, action: Action): boolean {
  switch (action.kind) {
    case 'output':
      std(out, 0, (o) => o.u16(action.port).u16(action.maxLen));
      return true;
    case 'enqueue':
      std(out, 11, (o) => o.u16(action.port).zeros(6).u32(action.queue), 16);
      return true;
    case 'setVlanVid':
      std(out, 1, (o) => o.u16(action.vid));
      return true;
    case 'setVlanPcp':
      std(out, 2, (o) => o.u8(action.pcp));
      return true;
    case 'stripVlan':
      std(out, 3, () => {});
      return true;
    case 'setEthSrc':
    case 'setEthDst':
      std(out, action.kind === 'setEthSrc' ? 4 : 5, (o) => o.mac(action.mac), 16);
      return true;
    case 'setIpv4Src':
    case 'setIpv4Dst':
      std(out, action.kind === 'setIpv4Src' ? 6 : 7, (o) => o.u32(action.ip));
      return true;
    case 'setIpDscp':
      std(out, 8, (o) => o.u8(action.dscp));
      return true;
    case 'setL4SrcPort':
    case 'setL4DstPort':
      std(out, action.kind === 'setL4SrcPort' ? 9 : 10, (o) => o.u16(action.port));
      return true;
    case 'setIpEcn':
      loadField(out, mustField('nw_ecn'), BigInt(action.ecn), 3n);
      return true;
    case 'setIpTtl':
      loadField(out, mustField('nw_ttl'), BigInt(action.ttl), 0xffn);
      return true;
    case 'gotoTable':
      niciraAction(out, NXAST.RESUBMIT_TABLE, (o) => o.u16(OFPP.IN_PORT).u8(action.table));
      return true;
    // OpenFlow 1.0 has nothing for these.
    case 'pushVlan':
    case 'meter':
    case 'clearActions':
    case 'writeActions':
      return true;
    default:
      return false;
  }
}

/** Copy-field: of OpenFlow 1.5, and before that an experimenter's with the same body, OpenFlow 1.3 extension 320. */
function encodeCopyField(
  out: ByteWriter,
  { src, dst }: Extract<Action, { kind: 'regMove' }>,
  version: OfVersion,
  head: (out: ByteWriter) => void,
): void {
  const start = out.size;
  head(out);
  out.u16(src.bits).u16(src.offset).u16(dst.offset).u16(0);
  for (const { field } of [src, dst]) {
    // Of a field that text alone knows there is nothing to say.
    if (field.codes.length === 0) out.u32(0);
    else encodeFieldHeader(out, field, version);
  }
  out.pad(start, 8);
  out.patch16(start + 2, out.size - start);
}

const TRANSPORT_NAMES: ReadonlyMap<number, string> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);

function encode11(out: ByteWriter, action: Action, version: OfVersion, context: ActionContext): boolean {
  // As it stands in the action, be it more than a packet has room for.
  const set = (name: string, value: bigint): void => {
    const field = mustField(name);
    const start = out.size;
    out.u16(SET_FIELD).u16(0);
    encodeFieldHeader(out, field, version);
    out.big(value, field.wireBytes).pad(start, 8);
    out.patch16(start + 2, out.size - start);
  };
  const old = version === 2;
  switch (action.kind) {
    case 'output':
      std(out, 0, (o) => o.u32(portToWire32(action.port)).u16(action.maxLen), 16);
      return true;
    case 'enqueue':
      std(out, 21, (o) => o.u32(action.queue));
      std(out, 0, (o) => o.u32(portToWire32(action.port)).u16(0xffff), 16);
      niciraAction(out, NXAST.POP_QUEUE);
      return true;
    case 'setVlanVid':
    case 'setVlanPcp': {
      if (action.pushIfNeeded && (context.hasVlan !== true || context.isUnchecked === true)) std(out, 17, (o) => o.u16(0x8100));
      if (action.kind === 'setVlanVid') {
        if (old) std(out, 1, (o) => o.u16(action.vid));
        else set('vlan_vid', BigInt(action.vid | 0x1000));
      } else if (old) std(out, 2, (o) => o.u8(action.pcp));
      else set('vlan_pcp', BigInt(action.pcp));
      return true;
    }
    case 'stripVlan':
      std(out, 18, () => {});
      return true;
    case 'pushVlan':
      std(out, 17, (o) => o.u16(action.ethertype));
      return true;
    case 'setEthSrc':
    case 'setEthDst': {
      const isSrc = action.kind === 'setEthSrc';
      if (old) std(out, isSrc ? 3 : 4, (o) => o.mac(action.mac), 16);
      else set(isSrc ? 'eth_src' : 'eth_dst', (BigInt(action.mac[0]) << 16n) | BigInt(action.mac[1]));
      return true;
    }
    case 'setIpv4Src':
    case 'setIpv4Dst': {
      const isSrc = action.kind === 'setIpv4Src';
      if (old) std(out, isSrc ? 5 : 6, (o) => o.u32(action.ip));
      else set(isSrc ? 'ip_src' : 'ip_dst', BigInt(action.ip));
      return true;
    }
    case 'setIpDscp':
      if (old) std(out, 7, (o) => o.u8(action.dscp));
      else set('ip_dscp', BigInt(action.dscp >> 2));
      return true;
    case 'setIpEcn':
      if (old) std(out, 8, (o) => o.u8(action.ecn));
      else set('nw_ecn', BigInt(action.ecn));
      return true;
    case 'setIpTtl':
      std(out, 23, (o) => o.u8(action.ttl));
      return true;
    case 'setL4SrcPort':
    case 'setL4DstPort': {
      const isSrc = action.kind === 'setL4SrcPort';
      // Without a protocol that has ports there is no field to set.
      const name = old ? undefined : TRANSPORT_NAMES.get(context.transport ?? 0);
      if (name === undefined) std(out, isSrc ? 9 : 10, (o) => o.u16(action.port));
      else set(`${name}_${isSrc ? 'src' : 'dst'}`, BigInt(action.port));
      return true;
    }
    case 'decTtl':
      if (action.listed === true) return false;
      std(out, 24, () => {});
      return true;
    case 'setMplsLabel':
      if (old) std(out, 13, (o) => o.u32(action.label));
      else set('mpls_label', BigInt(action.label));
      return true;
    case 'setMplsTc':
      if (old) std(out, 14, (o) => o.u8(action.tc));
      else set('mpls_tc', BigInt(action.tc));
      return true;
    case 'setMplsTtl':
      std(out, 15, (o) => o.u8(action.ttl));
      return true;
    case 'decMplsTtl':
      std(out, 16, () => {});
      return true;
    case 'pushMpls':
      std(out, 19, (o) => o.u16(action.ethertype));
      return true;
    case 'popMpls':
      std(out, 20, (o) => o.u16(action.ethertype));
      return true;
    case 'setQueue':
      std(out, 21, (o) => o.u32(action.queue));
      return true;
    case 'group':
      std(out, 22, (o) => o.u32(action.group));
      return true;
    case 'setTunnel':
      if (old) return false;
      set('tun_id', action.tunnelId);
      return true;
    case 'regLoad': {
      if (version < 6) return false;
      const { field, offset } = action.dst;
      // What stands above the field's own bits is zero, and not for a key to hold.
      const bits = Math.min(action.dst.bits, field.bits - offset);
      const key = newKey();
      const mask = newKey();
      if (bits > 0) setKeyBits(key, field.at + field.bits - offset - bits, bits, action.value);
      if (bits > 0) setKeyBits(mask, field.at + field.bits - offset - bits, bits, (1n << BigInt(bits)) - 1n);
      encodeSetField(out, field, key, mask, version, context, action.dst.bits > field.bits ? 'nxm-whole' : 'nxm-set-field');
      return true;
    }
    case 'regMove':
      if (version >= 6) encodeCopyField(out, action, version, (o) => o.u16(28).u16(0));
      // OpenFlow 1.4 has neither: the reference says it there in Nicira's form.
      else if (version === 4 && action.isCopy === true)
        encodeCopyField(out, action, version, (o) => o.u16(EXPERIMENTER).u16(0).u32(ONF_VENDOR).u16(ONF_COPY_FIELD).u16(0));
      else return false;
      return true;
    case 'meter':
      if (version >= 6) std(out, 29, (o) => o.u32(action.meter));
      // A bucket has no instructions, but the reference puts one there.
      else if (context.isUnchecked === true && version >= 4) std(out, 6, (o) => o.u32(action.meter));
      return true;
    case 'clearActions':
    case 'writeActions':
    case 'writeMetadata':
    case 'gotoTable':
      return true; // instructions
    default:
      return false;
  }
}
