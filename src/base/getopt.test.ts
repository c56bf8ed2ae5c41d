import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type OptionSpec, parseOptions, UsageError } from './getopt.ts';

const specs: OptionSpec[] = [
  { name: 'no-chdir' },
  { name: 'no-dbs' },
  { name: 'pidfile', argument: 'optional' },
  { name: 'remote', argument: 'required' },
  { name: 'timeout', short: 't', argument: 'required' },
  { name: 'verbose', short: 'v', argument: 'optional' },
  { name: 'help', short: 'h' },
];
const fault = (...argv: string[]): string => {
  try {
    parseOptions(argv, specs);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
};

test('the words of getopt_long', () => {
  assert.equal(fault('--foo'), "unrecognized option '--foo'");
  assert.equal(fault('--no'), "option '--no' is ambiguous; possibilities: '--no-chdir' '--no-dbs'");
  assert.equal(fault('--help=3'), "option '--help' doesn't allow an argument");
  assert.equal(fault('--remote'), "option '--remote' requires an argument");
  assert.equal(fault('-x'), "invalid option -- 'x'");
  assert.equal(fault('-t'), "option requires an argument -- 't'");
});

test('values, abbreviations, joined letters, permutation', () => {
  const parsed = parseOptions(['a', '--pid=f', '-hvdbg', '-t', '3', 'b', '--', '-h'], specs);
  assert.deepEqual(parsed.options, [
    { name: 'pidfile', value: 'f' },
    { name: 'help', value: undefined },
    { name: 'verbose', value: 'dbg' },
    { name: 'timeout', value: '3' },
  ]);
  assert.deepEqual(parsed.operands, ['a', 'b', '-h']);
  assert.deepEqual(parseOptions(['-h', 'a', '-x'], specs, true).operands, ['a', '-x']);
});

test('any command line gives a value or a UsageError', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom('-', '=', 'a', 't', 'v', 'no') })), (argv) => {
      try {
        parseOptions(argv, specs);
      } catch (error) {
        assert.ok(error instanceof UsageError);
      }
    }),
  );
});
