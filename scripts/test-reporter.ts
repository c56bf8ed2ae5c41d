// A reporter for node's test runner: one line a failing test with its error, one line a slow file; counts go to the file in WEFT_TEST_COUNTS.
import { writeFileSync } from 'node:fs';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

/** What one run of the test runner counted. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** What each failing test printed; said again at the end, where a log that is cut short still has it. */
  failures: string[];
}

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const everyTest = process.env['WEFT_TEST_VERBOSE'] === '1';
  const counts: Counts = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for await (const event of source) {
    if (event.type === 'test:pass' || event.type === 'test:fail') {
      const { name, details, file, skip, todo, nesting } = event.data;
      if (details.type === 'suite') continue;
      const passed = event.type === 'test:pass';
      if (skip !== undefined && skip !== false) counts.skipped++;
      else if (passed || todo !== undefined) counts.passed++;
      else counts.failed++;
      const indent = '  '.repeat(nesting + 1);
      if (!passed && todo === undefined) {
        const { error } = event.data.details;
        const cause = error.cause ?? error;
        const text = `${indent}✖ ${name}  (${file ?? ''})\n${inspect(cause, { depth: 6 }).replace(/^/gm, `${indent}    `)}\n`;
        counts.failures.push(text);
        yield text;
      } else if (everyTest) {
        const note = skip ? `skipped: ${typeof skip === 'string' ? skip : 'no reason given'}` : `${Math.round(details.duration_ms)} ms`;
        yield `${indent}${skip ? '-' : '✔'} ${name} (${note})\n`;
      }
    } else if (event.type === 'test:stdout' || event.type === 'test:stderr') {
      yield event.data.message;
    }
  }
  const target = process.env['WEFT_TEST_COUNTS'];
  if (target !== undefined) writeFileSync(target, JSON.stringify(counts));
}
