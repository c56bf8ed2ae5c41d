// Tables as ovsdb-client and ovs-vsctl print them: table, list, html, csv or json; cells as text, bare text or JSON.
import { encodeText } from '../base/byte-text.ts';
import type { OptionSpec } from '../base/getopt.ts';
import { UsageError } from '../base/getopt.ts';
import { appendDatum, printableDatum } from '../ovsdb/engine/datum-json.ts';
import { formatDatum, formatDatumBare } from '../ovsdb/engine/datum-text.ts';
import type { ColumnType, Datum } from '../ovsdb/engine/types.ts';
import type { Json } from '../ovsdb/json/json.ts';
import { formatJson, type PrintableJson } from '../ovsdb/json/json-format.ts';

export interface TableStyle {
  format: 'table' | 'list' | 'html' | 'csv' | 'json';
  data: 'string' | 'bare' | 'json';
  headings: boolean;
  pretty: boolean;
  /** Longer cells of a `table` are cut; 0 for no limit. */
  maxColumnWidth: number;
}

export const TABLE_OPTIONS: readonly OptionSpec[] = [
  { name: 'format', short: 'f', argument: 'required' },
  { name: 'data', short: 'd', argument: 'required' },
  { name: 'no-headings' },
  { name: 'pretty' },
  { name: 'bare' },
  { name: 'max-column-width', argument: 'required' },
];

/** Their section of --help. */
export const TABLE_USAGE = `Output formatting options:
  -f, --format=FORMAT         set output formatting to FORMAT
                              ("table", "html", "csv", or "json")
  -d, --data=FORMAT           set table cell output formatting to
                              FORMAT ("string", "bare", or "json")
  --no-headings               omit table heading row
  --pretty                    pretty-print JSON in output
  --bare                      equivalent to "--format=list --data=bare --no-headings"
`;

export function defaultStyle(format: TableStyle['format'] = 'table'): TableStyle {
  return { format, data: 'string', headings: true, pretty: false, maxColumnWidth: 0 };
}

/** Takes one option into the style; false when it is none of TABLE_OPTIONS. Throws UsageError. */
export function applyTableOption(style: TableStyle, name: string, value = ''): boolean {
  switch (name) {
    case 'format':
      if (!['table', 'list', 'html', 'csv', 'json'].includes(value)) throw new UsageError(`unknown output format "${value}"`);
      style.format = value as TableStyle['format'];
      return true;
    case 'data':
      if (!['string', 'bare', 'json'].includes(value)) throw new UsageError(`unknown data format "${value}"`);
      style.data = value as TableStyle['data'];
      return true;
    case 'no-headings':
      style.headings = false;
      return true;
    case 'pretty':
      style.pretty = true;
      return true;
    case 'bare':
      style.format = 'list';
      style.data = 'bare';
      style.headings = false;
      return true;
    case 'max-column-width':
      style.maxColumnWidth = Number.parseInt(value, 10) || 0;
      return true;
    default:
      return false;
  }
}

/** A cell: plain text (none at all is `null` in JSON), JSON, or a value with its type. */
export type Cell = { text: string | undefined } | { json: Json } | { datum: Datum; type: ColumnType };

function cellText(cell: Cell, style: TableStyle): string {
  if ('text' in cell) return cell.text ?? '';
  if ('json' in cell) return formatJson(cell.json, { sort: true });
  if (style.data === 'json') return appendDatum('', cell.datum, cell.type);
  return style.data === 'bare' ? formatDatumBare(cell.datum, cell.type) : formatDatum(cell.datum, cell.type);
}

function cellJson(cell: Cell): PrintableJson {
  if ('text' in cell) return cell.text ?? null;
  return 'json' in cell ? cell.json : printableDatum(cell.datum, cell.type);
}

export interface OutputTable {
  caption?: string;
  /** A line before the table, e.g. the time of an update. */
  timestamp?: string;
  columns: readonly string[];
  rows: readonly (readonly Cell[])[];
}

/** Prints tables one after the other, an empty line between, as the reference does. */
export class TablePrinter {
  readonly #style: TableStyle;
  readonly #write: (bytes: Uint8Array) => void;
  #isFirst = true;

  constructor(style: TableStyle, write: (bytes: Uint8Array) => void) {
    this.#style = style;
    this.#write = write;
  }

  print(table: OutputTable): void {
    if (!this.#isFirst && this.#style.format !== 'json' && this.#style.format !== 'html') this.#write(Buffer.from('\n'));
    this.#write(formatTable(table, this.#style));
    this.#isFirst = false;
  }
}

/** One table as it is printed: bytes, for a cell that is too wide may be cut within a character. */
export function formatTable(table: OutputTable, style: TableStyle): Uint8Array {
  if (style.format === 'json') {
    const json = new Map<string, PrintableJson>([
      ['data', table.rows.map((row) => row.map(cellJson))],
      ['headings', [...table.columns]],
    ]);
    if (table.caption !== undefined) json.set('caption', table.caption);
    if (table.timestamp !== undefined) json.set('time', table.timestamp);
    return encodeText(`${formatJson(json, { sort: true, pretty: style.pretty })}\n`);
  }
  const rows = table.rows.map((row) => row.map((cell) => cellText(cell, style)));
  if (style.format === 'html') return encodeText(formatHtml(table, rows, style));
  const head = (table.timestamp === undefined ? '' : `${table.timestamp}\n`) + (table.caption === undefined ? '' : `${table.caption}\n`);
  if (style.format === 'csv') return encodeText(head + formatCsv(table.columns, rows, style));
  if (style.format === 'list') return encodeText(head + formatList(table.columns, rows, style));
  // A character for each byte.
  return Buffer.from(
    head +
      formatGrid(
        table.columns,
        rows.map((row) => row.map(byBytes)),
        style,
      ),
    'latin1',
  );
}

const byBytes = (text: string): string => Buffer.from(encodeText(text)).toString('latin1');

/** Of texts that have a character for each byte. */
function formatGrid(columns: readonly string[], cells: string[][], style: TableStyle): string {
  const limit = style.maxColumnWidth > 0 ? style.maxColumnWidth : Number.POSITIVE_INFINITY;
  const widths = columns.map((name, i) => {
    let longest = 0;
    for (const row of cells) longest = Math.max(longest, row[i]?.length ?? 0);
    return Math.max(style.headings ? name.length : 0, Math.min(longest, limit));
  });
  // The space before a cell is printed with it, so that empty ones at the end leave none.
  const line = (texts: readonly string[]): string => {
    let text = '';
    let column = 0;
    for (const [i, cell] of texts.entries()) {
      const size = widths[i] ?? 0;
      if (cell !== '') text = text.padEnd(column) + cell.slice(0, size);
      column += size + 1;
    }
    return `${text.replace(/ +$/, '')}\n`;
  };
  const head = style.headings ? line(columns) + line(widths.map((size) => '-'.repeat(size))) : '';
  return head + cells.map(line).join('');
}

function formatList(columns: readonly string[], rows: string[][], style: TableStyle): string {
  return rows
    .map((row) => row.map((text, i) => `${style.headings ? `${(columns[i] ?? '').padEnd(20)}: ` : ''}${text}\n`).join(''))
    .join('\n');
}

function formatCsv(columns: readonly string[], rows: string[][], style: TableStyle): string {
  const quote = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = style.headings ? [columns, ...rows] : rows;
  return lines.map((line) => `${line.map(quote).join(',')}\n`).join('');
}

const htmlEscapes = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
]);
const uuidPattern = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (c) => htmlEscapes.get(c) ?? c);
}

function htmlCell(text: string, column: string | undefined, tag: string): string {
  const escaped = escapeHtml(text);
  let content = escaped;
  // A row's own UUID is what others refer to, whatever the cell makes of it.
  if (tag === 'td' && column === '_uuid') content = `<a name="${escaped}">${escapeHtml(text.slice(0, 8))}</a>`;
  else if (tag === 'td') content = escaped.replace(uuidPattern, (uuid) => `<a href="#${uuid}">${uuid.slice(0, 8)}</a>`);
  return `    <${tag}>${content}</${tag}>\n`;
}

function formatHtml(table: OutputTable, rows: string[][], style: TableStyle): string {
  const line = (texts: readonly string[], tag: string): string =>
    `  <tr>\n${texts.map((text, i) => htmlCell(text, table.columns[i], tag)).join('')}  </tr>\n`;
  const caption = table.caption === undefined ? '' : `    <caption>${escapeHtml(table.caption)}</caption>\n`;
  return `<table border=1>\n${caption}${style.headings ? line(table.columns, 'th') : ''}${rows.map((row) => line(row, 'td')).join('')}</table>\n`;
}
