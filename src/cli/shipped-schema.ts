// The schema that Weft ships, for tools that would else have to ask a server for it.
import { readFileSync } from 'node:fs';
import { type DatabaseSchema, lazySchema, type SchemaNeeds } from '../ovsdb/engine/schema.ts';

/** The schema of Open_vSwitch, which nearly every server has: its tables' names, and itself with those columns that are needed. */
export function shippedSchema(): { tables: string[]; of(needs: SchemaNeeds): DatabaseSchema } {
  const text = readFileSync(new URL('../../schemas/vswitch.ovsschema', import.meta.url), 'utf8');
  const plain = JSON.parse(text) as { tables: Record<string, unknown> };
  return { tables: Object.keys(plain.tables), of: (needs) => lazySchema(plain, needs) };
}
