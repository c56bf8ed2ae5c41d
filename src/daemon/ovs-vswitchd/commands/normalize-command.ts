// dpctl/normalize-actions: what actions send with which tags, so that lists that do the same in other words can be compared. Text as in the
// running reference.
import { ConfigError } from '../../../base/errors.ts';
import { parseDpActions } from '../../../datapath/action-parse.ts';
import { formatDpActions } from '../../../datapath/action-text.ts';
import { formatAttributes } from '../../../datapath/attribute-text.ts';
import type { DpAction } from '../../../datapath/datapath.ts';
import { frameKeyOf } from '../../../datapath/key-frame.ts';
import { parseDpKey } from '../../../datapath/key-parse.ts';
import { type Key, W } from '../../../flow/key.ts';
import { registerDpctl } from './datapath-names.ts';
import { DpctlError, INVALID } from './dpctl-fault.ts';
import type { CommandParts } from './parts.ts';

const MPLS_TYPES: ReadonlySet<number> = new Set([0x8847, 0x8848]);
/** A tag; its type shows where it is not the usual one, the wrong way round as in the reference. */
function tagText(tag: number): string {
  const type = tag >>> 16;
  const swapped = ((type & 0xff) << 8) | (type >>> 8);
  return `vlan(${type === 0x8100 ? '' : `tpid=0x${swapped.toString(16).padStart(4, '0')},`}vid=${tag & 0xfff},pcp=${(tag >>> 13) & 7})`;
}

/** What the reference says of a key that has less or more than its types promise. */
const LESS = 'No such file or directory';
const MORE = 'Operation not permitted';

/** Actions by the tags that a frame has when they run; what tags a frame is part of the place, no action of its own. */
function byTags(key: Key, actions: readonly DpAction[], isDrop: boolean): string {
  const lse = key[W.MPLS]!;
  const isMpls = MPLS_TYPES.has(key[W.TYPE]! >>> 16);
  const label = !isMpls ? 'no mpls' : `mpls(label=${lse >>> 12},tc=${(lse >>> 9) & 7},ttl=${lse & 255})`;
  const tags = [key[W.VLAN0]!, key[W.VLAN1]!].filter((tag) => tag !== 0);
  const places = new Map<string, { tags: readonly number[]; actions: DpAction[] }>();
  for (const action of actions) {
    if (action.kind === 'popVlan') tags.shift();
    else if (action.kind === 'pushVlan') tags.unshift(((action.tpid << 16) | action.tci) >>> 0);
    else {
      const name = tags.join();
      const place = places.get(name) ?? { tags: [...tags], actions: [] };
      places.set(name, place);
      place.actions.push(action);
    }
  }
  if (actions.length === 0 && isDrop) places.set('', { tags, actions: [] });
  const sorted = [...places.values()].sort((a, b) => compareTags(a.tags, b.tags));
  return sorted
    .map((place) => {
      const before = place.tags.length === 0 ? 'no vlan: ' : place.tags.map((tag) => `${tagText(tag)}: `).join('');
      return `${before}${label}: ${formatDpActions(withOrderedOutputs(place.actions), { port: String })}`;
    })
    .join('');
}

/** Outputs that follow each other, by their numbers: their order does not matter. */
function withOrderedOutputs(actions: readonly DpAction[]): DpAction[] {
  const ordered: DpAction[] = [];
  let run: number[] = [];
  const endRun = (): void => {
    ordered.push(...run.sort((a, b) => a - b).map((port): DpAction => ({ kind: 'output', port })));
    run = [];
  };
  for (const action of actions) {
    if (action.kind === 'output') run.push(action.port);
    else {
      endRun();
      ordered.push(action);
    }
  }
  endRun();
  return ordered;
}

function compareTags(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Registers it. */
export function registerNormalizeCommand(parts: CommandParts): void {
  registerDpctl(parts, 'normalize-actions', 'actions', 2, Number.POSITIVE_INFINITY, ([flow = '', list = '', ...names]) => {
    const ports = new Map<string, number>();
    for (const name of names) {
      // Words behind the number are no fault.
      const [, word, number = ''] = /^([^=]+)=(\d+)/.exec(name) ?? [];
      if (word === undefined) throw new DpctlError(`${name}: expected NAME=NUMBER`);
      ports.set(word, Number(number));
    }
    const parsed = parseDpKey(flow, { masked: false, vlanLimit: 1, port: (name) => ports.get(name) });
    if (typeof parsed === 'string') throw new DpctlError(`odp_flow_key_from_string (${parsed})`, INVALID);
    const text = parsed.attributes.length === 0 ? '<empty>' : formatAttributes(parsed.attributes, true, true);
    const input = `input flow: ${text}`;
    const after = (error: ConfigError): ConfigError => new ConfigError(`${input}\n${error.message}`);
    const described = frameKeyOf(parsed.attributes, 1);
    if (typeof described === 'string') throw after(new DpctlError(`odp_flow_key_to_flow failed (${described})`, 'No such process'));
    const { key, isLess, isMore } = described;
    if (isLess || isMore) throw after(new DpctlError('odp_flow_key_to_flow failed (reason unknown)', isLess ? LESS : MORE));
    const actions = parseDpActions(list);
    if (typeof actions === 'string') throw after(new DpctlError('odp_actions_from_string', actions));
    return `${input}\n${byTags(key, actions, list === 'drop')}`;
  });
}
