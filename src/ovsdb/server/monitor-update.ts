// The updates that a monitor is sent, as text: RFC 7047 section 4.1.6 and the reference's update2 and update3.
//
// Text is made straight from the rows and handed on in pieces, so that the first update of a large database is never one string.
import { differenceTest, type RowTest } from '../engine/condition.ts';
import type { Row, Table } from '../engine/database.ts';
import { type Datum, datumDiff, datumsEqual } from '../engine/datum.ts';
import { appendDatum } from '../engine/datum-json.ts';
import { PIECE_SIZE } from '../engine/operation-result.ts';
import { UUID_COLUMN } from '../engine/schema.ts';
import { defaultFields } from '../engine/transaction.ts';
import type { MonitorColumn, MonitorSpec, TableMonitor } from './monitor-spec.ts';

type Kind = 'initial' | 'insert' | 'delete' | 'modify';

/** A row as a monitor knew it and as it is now. */
export interface RowChange {
  readonly uuid: string;
  before: Row | undefined;
  after: Row | undefined;
}

/** The members of a row object for the columns that say so. */
function pick(row: Row, columns: readonly MonitorColumn[], kind: Kind, skipsDefaults: boolean): string {
  let text = '{';
  const defaults = skipsDefaults ? defaultFields(row.table.schema) : undefined;
  for (const monitored of columns) {
    if (!monitored[kind]) continue;
    const { name, index, type } = monitored.column;
    const datum = row.fields[index] as Datum;
    if (defaults !== undefined && index !== UUID_COLUMN && datumsEqual(datum, defaults[index] as Datum)) continue;
    text = appendDatum(`${text}${text.length === 1 ? '' : ','}"${name}":`, datum, type);
  }
  return `${text}}`;
}

/** The columns that changed: their old values, or what leads from the old to the new; undefined when none did. */
function pickChanged(before: Row, after: Row, { columns, hidden }: TableMonitor, isDiff: boolean): string | undefined {
  let text = '{';
  let isChanged = false;
  for (const { column, modify } of columns) {
    const was = before.fields[column.index] as Datum;
    const is = after.fields[column.index] as Datum;
    if (was === is || datumsEqual(was, is)) continue;
    isChanged = true;
    if (!modify) continue;
    text = appendDatum(
      `${text}${text.length === 1 ? '' : ','}"${column.name}":`,
      isDiff ? datumDiff(was, is, column.type) : was,
      column.type,
    );
  }
  for (const { index } of hidden) isChanged ||= !datumsEqual(before.fields[index] as Datum, after.fields[index] as Datum);
  return isChanged ? `${text}}` : undefined;
}

function rowUpdate1(monitor: TableMonitor, before: Row | undefined, after: Row | undefined, kind: Kind): string | undefined {
  if (after === undefined) return before === undefined ? undefined : `{"old":${pick(before, monitor.columns, 'delete', false)}}`;
  if (before === undefined) return `{"new":${pick(after, monitor.columns, kind, false)}}`;
  const old = pickChanged(before, after, monitor, false);
  return old === undefined ? undefined : `{"old":${old},"new":${pick(after, monitor.columns, 'modify', false)}}`;
}

function rowUpdate2(monitor: TableMonitor, before: Row | undefined, after: Row | undefined, kind: Kind): string | undefined {
  if (after === undefined) return '{"delete":null}';
  if (before === undefined) return `{"${kind}":${pick(after, monitor.columns, kind, true)}}`;
  const diff = pickChanged(before, after, monitor, true);
  return diff === undefined ? undefined : `{"modify":${diff}}`;
}

const shown = (shows: RowTest, row: Row | undefined): Row | undefined => (row !== undefined && shows(row.fields) ? row : undefined);

/** Gathers rows of updates by table and hands text on in pieces. */
class UpdatesWriter {
  readonly #put: (piece: string) => void;
  readonly #spec: MonitorSpec;
  #text = '{';
  #isEmpty = true;
  #table: Table | undefined;

  constructor(spec: MonitorSpec, put: (piece: string) => void) {
    this.#spec = spec;
    this.#put = put;
  }

  /** All rows of one table must come together. */
  row(monitor: TableMonitor, uuid: string, before: Row | undefined, after: Row | undefined, isInitial = false): void {
    if (before === undefined && after === undefined) return;
    const { table, select } = monitor;
    const kind: Kind = isInitial ? 'initial' : before === undefined ? 'insert' : after === undefined ? 'delete' : 'modify';
    if (!select[kind]) return;
    const update = this.#spec.version === 1 ? rowUpdate1(monitor, before, after, kind) : rowUpdate2(monitor, before, after, kind);
    if (update === undefined) return;
    if (this.#table !== table) this.#text += `${this.#isEmpty ? '' : '},'}"${table.schema.name}":{"${uuid}":${update}`;
    else this.#text += `,"${uuid}":${update}`;
    this.#table = table;
    this.#isEmpty = false;
    if (this.#text.length < PIECE_SIZE) return;
    this.#put(this.#text);
    this.#text = '';
  }

  /** Gives whether there was any row; nothing was handed on when there was none. */
  end(): boolean {
    if (!this.#isEmpty) this.#put(`${this.#text}}}`);
    return !this.#isEmpty;
  }
}

/** The table-updates that a new monitor starts with; `{}` when there are none. */
export function initialUpdates(spec: MonitorSpec, put: (piece: string) => void): void {
  const writer = new UpdatesWriter(spec, put);
  for (const monitor of spec.tables) {
    if (!monitor.select.initial) continue;
    for (const row of monitor.table.rows.values()) writer.row(monitor, row.uuid, undefined, shown(monitor.shows, row), true);
  }
  if (!writer.end()) put('{}');
}

/** The table-updates of what changed, by table; undefined when the monitor sees nothing of it. */
export function changeUpdates(spec: MonitorSpec, changes: ReadonlyMap<Table, Iterable<RowChange>>): string | undefined {
  const pieces: string[] = [];
  const writer = new UpdatesWriter(spec, (piece) => void pieces.push(piece));
  for (const monitor of spec.tables) {
    const { shows } = monitor;
    for (const { uuid, before, after } of changes.get(monitor.table) ?? [])
      writer.row(monitor, uuid, shown(shows, before), shown(shows, after));
  }
  return writer.end() ? pieces.join('') : undefined;
}

/** The table-updates by which rows come into view or go out of it when the conditions change. */
export function conditionUpdates(before: MonitorSpec, after: MonitorSpec): string | undefined {
  const pieces: string[] = [];
  const writer = new UpdatesWriter(after, (piece) => void pieces.push(piece));
  for (const [i, monitor] of after.tables.entries()) {
    const old = before.tables[i];
    if (old === undefined || old === monitor) continue;
    const mayDiffer = differenceTest(old.condition, monitor.condition);
    for (const row of monitor.table.rows.values()) {
      if (!mayDiffer(row.fields)) continue;
      const was = shown(old.shows, row);
      const is = shown(monitor.shows, row);
      if ((was === undefined) !== (is === undefined)) writer.row(monitor, row.uuid, was, is);
    }
  }
  return writer.end() ? pieces.join('') : undefined;
}
