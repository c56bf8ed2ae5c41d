// The Internet checksum (RFC 1071), its incremental update (RFC 1624) and CRC-32c (RFC 9260 appendix A).

let lastBuffer: ArrayBufferLike | undefined;
let words: Uint32Array = new Uint32Array(0);

/** Sums 16-bit big-endian words of [at, at+length) onto `sum`, folded to 16 bits. */
export function sumBytes(bytes: Uint8Array, at: number, length: number, sum = 0): number {
  if (length >= 64 && ((bytes.byteOffset + at) & 3) === 0) return sumAligned(bytes, at, length, sum);
  let total = sum;
  const end = at + (length & ~1);
  let i = at;
  for (; i < end; i += 2) total += (bytes[i]! << 8) | bytes[i + 1]!;
  if ((length & 1) !== 0) total += bytes[i]! << 8;
  return fold(total);
}

/** Four bytes at a time in the machine's little-endian order: the sum does not care but for a swap at the end (RFC 1071 section 2). */
function sumAligned(bytes: Uint8Array, at: number, length: number, sum: number): number {
  if (bytes.buffer !== lastBuffer) {
    lastBuffer = bytes.buffer;
    words = new Uint32Array(lastBuffer, 0, lastBuffer.byteLength >> 2);
  }
  const first = (bytes.byteOffset + at) >> 2;
  const end = first + (length >> 2);
  let low = 0;
  let high = 0;
  // Each stays below 2^31 for 128 KB.
  for (let i = first; i < end; i++) {
    const word = words[i]!;
    low += word & 0xffff;
    high += word >>> 16;
  }
  const little = fold(low + high);
  const rest = at + (length & ~3);
  return sumBytes(bytes, rest, length & 3, sum + (((little & 0xff) << 8) | (little >> 8)));
}

/** Folds a sum to 16 bits. */
export function fold(sum: number): number {
  let total = sum;
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000);
  return total;
}

/** A finished checksum after a 16-bit word changed from `before` to `after` (RFC 1624 equation 3). */
export function updateChecksum(checksum: number, before: number, after: number): number {
  return ~fold((~checksum & 0xffff) + (~before & 0xffff) + after) & 0xffff;
}

/** A pseudo-header sum, not complemented, after a 16-bit word changed: what a partial checksum holds. */
export function updatePartialSum(sum: number, before: number, after: number): number {
  return fold(sum + (~before & 0xffff) + after);
}

const crcTable = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  let c = i;
  for (let bit = 0; bit < 8; bit++) c = (c & 1) !== 0 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  crcTable[i] = c >>> 0;
}

/** CRC-32c of [at, at+length) as the number whose little-endian bytes SCTP carries; bytes at `hole`..`hole`+3 count as zero. */
export function crc32c(bytes: Uint8Array, at: number, length: number, hole = -1): number {
  let crc = 0xffffffff;
  for (let i = at; i < at + length; i++) {
    const byte = hole >= 0 && i >= hole && i < hole + 4 ? 0 : bytes[i]!;
    crc = crcTable[(crc ^ byte) & 255]! ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Bits of a length that `CRC32C_SHIFTS` knows. */
export const CRC32C_LENGTH_BITS = 16;

/**
 * What zeros behind a difference make of its CRC-32c: for each bit of their number, most of it last, and each of the 8 nibbles of a 32-bit
 * word, lowest first, the 16 values to be combined by exclusive or. A CRC is linear: two messages of one length that differ by a word `w`,
 * `length` bytes before the end, have CRCs that differ by `shiftCrc32c(w, length)`.
 */
export const CRC32C_SHIFTS: Uint32Array = new Uint32Array(CRC32C_LENGTH_BITS * 128);
for (let bit = 0; bit < CRC32C_LENGTH_BITS; bit++) {
  for (let at = 0; at < 128; at++) {
    const word = (at & 15) << ((at >> 4) * 4);
    // Twice as far is as far, and as far again.
    CRC32C_SHIFTS[bit * 128 + at] = bit === 0 ? crcTable[word & 255]! ^ (word >>> 8) : shiftOnce(shiftOnce(word, bit - 1), bit - 1);
  }
}

function shiftOnce(word: number, bit: number): number {
  let shifted = 0;
  for (let nibble = 0; nibble < 8; nibble++) shifted ^= CRC32C_SHIFTS[bit * 128 + nibble * 16 + ((word >>> (nibble * 4)) & 15)]!;
  return shifted;
}

/** The difference of two CRC-32c, of messages that differ by `word` (its first byte lowest), which begins `length` bytes before their end. */
export function shiftCrc32c(word: number, length: number): number {
  let shifted = word;
  for (let bit = 0; bit < CRC32C_LENGTH_BITS; bit++) if (((length >>> bit) & 1) !== 0) shifted = shiftOnce(shifted, bit);
  return shifted >>> 0;
}
