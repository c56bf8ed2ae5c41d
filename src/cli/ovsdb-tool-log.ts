// `ovsdb-tool show-log`: the records of a database file in words. -m shows rows, -mm the columns of each.
import { isUuid } from '../ovsdb/engine/atom.ts';
import { parseDatum } from '../ovsdb/engine/datum.ts';
import { formatDatum } from '../ovsdb/engine/datum-text.ts';
import { type DatabaseSchema, parseSchema, type TableSchema } from '../ovsdb/engine/schema.ts';
import type { Json, JsonObject } from '../ovsdb/json/json.ts';
import { compareText, formatJson } from '../ovsdb/json/json-format.ts';

const two = (n: number, size = 2): string => String(n).padStart(size, '0');

/** Local time as the reference prints it, with milliseconds. */
export function formatLogTime(ms: number): string {
  const d = new Date(ms);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${two(d.getMilliseconds(), 3)}`;
}

const sorted = (object: JsonObject): [string, Json][] => [...object].sort((a, b) => compareText(a[0], b[0]));

export class LogPrinter {
  readonly #detail: number;
  readonly #print: (line: string) => void;
  #schema: DatabaseSchema | undefined;
  /** Names of rows, by UUID, as far as the log has told them. */
  readonly #names = new Map<string, string>();
  readonly #rows = new Set<string>();

  constructor(detail: number, print: (line: string) => void) {
    this.#detail = detail;
    this.#print = print;
  }

  record(json: Json, number: number): void {
    if (number === 0) {
      const schema = parseSchema(json);
      this.#schema = schema;
      this.#print(`record 0: "${schema.name}" schema, version="${schema.version}", cksum="${schema.cksum}"`);
      this.#print('');
      return;
    }
    if (!(json instanceof Map)) return;
    const date = json.get('_date');
    const comment = json.get('_comment');
    const when = typeof date === 'number' ? ` ${formatLogTime(date < 1e12 ? date * 1000 : date)}` : '';
    this.#print(`record ${number}:${when}${typeof comment === 'string' ? ` "${comment}"` : ''}`);
    const isDiff = json.get('_is_diff') === true;
    for (const [name, rows] of sorted(json)) {
      if (!name.startsWith('_') && rows instanceof Map) this.#table(name, rows, isDiff);
    }
    if (this.#detail > 0) this.#print('');
  }

  #table(name: string, rows: JsonObject, isDiff: boolean): void {
    const table = this.#schema?.tables.get(name);
    for (const [uuid, columns] of sorted(rows)) this.#row(name, table, uuid, columns, isDiff);
  }

  #row(name: string, table: TableSchema | undefined, uuid: string, columns: Json, isDiff: boolean): void {
    const isNew = !this.#rows.has(uuid);
    if (columns instanceof Map) {
      const rowName = columns.get('name');
      if (typeof rowName === 'string') this.#names.set(uuid, rowName);
    }
    const known = this.#names.get(uuid);
    const short = uuid.slice(0, 8);
    const label = known !== undefined ? `${formatJson(known)} (${short})` : isNew ? short : `${short} (${short})`;
    if (columns === null) {
      if (this.#detail > 0) this.#print(`  table ${name} delete row ${label}:`);
      this.#rows.delete(uuid);
      this.#names.delete(uuid);
      return;
    }
    this.#rows.add(uuid);
    if (this.#detail > 0) this.#print(`  table ${name} ${isNew ? 'insert ' : ''}row ${label}${!isNew && isDiff ? ' diff' : ''}:`);
    if (this.#detail < 2 || !(columns instanceof Map) || !isUuid(uuid)) return;
    for (const [column, value] of sorted(columns)) this.#print(`    ${column}=${this.#value(table, column, value)}`);
  }

  #value(table: TableSchema | undefined, name: string, value: Json): string {
    const column = table?.columns.get(name);
    if (column === undefined) return formatJson(value);
    const type = column.type.max > 1 ? { ...column.type, min: 0, max: Number.POSITIVE_INFINITY } : column.type;
    return formatDatum(parseDatum(value, type), type);
  }
}
