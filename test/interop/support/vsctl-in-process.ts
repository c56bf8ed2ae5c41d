// Runs ovs-vsctl's `main` for one command line after another, so that five hundred of them do not pay for five hundred starts.
// A line of JSON in (argv), a line of JSON out: what was written to stdout and stderr, and the exit code.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { createInterface } from 'node:readline';

let stdout = '';
let stderr = '';
const answer = fs.writeSync;
const text = (chunk: unknown): string => (typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString());
process.stdout.write = ((chunk: unknown): boolean => {
  stdout += text(chunk);
  return true;
}) as typeof process.stdout.write;
process.stderr.write = ((chunk: unknown): boolean => {
  stderr += text(chunk);
  return true;
}) as typeof process.stderr.write;
// The log writes to the descriptor.
fs.writeSync = ((fd: number, chunk: string, ...rest: []): number => {
  if (fd !== 1 && fd !== 2) return answer(fd, chunk, ...rest);
  if (fd === 1) stdout += text(chunk);
  else stderr += text(chunk);
  return chunk.length;
}) as typeof fs.writeSync;
syncBuiltinESMExports();

const { main } = await import('../../../src/cli/ovs-vsctl.ts');
for await (const line of createInterface({ input: process.stdin })) {
  stdout = '';
  stderr = '';
  const status = (await main(JSON.parse(line) as string[])) ?? 0;
  answer(1, `${JSON.stringify({ stdout, stderr, status })}\n`);
}
