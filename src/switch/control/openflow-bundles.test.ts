import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../../base/clock.ts';
import { PeerError } from '../../base/errors.ts';
import { BundleStore } from './openflow-bundles.ts';

const message = { kind: 'barrierRequest' } as const;
const code = (act: () => void): string => {
  try {
    act();
    return '';
  } catch (error) {
    assert.ok(error instanceof PeerError);
    return error.code;
  }
};

test('a bundle that hears nothing ends, and its opener is told', () => {
  const clock = new VirtualClock();
  const late: number[] = [];
  const store = new BundleStore(clock, (opener) => late.push(opener[0] ?? -1));
  store.open(1, 3, Uint8Array.of(11));
  clock.advance(6000);
  store.add(2, 3, message, Uint8Array.of(22));
  clock.advance(6000);
  assert.deepEqual(late, [11]);
  assert.equal(
    code(() => store.commit(1, 3)),
    'OFPBFC_BAD_ID',
  );
  store.add(2, 3, message, Uint8Array.of(23));
  clock.advance(9000);
  assert.equal(store.commit(2, 3).length, 2);
  clock.advance(60_000);
  assert.deepEqual(late, [11]);
  assert.equal(store.heldBytes, 0);
});

test('what a connection can hold has a limit', () => {
  const store = new BundleStore(new VirtualClock(), () => {});
  let codeSeen = '';
  for (let id = 0; id < 5000 && codeSeen === ''; id++) codeSeen = code(() => store.open(id, 0, new Uint8Array(16)));
  assert.equal(codeSeen, 'OFPBFC_OUT_OF_BUNDLES');
  store.clear();
  const big = new Uint8Array(0xffff);
  codeSeen = '';
  for (let i = 0; i < 20_000 && codeSeen === ''; i++) codeSeen = code(() => store.add(1, 0, message, big));
  assert.equal(codeSeen, 'OFPBFC_MSG_TOO_MANY');
  assert.equal(store.heldBytes, 0);
  assert.equal(store.count, 0);
});

test('whatever is asked, a bundle is nothing, open or closed, as a simple model says', () => {
  const step = fc.record({
    ask: fc.constantFrom('open', 'close', 'commit', 'discard', 'add'),
    id: fc.integer({ min: 1, max: 2 }),
    flags: fc.constantFrom(1, 3),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const store = new BundleStore(new VirtualClock(), () => {});
      const model = new Map<number, { flags: number; closed: boolean; count: number }>();
      for (const { ask, id, flags } of steps) {
        const is = model.get(id);
        let want = '';
        if (ask === 'open') want = is === undefined ? '' : 'OFPBFC_BAD_ID';
        else if (ask !== 'add' && is === undefined) want = 'OFPBFC_BAD_ID';
        else if (ask === 'discard') want = '';
        else if (is?.closed === true && ask !== 'commit') want = 'OFPBFC_BUNDLE_CLOSED';
        else if (is !== undefined && is.flags !== flags) want = 'OFPBFC_BAD_FLAGS';
        const got = code(() => {
          if (ask === 'open') store.open(id, flags, new Uint8Array(8));
          else if (ask === 'close') store.close(id, flags);
          else if (ask === 'discard') store.discard(id);
          else if (ask === 'commit') assert.equal(store.commit(id, flags).length, is?.count);
          else store.add(id, flags, message, new Uint8Array(8));
        });
        assert.equal(got, want);
        if (want !== '' || ask === 'commit' || ask === 'discard') model.delete(id);
        else if (is === undefined) model.set(id, { flags, closed: false, count: ask === 'add' ? 1 : 0 });
        else if (ask === 'close') is.closed = true;
        else if (ask === 'add') is.count++;
        assert.equal(store.count, model.size);
      }
    }),
  );
});
