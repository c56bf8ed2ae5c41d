// A flow in which every field is exact, as `ofproto/trace` and `compose-packet` take it: what a frame has, not what is matched.
import { ConfigError, errorText } from '../../base/errors.ts';
import { type PortNames, parseField } from '../../flow/field-text.ts';
import { type Field, fieldNamed, tunFieldIndex, wholeMask } from '../../flow/fields.ts';
import { KEY_WORDS, type Key, keyBits, type Match, matchAll, setKeyBits, W } from '../../flow/key.ts';
import { addField, addFieldText, protocolNamed } from '../../flow/match-text.ts';
import { prereqHolds } from '../../flow/prerequisites.ts';
import { splitKeyValues } from './key-value-text.ts';

const ALL: Key = new Uint32Array(KEY_WORDS).fill(0xffffffff);
const NO_PORT = 0xffff;

/** Whether a flow says something of a field. */
function isSet(field: Field, key: Key): boolean {
  // Of a tag it counts that it is there.
  if (/^(dl_vlan|vlan_)/.test(field.name)) return ((key[W.VLAN0] ?? 0) & 0xffff) !== 0 && keyBits(key, field.at, field.bits) !== 0n;
  return keyBits(key, field.at, field.bits) !== 0n;
}

/** Reads a flow whose every field is exact; what is not said is zero. Throws ConfigError in the reference's words. */
export function parseExactFlow(text: string, names?: PortNames): Match {
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
    if (isBadCode || (field.name !== 'dl_vlan_pcp' && !prereqHolds(field.prereq, { key, mask: ALL })))
      refuse(`prerequisites not met for setting ${name}`);
    if (isSet(field, key)) refuse(`field ${name} set multiple times`);
    // Options are as long as they are, there or not.
    if (tunFieldIndex(field) >= 0) {
      addFieldText(match, name, value);
      continue;
    }
    if (value === '*') refuse(`bad value for ${name} (*: wildcards not allowed here)`);
    let parsed: { value: bigint; mask: bigint };
    try {
      parsed = parseField(field, value ?? '', names);
    } catch (error) {
      return refuse(`bad value for ${name} (${errorText(error)})`);
    }
    // Of connection states there are eight.
    const whole = field.name === 'ct_state' ? 0xffn : wholeMask(field);
    if (parsed.mask !== whole && !/^(vlan_[pv]|dl_vlan|in_port)/.test(field.name))
      refuse(`bad value for ${name} (${value ?? ''}: wildcards not allowed here)`);
    // A conjunction's number is no part of what a packet is.
    if (field.name !== 'conj_id') addField(match, field, parsed.value, parsed.mask);
  }
  // A packet of another type than Ethernet is what that type says.
  if ((key[W.PACKET_TYPE] ?? 0) >>> 16 === 1) setKeyBits(key, W.TYPE * 32, 16, BigInt((key[W.PACKET_TYPE] ?? 0) & 0xffff));
  if (key[W.IN_PORT] === 0) key[W.IN_PORT] = NO_PORT;
  return match;
}
