// Whether actions make sense for a match, before anything is sent: set_field needs its field's prerequisites.
import { ConfigError } from '../base/errors.ts';
import { logger } from '../base/log.ts';
import type { Prereq } from '../flow/fields.ts';
import type { Match } from '../flow/key.ts';
import { W } from '../flow/key.ts';
import { prereqHolds } from '../flow/prerequisites.ts';
import type { Action } from './action.ts';

const log = logger('ofp_actions');

/** Ports below the reserved names that no switch has. */
const isImpossiblePort = (port: number): boolean => port >= 0xff00 && port <= 0xfff7;

function invalid(code: string): never {
  throw new ConfigError(`actions are invalid with specified match (${code})`);
}

function inconsistent(): never {
  invalid('OFPBAC_MATCH_INCONSISTENT');
}

/**
 * Checks a list; throws ConfigError. What earlier actions do to the frame's type and tag counts. False when an action has nothing to work
 * on, which OpenFlow 1.0 lets pass and later versions do not.
 */
export function checkActions(actions: readonly Action[], match: Match, table = 255): boolean {
  let consistent = true;
  const needs = (...prereqs: Prereq[]): void => {
    if (!prereqs.some((prereq) => prereqHolds(prereq, now))) consistent = false;
  };
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
      case 'output':
        if (isImpossiblePort(action.port)) invalid('OFPBAC_BAD_OUT_PORT');
        break;
      case 'gotoTable':
        if (table !== 255 && action.table <= table) invalid('OFPBIC_BAD_TABLE_ID');
        break;
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
        needs('vlan');
        tag(false);
        break;
      case 'pushMpls':
        type(action.ethertype);
        break;
      case 'setIpv4Src':
      case 'setIpv4Dst':
        needs('ipv4');
        break;
      case 'setIpDscp':
      case 'setIpEcn':
      case 'setIpTtl':
      case 'decTtl':
        needs('ip');
        break;
      case 'setL4SrcPort':
      case 'setL4DstPort':
        needs('tcp', 'udp', 'sctp');
        break;
      case 'setMplsLabel':
      case 'setMplsTc':
      case 'setMplsTtl':
      case 'decMplsTtl':
        needs('mpls');
        break;
      case 'decNshTtl':
        needs('nsh');
        break;
      case 'resubmit':
        if (action.withCtTuple && !prereqHolds('ct', now)) inconsistent();
        break;
      case 'ct':
        if (!prereqHolds('ip', now)) inconsistent();
        for (const inner of action.exec) {
          if (inner.kind !== 'nat' || inner.nat.family === 0) continue;
          if (!prereqHolds(inner.nat.family === 4 ? 'ipv4' : 'ipv6', now)) inconsistent();
        }
        break;
      case 'popMpls':
        needs('mpls');
        type(action.ethertype);
        break;
      case 'regLoad':
        if (!prereqHolds(action.dst.field.prereq, now)) inconsistent();
        break;
      case 'regMove':
        if (!prereqHolds(action.src.field.prereq, now) || !prereqHolds(action.dst.field.prereq, now)) inconsistent();
        break;
      case 'push':
      case 'pop':
        if (!prereqHolds(action.subfield.field.prereq, now)) inconsistent();
        break;
      case 'clone':
      case 'writeActions':
        if (!checkActions(action.actions, now)) consistent = false;
        break;
      default:
        break;
    }
  }
  return consistent;
}
