// Bodies about groups and meters: see message-bodies.ts.
import { FIELDS } from '../../src/flow/fields.ts';
import { encodeFieldHeader } from '../../src/openflow/codec/fields/oxm.ts';
import { actions, type Draft, flagBits, port, properties, property, small, times } from './body-pieces.ts';
import type { Dice } from './random.ts';

export function buckets(draft: Draft): void {
  const { d, version, out } = draft;
  times(d, 2, () => {
    const start = out.size;
    if (version !== 1 && version !== 6) {
      out.u16(0).u16(d.chance(1, 2) ? 0 : small(d, 16));
      if (d.chance(2, 3)) out.u32(0xffffffff);
      else port(draft);
      out.u32(d.chance(2, 3) ? 0xffffffff : small(d, 32)).u32(0);
      actions(draft);
    } else {
      out
        .u16(0)
        .u16(0)
        .u32(d.chance(5, 6) ? d.below(9) : d.number(32));
      const at = out.size;
      actions(draft);
      out.patch16(start + 2, out.size - at);
      properties(draft, 3, [
        () => property(draft, 0, () => void out.u16(small(d, 16)).u16(0)),
        () => property(draft, 1, () => port({ d, version: 6, out })),
        () => property(draft, 2, () => void out.u32(small(d, 32))),
      ]);
    }
    out.patch16(start, d.chance(1, 40) ? d.below(70) : out.size - start);
  });
}

export const HASHABLE = FIELDS.filter((field) => field.codes.length > 0 && !field.name.startsWith('tun_metadata'));

export function groupProperties(draft: Draft): void {
  const { d, version, out } = draft;
  properties(draft, 1, [
    () =>
      property(draft, 0xffff, () => {
        out
          .u32(d.chance(1, 20) ? 0x2320 : 0x154d)
          .u32(d.chance(1, 20) ? 2 : 1)
          .u32(0);
        out.text(d.pick(['hash', 'hash', 'dp_hash', 'other', '']), 16).u64(d.chance(1, 2) ? 0n : d.bits(64));
        times(d, 3, () => {
          const field = d.pick(HASHABLE);
          encodeFieldHeader(out, field, version, d.chance(1, 20));
          out.put(d.chance(1, 2) ? new Uint8Array(field.wireBytes).fill(255) : d.bytes(field.wireBytes));
        });
      }),
  ]);
}

export function groupMod(draft: Draft): void {
  const { d, version, out } = draft;
  const command = d.pick([0, 1, 2, 3, 5, 0x8000, d.below(8)]);
  out
    .u16(command)
    .u8(d.chance(1, 20) ? 9 : d.below(4))
    .u8(0)
    .u32(d.chance(1, 2) ? d.below(99) : d.number(32));
  if (version !== 1 && version !== 6) {
    buckets(draft);
    return;
  }
  const at = out.size;
  out
    .u16(0)
    .u16(0)
    .u32(d.pick([0xffffffff, 0xffffffff, 0xfffffffd, 0xfffffffe, 5, d.u32()]));
  const start = out.size;
  if (command !== 5 || d.chance(1, 9)) buckets(draft);
  out.patch16(at, out.size - start);
  groupProperties(draft);
}

export function bands({ d, out }: Draft): void {
  times(d, 2, () => {
    const type = d.pick([1, 1, 2, 2, 3, 0xffff]);
    out
      .u16(type)
      .u16(d.chance(1, 30) ? d.below(32) : 16)
      .u32(d.number(32))
      .u32(small(d, 32))
      .u32(type === 2 ? small(d, 8) << 24 : 0);
  });
}

export const meterNumber = (d: Dice): number => d.pick([1, 5, 0, 0xffff0000, 0xffff0001, 0xfffffffd, 0xfffffffe, 0xffffffff, d.u32()]);

export function meterConfig(draft: Draft): void {
  const { d, out } = draft;
  const start = out.size;
  out
    .u16(0)
    .u16(flagBits(d, 15, 16))
    .u32(meterNumber(d));
  bands(draft);
  out.patch16(start, d.chance(1, 40) ? d.below(50) : out.size - start);
}

export function meterMod(draft: Draft): void {
  const { d, out } = draft;
  out
    .u16(d.chance(1, 20) ? 7 : d.below(3))
    .u16(flagBits(d, 15, 16))
    .u32(meterNumber(d));
  bands(draft);
}
