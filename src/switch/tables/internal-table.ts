// The flows of the bridge's own table 254: what becomes of a frame that no flow matches, by register 0, and of one that comes back to it from
// the datapath. They can be seen and not changed, and count the misses of all tables.
import { type Match, matchAll, W } from '../../flow/key.ts';
import type { Action } from '../../openflow/action.ts';

/** Which of the flows a miss counts for. */
export type MissFlow = 'controller' | 'drop' | 'fragment';

const REGISTER: Readonly<Record<MissFlow, number>> = { controller: 1, drop: 2, fragment: 3 };

export interface InternalFlow {
  miss: MissFlow | undefined;
  match: Match;
  priority: number;
  actions: readonly Action[];
}

const toController: Action = {
  kind: 'controller',
  maxLen: 0xffff,
  controllerId: 0,
  reason: 'implicit_miss',
  userdata: new Uint8Array(0),
  pause: false,
  meterId: 0,
};

/** The flows, the first first in a listing. */
export function internalFlows(): InternalFlow[] {
  const recirculated = matchAll();
  recirculated.mask[W.RECIRC_ID] = 0xffffffff;
  const byRegister = (miss: MissFlow): InternalFlow => {
    const match = matchAll();
    match.mask[W.REGS] = 0xffffffff;
    match.key[W.REGS] = REGISTER[miss];
    return { miss, match, priority: 0, actions: miss === 'controller' ? [toController] : [] };
  };
  return [
    { miss: undefined, match: recirculated, priority: 2, actions: [] },
    byRegister('controller'),
    byRegister('drop'),
    byRegister('fragment'),
  ];
}
