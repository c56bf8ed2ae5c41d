// node:crypto takes ten milliseconds to load, a quarter of the runtime's own start: tools that need no hash must not pay for it.
let loaded: typeof import('node:crypto') | undefined;

/** node:crypto, loaded at the first call. */
export function cryptography(): typeof import('node:crypto') {
  loaded ??= process.getBuiltinModule('node:crypto');
  return loaded;
}
