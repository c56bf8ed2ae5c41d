// The TLV table: which Geneve options stand behind the fields tun_metadata0 to tun_metadata63 (ovs-ofctl(8), "add-tlv-map").
//
// Each field that has an option has a place in the key (W.TUN_METADATA), for as long as it has the option.

import { PeerError } from '../base/errors.ts';
import { type Field, placedTunField } from '../flow/fields.ts';
import { W } from '../flow/key.ts';
import { matchLog as log } from './peer-logs.ts';

export const TLV_FIELDS = 64;
export const TLV_SPACE = 256;
const MAX_OPTION = 124;

/** One option and the field it is bound to; `size` in bytes. */
export interface TlvMap {
  optionClass: number;
  optionType: number;
  size: number;
  field: number;
}

/** Faults of a mapping by itself. */
export function checkTlvMap(map: TlvMap, fields = TLV_FIELDS): void {
  if (map.size % 4 !== 0 || map.size > MAX_OPTION) {
    log.warn(`tlv table option length (${map.size}) is not a valid option size`);
    throw new PeerError('NXTTMFC_BAD_OPT_LEN', `option of ${map.size} bytes`);
  }
  if (map.field >= fields) {
    log.warn(`tlv table field index (${map.field}) is too large (max ${(fields - 1) >>> 0})`);
    throw new PeerError('NXTTMFC_BAD_FIELD_IDX', `field tun_metadata${map.field}`);
  }
}

/** The table of one bridge. A request is done as a whole or not at all. */
export class TlvTable {
  readonly #byField = new Map<number, TlvMap>();
  readonly #placed = new Map<number, Field>();
  readonly #byOption = new Map<number, number>();

  /** The field in its place; undefined when it has no option. */
  field(index: number): Field | undefined {
    return this.#placed.get(index);
  }

  /** The field that an option is bound to. */
  fieldOfOption(optionClass: number, optionType: number): Field | undefined {
    const index = this.#byOption.get(optionClass * 256 + optionType);
    return index === undefined ? undefined : this.#placed.get(index);
  }

  get isEmpty(): boolean {
    return this.#byField.size === 0;
  }

  /** In order of their fields. */
  maps(): TlvMap[] {
    return [...this.#byField.values()].sort((a, b) => a.field - b.field);
  }

  /** Whether a field has an option. */
  has(field: number): boolean {
    return this.#byField.has(field);
  }

  /** Bytes of all options. */
  get usedSpace(): number {
    let size = 0;
    for (const map of this.#byField.values()) size += map.size;
    return size;
  }

  add(maps: readonly TlvMap[]): void {
    const optionOf = (map: TlvMap): number => map.optionClass * 256 + map.optionType;
    const fields = new Set(this.#byField.keys());
    const options = new Set([...this.#byField.values()].map(optionOf));
    let space = this.usedSpace;
    for (const map of maps) {
      checkTlvMap(map);
      if (fields.has(map.field)) throw new PeerError('NXTTMFC_ALREADY_MAPPED', `tun_metadata${map.field} has an option`);
      if (options.has(optionOf(map))) throw new PeerError('NXTTMFC_DUP_ENTRY', `the option of tun_metadata${map.field} has a field`);
      fields.add(map.field);
      options.add(optionOf(map));
      space += map.size;
      if (space > TLV_SPACE) throw new PeerError('NXTTMFC_TABLE_FULL', `${space} bytes of options`);
    }
    for (const map of maps) {
      this.#byField.set(map.field, map);
      this.#byOption.set(optionOf(map), map.field);
      this.#placed.set(map.field, placedTunField(map.field, W.TUN_METADATA * 32 + this.#freeSpace(map.size) * 8, map.size));
    }
  }

  /** The first gap of that many bytes. Fields keep their places, so there may be none although as many are free. */
  #freeSpace(size: number): number {
    const first = W.TUN_METADATA * 32;
    const taken = [...this.#placed.values()].map(({ at, bits }) => [(at - first) / 8, (at - first + bits) / 8] as const);
    taken.sort((a, b) => a[0] - b[0]);
    let at = 0;
    for (const [from, to] of taken) {
      if (from - at >= size) break;
      at = Math.max(at, to);
    }
    if (at + size > TLV_SPACE) throw new PeerError('NXTTMFC_TABLE_FULL', `no ${size} bytes in one piece`);
    return at;
  }

  /** What is not there is not missed. */
  remove(maps: readonly TlvMap[]): void {
    for (const { field } of maps) {
      const map = this.#byField.get(field);
      if (map === undefined) continue;
      this.#byField.delete(field);
      this.#placed.delete(field);
      this.#byOption.delete(map.optionClass * 256 + map.optionType);
    }
  }

  clear(): void {
    this.#byField.clear();
    this.#placed.clear();
    this.#byOption.clear();
  }
}
