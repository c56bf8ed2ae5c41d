import { sha1 } from './sha1.ts';

// node:crypto takes ten milliseconds to load, a quarter of the runtime's own start: tools that need no hash must not pay for it.
let loaded: typeof import('node:crypto') | undefined;

/** node:crypto, loaded at the first call. */
export function cryptography(): typeof import('node:crypto') {
  loaded ??= process.getBuiltinModule('node:crypto');
  return loaded;
}

/** Up to this much is hashed sooner by our own means than node:crypto is loaded. */
const SMALL = 64 * 1024;

/** Our own means are slow before they are compiled: from here on others that cost a millisecond to set up are sooner done. */
const TINY = 4096;
let otherSha1: ((bytes: Uint8Array) => string) | undefined;

/** Gives a means of SHA-1 that is cheaper to set up than node:crypto, for short-lived programs. */
export function useSha1(means: (bytes: Uint8Array) => string): void {
  otherSha1 = means;
}

/** Whoever hashes or draws more than this many times is better off with node:crypto. */
const FEW = 100;
let hashed = 0;
let drawn = 0;

let source: ((draw: () => string) => string) | undefined;

/** Has random UUIDs come from elsewhere, or be seen: `draw` makes one. */
export function useUuids(from: (draw: () => string) => string): void {
  source = from;
}

/** Whether somebody counts what is drawn, so that all must be drawn in the reference's order. */
export const countsUuids = (): boolean => source !== undefined;

/** A random UUID. */
export function randomUuid(): string {
  return source === undefined ? drawUuid() : source(drawUuid);
}

/** The first ones are the kernel's. */
function drawUuid(): string {
  if (loaded !== undefined || drawn >= FEW) return cryptography().randomUUID();
  drawn++;
  try {
    return process.getBuiltinModule('node:fs').readFileSync('/proc/sys/kernel/random/uuid', 'latin1').trimEnd();
  } catch {
    // No /proc here.
    return cryptography().randomUUID();
  }
}

/** The SHA-1 of bytes, as hexadecimal digits. */
export function sha1Hex(bytes: Uint8Array): string {
  if (loaded !== undefined || bytes.length > SMALL || ++hashed > FEW) return cryptography().hash('sha1', bytes, 'hex');
  if (otherSha1 === undefined || bytes.length <= TINY) return sha1(bytes);
  try {
    return otherSha1(bytes);
  } catch {
    otherSha1 = undefined;
    return sha1(bytes);
  }
}
