import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { schemaTypes } from '../../ovsdb/client/schema-types.ts';
import { parseSchema } from '../../ovsdb/engine/schema.ts';
import { parseJson } from '../../ovsdb/json/json-text.ts';

/** Without what a formatter changes. */
const bare = (text: string): string => text.replaceAll(/\s+/g, '').replaceAll(/([;,({=:<])\|/g, '$1');

test('open-vswitch.ts is what its schema makes of it', () => {
  const here = import.meta.dirname;
  const schema = parseSchema(parseJson(readFileSync(join(here, '../../../schemas/vswitch.ovsschema'), 'utf8')));
  const text = schemaTypes(schema, '../../ovsdb/client/typed.ts');
  assert.equal(bare(readFileSync(join(here, 'open-vswitch.ts'), 'utf8')), bare(text));
});
