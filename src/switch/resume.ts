// Frames that went to a controller with all that was left to do (`controller(pause)`), and what comes of them when it gives them back: the
// state goes with the frame and nothing is kept here.

import type { Key } from '../flow/key.ts';
import { W } from '../flow/key.ts';
import type { Continuation, ContinuationSection } from '../openflow/codec/continuation-codec.ts';
import type { BridgeState } from './bridge-state.ts';
import { type FrozenState, keptWords } from './translate/frozen.ts';

const NO_COOKIE = 0n;

/** The state as it goes with the frame; the metadata go in the packet-in's match. */
export function continuationOf(bridgeId: Uint8Array, state: FrozenState, odpPort: number): Continuation {
  const sections: ContinuationSection[] = [];
  for (const { actions, table, rule } of state.steps) {
    if (actions.length > 0) sections.push({ table: sections.length === 0 ? 0 : table, cookie: cookieOf(sections.length, rule), actions });
  }
  const { stack, actionSet, isConntracked, mirrored } = state;
  return { bridge: bridgeId, stack, mirrors: mirrored, isConntracked, sections, actionSet, odpPort };
}

/** The reference lets the first list begin without a table and a cookie: the frame is in the middle of it. */
const cookieOf = (index: number, rule: FrozenState['steps'][number]['rule']): bigint =>
  index === 0 ? NO_COOKIE : (rule?.settings.cookie ?? NO_COOKIE);

/** What a frame that comes back goes on with; `key` is the frame's with its metadata. */
export function frozenOf(bridge: BridgeState, c: Continuation, key: Key): FrozenState {
  return {
    bridge,
    table: undefined,
    steps: c.sections.map(({ actions, table }) => ({ actions, table, rule: undefined })),
    actionSet: c.actionSet,
    stack: c.stack,
    isConntracked: c.isConntracked,
    isHashed: false,
    key: keptWords(key),
    isTunnelled: key[W.TUN_DST] !== 0 || key[W.TUN_IPV6_DST] !== 0,
    mirrored: c.mirrors,
  };
}
