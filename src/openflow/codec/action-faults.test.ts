// What the reference says of actions with one or several faults: its order of checks. Each line is bytes, version, and the error or ''.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PeerError } from '../../base/errors.ts';
import type { OfVersion } from '../message.ts';
import { decodePlainActionBytes } from './action-codec.ts';
import { decodeInstructionBytes } from './instruction-codec.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

function faultOf(read: () => unknown): string {
  try {
    read();
    return '';
  } catch (error) {
    if (error instanceof PeerError) return error.code;
    throw error;
  }
}

const ACTIONS: readonly (readonly [string, OfVersion, string])[] = [
  // set_field: nothing in it, a size that is not the field's, cut off, bits outside the mask, a mask too early, something behind it.
  ['0019000800010000', 4, 'OFPBAC_BAD_SET_TYPE'],
  ['0019000800010001', 4, 'OFPBAC_BAD_SET_LEN'],
  ['0019000800010004', 4, 'OFPBMC_BAD_LEN'],
  ['00190008ffff0008', 4, 'OFPBMC_BAD_LEN'],
  ['00190010800002040102030400000000', 4, 'OFPBAC_BAD_SET_LEN'],
  ['00190010000101080102030401020300', 4, 'OFPBMC_BAD_WILDCARDS'],
  ['0019001000010108ffffffffffffffff', 4, 'OFPBAC_BAD_SET_MASK'],
  ['0019001000010108ffffffffffffffff', 6, ''],
  ['001900180001000401020304000000010000000000000000', 4, 'OFPBAC_BAD_SET_ARGUMENT'],
  ['00190010000100040102030400000000', 4, ''],
  // The same as Nicira's load, which takes masks.
  ['ffff001800002320002100010108123400000000ffff0000', 1, 'OFPBMC_BAD_WILDCARDS'],
  ['ffff00180000232000210001010812340000ffff00000000', 1, ''],
  // A range of addresses: ports alone, two families, a maximum alone, cut off.
  ['ffff00180000232000240000000100100001000000000000', 4, 'OFPBAC_BAD_ARGUMENT'],
  ['ffff00180000232000240000000100020000000100000000', 4, 'OFPBAC_BAD_ARGUMENT'],
  ['ffff00100000232000240000000100010000000000000000'.slice(0, 32), 4, 'OFPBAC_BAD_ARGUMENT'],
  // Labels take what there is room for on the wire, and an instruction is none of the actions.
  ['000d0008ffc6ffb5', 3, ''],
  ['000e0008ff000000', 3, ''],
  ['ffff0020000023200016000000000000abace8ae00001602000000010000000b', 1, 'OFPBIC_UNSUP_INST'],
];

test('actions with faults are refused by the reference’s names', () => {
  for (const [hex, version, wanted] of ACTIONS)
    assert.equal(
      faultOf(() => decodePlainActionBytes(bytes(hex), version)),
      wanted,
      hex,
    );
});

test('meters that no flow may name', () => {
  const meter = (id: string): string => faultOf(() => decodeInstructionBytes(bytes(`00060008${id}`), 4));
  assert.deepEqual(['00000000', '00000001', 'ffff0000', 'ffff0001', 'fffffffd'].map(meter), [
    'OFPMMFC_INVALID_METER',
    '',
    '',
    'OFPMMFC_INVALID_METER',
    'OFPMMFC_INVALID_METER',
  ]);
});
