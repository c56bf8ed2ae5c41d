// What a reader knows of the fields that its bytes name goes with it, and with nothing else that is read meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Field, fieldNamed } from '../../../flow/fields.ts';
import { TlvTable } from '../../tlv-table.ts';
import { ByteReader } from '../bytes.ts';
import { namedField, ofFlow, usableField } from './tun-metadata.ts';

const field = (name: string): Field => fieldNamed(name) ?? assert.fail(name);
const noOption = { code: 'NXFMFC_INVALID_TLV_FIELD' };

function readers(): { withTable: ByteReader; without: ByteReader } {
  const tlvTable = new TlvTable();
  tlvTable.add([{ optionClass: 0xffff, optionType: 1, size: 4, field: 0 }]);
  return { withTable: new ByteReader(new Uint8Array(8), undefined, { tlvTable }), without: new ByteReader(new Uint8Array(8)) };
}

test('fields are placed by the table of the reader, and of every reader of a part', () => {
  const { withTable, without } = readers();
  for (const from of [withTable, withTable.sub(4), withTable.within(withTable.rest())]) {
    assert.equal(usableField(field('tun_metadata0'), from.context).wireBytes, 4);
    assert.equal(usableField(field('tun_metadata0'), from.context).isUnplaced, undefined);
    assert.equal(usableField(field('tun_metadata1'), from.context).isUnplaced, true);
    assert.throws(() => usableField(field('tun_metadata1'), ofFlow(from).context), noOption);
  }
  assert.equal(usableField(field('tun_metadata1'), without.context), field('tun_metadata1'));
});

test('what a flow does may name no field without a place; other lists may, while flows are read', () => {
  const { withTable, without } = readers();
  const flow = ofFlow(withTable.sub(4));
  assert.throws(() => namedField(field('tun_metadata1'), flow.sub(2).context), noOption);
  assert.equal(namedField(field('tun_metadata1'), withTable.context), field('tun_metadata1'));
  assert.equal(namedField(field('tun_metadata1'), ofFlow(without).context), field('tun_metadata1'));
  assert.throws(() => namedField(field('tun_metadata1'), flow.context), noOption);
});
