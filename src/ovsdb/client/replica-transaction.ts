// A transaction on a replica: a view of the rows with the changes made so far, and the operations that make them in the server.
//
// The operations stand in this order: assert the lock; `wait` for every column verified; rows deleted, inserted and changed; increments;
// the comment. A row inserted here is referred to by `named-uuid` everywhere else.

import { temporaryUuid } from '../../base/temporary-uuid.ts';
import type { Atom } from '../engine/atom.ts';
import { datumsEqual, datumToJson } from '../engine/datum.ts';
import type { TableSchema } from '../engine/schema.ts';
import { type ColumnType, type Datum, defaultDatum } from '../engine/types.ts';
import { asObject, type Json, type JsonObject, jsonObject } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import type { ColumnValue, CommitResult, IdlTransaction } from './idl.ts';
import { ReplicaRow, type ReplicaTables, toDatum } from './replica-row.ts';

interface Change {
  readonly schema: TableSchema;
  readonly uuid: string;
  readonly base: ReplicaRow | undefined;
  readonly written: Map<string, Datum>;
  readonly verified: Set<string>;
  readonly mutations: { column: string; mutator: string; datum: Datum; type: ColumnType }[];
  isDeleted: boolean;
}

/** Sends the operations; gives the reply's results. */
export type TransactionSender = (operations: Json[]) => Promise<Json>;

export class ReplicaTransaction implements IdlTransaction {
  readonly #tables: ReplicaTables;
  readonly #send: TransactionSender;
  readonly #lock: string | undefined;
  readonly #changes = new Map<string, Map<string, Change>>();
  readonly #comments: string[] = [];
  readonly #inserted = new Map<string, string>();
  #increment: { table: string; uuid: string; column: string } | undefined;
  #incremented = 0;

  constructor(tables: ReplicaTables, send: TransactionSender, lock: string | undefined) {
    this.#tables = tables;
    this.#send = send;
    this.#lock = lock;
  }

  get incremented(): number {
    return this.#incremented;
  }

  #schema(table: string): TableSchema {
    const schema = this.#tables.schema.tables.get(table);
    if (schema === undefined) throw new Error(`no table ${table}`);
    return schema;
  }

  #type(schema: TableSchema, column: string): ColumnType {
    const type = schema.columns.get(column)?.type;
    if (type === undefined) throw new Error(`no column ${column} in table ${schema.name}`);
    return type;
  }

  #change(table: string, uuid: string): Change {
    let ofTable = this.#changes.get(table);
    if (ofTable === undefined) {
      ofTable = new Map();
      this.#changes.set(table, ofTable);
    }
    let change = ofTable.get(uuid);
    if (change === undefined) {
      const base = this.#tables.rows(table).get(uuid);
      if (base === undefined) throw new Error(`no row ${uuid} in table ${table}`);
      change = { schema: this.#schema(table), uuid, base, written: new Map(), verified: new Set(), mutations: [], isDeleted: false };
      ofTable.set(uuid, change);
    }
    return change;
  }

  /** The row as this transaction has made it. */
  row(table: string, uuid: string): ReplicaRow | undefined {
    const base = this.#tables.rows(table).get(uuid);
    const change = this.#changes.get(table)?.get(uuid);
    if (change === undefined) return base;
    if (change.isDeleted) return undefined;
    if (change.written.size === 0 && base !== undefined) return base;
    return new ReplicaRow(change.schema, uuid, new Map([...(base?.data ?? []), ...change.written]));
  }

  /** A row that this transaction deletes, as the replica has it. */
  deletedRow(table: string, uuid: string): ReplicaRow | undefined {
    return this.#changes.get(table)?.get(uuid)?.isDeleted === true ? this.#tables.rows(table).get(uuid) : undefined;
  }

  /** All rows of a table as this transaction has made them: the replica's, then the new ones. */
  rows(table: string): ReplicaRow[] {
    const changes = this.#changes.get(table);
    const base = this.#tables.rows(table);
    if (changes === undefined) return [...base.values()];
    const fresh = [...changes.values()].filter((change) => change.base === undefined).map((change) => change.uuid);
    return [...base.keys(), ...fresh].map((uuid) => this.row(table, uuid)).filter((row) => row !== undefined);
  }

  /** Whether the row is in the replica, not only in this transaction. */
  isStored(table: string, uuid: string): boolean {
    return this.#tables.rows(table).has(uuid);
  }

  insert(table: string, columns: Readonly<Record<string, ColumnValue>> = {}, uuid: string = temporaryUuid()): string {
    const schema = this.#schema(table);
    const change: Change = { schema, uuid, base: undefined, written: new Map(), verified: new Set(), mutations: [], isDeleted: false };
    const ofTable = this.#changes.get(table) ?? new Map<string, Change>();
    this.#changes.set(table, ofTable.set(uuid, change));
    for (const [column, value] of Object.entries(columns)) this.set(table, uuid, column, value);
    return uuid;
  }

  set(table: string, uuid: string, column: string, value: ColumnValue): void {
    const schema = this.#schema(table);
    this.setDatum(table, uuid, column, toDatum(value, this.#type(schema, column)));
  }

  setDatum(table: string, uuid: string, column: string, datum: Datum): void {
    this.#change(table, uuid).written.set(column, datum);
  }

  delete(table: string, uuid: string): void {
    const change = this.#change(table, uuid);
    if (change.base === undefined) this.#changes.get(table)?.delete(uuid);
    else change.isDeleted = true;
  }

  verify(table: string, uuid: string, column: string): void {
    const change = this.#change(table, uuid);
    // What we wrote before is not what the server holds: nothing to compare.
    if (change.base !== undefined && !change.written.has(column)) change.verified.add(column);
  }

  mutate(table: string, uuid: string, column: string, mutator: string, value: ColumnValue): void {
    const change = this.#change(table, uuid);
    const type = this.#type(change.schema, column);
    // A deletion from a map may name keys alone, as a set.
    const isKeySet = type.value !== undefined && mutator === 'delete' && !(value instanceof Map);
    const operand = isKeySet
      ? { key: type.key, min: 0, max: Number.POSITIVE_INFINITY }
      : { ...type, min: 0, max: Number.POSITIVE_INFINITY };
    change.mutations.push({ column, mutator, datum: toDatum(value, operand), type: operand });
  }

  increment(table: string, uuid: string, column: string): void {
    this.#increment = { table, uuid, column };
  }

  comment(text: string): void {
    this.#comments.push(text);
  }

  insertedUuid(name: string): string | undefined {
    return this.#inserted.get(name);
  }

  get operations(): readonly Json[] {
    return this.#build().operations;
  }

  /** Values are JSON with references to rows of this transaction named. */
  #datumJson(datum: Datum, type: ColumnType, names: ReadonlySet<string>): Json {
    const json = datumToJson(datum, type);
    return names.size === 0 ? json : nameRows(json, names);
  }

  #build(): { operations: Json[]; inserts: { at: number; uuid: string }[]; incrementAt: number } {
    const operations: Json[] = [];
    const inserts: { at: number; uuid: string }[] = [];
    const changes = [...this.#changes.values()].flatMap((ofTable) => [...ofTable.values()]);
    const names = new Set(changes.filter((change) => change.base === undefined).map((change) => change.uuid));
    const where = (uuid: string): Json => [['_uuid', '==', names.has(uuid) ? ['named-uuid', rowName(uuid)] : ['uuid', uuid]]];
    const mutationsOf = (table: string, uuid: string, mutations: Change['mutations']): Json[] => {
      if (mutations.length === 0) return [];
      const list = mutations.map((m): Json => [m.column, m.mutator, this.#datumJson(m.datum, m.type, names)]);
      return [jsonObject({ op: 'mutate', table, where: where(uuid), mutations: list })];
    };
    if (this.#lock !== undefined) operations.push(jsonObject({ op: 'assert', lock: this.#lock }));
    for (const { schema, uuid, base, verified } of changes) {
      if (verified.size === 0 || base === undefined) continue;
      const row: JsonObject = new Map();
      for (const column of verified) row.set(column, datumToJson(base.datum(column), this.#type(schema, column)));
      operations.push(
        jsonObject({ op: 'wait', table: schema.name, where: where(uuid), columns: [...verified], until: '==', rows: [row], timeout: 0 }),
      );
    }
    for (const { schema, uuid, base, written, mutations, isDeleted } of changes) {
      if (isDeleted) {
        // The server drops rows of other tables itself once nothing refers to them, and refuses to before.
        if (schema.isRoot) operations.push(jsonObject({ op: 'delete', table: schema.name, where: where(uuid) }));
        else operations.push(...mutationsOf(schema.name, uuid, mutations));
        continue;
      }
      const row: JsonObject = new Map();
      for (const [column, datum] of written) {
        const type = this.#type(schema, column);
        const before = base === undefined ? defaultDatum(type) : base.datum(column);
        if (!datumsEqual(before, datum)) row.set(column, this.#datumJson(datum, type, names));
      }
      if (base === undefined) {
        inserts.push({ at: operations.length, uuid });
        operations.push(jsonObject({ op: 'insert', table: schema.name, 'uuid-name': rowName(uuid), row }));
      } else if (row.size > 0) {
        operations.push(jsonObject({ op: 'update', table: schema.name, where: where(uuid), row }));
      }
      operations.push(...mutationsOf(schema.name, uuid, mutations));
    }
    let incrementAt = -1;
    const increment = this.#increment;
    const hasChanges = operations.some((operation) => ['insert', 'update', 'mutate', 'delete'].includes(opName(operation)));
    if (increment !== undefined && hasChanges) {
      const { table, uuid, column } = increment;
      operations.push(jsonObject({ op: 'mutate', table, where: where(uuid), mutations: [[column, '+=', 1]] }));
      incrementAt = operations.length;
      operations.push(jsonObject({ op: 'select', table, where: where(uuid), columns: [column] }));
    }
    if (hasChanges) for (const comment of this.#comments) operations.push(jsonObject({ op: 'comment', comment }));
    return { operations, inserts, incrementAt };
  }

  /** Whether committing would change anything. */
  get hasChanges(): boolean {
    return this.#build().operations.some((operation) => ['insert', 'update', 'mutate', 'delete'].includes(opName(operation)));
  }

  /** Has the server judge the operations and undo them. */
  isDryRun = false;

  async commit(): Promise<CommitResult> {
    const { operations, inserts, incrementAt } = this.#build();
    if (!this.hasChanges) return { status: 'unchanged', error: '' };
    if (this.isDryRun) operations.push(new Map([['op', 'abort']]));
    let reply: Json;
    try {
      reply = await this.#send(operations);
    } catch (error) {
      const fault = (error as { error?: Json }).error;
      if (fault !== undefined) return { status: 'error', error: formatJson(fault, { sort: true }) };
      // The connection went: whether the server committed is not known, so whoever asked looks and tries again.
      return { status: 'try again', error: '' };
    }
    if (!Array.isArray(reply)) return { status: 'error', error: formatJson(reply) };
    const verdict = judge(reply);
    if (verdict !== undefined) return verdict;
    for (const { at, uuid } of inserts) {
      const given = asObject(reply[at])?.get('uuid');
      if (Array.isArray(given) && typeof given[1] === 'string') this.#inserted.set(uuid, given[1]);
    }
    if (incrementAt >= 0) {
      const rows = asObject(reply[incrementAt])?.get('rows');
      const value = Array.isArray(rows) ? asObject(rows[0])?.get(this.#increment?.column ?? '') : undefined;
      if (typeof value === 'number') this.#incremented = value;
    }
    return { status: 'success', error: '' };
  }
}

function opName(operation: Json): string {
  return String(asObject(operation)?.get('op'));
}

function judge(results: readonly Json[]): CommitResult | undefined {
  let status: CommitResult['status'] | undefined;
  for (const result of results) {
    const object = asObject(result);
    const error = object?.get('error');
    if (error === undefined) continue;
    if (error === 'timed out') status = 'try again';
    else if (error === 'not owner') status = 'not locked';
    else if (error !== 'aborted') return { status: 'error', error: formatJson(result, { sort: true }) };
  }
  return status === undefined ? undefined : { status, error: '' };
}

const rowName = (uuid: string): string => `row${uuid.replaceAll('-', '_')}`;

function nameRows(json: Json, names: ReadonlySet<string>): Json {
  if (!Array.isArray(json)) return json;
  if (json.length === 2 && json[0] === 'uuid' && names.has(json[1] as string)) return ['named-uuid', rowName(json[1] as string)];
  return json.map((item) => nameRows(item, names));
}

export type { Atom };
