// Matches and actions of statistics as a switch tells them: by the shapes of matches, and with the bytes of lists of actions written lately.
// What has no shape is written the long way, and a shape learned from it.
import { type Match, newKey, W } from '../../../flow/key.ts';
import { type PackedMask, type PackedMatch, unpackInto } from '../../../flow/mask.ts';
import { ETH } from '../../../flow/prerequisites.ts';
import type { Action } from '../../action.ts';
import type { OfVersion } from '../../message.ts';
import { encodeActions } from '../actions/action-codec.ts';
import type { ActionContext } from '../actions/action-context.ts';
import { encodeInstructions } from '../actions/instruction-codec.ts';
import type { ByteWriter } from '../bytes.ts';
import { encodeMatchEntries, encodeOxmMatch } from '../fields/oxm.ts';
import { isShared } from './known-instructions.ts';
import { MatchShape } from './match-shape.ts';

/** Shapes of one mask in one format, and the size up to which a match has one. */
const MAX_SHAPES = 32;
const MAX_SHAPE_SIZE = 256;
const MAX_LISTS = 1024;
/** In the place of a version, for NXM without an envelope. */
const NXM = 0;

interface Shapes {
  list: MatchShape[];
  next: number;
}

const shapesOf = new WeakMap<PackedMask, (Shapes | undefined)[]>();
const scratch: Match = { key: newKey(), mask: newKey() };

function find(packed: PackedMatch, format: number): MatchShape | undefined {
  const list = shapesOf.get(packed.mask)?.[format]?.list;
  if (list === undefined) return undefined;
  for (let i = 0; i < list.length; i++) if (list[i]!.suits(packed.values)) return list[i];
  return undefined;
}

function learn(out: ByteWriter, start: number, entriesAt: number, entriesSize: number, packed: PackedMatch, format: number): void {
  const size = out.size - start;
  if (size > MAX_SHAPE_SIZE) return;
  const shape = MatchShape.learn(out.bytes, start, size, entriesAt, entriesSize, packed);
  if (shape === undefined) return;
  let formats = shapesOf.get(packed.mask);
  if (formats === undefined) {
    formats = [];
    shapesOf.set(packed.mask, formats);
  }
  formats[format] ??= { list: [], next: 0 };
  const shapes = formats[format];
  if (shapes.list.length < MAX_SHAPES) shapes.list.push(shape);
  else shapes.list[shapes.next++ % MAX_SHAPES] = shape;
}

/** Writes an OXM match with its envelope and padding. */
export function encodePackedOxm(out: ByteWriter, packed: PackedMatch, version: OfVersion): void {
  const shape = find(packed, version);
  if (shape !== undefined) {
    const at = out.place(shape.size);
    shape.write(out.bytes, at, packed.values);
    return;
  }
  const start = out.size;
  encodeOxmMatch(out, unpackInto(scratch, packed), version);
  learn(out, start, 4, ((out.bytes[start + 2]! << 8) | out.bytes[start + 3]!) - 4, packed, version);
}

/** Writes NXM entries and padding; gives their length without it. */
export function encodePackedNxm(out: ByteWriter, packed: PackedMatch): number {
  const shape = find(packed, NXM);
  if (shape !== undefined) {
    const at = out.place(shape.size);
    shape.write(out.bytes, at, packed.values);
    return shape.entriesSize;
  }
  const start = out.size;
  encodeMatchEntries(out, unpackInto(scratch, packed), 1);
  const length = out.size - start;
  out.pad(start, 8);
  learn(out, start, 0, length, packed, NXM);
  return length;
}

/** What the encoder of actions must know of a match. */
export function contextOfPacked({ mask: { words, bits }, values }: PackedMatch): ActionContext {
  let transport = -1;
  let type = -1;
  let packetType = 0;
  let hasVlan = false;
  for (let i = 0; i < words.length; i++) {
    if (words[i] === W.TYPE) {
      if ((bits[i]! & 0xff) === 0xff) transport = values[i]! & 0xff;
      if (bits[i]! >>> 16 === 0xffff) type = values[i]! >>> 16;
    } else if (words[i] === W.PACKET_TYPE) packetType = (values[i]! & bits[i]!) >>> 0;
    else if (words[i] === W.VLAN0) hasVlan = (values[i]! & bits[i]! & 0x1000) !== 0;
  }
  if (packetType !== 0) type = packetType >>> 16 === 1 ? packetType & 0xffff : -1;
  return { transport, isIp: type === ETH.IPV4 || type === ETH.IPV6, isBare: packetType !== 0, hasVlan };
}

interface Written {
  version: OfVersion;
  context: ActionContext;
  bytes: Uint8Array;
}

/** Whether two matches are the same to the encoder of actions. */
const isSame = (a: ActionContext, b: ActionContext): boolean =>
  a.transport === b.transport && a.hasVlan === b.hasVlan && a.isIp === b.isIp && a.isBare === b.isBare;

/** Lists written lately. Lists never change, and those of many flows are one. */
const written = new Map<readonly Action[], Written>();

/** Writes what a flow does, as its version has it: a list of actions, or instructions. */
export function encodeKnownActions(
  out: ByteWriter,
  actions: readonly Action[],
  version: OfVersion,
  isList: boolean,
  context: ActionContext,
): void {
  if (!isShared(actions)) {
    if (isList) encodeActions(out, actions, version, context);
    else encodeInstructions(out, actions, version, context);
    return;
  }
  const known = written.get(actions);
  if (known !== undefined && known.version === version && isSame(known.context, context)) {
    out.put(known.bytes);
    return;
  }
  const start = out.size;
  const before = { ...context };
  if (isList) encodeActions(out, actions, version, context);
  else encodeInstructions(out, actions, version, context);
  if (written.size >= MAX_LISTS) written.clear();
  written.set(actions, { version, context: before, bytes: out.bytes.slice(start, out.size) });
}
