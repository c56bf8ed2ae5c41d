// A table of figures taken in several rounds: printed as medians with their spread and their ratio to one row, and kept as JSON.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions } from './main.ts';
import { root } from './namespaces.ts';

export interface Column {
  name: string;
  digits: number;
}

export class Table {
  readonly #bench: string;
  readonly #columns: readonly Column[];
  readonly #rows = new Map<string, Map<string, number[]>>();

  constructor(bench: string, columns: readonly Column[]) {
    this.#bench = bench;
    this.#columns = columns;
  }

  add(row: string, column: string, figure: number): void {
    let cells = this.#rows.get(row);
    if (cells === undefined) {
      cells = new Map();
      this.#rows.set(row, cells);
    }
    cells.set(column, [...(cells.get(column) ?? []), figure]);
  }

  /** Median of a figure; NaN when there is none. */
  median(row: string, column: string): number {
    return median(this.#rows.get(row)?.get(column) ?? []);
  }

  /** Prints all rows; `base` gives the row that another is compared with. */
  print(title: string, base: (row: string) => string | undefined): void {
    const lines = [['', ...this.#columns.map((column) => column.name)]];
    for (const [row, cells] of this.#rows) {
      const against = this.#rows.get(base(row) ?? '');
      lines.push([row, ...this.#columns.map(({ name, digits }) => cell(cells.get(name) ?? [], digits, against?.get(name)))]);
    }
    const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
    const text = (line: string[]): string => line.map((one, column) => one.padEnd(widths[column]!)).join('  ');
    process.stdout.write(`\n${title}: median (lowest-highest) and ratio\n${lines.map((line) => `  ${text(line).trimEnd()}\n`).join('')}`);
  }

  keep(options: BenchOptions): void {
    const dir = join(root, 'bench/results');
    mkdirSync(dir, { recursive: true });
    const record = {
      bench: this.#bench,
      at: new Date().toISOString(),
      machine: { kernel: release(), cpus: cpus().length, model: cpus()[0]?.model ?? '' },
      rounds: options.rounds,
      seconds: options.seconds,
      rows: [...this.#rows].map(([label, cells]) => ({
        label,
        median: Object.fromEntries([...cells].map(([name, figures]) => [name, median(figures)])),
        all: Object.fromEntries(cells),
      })),
    };
    writeFileSync(join(dir, `${this.#bench}.json`), `${JSON.stringify(record, null, 2)}\n`);
    process.stdout.write(`kept in bench/results/${this.#bench}.json\n`);
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

function cell(values: readonly number[], digits: number, against: readonly number[] | undefined): string {
  if (values.length === 0) return '-';
  const spread = `${Math.min(...values).toFixed(digits)}-${Math.max(...values).toFixed(digits)}`;
  const ratio = against === undefined || against.length === 0 ? '' : ` ${(median(values) / median(against)).toFixed(2)}x`;
  return `${median(values).toFixed(digits)} (${spread})${ratio}`;
}
