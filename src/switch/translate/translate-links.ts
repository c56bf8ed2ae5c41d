// Actions that choose one of several links by a hash of the frame: multipath, bundle, bundle_load.
import { hashTwo } from '../../base/murmur-hash.ts';
import { hashFields, markHashFields } from '../../flow/hash.ts';
import { type Action, OFPP, type OfPort } from '../../openflow/action.ts';
import { PORT_CONFIG } from '../ports.ts';
import { markSubfield, writeSubfield } from './subfield.ts';
import type { Walk } from './translate.ts';

/** ovs-actions(7), "The multipath action". */
export function chooseLink(hash: number, algorithm: string, links: number, arg: number): number {
  switch (algorithm) {
    case 'modulo_n':
      return hash % links;
    case 'hash_threshold':
      return links === 1 ? 0 : Math.floor(hash / (Math.floor(0xffffffff / links) + 1));
    case 'hrw':
      // Above a bound each choice would cost too much.
      return links <= 64 ? highestWeight(hash, links) : iterate(hash, links, arg);
    default:
      return iterate(hash, links, arg);
  }
}

function highestWeight(hash: number, links: number): number {
  let best = 0;
  let bestWeight = -1;
  for (let i = 0; i < links; i++) {
    const weight = hashTwo(hash, i);
    if (weight <= bestWeight) continue;
    best = i;
    bestWeight = weight;
  }
  return best;
}

function iterate(hash: number, links: number, arg: number): number {
  let modulo = arg;
  if (modulo < links || modulo / 2 > links) {
    modulo = 1;
    while (modulo < links) modulo *= 2;
  }
  for (let i = 0; ; i++) {
    const link = hashTwo(hash, i) % modulo;
    if (link < links) return link;
  }
}

/** The multipath action. */
export function multipath(walk: Walk, action: Extract<Action, { kind: 'multipath' }>): void {
  markHashFields(walk.key, walk.wild, action.fields);
  const hash = hashFields(walk.key, action.fields, action.basis);
  const link = chooseLink(hash, action.algorithm, action.maxLink + 1, action.arg);
  const dst = walk.placed(action.dst);
  markSubfield(walk.wild, dst);
  writeSubfield(walk.key, dst, BigInt(link));
  walk.reportValue(action.dst);
}

function isEnabled(walk: Walk, number: OfPort): boolean {
  switch (number) {
    case OFPP.IN_PORT:
    case OFPP.TABLE:
    case OFPP.NORMAL:
    case OFPP.FLOOD:
    case OFPP.ALL:
    case OFPP.LOCAL:
      return true;
    case OFPP.CONTROLLER:
    case OFPP.NONE:
      return false;
  }
  const port = walk.bridge.ports.get(number);
  return port !== undefined && (port.config & PORT_CONFIG.DOWN) === 0 && (port.link === undefined || port.link.hasCarrier);
}

/** bundle and bundle_load. */
export function bundle(walk: Walk, action: Extract<Action, { kind: 'bundle' }>): void {
  let chosen: OfPort = OFPP.NONE;
  if (action.algorithm === 'active_backup') {
    chosen = action.members.find((member) => isEnabled(walk, member)) ?? OFPP.NONE;
  } else {
    // One member is chosen whatever the frame.
    if (action.members.length > 1) markHashFields(walk.key, walk.wild, action.fields);
    const hash = hashFields(walk.key, action.fields, action.basis);
    let bestWeight = -1;
    for (const [i, member] of action.members.entries()) {
      if (!isEnabled(walk, member)) continue;
      const weight = hashTwo(i, hash);
      if (weight <= bestWeight) continue;
      bestWeight = weight;
      chosen = member;
    }
  }
  if (action.dst !== undefined) {
    const dst = walk.placed(action.dst);
    markSubfield(walk.wild, dst);
    writeSubfield(walk.key, dst, BigInt(chosen));
    walk.reportValue(action.dst);
  } else {
    walk.output(chosen, 0, false);
  }
}
