// A fault of the reference: of a weak reference that is made by the same transaction that changes the row it is to, it loses sight, and leaves it there when
// that row goes. This takes references to rows that are not there out of what it tells, and nothing else.

type Value = string | number | boolean | Value[];

type Row = Record<string, Value>;

/** The rows of each table, from the answers to a `select` of each. */
export const rowsOf = (answers: readonly string[]): Row[][] =>
  answers.map((answer) => (JSON.parse(answer) as { result: [{ rows: Row[] }] }).result[0].rows);

/** The same without references to rows that are in no table. */
export function withoutDangling(tables: readonly Row[][]): Row[][] {
  const present = new Set(tables.flat().map(({ _uuid }) => (_uuid as Value[])[1]));
  const isGone = (value: Value | undefined): boolean => Array.isArray(value) && value[0] === 'uuid' && !present.has(value[1] as Value);
  const strip = (value: Value): Value => {
    if (isGone(value)) return ['set', []];
    if (!Array.isArray(value) || !Array.isArray(value[1])) return value;
    if (value[0] === 'map') return ['map', (value[1] as Value[][]).filter((pair) => !pair.some(isGone))];
    const left = value[1].filter((item) => !isGone(item));
    return left.length === 1 ? (left[0] as Value) : ['set', left];
  };
  return tables.map((rows) => rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, strip(value)]))));
}
