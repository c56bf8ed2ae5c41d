// What controllers may set of flow tables, and hear of them: OpenFlow 1.1.0 section A.3.4.3 (misses) and OpenFlow 1.4.1 sections 7.3.4
// (eviction, vacancy), 7.3.5.6 (descriptions) and 7.4.5 (status).

import { PeerError } from '../../base/errors.ts';
import { NO_CODE } from '../errors.ts';
import type { Message, OfVersion } from '../message.ts';
import { tableLog as log } from '../peer-logs.ts';
import { EVICT, TABLE_CONFIG, type TableDesc, type TableSettings } from '../table.ts';
import { readList } from './actions/partial.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { eachProperty } from './properties.ts';
import { checkedMiss } from './table-features-codec.ts';

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>;

const PROPERTY = { EVICTION: 2, VACANCY: 3 } as const;

/** A property that is not known is passed over in descriptions, and refused in modifications. */
function decodeProperties(from: ByteReader, config: number, isMod: boolean): TableSettings {
  const settings: TableSettings = { evicts: (config & TABLE_CONFIG.EVICTION) !== 0, tellsVacancy: (config & TABLE_CONFIG.VACANCY) !== 0 };
  for (const { number, body } of eachProperty(from)) {
    if (number !== PROPERTY.EVICTION && number !== PROPERTY.VACANCY) {
      if (isMod) throw new PeerError('OFPBRC_BAD_TYPE', `table property ${number}`);
      continue;
    }
    if (body.left !== 4) throw new PeerError('OFPBPC_BAD_LEN', `table property of ${body.left} bytes`);
    if (number === PROPERTY.EVICTION) settings.evictionFlags = body.u32();
    else {
      settings.vacancy = { down: body.u8(), up: body.u8(), now: body.u8() };
      if (isMod) checkVacancy(settings.vacancy);
    }
  }
  return settings;
}

function checkVacancy({ down, up, now }: { down: number; up: number; now: number }): void {
  const refuse = (text: string): never => {
    log.warn(text);
    throw new PeerError('OFPBPC_BAD_VALUE', text);
  };
  if (down > up) refuse('Value of vacancy_down is greater than vacancy_up');
  if (down > 100 || up > 100) refuse('Vacancy threshold percentage should not be greater than 100');
  if (now !== 0) refuse('Vacancy value should be zero for table-mod messages');
}

const configBits = (settings: TableSettings): number =>
  (settings.evicts === true ? TABLE_CONFIG.EVICTION : 0) | (settings.tellsVacancy === true ? TABLE_CONFIG.VACANCY : 0);

function encodeProperties(out: ByteWriter, settings: TableSettings): void {
  if (settings.evictionFlags !== undefined) out.u16(PROPERTY.EVICTION).u16(8).u32(settings.evictionFlags);
  if (settings.vacancy !== undefined) {
    const { down, up, now } = settings.vacancy;
    out.u16(PROPERTY.VACANCY).u16(8).u8(down).u8(up).u8(now).u8(0);
  }
}

/** Reads OFPT_TABLE_MOD. */
export function decodeTableMod(from: ByteReader, version: OfVersion): Of<'tableMod'> {
  const table = from.u8();
  const config = from.skip(3).u32();
  if (version < 5) return { kind: 'tableMod', table, missConfig: version < 4 ? checkedMiss(config) : config };
  const settings = decodeProperties(from, config, true);
  return { kind: 'tableMod', table, missConfig: 0, settings };
}

/** Writes OFPT_TABLE_MOD. */
export function encodeTableMod(out: ByteWriter, version: OfVersion, message: Of<'tableMod'>): void {
  const settings = message.settings ?? {};
  out
    .u8(message.table)
    .zeros(3)
    .u32(version < 5 ? message.missConfig : configBits(settings));
  if (version >= 5) encodeProperties(out, settings);
}

/** Reads one table's description; `from` stands at its length. */
function decodeTableDesc(from: ByteReader): TableDesc {
  const length = from.u16();
  if (length < 8 || length - 2 > from.left) {
    const text = `OFP14_TABLE_DESC reply claims invalid length ${length}`;
    log.warn(text);
    throw new PeerError('OFPBRC_BAD_LEN', text);
  }
  const body = from.sub(length - 2);
  const table = body.u8();
  const config = body.skip(1).u32();
  return { table, ...decodeProperties(body, config, false) };
}

function encodeTableDesc(out: ByteWriter, desc: TableDesc): void {
  const start = out.size;
  out.u16(0).u8(desc.table).u8(0).u32(configBits(desc));
  encodeProperties(out, { ...desc, evictionFlags: desc.evictionFlags ?? EVICT.ALL });
  out.patch16(start, out.size - start);
}

/** Reads the descriptions of OFPMP_TABLE_DESC. */
export const decodeTableDescs = (from: ByteReader): TableDesc[] => readList(from, decodeTableDesc);

/** Writes the descriptions of OFPMP_TABLE_DESC. */
export function encodeTableDescs(out: ByteWriter, tables: readonly TableDesc[]): void {
  for (const desc of tables) encodeTableDesc(out, desc);
}

/** Reads OFPT_TABLE_STATUS. */
export function decodeTableStatus(from: ByteReader): Of<'tableStatus'> {
  const reason = from.u8();
  if (reason !== 3 && reason !== 4) throw new PeerError('OFPBPC_BAD_VALUE', `table status for reason ${reason}`);
  if (from.skip(7).left === 0) throw new PeerError(NO_CODE, 'table status without a description');
  return { kind: 'tableStatus', reason: reason === 3 ? 'vacancy_down' : 'vacancy_up', desc: decodeTableDesc(from) };
}

/** Writes OFPT_TABLE_STATUS. */
export function encodeTableStatus(out: ByteWriter, message: Of<'tableStatus'>): void {
  out.u8(message.reason === 'vacancy_down' ? 3 : 4).zeros(7);
  encodeTableDesc(out, message.desc);
}
