// What bodies of messages are made of: ports, properties, matches, actions, frames, each now and then wrong.
import { encodeActions } from '../../src/openflow/codec/actions/action-codec.ts';
import { encodeInstructions } from '../../src/openflow/codec/actions/instruction-codec.ts';
import type { ByteWriter } from '../../src/openflow/codec/bytes.ts';
import { encodeOfp10Match } from '../../src/openflow/codec/fields/ofp10-match.ts';
import { encodeAnyMatch, encodeNxmMatch } from '../../src/openflow/codec/match-codec.ts';
import type { OfVersion } from '../../src/openflow/message.ts';
import { parseActions } from '../../src/openflow/text/action-parse.ts';
import { parseEntries } from '../../src/openflow/text/entries-text.ts';
import { parseFlow } from '../../src/openflow/text/flow-text.ts';
import { actionsText, instructionsText, matchText } from './flow-lines.ts';
import type { Dice } from './random.ts';
import { entriesLine, fixed10, fixed11, wireActions, wireInstructions } from './wire-pieces.ts';

/** Choices and the bytes that they make. */
export interface Draft {
  d: Dice;
  version: OfVersion;
  out: ByteWriter;
}

export type Body = (draft: Draft) => void;

export const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

export const small = (d: Dice, bits: number): number => (d.chance(1, 2) ? d.below(8) : d.number(bits));

export const times = (d: Dice, most: number, make: () => void): void => {
  for (let i = d.below(most + 1); i > 0; i--) make();
};

export const flagBits = (d: Dice, known: number, bits: number): number => (d.chance(4, 5) ? d.u32() & known : d.number(bits));

export const name = (d: Dice): string =>
  d.pick(['eth0', 'br0', 'p 1', '', 'a_b-c', '0x', '"q"', 'a,b', 'sixteen-letters1', '\u00e4\u00f6', 'x(y)']);

/** A port number as a version writes it: mostly one that there may be. */
export function port({ d, version, out }: Draft): void {
  const short = d.pick([1, 2, 7, 0xfeff, 0xfff8, 0xfff9, 0xfffa, 0xfffb, 0xfffc, 0xfffd, 0xfffe, 0xffff, d.below(0x10000)]);
  if (version === 1) out.u16(short);
  else if (d.chance(1, 40)) out.u32(d.u32());
  else out.u32(short >= 0xff00 ? (0xffff0000 + short) >>> 0 : short);
}

/** A property: type, length and body; the length is wrong now and then. `fill` pads it to eights. */
export function property({ d, out }: Draft, type: number, body: () => void, fill = true): void {
  const start = out.size;
  out.u16(type).u16(0);
  body();
  const size = out.size - start;
  out.patch16(start + 2, d.chance(1, 40) ? d.below(size + 9) : size);
  if (fill) out.pad(start, 8);
}

export const unknownProperty = (draft: Draft): void => {
  const { d, out } = draft;
  property(draft, d.pick([0, 5, 20, 0x7fff, 0x8000, 0xfffe, 0xffff]), () => void out.put(d.bytes(d.pick([0, 4, 8, 12, 20]))));
};

/** Properties of kinds given, few unknown. */
export function properties(draft: Draft, most: number, makers: readonly (() => void)[]): void {
  times(draft.d, most, () => (draft.d.chance(1, 30) ? unknownProperty(draft) : draft.d.pick(makers)()));
}

/** Runs a maker of text until its text can be read. */
export function readable<T>(make: () => T, otherwise: T): T {
  for (let i = 0; i < 4; i++) {
    try {
      return make();
    } catch {}
  }
  return otherwise;
}

export function actions({ d, version, out }: Draft): void {
  if (d.chance(1, 8)) out.put(hex(wireActions(d)));
  else if (d.chance(7, 8))
    encodeActions(
      out,
      readable(() => parseActions(actionsText(d), {}), []),
      version,
    );
}

export function instructions({ d, version, out }: Draft): void {
  if (version === 1) {
    actions({ d, version, out });
    return;
  }
  if (d.chance(1, 8)) out.put(hex(wireInstructions(d)));
  else if (d.chance(7, 8))
    encodeInstructions(
      out,
      readable(() => parseFlow(`actions=${instructionsText(d)}`, 'add').actions, []),
      version,
    );
}

export const matchOf = (d: Dice) =>
  readable(() => parseFlow(`${matchText(d)} actions=drop`, 'add').match, parseFlow('actions=drop', 'add').match);

/** Entries from text or from a match. */
export function entries(d: Dice): Uint8Array {
  return readable(() => parseEntries(entriesLine(d, d.chance(5, 6))), new Uint8Array(0));
}

/** A match of 1.1 and later with its envelope. */
export function match({ d, version, out }: Draft): void {
  if (version === 1) {
    d.chance(1, 3) ? out.put(hex(fixed10(d))) : encodeOfp10Match(out, matchOf(d));
    return;
  }
  if (version === 2 && d.chance(1, 3)) {
    out.put(hex(fixed11(d)));
    return;
  }
  if (d.chance(2, 3)) {
    encodeAnyMatch(out, matchOf(d), version);
    return;
  }
  oxm({ d, version, out });
}

/** An OXM match, whatever the version. */
export function oxm({ d, version, out }: Draft): void {
  if (version > 2 && d.chance(1, 2)) {
    encodeAnyMatch(out, matchOf(d), version);
    return;
  }
  const start = out.size;
  const list = entries(d);
  out.u16(d.chance(1, 40) ? d.below(4) : 1).u16(d.chance(1, 40) ? d.below(40) : list.length + 4);
  out.put(list).pad(start, 8);
}

/** NXM entries and padding, and the length in a place kept for it. */
export function nxm({ d, out }: Draft, lengthAt: number): void {
  const start = out.size;
  if (d.chance(1, 2)) {
    out.patch16(lengthAt, encodeNxmMatch(out, matchOf(d), d.chance(1, 4) ? d.bits(64) : 0n, d.chance(1, 4) ? d.bits(64) : 0n));
    return;
  }
  const list = entries(d);
  out.put(list).pad(start, 8);
  out.patch16(lengthAt, d.chance(1, 40) ? d.below(60) : list.length);
}

export function frame(d: Dice): Uint8Array {
  const size = d.pick([0, 14, 20, 42, 60, 64]);
  const bytes = d.bytes(size);
  if (size > 13) {
    const [type, proto] = d.pick([
      [0x800, 6],
      [0x800, 17],
      [0x800, 1],
      [0x806, 0],
      [0x86dd, 58],
      [0x8100, 0],
      [0x8847, 0],
      [5, 0],
    ] as const);
    bytes[12] = type >> 8;
    bytes[13] = type & 0xff;
    if (type === 0x800 && size > 34) bytes.set([0x45, 0, 0, size - 14, 0, 0, 0, 0, 64, proto], 14);
    if (type === 0x86dd && size > 54) bytes.set([0x60, 0, 0, 0, 0, size - 54, proto, 64], 14);
  }
  return bytes;
}

export const u64 = (d: Dice): bigint => (d.chance(1, 6) ? 0xffffffffffffffffn : d.bits(64));
