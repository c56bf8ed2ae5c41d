// What the encoder of actions must know of the packet that they meet: of the flow around them, and of the actions before.
import { type Match, VLAN_CFI, W } from '../../../flow/key.ts';
import { matchedProto, prereqHolds } from '../../../flow/prerequisites.ts';
import type { Action } from '../../action.ts';

export interface ActionContext {
  /** Whether the match asks for an IPv4 or IPv6 packet's transport: 6, 17 or 132, or 0. Set_field of ports needs its name. */
  transport?: number;
  /** Whether the packet is IPv4 or IPv6. */
  isIp?: boolean;
  /** Whether it begins with something else than an Ethernet header. */
  isBare?: boolean;
  /** Whether the match or an earlier action gives the packet a VLAN tag. */
  hasVlan?: boolean;
  /** Whether there is another tag behind that one. */
  hasInnerVlan?: boolean;
  /** There is no match, and earlier actions tell nothing: a tag is pushed for whatever needs one. */
  isUnchecked?: boolean;
}

/** Whether what is written to a tag has the bit that says that there is one: where it has not, there is none from then on. */
export function writesTag(action: Extract<Action, { kind: 'setField' | 'regLoad' }>): boolean {
  if (action.kind === 'regLoad') return ((Number(action.value) << action.dst.offset) & VLAN_CFI) !== 0;
  return ((action.value[W.VLAN0] ?? 0) & (action.mask[W.VLAN0] ?? 0) & VLAN_CFI) !== 0;
}

/** Takes into `context` what an action does to the packet. */
export function follow(context: ActionContext, action: Action): void {
  switch (action.kind) {
    case 'setVlanVid':
    case 'setVlanPcp':
      context.hasVlan = true;
      break;
    case 'setField':
      if (action.field.name === 'vlan_tci') context.hasVlan = writesTag(action);
      break;
    case 'regLoad':
      if (action.dst.field.name === 'vlan_tci') context.hasVlan = writesTag(action);
      break;
    case 'pushVlan':
      context.hasInnerVlan = context.hasVlan === true;
      context.hasVlan = true;
      break;
    case 'stripVlan':
      context.hasVlan = context.hasInnerVlan === true;
      context.hasInnerVlan = false;
      break;
    case 'pushMpls':
      context.transport = 0;
      break;
    case 'decap':
      // What is behind another header than Ethernet's nothing says.
      if (context.isBare === true) context.isIp = false;
      context.isBare = true;
      break;
    case 'encap':
      // Within an Ethernet header an IP packet is what it was.
      context.isBare = action.packetType !== 0;
      if (context.isBare) context.isIp = false;
      if (context.isIp !== true) context.transport = 0;
      break;
    default:
      break;
  }
}

/** What the encoder must know of a match for the actions beside it. */
export function contextOf(match: Match): ActionContext {
  return {
    transport: matchedProto(match),
    isIp: prereqHolds('ip', match),
    isBare: ((match.mask[W.PACKET_TYPE] ?? 0) & (match.key[W.PACKET_TYPE] ?? 0)) !== 0,
    hasVlan: ((match.mask[W.VLAN0] ?? 0) & (match.key[W.VLAN0] ?? 0) & 0x1000) !== 0,
  };
}
