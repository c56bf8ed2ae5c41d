// A table of cells in the formats of `--format`: list, table, csv, json, html.

import { datumToJson } from '../../ovsdb/engine/datum.ts';
import { formatDatum, formatDatumBare } from '../../ovsdb/engine/datum-text.ts';
import type { ColumnType, Datum } from '../../ovsdb/engine/types.ts';
import type { Json } from '../../ovsdb/json/json.ts';
import { formatJson } from '../../ovsdb/json/json-format.ts';

export const TABLE_FORMATS = ['table', 'list', 'html', 'csv', 'json'] as const;
export type TableFormat = (typeof TABLE_FORMATS)[number];
export const CELL_FORMATS = ['string', 'bare', 'json'] as const;
export type CellFormat = (typeof CELL_FORMATS)[number];

export interface TableStyle {
  format: TableFormat;
  cells: CellFormat;
  hasHeadings: boolean;
  isPretty: boolean;
  maxColumnWidth: number;
}

export interface Cell {
  datum: Datum;
  type: ColumnType;
}

export interface Table {
  headings: readonly string[];
  rows: readonly (readonly Cell[])[];
}

function cellText({ datum, type }: Cell, format: CellFormat): string {
  if (format === 'bare') return formatDatumBare(datum, type);
  if (format === 'json') return formatJson(datumToJson(datum, type), { sort: true });
  return formatDatum(datum, type);
}

const quoteCsv = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const quoteHtml = (text: string): string => text.replace(/[&<>"]/g, (c) => HTML[c] ?? c);

/** The table's text; `isFirst` is false when another one was printed before it. */
export function formatTable(table: Table, style: TableStyle, isFirst: boolean): string {
  const { headings } = table;
  const separator = isFirst ? '' : '\n';
  if (style.format === 'json') {
    const data: Json = table.rows.map((row) => row.map((cell) => datumToJson(cell.datum, cell.type)));
    const json = new Map<string, Json>([
      ['data', data],
      ['headings', [...headings]],
    ]);
    return `${formatJson(json, { sort: true, ...(style.isPretty ? { pretty: true } : {}) })}\n`;
  }
  const rows = table.rows.map((row) => row.map((cell) => cellText(cell, style.cells)));
  switch (style.format) {
    case 'list':
      return rows
        .map((row, i) => {
          const lines = row.map((text, c) => (style.hasHeadings ? `${(headings[c] ?? '').padEnd(20)}: ${text}\n` : `${text}\n`));
          return `${i > 0 ? '\n' : separator}${lines.join('')}`;
        })
        .join('');
    case 'csv': {
      const lines = style.hasHeadings ? [[...headings], ...rows] : rows;
      return separator + lines.map((line) => `${line.map(quoteCsv).join(',')}\n`).join('');
    }
    case 'html': {
      const line = (cells: readonly string[], tag: string) =>
        `  <tr>\n${cells.map((text) => `    <${tag}>${quoteHtml(text)}</${tag}>\n`).join('')}  </tr>\n`;
      const head = style.hasHeadings ? line(headings, 'th') : '';
      return `<table border=1>\n${head}${rows.map((row) => line(row, 'td')).join('')}</table>\n`;
    }
    default: {
      const limit = style.maxColumnWidth > 0 ? style.maxColumnWidth : Number.POSITIVE_INFINITY;
      const widths = headings.map((heading, c) => {
        const longest = rows.reduce((max, row) => Math.max(max, row[c]?.length ?? 0), 0);
        return Math.max(style.hasHeadings ? heading.length : 0, Math.min(longest, limit));
      });
      const line = (cells: readonly string[]) =>
        `${cells.map((text, c) => (c === cells.length - 1 ? text.slice(0, widths[c]) : text.slice(0, widths[c]).padEnd(widths[c] ?? 0))).join(' ')}\n`;
      const head = style.hasHeadings ? line(headings) + line(widths.map((width) => '-'.repeat(width))) : '';
      return separator + head + rows.map(line).join('');
    }
  }
}
