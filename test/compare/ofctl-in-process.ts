// Runs ovs-ofctl's `main` for many command lines in one process: ofctl-in-process.ts JOBS RESULTS. Jobs are a JSON array of `Case`s, results
// one of `Result`s. Standard input of a case is a file that takes descriptor 0's place.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { Case, Result } from './programs.ts';

const [jobs = '', results = '', scratch = ''] = process.argv.slice(2);
let stdout: string[] = [];
let stderr: string[] = [];
const real = fs.writeSync;
const text = (chunk: unknown): string => Buffer.from(chunk as Uint8Array | string).toString('latin1');
process.stdout.write = ((chunk: unknown): boolean => {
  stdout.push(text(chunk));
  return true;
}) as typeof process.stdout.write;
process.stderr.write = ((chunk: unknown): boolean => {
  stderr.push(text(chunk));
  return true;
}) as typeof process.stderr.write;
// The log writes to the descriptor.
fs.writeSync = ((fd: number, chunk: string, ...rest: []): number => {
  if (fd !== 1 && fd !== 2) return real(fd, chunk, ...rest);
  (fd === 1 ? stdout : stderr).push(text(chunk));
  return chunk.length;
}) as typeof fs.writeSync;
syncBuiltinESMExports();

const { main } = await import('../../src/cli/ovs-ofctl.ts');
const done: Result[] = [];
for (const one of JSON.parse(fs.readFileSync(jobs, 'utf8')) as Case[]) {
  stdout = [];
  stderr = [];
  fs.closeSync(0);
  if (one.stdin === undefined) fs.openSync('/dev/null', 'r');
  else {
    fs.writeFileSync(scratch, Buffer.from(one.stdin, 'latin1'));
    fs.openSync(scratch, 'r');
  }
  let status: number;
  try {
    status = (await main([...one.args])) ?? 0;
  } catch (error) {
    stderr.push(`CRASH ${(error as Error).stack ?? String(error)}`);
    status = -1;
  }
  done.push({ stdout: stdout.join(''), stderr: stderr.join(''), status });
}
fs.writeFileSync(results, JSON.stringify(done));
process.exit(0);
