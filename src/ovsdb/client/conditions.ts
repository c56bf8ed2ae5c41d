// Which rows a replica asks for, and which of that the server has agreed to.
//
// One change is under way at a time; what is wished meanwhile goes in the next. While one is under way nobody knows which rows the server has sent:
// if the connection ends then, the replica begins anew instead of resuming.

import { datumToJson } from '../engine/datum.ts';
import type { DatabaseSchema } from '../engine/schema.ts';
import type { ColumnType } from '../engine/types.ts';
import { type Json, jsonObject } from '../json/json.ts';
import type { IdlClause } from './idl.ts';
import { toDatum } from './replica-row.ts';

interface Waiter {
  table: string;
  clauses: readonly IdlClause[];
  resolve(): void;
  reject(error: Error): void;
}

export class Conditions {
  readonly #wished: Map<string, readonly IdlClause[]>;
  /** What the replica was filled by. */
  #agreed = new Map<string, readonly IdlClause[]>();
  #asked: Map<string, readonly IdlClause[]> | undefined;
  #waiters: Waiter[] = [];

  constructor(first: ReadonlyMap<string, readonly IdlClause[]> = new Map()) {
    this.#wished = new Map(first);
  }

  /** Resolves when this, or what took its place, is agreed to. */
  wish(table: string, clauses: readonly IdlClause[]): Promise<void> {
    this.#wished.set(table, clauses);
    return new Promise((resolve, reject) => this.#waiters.push({ table, clauses, resolve, reject }));
  }

  /** Whether the replica's rows are those of all that is wished, so that the server may tell it only what it missed. */
  get areSettled(): boolean {
    return this.#asked === undefined && this.changes().size === 0;
  }

  /** The `where` of a table in a request for a monitor. */
  where(table: string, schema: DatabaseSchema): Json | undefined {
    const clauses = this.#wished.get(table);
    return clauses === undefined ? undefined : conditionJson(clauses, table, schema);
  }

  /** A request is on its way with all that is wished. */
  ask(): void {
    this.#asked = new Map(this.#wished);
  }

  /** The tables whose condition is not as wished. */
  changes(): ReadonlyMap<string, readonly IdlClause[]> {
    return new Map([...this.#wished].filter(([table, clauses]) => this.#agreed.get(table) !== clauses));
  }

  /** The parameter of `monitor_cond_change` for these. */
  changesJson(changes: ReadonlyMap<string, readonly IdlClause[]>, schema: DatabaseSchema): Json {
    return new Map([...changes].map(([table, clauses]) => [table, [jsonObject({ where: conditionJson(clauses, table, schema) })]]));
  }

  get isUnderWay(): boolean {
    return this.#asked !== undefined;
  }

  /** The server has agreed. */
  agree(): void {
    this.#agreed = this.#asked ?? this.#agreed;
    this.#asked = undefined;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      // Of one that another took the place of, that other decides.
      if (this.#agreed.get(waiter.table) === this.#wished.get(waiter.table)) waiter.resolve();
      else this.#waiters.push(waiter);
    }
  }

  /** The server has refused: what was asked for is wished no more. */
  refuse(error: Error): void {
    const asked = this.#asked ?? new Map();
    this.#asked = undefined;
    for (const [table, clauses] of asked) {
      if (this.#wished.get(table) !== clauses || this.#agreed.get(table) === clauses) continue;
      const before = this.#agreed.get(table);
      if (before === undefined) this.#wished.delete(table);
      else this.#wished.set(table, before);
    }
    this.end(error, (waiter) => asked.get(waiter.table) === waiter.clauses);
  }

  end(error: Error, isOver: (waiter: Waiter) => boolean = () => true): void {
    const waiters = this.#waiters;
    this.#waiters = waiters.filter((waiter) => !isOver(waiter));
    for (const waiter of waiters) if (isOver(waiter)) waiter.reject(error);
  }
}

function conditionJson(clauses: readonly IdlClause[], table: string, schema: DatabaseSchema): Json {
  if (clauses.length === 0) return [false];
  return clauses.map((clause): Json => {
    if (typeof clause === 'boolean') return clause;
    const [column, how, value] = clause;
    const type = schema.tables.get(table)?.columns.get(column)?.type;
    if (type === undefined) throw new Error(`no column ${column} in table ${table}`);
    const operand: ColumnType = how === 'includes' || how === 'excludes' ? { ...type, min: 0, max: Number.POSITIVE_INFINITY } : type;
    return [column, how, datumToJson(toDatum(value, operand), operand)];
  });
}
