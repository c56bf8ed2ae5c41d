// Bodies about ports, queues, tables, and the connection: see message-bodies.ts.
import { FIELDS } from '../../src/flow/fields.ts';
import { encodeFieldHeader } from '../../src/openflow/codec/fields/oxm.ts';
import { errorCode, errorNames } from '../../src/openflow/errors.ts';
import { type Draft, flagBits, name, port, properties, property, small, times, u64 } from './body-pieces.ts';

/** A port's description. */
export function portDesc(draft: Draft): void {
  const { d, version, out } = draft;
  const start = out.size;
  port(draft);
  const lengthAt = out.size;
  if (version >= 5) out.u16(0).u16(0);
  else if (version > 1) out.u32(0);
  out.put(d.bytes(6));
  if (version > 1) out.u16(0);
  const text = Buffer.from(name(d), 'latin1');
  out.put(text.subarray(0, 16)).zeros(16 - Math.min(16, text.length));
  out.u32(flagBits(d, 0x7f, 32)).u32(flagBits(d, version === 1 ? 0x301 : 7, 32));
  const speeds = (): void => {
    for (let i = 0; i < 4; i++) out.u32(flagBits(d, 0xffff, 32));
    if (version > 1) out.u32(d.number(32)).u32(d.number(32));
  };
  if (version < 5) {
    speeds();
    return;
  }
  properties(draft, 2, [
    () =>
      property(draft, 0, () => {
        out.u32(0);
        speeds();
      }),
    () =>
      property(draft, 0, () => {
        out.u32(0);
        speeds();
      }),
    () => property(draft, 1, () => void out.put(d.bytes(36))),
    () => property(draft, 0xffff, () => void out.u32(0x2320).u32(d.below(3)).put(d.bytes(8))),
  ]);
  out.patch16(lengthAt, d.chance(1, 40) ? d.below(90) : out.size - start);
}

export function tableDesc(draft: Draft): void {
  const { d, out } = draft;
  const start = out.size;
  out
    .u16(0)
    .u8(small(d, 8))
    .u8(0)
    .u32(flagBits(d, 0xc, 32));
  tableProperties(draft);
  out.patch16(start, d.chance(1, 40) ? d.below(40) : out.size - start);
}

export function tableProperties(draft: Draft): void {
  const { d, out } = draft;
  properties(draft, 2, [
    () => property(draft, 2, () => void out.u32(flagBits(d, 7, 32))),
    () =>
      property(
        draft,
        3,
        () =>
          void out
            .u8(d.below(110))
            .u8(d.below(110))
            .u8(d.chance(1, 2) ? 0 : d.below(101))
            .u8(0),
      ),
  ]);
}

export function tlvMaps({ d, out }: Draft): void {
  times(
    d,
    3,
    () =>
      void out
        .u16(d.number(16))
        .u8(d.number(8))
        .u8(d.chance(1, 9) ? d.number(8) : 4 * (1 + d.below(31)))
        .u16(d.chance(1, 20) ? 64 : d.below(64))
        .u16(0),
  );
}

export function tableFeatures(draft: Draft): void {
  const { d, version, out } = draft;
  const start = out.size;
  out.u16(0).u8(small(d, 8));
  if (version === 6) out.u8(d.chance(1, 2) ? 0 : d.below(5)).u32(flagBits(d, 15, 32));
  else out.zeros(5);
  out
    .text(d.pick(['classifier', '', 'table 1', 'a'.repeat(31)]), 32)
    .u64(u64(d))
    .u64(u64(d))
    .u32(flagBits(d, 0xf, 32))
    .u32(d.number(32));
  const fields = (): void =>
    times(d, 5, () => encodeFieldHeader(out, d.pick(FIELDS.filter((f) => f.codes.length > 0)), version, d.chance(1, 3)));
  const ids = (limit: number): void => times(d, 6, () => void out.u16(d.chance(1, 20) ? 0xffff : d.below(limit)).u16(4));
  const all = version >= 6 ? 23 : 16;
  const pick = (): void => {
    const type = d.chance(1, 40) ? d.pick([16, 17, 9, 11, 0xfffe]) : d.below(all);
    property(draft, type, () => {
      if (type <= 1) ids(8);
      else if (type <= 3) out.put(d.bytes(d.below(9)));
      else if (type <= 7) ids(30);
      else fields();
    });
  };
  if (d.chance(1, 4)) times(d, 3, pick);
  // All that must be there.
  else
    for (const type of [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 14, 15].filter(() => d.chance(29, 30)))
      property(draft, type, () => {
        if (type <= 1) ids(8);
        else if (type <= 3) out.put(Uint8Array.from({ length: d.below(5) }, (_, i) => 9 * i));
        else if (type <= 7) ids(27);
        else fields();
      });
  out.patch16(start, d.chance(1, 60) ? d.below(200) : out.size - start);
}

export function queueRates(draft: Draft): void {
  const { d, version, out } = draft;
  times(d, 2, () => {
    const type = d.chance(1, 20) ? d.pick([0, 3, 0xffff]) : 1 + d.below(2);
    const rate = d.chance(1, 4) ? 0xffff : d.below(1100);
    if (version >= 5) property(draft, type, () => void out.u16(rate).u16(0));
    else
      out
        .u16(type)
        .u16(d.chance(1, 40) ? d.below(24) : 16)
        .u32(0)
        .u16(rate)
        .zeros(6);
  });
}

export function queueConfigs(draft: Draft): void {
  const { d, version, out } = draft;
  times(d, 3, () => {
    const start = out.size;
    if (version >= 5) port(draft);
    out.u32(small(d, 32));
    if (version >= 3 && version < 5) port(draft);
    const at = out.size;
    out.u16(0).zeros(version <= 2 ? 2 : 6);
    queueRates(draft);
    out.patch16(at, d.chance(1, 40) ? d.below(60) : out.size - start);
  });
}

export function portMod(draft: Draft): void {
  const { d, version, out } = draft;
  port(draft);
  if (version > 1) out.u32(0);
  out.put(d.bytes(6));
  if (version > 1) out.u16(0);
  out.u32(flagBits(d, 0x65, 32)).u32(flagBits(d, 0x65, 32));
  if (version < 5) {
    out.u32(flagBits(d, 0xffff, 32)).u32(0);
    return;
  }
  properties(draft, 2, [
    () => property(draft, 0, () => void out.u32(flagBits(d, 0xffff, 32))),
    () => property(draft, 1, () => void out.put(d.bytes(20))),
  ]);
}

export function asyncMasks(draft: Draft): void {
  const { d, out } = draft;
  properties(
    draft,
    6,
    Array.from({ length: 13 }, (_, type) => () => property(draft, type, () => void out.u32(flagBits(d, 0x1f, 32)), false)),
  );
}

export function ctTuple(draft: Draft): void {
  const { d, out } = draft;
  out.u32(0);
  const address = (): void => void (d.chance(1, 2) ? out.zeros(10).u16(0xffff).put(d.bytes(4)) : out.put(d.bytes(16)));
  properties(draft, 5, [
    () => property(draft, 0, address),
    () => property(draft, 1, address),
    () => property(draft, 2, () => void out.u16(small(d, 16))),
    () => property(draft, 3, () => void out.u16(small(d, 16))),
    () => property(draft, 4, () => void out.u16(small(d, 16))),
    () => property(draft, 5, () => void out.u8(small(d, 8))),
    () => property(draft, 6, () => void out.u8(small(d, 8))),
  ]);
}

export function roleStatus({ d, out }: Draft): void {
  out
    .u32(d.chance(1, 10) ? d.number(32) : d.below(4))
    .u8(d.below(5))
    .zeros(3)
    .u64(u64(d));
}

export function errorBody({ d, version, out }: Draft): void {
  const code = errorCode(version, d.pick(errorNames()));
  if (code === undefined || code === 'unknown' || d.chance(1, 20)) out.u16(d.below(20)).u16(d.below(20));
  else if (code.vendor === 0) out.u16(code.type).u16(code.code);
  else if (version <= 2) out.u16(0xb0c2).u16(0).u32(code.vendor).u16(code.type).u16(code.code);
  else out.u16(0xffff).u16(code.type).u32(code.vendor);
  if (d.chance(1, 3)) out.put(Buffer.from(d.pick(['hello', 'Unsupported version\n', '\u00e4\u0000b', 'a\\b\t'])));
  else if (d.chance(1, 2))
    out
      .u8(version)
      .u8(d.below(30))
      .u16(8 + d.below(3))
      .u32(7);
  else out.put(d.bytes(d.below(40)));
}
