import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packMatch } from '../../../flow/mask.ts';
import { normalizeMatch } from '../../../flow/normal-match.ts';
import { parseFlow } from '../../text/flow-text.ts';
import { contextOf } from '../actions/action-context.ts';
import { contextOfPacked } from './packed-flow-stats.ts';

test('what actions must know of a match is the same of a packed one', () => {
  const lines = [
    'arp,arp_op=6',
    'tcp',
    'udp6',
    'ip',
    'packet_type=(1,0x800),nw_proto=6',
    'packet_type=(1,0x806),arp_op=6',
    'dl_vlan=5',
    '',
  ];
  const contexts = lines.map((line) => {
    const match = normalizeMatch(parseFlow(`${line},actions=drop`, 'add').match);
    const context = contextOf(match);
    assert.deepEqual(contextOfPacked(packMatch(match)), context, line);
    return [context.transport, context.isIp, context.isBare];
  });
  assert.deepEqual(contexts, [
    [6, false, false],
    [6, true, false],
    [17, true, false],
    [-1, true, false],
    [6, true, true],
    [6, false, true],
    [-1, false, false],
    [-1, false, false],
  ]);
});
