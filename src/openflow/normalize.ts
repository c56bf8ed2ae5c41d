// Drops from a match the fields whose prerequisites it does not have, as the reference does before it sends or stores one: such fields
// could match nothing or anything. ovs-ofctl(8) says so in a log line.
import { logger } from '../base/log.ts';
import type { Match } from '../flow/key.ts';
import { newKey, W } from '../flow/key.ts';
import { formatMatch, isRecirculatedEthernet } from '../flow/match-text.ts';
import { ETH, IP, matchedEthType, matchedProto } from '../flow/prerequisites.ts';
import { matchLog } from './peer-logs.ts';

const log = logger('ofp_match');

/** `normalizeMatch` that says in the log what it took away. */
export function normalizeLogged(match: Match): Match {
  const normal = normalizeMatch(match);
  if (normal !== match && matchLog.admits('info')) {
    log.info('normalization changed ofp_match, details:');
    log.info(() => ` pre: ${formatMatch(match)}`);
    log.info(() => `post: ${formatMatch(isRecirculatedEthernet(match) ? ofEthernet(normal) : normal)}`);
  }
  return normal;
}

/** A match that asks for Ethernet, whatever else it does. */
function ofEthernet(match: Match): Match {
  const mask = match.mask.slice();
  mask[W.PACKET_TYPE] = 0xffffffff;
  return { ...match, mask };
}

/** Most matches are normal already: what they would be is found out here, and copied only when it is something else. */
const SCRATCH = newKey();

/** A match without fields that lack prerequisites; the same object when nothing had to go. */
export function normalizeMatch(match: Match): Match {
  const packetType = (match.key[W.PACKET_TYPE] ?? 0) & (match.mask[W.PACKET_TYPE] ?? 0);
  const type = matchedEthType(match);
  const isArp = type === ETH.ARP || type === ETH.RARP;
  const isIp4 = type === ETH.IPV4;
  const isIp6 = type === ETH.IPV6;
  const isIp = isIp4 || isIp6;
  const proto = isIp || isArp ? matchedProto(match) : -1;
  const isTransport = isIp && (proto === IP.TCP || proto === IP.UDP || proto === IP.SCTP);
  const isIcmp6 = isIp6 && proto === IP.ICMPV6;
  const hasPorts = isTransport || isIcmp6 || (isIp4 && proto === IP.ICMP);
  const nd = isIcmp6 ? ndType(match) : 0;
  const keep = SCRATCH;
  keep.set(match.mask);
  const clear = (word: number, words = 1): void => void keep.fill(0, word, word + words);
  // Packets of other types have no Ethernet header.
  if (packetType !== 0) clear(W.ETH, 3);
  if (!isIp4 && !isArp) clear(W.NW_SRC, 2);
  if (!isIp6) {
    clear(W.IPV6_LABEL);
    clear(W.IPV6_SRC, 8);
  }
  if (!isIp) {
    // Whether the packet is a fragment stays, whatever it is.
    keep[W.TYPE] = ((keep[W.TYPE] ?? 0) & (isArp ? 0xffff03ff : 0xffff0300)) >>> 0;
    // So do a segment's flags.
    keep[W.TOS] = (keep[W.TOS] ?? 0) & 0xffff;
  }
  if (!hasPorts) clear(W.TP);
  if (nd === 0) clear(W.ND_TARGET, 4);
  if (!isArp) {
    // Source and destination link-layer address: 48 bits each.
    if (nd !== 135) {
      clear(W.ARP_HW);
      keep[W.ARP_HW + 1] = (keep[W.ARP_HW + 1] ?? 0) & 0xffff;
    }
    if (nd !== 136) {
      keep[W.ARP_HW + 1] = ((keep[W.ARP_HW + 1] ?? 0) & 0xffff0000) >>> 0;
      clear(W.ARP_HW + 2);
    }
  }
  if (type !== ETH.MPLS && type !== ETH.MPLS_MCAST) clear(W.MPLS, 3);
  let changed = false;
  for (let i = 0; i < keep.length; i++) if (((keep[i] ?? 0) ^ (match.mask[i] ?? 0)) !== 0) changed = true;
  if (!changed) return match;
  const key = match.key.slice();
  for (let i = 0; i < keep.length; i++) key[i] = (key[i] ?? 0) & (keep[i] ?? 0);
  return { ...match, key, mask: keep.slice() };
}

/** The type of neighbour discovery that a match asks for: 135, 136, or 0. */
function ndType(match: Match): number {
  const type = ((match.key[W.TP] ?? 0) & (match.mask[W.TP] ?? 0)) >>> 16;
  return type === 135 || type === 136 ? type : 0;
}
