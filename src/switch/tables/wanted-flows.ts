// Which of the flows that a match covers a request means.
import { OFPP } from '../../openflow/action.ts';
import type { FlowMod } from '../../openflow/message.ts';
import { type FlowRule, sendsTo, usesGroup } from './rule.ts';

export const ANY_GROUP = 0xffffffff;

type Asked = Pick<FlowMod, 'cookie' | 'cookieMask' | 'outPort' | 'outGroup'>;

/** Whether a request takes every flow that its match covers. */
export const asksNothing = ({ cookieMask, outPort, outGroup }: Asked): boolean =>
  cookieMask === 0n && outPort === OFPP.NONE && outGroup === ANY_GROUP;

/** Of these rules, the ones that a peer may see and that have the cookie and the outputs asked for. */
export function wanted(rules: FlowRule[], asked: Asked): FlowRule[] {
  const { cookie, cookieMask, outPort, outGroup } = asked;
  const takesAll = asksNothing(asked);
  return rules.filter(
    (rule) => !rule.isHidden && (takesAll || (((rule.settings.cookie ^ cookie) & cookieMask) === 0n && outputsTo(rule, outPort, outGroup))),
  );
}

function outputsTo(rule: FlowRule, port: number, group: number): boolean {
  if (port !== OFPP.NONE && !sendsTo(rule.settings.actions, port)) return false;
  return group === ANY_GROUP || usesGroup(rule.settings.actions, group);
}
