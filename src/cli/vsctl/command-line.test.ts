import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../base/getopt.ts';
import { parseCommandLine } from './command-line.ts';

const fault = (...argv: string[]): string => {
  try {
    parseCommandLine(argv);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
};

test('global options, then commands with their own', () => {
  const line = parseCommandLine([
    '--db=tcp:1.2.3.4:6640',
    '--no-wait',
    '--may-exist',
    'add-br',
    'br0',
    '--',
    '--id=@a',
    'create',
    'QoS',
    'type=x',
  ]);
  assert.equal(line.db, 'tcp:1.2.3.4:6640');
  assert.equal(line.wait, false);
  assert.deepEqual(
    line.commands.map(({ invocation }) => [invocation.name, [...invocation.options], invocation.args]),
    [
      ['add-br', [['--may-exist', '']], ['br0']],
      ['create', [['--id', '@a']], ['QoS', 'type=x']],
    ],
  );
});

test('faults have the words of Open vSwitch', () => {
  assert.equal(fault(), 'missing command name (use --help for help)');
  assert.equal(fault('foo'), "unknown command 'foo'; use --help for help");
  assert.equal(fault('add-br'), "'add-br' command requires at least 1 arguments");
  assert.equal(fault('--', '--bar', 'add-br', 'x'), "'add-br' command has no '--bar' option");
  assert.equal(fault('--', '--may-exist=3', 'add-br', 'x'), "'--may-exist' option on 'add-br' does not accept an argument");
  assert.equal(fault('-f', 'foo', 'show'), 'unknown output format "foo"');
});

test('any command line gives a value or a UsageError', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('--', 'add-br', '--may-exist', '--id=@x', '-t', '3', 'set', 'a=b', '--columns', '-f', 'csv', '')),
      (argv) => {
        try {
          parseCommandLine(argv);
        } catch (error) {
          assert.ok(error instanceof UsageError);
        }
      },
    ),
  );
});
