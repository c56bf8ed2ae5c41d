// Geneve options as text: `geneve({class=0x102,type=0x80,len=4,0x10002/0x7fffffff})`.
const hex = (value: number | bigint): string => (Number(value) === 0 ? '0' : `0x${value.toString(16)}`);

/** One option without its braces. A mask that is all ones is not shown, one of all zeros hides nothing either: it is shown. */
export function optionText(header: number, value: bigint, mask: bigint | undefined, size: number): string {
  const all = (1n << BigInt(size * 8)) - 1n;
  const data = size === 0 ? '' : `,${hex(value)}${mask === undefined || mask === all ? '' : `/${hex(mask)}`}`;
  return `{class=${hex(header >>> 16)},type=${hex((header >>> 8) & 0xff)},len=${size}${data}}`;
}

/** Options as words, as long as they are whole. `masks` stands beside the words. */
export function formatOptions(words: ArrayLike<number>, count: number, masks?: ArrayLike<number>): string {
  let text = '';
  for (let at = 0; at < count; ) {
    const header = words[at]! >>> 0;
    const data = header & 0x1f;
    if (at + 1 + data > count) break;
    const wide = (from: ArrayLike<number>): bigint => {
      let value = 0n;
      for (let i = 0; i < data; i++) value = (value << 32n) | BigInt(from[at + 1 + i]! >>> 0);
      return value;
    };
    text += optionText(header, wide(words), masks === undefined ? undefined : wide(masks), data * 4);
    at += 1 + data;
  }
  return `geneve(${text})`;
}
