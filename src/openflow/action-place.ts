// Where an action may stand: inside a connection's, a clone's or a set's list, among conjunctions, in the order of OpenFlow 1.1's
// instructions. Text and bytes are held to the same rules; text is refused by the words, bytes by the code. Facts: ovs-actions(7) and what
// the reference refuses.
import type { Field } from '../flow/fields.ts';
import type { Action, ActionKind } from './action.ts';
import { actionName } from './text/action-format.ts';

/** The actions that have a list of their own. */
export type Outer = 'ct' | 'clone' | 'write_actions';

/** Why an action may not stand where it does. */
export interface Misplaced {
  readonly text: string;
  readonly code: string;
}

/** Instructions in the order that they must have at the end; everything else is "apply_actions". */
const ORDER: Partial<Record<ActionKind, { readonly rank: number; readonly name: string }>> = {
  meter: { rank: 0, name: 'meter' },
  clearActions: { rank: 2, name: 'clear_actions' },
  writeActions: { rank: 3, name: 'write_actions' },
  writeMetadata: { rank: 4, name: 'write_metadata' },
  gotoTable: { rank: 5, name: 'goto_table' },
};
const APPLY = { rank: 1, name: 'apply_actions' };

const isConnectionField = ({ name }: Field): boolean => name === 'ct_mark' || name === 'ct_label';

/** The field that an action changes, if that is what it does. */
function changedField(action: Action): Field | undefined {
  if (action.kind === 'setField') return action.field;
  return action.kind === 'regLoad' || action.kind === 'regMove' ? action.dst.field : undefined;
}

/** Conjunctions stand alone or with notes. */
function besideConjunction(actions: readonly Action[]): Misplaced | undefined {
  const other = actions.find(({ kind }) => kind !== 'conjunction' && kind !== 'note');
  if (other === undefined) return undefined;
  const text = `"conjunction" actions may be used along with "note" but not any other kind of action (such as the "${actionName(other)}" action used here)`;
  return { text, code: 'NXBAC_BAD_CONJUNCTION' };
}

/** What is wrong with an action inside an outer one, or inside none. */
function nested(action: Action, outer: Outer | undefined): Misplaced | undefined {
  const field = changedField(action);
  if (outer !== 'ct') {
    if (field !== undefined && isConnectionField(field))
      return { text: 'cannot set CT fields outside of ct action', code: 'OFPBAC_BAD_SET_ARGUMENT' };
    if (action.kind === 'nat') return { text: 'Cannot have NAT action outside of "ct" action', code: 'OFPBAC_BAD_SET_ARGUMENT' };
    if (outer === undefined || action.kind !== 'meter') return undefined;
  } else if (action.kind === 'nat' || (field !== undefined && isConnectionField(field))) return undefined;
  const what = field === undefined || outer !== 'ct' ? `action ${actionName(action)}` : `modification of ${field.name}`;
  return { text: `${outer} action doesn't support nested ${what}`, code: 'OFPBAC_BAD_ARGUMENT' };
}

/** What a list may hold: the instructions of a flow, meters as actions like others. */
export interface PlaceRules {
  readonly takesInstructions: boolean;
  readonly metersByAction?: boolean;
  /** Of instructions only meters, which stand first as ever. */
  readonly isPacketOut?: boolean;
}

/** The first fault of places in a list. */
export function misplaced(actions: readonly Action[], outer: Outer | undefined, rules: PlaceRules): Misplaced | undefined {
  let last: { readonly rank: number; readonly name: string } | undefined;
  for (const action of actions) {
    if (action.kind === 'conjunction') return besideConjunction(actions);
    const fault = nested(action, outer);
    if (fault !== undefined) return fault;
    const now = action.kind === 'meter' && rules.metersByAction === true ? APPLY : (ORDER[action.kind] ?? APPLY);
    const canStand = rules.takesInstructions && rules.isPacketOut !== true;
    if (!canStand && now.rank > APPLY.rank) return { text: `${now.name} instruction not allowed here`, code: 'OFPBIC_UNSUP_INST' };
    if (!rules.takesInstructions) continue;
    if (last !== undefined && now.rank < last.rank) {
      const text = `invalid instruction ordering: ${now.name} must appear before ${last.name}, for OpenFlow 1.1+ compatibility`;
      return { text, code: 'OFPBAC_UNSUPPORTED_ORDER' };
    }
    if (now === last && now !== APPLY)
      return { text: `duplicate ${now.name} instruction not allowed, for OpenFlow 1.1+ compatibility`, code: 'OFPBAC_UNSUPPORTED_ORDER' };
    last = now;
  }
  return undefined;
}
