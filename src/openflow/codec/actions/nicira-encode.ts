// Encoders of Nicira's extension actions. Each writes what stands after the subtype; the envelope pads to 8 bytes.
import { type Field, tunFieldIndex } from '../../../flow/fields.ts';
import type { Action } from '../../action.ts';
import { loadPart } from '../../load-part.ts';
import type { ByteWriter } from '../bytes.ts';
import { encodeFieldHeader } from '../fields/oxm.ts';
import { encodeFixedHeader, encodeNxmHeader, hasLongHeader, packBits } from '../fields/subfield-codec.ts';
import { BUNDLE_ALGORITHMS, HASH_FIELDS, MULTIPATH_ALGORITHMS, NXAST, PT_USE_NEXT_PROTO } from './action-constants.ts';
import { encodeController } from './controller-codec.ts';
import { encodeLearn, needsLearn2 } from './learn-codec.ts';
import { encodeNat } from './nat-codec.ts';
import { niciraAction } from './nicira-envelope.ts';
import { encodeSample } from './sample-codec.ts';

type Of<K extends Action['kind']> = Extract<Action, { kind: K }>;

/** What a name stands for; what the reference lets pass without one is its number as text. */
function numberOf(names: readonly string[], name: string): number {
  const at = names.indexOf(name);
  return at < 0 ? Number(name) : at;
}

function encodeBundle(out: ByteWriter, action: Of<'bundle'>): void {
  niciraAction(out, action.dst === undefined ? NXAST.BUNDLE : NXAST.BUNDLE_LOAD, (o) => {
    o.u16(numberOf(BUNDLE_ALGORITHMS, action.algorithm)).u16(numberOf(HASH_FIELDS, action.fields));
    o.u16(action.basis).u32(2).u16(action.members.length);
    o.u16(action.dst === undefined ? 0 : packBits(action.dst.offset, action.dst.bits));
    const start = o.size;
    if (action.dst !== undefined) encodeNxmHeader(o, action.dst.field);
    o.zeros(8 - (o.size - start));
    for (const port of action.members) o.u16(port);
  });
}

/** Writes an action in Nicira's form, the same in every version; false when it has none. `list` writes nested actions. */
export function encodeNicira(out: ByteWriter, action: Action, list: (out: ByteWriter, actions: readonly Action[]) => void): boolean {
  const nx = (subtype: number, body?: (out: ByteWriter) => void, minimum?: number): true => {
    niciraAction(out, subtype, body, minimum);
    return true;
  };
  switch (action.kind) {
    case 'outputReg':
      if (action.isReg2 === true || hasLongHeader(action.src.field)) {
        return nx(NXAST.OUTPUT_REG2, (o) => {
          encodeNxmHeader(o.u16(packBits(action.src.offset, action.src.bits)).u16(action.maxLen), action.src.field);
        });
      }
      return nx(
        NXAST.OUTPUT_REG,
        (o) => {
          encodeNxmHeader(o.u16(packBits(action.src.offset, action.src.bits)), action.src.field);
          o.u16(action.maxLen);
        },
        24,
      );
    case 'outputTrunc':
      return nx(NXAST.OUTPUT_TRUNC, (o) => o.u16(action.port).u32(action.maxLen));
    case 'controller':
      encodeController(out, action);
      return true;
    case 'group':
      return nx(NXAST.GROUP, (o) => o.u16(0).u32(action.group));
    case 'bundle':
      encodeBundle(out, action);
      return true;
    case 'regLoad':
      if (tunFieldIndex(action.dst.field) >= 0) {
        list(out, [loadPart(action.dst, action.value)]);
        return true;
      }
      if (hasLongHeader(action.dst.field)) {
        const shift = BigInt(action.dst.offset);
        encodeLoad2(out, action.dst.field, action.value << shift, ((1n << BigInt(action.dst.bits)) - 1n) << shift);
        return true;
      }
      if (action.dst.bits > 64) return loadWide(out, action);
      return nx(NXAST.REG_LOAD, (o) => {
        encodeNxmHeader(o.u16(packBits(action.dst.offset, action.dst.bits)), action.dst.field);
        o.u64(action.value);
      });
    case 'regMove':
      return nx(NXAST.REG_MOVE, (o) => {
        o.u16(action.src.bits).u16(action.src.offset).u16(action.dst.offset);
        encodeNxmHeader(o, action.src.field);
        encodeNxmHeader(o, action.dst.field);
      });
    case 'decTtl':
      if (action.listed !== true) return nx(NXAST.DEC_TTL);
      return nx(NXAST.DEC_TTL_CNT_IDS, (o) => {
        o.u16(action.controllerIds.length).zeros(4);
        for (const id of action.controllerIds) o.u16(id);
      });
    case 'setMplsLabel':
      return nx(NXAST.SET_MPLS_LABEL, (o) => o.u16(0).u32(action.label));
    case 'setMplsTc':
      return nx(NXAST.SET_MPLS_TC, (o) => o.u8(action.tc));
    case 'setMplsTtl':
      return nx(NXAST.SET_MPLS_TTL, (o) => o.u8(action.ttl));
    case 'decMplsTtl':
      return nx(NXAST.DEC_MPLS_TTL);
    case 'pushMpls':
      return nx(NXAST.PUSH_MPLS, (o) => o.u16(action.ethertype));
    case 'popMpls':
      return nx(NXAST.POP_MPLS, (o) => o.u16(action.ethertype));
    case 'decNshTtl':
      return nx(NXAST.DEC_NSH_TTL);
    case 'deleteField':
      return nx(NXAST.DELETE_FIELD, (o) => encodeNxmHeader(o, action.field), 24);
    case 'setTunnel':
      if (action.wide || action.tunnelId > 0xffffffffn) return nx(NXAST.SET_TUNNEL64, (o) => o.zeros(6).u64(action.tunnelId));
      return nx(NXAST.SET_TUNNEL, (o) => o.u16(0).u32(Number(action.tunnelId)));
    case 'setQueue':
      return nx(NXAST.SET_QUEUE, (o) => o.u16(0).u32(action.queue));
    case 'popQueue':
      return nx(NXAST.POP_QUEUE);
    case 'finTimeout':
      return nx(NXAST.FIN_TIMEOUT, (o) => o.u16(action.idleTimeoutSec).u16(action.hardTimeoutSec));
    case 'resubmit':
      if (action.portOnly === true) return nx(NXAST.RESUBMIT, (o) => o.u16(action.port));
      return nx(action.withCtTuple ? NXAST.RESUBMIT_TABLE_CT : NXAST.RESUBMIT_TABLE, (o) => o.u16(action.port).u8(action.table));
    case 'learn':
      return nx(needsLearn2(action) ? NXAST.LEARN2 : NXAST.LEARN, (o) => encodeLearn(o, action));
    case 'conjunction':
      return nx(NXAST.CONJUNCTION, (o) => o.u8(action.clause).u8(action.clauses).u32(action.id));
    case 'multipath':
      return nx(NXAST.MULTIPATH, (o) => {
        o.u16((HASH_FIELDS as readonly string[]).indexOf(action.fields))
          .u16(action.basis)
          .u16(0);
        o.u16((MULTIPATH_ALGORITHMS as readonly string[]).indexOf(action.algorithm))
          .u16(action.maxLink)
          .u32(action.arg)
          .u16(0);
        encodeNxmHeader(o.u16(packBits(action.dst.offset, action.dst.bits)), action.dst.field);
      });
    case 'note':
      return nx(NXAST.NOTE, (o) => o.put(action.data));
    case 'exit':
      return nx(NXAST.EXIT);
    case 'sample':
      encodeSample(out, action);
      return true;
    case 'push':
    case 'pop':
      return nx(action.kind === 'push' ? NXAST.STACK_PUSH : NXAST.STACK_POP, (o) => {
        encodeNxmHeader(o.u16(action.subfield.offset), action.subfield.field);
        o.u16(action.subfield.bits);
      });
    case 'clone':
      return nx(NXAST.CLONE, (o) => list(o.zeros(6), action.actions));
    case 'checkPktLarger':
      return nx(NXAST.CHECK_PKT_LARGER, (o) => encodeNxmHeader(o.u16(action.length).u16(action.dst.offset), action.dst.field), 24);
    case 'ct':
      return nx(NXAST.CT, (o) => {
        o.u16((action.commit ? 1 : 0) | (action.force ? 2 : 0) | (action.spareFlags ?? 0));
        if (typeof action.zone === 'number') o.u32(0).u16(action.zone);
        else {
          encodeFixedHeader(o, action.zone.field);
          o.u16(packBits(action.zone.offset, action.zone.bits));
        }
        o.u8(action.recircTable).zeros(3).u16(action.alg);
        list(o, action.exec);
      });
    case 'nat':
      encodeNat(out, action);
      return true;
    case 'ctClear':
      return nx(NXAST.CT_CLEAR);
    case 'encap':
      return nx(NXAST.ENCAP, (o) => {
        o.u16(action.headerSize ?? 0).u32(action.packetType);
        for (const prop of action.props) {
          const start = o.size;
          o.u16(prop.class)
            .u8(prop.type)
            .u8(prop.value.length + 4)
            .put(prop.value);
          o.pad(start, 8);
        }
      });
    case 'decap':
      return nx(NXAST.DECAP, (o) => o.u16(0).u32(action.newPacketType ?? PT_USE_NEXT_PROTO));
    case 'debugRecirc':
      return nx(NXAST.DEBUG_RECIRC);
    case 'debugSlow':
      return nx(NXAST.DEBUG_SLOW);
    case 'writeMetadata':
      return nx(NXAST.WRITE_METADATA, (o) => o.zeros(6).u64(action.metadata).u64(action.mask));
    default:
      return false;
  }
}

/** A load into a field whose header is too long for the older form. */
export function encodeLoad2(out: ByteWriter, field: Field, value: bigint, mask: bigint): void {
  const isMasked = mask !== (1n << BigInt(field.wireBytes * 8)) - 1n;
  niciraAction(out, NXAST.REG_LOAD2, (o) => {
    encodeFieldHeader(o, field, 1, isMasked);
    o.big(value, field.wireBytes);
    if (isMasked) o.big(mask, field.wireBytes);
  });
}

/** A load of more bits than one such action has: the lowest 64, then the rest. */
function loadWide(out: ByteWriter, { dst, value }: Of<'regLoad'>): true {
  for (let done = 0; done < dst.bits; done += 64) {
    const bits = Math.min(64, dst.bits - done);
    niciraAction(out, NXAST.REG_LOAD, (o) => {
      encodeNxmHeader(o.u16(packBits(dst.offset + done, bits)), dst.field);
      o.u64(BigInt.asUintN(bits, value >> BigInt(done)));
    });
  }
  return true;
}
