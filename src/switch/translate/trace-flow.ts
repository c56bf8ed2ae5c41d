// The flow that `ofproto/trace` is given in OpenFlow's words, as the key of a frame.
import { ConfigError, errorText } from '../../base/errors.ts';
import type { PortNames } from '../../flow/field-text.ts';
import type { Key } from '../../flow/key.ts';
import { parseExactFlow } from '../../openflow/text/exact-flow-text.ts';
import { TlvTable } from '../../openflow/tlv-table.ts';
import { fixVlan } from './subfield.ts';
import { optionsOfMatch, writeOptions } from './tunnel-options.ts';

/** Reads it; options are those of `options`. Throws ConfigError in the reference's words. */
export function parseTraceFlow(text: string, names?: PortNames, options: TlvTable = new TlvTable()): Key {
  try {
    const match = parseExactFlow(text, names);
    fixVlan(match.key);
    if (match.tunFields !== undefined) writeOptions(match.key, optionsOfMatch(match, options));
    return match.key;
  } catch (error) {
    throw new ConfigError(`Bad openflow flow syntax: ${errorText(error)}`);
  }
}
