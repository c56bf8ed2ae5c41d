// Finds the fault in a JSON text that is still coming, with each byte looked at once: a peer that sends nonsense in a long message is told so at once,
// as by the reference. What it finds is a fault for certain; what the words of it are, and the rare faults that it does not know (halves of surrogate
// pairs, bytes that are no UTF-8), is for the parser to say.

/** What may come next. */
type Expected = 'value' | 'value or ]' | 'name or }' | 'name' | ':' | ', or end';

const ESCAPES = new Set([...'"\\/bfnrtu'].map((c) => c.charCodeAt(0)));
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/;
/** Longer words are left to the parser. */
const MAX_WORD_LENGTH = 1024;

const isBlank = (c: number): boolean => c === 32 || c === 10 || c === 13 || c === 9;
const isSmallLetter = (c: number): boolean => c >= 97 && c <= 122;
const isLetter = (c: number): boolean => isSmallLetter(c | 32);
const isDigit = (c: number): boolean => c >= 48 && c <= 57;
const isOfNumber = (c: number): boolean => isDigit(c) || c === 43 || c === 45 || c === 46 || (c | 32) === 101;
const isHex = (c: number): boolean => isDigit(c) || (c >= 97 && c <= 102) || (c >= 65 && c <= 70);

export class JsonCheck {
  #expected: Expected = 'value';
  /** Of each array or object that is open: whether it is an object. */
  readonly #open: boolean[] = [];
  #inString = false;
  #isName = false;
  /** A fault in a string, or where it stands, counts at its closing quote. */
  #isBadString = false;
  #isEscaped = false;
  /** Hexadecimal digits still to come. */
  #hex = 0;
  #word = '';

  /** Takes the next piece of the text; false when the text can no longer be right. */
  push(bytes: Uint8Array): boolean {
    for (let i = 0; i < bytes.length; i++) {
      const c = bytes[i] as number;
      if (this.#inString ? !this.#inside(c) : !this.#outside(c)) return false;
    }
    return true;
  }

  #inside(c: number): boolean {
    if (this.#isEscaped) {
      this.#isEscaped = false;
      if (!ESCAPES.has(c)) this.#isBadString = true;
      if (c === 117) this.#hex = 4;
      return true;
    }
    if (c < 32) return false;
    if (this.#hex > 0 && isHex(c)) {
      this.#hex--;
      return true;
    }
    if (this.#hex > 0) this.#isBadString = true;
    this.#hex = 0;
    if (c === 92) this.#isEscaped = true;
    if (c !== 34) return true;
    this.#inString = false;
    this.#expected = this.#isName ? ':' : ', or end';
    return !this.#isBadString;
  }

  #outside(c: number): boolean {
    const word = this.#word;
    if (word !== '') {
      if (isSmallLetter(word.charCodeAt(0)) ? isLetter(c) : isOfNumber(c)) {
        if (word.length < MAX_WORD_LENGTH) this.#word += String.fromCharCode(c);
        return true;
      }
      if (!this.#endWord()) return false;
    }
    if (isSmallLetter(c) || isDigit(c) || c === 45) {
      this.#word = String.fromCharCode(c);
      return true;
    }
    if (isBlank(c)) return true;
    const expected = this.#expected;
    const takesValue = expected === 'value' || expected === 'value or ]';
    switch (c) {
      case 34:
        this.#inString = true;
        this.#isName = expected === 'name' || expected === 'name or }';
        this.#isBadString = !takesValue && !this.#isName;
        return true;
      case 91:
      case 123:
        this.#open.push(c === 123);
        this.#expected = c === 123 ? 'name or }' : 'value or ]';
        return takesValue;
      case 93:
        return this.#close(false, expected === 'value or ]');
      case 125:
        return this.#close(true, expected === 'name or }');
      case 58:
        this.#expected = 'value';
        return expected === ':';
      case 44:
        this.#expected = this.#open.at(-1) === true ? 'name' : 'value';
        return expected === ', or end';
      default:
        return false;
    }
  }

  #close(isObject: boolean, isEmpty: boolean): boolean {
    const isRight = (isEmpty || this.#expected === ', or end') && this.#open.pop() === isObject;
    this.#expected = ', or end';
    return isRight;
  }

  /** A word is judged when the character after it has come. */
  #endWord(): boolean {
    const word = this.#word;
    const isExpected = this.#expected === 'value' || this.#expected === 'value or ]';
    this.#word = '';
    this.#expected = ', or end';
    if (word.length === MAX_WORD_LENGTH) return true;
    return isExpected && (word === 'true' || word === 'false' || word === 'null' || NUMBER.test(word));
  }
}
