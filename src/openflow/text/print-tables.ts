// Messages about flow tables as text.
import type { Message, OfVersion } from '../message.ts';
import type { BodyPrinters } from './print-context.ts';

const FEATURES10 = 'in_port eth_{src,dst,type} vlan_{vid,pcp} ip_{src,dst} nw_{proto,tos} tcp_{src,dst}';

function printTables(tables: Extract<Message, { kind: 'tableStatsReply' }>['tables'], version: OfVersion): string {
  const numbers = (table: (typeof tables)[number]): string =>
    `    active=${table.activeCount}, lookup=${table.lookupCount}, matched=${table.matchedCount}\n`;
  const features = (table: (typeof tables)[number]): string =>
    version >= 4 ? '' : `    max_entries=${table.maxEntries}\n    matching:\n      exact match or wildcard: ${FEATURES10}\n`;
  let text = '';
  for (let i = 0; i < tables.length; ) {
    const table = tables[i];
    if (table === undefined) break;
    const before = tables[i - 1];
    const title =
      table.name === '' || table.name === `table${table.table}` ? `  table ${table.table}` : `  table ${table.table} ("${table.name}")`;
    if (before === undefined) text += `${title}:\n${numbers(table)}${features(table)}\n`;
    else if (numbers(before) === numbers(table)) {
      let j = i;
      while (j + 1 < tables.length && numbers(tables[j + 1] ?? table) === numbers(table)) j++;
      text += j === i ? `${title}: ditto\n\n` : `  tables ${table.table}...${tables[j]?.table ?? 0}: ditto\n`;
      if (j !== i && j + 1 < tables.length) text += '\n';
      i = j + 1;
      continue;
    } else text += `${title}:\n${numbers(table)}${version >= 4 ? '' : '    (same features)\n'}\n`;
    i++;
  }
  return text.replace(/\n\n$/, '\n');
}

/** Bodies of these messages. */
export const TABLE_BODIES: BodyPrinters = {
  tableStatsReply: (message, { version }) => `\n${printTables(message.tables, version)}`,
};
