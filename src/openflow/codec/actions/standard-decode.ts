// The standard's own actions from bytes: those of OpenFlow 1.0, and of 1.1 to 1.5. OpenFlow 1.0.0 section 5.2.4, OpenFlow 1.3.5
// section 7.2.5.
import { PeerError } from '../../../base/errors.ts';
import type { Action } from '../../action.ts';
import type { OfVersion } from '../../message.ts';
import { isOutputPort, isQueuePort, portFromWire32 } from '../../ports.ts';
import { destination, source } from '../../subfield-check.ts';
import type { ByteReader } from '../bytes.ts';
import { decodeFieldHeader } from '../fields/oxm.ts';
import { decodeSetField, mplsType } from './nicira-decode.ts';

/** A port that something can be sent to. */
function outputPort(port: number): number {
  if (!isOutputPort(port)) throw new PeerError('OFPBAC_BAD_OUT_PORT', `output to port ${port}`);
  return port;
}

/** An action of OpenFlow 1.0 from its type and body. */
export function decode10(type: number, f: ByteReader): Action {
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

/** The body of a copy-field. */
export function decodeCopyField(f: ByteReader): Extract<Action, { kind: 'regMove' }> {
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

/** An action of OpenFlow 1.1 and later from its type and body. */
export function decode11(type: number, f: ByteReader, version: OfVersion): Action {
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
