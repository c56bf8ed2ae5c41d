// TypeScript types from a database schema: one interface a table, one member a column.
import type { DatabaseSchema, TableSchema } from '../engine/schema.ts';
import type { BaseType, ColumnType } from '../engine/types.ts';

function baseText({ type, enum: choices }: BaseType): string {
  const atoms = choices?.keys ?? [];
  if (atoms.length > 0 && type !== 'uuid') {
    return atoms.map((atom) => (typeof atom === 'string' ? `'${atom.replaceAll(/['\\]/g, (c) => `\\${c}`)}'` : String(atom))).join(' | ');
  }
  switch (type) {
    case 'integer':
      return 'Integer';
    case 'real':
      return 'number';
    case 'boolean':
      return 'boolean';
    default:
      return 'string';
  }
}

function columnText({ key, value, min, max }: ColumnType): string {
  const atom = baseText(key);
  if (value !== undefined) return `ReadonlyMap<${atom}, ${baseText(value)}>`;
  if (max === 1) return min === 1 ? atom : `${atom} | undefined`;
  return `readonly ${atom.includes('|') ? `(${atom})` : atom}[]`;
}

const typeName = (table: string): string =>
  `${table.charAt(0).toUpperCase()}${table.slice(1).replaceAll(/_(\w)/g, (_, c: string) => c.toUpperCase())}`;

function tableText({ name, columns }: TableSchema): string {
  const members = [...columns].filter(([column]) => !column.startsWith('_')).sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = members.map(([column, { type }]) => `  readonly ${column}: ${columnText(type)};\n`);
  return `/** The columns of table ${name}. */\nexport interface ${typeName(name)}Columns {\n${lines.join('')}}\n`;
}

/** The whole text of a module for a schema; `importFrom` is where `Integer` comes from. Names of tables and columns are ids, so they are safe as they are. */
export function schemaTypes(schema: DatabaseSchema, importFrom = 'openweft/ovsdb'): string {
  const tables = [...schema.tables.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const members = tables.map(({ name }) => `  readonly ${name}: ${typeName(name)}Columns;\n`).join('');
  const usesInteger = tables.some((table) => tableText(table).includes('Integer'));
  return [
    `// The tables of database ${schema.name}, version ${schema.version}. Made by \`weft schema-types\`: do not edit.\n`,
    usesInteger ? `import type { Integer } from '${importFrom}';\n` : '',
    ...tables.map((table) => `\n${tableText(table)}`),
    `\n/** The tables of database ${schema.name}. */\nexport interface ${typeName(schema.name)} {\n${members}}\n`,
  ].join('');
}
