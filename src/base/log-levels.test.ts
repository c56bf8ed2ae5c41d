import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LogSettings } from './log-levels.ts';
import { formatLogLine, type LogFacts } from './log-pattern.ts';

const facts: LogFacts = {
  program: 'ovs-vswitchd',
  module: 'bridge',
  level: 'warn',
  message: 'hello',
  serial: 7,
  wallMs: Date.UTC(2024, 0, 2, 3, 4, 5, 678),
  elapsedMs: 12.5,
  pid: 99,
  hostname: 'h',
  subprogram: '',
  priority: 28,
};

test('a specification sets a level of one module at one destination', () => {
  const s = new LogSettings();
  assert.equal(s.apply('bridge:file:dbg'), undefined);
  assert.ok(s.shows('bridge', 'dbg', 'file'));
  assert.ok(!s.shows('bridge', 'dbg', 'console'));
  assert.equal(s.apply('ANY:Console:OFF'), undefined);
  assert.ok(!s.shows('bridge', 'emer', 'console'));
  assert.equal(s.apply(''), undefined);
  assert.ok(s.shows('reconnect', 'dbg', 'syslog'));
});

test('faults have the words of Open vSwitch', () => {
  const s = new LogSettings();
  assert.equal(s.apply('foo'), 'no destination, level, or module "foo"');
  assert.equal(s.apply('dbg:info'), 'cannot specify multiple levels');
  assert.equal(s.apply('file:console:info'), 'cannot specify multiple destinations');
  assert.equal(s.apply('reconnect:jsonrpc:info'), 'cannot specify multiple modules');
  assert.equal(s.apply('PATTERN:zz:%m'), 'unknown destination "zz"');
  assert.equal(s.apply('FACILITY:x'), 'invalid facility');
});

test('a program knows its own modules, whatever others have', () => {
  const fault = (program: string, module: string): string | undefined => new LogSettings(program).apply(module);
  for (const [program, own, foreign] of [
    ['ovs-vsctl', 'vsctl', 'ofctl'],
    ['ovs-ofctl', 'ofctl', 'rconn'],
    ['ovsdb-client', 'ovsdb_client', 'relay'],
    ['ovsdb-server', 'relay', 'memory_of_none'],
    ['ovs-dpctl', 'dpif', 'process'],
    ['ovs-vswitchd', 'stp', 'table'],
  ] as const) {
    assert.equal(fault(program, own), undefined);
    assert.equal(fault(program, foreign), `no destination, level, or module "${foreign}"`);
  }
  assert.equal(fault('weft', 'relay'), undefined);
});

test('the default patterns', () => {
  const s = new LogSettings();
  assert.equal(formatLogLine(s.patterns.get('file') ?? '', facts), '2024-01-02T03:04:05.678Z|00007|bridge|WARN|hello');
  assert.equal(formatLogLine(s.patterns.get('console') ?? '', facts), '2024-01-02T03:04:05Z|00007|bridge|WARN|hello');
  assert.equal(formatLogLine('%-8c|%5N|%T%t%%%r', { ...facts, subprogram: 'x' }), 'bridge  |    7|(x)x%12');
});

test('any pattern and any specification is taken without an exception', () => {
  fc.assert(fc.property(fc.string(), (text) => typeof formatLogLine(text, facts) === 'string'));
  fc.assert(
    fc.property(fc.string(), (text) => {
      new LogSettings().apply(text);
    }),
  );
});
