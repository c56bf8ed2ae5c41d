// What each table can do, for OFPMP_TABLE_FEATURES (OpenFlow 1.3.5 section 7.3.5.5): all tables can do everything, so that the tables
// differ in the tables they may go on to, and the last in that it has none. Clients ask for it to learn the tables' names.
import { FIELDS } from '../../flow/fields.ts';
import { ByteWriter } from '../../openflow/codec/bytes.ts';
import { encodeFieldHeader } from '../../openflow/codec/fields/oxm.ts';
import { codeFor } from '../../openflow/codec/fields/oxm-table.ts';
import { inFieldOrder } from '../../openflow/field-order.ts';
import type { OfVersion, TableStats } from '../../openflow/message.ts';

const OFPMP_TABLE_FEATURES = 12;
const OFPT_MULTIPART_REPLY = 19;
const MAX_MESSAGE_SIZE = 0xffff;

/** OFPAT_*: output, copy and push and pop of tags, set_queue, group, set_nw_ttl, dec_nw_ttl, set_field. */
const ACTIONS = [0, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25] as const;

/** The tables that there can be. */
const NUMBERS = Uint8Array.from({ length: 256 }, (_, i) => i);

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
  const common = commonParts(version);
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
    const start = part.size;
    oneTable(part, common, table, tables.length);
    if (part.size > MAX_MESSAGE_SIZE) {
      const row = part.bytes.slice(start, part.size);
      part.cut(start);
      yield finish(true);
      part = new ByteWriter();
      begin();
      part.put(row);
    }
  }
  yield finish(false);
}

/** What the rows of a version have in common: all but the names, and the tables and the instruction that lead on. */
interface CommonParts {
  /** Instructions of tables that can go on, and of the last; by whether they are of a miss. */
  readonly instructions: readonly [onward: Uint8Array, last: Uint8Array][];
  /** Actions and fields to set, by whether they are of a miss. */
  readonly actions: readonly Uint8Array[];
  /** Fields to match. */
  readonly matches: Uint8Array;
}

const commonByVersion = new Map<OfVersion, CommonParts>();

/** Clients ask often, and the 254 rows are a megabyte: what is the same in all is made once. */
function commonParts(version: OfVersion): CommonParts {
  let common = commonByVersion.get(version);
  if (common === undefined) {
    common = makeCommonParts(version);
    commonByVersion.set(version, common);
  }
  return common;
}

function makeCommonParts(version: OfVersion): CommonParts {
  const fields = inFieldOrder(FIELDS).filter((field) => codeFor(field, version) !== undefined);
  const properties = (write: (out: ByteWriter) => void): Uint8Array => {
    const out = new ByteWriter();
    write(out);
    return out.result();
  };
  // goto_table, write_metadata, write_actions, apply_actions, clear_actions and, until OpenFlow 1.5 made it an action, meter.
  const onward = version >= 6 ? [1, 2, 3, 4, 5] : [1, 2, 3, 4, 5, 6];
  const instructions = (miss: number, all: readonly number[]): Uint8Array =>
    properties((out) =>
      property(out, PROPERTY.INSTRUCTIONS + miss, () => {
        for (const instruction of all) out.u16(instruction).u16(4);
      }),
    );
  const actions = (miss: number): Uint8Array =>
    properties((out) => {
      for (const [type, set] of [
        [PROPERTY.WRITE_ACTIONS, PROPERTY.WRITE_SET],
        [PROPERTY.APPLY_ACTIONS, PROPERTY.APPLY_SET],
      ] as const) {
        property(out, type + miss, () => {
          for (const action of ACTIONS) out.u16(action).u16(4);
        });
        property(out, set + miss, () => {
          for (const field of fields) if (field.writable) encodeFieldHeader(out, field, version);
        });
      }
    });
  return {
    instructions: [0, 1].map((miss) => [instructions(miss, onward), instructions(miss, onward.slice(1))]),
    actions: [0, 1].map(actions),
    matches: properties((out) => {
      property(out, PROPERTY.MATCH, () => {
        for (const field of fields) encodeFieldHeader(out, field, version, field.maskable);
      });
      property(out, PROPERTY.WILDCARDS, () => {
        for (const field of fields) encodeFieldHeader(out, field, version);
      });
    }),
  };
}

function property(out: ByteWriter, type: number, body: () => void): void {
  const start = out.size;
  out.u16(type).u16(0);
  body();
  out.patch16(start + 2, out.size - start);
  out.pad(start, 8);
}

function oneTable(out: ByteWriter, common: CommonParts, { table, name, maxEntries }: TableStats, tables: number): void {
  const start = out.size;
  out.u16(0).u8(table).zeros(5).text(name, 32).u64(0xffffffffffffffffn).u64(0xffffffffffffffffn).u32(0).u32(maxEntries);
  for (const [miss, [onward, last]] of common.instructions.entries()) {
    out.put(table + 1 < tables ? onward : last);
    property(out, PROPERTY.NEXT_TABLES + miss, () => out.put(NUMBERS.subarray(table + 1, tables)));
    out.put(common.actions[miss] as Uint8Array);
  }
  out.put(common.matches);
  out.patch16(start, out.size - start);
}
