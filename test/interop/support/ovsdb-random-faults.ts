// Which differences between two answers to a transaction with several faults are chance.

/** Where the first fault stands, and what it says. */
function fault(answer: string): { at: number; tag: string; details: string; count: number } {
  const results = ((JSON.parse(answer) as { result?: unknown[] }).result ?? []) as ({
    error?: string;
    details?: string;
    count?: number;
  } | null)[];
  const at = results.findIndex((result) => result?.error !== undefined);
  return {
    at,
    tag: results[at]?.error ?? '',
    details: results[at]?.details ?? '',
    count: results.slice(0, at).reduce((sum, one) => sum + (one?.count ?? 1), 0),
  };
}

const skeleton = (details: string): string =>
  details.replace(/"(?:[^"\\]|\\.)*"|[0-9a-f]{8}-[0-9a-f-]{27}|-?\d[\d.e+-]*/g, '#').replace(/(?<=Table |column |delete )\w+/g, '#');

/** Of several faults the reference names the one that the hashes of rows bring first: of an operation's rows, of a commit's rows. */
export function isChance(operations: readonly string[], a: string, b: string): boolean {
  const [theirs, ours] = [fault(a), fault(b)];
  if (theirs.at < 0 || theirs.at !== ours.at) return false;
  const text = operations[theirs.at];
  if (text === undefined) {
    const head = (details: string): string => skeleton(details).split(/ (?:to have identical|row|column|because) /)[0] as string;
    // One row lost a reference, another never had one.
    const weakRow = ({ details }: { details: string }): string | undefined => /weak reference.* row ([0-9a-f-]{36})/i.exec(details)?.[1];
    const [theirRow, ourRow] = [weakRow(theirs), weakRow(ours)];
    if (theirRow !== undefined && ourRow !== undefined && theirRow !== ourRow) return true;
    // Of the same two rows the same is said, in whichever order.
    const pair = ({ details }: { details: string }): string[] =>
      /identical values (.*) for index on (.*)\. {2}First row, with UUID (\S+),.*Second row, with UUID (\S+),/.exec(details)?.slice(1) ??
      [];
    const [[theirValues, theirIndex, ...theirPair], [ourValues, ourIndex, ...ourPair]] = [pair(theirs), pair(ours)];
    if (theirIndex === ourIndex && String(theirPair.sort()) === String(ourPair.sort()) && theirValues !== ourValues) return false;
    return theirs.tag === ours.tag && head(theirs.details) === head(ours.details);
  }
  const operation = JSON.parse(text) as { op: string };

  const isOfValue = ({ tag }: { tag: string }): boolean => /^(constraint violation|range error|domain error)$/.test(tag);
  if (operation.op === 'mutate') return isOfValue(theirs) && isOfValue(ours);
  return false;
}
