// MAC and IP addresses as text. Inside the switch an address is 32-bit words, most significant first.

/** Formats 48 bits given as the upper 32 and the lower 16, in lower case: `50:54:00:00:00:01`. */
export function formatMac(high32: number, low16: number): string {
  const hex = (high32 >>> 0).toString(16).padStart(8, '0') + (low16 & 0xffff).toString(16).padStart(4, '0');
  return `${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6, 8)}:${hex.slice(8, 10)}:${hex.slice(10)}`;
}

/** Parses `50:54:0:0:0:1` into [upper 32 bits, lower 16 bits]; undefined when it is no MAC address. */
export function parseMac(text: string): [number, number] | undefined {
  const m = /^([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2})$/i.exec(text);
  if (m === null) return undefined;
  const b = m.slice(1).map((part) => Number.parseInt(part, 16)) as [number, number, number, number, number, number];
  return [((b[0] << 24) | (b[1] << 16) | (b[2] << 8) | b[3]) >>> 0, (b[4] << 8) | b[5]];
}

/** Formats an IPv4 address held in 32 bits. */
export function formatIpv4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/** Parses dotted-quad IPv4 text; undefined when it is none. */
export function parseIpv4(text: string): number | undefined {
  const m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (m === null) return undefined;
  let word = 0;
  for (let i = 1; i <= 4; i++) {
    const part = Number(m[i]);
    if (part > 255) return undefined;
    word = word * 256 + part;
  }
  return word;
}

/** As `parseIpv4`, as inet_pton does: no number begins with a zero. */
export const parsePlainIpv4 = (text: string): number | undefined => (/(?:^|\.)0\d/.test(text) ? undefined : parseIpv4(text));

/** Formats an IPv6 address held in four words, as RFC 5952 and inet_ntop do. */
export function formatIpv6(words: ArrayLike<number>, offset = 0): string {
  const groups: number[] = [];
  for (let i = 0; i < 4; i++) {
    const word = words[offset + i] ?? 0;
    groups.push(word >>> 16, word & 0xffff);
  }
  let bestStart = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; ) {
    let j = i;
    while (j < 8 && groups[j] === 0) j++;
    if (j - i > bestLength) {
      bestStart = i;
      bestLength = j - i;
    }
    i = j === i ? i + 1 : j;
  }
  // inet_ntop prints the low 32 bits of a mapped or compatible address as IPv4 (RFC 5952 section 5).
  const embedsIpv4 = bestStart === 0 && (bestLength === 6 || (bestLength === 5 && groups[5] === 0xffff));
  const low = formatIpv4(words[offset + 3] ?? 0);
  if (embedsIpv4) return bestLength === 6 ? `::${low}` : `::ffff:${low}`;
  if (bestStart < 0) return groups.map((g) => g.toString(16)).join(':');
  const left = groups.slice(0, bestStart).map((g) => g.toString(16));
  const right = groups.slice(bestStart + bestLength).map((g) => g.toString(16));
  return `${left.join(':')}::${right.join(':')}`;
}

/** Parses IPv6 text into four words; undefined when it is none. */
export function parseIpv6(text: string): [number, number, number, number] | undefined {
  if (!/^[0-9a-f:.]+$/i.test(text)) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const left = parseGroups(halves[0] ?? '', halves.length === 1);
  const right = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (left === undefined || right === undefined) return undefined;
  const missing = 8 - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const g = [...left, ...new Array<number>(missing).fill(0), ...right];
  const word = (i: number): number => (((g[i] ?? 0) << 16) | (g[i + 1] ?? 0)) >>> 0;
  return [word(0), word(2), word(4), word(6)];
}

function parseGroups(text: string, allowIpv4: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (part.includes('.')) {
      const word = allowIpv4 && i === parts.length - 1 ? parsePlainIpv4(part) : undefined;
      if (word === undefined) return undefined;
      groups.push(word >>> 16, word & 0xffff);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}
