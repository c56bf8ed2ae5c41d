// A group's number in text. Facts: ovs-ofctl(8) and the reference's messages.
import { logger } from '../../base/log.ts';
import { OFPG } from '../group.ts';

const log = logger('ofp_group');

/** A group to ask about or to select flows by: undefined, with a warning, for what is none. */
export function parseGroupNumber(text: string): number | undefined {
  const lower = text.toLowerCase();
  if (lower === 'all') return OFPG.ALL;
  if (lower === 'any') return OFPG.ANY;
  const value = /^\s*\+?\d+$/.test(text) ? BigInt(text.trim().replace('+', '')) : undefined;
  if (value === undefined || value > 0xffffffffn) {
    log.warn(`${text} is not a valid group ID.  (Valid group IDs are 32-bit nonnegative integers or the keywords ANY or ALL.)`);
    return undefined;
  }
  return Number(value);
}
