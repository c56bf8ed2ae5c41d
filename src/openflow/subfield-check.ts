// Whether a field has the part that an action names, and whether that may be written. What is wrong is told in the log, in the reference's words.

import { PeerError } from '../base/errors.ts';
import { partBits } from '../flow/fields.ts';
import type { Subfield } from './action.ts';
import { subfieldLog as log } from './peer-logs.ts';

function refuse(code: string, text: string): never {
  log.warn(text);
  throw new PeerError(code, text);
}

export type Role = 'source' | 'destination';

/** Throws PeerError where the field has no such bits. */
export function checkBits({ field, offset, bits }: Subfield, role: Role): void {
  const width = partBits(field);
  if (bits >= 1 && offset + bits <= width) return;
  if (bits < 1) refuse('OFPBAC_BAD_SET_LEN', `zero bit ${role} field ${field.name}`);
  const span = offset >= width ? `${offset}` : `${offset} and width ${bits}`;
  refuse('OFPBAC_BAD_SET_LEN', `bit offset ${span} exceeds ${width}-bit width of ${role} field ${field.name}`);
}

/** Throws PeerError where an action may not write. */
export function checkWritable({ field }: Subfield): void {
  if (!field.writable) refuse('OFPBAC_BAD_SET_ARGUMENT', `destination field ${field.name} is not writable`);
}

/** Throws the PeerError of a field that the match does not make sure of. */
export const lacksPrerequisites = ({ field }: Subfield, role: Role): never =>
  refuse('OFPBAC_MATCH_INCONSISTENT', `${role} field ${field.name} lacks correct prerequisites`);

/** A part that is read, checked. */
export function source(part: Subfield): Subfield {
  checkBits(part, 'source');
  return part;
}

/** A part that is written, checked. */
export function destination(part: Subfield): Subfield {
  checkBits(part, 'destination');
  checkWritable(part);
  return part;
}
