import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Locks } from './locks.ts';

/** What sessions 0, 1 and 2 hear when they do these things to one lock, each as its number and a verb. */
function hear(...steps: string[]): string[] {
  const locks = new Locks();
  let heard: string[] = [];
  const sessions = [0, 1, 2].map((number) => ({ notifyLock: (method: string) => void heard.push(`${number} ${method}`) }));
  return steps.map((step) => {
    heard = [];
    const [number, verb] = step.split(' ');
    const session = sessions[Number(number)] as (typeof sessions)[number];
    if (verb === 'lock') heard.push(locks.lock(session, 'l') ? 'had' : 'waits');
    else if (verb === 'steal') locks.steal(session, 'l');
    else if (verb === 'leave') locks.leave(session);
    else locks.unlock(session, 'l');
    return heard.join(', ');
  });
}

test('who asked for a lock and lost it to a thief waits in front of the others', () => {
  assert.deepEqual(hear('0 lock', '1 lock', '2 steal', '2 unlock', '0 unlock'), ['had', 'waits', '0 stolen', '0 locked', '1 locked']);
});

test('a thief who is stolen from waits no more, and has still asked', () => {
  assert.deepEqual(hear('0 steal', '1 lock', '2 steal', '2 unlock', '0 unlock'), ['', 'waits', '0 stolen', '1 locked', '']);
  const locks = new Locks();
  const [first, second] = [{ notifyLock: () => {} }, { notifyLock: () => {} }];
  locks.steal(first, 'l');
  locks.steal(second, 'l');
  assert.deepEqual([locks.asked(first, 'l'), locks.holds(first, 'l')], [true, false]);
  locks.unlock(first, 'l');
  assert.equal(locks.asked(first, 'l'), false);
});

test('when one who waits gives up, the holder is told once more', () => {
  assert.deepEqual(hear('0 lock', '1 lock', '1 unlock', '2 lock', '0 leave'), ['had', 'waits', '0 locked', 'waits', '2 locked']);
});
