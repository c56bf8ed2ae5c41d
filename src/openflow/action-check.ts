// Whether actions make sense for a match, before anything is sent: set_field needs its field's prerequisites.
import { ConfigError } from '../base/errors.ts';
import { logger } from '../base/log.ts';
import type { Match } from '../flow/key.ts';
import { W } from '../flow/key.ts';
import { prereqHolds } from '../flow/prerequisites.ts';
import type { Action } from './action.ts';

const log = logger('ofp_actions');

function inconsistent(): never {
  throw new ConfigError('actions are invalid with specified match (OFPBAC_MATCH_INCONSISTENT)');
}

/** Checks a list; throws ConfigError. What earlier actions do to the frame's type and tag counts. */
export function checkActions(actions: readonly Action[], match: Match): void {
  const now: Match = { key: match.key.slice(), mask: match.mask.slice() };
  const tag = (present: boolean): void => {
    now.mask[W.VLAN0] = (now.mask[W.VLAN0] ?? 0) | 0x1000;
    now.key[W.VLAN0] = present ? 0x1000 : 0;
  };
  const type = (value: number): void => {
    now.mask[W.TYPE] = 0xffff0000;
    now.key[W.TYPE] = (value << 16) >>> 0;
  };
  for (const action of actions) {
    switch (action.kind) {
      case 'setField': {
        const isTag = action.field.name === 'vlan_vid' || action.field.name === 'vlan_pcp';
        const holds = isTag ? prereqHolds('vlan', now) : prereqHolds(action.field.prereq, now);
        if (!holds) {
          log.warn(`set_field ${action.field.name} lacks correct prerequisites`);
          inconsistent();
        }
        break;
      }
      case 'pushVlan':
      case 'setVlanVid':
      case 'setVlanPcp':
        tag(true);
        break;
      case 'stripVlan':
        tag(false);
        break;
      case 'pushMpls':
        type(action.ethertype);
        break;
      case 'popMpls':
        type(action.ethertype);
        break;
      case 'regLoad':
        if (!prereqHolds(action.dst.field.prereq, now)) inconsistent();
        break;
      case 'regMove':
        if (!prereqHolds(action.src.field.prereq, now) || !prereqHolds(action.dst.field.prereq, now)) inconsistent();
        break;
      case 'clone':
      case 'writeActions':
        checkActions(action.actions, now);
        break;
      default:
        break;
    }
  }
}
