// `weft schema-types FILE`: TypeScript types of an OVSDB schema, for `openweft/ovsdb`.
import { errorText } from '../../base/errors.ts';
import { schemaTypes } from '../../ovsdb/client/schema-types.ts';
import type { Tool } from '../main.ts';
import { readSchema } from '../ovsdb-tool.ts';

const USAGE =
  'usage: weft schema-types FILE\n\nReads an OVSDB schema and prints the TypeScript types of its tables, for `openDatabase` of openweft/ovsdb.\n';

export const main: Tool = async (argv) => {
  const [path, ...more] = argv;
  if (path === '--help' || path === '-h') {
    process.stdout.write(USAGE);
    return 0;
  }
  if (path === undefined || more.length > 0) {
    process.stderr.write(USAGE);
    return 1;
  }
  try {
    process.stdout.write(schemaTypes(readSchema(path)));
    return 0;
  } catch (error) {
    process.stderr.write(`weft: ${errorText(error)}\n`);
    return 1;
  }
};
