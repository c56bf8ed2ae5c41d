// What the operations of a transaction came to, and its two forms: JSON values for those who look at them, text for the wire.
import { type JsonObject, jsonObject } from '../json/json.ts';
import { formatJson, formatJsonString, type PrintableJson } from '../json/json-format.ts';
import type { Row } from './database.ts';
import { type Datum, datumToJson } from './datum.ts';
import { appendDatum, printableDatum } from './datum-json.ts';
import type { OvsdbError } from './error.ts';
import type { ColumnSchema } from './schema.ts';

/** What one operation came to. */
export type OperationResult =
  | { readonly kind: 'empty' }
  | { readonly kind: 'uuid'; readonly uuid: string }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'rows'; readonly rows: readonly Row[]; readonly columns: readonly ColumnSchema[] }
  | { readonly kind: 'error'; readonly error: OvsdbError }
  /** Never begun, because of an error before it. */
  | { readonly kind: 'none' };

export const EMPTY_RESULT: OperationResult = { kind: 'empty' };
export const NO_RESULT: OperationResult = { kind: 'none' };

/** The columns of a row as a JSON object. */
export function rowToJson(fields: readonly Datum[], columns: readonly ColumnSchema[]): JsonObject {
  const row: JsonObject = new Map();
  for (const column of columns) row.set(column.name, datumToJson(fields[column.index] as Datum, column.type));
  return row;
}

const printableRow = ({ fields }: Row, columns: readonly ColumnSchema[]): PrintableJson =>
  new Map(columns.map((column) => [column.name, printableDatum(fields[column.index] as Datum, column.type)]));

/** The text of `rowToJson`. */
export function rowText(fields: readonly Datum[], columns: readonly ColumnSchema[]): string {
  let text = '{';
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i] as ColumnSchema;
    text += i === 0 ? `"${column.name}":` : `,"${column.name}":`;
    text = appendDatum(text, fields[column.index] as Datum, column.type);
  }
  return `${text}}`;
}

/** A result as JSON that is to be printed: RFC 7047 section 5.2. */
export function resultToJson(result: OperationResult): PrintableJson {
  switch (result.kind) {
    case 'empty':
      return new Map();
    case 'uuid':
      return new Map([['uuid', ['uuid', result.uuid]]]);
    case 'count':
      return jsonObject({ count: result.count });
    case 'rows':
      return new Map([['rows', result.rows.map((row) => printableRow(row, result.columns))]]);
    case 'error':
      return result.error.toJson();
    case 'none':
      return null;
  }
}

/** The text of all results; a large one comes in several pieces. */
export function resultsText(results: readonly OperationResult[], put: (piece: string) => void): void {
  let text = '[';
  for (let i = 0; i < results.length; i++) {
    const result = results[i] as OperationResult;
    if (i > 0) text += ',';
    switch (result.kind) {
      case 'empty':
        text += '{}';
        break;
      case 'uuid':
        text += `{"uuid":["uuid",${formatJsonString(result.uuid)}]}`;
        break;
      case 'count':
        text += `{"count":${result.count}}`;
        break;
      case 'rows': {
        text += '{"rows":[';
        for (let j = 0; j < result.rows.length; j++) {
          text += `${j === 0 ? '' : ','}${rowText((result.rows[j] as Row).fields, result.columns)}`;
          if (text.length < PIECE_SIZE) continue;
          put(text);
          text = '';
        }
        text += ']}';
        break;
      }
      default:
        text += formatJson(resultToJson(result));
    }
  }
  put(`${text}]`);
}

/** Text is handed on in pieces of about this size, so that a large answer is never one string. */
export const PIECE_SIZE = 65536;
