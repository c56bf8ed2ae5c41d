// Matches of every version: OpenFlow 1.1's fixed one, OXM and NXM entries. OpenFlow 1.3.5 section 7.2.3.
import { PeerError } from '../../base/errors.ts';
import type { Match } from '../../flow/key.ts';
import { packMatch } from '../../flow/mask.ts';
import type { OfVersion } from '../message.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodeOfp11Match, encodeOfp11Match } from './fields/ofp10-match.ts';
import type { DecodedMatch } from './fields/oxm.ts';
import { decodeMatchEntries, decodeOxmMatch, encodeMatchEntries, encodeOxmMatch } from './fields/oxm.ts';
import { encodePackedOxm } from './packed/packed-flow-stats.ts';
import { decodeShapedOxm } from './packed/shaped-match.ts';

const OFP11_MATCH_SIZE = 88;

/** Reads a match of 1.1 (fixed or OXM) and later (OXM). */
export function decodeAnyMatch(from: ByteReader, strict = true): DecodedMatch {
  if (from.left < 4) throw new PeerError('OFPBMC_BAD_LEN', 'match ends in its header');
  const type = ((from.bytes[from.at] ?? 0) << 8) | (from.bytes[from.at + 1] ?? 0);
  if (type > 1) throw new PeerError('OFPBMC_BAD_TYPE', `match type ${type}`);
  if (type === 0) {
    const length = ((from.bytes[from.at + 2] ?? 0) << 8) | (from.bytes[from.at + 3] ?? 0);
    if (length !== OFP11_MATCH_SIZE || from.left < length) throw new PeerError('OFPBMC_BAD_LEN', `match of ${length} bytes`);
    return { match: decodeOfp11Match(from) };
  }
  if (type !== 1) throw new PeerError('OFPBMC_BAD_TYPE', `match of type ${type}`);
  return strict ? decodeShapedOxm(from) : decodeOxmMatch(from, strict);
}

/** Writes a match of 1.1 (fixed) and later (OXM). */
export function encodeAnyMatch(out: ByteWriter, match: Match, version: OfVersion): void {
  if (version === 2) encodeOfp11Match(out, match);
  else if (match.tunFields === undefined) encodePackedOxm(out, packMatch(match), version);
  else encodeOxmMatch(out, match, version);
}

/** Reads NXM entries of a length given, and their padding. */
export function decodeNxmMatch(from: ByteReader, length: number, strict = true, mayHaveCookie = false): DecodedMatch {
  if (Math.ceil(length / 8) * 8 > from.left) throw new PeerError('OFPBMC_BAD_LEN', `NXM match of ${length} bytes`);
  const entries = from.sub(length, 'OFPBMC_BAD_LEN');
  from.skip(Math.min(from.left, (8 - (length % 8)) % 8));
  return decodeMatchEntries(entries, strict, mayHaveCookie);
}

/** Writes NXM entries (with a cookie match among them) and padding; gives their length without it. */
export function encodeNxmMatch(out: ByteWriter, match: Match, cookie = 0n, cookieMask = 0n): number {
  const start = out.size;
  encodeMatchEntries(out, match, 1, { value: cookie, mask: cookieMask });
  const length = out.size - start;
  out.pad(start, 8);
  return length;
}
