// The text of the learn action. Facts: ovs-actions(7), "The learn action".

import { ConfigError } from '../../base/errors.ts';
import { parseField, parseInteger, wholeInteger } from '../../flow/field-text.ts';
import { partBits, wholeMask } from '../../flow/fields.ts';
import type { Action, LearnSpec, Subfield } from '../action.ts';
import { hasLongHeader } from '../codec/fields/subfield-codec.ts';
import { loadedText } from './action-format.ts';
import { splitKeyValues } from './key-value-text.ts';
import type { ActionTextContext } from './number-text.ts';
import { atoi, atoi16, fault, tableOf } from './number-text.ts';
import { parseSubfield, parseSubfieldPart } from './subfield-text.ts';

/** Reads what stands in `learn(...)`. */
export function parseLearn(arg: string, context: ActionTextContext): Action {
  const learn: Extract<Action, { kind: 'learn' }> = {
    kind: 'learn',
    idleTimeoutSec: 0,
    hardTimeoutSec: 0,
    priority: 0x8000,
    cookie: 0n,
    table: 1,
    finIdleTimeoutSec: 0,
    finHardTimeoutSec: 0,
    sendFlowRem: false,
    deleteLearned: false,
    limit: 0,
    specs: [],
  };
  for (const { key, value } of splitKeyValues(arg)) {
    const text = value ?? '';
    switch (key) {
      case 'table':
        learn.table = tableOf(text, context.names);
        if (learn.table === 255) fault(`${arg}: table id 255 not valid for \`learn' action`);
        break;
      case 'priority':
        learn.priority = atoi16(text);
        break;
      case 'idle_timeout':
        learn.idleTimeoutSec = atoi16(text);
        break;
      case 'hard_timeout':
        learn.hardTimeoutSec = atoi16(text);
        break;
      case 'fin_idle_timeout':
        learn.finIdleTimeoutSec = atoi16(text);
        break;
      case 'fin_hard_timeout':
        learn.finHardTimeoutSec = atoi16(text);
        break;
      case 'cookie':
        learn.cookie = leading(text, 64);
        break;
      case 'send_flow_rem':
        learn.sendFlowRem = true;
        break;
      case 'delete_learned':
        learn.deleteLearned = true;
        break;
      case 'limit':
        learn.limit = atoi(text) >>> 0;
        break;
      case 'result_dst':
        learn.resultDst = parseSubfield(text);
        if (learn.resultDst.bits !== 1) fault("result_dst in 'learn' action must be a single bit");
        break;
      default:
        learn.specs.push(parseSpec(key, value, arg, context));
    }
  }
  return learn;
}

/** What a reader gives, or its words against the text. */
function attempt<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

/** A value to match a field or a part of it on. */
function immediate({ field, bits }: Subfield, text: string, whole: string, context: ActionTextContext): bigint {
  if (bits < partBits(field)) {
    const number = wholeInteger(text, field.wireBytes) ?? fault(`${whole}: cannot parse integer value`);
    return number >> BigInt(bits) === 0n ? number : fault(`${whole}: value ${loadedText(field, number)} does not fit into ${bits} bits`);
  }
  const { value, mask } = parseField(field, text, context.names);
  const [number = '', given] = text.split('/');
  const isMasked = given !== undefined && wholeInteger(given, field.wireBytes) !== (1n << BigInt(field.wireBytes * 8)) - 1n;
  if (field.format === 'tunFlags' && (isMasked || /^[+-]/.test(text))) return fault(`${text}: wildcards not allowed here`);
  if (field.format === 'decimal' || field.format === 'hex') {
    if (isMasked) return fault(`${text}: wildcards not allowed here`);
    // All of the bytes count in which the field's bits are.
    return BigInt.asUintN(8 * Math.ceil(bits / 8), wholeInteger(number, field.wireBytes) ?? value);
  }
  const all = (1n << BigInt(Math.min(bits, field.bits))) - 1n;
  const needed = all | wholeMask(field);
  // Of a state said as a number or by one name every bit is meant.
  const isWhole = (mask & needed) === needed || (field.format === 'ctState' && !/^[+-]|\//.test(text));
  return isWhole ? value & all : fault(`${text}: wildcards not allowed here`);
}

/** A number as strtoul reads one: what follows it is not looked at. */
const leading = (text: string, bits: number): bigint => {
  const value = parseInteger(/^\s*[+-]?(?:0x[0-9a-f]+|\d+)/i.exec(text)?.[0] ?? '0') ?? 0n;
  const most = (1n << BigInt(bits)) - 1n;
  return value > most ? most : value;
};

/** Bytes of the longest number that a text may have. */
const MAX_VALUE_BYTES = 128;

function parseSpec(key: string, value: string | undefined, whole: string, context: ActionTextContext): LearnSpec {
  if (key === 'load') {
    const text = value ?? '';
    const arrow = text.indexOf('->');
    if (arrow < 0) return fault(`load: missing \`->' in \`${text}'`);
    if (arrow === 0) return fault(`load: missing source before \`->' in \`${text}'`);
    const source = text.slice(0, arrow);
    const number = wholeInteger(source, MAX_VALUE_BYTES);
    if (number === undefined && /^\d/.test(source) && !/^\d{20,}$/.test(source)) return fault(`load: garbage before \`->' in \`${text}'`);
    const part = number === undefined ? parseSubfieldPart(text) : undefined;
    if (part !== undefined && !part.rest.startsWith('->')) return fault(`${text}: missing \`->' following source`);
    const dst = parseSubfield(text.slice(arrow + 2));
    if (number !== undefined && hasLongHeader(dst.field)) fault(`${text}: experimenter OXM field '${text.slice(arrow + 2)}' not supported`);
    if (number !== undefined && number >> BigInt(dst.bits) !== 0n) fault(`${text}: value does not fit into ${dst.bits} bits`);
    const src = part?.subfield ?? number ?? 0n;
    if (typeof src !== 'bigint' && src.bits !== dst.bits) {
      return fault(`${text}: source field is ${src.bits} bits wide but destination is ${dst.bits} bits wide`);
    }
    return { kind: 'load', bits: dst.bits, src, dst };
  }
  if (key === 'output') {
    const src = parseSubfield(value ?? '');
    return { kind: 'output', bits: src.bits, src };
  }
  const dst = attempt(() => parseSubfield(key));
  if (typeof dst === 'string') return fault(`${whole}: unknown keyword ${key}`);
  if (hasLongHeader(dst.field)) return fault(`${whole}: experimenter OXM field '${key}' not supported`);
  if (value === undefined || value === '') return { kind: 'match', bits: dst.bits, src: dst, dst };
  const part = attempt(() => parseSubfield(value));
  if (typeof part !== 'string') {
    if (part.bits !== dst.bits) return fault(`${whole}: bit widths of ${key} (${part.bits}) and ${value} (${dst.bits}) differ`);
    return { kind: 'match', bits: dst.bits, src: part, dst };
  }
  const src = attempt(() => immediate(dst, value, whole, context));
  if (typeof src !== 'string') return { kind: 'match', bits: dst.bits, src, dst };
  return fault(`${whole}: ${key} value ${value} cannot be parsed as a subfield (${part}) or an immediate value (${src})`);
}
