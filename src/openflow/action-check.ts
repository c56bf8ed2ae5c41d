// Whether actions make sense for a match: a field that is set, read or written needs its prerequisites, a change of a header needs the header.
// What earlier actions do to the frame's type and tag counts. Facts: ovs-actions(7) and what the reference refuses.

import { ConfigError, PeerError } from '../base/errors.ts';
import { type Prereq, tunFieldIndex } from '../flow/fields.ts';
import type { Match } from '../flow/key.ts';
import { CT_STATE, VLAN_CFI, W } from '../flow/key.ts';
import { IP, prereqHolds } from '../flow/prerequisites.ts';
import type { Action, ActionKind, Subfield } from './action.ts';
import { checkMember } from './bundle-member.ts';
import { CT_ALG } from './codec/actions/action-constants.ts';
import { writesTag } from './codec/actions/action-context.ts';
import { isMeter } from './meter.ts';
import { actionsLog as log } from './peer-logs.ts';
import { isOutputPort, isQueuePort } from './ports.ts';
import { checkBits, checkWritable, lacksPrerequisites } from './subfield-check.ts';

function invalid(code: string): never {
  throw new PeerError(code, 'actions do not fit the match');
}

const inconsistent = (): never => invalid('OFPBAC_MATCH_INCONSISTENT');

/** New, established, or of the other direction. */
const TRACKED = CT_STATE.NEW | CT_STATE.EST | CT_STATE.RPL;

/** Of whatever a decapsulated header held. */
const UNKNOWN_PACKET_TYPE = 0xffff_ffff;

/** What an action needs of the frame, where the answer is only a matter of kind. OpenFlow 1.0 lets it pass, later versions do not. */
const NEEDS: Partial<Record<ActionKind, readonly Prereq[]>> = {
  setIpv4Src: ['ipv4'],
  setIpv4Dst: ['ipv4'],
  setIpDscp: ['ip'],
  setIpEcn: ['ip'],
  setIpTtl: ['ip'],
  decTtl: ['ip'],
  setL4SrcPort: ['tcp', 'udp', 'sctp'],
  setL4DstPort: ['tcp', 'udp', 'sctp'],
  setMplsLabel: ['mpls'],
  setMplsTc: ['mpls'],
  setMplsTtl: ['mpls'],
  decMplsTtl: ['mpls'],
  popMpls: ['mpls'],
  decNshTtl: ['nsh'],
};

/** A frame as the actions so far have left it. The match it begins with is copied when the first action changes it: few do. */
class Frame {
  match: Match;
  #isOwn = false;

  constructor(match: Match) {
    this.match = match;
  }

  #own(): Match {
    if (!this.#isOwn) {
      this.match = { key: this.match.key.slice(), mask: this.match.mask.slice() };
      this.#isOwn = true;
    }
    return this.match;
  }

  has(prereq: Prereq): boolean {
    return prereqHolds(prereq, this.match);
  }

  /** As `has`, be it of a later fragment, which has the protocol but not its header. */
  isOf(prereq: Prereq): boolean {
    return prereqHolds(prereq, this.match, 'headers');
  }

  /** Whether the network's protocol is said to be that; in ARP, where that stands, is its operation. */
  hasProto(proto: number): boolean {
    return ((this.match.key[W.TYPE] ?? 0) & (this.match.mask[W.TYPE] ?? 0) & 0xff) === proto;
  }

  /** As `has`; a connection must be of a packet that was tracked, not only of one that is not invalid. */
  mayBeSet(prereq: Prereq): boolean {
    if (prereq !== 'ct') return this.has(prereq);
    return ((this.match.key[W.CT_STATE] ?? 0) & (this.match.mask[W.CT_STATE] ?? 0) & TRACKED) !== 0;
  }

  /** The outer tag is there, or is not, whether or not it was. */
  setTag(isThere = true): void {
    const { key, mask } = this.#own();
    mask[W.VLAN0] = (mask[W.VLAN0] ?? 0) | VLAN_CFI;
    key[W.VLAN0] = isThere ? VLAN_CFI : 0;
  }

  pushTag(): void {
    const { key, mask } = this.#own();
    if (((key[W.VLAN1] ?? 0) & VLAN_CFI) !== 0) invalid('OFPBAC_BAD_TAG');
    key[W.VLAN1] = key[W.VLAN0] ?? 0;
    mask[W.VLAN1] = mask[W.VLAN0] ?? 0;
    this.setTag();
  }

  popTag(): void {
    const { key, mask } = this.#own();
    key[W.VLAN0] = key[W.VLAN1] ?? 0;
    mask[W.VLAN0] = (mask[W.VLAN1] ?? 0) | VLAN_CFI;
    key[W.VLAN1] = 0;
    mask[W.VLAN1] = 0;
  }

  /** What is known of the network's protocol stays known, for when the type is of such again. */
  setType(type: number): void {
    const { key, mask } = this.#own();
    mask[W.TYPE] = ((mask[W.TYPE] ?? 0) | 0xffff0000) >>> 0;
    key[W.TYPE] = ((type << 16) | ((key[W.TYPE] ?? 0) & 0xffff)) >>> 0;
  }

  /** Under a label nothing is known. */
  pushLabel(type: number): void {
    const { key, mask } = this.#own();
    mask[W.TYPE] = 0xffff0000;
    key[W.TYPE] = (type << 16) >>> 0;
  }

  setProto(proto: number): void {
    const { key, mask } = this.#own();
    mask[W.TYPE] = (mask[W.TYPE] ?? 0) | 0xff;
    key[W.TYPE] = ((key[W.TYPE] ?? 0) | proto) >>> 0;
  }

  get isTagged(): boolean {
    return ((this.match.key[W.VLAN0] ?? 0) & (this.match.mask[W.VLAN0] ?? 0) & VLAN_CFI) !== 0;
  }

  get isEthernet(): boolean {
    return this.match.mask[W.PACKET_TYPE] === 0 || this.match.key[W.PACKET_TYPE] === 0;
  }

  setPacketType(type: number): void {
    const { key, mask } = this.#own();
    mask[W.PACKET_TYPE] = type === 0 ? 0 : 0xffffffff;
    key[W.PACKET_TYPE] = type;
  }

  /** A header around it: what is a header's type is a frame's, too. */
  encap(type: number): void {
    this.setPacketType(type);
    if (type >>> 16 === 1) this.setType(type & 0xffff);
    // What is no IP has no protocol of it.
    if (!this.isOf('ip')) this.#own().key[W.TYPE] = ((this.match.key[W.TYPE] ?? 0) & ~0xff) >>> 0;
  }

  /** Without its Ethernet header it is what that says; what is in any other is not known. */
  decap(): void {
    if (this.isEthernet) this.setPacketType((0x10000 | ((this.match.key[W.TYPE] ?? 0) >>> 16)) >>> 0);
    else {
      this.setPacketType(UNKNOWN_PACKET_TYPE);
      this.setType(0xffff);
    }
  }

  source(part: Subfield): void {
    checkBits(part, 'source');
    if (!this.has(part.field.prereq)) lacksPrerequisites(part, 'source');
  }

  destination(part: Subfield): void {
    checkBits(part, 'destination');
    if (!this.has(part.field.prereq)) lacksPrerequisites(part, 'destination');
    checkWritable(part);
  }
}

/**
 * Checks a list. Throws PeerError named by the OpenFlow error. False when an action has nothing to work on, which OpenFlow 1.0 lets pass and
 * later versions do not.
 */
export function checkActionList(actions: readonly Action[], match: Match, table = 255): boolean {
  let consistent = true;
  const now = new Frame(match);
  for (const action of actions) {
    const needs = NEEDS[action.kind];
    if (needs !== undefined && !needs.some((prereq) => now.has(prereq))) consistent = false;
    switch (action.kind) {
      case 'finTimeout':
        if (!now.hasProto(IP.TCP)) consistent = false;
        break;
      case 'meter':
        if (!isMeter(action.meter)) invalid('OFPMMFC_INVALID_METER');
        break;
      case 'output':
      case 'outputTrunc':
        if (!isOutputPort(action.port)) invalid('OFPBAC_BAD_OUT_PORT');
        break;
      case 'gotoTable':
        if (table !== 255 && action.table <= table) invalid('OFPBIC_BAD_TABLE_ID');
        break;
      case 'setField':
      case 'regLoad': {
        const { field } = action.kind === 'setField' ? action : action.dst;
        const isTag = field.name === 'vlan_vid' || field.name === 'vlan_pcp';
        if (!now.mayBeSet(isTag ? 'vlan' : field.prereq)) {
          log.warn(`set_field ${field.name} lacks correct prerequisites`);
          inconsistent();
        }
        if (field.name === 'vlan_tci') now.setTag(writesTag(action));
        break;
      }
      case 'regMove':
        now.source(action.src);
        now.destination(action.dst);
        break;
      case 'outputReg':
        now.source(action.src);
        break;
      case 'push':
        now.source(action.subfield);
        break;
      case 'pop':
        now.destination(action.subfield);
        break;
      case 'deleteField':
        // Nothing else of a packet can be taken away.
        if (tunFieldIndex(action.field) < 0) invalid('OFPBAC_BAD_ARGUMENT');
        break;
      case 'multipath':
        now.destination(action.dst);
        break;
      case 'bundle':
        if (action.dst !== undefined) now.destination(action.dst);
        for (const port of action.members) checkMember(port);
        break;
      case 'learn':
        checkLearn(action, now);
        break;
      case 'setVlanVid':
      case 'setVlanPcp':
        if (!action.pushIfNeeded && !now.isTagged) consistent = false;
        now.setTag();
        break;
      case 'pushVlan':
        now.pushTag();
        break;
      case 'stripVlan':
        if (!now.isTagged) consistent = false;
        now.popTag();
        break;
      case 'pushMpls':
        // Only an Ethernet frame has room for a label.
        if (!now.isEthernet) consistent = false;
        now.pushLabel(action.ethertype);
        break;
      case 'popMpls':
        if (!now.isEthernet) consistent = false;
        now.setType(action.ethertype);
        break;
      case 'encap':
        now.encap(action.packetType);
        break;
      case 'decap':
        now.decap();
        break;
      case 'ct':
        if (!now.has('ip')) inconsistent();
        // What belongs to no connection cannot become part of one.
        if (action.commit && ((match.key[W.CT_STATE] ?? 0) & (match.mask[W.CT_STATE] ?? 0) & CT_STATE.INV) !== 0) inconsistent();
        // A helper that is not known asks for no transport.
        if (CT_ALG.has(action.alg) && !now.isOf(CT_ALG.get(action.alg) === 'tftp' ? 'udp' : 'tcp')) inconsistent();
        if (typeof action.zone !== 'number') {
          // As in the reference, which looks no further then.
          now.source(action.zone);
          break;
        }
        for (const inner of action.exec) {
          if (inner.kind !== 'nat' || inner.nat.family === 0) continue;
          if (!now.has(inner.nat.family === 4 ? 'ipv4' : 'ipv6')) inconsistent();
        }
        break;
      case 'resubmit':
        if (action.withCtTuple && !now.has('ct')) inconsistent();
        break;
      case 'enqueue':
        if (!isQueuePort(action.port)) invalid('OFPBAC_BAD_OUT_PORT');
        break;
      case 'clone':
        if (!checkActionList(action.actions, now.match)) consistent = false;
        break;
      case 'writeActions':
        // Whether a set of actions is consistent depends on the frame that it meets.
        checkActionList(action.actions, now.match);
        break;
      default:
        break;
    }
  }
  return consistent;
}

/** A learned flow is checked as it will be: what earlier specifications match on is there for later ones. */
function checkLearn(learn: Extract<Action, { kind: 'learn' }>, now: Frame): void {
  const made = new Frame({ key: new Uint32Array(now.match.key.length), mask: new Uint32Array(now.match.mask.length) });
  for (const spec of learn.specs) {
    if (typeof spec.src !== 'bigint') now.source(spec.src);
    if (spec.kind === 'match') {
      made.source(spec.dst);
      if (typeof spec.src === 'bigint' && spec.dst.field.name === 'eth_type') made.setType(Number(spec.src));
      if (typeof spec.src === 'bigint' && spec.dst.field.name === 'nw_proto') {
        made.setProto(Number(spec.src));
      }
      if (typeof spec.src === 'bigint' && spec.dst.field.name === 'packet_type') made.setPacketType(Number(spec.src));
    } else if (spec.kind === 'load') made.destination(spec.dst);
  }
}

/** Checks a user's list as `checkActionList` does. Throws ConfigError. */
export function checkActions(actions: readonly Action[], match: Match, table = 255): boolean {
  try {
    return checkActionList(actions, match, table);
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    throw new ConfigError(`actions are invalid with specified match (${error.code})`);
  }
}
