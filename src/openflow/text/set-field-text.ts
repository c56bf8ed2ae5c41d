// The actions that write a field or a part of one: load, move, set_field, write_metadata, and the parts of push and pop.
import { parseField, parseInteger, scanInteger } from '../../flow/field-text.ts';
import { type Field, fieldNamed, tunFieldIndex } from '../../flow/fields.ts';
import { newKey, setKeyBits } from '../../flow/key.ts';
import { markPresent } from '../../flow/tun-fields.ts';
import type { Action, Subfield } from '../action.ts';
import { loadPart } from '../load-part.ts';
import { portToWire32 } from '../ports.ts';
import { loadedText } from './action-format.ts';
import type { ActionTextContext } from './number-text.ts';
import { fault, u64 } from './number-text.ts';
import { parseSubfield, parseSubfieldPart } from './subfield-text.ts';

/** load. */
export function parseLoad(arg: string): Action {
  const arrow = arg.indexOf('->');
  const valueText = arrow < 0 ? arg : arg.slice(0, arrow);
  if (arrow < 0) return fault(`${arg}: missing \`->'`);
  const value = scanInteger(valueText);
  // Decimals have 64 bits at most.
  if (arrow + 2 === arg.length) return fault(`${arg}: missing field name following \`->'`);
  const isTooLong = (value ?? 0n) > 0xffff_ffff_ffff_ffffn && !/^0x/i.test(valueText);
  const dst = parseSubfield(arg.slice(arrow + 2));
  if (value === undefined || isTooLong) return fault(`${arg}: cannot parse integer value`);
  if (value >> BigInt(dst.field.wireBytes * 8) !== 0n) return fault(`${arg}: cannot parse integer value`);
  if (value >> BigInt(dst.bits) !== 0n) return fault(`${arg}: value ${loadedText(dst.field, value)} does not fit into ${dst.bits} bits`);
  if (tunFieldIndex(dst.field) >= 0) return loadPart(dst, value);
  return { kind: 'regLoad', dst, value };
}

/** move. */
export function parseMove(arg: string): Action {
  const { subfield: src, rest } = parseSubfieldPart(arg);
  if (!rest.startsWith('->')) fault(`${arg}: missing \`->' following source`);
  const dst = parseSubfield(rest.slice(2));
  if (src.bits !== dst.bits) return fault(`${arg}: source field is ${src.bits} bits wide but destination is ${dst.bits} bits wide`);
  return { kind: 'regMove', src, dst };
}

/** Whether a packet has room for a value as it is written, if that is a number. */
function isSettable({ name, bits, format }: Field, value: bigint | undefined): boolean {
  if (value === undefined || (format !== 'decimal' && format !== 'hex')) return true;
  if (name === 'nw_tos') return (value & 3n) === 0n;
  return value >> BigInt(name === 'vlan_vid' ? 13 : name === 'nsh_ttl' ? 6 : bits) === 0n;
}

/** set_field. */
export function parseSetField(arg: string, context: ActionTextContext): Action {
  const arrow = arg.indexOf('->');
  if (arrow < 0) return fault(`${arg}: missing \`->'`);
  if (arrow + 2 === arg.length) return fault(`${arg}: missing field name following \`->'`);
  const name = arg.slice(arrow + 2).trim();
  const field = fieldNamed(name);
  if (field === undefined) return fault(`${name} is not a valid OXM field name`);
  if (!field.writable) return fault(`${name} is read-only`);
  const text = arg.slice(0, arrow).trim();
  const { value, mask } = parseField(field, text, context.names);
  if (!isSettable(field, parseInteger(text.replace(/\/.*/, '')))) fault(`${text} is not a valid value for field ${name}`);
  const isVid = field.name === 'vlan_vid';
  const [at, bits] = isVid ? [field.at - 1, 13] : [field.at, field.bits];
  const valueKey = newKey();
  const maskKey = newKey();
  // The value keeps bits outside the mask, as the reference sends them.
  setKeyBits(valueKey, at, bits, field.format === 'port32' ? BigInt(portToWire32(Number(value))) : value);
  setKeyBits(maskKey, at, bits, mask);
  markPresent(field, valueKey, maskKey);
  const written = parseInteger(/\/(.*)/.exec(text)?.[1] ?? '');
  const isNamed = field.format === 'tunFlags' && /^[+-]/.test(text);
  const isMasked = isNamed || (written !== undefined && written === (1n << BigInt(bits)) - 1n && bits < field.wireBytes * 8);
  const isNumber = field.format === 'decimal' || field.format === 'hex';
  const above =
    isNumber && !isVid && written !== undefined && written < (1n << BigInt(field.wireBytes * 8)) - 1n ? written >> BigInt(bits) : 0n;
  return {
    kind: 'setField',
    field,
    value: valueKey,
    mask: maskKey,
    ...(isMasked ? { isMasked } : {}),
    ...(above === 0n ? {} : { aboveMask: above << BigInt(bits) }),
  };
}

/** write_metadata. */
export function parseWriteMetadata(arg: string): Action {
  const slash = arg.indexOf('/');
  const [value, mask] = slash < 0 ? [arg, undefined] : [arg.slice(0, slash), arg.slice(slash + 1)];
  // The mask is read first.
  const maskValue = mask === undefined ? 0xffffffffffffffffn : u64(mask);
  return { kind: 'writeMetadata', metadata: u64(value), mask: maskValue };
}

/** What push and pop work on. */
export function stackPart(arg: string): Subfield {
  const { subfield, rest } = parseSubfieldPart(arg);
  return rest === '' ? subfield : fault(`${rest}: trailing garbage following push or pop`);
}
