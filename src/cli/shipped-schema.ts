// The schema that Weft ships, for tools that would else have to ask a server for it.
import { readFileSync } from 'node:fs';
import { type DatabaseSchema, lazySchema } from '../ovsdb/schema.ts';

/** The schema of Open_vSwitch, which nearly every server has; tables are parsed at their first use. */
export function shippedSchema(): DatabaseSchema {
  const text = readFileSync(new URL('../../schemas/vswitch.ovsschema', import.meta.url), 'utf8');
  return lazySchema(JSON.parse(text) as Record<string, unknown>);
}
