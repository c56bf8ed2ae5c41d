// UUIDs that the reference draws for its monitors and shows nobody. A server that is recorded, or runs from a record, must draw as many: those of rows
// come from the same source.
//
// There monitors of the same columns stand together, whatever their conditions. The first draws two, each other one; each change of a condition draws one,
// and so does whichever of them is told first after something that they watch has changed.
import { randomUuid } from '../../base/cryptography.ts';
import type { Commit, Database } from '../engine/database.ts';
import { datumsEqual } from '../engine/datum.ts';
import type { MonitorSpec } from './monitor-spec.ts';

interface Group {
  readonly database: Database;
  readonly spec: MonitorSpec;
  users: number;
  hasChanged: boolean;
}

/** One monitor among those that draw for it. */
export interface Drawer {
  /** Its condition changes. */
  changed(): void;
  told(): void;
  left(): void;
}

const draw = (count: number): void => {
  for (let i = 0; i < count; i++) randomUuid();
};

export class MonitorDraws {
  readonly #groups = new Map<Database, Map<string, Group>>();

  join(database: Database, spec: MonitorSpec): Drawer {
    const groups = this.#groups.get(database) ?? new Map<string, Group>();
    this.#groups.set(database, groups);
    const key = groupKey(spec);
    const group = groups.get(key) ?? { database, spec, users: 0, hasChanged: false };
    draw(group.users === 0 || group.hasChanged ? 2 : 1);
    group.users++;
    groups.set(key, group);
    return {
      changed: () => draw(1),
      told: () => {
        if (group.hasChanged) draw(1);
        group.hasChanged = false;
      },
      left: () => {
        if (--group.users === 0) groups.delete(key);
      },
    };
  }

  committed(database: Database, commit: Commit): void {
    for (const group of this.#groups.get(database)?.values() ?? []) group.hasChanged ||= sees(group.spec, commit);
  }
}

function groupKey({ tables }: MonitorSpec): string {
  return tables
    .map(({ table, columns, hidden }) => {
      const shown = columns.map(({ column, ...select }) => [column.name, Object.values(select).map(Number).join('')].join(' '));
      return [table.schema.name, ...[...shown, ...hidden.map(({ name }) => name)].sort()].join();
    })
    .sort()
    .join('|');
}

function sees({ tables }: MonitorSpec, { changes }: Commit): boolean {
  return changes.some(({ table, before, after }) => {
    const watching = tables.find((one) => one.table === table);
    if (watching === undefined) return false;
    if (before === undefined || after === undefined) return true;
    return [...watching.columns.map(({ column }) => column), ...watching.hidden].some(({ index }) => {
      const [old, fresh] = [before.fields[index], after.fields[index]];
      return old !== undefined && fresh !== undefined && old !== fresh && !datumsEqual(old, fresh);
    });
  });
}
