// Whether actions, masks and plain values are the same.
import type { DpAction } from '../datapath/datapath.ts';
import type { Key } from '../flow/key.ts';

/** Whether `mask` has no bit that `outer` has not. */
export function isWithin(mask: Key, outer: Key): boolean {
  for (let i = 0; i < mask.length; i++) if ((mask[i]! & ~outer[i]!) !== 0) return false;
  return true;
}

/** Structural equality of actions. */
export function sameActions(a: readonly DpAction[], b: readonly DpAction[]): boolean {
  return a.length === b.length && a.every((action, i) => sameStructure(action, b[i]));
}

/** Structural equality of plain values. */
export function sameStructure(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (ArrayBuffer.isView(a) || Array.isArray(a)) {
    const x = a as unknown as ArrayLike<unknown>;
    const y = b as unknown as ArrayLike<unknown>;
    if (x.length !== y.length) return false;
    for (let i = 0; i < x.length; i++) if (!sameStructure(x[i], y[i])) return false;
    return true;
  }
  const x = Object.entries(a);
  const y = b as Record<string, unknown>;
  return x.length === Object.keys(y).length && x.every(([name, value]) => sameStructure(value, y[name]));
}
