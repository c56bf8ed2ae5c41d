// A flow in which every field is exact, as `ofproto/trace` and `compose-packet` take it: what a frame has, not what is matched.
import { ConfigError, errorText } from '../../base/errors.ts';
import { type PortNames, parseField } from '../../flow/field-text.ts';
import { type Field, fieldNamed, tunFieldIndex, wholeMask } from '../../flow/fields.ts';
import { CT_STATE, KEY_WORDS, type Key, keyBits, type Match, matchAll, tunPresentBit, W } from '../../flow/key.ts';
import { addField, addFieldText, protocolNamed } from '../../flow/match-text.ts';
import { prereqHolds } from '../../flow/prerequisites.ts';
import { splitKeyValues } from './key-value-text.ts';

/** That all is known; that a connection's packet is not invalid does not make it one of a connection yet. */
const ALL: Key = new Uint32Array(KEY_WORDS).fill(0xffffffff);
ALL[W.CT_STATE] = ~CT_STATE.INV;
const NO_PORT = 0xffff;

/** Whether a flow says something of a field. */
function isSet(field: Field, key: Key): boolean {
  // Of a tag it counts that it is there.
  if (/^(dl_vlan|vlan_)/.test(field.name)) return ((key[W.VLAN0] ?? 0) & 0xffff) !== 0 && keyBits(key, field.at, field.bits) !== 0n;
  return keyBits(key, field.at, field.bits) !== 0n;
}

/**
 * Reads a flow whose every field is exact; what is not said is zero. An option of a tunnel is said of a flow where `hasOption` knows its number,
 * and of no flow elsewhere. Throws ConfigError in the reference's words.
 */
export function parseExactFlow(text: string, names?: PortNames, hasOption: (index: number) => boolean = () => false): Match {
  const match = matchAll();
  const { key } = match;
  for (const { key: name, value } of splitKeyValues(text)) {
    const refuse = (what: string): never => {
      throw new ConfigError(`${text}: ${what}`);
    };
    // That it is Ethernet is no field.
    const protocol = name === 'eth' ? undefined : protocolNamed(name);
    if (protocol !== undefined) {
      if ((key[W.TYPE] ?? 0) >>> 16 !== 0) refuse('Ethernet type set multiple times');
      if (protocol.proto !== undefined && ((key[W.TYPE] ?? 0) & 0xff) !== 0) refuse('network protocol set multiple times');
      key[W.TYPE] = ((protocol.type << 16) | ((key[W.TYPE] ?? 0) & 0xffff) | (protocol.proto ?? 0)) >>> 0;
      continue;
    }
    const field = fieldNamed(name) ?? refuse(`unknown field ${name}`);
    const isBadCode = field.prereq.startsWith('nd') && ((key[W.TP] ?? 0) & 0xffff) !== 0;
    // The priority may come before its tag.
    const prereq = field.name === 'dl_vlan_pcp' ? 'ethernet' : field.prereq;
    if (isBadCode || !prereqHolds(prereq, { key, mask: ALL })) refuse(`prerequisites not met for setting ${name}`);
    const option = tunFieldIndex(field);
    const isSaid = option < 0 ? isSet(field, key) : keyBits(key, tunPresentBit(option), 1) !== 0n;
    if (isSaid) refuse(`field ${name} set multiple times`);
    if (value === '*') refuse(`bad value for ${name} (*: wildcards not allowed here)`);
    let parsed: { value: bigint; mask: bigint };
    try {
      parsed = parseField(field, value ?? '', names);
    } catch (error) {
      return refuse(`bad value for ${name} (${errorText(error)})`);
    }
    // Of connection states there are eight.
    const whole = field.name === 'ct_state' ? 0xffn : wholeMask(field);
    // Flags with a mask are never all that the field has room for.
    const isFlags = field.format === 'ctState' || field.format === 'tunFlags';
    const isPart = (isFlags && /[-+/]/.test(value ?? '')) || (parsed.mask !== whole && !(option >= 0 && !(value ?? '').includes('/')));
    if (isPart && !/^(vlan_[pv]|dl_vlan|in_port)/.test(field.name))
      refuse(`bad value for ${name} (${value ?? ''}: wildcards not allowed here)`);
    // Options are as long as they are, there or not.
    if (option < 0) addField(match, field, parsed.value, parsed.mask);
    else if (hasOption(option)) addFieldText(match, name, value);
  }
  if (key[W.IN_PORT] === 0) key[W.IN_PORT] = NO_PORT;
  return match;
}
