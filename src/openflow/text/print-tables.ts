// Flow tables as text: their statistics and what they can do. A table that is like the one before it is `ditto`.
import { inFieldOrder } from '../field-order.ts';
import type { OfVersion, TableStats } from '../message.ts';
import type { ActionFeatures, TableFeatures, TableInstructions } from '../table-features.ts';
import { actionBitNames } from '../table-features.ts';
import { formatFields } from './field-list-text.ts';
import type { BodyPrinters } from './print-context.ts';

/** One table in what is printed: either part may be missing. */
interface Row {
  features: TableFeatures | undefined;
  stats: TableStats | undefined;
}

const names = (fields: readonly { name: string }[]): string => fields.map(({ name }) => name).join();
const sameActions = (a: ActionFeatures, b: ActionFeatures): boolean => a.actions === b.actions && names(a.setFields) === names(b.setFields);
/** Whether the same tables may follow; whether `own`, the second one's, is among them does not count. */
const sameNext = (a: readonly number[], b: readonly number[], own: number): boolean => {
  const others = (tables: readonly number[]): string => tables.filter((table) => table !== own).join();
  return others(a) === others(b);
};
const sameSides = (a: TableInstructions, b: TableInstructions, own = -1): boolean =>
  sameNext(a.next, b.next, own) &&
  a.instructions.join() === b.instructions.join() &&
  sameActions(a.write, b.write) &&
  sameActions(a.apply, b.apply);
const sameInstructions = (a: TableFeatures, b: TableFeatures): boolean =>
  sameSides(a.onMatch, b.onMatch, b.table) && sameSides(a.onMiss, b.onMiss, b.table);
/** The fields that a table may match at all: those with a mask too. */
const matched = ({ match, masked }: TableFeatures): ReturnType<typeof inFieldOrder> => inFieldOrder(new Set([...match, ...masked]));
/** Whether the same fields may be matched; how, be it with masks or without, does not count. */
const sameMatching = (a: TableFeatures, b: TableFeatures): boolean => names(matched(a)) === names(matched(b));
const sameFeatures = (a: TableFeatures, b: TableFeatures): boolean =>
  a.metadataMatch === b.metadataMatch &&
  a.metadataWrite === b.metadataWrite &&
  a.miss === b.miss &&
  a.canEvict === b.canEvict &&
  a.canTellVacancy === b.canTellVacancy &&
  a.maxEntries === b.maxEntries &&
  sameInstructions(a, b) &&
  sameMatching(a, b);
const sameStats = (a: TableStats | undefined, b: TableStats | undefined): boolean =>
  a?.activeCount === b?.activeCount && a?.lookupCount === b?.lookupCount && a?.matchedCount === b?.matchedCount;

const hex = (value: bigint): string => (value === 0n ? '0' : `0x${value.toString(16)}`);

function tableList(tables: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < tables.length; ) {
    const first = tables[i] ?? 0;
    let end = i + 1;
    while (tables[end] === first + end - i) end++;
    parts.push(end - i > 1 ? `${first}-${tables[end - 1]}` : String(first));
    i = end;
  }
  return parts.join(',');
}

function actionsText(actions: ActionFeatures, version: OfVersion): string {
  let text = '';
  if (actions.actions !== 0) text += `        actions: ${actionBitNames(actions.actions, version).join(' ')}\n`;
  if (actions.setFields.length > 0) text += `        supported on Set-Field: ${formatFields(actions.setFields)}\n`;
  return text;
}

function isEmpty(side: TableInstructions): boolean {
  const { next, instructions, write, apply } = side;
  return (
    next.length + instructions.length + write.setFields.length + apply.setFields.length === 0 && write.actions === 0 && apply.actions === 0
  );
}

function sideText(side: TableInstructions, before: TableInstructions | undefined, version: OfVersion): string {
  let text = '';
  if (side.next.length > 0) text += `      next tables: ${tableList(side.next)}\n`;
  if (side.instructions.length > 0) {
    if (before !== undefined && before.instructions.join() === side.instructions.join()) text += '      (same instructions)\n';
    else text += `      instructions: ${side.instructions.join(' ')}\n`;
  }
  const { write, apply } = side;
  // The reference says so only of actions that set fields.
  const isSame = before !== undefined && sameActions(before.write, write) && sameActions(before.apply, apply);
  if (isSame && write.setFields.length > 0) return `${text}      (same actions)\n`;
  if (sameActions(write, apply)) {
    const actions = actionsText(write, version);
    return actions === '' ? text : `${text}      Write-Actions and Apply-Actions features:\n${actions}`;
  }
  return (
    `${text}      Write-Actions features:\n${actionsText(write, version)}` + `      Apply-Actions features:\n${actionsText(apply, version)}`
  );
}

function instructionsText(features: TableFeatures, before: TableFeatures | undefined, version: OfVersion): string {
  const { onMatch, onMiss } = features;
  if (isEmpty(onMatch) && isEmpty(onMiss)) return '';
  if (before !== undefined && sameInstructions(before, features)) return '    (same instructions)\n';
  if (sameSides(onMatch, onMiss)) {
    if (isEmpty(onMatch)) return '';
    return `    instructions (table miss and others):\n${sideText(onMatch, before?.onMatch, version)}`;
  }
  return (
    `    instructions (other than table miss):\n${sideText(onMatch, before?.onMatch, version)}` +
    `    instructions (table miss):\n${sideText(onMiss, before?.onMiss, version)}`
  );
}

function matchingText(features: TableFeatures, before: TableFeatures | undefined): string {
  const { masked, wildcarded } = features;
  const match = matched(features);
  if (match.length === 0) return '';
  if (before !== undefined && sameMatching(features, before)) return '    (same matching)\n';
  const line = (title: string, fields: TableFeatures['match']): string =>
    fields.length === 0 ? '' : `      ${title}: ${formatFields(fields)}\n`;
  const optional = match.filter((field) => !masked.includes(field) && wildcarded.includes(field));
  const exact = match.filter((field) => !masked.includes(field) && !wildcarded.includes(field));
  return `    matching:\n${line('arbitrary mask', masked)}${line('exact match or wildcard', optional)}${line('must exact match', exact)}`;
}

function featuresText(features: TableFeatures, before: TableFeatures | undefined, version: OfVersion): string {
  const { metadataMatch, metadataWrite, miss, canEvict, canTellVacancy, maxEntries, hasProperties } = features;
  let text = '';
  const yes = (can: boolean): string => (can ? 'supported' : 'not supported');
  if (metadataMatch !== 0n || metadataWrite !== 0n) text += `    metadata: match=${hex(metadataMatch)} write=${hex(metadataWrite)}\n`;
  if (miss !== undefined) text += `    config=${miss}\n`;
  if (canEvict !== undefined) text += `    eviction: ${yes(canEvict)}\n`;
  if (canTellVacancy !== undefined) text += `    vacancy events: ${yes(canTellVacancy)}\n`;
  if (maxEntries !== 0) text += `    max_entries=${maxEntries}\n`;
  if (!hasProperties) return text;
  return text + instructionsText(features, before, version) + matchingText(features, before);
}

function rowText(row: Row, before: Row | undefined, version: OfVersion): string {
  const { features, stats } = row;
  let text = '';
  if (stats !== undefined) text += `    active=${stats.activeCount}, lookup=${stats.lookupCount}, matched=${stats.matchedCount}\n`;
  if (features === undefined) return text;
  if (before?.features !== undefined && sameFeatures(before.features, features)) return `${text}    (same features)\n`;
  return text + featuresText(features, before?.features, version);
}

const COMMANDS: Readonly<Record<TableFeatures['command'], string>> = {
  replace: '',
  modify: 'modify',
  enable: 'enable',
  disable: 'disable',
};

function printTables(rows: readonly Row[], version: OfVersion): string {
  let text = '';
  let first = -1;
  let last = -1;
  const finish = (): void => {
    if (first < 0) return;
    text += `\n  ${first === last ? `table ${first}` : `tables ${first}...${last}`}: ditto\n`;
    first = -1;
  };
  for (const [index, row] of rows.entries()) {
    const { features, stats } = row;
    const table = features?.table ?? stats?.table ?? 0;
    const name = features?.name ?? '';
    const before = rows[index - 1];
    const isSame =
      before !== undefined &&
      sameStats(before.stats, stats) &&
      (features === undefined || (before.features !== undefined && sameFeatures(before.features, features)));
    if (isSame && name === '') {
      if (first < 0) first = table;
      last = table;
      continue;
    }
    finish();
    // The reference tells that of the first table alone.
    const command = before === undefined ? COMMANDS[features?.command ?? 'replace'] : '';
    if (command !== '') text += `\n  command: ${command}`;
    text += `\n  table ${table}${name === '' ? '' : ` ("${name}")`}:`;
    text += isSame ? ' ditto' : `\n${rowText(row, before, version)}`;
  }
  finish();
  return text;
}

/** The tables of a whole answer, a blank line behind them instead of before. */
export function formatTableFeatures(tables: readonly TableFeatures[], version: OfVersion): string {
  const rows = tables.map((features) => ({ features, stats: undefined }));
  return `${printTables(rows, version).slice(1)}\n`;
}

const ended = (text: string): string => (text.endsWith('\n') ? text : `${text}\n`);

/** Bodies of these messages. */
export const TABLE_BODIES: BodyPrinters = {
  tableStatsReply: ({ tables }, { version }) =>
    ended(
      printTables(
        tables.map((stats) => ({ stats, features: stats.features })),
        version,
      ),
    ),
  tableFeaturesRequest: ({ tables }, { version, framed }) => featureBody(tables, version, framed.fault),
  tableFeaturesReply: ({ tables }, { version, framed }) => featureBody(tables, version, framed.fault),
};

function featureBody(tables: readonly TableFeatures[], version: OfVersion, fault: string | undefined): string {
  const text = printTables(
    tables.map((features) => ({ features, stats: undefined })),
    version,
  );
  return fault === undefined ? ended(text) : text;
}
