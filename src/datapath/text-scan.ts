// A text read from left to right, as the reference reads flows and actions: what stands there has to be just so, numbers may have blanks and a
// sign before them and are cut to the bits that there are. Every method gives undefined or false, and stays where it is, for anything else.
const DECIMAL = /\s*([+-]?)(\d+)/y;
const ANY_BASE = /\s*([+-]?)(0x[0-9a-f]+|0(?!x)[0-7]*|[1-9]\d*)/iy;
const HEX = /\s*([+-]?)(?:0x)?([0-9a-f]+)/iy;
const DELIMITERS = /[\s,]*/y;

/** Kinds of numbers: `i` decimal, octal or hexadecimal by its start, `u` decimal, `x` hexadecimal. */
type NumberKind = 'i' | 'u' | 'x';
const NUMBERS: Readonly<Record<NumberKind, RegExp>> = { i: ANY_BASE, u: DECIMAL, x: HEX };

export class TextScan {
  readonly text: string;
  at = 0;

  constructor(text: string, at = 0) {
    this.text = text;
    this.at = at;
  }

  get rest(): string {
    return this.text.slice(this.at);
  }

  get isAtEnd(): boolean {
    return this.at >= this.text.length;
  }

  word(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  /** What an expression with the sticky flag finds here. */
  match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) return undefined;
    this.at += found[0].length;
    return found;
  }

  /** Blanks and commas; whether there were any. */
  delimiters(): boolean {
    return this.match(DELIMITERS)![0] !== '';
  }

  number(bits: number, kind: NumberKind = 'i'): bigint | undefined {
    const found = this.match(NUMBERS[kind]);
    if (found === undefined) return undefined;
    const digits = found[2]!;
    const isOctal = kind === 'i' && /^0\d/.test(digits);
    const value = BigInt(isOctal ? `0o${digits.slice(1)}` : kind === 'x' ? `0x${digits}` : digits);
    return BigInt.asUintN(bits, found[1] === '-' ? -value : value);
  }

  /** A pattern of words and `%i`, `%u` and `%x`, numbers of 32 bits each. */
  pattern(pattern: string): number[] | undefined {
    const start = this.at;
    const numbers: number[] = [];
    for (const [i, part] of pattern.split(/%([iux])/).entries()) {
      const value = i % 2 === 0 ? this.word(part) : this.number(32, part as NumberKind);
      if (value === false || value === undefined) {
        this.at = start;
        return undefined;
      }
      if (value !== true) numbers.push(Number(value));
    }
    return numbers;
  }
}
