// What a reader knows of the fields that its bytes name goes with it, and with nothing else that is read meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Field, fieldNamed } from '../../../flow/fields.ts';
import { TlvTable } from '../../tlv-table.ts';
import { ByteReader } from '../bytes.ts';
import { ofFlow, usableField } from './tun-metadata.ts';

const field = (name: string): Field => fieldNamed(name) ?? assert.fail(name);
const noOption = { code: 'NXFMFC_INVALID_TLV_FIELD' };

function readers(): { withTable: ByteReader; without: ByteReader } {
  const tlvTable = new TlvTable();
  tlvTable.add([{ optionClass: 0xffff, optionType: 1, size: 4, field: 0 }]);
  return { withTable: new ByteReader(new Uint8Array(8), undefined, { tlvTable }), without: new ByteReader(new Uint8Array(8)) };
}

test('what a flow does names fields in the places that the table of the reader gives them', () => {
  const { withTable, without } = readers();
  for (const from of [withTable, withTable.sub(4), withTable.within(withTable.rest())]) {
    const { context } = ofFlow(from);
    assert.equal(usableField(field('tun_metadata0'), context).wireBytes, 4);
    assert.equal(usableField(field('tun_metadata0'), context).isUnplaced, undefined);
    assert.throws(() => usableField(field('tun_metadata1'), context), noOption);
  }
  assert.equal(usableField(field('tun_metadata1'), ofFlow(without).context), field('tun_metadata1'));
});

test('other lists name fields without their places, while flows are read, too', () => {
  const { withTable } = readers();
  const flow = ofFlow(withTable.sub(4));
  assert.throws(() => usableField(field('tun_metadata1'), flow.sub(2).context), noOption);
  for (const name of ['tun_metadata0', 'tun_metadata1']) {
    assert.equal(usableField(field(name), withTable.context), field(name));
    assert.equal(field(name).isUnplaced, true);
  }
  assert.throws(() => usableField(field('tun_metadata1'), flow.context), noOption);
});
