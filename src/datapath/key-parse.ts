// A datapath flow's text as key and mask, the other way round from `key-text.ts`: what `ovs-dpctl add-flow`, `netdev-dummy/receive` and
// filters take. First come the attributes, one after the other as they stand there (`attribute-parse.ts`), then what they say of a frame.
import { type Key, newKey, setKeyBits, TUN_FLAG, VLAN_CFI, W } from '../flow/key.ts';
import { type AttributeOptions, type KeyAttribute, parseAttributes } from './attribute-parse.ts';
import { type FieldPlace, FLAGS, GROUPS, SINGLE } from './key-groups.ts';

export interface ParseOptions extends AttributeOptions {
  /** How many VLAN tags are told. */
  vlanLimit: number;
}

export interface ParsedKey {
  key: Key;
  mask: Key;
  /** What the text is made of, in its order. */
  attributes: readonly KeyAttribute[];
  /** Names of the groups that were there, those within `encap` too. */
  groups: Set<string>;
  /** A tag was there with nothing behind it. */
  encapsIsEmpty: boolean;
}

/** Puts attributes into a key, each where it belongs. */
class KeyWriter {
  readonly key = newKey();
  readonly mask = newKey();
  readonly groups = new Set<string>();
  readonly #vlanLimit: number;
  #depth = 0;
  encapsIsEmpty = false;

  constructor(vlanLimit: number) {
    this.#vlanLimit = vlanLimit;
  }

  #put(place: FieldPlace, [value, mask]: readonly [bigint, bigint]): void {
    setKeyBits(this.key, place.at, place.bits, value);
    setKeyBits(this.mask, place.at, place.bits, mask);
  }

  write(attributes: readonly KeyAttribute[]): void {
    for (const attribute of attributes) this.#attribute(attribute);
  }

  #attribute(attribute: KeyAttribute): void {
    const { group, fields, inner } = attribute;
    if (group !== 'encap' && group !== 'vlan') this.groups.add(group);
    if (group === 'vlan') this.#vlan(attribute);
    if (group === 'mpls') this.#mpls(attribute);
    if (inner !== undefined) {
      this.encapsIsEmpty ||= this.#depth === 0 && inner.length === 0;
      // A tag beyond the limit is payload.
      if (++this.#depth <= this.#vlanLimit) this.write(inner);
      this.#depth--;
    }
    if (group === 'vlan' || group === 'mpls' || inner !== undefined) return;
    const single = SINGLE.get(group) ?? FLAGS.get(group)?.place;
    const places = GROUPS.get(group);
    for (const [name, field] of fields) {
      const place = single ?? (name === 'flags' ? FLAGS.get('flags')!.place : places?.[name]);
      if (place !== undefined) this.#put(place, field);
    }
    if (group === 'arp') this.#arp(attribute);
    if (group === 'tunnel') this.#tunnel(attribute);
  }

  /** An operation has 16 bits, and the key's upper ones are those of a fragment's kind. */
  #arp({ fields }: KeyAttribute): void {
    const [value, mask] = fields.get('op') ?? [0n, 0n];
    this.#put({ at: W.TYPE * 32 + 16, bits: 16, kind: 'number' }, [value & 255n, mask & 255n]);
  }

  #tunnel({ fields, extras }: KeyAttribute): void {
    const flags = Number(fields.get('flags')?.[0] ?? 0n);
    // That there is an id is a flag.
    const key = fields.has('tun_id') ? TUN_FLAG.KEY : 0;
    const word = this.key[W.TUN_FLAGS]!;
    this.key[W.TUN_FLAGS] = ((((flags & ~TUN_FLAG.KEY) | key) << 16) | (word & 0xffff)) >>> 0;
    if (key === 0) this.mask[W.TUN_FLAGS] = (this.mask[W.TUN_FLAGS]! & ~(TUN_FLAG.KEY << 16)) >>> 0;
    else this.mask[W.TUN_FLAGS] = (this.mask[W.TUN_FLAGS]! | (key << 16)) >>> 0;
    const options = extras?.options;
    if (options === undefined) return;
    let at = W.TUN_METADATA;
    for (const { header, value, mask } of options) {
      const words = header & 0x1f;
      this.key[at] = header;
      this.mask[at] = 0xffffffff;
      setKeyBits(this.key, (at + 1) * 32, words * 32, value);
      setKeyBits(this.mask, (at + 1) * 32, words * 32, mask);
      at += 1 + words;
    }
    this.key[W.TUN_METADATA_MAP] = (at - W.TUN_METADATA) * 4;
    this.mask[W.TUN_METADATA_MAP] = 0xffffffff;
  }

  /** The type before a tag is the tag's; what `encap` holds comes after it. */
  #vlan({ fields }: KeyAttribute): void {
    if (this.#depth >= this.#vlanLimit) return;
    const word = this.#depth === 0 ? W.VLAN0 : W.VLAN1;
    this.key[word] = VLAN_CFI;
    this.mask[word] = VLAN_CFI;
    for (const [name, field] of fields) {
      const place = GROUPS.get('vlan')![name]!;
      this.#put({ ...place, at: place.at + (word - W.VLAN0) * 32 }, field);
    }
    this.key[word] = ((this.key[W.TYPE]! & 0xffff0000) | this.key[word]!) >>> 0;
    this.mask[word] = (0xffff0000 | this.mask[word]!) >>> 0;
    this.key[W.TYPE] = this.key[W.TYPE]! & 0xffff;
    this.mask[W.TYPE] = this.mask[W.TYPE]! & 0xffff;
    this.groups.add(this.#depth === 0 ? 'vlan' : 'cvlan');
  }

  #mpls({ entries = [] }: KeyAttribute): void {
    for (const [i, entry] of entries.entries()) {
      for (const [name, field] of entry) {
        const place = GROUPS.get('mpls')![name]!;
        this.#put({ ...place, at: place.at + i * 32 }, field);
      }
    }
  }
}

/** The key and mask that the text says, or the error text as the reference words it. */
export function parseDpKey(text: string, options: ParseOptions): ParsedKey | string {
  const attributes = parseAttributes(text, options);
  if (typeof attributes === 'string') return attributes;
  return keyOf(attributes, options.vlanLimit);
}

/** The key and mask that some attributes say. */
export function keyOf(attributes: readonly KeyAttribute[], vlanLimit: number): ParsedKey {
  const writer = new KeyWriter(vlanLimit);
  writer.write(attributes);
  const { key, mask, groups, encapsIsEmpty } = writer;
  return { key, mask, attributes, groups, encapsIsEmpty };
}
