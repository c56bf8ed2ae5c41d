// Which of the flows that a match covers a request means.
import { OFPP } from '../../openflow/action.ts';
import type { FlowMod } from '../../openflow/message.ts';
import { type FlowRule, sendsTo, usesGroup } from './rule.ts';

export const ANY_GROUP = 0xffffffff;

/** Of these rules, the ones that a peer may see and that have the cookie and the outputs asked for. */
export function wanted(
  rules: FlowRule[],
  { cookie, cookieMask, outPort, outGroup }: Pick<FlowMod, 'cookie' | 'cookieMask' | 'outPort' | 'outGroup'>,
): FlowRule[] {
  const asksNothing = cookieMask === 0n && outPort === OFPP.NONE && outGroup === ANY_GROUP;
  return rules.filter(
    (rule) =>
      !rule.isHidden && (asksNothing || (((rule.settings.cookie ^ cookie) & cookieMask) === 0n && outputsTo(rule, outPort, outGroup))),
  );
}

function outputsTo(rule: FlowRule, port: number, group: number): boolean {
  if (port !== OFPP.NONE && !sendsTo(rule.settings.actions, port)) return false;
  return group === ANY_GROUP || usesGroup(rule.settings.actions, group);
}
