// What a replica holds: the rows, by a schema, and the transaction that they are as of.
import { type DatabaseSchema, parseSchema } from '../engine/schema.ts';
import type { Json } from '../json/json.ts';
import { formatJson } from '../json/json-format.ts';
import type { MonitorMethod } from './monitor-requests.ts';
import { ReplicaTables } from './replica-row.ts';

const ZERO_ID = '00000000-0000-0000-0000-000000000000';
const NO_SCHEMA: DatabaseSchema = { name: '', version: '', cksum: '', tables: new Map() };

export class ReplicaContent {
  #tables: ReplicaTables;
  #schemaJson: Json | undefined;
  /** The schema is one that was given, not the server's. */
  #isAssumed: boolean;
  #lastTransactionId = ZERO_ID;

  constructor(assumedSchema: DatabaseSchema | undefined) {
    this.#tables = new ReplicaTables(assumedSchema ?? NO_SCHEMA);
    this.#isAssumed = assumedSchema !== undefined;
  }

  get tables(): ReplicaTables {
    return this.#tables;
  }

  /** undefined until there is one. */
  get schema(): DatabaseSchema | undefined {
    return this.#schemaJson === undefined && !this.#isAssumed ? undefined : this.#tables.schema;
  }

  get isAssumed(): boolean {
    return this.#isAssumed;
  }

  /** What to resume from; all zeros for the beginning. */
  get lastTransactionId(): string {
    return this.#lastTransactionId;
  }

  /** The schema that was given will not do. */
  stopAssuming(): void {
    this.#isAssumed = false;
  }

  /** What is held may be wrong or is not what will be asked for: the next monitor begins anew. */
  forgetTransaction(): void {
    this.#lastTransactionId = ZERO_ID;
  }

  /** Takes the server's schema; rows of another one are gone. Throws OvsdbError. */
  setSchema(schemaJson: Json): void {
    if (this.#schemaJson !== undefined && formatJson(schemaJson) === formatJson(this.#schemaJson)) return;
    this.#tables = new ReplicaTables(parseSchema(schemaJson));
    this.#schemaJson = schemaJson;
    this.#lastTransactionId = ZERO_ID;
  }

  /** Takes what a monitor begins with. Throws OvsdbError. */
  fill(method: MonitorMethod, reply: Json): void {
    if (method !== 'monitor_cond_since') {
      this.#tables.clear();
      this.#tables.apply(reply, method !== 'monitor');
      return;
    }
    const [isResumed, lastId, updates] = Array.isArray(reply) ? reply : [];
    if (isResumed !== true) this.#tables.clear();
    this.#tables.apply(updates ?? null, true);
    if (typeof lastId === 'string') this.#lastTransactionId = lastId;
  }

  /** Takes a notification of a monitor; gives whether it was one. Throws OvsdbError. */
  update(method: string, params: readonly Json[]): boolean {
    if (method === 'update3') {
      this.#tables.apply(params[2] ?? null, true);
      if (typeof params[1] === 'string') this.#lastTransactionId = params[1];
      return true;
    }
    if (method !== 'update2' && method !== 'update') return false;
    this.#tables.apply(params[1] ?? null, method === 'update2');
    return true;
  }
}
