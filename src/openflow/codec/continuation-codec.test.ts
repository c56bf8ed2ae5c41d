import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseActions } from '../text/action-parse.ts';
import { decodeContinuation, encodeContinuation } from './continuation-codec.ts';

const bridge = Uint8Array.from({ length: 16 }, (_, i) => i + 1);

test('a continuation comes back as it went', () => {
  const sent = {
    bridge,
    stack: [
      { value: 5n, bits: 32 },
      { value: 0x123n, bits: 16 },
    ],
    mirrors: 3,
    isConntracked: true,
    sections: [
      { table: 0, cookie: 0n, actions: parseActions('set_field:7->reg1,resubmit(,1)') },
      { table: 3, cookie: 0x99n, actions: parseActions('output:2') },
      { table: 3, cookie: 0x99n, actions: parseActions('output:3') },
    ],
    actionSet: parseActions('output:4'),
    odpPort: 9,
  };
  for (const version of [1, 4, 6] as const) {
    const got = decodeContinuation(encodeContinuation(sent, version), version);
    assert.deepEqual({ ...got, sections: [], actionSet: [] }, { ...sent, sections: [], actionSet: [] });
    assert.deepEqual(
      got.sections.map(({ table, cookie, actions }) => [table, cookie, actions.map(({ kind }) => kind)]),
      [
        [0, 0n, [version === 1 ? 'regLoad' : 'setField', 'resubmit']],
        [3, 0x99n, ['output']],
        [3, 0x99n, ['output']],
      ],
    );
  }
});

test('what the reference sent is read, and bad bytes are refused by name', () => {
  // Taken from ovs-vswitchd 3.1: a value on the stack, two lists of actions, the port.
  const hex =
    '000000008000001479ad499acf440d6b96054aae8c05dca90000000080010008000000058006002800000000001900100001020400000007' +
    '00000000ffff001000002320000efff801000000800600180000000000000010000000020000000000000000800800080000' +
    '0001';
  const got = decodeContinuation(Uint8Array.from(Buffer.from(hex, 'hex')), 5);
  assert.deepEqual(got.stack, [{ value: 5n, bits: 32 }]);
  assert.deepEqual(
    got.sections.map(({ actions }) => actions.map(({ kind }) => kind)),
    [['setField', 'resubmit'], ['output']],
  );
  assert.equal(got.odpPort, 1);
  assert.throws(() => decodeContinuation(Uint8Array.of(0, 0, 0, 0, 0x80, 0, 0, 3), 5), { code: 'OFPBPC_BAD_LEN' });
  assert.throws(() => decodeContinuation(Uint8Array.of(0, 0, 0, 0, 0x90, 0, 0, 4), 5), { code: 'OFPBPC_BAD_TYPE' });
});
