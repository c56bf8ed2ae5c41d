// ovsdb-client: not yet.
export function main(_argv: string[]): number {
  process.stderr.write('ovsdb-client: not built yet\n');
  return 1;
}
