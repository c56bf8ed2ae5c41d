// What each table can do, for OFPMP_TABLE_FEATURES (OpenFlow 1.3.5 section 7.3.5.5): all tables can do everything, so that the tables
// differ in the tables they may go on to, and the last in that it has none. Clients ask for it to learn the tables' names.
import { FIELDS } from '../../flow/fields.ts';
import { ByteWriter } from '../../openflow/codec/bytes.ts';
import { encodeFieldHeader } from '../../openflow/codec/oxm.ts';
import { codeFor } from '../../openflow/codec/oxm-table.ts';
import type { OfVersion, TableStats } from '../../openflow/message.ts';

const OFPMP_TABLE_FEATURES = 12;
const OFPT_MULTIPART_REPLY = 19;
const MAX_MESSAGE_SIZE = 0xffff;

/** OFPAT_*: output, copy and push and pop of tags, set_queue, group, set_nw_ttl, dec_nw_ttl, set_field. */
const ACTIONS = [0, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25] as const;

/** Property numbers; those of a table miss are one higher. */
const PROPERTY = {
  INSTRUCTIONS: 0,
  NEXT_TABLES: 2,
  WRITE_ACTIONS: 4,
  APPLY_ACTIONS: 6,
  MATCH: 8,
  WILDCARDS: 10,
  WRITE_SET: 12,
  APPLY_SET: 14,
};

/** The messages of the reply. */
export function* tableFeatures(version: OfVersion, xid: number, tables: readonly TableStats[]): Iterator<Uint8Array> {
  let part = new ByteWriter();
  const begin = (): void => {
    part.u8(version).u8(OFPT_MULTIPART_REPLY).u16(0).u32(xid).u16(OFPMP_TABLE_FEATURES).u16(0).zeros(4);
  };
  const finish = (more: boolean): Uint8Array => {
    part.patch16(2, part.size);
    part.patch16(10, more ? 1 : 0);
    return part.result();
  };
  begin();
  for (const table of tables) {
    const row = oneTable(version, table, tables.length);
    if (part.size + row.length > MAX_MESSAGE_SIZE) {
      yield finish(true);
      part = new ByteWriter();
      begin();
    }
    part.put(row);
  }
  yield finish(false);
}

function oneTable(version: OfVersion, { table, name, maxEntries }: TableStats, tables: number): Uint8Array {
  const out = new ByteWriter();
  const fields = FIELDS.filter((field) => codeFor(field, version) !== undefined);
  out.u16(0).u8(table).zeros(5).text(name, 32).u64(0xffffffffffffffffn).u64(0xffffffffffffffffn).u32(0).u32(maxEntries);
  const property = (type: number, body: () => void): void => {
    const start = out.size;
    out.u16(type).u16(0);
    body();
    out.patch16(start + 2, out.size - start);
    out.pad(start, 8);
  };
  // goto_table, write_metadata, write_actions, apply_actions, clear_actions and, until OpenFlow 1.5 made it an action, meter.
  const all = version >= 6 ? [1, 2, 3, 4, 5] : [1, 2, 3, 4, 5, 6];
  const instructions = table + 1 < tables ? all : all.slice(1);
  for (const miss of [0, 1]) {
    property(PROPERTY.INSTRUCTIONS + miss, () => {
      for (const instruction of instructions) out.u16(instruction).u16(4);
    });
    property(PROPERTY.NEXT_TABLES + miss, () => {
      for (let next = table + 1; next < tables; next++) out.u8(next);
    });
    for (const [actions, set] of [
      [PROPERTY.WRITE_ACTIONS, PROPERTY.WRITE_SET],
      [PROPERTY.APPLY_ACTIONS, PROPERTY.APPLY_SET],
    ] as const) {
      property(actions + miss, () => {
        for (const action of ACTIONS) out.u16(action).u16(4);
      });
      property(set + miss, () => {
        for (const field of fields) if (field.writable) encodeFieldHeader(out, field, version);
      });
    }
  }
  property(PROPERTY.MATCH, () => {
    for (const field of fields) encodeFieldHeader(out, field, version, field.maskable);
  });
  property(PROPERTY.WILDCARDS, () => {
    for (const field of fields) encodeFieldHeader(out, field, version);
  });
  out.patch16(0, out.size);
  return out.result();
}
