// The action set of OpenFlow 1.1 and later: gathered by write_actions, executed once when the walk ends
// (OpenFlow 1.3.5 section 5.10): at most one action of each kind, in the specification's order.
import { type Action, OFPP, type OfPort } from '../../openflow/action.ts';
import type { Walk } from './translate.ts';

/** Kinds that go before the sets, in their order. */
const FIRST = ['stripVlan', 'popMpls', 'decap', 'encap', 'pushMpls', 'pushVlan', 'decMplsTtl', 'decTtl', 'decNshTtl'] as const;
/** Only the first of these that is present is executed, and without any the set does nothing. */
const LAST = ['group', 'output', 'resubmit', 'ctClear', 'ct'] as const;
/** Kinds between the two, executed in the order in which they were written. Other kinds do nothing in a set. */
const SETS: ReadonlySet<Action['kind']> = new Set([
  'setField',
  'regLoad',
  'regMove',
  'setVlanVid',
  'setVlanPcp',
  'setEthSrc',
  'setEthDst',
  'setIpv4Src',
  'setIpv4Dst',
  'setIpDscp',
  'setIpEcn',
  'setIpTtl',
  'setL4SrcPort',
  'setL4DstPort',
  'setMplsLabel',
  'setMplsTc',
  'setMplsTtl',
  'setTunnel',
  'setQueue',
]);

/** The list to execute for a set written in this order. */
export function orderActionSet(written: readonly Action[]): Action[] {
  const lastOf = (kind: string): Action | undefined => written.findLast((action) => action.kind === kind);
  const last = LAST.map(lastOf).find((action) => action !== undefined);
  if (last === undefined) return [];
  const list: Action[] = [];
  for (const kind of FIRST) {
    const action = lastOf(kind);
    if (action !== undefined) list.push(action);
  }
  for (const action of written) if (SETS.has(action.kind)) list.push(action);
  list.push(last);
  return list;
}

/** What the field `actset_output` holds: the port that a set would send to, which it does not where it names a group (ovs-fields(7)). */
export function outputOfSet(written: readonly Action[]): OfPort {
  if (written.some(({ kind }) => kind === 'group')) return OFPP.UNSET;
  const last = written.findLast((action) => action.kind === 'output');
  return last?.port ?? OFPP.UNSET;
}

/** Executes what was gathered, of which nothing is left where the walk has exited: so it is in Open vSwitch. */
export function runActionSet(walk: Walk): void {
  if (walk.actionSet.length === 0) return;
  const list = orderActionSet(walk.actionSet);
  walk.actionSet = [];
  if (list.length === 0) return;
  walk.nested('table', '--. Executing action set:', () => {
    walk.isInActionSet = true;
    walk.run(list, false);
    walk.isInActionSet = false;
  });
}
