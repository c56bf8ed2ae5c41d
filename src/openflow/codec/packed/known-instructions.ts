// Instructions met lately, as bytes and as actions: thousands of flows do the same few things. Who gets such a list must not change it.
//
// Only what comes a second time is kept, and only what its bytes alone say: not what names an option of the TLV table, and not
// what the log is told of each time.
import { type Field, tunFieldIndex } from '../../../flow/fields.ts';
import type { Action } from '../../action.ts';
import type { OfVersion } from '../../message.ts';
import { deprecatedRead } from '../actions/action-forms.ts';

const SLOTS = 1024;
const MAX_SIZE = 512;

interface Known {
  version: OfVersion;
  bytes: Uint8Array;
  actions: Action[];
}

const known: (Known | undefined)[] = new Array(SLOTS).fill(undefined);
/** Hashes of what was read last and is not kept. */
const seen = new Int32Array(SLOTS);
const shared = new WeakSet<readonly Action[]>();

function hashOf(bytes: Uint8Array, from: number, to: number, version: number): number {
  let hash = version;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash ^ (hash >>> 15);
}

/** Whether a list is one that several flows may have. */
export const isShared = (actions: readonly Action[]): boolean => shared.has(actions);

function isSame(a: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (a.length !== to - from) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== bytes[from + i]) return false;
  return true;
}

/** The actions of these instructions, if they have been read lately. */
export function knownInstructions(bytes: Uint8Array, from: number, to: number, version: OfVersion): Action[] | undefined {
  if (to - from > MAX_SIZE) return undefined;
  const one = known[hashOf(bytes, from, to, version) & (SLOTS - 1)];
  return one !== undefined && one.version === version && isSame(one.bytes, bytes, from, to) ? one.actions : undefined;
}

/** Keeps what was read, since `deprecatedRead` gave `deprecatedBefore`; gives the list to use for it. */
export function keepInstructions(
  bytes: Uint8Array,
  from: number,
  to: number,
  version: OfVersion,
  actions: Action[],
  deprecatedBefore: number,
): Action[] {
  if (to - from > MAX_SIZE || deprecatedRead() !== deprecatedBefore) return actions;
  const hash = hashOf(bytes, from, to, version);
  const slot = hash & (SLOTS - 1);
  const one = known[slot];
  if (one !== undefined && one.version === version && isSame(one.bytes, bytes, from, to)) return one.actions;
  if (seen[slot] !== hash) seen[slot] = hash;
  else if (!namesOption(actions)) {
    known[slot] = { version, bytes: new Uint8Array(bytes.subarray(from, to)), actions };
    shared.add(actions);
  }
  return actions;
}

/** Whether a tun_metadata field stands anywhere in actions: what it is depends on the TLV table. */
function namesOption(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
  if ('wireBytes' in value) return tunFieldIndex(value as Field) >= 0;
  return Object.values(value).some(namesOption);
}
