// Numbers in flow text, and the words for what is wrong with them.
import { ConfigError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { parseInteger, parsePort, tableNamed } from '../../flow/field-text.ts';

const log = logger('ofp_table');

/** How names of ports are found. */
export interface ActionTextContext {
  names?: PortNames | undefined;
  /** Whether they are a packet-out's, which has no instructions. */
  isPacketOut?: boolean;
}

/** Ends parsing with a message. */
export const fault = (message: string): never => {
  throw new ConfigError(message);
};

/** An unsigned number of at most `bits` bits, as `str_to_uN` of the reference reads it. */
export function numberOf(text: string, bits: number, what: string): number {
  const value = parseInteger(text);
  // Read as a signed number.
  const isNegative = value !== 0n && text.includes('-');
  if (value === undefined || isNegative || value >= 1n << BigInt(bits)) return fault(`invalid ${what} "${text}"`);
  return Number(value);
}

/** A number cut to 32 bits. */
export const u32 = (text: string): number => {
  return Number(BigInt.asUintN(32, u64(text)));
};

/** A number of 64 bits. */
export function u64(text: string): bigint {
  if (text === '') return fault('missing required numeric argument');
  const value = parseInteger(text);
  return value === undefined || value > 0xffff_ffff_ffff_ffffn ? fault(`invalid numeric format ${text}`) : value;
}

const INT64 = 1n << 63n;

/** A number as C's atoi reads it: it ends where the digits do, and is 0 where there are none; too much of it wraps. */
export function atoi(text: string): number {
  const value = BigInt(/^\s*([+-]?\d+)/.exec(text)?.[1] ?? '0');
  return Number(BigInt.asIntN(32, value >= INT64 ? INT64 - 1n : value < -INT64 ? -INT64 : value));
}

/** A decimal as the reference's own scanf reads it: too much of it wraps. */
export const scanned = (text: string): number => Number(BigInt.asIntN(32, BigInt(text.replace('+', ''))));

/** As atoi, as an unsigned number of 16 bits. */
export const atoi16 = (text: string): number => atoi(text) & 0xffff;

/** A table by number or name. */
export function tableOf(text: string, names: PortNames | undefined, message = `unknown table "${text}"`): number {
  if (text.startsWith('-')) {
    log.warn(`Negative value ${text} is not a valid table number.`);
    return fault(message);
  }
  // Decimal, whatever it begins with.
  const value = /^\s*\+?\d+$/.test(text) ? BigInt(text.trim().replace('+', '')) : undefined;
  if (value !== undefined && value > 255n && value <= 0xffff_ffffn) log.warn(`table ${value} is outside the supported range 0 through 255`);
  if (value === undefined) return tableNamed(text, names) ?? fault(message);
  if (value > 255n) return fault(message);
  return Number(value);
}

/** A port by number or name. */
export function portOf(text: string, context: ActionTextContext, message: string): number {
  return parsePort(text, context.names) ?? fault(message);
}
