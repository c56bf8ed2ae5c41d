import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Anticipation, SEVERAL } from './anticipation.ts';

const PEER = 7;
const OTHER = 8;

/** A poll's life: messages that follow the answers after some time, awake or asleep. */
class Life {
  readonly next = new Anticipation();
  now = 0;
  awake = 0;
  inVain = 0;

  /** A message of a descriptor that comes so long after the last answer; it is waited for awake when that seems worthwhile. */
  message(fd: number, gapMs: number, isFoundAwake = gapMs < 0.05): void {
    if (this.next.isWorthwhile) {
      if (isFoundAwake) this.awake++;
      else {
        this.inVain++;
        this.next.failed();
      }
    }
    this.now += gapMs;
    this.next.came(fd, this.now);
    this.now += 0.01;
    this.next.answered(this.now);
  }

  messages(count: number, fd: number, gapMs: number, isFoundAwake?: boolean): void {
    for (let i = 0; i < count; i++) this.message(fd, gapMs, isFoundAwake);
  }
}

test('who asks again at once many times over is waited for, and no longer when it is slow', () => {
  const life = new Life();
  life.messages(1000, PEER, 0.03);
  assert.ok(life.awake > 950, `${life.awake} of 1000`);
  assert.equal(life.inVain, 0);
  life.messages(100, PEER, 0.2);
  assert.equal(life.next.isWorthwhile, false);
  assert.ok(life.inVain <= 4, `${life.inVain} times in vain`);
});

test('one that always takes its time is never waited for', () => {
  const life = new Life();
  life.messages(1000, PEER, 1);
  assert.equal(life.awake + life.inVain, 0);
});

test('another peer, or several at once, begin anew', () => {
  for (const fd of [OTHER, SEVERAL]) {
    const life = new Life();
    life.messages(200, PEER, 0.03);
    assert.ok(life.next.isWorthwhile);
    life.message(fd, 0.03);
    assert.ok(!life.next.isWorthwhile);
  }
  const life = new Life();
  for (let i = 0; i < 1000; i++) life.message(i % 2 === 0 ? PEER : OTHER, 0.03);
  life.messages(1000, SEVERAL, 0.03);
  assert.equal(life.awake + life.inVain, 0);
});

test('a moment in vain now and then is borne', () => {
  const life = new Life();
  for (let i = 0; i < 100; i++) {
    life.messages(29, PEER, 0.03);
    life.message(PEER, 0.4);
  }
  assert.ok(life.awake > 2700, `${life.awake} of 2900`);
});

test('on a machine where others have the processor now and then it is not tried for long', () => {
  const life = new Life();
  for (let i = 0; i < 500; i++) {
    life.messages(200, PEER, 0.03);
    // Found, but three milliseconds later.
    life.message(PEER, 3, true);
  }
  const before = life.awake;
  for (let i = 0; i < 100; i++) {
    life.messages(200, PEER, 0.03);
    life.message(PEER, 3, true);
  }
  assert.ok(life.awake - before < 8000, `${life.awake - before} of 20100`);
});

test('what is there at once earns nothing', () => {
  const life = new Life();
  for (let i = 0; i < 10_000; i++) {
    life.next.cameAtOnce(PEER);
    life.next.answered(life.now);
    // Every twentieth is not there, and does not come while we hold the processor.
    if (i % 20 === 0) life.message(PEER, 0.02, false);
  }
  assert.ok(life.inVain < 20, `${life.inVain} times in vain`);
});

test('where it never pays it is hardly ever tried, and tried again once it pays', () => {
  const life = new Life();
  // The peer shares our processor: it is quick, but not while we hold it.
  life.messages(100_000, PEER, 0.02, false);
  assert.ok(life.inVain < 440, `${life.inVain} times in vain`);
  life.messages(3000, PEER, 0.02);
  assert.ok(life.awake > 1800, `${life.awake} of 3000`);
});
