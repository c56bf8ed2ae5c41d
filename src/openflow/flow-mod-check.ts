// What makes a flow mod undecodable as the reference sees it: actions that do not fit the match, a match on a connection's addresses without
// their protocol.
import { PeerError } from '../base/errors.ts';
import { type Match, newKey, W } from '../flow/key.ts';
import { unpackInto } from '../flow/mask.ts';
import { ETH, matchedDlType } from '../flow/prerequisites.ts';
import { checkActionList } from './action-check.ts';
import { isShared } from './codec/packed/known-instructions.ts';
import type { FlowMod, OfVersion } from './message.ts';

const UNPACKED: Match = { key: newKey(), mask: newKey() };

/** Throws PeerError for a match on addresses of a connection's first packet without the network protocol that has such. */
export function requireConsistentMatch(match: Match): void {
  const asks = (word: number, count: number): boolean => {
    for (let i = word; i < word + count; i++) if (match.mask[i] !== 0) return true;
    return false;
  };
  const asks4 = asks(W.CT_NW_SRC, 2);
  const asks6 = asks(W.CT_IPV6_SRC, 8);
  if (!asks4 && !asks6) return;
  const type = matchedDlType(match);
  if ((asks4 && type !== ETH.IPV4) || (asks6 && type !== ETH.IPV6))
    throw new PeerError('OFPBAC_MATCH_INCONSISTENT', 'addresses of a connection without their protocol');
}

/** Throws PeerError for a flow mod whose parts do not fit. OpenFlow 1.0 lets pass what has nothing to work on. */
export function requireConsistentFlow(mod: FlowMod, version: OfVersion): void {
  const { actions, table, fitting } = mod;
  if (fitting?.has(actions, table) === true) return;
  const match = mod.packed === undefined ? mod.match : unpackInto(UNPACKED, mod.packed);
  requireConsistentMatch(match);
  if (actions.length !== 0 && !checkActionList(actions, match, table)) {
    if (version > 1) throw new PeerError('OFPBAC_MATCH_INCONSISTENT', 'actions do not fit the match');
  } else if (fitting !== undefined && isShared(actions)) fitting.add(actions, table);
}
