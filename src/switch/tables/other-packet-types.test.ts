import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClassifierRule } from '../../flow/classifier-rule.ts';
import { newKey, W } from '../../flow/key.ts';
import { parseFlow } from '../../openflow/text/flow-text.ts';
import { findOther, takesOtherTypes } from './other-packet-types.ts';

test('a packet that is no Ethernet frame meets what names its type, or asks for nothing of a packet', () => {
  const rule = (text: string, priority: number): ClassifierRule =>
    new ClassifierRule(parseFlow(`${text},actions=drop`, 'add').match, priority);
  const ip = rule('ip', 9);
  const named = rule('packet_type=(1,0x800)', 8);
  const metadata = rule('in_port=1,reg0=0', 7);
  assert.deepEqual([ip, named, metadata].map(takesOtherTypes), [false, true, true]);
  const key = newKey();
  key[W.IN_PORT] = 1;
  key[W.TYPE] = 0x0800_0000;
  key[W.PACKET_TYPE] = 0x1_0800;
  const wild = newKey();
  assert.equal(findOther([metadata, ip, named], key, 1, wild), named);
  assert.equal(findOther([metadata, ip], key, 1, wild), metadata);
  assert.equal(findOther([ip], key, 1, wild), undefined);
  assert.notEqual(wild[W.NW_SRC], 0);
});
