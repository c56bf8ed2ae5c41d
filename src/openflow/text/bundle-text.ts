// Actions that choose by a hash, from text: bundle, bundle_load and multipath. Facts: ovs-actions(7) and the reference's messages.
import type { Action, Subfield } from '../action.ts';
import { BUNDLE_ALGORITHMS, HASH_FIELDS, MULTIPATH_ALGORITHMS } from '../codec/actions/action-constants.ts';
import { hasLongHeader } from '../codec/fields/subfield-codec.ts';
import type { ActionTextContext } from './number-text.ts';
import { atoi, atoi16, fault, portOf } from './number-text.ts';
import { parseSubfield } from './subfield-text.ts';

/** Words are the same in capitals. */
const isWord = (name: string, text: string): boolean => name === text.toLowerCase();

function hashFields(text: string, whole: string): string {
  return HASH_FIELDS.find((name) => isWord(name, text)) ?? fault(`${whole}: unknown fields \`${text}'`);
}

/** Cuts a text at separators, as many in a row as there are. */
class Tokens {
  private rest: string;

  constructor(text: string) {
    this.rest = text;
  }

  /** The next part; empty at the end. */
  next(separators = ', '): string {
    let from = 0;
    while (from < this.rest.length && separators.includes(this.rest.charAt(from))) from++;
    let to = from;
    while (to < this.rest.length && !separators.includes(this.rest.charAt(to))) to++;
    const token = this.rest.slice(from, to);
    this.rest = this.rest.slice(to + 1);
    return token;
  }
}

/** Reads what stands in `bundle(...)` or `bundle_load(...)`. */
export function parseBundle(arg: string, context: ActionTextContext, isLoad: boolean): Action {
  const tokens = new Tokens(arg);
  const [fields, basis, algorithm, memberType] = [tokens.next(), tokens.next(), tokens.next(), tokens.next()];
  const dst = isLoad ? tokens.next() : '';
  const delimiter = tokens.next(': ');
  if (delimiter === '') return fault(`${arg}: not enough arguments to bundle action`);
  if (!/^(?:members|slaves)$/i.test(delimiter)) {
    return fault(`${arg}: missing member delimiter, expected \`members', got \`${delimiter}'`);
  }
  const members: number[] = [];
  for (let one = tokens.next(', []'); one !== ''; one = tokens.next(', []')) members.push(portOf(one, context, `${one}: bad port number`));
  const known = hashFields(fields, arg);
  const named = BUNDLE_ALGORITHMS.find((name) => isWord(name, algorithm)) ?? fault(`${arg}: unknown algorithm \`${algorithm}'`);
  if (!isWord('ofport', memberType)) return fault(`${arg}: unknown member_type \`${memberType}'`);
  const action: Extract<Action, { kind: 'bundle' }> = {
    kind: 'bundle',
    fields: known,
    basis: atoi16(basis),
    algorithm: named,
    members,
  };
  if (isLoad) action.dst = shortSubfield(dst, arg);
  return action;
}

/** A field for an action that has 32 bits for it. */
function shortSubfield(text: string, whole: string): Subfield {
  const subfield = parseSubfield(text);
  if (hasLongHeader(subfield.field)) fault(`${whole}: experimenter OXM field '${text}' not supported`);
  return subfield;
}

/** Reads what stands in `multipath(...)`. */
export function parseMultipath(arg: string): Action {
  const tokens = new Tokens(arg);
  const [fields, basis, algorithm, links, argument, dst] = [
    tokens.next(),
    tokens.next(),
    tokens.next(),
    tokens.next(),
    tokens.next(),
    tokens.next(),
  ];
  if (dst === '') return fault(`${arg}: not enough arguments to multipath action`);
  const known = hashFields(fields, arg);
  const named = MULTIPATH_ALGORITHMS.find((name) => isWord(name, algorithm)) ?? fault(`${arg}: unknown algorithm \`${algorithm}'`);
  const count = atoi(links);
  if (!(count >= 1 && count <= 65536)) return fault(`${arg}: n_links ${count} is not in valid range 1 to 65536`);
  const subfield = shortSubfield(dst, arg);
  if (subfield.bits < 16 && count > 1 << subfield.bits) {
    return fault(
      `${arg}: ${subfield.bits}-bit destination field has ${1 << subfield.bits} possible values, less than specified n_links ${count}`,
    );
  }
  return {
    kind: 'multipath',
    fields: known,
    basis: atoi16(basis),
    algorithm: named,
    maxLink: count - 1,
    arg: atoi(argument) >>> 0,
    dst: subfield,
  };
}
