// Statistics of tables, with which OpenFlow 1.0 to 1.2 tell what a table can do. OpenFlow 1.0.0 section 5.3.5, OpenFlow 1.3.5
// section 7.3.5.4.
import type { OfVersion, TableStats } from '../message.ts';
import { readList } from './actions/partial.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodeOldFeatures } from './table-features-codec.ts';

/** Bytes of one table's entry, and how many bytes lie between its name and its numbers, by version. */
const TABLE_SIZE: Readonly<Record<number, number>> = { 1: 64, 2: 88, 3: 128 };

/** Reads statistics of tables to the end. */
export function decodeTableStats(from: ByteReader, version: OfVersion): TableStats[] {
  return readList(from, () => {
    if (version >= 4) {
      const table = from.u8();
      from.skip(3);
      return { table, name: '', maxEntries: 0, activeCount: from.u32(), lookupCount: from.u64(), matchedCount: from.u64() };
    }
    const entry = from.sub(TABLE_SIZE[version] ?? 0);
    const table = entry.u8();
    entry.skip(version === 1 ? 3 : 7);
    const name = entry.text(32);
    const features = decodeOldFeatures(entry, version, table, name);
    const maxEntries = entry.u32();
    features.maxEntries = maxEntries;
    return { table, name, maxEntries, activeCount: entry.u32(), lookupCount: entry.u64(), matchedCount: entry.u64(), features };
  });
}

/** What every table can do, as OpenFlow 1.1 and 1.2 tell with its statistics: bits of fields, instructions and actions. */
const MATCH11 = 0xfbff;
const INSTRUCTIONS = 0x3e;
const GOTO_TABLE = 2;
const LAST_TABLE = 253;
const ACTIONS11 = 0x01ffe7ff;
const MATCH12 = 0x101ffffffffdn;
const WRITE12 = 0xffffffbddn;
const ACTIONS12 = 0x03ff8001;
const ALL_METADATA = 0xffffffffffffffffn;

/** Writes those of one table. */
export function encodeTableStats(out: ByteWriter, version: OfVersion, t: TableStats): void {
  if (version >= 4) {
    out.u8(t.table).zeros(3).u32(t.activeCount).u64(t.lookupCount).u64(t.matchedCount);
    return;
  }
  out
    .u8(t.table)
    .zeros(version === 1 ? 3 : 7)
    .text(t.name, 32);
  // The reference tells OpenFlow 1.1 of its own numbering, 1.2 of the protocol's.
  const { miss = 0 } = t;
  const config = version === 2 ? miss : Math.max(0, miss - 1);
  // The last table has none to go to.
  const instructions = t.table === LAST_TABLE ? INSTRUCTIONS & ~GOTO_TABLE : INSTRUCTIONS;
  if (version === 1) out.u32(0x3fffff);
  else if (version === 2) out.u32(MATCH11).u32(MATCH11).u32(instructions).u32(ACTIONS11).u32(ACTIONS11).u32(config);
  else {
    out.u64(MATCH12).u64(MATCH12).u32(ACTIONS12).u32(ACTIONS12).u64(WRITE12).u64(WRITE12);
    out.u64(ALL_METADATA).u64(ALL_METADATA).u32(instructions).u32(config);
  }
  out.u32(t.maxEntries).u32(t.activeCount).u64(t.lookupCount).u64(t.matchedCount);
}
