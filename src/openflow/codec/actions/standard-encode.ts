// Actions in the standard's own forms. Which form an action takes in a version follows the reference, so that bytes agree: 1.0 has its
// own set actions and Nicira's loads, 1.2 and later turn every plain set into set_field, instructions of 1.1 stand in 1.0 as Nicira
// actions where there are such. False says that there is none: what is left are Nicira's.
import { mustField } from '../../../flow/fields.ts';
import { newKey, setKeyBits } from '../../../flow/key.ts';
import type { Action } from '../../action.ts';
import { OFPP } from '../../action.ts';
import type { OfVersion } from '../../message.ts';
import { portToWire32 } from '../../ports.ts';
import type { ByteWriter } from '../bytes.ts';
import { encodeFieldHeader } from '../fields/oxm.ts';
import { encodeSetField, loadField, std } from '../fields/set-field-codec.ts';
import { EXPERIMENTER, NXAST, ONF_VENDOR } from './action-constants.ts';
import type { ActionContext } from './action-context.ts';
import { niciraAction } from './nicira-envelope.ts';

const ONF_COPY_FIELD = 3200;
const SET_FIELD = 25;

/** Writes an action of OpenFlow 1.0. */
export function encode10(out: ByteWriter, action: Action): boolean {
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

/** Writes an action of OpenFlow 1.1 and later; `context` is what is known of the packet so far. */
export function encode11(out: ByteWriter, action: Action, version: OfVersion, context: ActionContext): boolean {
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
