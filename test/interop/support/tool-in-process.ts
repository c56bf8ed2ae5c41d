// Runs a tool's `main` for one command line after another, so that a thousand of them do not pay for a thousand starts: `tool-in-process.ts ovsdb-client`.
// A line of JSON in (argv), a line of JSON out: what was written to stdout and stderr, a character for each byte, and the exit code.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { createInterface } from 'node:readline';

const said = { 1: '', 2: '' };
const answer = fs.writeSync;
const text = (chunk: unknown): string => Buffer.from(chunk as string).toString('latin1');
for (const [fd, stream] of [
  [1, process.stdout],
  [2, process.stderr],
] as const) {
  stream.write = ((chunk: unknown): boolean => {
    said[fd] += text(chunk);
    return true;
  }) as typeof stream.write;
}
// The log writes to the descriptor.
fs.writeSync = ((fd: number, chunk: string, ...rest: []): number => {
  if (fd !== 1 && fd !== 2) return answer(fd, chunk, ...rest);
  said[fd] += text(chunk);
  return chunk.length;
}) as typeof fs.writeSync;
syncBuiltinESMExports();

const { main } = (await import(`../../../src/cli/${process.argv[2]}.ts`)) as { main(argv: string[]): Promise<number | undefined> };
for await (const line of createInterface({ input: process.stdin })) {
  said[1] = '';
  said[2] = '';
  const status = (await main(JSON.parse(line) as string[])) ?? 0;
  answer(1, `${JSON.stringify({ stdout: said[1], stderr: said[2], status })}\n`);
}
