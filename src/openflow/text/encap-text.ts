// encap and decap from text. Facts: ovs-actions(7) and the reference's messages.
import type { Action } from '../action.ts';
import { splitKeyValues } from './key-value-text.ts';
import { fault, numberOf, scanned } from './number-text.ts';

const NSH = 0x1894f;

/** As C's scanf has "0x%x,%d,0x%251[0-9a-f]"; what follows is not looked at. */
const TLV = /^0x\s*([+-]?)(?:0x)?([0-9a-fA-F]+),\s*([+-]?\d+),0x([0-9a-fA-F]{1,251})/;

/** An NSH metadata option: class (16 bits), type (8), and the option's bytes. */
function encapTlv(text: string): { class: number; type: number; value: Uint8Array } {
  const [, sign, cls = '', type = '', digits = ''] = TLV.exec(text) ?? fault(`Invalid NSH TLV header: ${text}`);
  // Half a byte at the end is none.
  const bytes = Buffer.from(digits, 'hex');
  // The option's bytes are filled up to whole eights, and the property's length counts what fills them.
  const value = new Uint8Array(4 + Math.ceil(bytes.length / 8) * 8);
  new DataView(value.buffer).setUint16(0, Number(BigInt.asUintN(16, BigInt(`0x${cls}`) * (sign === '-' ? -1n : 1n))));
  value[2] = scanned(type) & 0xff;
  value[3] = bytes.length;
  value.set(bytes, 4);
  return { class: 4, type: 2, value };
}

/** Reads what stands in `encap(...)`. */
export function parseEncap(arg: string): Action {
  const packetTypes = new Map([
    ['ethernet', 0],
    ['nsh', 0x1894f],
    ['mpls', 0x18847],
    ['mpls_mc', 0x18848],
  ]);
  if (arg === '') return fault('Missing encap hdr: ');
  const [word] = splitKeyValues(arg);
  const packetType = packetTypes.get(word?.key ?? '');
  if (packetType === undefined) return fault(`Encap hdr not supported: ${word?.value ?? ''}`);
  const props = splitKeyValues(word?.value ?? '').map(({ key, value = '' }) => {
    if (packetType === NSH && (key === 'md_type' || key === 'tlv') && value === '') return fault('Value missing for encap property');
    if (packetType === NSH && key === 'md_type') {
      const type = numberOf(value, 8, 'md_type');
      if (type !== 1 && type !== 2) return fault('invalid md_type');
      return { class: 4, type: 1, value: new Uint8Array([type]) };
    }
    if (packetType === NSH && key === 'tlv') return encapTlv(value);
    return fault(`Invalid property: ${key}`);
  });
  return { kind: 'encap', packetType, props };
}

/** Namespaces of packet types (OpenFlow 1.5.1 section 7.2.3.11). */
const NAMESPACES = 5;

/** Reads what stands in `decap(...)`. */
export function parseDecap(arg: string): Action {
  if (arg === '') return { kind: 'decap' };
  let newPacketType = 0;
  // What follows the first argument is not looked at.
  for (const { key, value = '' } of splitKeyValues(arg).slice(0, 1)) {
    if (key !== 'packet_type') fault(`Invalid decap argument: ${key}`);
    const parts = splitKeyValues(value);
    const attribute = (name: string): number => {
      const part = parts.shift();
      return part?.key === name ? numberOf(part.value ?? '', 16, name) : fault(`Missing packet_type attribute ${name}`);
    };
    const namespace = attribute('ns');
    if (namespace >= NAMESPACES) fault(`Unsupported ns value: ${namespace}`);
    newPacketType = ((namespace << 16) | attribute('type')) >>> 0;
  }
  return { kind: 'decap', newPacketType };
}
