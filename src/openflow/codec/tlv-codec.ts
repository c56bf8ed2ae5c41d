// Nicira's TLV table messages: NXT_TLV_TABLE_MOD, NXT_TLV_TABLE_REQUEST, NXT_TLV_TABLE_REPLY.

import { PeerError } from '../../base/errors.ts';
import type { Message } from '../message.ts';
import { matchLog as log } from '../peer-logs.ts';
import { checkTlvMap, TLV_FIELDS, type TlvMap } from '../tlv-table.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>;

const COMMANDS = ['add', 'delete', 'clear'] as const;

/** `fields` is how many fields there are to map to. */
function decodeMaps(from: ByteReader, fields = TLV_FIELDS): TlvMap[] {
  const maps: TlvMap[] = [];
  while (from.left > 0) {
    const map = { optionClass: from.u16(), optionType: from.u8(), size: from.u8(), field: from.u16() };
    from.skip(2);
    checkTlvMap(map, fields);
    maps.push(map);
  }
  return maps;
}

function encodeMaps(out: ByteWriter, maps: readonly TlvMap[]): void {
  for (const map of maps) out.u16(map.optionClass).u8(map.optionType).u8(map.size).u16(map.field).u16(0);
}

/** Reads NXT_TLV_TABLE_MOD. */
export function decodeTlvMod(from: ByteReader): Of<'tlvTableMod'> {
  const number = from.u16();
  const command = COMMANDS[number];
  if (command === undefined) {
    const text = `tlv table mod command (${number}) is out of range`;
    log.warn(text);
    throw new PeerError('NXTTMFC_BAD_COMMAND', text);
  }
  return { kind: 'tlvTableMod', command, maps: decodeMaps(from.skip(6)) };
}

/** Writes NXT_TLV_TABLE_MOD. */
export function encodeTlvMod(out: ByteWriter, message: Of<'tlvTableMod'>): void {
  out.u16(COMMANDS.indexOf(message.command)).zeros(6);
  encodeMaps(out, message.maps);
}

/** Reads NXT_TLV_TABLE_REPLY. */
export function decodeTlvReply(from: ByteReader): Of<'tlvTableReply'> {
  const maxSpace = from.u32();
  const maxFields = from.u16();
  return { kind: 'tlvTableReply', maxSpace, maxFields, maps: decodeMaps(from.skip(10), maxFields) };
}

/** Writes NXT_TLV_TABLE_REPLY. */
export function encodeTlvReply(out: ByteWriter, message: Of<'tlvTableReply'>): void {
  out.u32(message.maxSpace).u16(message.maxFields).zeros(10);
  encodeMaps(out, message.maps);
}
