// What must hold of a list of actions whatever its actions are: its length, and who may stand where.
import { PeerError } from '../../../base/errors.ts';
import type { Action } from '../../action.ts';
import { misplaced, type Outer } from '../../action-place.ts';
import type { OfVersion } from '../../message.ts';
import { actionsLog as log, placesLog } from '../../peer-logs.ts';
import type { ByteReader } from '../bytes.ts';

/** Bytes that are not whole eights hold no list. */
export function checkWhole(bytes: Uint8Array, what: string, code = 'OFPBRC_BAD_LEN'): void {
  checkSize(bytes.length, bytes.length, what, code);
}

function checkSize(size: number, left: number, what: string, code: string): void {
  const refuse = (text: string): never => {
    log.warn(`OpenFlow message ${what} length ${text}`);
    throw new PeerError(code, `${what} length ${text}`);
  };
  if (size % 8 !== 0) refuse(`${size} is not a multiple of 8`);
  if (size > left) refuse(`${size} exceeds remaining message length (${left})`);
}

/** The next `size` bytes, which hold a list; a length that is less than nothing counts as 32 bits without a sign. */
export function listOf(from: ByteReader, size: number, what: 'actions' | 'instructions', code = 'OFPBRC_BAD_LEN'): ByteReader {
  checkSize(size >>> 0, from.left, what, code);
  return from.sub(size);
}

/** Where a list stands, by which its places are held: it is what a flow does, or plain actions, or what an action has inside it. */
export type ListPlace = 'flow' | 'plain' | Outer;

/** Throws PeerError when an action stands where it may not. */
export function checkPlaces(actions: readonly Action[], version: OfVersion, place: ListPlace): void {
  const outer = place === 'flow' || place === 'plain' ? undefined : place;
  const fault = misplaced(actions, outer, { takesInstructions: place === 'flow', metersByAction: version >= 6 });
  if (fault === undefined) return;
  placesLog.warn(fault.text);
  throw new PeerError(fault.code, fault.text);
}
