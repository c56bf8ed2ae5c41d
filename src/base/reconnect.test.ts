import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from './clock.ts';
import { setLogSink } from './log.ts';
import { Reconnect, type ReconnectOptions } from './reconnect.ts';

function machine(options: Partial<ReconnectOptions> = {}, answer: 'refuse' | 'silence' = 'silence') {
  const clock = new VirtualClock();
  const did: string[] = [];
  const r: Reconnect = new Reconnect(
    'br0<->tcp:127.0.0.1:6653',
    clock,
    {
      connect: () => {
        did.push('connect');
        if (answer === 'refuse') r.ended('Connection refused');
      },
      probe: () => did.push('probe'),
      drop: () => did.push('drop'),
    },
    { maxBackoffMs: 8000, probeIntervalMs: 5000, voice: 'rconn', ...options },
  );
  return { clock, did, r };
}

function recorded(level: 'info' | 'dbg', body: () => void): string[] {
  const lines: string[] = [];
  const before = setLogSink({
    shows: (_module, l) => l !== 'dbg' || level === 'dbg',
    write: (record) => lines.push(`${record.module}|${record.level}|${record.message.replace(/^.*?: /, '')}`),
  });
  try {
    body();
  } finally {
    setLogSink(before);
  }
  return lines;
}

test('refused attempts back off as the reference does, and in its words', () => {
  const lines = recorded('info', () => {
    const { clock, did, r } = machine({}, 'refuse');
    r.enable();
    clock.advance(1000 + 2000 + 4000 + 8000 + 8000);
    assert.equal(did.length, 6);
    assert.equal(r.lastError, 'Connection refused');
    assert.equal(r.state, 'BACKOFF');
    assert.equal(r.disconnectedAt, undefined);
  });
  const failed = 'rconn|warn|connection failed (Connection refused)';
  assert.deepEqual(lines, [
    'rconn|info|connecting...',
    failed,
    'rconn|info|waiting 1 seconds before reconnect',
    'rconn|info|connecting...',
    failed,
    'rconn|info|waiting 2 seconds before reconnect',
    'rconn|info|connecting...',
    failed,
    'rconn|info|waiting 4 seconds before reconnect',
    'rconn|info|connecting...',
    failed,
    'rconn|info|continuing to retry connections in the background but suppressing further logging',
    failed,
    failed,
  ]);
});

test('an attempt that hears nothing ends after a second, then after the last wait', () => {
  const { clock, did, r } = machine();
  r.enable();
  clock.advance(999);
  assert.equal(r.state, 'CONNECTING');
  clock.advance(1);
  assert.equal(r.state, 'BACKOFF');
  assert.equal(r.lastError, 'Connection timed out');
  clock.advance(1000 + 1000 + 2000);
  assert.equal(r.state, 'CONNECTING');
  clock.advance(2000);
  assert.equal(r.state, 'BACKOFF');
  assert.deepEqual(did, ['connect', 'drop', 'connect', 'drop', 'connect', 'drop']);
});

test('silence is probed, an answer revives, none disconnects', () => {
  const { clock, did, r } = machine();
  r.enable();
  r.connected();
  clock.advance(3000);
  r.activity();
  clock.advance(4999);
  assert.equal(r.state, 'ACTIVE');
  clock.advance(1);
  assert.equal(r.state, 'IDLE');
  r.activity();
  assert.equal(r.state, 'ACTIVE');
  clock.advance(10_000);
  assert.equal(r.state, 'BACKOFF');
  assert.deepEqual(did, ['connect', 'probe', 'probe', 'drop']);
});

test('a connection that lasted starts the wait at 1 s again, without a line; a short one doubles it', () => {
  const lines = recorded('info', () => {
    const { clock, r } = machine({ probeIntervalMs: 0 });
    r.enable();
    r.connected();
    clock.advance(500);
    r.ended('');
    clock.advance(1000);
    r.connected();
    clock.advance(500);
    r.ended('Connection reset by peer');
    clock.advance(1999);
    assert.equal(r.state, 'BACKOFF');
    clock.advance(1);
    r.connected();
    clock.advance(60_000);
    r.ended('');
    clock.advance(1000);
    assert.equal(r.state, 'CONNECTING');
    r.disable();
  });
  assert.deepEqual(lines, [
    'rconn|info|connecting...',
    'rconn|info|connected',
    'rconn|info|connection closed by peer',
    'rconn|info|connecting...',
    'rconn|info|connected',
    'rconn|warn|connection dropped (Connection reset by peer)',
    'rconn|info|waiting 2 seconds before reconnect',
    'rconn|info|connecting...',
    'rconn|info|connected',
    'rconn|info|connection closed by peer',
    'rconn|info|connecting...',
  ]);
});

test('a peer that came to us is not sought again, and is named at debug level', () => {
  const lines = recorded('info', () => {
    const { clock, did, r } = machine({ quiet: true });
    r.accept();
    r.connected();
    r.ended('');
    clock.advance(100_000);
    assert.equal(r.state, 'DISCONNECTED');
    assert.deepEqual(did, []);
  });
  assert.deepEqual(lines, []);
});

test('disabling leaves no timer behind', () => {
  const { clock, did, r } = machine();
  r.enable();
  r.disable();
  clock.advance(100_000);
  assert.deepEqual(did, ['connect']);
});

test('each of several peers is tried before any wait, and one that will not do counts as a failed attempt', () => {
  const names = ['tcp:a', 'tcp:b'];
  let at = 0;
  const lines = recorded('info', () => {
    const peers = { count: 2, next: () => names[at++ % 2] as string };
    const { clock, did, r } = machine({ voice: 'reconnect', peers });
    r.enable();
    r.connected();
    r.refuse();
    assert.deepEqual([r.name, did], ['tcp:a', ['connect', 'drop']]);
    clock.advance(0);
    r.ended('Connection refused');
    assert.equal(r.name, 'tcp:b');
    clock.advance(999);
    assert.equal(did.length, 3);
    clock.advance(1);
    assert.equal(did.length, 4);
  });
  assert.deepEqual(
    lines.map((line) => line.split('|')[2]).filter((text) => !/connect(ing\.\.\.|ed)$/.test(text ?? '')),
    ['connection attempt timed out', 'connection attempt failed (Connection refused)'],
  );
});
