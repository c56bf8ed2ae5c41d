// A match on a part of a field, `reg0[0..3]=5`: what the match says of the field's other bits stays. Facts: the reference's output and messages.
import { wholeInteger } from '../../flow/field-text.ts';
import { type Field, maskBits, tunFieldIndex } from '../../flow/fields.ts';
import { keyBits, type Match } from '../../flow/key.ts';
import { addField, addFieldText } from '../../flow/match-text.ts';
import { OFPP } from '../action.ts';
import { isWirePort32, portFromWire32, portToWire32, tellOddPort } from '../ports.ts';
import { loadedText } from './action-format.ts';
import { fault } from './number-text.ts';
import { parseSubfield } from './subfield-text.ts';

const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** What a match says of a field so far, in the terms of text. */
function said(match: Match, field: Field): { value: bigint; mask: bigint } {
  // A tag's presence is part of it.
  const [at, bits] = field.name === 'vlan_vid' ? [field.at - 1, 13] : [field.at, field.bits];
  const more = field.name === 'vlan_vid' ? 0 : maskBits(field) - field.bits;
  const [value, mask] = [keyBits(match.key, at, bits), keyBits(match.mask, at - more, bits + more)];
  if (field.format !== 'port32') return { value, mask };
  return { value: BigInt(portToWire32(Number(value))), mask: mask === 0n ? 0n : ones(bits) };
}

/** Connections have these states and no more: what is asked of other bits is asked of nothing. */
const CT_STATES = 0xffn;

/** Writes a field of which all bits are given as they stand on the wire. */
function addWhole(match: Match, field: Field, value: bigint, mask: bigint): void {
  if (field.format === 'port32') {
    // What is no port there is none.
    const port = Number(value);
    tellOddPort(port);
    addField(match, field, BigInt(isWirePort32(port) ? portFromWire32(port) : OFPP.NONE), mask);
  } else if (field.name === 'ct_state') addField(match, field, value & CT_STATES, mask & CT_STATES);
  else addField(match, field, value, mask);
}

/**
 * Adds a part of a field to a match. Gives the field with all of its mask, and whether any format can say it: none can where the field has
 * no mask but that of all its bytes. Throws ConfigError.
 */
export function addMatchPart(match: Match, name: string, text: string): { field: Field; mask: bigint; isSayable: boolean } {
  const { field, offset, bits } = parseSubfield(name);
  const number = wholeInteger(text, field.wireBytes) ?? fault(`${name}: cannot parse integer value: ${text}`);
  if (number >> BigInt(bits) !== 0n) return fault(`${name}: value ${loadedText(field, number)} does not fit into ${bits} bits`);
  const part = ones(bits) << BigInt(offset);
  const value = number << BigInt(offset);
  if (tunFieldIndex(field) >= 0) {
    const isWhole = part === ones(field.bits);
    addFieldText(match, field.name, `0x${value.toString(16)}${isWhole ? '' : `/0x${part.toString(16)}`}`);
    return { field, mask: part, isSayable: true };
  }
  const before = said(match, field);
  const mask = before.mask | part;
  const isSayable = field.maskable || mask === ones(field.wireBytes * 8);
  if (isSayable) addWhole(match, field, (before.value & ~part) | value, mask);
  return { field, mask, isSayable };
}
