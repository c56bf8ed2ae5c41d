// Set-field in all its forms: an action of its own in OpenFlow 1.0 and 1.1, set_field from 1.2 on, Nicira's loads where neither will do.
import { type Field, partBits, tunFieldIndex } from '../../../flow/fields.ts';
import { keyBits } from '../../../flow/key.ts';
import type { OfVersion } from '../../message.ts';
import { NXAST } from '../actions/action-constants.ts';
import type { ActionContext } from '../actions/action-context.ts';
import { encodeLoad2 } from '../actions/nicira-encode.ts';
import { niciraAction } from '../actions/nicira-envelope.ts';
import type { ByteWriter } from '../bytes.ts';
import { encodeFieldHeader } from './oxm.ts';
import { encodeNxmHeader, hasLongHeader, packBits } from './subfield-codec.ts';
import { encodeTunValue } from './tun-metadata.ts';

/** Writes an action of the standard: type, length, body, padding. */
export function std(out: ByteWriter, type: number, body: (out: ByteWriter) => void, size = 8): void {
  const start = out.size;
  out.u16(type).u16(size);
  body(out);
  out.zeros(size - (out.size - start));
}

const OLD_SET: ReadonlyMap<string, { type10: number; type11: number; size: number }> = new Map([
  ['eth_src', { type10: 4, type11: 3, size: 6 }],
  ['eth_dst', { type10: 5, type11: 4, size: 6 }],
  ['ip_src', { type10: 6, type11: 5, size: 4 }],
  ['ip_dst', { type10: 7, type11: 6, size: 4 }],
  ['nw_tos', { type10: 8, type11: 7, size: 1 }],
  ['nw_ecn', { type10: -1, type11: 8, size: 1 }],
  ['tcp_src', { type10: 9, type11: 9, size: 2 }],
  ['udp_src', { type10: 9, type11: 9, size: 2 }],
  ['tcp_dst', { type10: 10, type11: 10, size: 2 }],
  ['udp_dst', { type10: 10, type11: 10, size: 2 }],
  ['vlan_vid', { type10: 1, type11: 1, size: 2 }],
  ['vlan_pcp', { type10: 2, type11: 2, size: 1 }],
]);

/** Writes a set-field. */
export function encodeSetField(
  out: ByteWriter,
  field: Field,
  valueKey: ArrayLike<number>,
  maskKey: ArrayLike<number>,
  version: OfVersion,
  context: ActionContext,
  form: '' | 'masked' | 'load2' | 'masked-load2' | 'nxm-set-field' | 'nxm-whole' = '',
  aboveMask = 0n,
): void {
  const isNxm = form === 'nxm-set-field' || form === 'nxm-whole';
  const isVid = field.name === 'vlan_vid';
  const at = isVid ? field.at - 1 : field.at;
  const bits = isVid ? 13 : field.bits;
  const value = keyBits(valueKey, at, bits);
  const mask = keyBits(maskKey, at, bits) | aboveMask;
  const all = (1n << BigInt(bits)) - 1n;
  if (tunFieldIndex(field) >= 0) {
    encodeTunSetField(out, field, value, mask, form.endsWith('load2') ? 1 : version);
    return;
  }
  if (form === 'load2' || form === 'masked-load2') {
    encodeLoad2(out, field, value, mask === all && form === 'load2' ? (1n << BigInt(field.wireBytes * 8)) - 1n : mask);
    return;
  }
  if (!isNxm && version < 3 && !(form === 'masked' && hasLongHeader(field))) {
    encodeSetField10(out, field, value, mask, version, context);
    return;
  }
  const isPart = mask !== all || form === 'masked';
  if (!isNxm && version < 6 && isPart) {
    loadField(out, field, value, mask, isPart);
    return;
  }
  const start = out.size;
  // A load says which bits it means, though they be all that the field has.
  const isMasked = isPart || (form === 'nxm-set-field' && bits < field.wireBytes * 8);
  out.u16(25).u16(0);
  encodeFieldHeader(out, field, version, isMasked);
  out.big(value, field.wireBytes);
  if (isMasked) out.big(mask, field.wireBytes);
  out.pad(start, 8);
  out.patch16(start + 2, out.size - start);
}

/** Values of options have any length: the older forms that load 64 bits at a time have no place for them. */
function encodeTunSetField(out: ByteWriter, field: Field, value: bigint, mask: bigint, version: OfVersion): void {
  const isExact = mask === (1n << BigInt(field.bits)) - 1n;
  if (version < 3 || (version < 6 && !isExact)) {
    niciraAction(out, NXAST.REG_LOAD2, (o) => encodeTunValue(o, field, value, mask));
    return;
  }
  const start = out.size;
  out.u16(25).u16(0);
  encodeTunValue(out, field, value, mask);
  out.pad(start, 8);
  out.patch16(start + 2, out.size - start);
}

function encodeSetField10(out: ByteWriter, field: Field, value: bigint, mask: bigint, version: OfVersion, context: ActionContext): void {
  const type = (name: string): number => {
    const row = OLD_SET.get(name);
    return version === 1 ? (row?.type10 ?? -1) : (row?.type11 ?? -1);
  };
  if (field.name === 'vlan_tci') {
    if ((value & 0x1000n) === 0n) {
      std(out, version === 1 ? 3 : 18, () => {});
      return;
    }
    if (version === 2 && context.hasVlan !== true) std(out, 17, (o) => o.u16(0x8100));
    std(out, type('vlan_vid'), (o) => o.u16(Number(value & 0xfffn)));
    std(out, type('vlan_pcp'), (o) => o.u8(Number(value >> 13n)));
    return;
  }
  if (field.name === 'ip_dscp') {
    std(out, type('nw_tos'), (o) => o.u8(Number(value << 2n)));
    return;
  }
  const row = OLD_SET.get(field.name);
  const number = type(field.name);
  if (row !== undefined && number >= 0) {
    const stored = field.name === 'vlan_vid' ? value & 0xfffn : value;
    std(out, number, (o) => o.big(stored, row.size), row.size > 4 ? 16 : 8);
    return;
  }
  loadField(out, field, value, mask);
}

/** Loads of every run of ones in the mask, lowest first, none wider than 64 bits. */
export function loadField(
  out: ByteWriter,
  field: Field,
  value: bigint,
  mask: bigint,
  isPart = mask !== (1n << BigInt(field.bits)) - 1n,
): void {
  if (hasLongHeader(field)) {
    encodeLoad2(out, field, value, isPart ? mask : (1n << BigInt(field.wireBytes * 8)) - 1n);
    return;
  }
  // A whole field has its zeros above, too.
  const width = partBits(field);
  if (!isPart && width > field.bits) mask = (1n << BigInt(width)) - 1n;
  let at = 0;
  while (at < width) {
    if (((mask >> BigInt(at)) & 1n) === 0n) {
      at++;
      continue;
    }
    let bits = 1;
    while (at + bits < width && bits < 64 && ((mask >> BigInt(at + bits)) & 1n) === 1n) bits++;
    const part = (value >> BigInt(at)) & ((1n << BigInt(bits)) - 1n);
    const offset = at;
    niciraAction(out, NXAST.REG_LOAD, (o) => {
      encodeNxmHeader(o.u16(packBits(offset, bits)), field);
      o.u64(part);
    });
    at += bits;
  }
}
