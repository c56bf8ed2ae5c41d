// The tests that every LogStore must pass. A store's own test file gives `open`, which must find what an earlier one of the same place left.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogEntry, LogStore } from './log-store.ts';

export interface StorePlace {
  /** Opens the store of this place, empty the first time. */
  open(): Promise<LogStore>;
  remove(): Promise<void>;
}

async function all(store: LogStore, from = 0): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const entry of store.read(from)) entries.push(entry);
  return entries;
}

const record = (n: number): string => `{"n":${n},"text":"\u20ac \\n ${'x'.repeat(n % 50)}"}`;

async function fill(store: LogStore, count: number): Promise<number> {
  let next = await store.next();
  for (let i = 0; i < count; i++) {
    const outcome = await store.append(next, record(next), i % 2 === 0);
    assert.deepEqual(outcome, { isAppended: true, position: next });
    next++;
  }
  return next;
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

/** Declares the tests for one kind of store. */
export function testLogStore(name: string, makePlace: () => Promise<StorePlace>): void {
  const withPlace = (title: string, run: (place: StorePlace) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const place = await makePlace();
      try {
        await run(place);
      } finally {
        await place.remove();
      }
    });
  };

  withPlace('what was appended is read back in order, from any position', async (place) => {
    const store = await place.open();
    const first = await store.next();
    const end = await fill(store, 20);
    assert.equal(end, first + 20);
    const entries = await all(store, first);
    assert.deepEqual(
      entries,
      Array.from({ length: 20 }, (_, i) => ({ position: first + i, kind: 'record', text: record(first + i) })),
    );
    assert.deepEqual(await all(store, first + 13), entries.slice(13));
    assert.deepEqual(await all(store, end), []);
    await store.close();
  });

  withPlace('an append at a position that is not next changes nothing and tells the next', async (place) => {
    const store = await place.open();
    const end = await fill(store, 3);
    for (const position of [end - 1, end + 1, 0 - 1])
      assert.deepEqual(await store.append(position, record(99), true), { isAppended: false, next: end });
    assert.equal(await store.next(), end);
    assert.equal((await all(store, end - 3)).length, 3);
    await store.close();
  });

  withPlace('of writers that race for a position exactly one has it, and all entries are kept', async (place) => {
    const store = await place.open();
    const start = await store.next();
    const won: number[] = [];
    const write = async (who: number): Promise<void> => {
      for (let done = 0; done < 5; ) {
        const position = await store.next();
        const outcome = await store.append(position, record(who), false);
        if (!outcome.isAppended) continue;
        won.push(outcome.position);
        done++;
      }
    };
    await Promise.all([1, 2, 3, 4].map(write));
    assert.deepEqual(
      won.sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, i) => start + i),
    );
    assert.equal((await all(store, start)).length, 20);
    await store.close();
  });

  withPlace('a watcher is told each entry once and in order, those that were and those that come', async (place) => {
    const store = await place.open();
    const start = await store.next();
    const end = await fill(store, 4);
    const early: number[] = [];
    const late: number[] = [];
    const stopEarly = store.watch(start, ({ position }) => void early.push(position));
    const stopLate = store.watch(end + 1, ({ position }) => void late.push(position));
    await fill(store, 4);
    await settle();
    assert.deepEqual(
      early,
      Array.from({ length: 8 }, (_, i) => start + i),
    );
    assert.deepEqual(late, [end + 1, end + 2, end + 3]);
    stopEarly();
    await fill(store, 1);
    await settle();
    assert.equal(early.length, 8);
    assert.equal(late.length, 4);
    stopLate();
    await store.close();
  });

  withPlace('a snapshot stands for what came before it; later entries and positions stay', async (place) => {
    const store = await place.open();
    const start = await store.next();
    const end = await fill(store, 10);
    const told: string[] = [];
    const stop = store.watch(end, ({ kind, position }) => void told.push(`${kind} ${position}`));
    const at = start + 6;
    const done = store.snapshot(at, '{"all":7}');
    assert.deepEqual(await store.append(end, record(end), true), { isAppended: true, position: end });
    await done;
    assert.equal(await store.next(), end + 1);
    const entries = await all(store, start);
    assert.deepEqual(entries[0], { position: at, kind: 'snapshot', text: '{"all":7}' });
    assert.deepEqual(
      entries.slice(1).map(({ position, kind, text }) => [position, kind, text]),
      [at + 1, at + 2, at + 3, at + 4].map((position) => [position, 'record', record(position)]),
    );
    assert.deepEqual(
      (await all(store, at + 2)).map(({ position }) => position),
      [at + 2, at + 3, at + 4],
    );
    await settle();
    assert.deepEqual(told, [`record ${end}`], 'a watcher that is past the snapshot hears nothing of it');
    stop();
    await store.close();
  });

  withPlace('what was durable is there after the store is opened again, in the same order', async (place) => {
    const first = await place.open();
    const start = await first.next();
    await fill(first, 7);
    await first.snapshot(start + 2, '{"all":3}');
    await fill(first, 2);
    await first.close();
    const again = await place.open();
    const texts = (await all(again)).filter(({ text }) => text.startsWith('{"n"') || text.startsWith('{"all"')).map(({ text }) => text);
    assert.deepEqual(texts, ['{"all":3}', ...[3, 4, 5, 6, 7, 8].map((n) => record(start + n))]);
    const next = await again.next();
    assert.deepEqual(await again.append(next, record(1), true), { isAppended: true, position: next });
    await again.close();
  });
}
