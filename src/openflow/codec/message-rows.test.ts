// Every message of the table of messages can be read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageHead, messageHeads, messageNames } from '../message-table.ts';
import { DECODERS } from './message-decode.ts';
import { isMultipartKnown } from './multipart-decode.ts';

test('every message of the table has a decoder, and there are no others', () => {
  const names = messageNames();
  const unknown = names.filter((name) => !(name.includes(' ') ? isMultipartKnown(name) : name === 'OFPT_HELLO' || name in DECODERS));
  assert.deepEqual(unknown, []);
  assert.deepEqual(
    Object.keys(DECODERS).filter((name) => !names.includes(name)),
    [],
  );
});

test('heads by name are those of the table; a version without the message has the head of the next that has it, or of the last', () => {
  for (const { version, form, head } of messageHeads()) assert.deepEqual(messageHead(form.name, version as 1), head);
  assert.deepEqual([...messageHead('OFPT_METER_MOD', 1)], [1, 29, 0, 0, 0, 0, 0, 1]);
  assert.deepEqual([...messageHead('NXT_FLOW_MONITOR_CANCEL', 6)].slice(0, 2), [6, 4]);
});
