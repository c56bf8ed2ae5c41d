// ovsdb-tool: not yet.
export function main(_argv: string[]): number {
  process.stderr.write('ovsdb-tool: not built yet\n');
  return 1;
}
