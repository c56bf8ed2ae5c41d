// A rule as the classifier sees it: a match in its packed form, a priority, and the versions in which it exists.
import type { Match, TunField } from './key.ts';
import { asPacked, type PackedMask, type PackedMatch, type PackedValues, unpackMatch } from './mask.ts';

/** In the place of a version: never. Not a great number, which each rule would have to keep in a place of its own. */
export const NEVER = 0;

/** One part of a conjunctive match, counted from 0 as on the wire. */
export interface Conjunction {
  id: number;
  clause: number;
  clauses: number;
}

/** Places of tun_metadata fields, of the few rules that match on any. */
const tunFieldsOf = new WeakMap<ClassifierRule, readonly TunField[]>();
let hasTunFields = false;

/** A rule as the classifier sees it; the owner extends it. */
export class ClassifierRule {
  readonly mask: PackedMask;
  readonly values: PackedValues;
  readonly priority: number;
  addedIn = 0;
  /** 0 = in none. */
  removedIn = NEVER;
  /** Next of the same hash, in order of falling priority. */
  next: ClassifierRule | undefined = undefined;
  /** Present on a rule that is no more than a part of conjunctive matches. */
  readonly conjunctions: readonly Conjunction[] | undefined;

  constructor(match: Match | PackedMatch, priority: number, conjunctions?: readonly Conjunction[]) {
    const { mask, values, tunFields } = asPacked(match);
    this.mask = mask;
    this.values = values;
    this.priority = priority;
    this.conjunctions = conjunctions;
    if (tunFields === undefined) return;
    tunFieldsOf.set(this, tunFields);
    hasTunFields = true;
  }

  /** The match as it stands. */
  packed(): PackedMatch {
    return { mask: this.mask, values: this.values, tunFields: hasTunFields ? tunFieldsOf.get(this) : undefined };
  }

  /** The match, unpacked. */
  match(): Match {
    const match = unpackMatch(this.mask, this.values);
    const tunFields = tunFieldsOf.get(this);
    if (tunFields !== undefined) match.tunFields = tunFields;
    return match;
  }

  isVisible(version: number): boolean {
    return this.addedIn <= version && (this.removedIn === NEVER || version < this.removedIn);
  }
}
