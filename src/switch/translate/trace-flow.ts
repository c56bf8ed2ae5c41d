// The flow that `ofproto/trace` is given in OpenFlow's words: every field exact, what is not said zero.
import { ConfigError, errorText } from '../../base/errors.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { type Field, fieldNamed, tunFieldIndex } from '../../flow/fields.ts';
import { type Key, keyBits, type Match, matchAll, newKey, W } from '../../flow/key.ts';
import { addFieldText } from '../../flow/match-text.ts';
import { OFPP } from '../../openflow/action.ts';
import { TlvTable } from '../../openflow/tlv-table.ts';
import { fixVlan, hasPrereq } from './subfield.ts';
import { optionsOfMatch, writeOptions } from './tunnel-options.ts';

const isSet = (mask: Key, { at, bits }: Field): boolean => keyBits(mask, at, bits) !== 0n;

/** Adds `ip`, `tcp` and the like. */
function addKind(match: Match, name: string): void {
  const alone = matchAll();
  if (!addFieldText(alone, name, undefined)) throw new ConfigError(`unknown field ${name}`);
  const [type, before] = [alone.mask[W.TYPE]!, match.mask[W.TYPE]!];
  if ((type & before & 0xffff0000) !== 0) throw new ConfigError('Ethernet type set multiple times');
  if ((type & before & 0xff) !== 0) throw new ConfigError('network protocol set multiple times');
  addFieldText(match, name, undefined);
}

/** Adds `name=value`. */
function addValue(match: Match, field: Field, name: string, value: string, names: PortNames | undefined): void {
  if (isSet(match.mask, field)) throw new ConfigError(`field ${name} set multiple times`);
  if (!hasPrereq(match.key, newKey(), field.prereq)) throw new ConfigError(`prerequisites not met for setting ${name}`);
  const alone = matchAll();
  try {
    addFieldText(alone, name, value, names);
    // Options are as long as they are, and of connection states there are eight.
    const whole = (1n << BigInt(field.name === 'ct_state' ? 8 : field.bits)) - 1n;
    if (tunFieldIndex(field) < 0 && keyBits(alone.mask, field.at, field.bits) !== whole) {
      throw new ConfigError(`${value}: wildcards not allowed here`);
    }
  } catch (error) {
    throw new ConfigError(`bad value for ${name} (${errorText(error)})`);
  }
  addFieldText(match, name, value, names);
}

/** Reads it. Throws ConfigError in the reference's words. */
export function parseTraceFlow(text: string, names?: PortNames, options: TlvTable = new TlvTable()): Key {
  const match = matchAll();
  match.key[W.IN_PORT] = OFPP.NONE;
  for (const word of text.split(/[,\s]+/)) {
    if (word === '') continue;
    const cut = word.indexOf('=');
    const name = cut < 0 ? word : word.slice(0, cut);
    try {
      const field = cut < 0 ? undefined : fieldNamed(name);
      if (cut < 0) addKind(match, name);
      else if (field === undefined) throw new ConfigError(`unknown field ${name}`);
      else addValue(match, field, name, word.slice(cut + 1), names);
    } catch (error) {
      throw new ConfigError(`Bad openflow flow syntax: ${text}: ${errorText(error)}`);
    }
    fixVlan(match.key);
  }
  if (match.tunFields !== undefined) writeOptions(match.key, optionsOfMatch(match, options));
  return match.key;
}
