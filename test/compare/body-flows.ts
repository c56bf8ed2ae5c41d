// Bodies about flows and packets: see message-bodies.ts.
import { FIELDS, mustField } from '../../src/flow/fields.ts';
import { encodeFieldHeader } from '../../src/openflow/codec/fields/oxm.ts';
import {
  actions,
  type Draft,
  entries,
  flagBits,
  frame,
  instructions,
  match,
  nxm,
  oxm,
  port,
  property,
  small,
  times,
  u64,
  unknownProperty,
} from './body-pieces.ts';

const PIPELINE = FIELDS.filter(
  ({ name, codes }) => codes.length > 0 && /^(?:tun_(?!metadata).*|metadata|x{0,2}reg\d+|packet_type|pkt_mark)$/.test(name),
);

/** Statistics of OpenFlow 1.5. */
export function oxs({ d, out }: Draft): void {
  const start = out.size;
  out.u16(0).u16(0);
  times(d, 4, () => {
    const [number, size] = d.pick([
      [0, 8],
      [1, 8],
      [3, 4],
      [4, 8],
      [5, 8],
      [2, 4],
      [9, 4],
    ] as const);
    const hasClass = d.chance(1, 30) ? 0x8000 : 0x8002;
    out
      .u16(hasClass)
      .u8((number << 1) | (d.chance(1, 30) ? 1 : 0))
      .u8(d.chance(1, 30) ? d.below(12) : size)
      .put(d.bytes(size));
  });
  out.patch16(start + 2, d.chance(1, 40) ? d.below(40) : out.size - start);
  out.pad(start, 8);
}

export function flowMod(draft: Draft): void {
  const { d, version, out } = draft;
  const delivery = (): void =>
    void out
      .u16(small(d, 16))
      .u16(small(d, 16))
      .u16(d.chance(1, 2) ? 0x8000 : d.number(16))
      .u32(d.chance(3, 4) ? 0xffffffff : d.number(32));
  if (version === 1) {
    match(draft);
    out.u64(d.chance(1, 2) ? 0n : u64(d)).u16(d.chance(1, 20) ? d.number(16) : (d.chance(1, 2) ? 0 : d.below(255) << 8) | d.below(5));
    delivery();
    out.u16(d.chance(1, 2) ? 0xffff : small(d, 16)).u16(flagBits(d, 3, 16));
    actions(draft);
    return;
  }
  out.u64(d.chance(1, 2) ? 0n : u64(d)).u64(d.chance(1, 2) ? 0n : u64(d));
  out.u8(small(d, 8)).u8(d.chance(1, 20) ? 9 : d.below(5));
  delivery();
  if (d.chance(1, 2)) out.u32(0xffffffff);
  else port(draft);
  out
    .u32(d.chance(2, 3) ? 0xffffffff : small(d, 32))
    .u16(flagBits(d, version < 4 ? 3 : 31, 16))
    .u16(version >= 5 ? small(d, 16) : 0);
  match(draft);
  instructions(draft);
}

/** A match of what a packet may have beside its headers, mostly with the port that it came by. */
function pipelineMatch({ d, version, out }: Draft): void {
  const start = out.size;
  out.u16(1).u16(0);
  if (d.chance(7, 8)) {
    encodeFieldHeader(out, mustField('in_port_oxm'), version);
    port({ d, version, out });
  }
  times(d, 3, () => {
    const field = d.pick(PIPELINE);
    const isMasked = field.maskable && d.chance(1, 3);
    encodeFieldHeader(out, field, version, isMasked);
    const value = d.bytes(field.wireBytes);
    if (d.chance(1, 2)) value.fill(0, 0, field.wireBytes - 1);
    out.put(value);
    if (isMasked) out.put(d.chance(1, 2) ? new Uint8Array(field.wireBytes).fill(255) : value);
  });
  out.patch16(start + 2, out.size - start);
  out.pad(start, 8);
}

export function packetOut(draft: Draft): void {
  const { d, version, out } = draft;
  out.u32(d.chance(3, 4) ? 0xffffffff : d.number(32));
  let at = out.size;
  if (version === 6) {
    out.u16(0).u16(0);
    if (d.chance(1, 4)) match(draft);
    else pipelineMatch(draft);
  } else {
    port(draft);
    at = out.size;
    out.u16(0);
    if (version > 1) out.zeros(6);
  }
  const start = out.size;
  actions(draft);
  out.patch16(at, d.chance(1, 40) ? d.below(60) : out.size - start);
  out.put(frame(d));
}

/** A packet-in's properties, of Nicira's second form. */
export function packetProperties(draft: Draft, resume: boolean): void {
  const { d, version, out } = draft;
  const prop = (type: number, body: () => void): void => property(draft, type, body);
  const all: readonly (() => void)[] = [
    () => prop(0, () => void out.put(frame(d))),
    () => prop(1, () => void out.u32(small(d, 32))),
    () => prop(2, () => void out.u32(small(d, 32))),
    () => prop(3, () => void out.u8(small(d, 8))),
    () => prop(4, () => void out.u32(0).u64(u64(d))),
    () => prop(5, () => void out.u8(d.below(10))),
    () => prop(6, () => void out.put(entries(d))),
    () => prop(7, () => void out.put(d.bytes(d.below(20)))),
    () => prop(8, () => continuation(draft)),
  ];
  const usual = resume ? [0, 6, 8] : [0, 3, 4, 5, 6, 7];
  for (const type of usual) if (d.chance(5, 6)) all[type]?.();
  times(d, 1, d.pick(all));
  if (version > 0 && d.chance(1, 30)) unknownProperty(draft);
}

/** What a paused packet has to go on with: the switch's own properties. */
export function continuation(draft: Draft): void {
  const { d, out, version } = draft;
  const prop = (type: number, body: () => void): void => property(draft, type, body);
  out.u32(0);
  const all: readonly (() => void)[] = [
    () => prop(0x8000, () => void out.put(d.bytes(16))),
    () => prop(0x8001, () => void out.put(d.bytes(d.below(24)))),
    () => prop(0x8002, () => void out.u32(small(d, 32))),
    () => prop(0x8003, () => {}),
    () => prop(0x8004, () => void out.u8(small(d, 8))),
    () => prop(0x8005, () => void out.u32(0).u64(u64(d))),
    () =>
      prop(0x8006, () => {
        out.u32(0);
        actions({ d, version: 1, out });
      }),
    () =>
      prop(0x8007, () => {
        out.u32(0);
        actions({ d, version, out });
      }),
    () => prop(0x8008, () => void out.u32(small(d, 32))),
  ];
  if (d.chance(9, 10)) all[0]?.();
  for (const make of all.slice(1)) if (d.chance(1, 3)) make();
}

export function flowStats({ d, version, out }: Draft, nx: boolean): void {
  const draft = { d, version, out };
  times(d, 2, () => {
    const start = out.size;
    if (version === 6) {
      out
        .u16(0)
        .u16(0)
        .u8(small(d, 8))
        .u8(0)
        .u16(d.chance(1, 2) ? 0x8000 : d.number(16))
        .u16(small(d, 16))
        .u16(small(d, 16));
      out
        .u16(flagBits(d, 31, 16))
        .u16(small(d, 16))
        .u64(u64(d));
      match(draft);
      oxs(draft);
      instructions(draft);
    } else {
      out.u16(0).u8(small(d, 8)).u8(0);
      if (version === 1 && !nx) match(draft);
      out
        .u32(small(d, 32))
        .u32(d.below(1e9))
        .u16(d.chance(1, 2) ? 0x8000 : d.number(16))
        .u16(small(d, 16))
        .u16(small(d, 16));
      if (version === 1 && !nx) out.zeros(6);
      const at = out.size;
      if (nx) out.u16(0).u16(small(d, 16)).u16(small(d, 16));
      if (version > 1)
        out
          .u16(flagBits(d, version < 4 ? 0 : 31, 16))
          .u16(version >= 5 ? small(d, 16) : 0)
          .u16(0);
      out.u64(u64(d)).u64(u64(d)).u64(u64(d));
      if (nx) nxm(draft, at);
      else if (version > 1) match(draft);
      if (nx || version === 1) actions(draft);
      else instructions(draft);
    }
    out.patch16(start, d.chance(1, 40) ? d.below(90) : out.size - start);
  });
}

export function flowRequest(draft: Draft): void {
  const { d, version, out } = draft;
  if (version === 1) {
    match(draft);
    out.u8(d.chance(1, 2) ? 255 : small(d, 8)).u8(0);
    port(draft);
    return;
  }
  out.u8(d.chance(1, 2) ? 255 : small(d, 8)).zeros(3);
  if (d.chance(1, 2)) out.u32(0xffffffff);
  else port(draft);
  out
    .u32(d.chance(2, 3) ? 0xffffffff : small(d, 32))
    .u32(0)
    .u64(u64(d))
    .u64(d.chance(1, 2) ? 0n : u64(d));
  match(draft);
}

export function nxFlowRequest(draft: Draft): void {
  const { d, out } = draft;
  out.u16(d.chance(1, 2) ? 0xffff : small(d, 16));
  const at = out.size;
  out
    .u16(0)
    .u8(d.chance(1, 2) ? 255 : small(d, 8))
    .zeros(3);
  nxm(draft, at);
}

export function monitorRequests(draft: Draft): void {
  const { d, version, out } = draft;
  times(d, 2, () => {
    out.u32(small(d, 32));
    if (version >= 5) {
      port(draft);
      out
        .u32(d.chance(2, 3) ? 0xffffffff : small(d, 32))
        .u16(flagBits(d, 0x7f, 16))
        .u8(d.chance(1, 2) ? 255 : small(d, 8))
        .u8(d.chance(1, 20) ? 5 : d.below(3));
      return oxm(draft);
    }
    out.u16(flagBits(d, 0x3f, 16));
    if (version === 4) {
      const at = out.size;
      out.u16(0);
      port(draft);
      out.u8(d.chance(1, 2) ? 255 : small(d, 8)).zeros(3);
      const start = out.size;
      oxm(draft);
      out.patch16(at, out.size - start);
      return;
    }
    port({ d, version: 1, out });
    const at = out.size;
    out
      .u16(0)
      .u8(d.chance(1, 2) ? 255 : small(d, 8))
      .zeros(5);
    nxm(draft, at);
  });
}

export function monitorUpdates(draft: Draft): void {
  const { d, version, out } = draft;
  times(d, 3, () => {
    const start = out.size;
    const event = d.below(version >= 5 ? 8 : 5);
    out.u16(0).u16(event);
    if (version >= 5 ? event >= 4 : event === 3) out.u32(d.number(32));
    else if (version >= 5) {
      out.u8(small(d, 8)).u8(d.below(8)).u16(small(d, 16)).u16(small(d, 16)).u16(d.number(16)).u32(0).u64(u64(d));
      oxm(draft);
      if (d.chance(1, 2)) instructions(draft);
    } else {
      out.u16(d.below(8)).u16(d.number(16)).u16(small(d, 16)).u16(small(d, 16));
      const at = out.size;
      out.u16(0).u8(small(d, 8)).u8(0).u64(u64(d));
      if (version < 4) {
        nxm(draft, at);
        actions(draft);
      } else {
        const matchAt = out.size;
        oxm(draft);
        out.patch16(at, out.size - matchAt);
        instructions(draft);
      }
    }
    out.patch16(start, d.chance(1, 40) ? d.below(90) : out.size - start);
  });
}

export const flowRemovedBody = (draft: Draft): void => {
  const { d, version, out } = draft;
  if (version === 1) {
    match(draft);
    out
      .u64(u64(d))
      .u16(d.number(16))
      .u8(d.below(7))
      .u8(0)
      .u32(small(d, 32))
      .u32(d.below(1e9))
      .u16(small(d, 16))
      .u16(0)
      .u64(u64(d))
      .u64(u64(d));
  } else if (version === 6) {
    out.u8(small(d, 8)).u8(d.below(8)).u16(d.number(16)).u16(small(d, 16)).u16(small(d, 16)).u64(u64(d));
    match(draft);
    oxs(draft);
  } else {
    out
      .u64(u64(d))
      .u16(d.number(16))
      .u8(d.below(7))
      .u8(small(d, 8))
      .u32(small(d, 32))
      .u32(d.below(1e9))
      .u16(small(d, 16))
      .u16(small(d, 16))
      .u64(u64(d))
      .u64(u64(d));
    match(draft);
  }
};

export const packetIn = (draft: Draft): void => {
  const { d, version, out } = draft;
  const data = frame(d);
  out.u32(d.chance(2, 3) ? 0xffffffff : d.number(32));
  const length = (): number => (d.chance(2, 3) ? data.length : d.number(16));
  const reason = d.below(9);
  if (version === 1) {
    out.u16(length());
    port(draft);
    out.u8(reason).u8(0);
  } else if (version === 2) {
    port(draft);
    port(draft);
    out.u16(length()).u8(reason).u8(small(d, 8));
  } else {
    out.u16(length()).u8(reason).u8(small(d, 8));
    if (version >= 4) out.u64(u64(d));
    oxm(draft);
    out.u16(0);
  }
  out.put(data);
};
