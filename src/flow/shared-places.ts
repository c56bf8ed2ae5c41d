// TCP's flags and the type of a neighbour discovery's options have one place in the reference's matches (ovs-fields(7) names them as fields of their own).
// Which of the two is matched there depends on the protocol alone: text that names the one of the other protocol matches the other.
import { mustField } from './fields.ts';
import { keyBits, type Match } from './key.ts';
import { addField } from './match-text.ts';
import { prereqHolds } from './prerequisites.ts';

/** Moves what text says of the one to the other where that is the protocol's; `last` is the name that the text has last of the two. */
export function settleSharedPlace(match: Match, last: string): void {
  const [flags, options] = [mustField('tcp_flags'), mustField('nd_options_type')];
  const [from, to] = prereqHolds('tcp', match) ? [options, flags] : prereqHolds('nd', match) ? [flags, options] : [];
  if (from === undefined || to === undefined || from.name !== last) return;
  const whole = (1n << BigInt(to.wireBytes * 8)) - 1n;
  const value = keyBits(match.key, from.at, from.bits);
  addField(match, from, 0n, 0n);
  addField(match, to, value & whole, whole);
}
