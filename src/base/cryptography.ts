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

/** The SHA-1 of bytes, as hexadecimal digits. */
export function sha1Hex(bytes: Uint8Array): string {
  return loaded === undefined && bytes.length <= SMALL ? sha1(bytes) : cryptography().hash('sha1', bytes, 'hex');
}
