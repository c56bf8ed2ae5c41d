// What actions name beside fields: ports, tables, groups and meters. Which of them a flow may name, and which flows name one.
import { PeerError } from '../../base/errors.ts';
import { type Action, OFPP } from '../../openflow/action.ts';
import type { FlowRule } from './rule.ts';

const ALL_TABLES = 255;

/** The groups and meters that a list names. */
export function references(actions: readonly Action[]): { kind: 'group' | 'meter'; id: number }[] {
  const found: { kind: 'group' | 'meter'; id: number }[] = [];
  for (const action of actions) {
    if (action.kind === 'group') found.push({ kind: 'group', id: action.group });
    else if (action.kind === 'meter') found.push({ kind: 'meter', id: action.meter });
    else if (action.kind === 'writeActions' || action.kind === 'clone') found.push(...references(action.actions));
  }
  return found;
}

/** Whether anything depends on how many flows with these actions there are: they learn, or name a group or a meter. */
export function isCounted(actions: readonly Action[]): boolean {
  for (let i = 0; i < actions.length; i++) {
    const { kind } = actions[i]!;
    if (kind === 'learn' || kind === 'group' || kind === 'meter' || kind === 'writeActions' || kind === 'clone') return true;
  }
  return false;
}

const NOBODY: ReadonlySet<FlowRule> = new Set();

/** The flows that name a group or a meter. */
export class ReferenceIndex {
  readonly #users = { group: new Map<number, Set<FlowRule>>(), meter: new Map<number, Set<FlowRule>>() };

  of(kind: 'group' | 'meter', id: number): ReadonlySet<FlowRule> {
    return this.#users[kind].get(id) ?? NOBODY;
  }

  add(rule: FlowRule): void {
    for (const { kind, id } of references(rule.settings.actions)) {
      const users = this.#users[kind].get(id);
      if (users === undefined) this.#users[kind].set(id, new Set([rule]));
      else users.add(rule);
    }
  }

  remove(rule: FlowRule): void {
    for (const { kind, id } of references(rule.settings.actions)) {
      const users = this.#users[kind].get(id);
      users?.delete(rule);
      if (users?.size === 0) this.#users[kind].delete(id);
    }
  }
}

/** What else of the bridge actions may name: as staged so far. */
export interface Referents {
  hasGroup(id: number): boolean;
  hasMeter(id: number): boolean;
}

/** Refuses actions that name a port, table, group or meter that cannot be. */
export function checkActions(actions: readonly Action[], table: number, known: Referents): void {
  for (const action of actions) {
    switch (action.kind) {
      case 'output':
      case 'outputTrunc':
        if (action.port === OFPP.NONE || (action.port >= OFPP.MAX && action.port < OFPP.IN_PORT)) {
          throw new PeerError('OFPBAC_BAD_OUT_PORT', `output to invalid port ${action.port}`);
        }
        break;
      case 'gotoTable':
        if (action.table !== ALL_TABLES && action.table <= table) {
          throw new PeerError('OFPBIC_BAD_TABLE_ID', `goto_table:${action.table} in table ${table}`);
        }
        break;
      case 'writeActions':
      case 'clone':
        checkActions(action.actions, table, known);
        break;
      case 'group':
        if (known.hasGroup(action.group)) break;
        throw new PeerError('OFPBAC_BAD_OUT_GROUP', `no group ${action.group}`);
      case 'meter':
        if (known.hasMeter(action.meter)) break;
        throw new PeerError('OFPMMFC_INVALID_METER', `no meter ${action.meter}`);
      default:
    }
  }
}
