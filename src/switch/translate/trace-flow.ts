// The flow that `ofproto/trace` is given in OpenFlow's words, as the key of a frame.
import { ConfigError, errorText } from '../../base/errors.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { type Key, setKeyBits, W } from '../../flow/key.ts';
import { parseExactFlow } from '../../openflow/text/exact-flow-text.ts';
import { TlvTable } from '../../openflow/tlv-table.ts';
import { fixVlan } from './subfield.ts';
import { optionsOfMatch, writeOptions } from './tunnel-options.ts';

/** A packet of another type than Ethernet is what that type says. */
function typeByPacketType(key: Key): void {
  const packetType = key[W.PACKET_TYPE] ?? 0;
  if (packetType >>> 16 === 1) setKeyBits(key, W.TYPE * 32, 16, BigInt(packetType & 0xffff));
}

/** Reads it; options are those of `options`. Throws ConfigError in the reference's words. */
export function parseTraceFlow(text: string, names?: PortNames, options: TlvTable = new TlvTable()): Key {
  try {
    const match = parseExactFlow(text, names, (index) => options.has(index));
    typeByPacketType(match.key);
    fixVlan(match.key);
    if (match.tunFields !== undefined) writeOptions(match.key, optionsOfMatch(match, options));
    return match.key;
  } catch (error) {
    throw new ConfigError(`Bad openflow flow syntax: ${errorText(error)}`);
  }
}
