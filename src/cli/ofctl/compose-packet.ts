// compose-packet: a frame for a flow in which every field is exact, and whether what is extracted from it is that flow again.
import { ConfigError, errorText } from '../../base/errors.ts';
import { hexDump } from '../../base/hex-dump.ts';
import { composeFrame } from '../../flow/compose.ts';
import { extractKey } from '../../flow/extract.ts';
import { parseField } from '../../flow/field-text.ts';
import { type Field, fieldNamed } from '../../flow/fields.ts';
import { KEY_WORDS, type Key, keyBits, type Match, matchAll, newKey, W } from '../../flow/key.ts';
import { addField, formatMatch, protocolNamed } from '../../flow/match-text.ts';
import { prereqHolds } from '../../flow/prerequisites.ts';
import { splitKeyValues } from '../../openflow/text/key-value-text.ts';
import { keyMatch } from '../../openflow/text/packet-text.ts';
import { hexData } from './input.ts';
import { writePcap } from './pcap.ts';

const NO_PORT = 0xffff;
const ALL: Key = new Uint32Array(KEY_WORDS).fill(0xffffffff);

/** Whether a flow says something of a field. */
function isSet(field: Field, key: Key): boolean {
  // Of a tag it counts that it is there.
  if (/^(dl_vlan|vlan_)/.test(field.name)) return ((key[W.VLAN0] ?? 0) & 0xffff) !== 0 && keyBits(key, field.at, field.bits) !== 0n;
  return keyBits(key, field.at, field.bits) !== 0n;
}

/** Reads a flow whose every field is exact; what is not said is zero. */
export function parseExactFlow(text: string): Key {
  const match = matchAll();
  const { key } = match;
  for (const { key: name, value } of splitKeyValues(text)) {
    const refuse = (what: string): never => {
      throw new ConfigError(`${text}: ${what}`);
    };
    const protocol = protocolNamed(name);
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
    let parsed: { value: bigint; mask: bigint };
    try {
      parsed = parseField(field, value ?? '');
    } catch (error) {
      return refuse(`bad value for ${name} (${errorText(error)})`);
    }
    if (parsed.mask !== (1n << BigInt(field.bits)) - 1n && !/^(vlan_|dl_vlan|in_port)/.test(field.name))
      refuse(`bad value for ${name} (${value ?? ''}: wildcards not allowed here)`);
    addField(match, field, parsed.value, parsed.mask);
  }
  if (key[W.IN_PORT] === 0) key[W.IN_PORT] = NO_PORT;
  return key;
}

const text = (key: Key): string => {
  const match: Match = keyMatch(key);
  match.mask[W.IN_PORT] = NO_PORT;
  return formatMatch(match);
};

/** compose-packet FLOW [L7] */
export function composePacketCommand(flow: string, payload: string | undefined, isPcap: boolean): number {
  const specified = parseExactFlow(flow);
  const data = payload === undefined ? undefined : hexData(payload, `${payload}: trailing garbage in packet data`);
  const frame = composeFrame(specified, 0, data) ?? new Uint8Array(0);
  const extracted = newKey();
  extracted[W.IN_PORT] = NO_PORT;
  extractKey(frame, 0, frame.length, extracted);
  const [wanted, found] = [text(specified), text(extracted)];
  const differs = specified.some((word, i) => {
    if (i >= W.TUN_METADATA && i < W.DP_END) return false;
    return i === W.VLAN0 ? ((word ^ (extracted[i] ?? 0)) & 0xffff) !== 0 : word !== extracted[i];
  });
  if (differs) process.stderr.write(`specified and extracted flows differ:\nspecified: ${wanted}\nextracted: ${found}`);
  if (isPcap) process.stdout.write(writePcap([frame]));
  else process.stdout.write(hexDump(frame, 'bare'));
  return differs ? 1 : 0;
}
