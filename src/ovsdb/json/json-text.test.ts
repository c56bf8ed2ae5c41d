import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Json, JsonError, MAX_JSON_DEPTH } from './json.ts';
import { formatJson, formatReal } from './json-format.ts';
import { parseNatively } from './json-native.ts';
import { JsonParser } from './json-parser.ts';
import { JsonStream } from './json-stream.ts';
import { parseJson } from './json-text.ts';

const tree = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map((n) => (n === 0 ? 0 : n)),
    fc.bigInt(2n ** 53n, 2n ** 63n - 1n),
    fc.string({ unit: 'binary' }).map((s) => s.replaceAll('\0', '').toWellFormed()),
    fc.array(tie('value')),
    fc
      .array(
        fc.tuple(
          fc.oneof(
            fc.constant('__proto__'),
            fc.string().map((s) => s.replaceAll('\0', '')),
          ),
          tie('value'),
        ),
      )
      .map((pairs) => new Map(pairs)),
  ),
})).value;

test('parse(format(x)) = x, whole and in pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.array(tree)), fc.integer({ min: 1, max: 7 }), (values, step) => {
      const bytes = new Uint8Array(Buffer.from(values.map((value) => formatJson(value)).join('')));
      const stream = new JsonStream();
      const got: Json[] = [];
      for (let i = 0; i < bytes.length; i += step) {
        const piece = bytes.slice(i, i + step);
        stream.push(piece);
        // A reader may stop in the middle of a piece and go on when there are more bytes.
        if (i % 3 !== 0) for (let value = stream.next(); value !== undefined; value = stream.next()) got.push(value);
        stream.keep();
        piece.fill(0);
      }
      for (let value = stream.next(); value !== undefined; value = stream.next()) got.push(value);
      assert.deepEqual(got, values);
      for (const value of values) assert.deepEqual(parseJson(formatJson(value, { pretty: true })), value);
    }),
    { numRuns: 200 },
  );
});

// Long enough to be given to the runtime's parser.
const PADDING = ' '.repeat(2048);

test('the runtime gives what our parser gives, or leaves the text to it', () => {
  const hard = [
    '1.0',
    '-0',
    '1e3',
    '1234567890123456789',
    '{"2":1,"1":2}',
    '{"a":{"b":1,"0":2}}',
    '"\\u0041"',
    '[ 0.5]',
    '"1.5, 1.5"',
    '"\\u0000"',
  ];
  const easy = ['{"b":1,"__proto__":2,"b":3}', '"8.3.1"', '"x\\n\\"é"', '-17', '123456789012345', '[true,null,{}]', '{"":[]}'];
  for (const text of [...hard, ...easy]) {
    const whole = `[${text}${PADDING}]`;
    const value = parseNatively(whole, MAX_JSON_DEPTH);
    assert.equal(value === undefined, hard.includes(text), text);
    if (value !== undefined) assert.deepEqual(value, new JsonParser(whole).value(), text);
  }
  fc.assert(
    fc.property(fc.array(tree), fc.boolean(), (values, isPretty) => {
      const text = formatJson([...values, PADDING], { pretty: isPretty });
      const value = parseNatively(text, MAX_JSON_DEPTH);
      if (value !== undefined) assert.deepEqual(value, new JsonParser(text).value());
    }),
    { numRuns: 200 },
  );
  const deep = (depth: number): string => `${'['.repeat(depth)}${PADDING}${']'.repeat(depth)}`;
  assert.notEqual(parseNatively(deep(MAX_JSON_DEPTH), MAX_JSON_DEPTH), undefined);
  assert.equal(parseNatively(deep(MAX_JSON_DEPTH + 1), MAX_JSON_DEPTH), undefined);
  assert.throws(() => parseJson(deep(MAX_JSON_DEPTH + 1)), JsonError);
});

test('a long message is given to the runtime, what follows it is not lost', () => {
  const stream = new JsonStream();
  const long = `["${'x'.repeat(3000)}"]`;
  for (const [text, count] of [
    [long, 1],
    [`${long} [2]`, 2],
    [`${long}\n`, 1],
    [`[1]${long}[3]`, 3],
  ] as const) {
    stream.push(Buffer.from(text));
    for (let i = 0; i < count; i++) assert.ok(Array.isArray(stream.next()), text.slice(0, 9));
    assert.equal(stream.next(), undefined);
    stream.keep();
    assert.equal(stream.pendingSize, 0);
  }
});

test('any text gives a value or a JsonError', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'[]{}",:\\u0e-1.5tn ') })), (text) => {
      try {
        parseJson(text);
      } catch (error) {
        assert.ok(error instanceof JsonError);
      }
    }),
  );
});

test('numbers are exact integers of 64 bits, or reals', () => {
  assert.deepEqual(parseJson('[1.0,1e3,-0,9007199254740993,-9223372036854775808,1.5,9223372036854775808]'), [
    1,
    1000,
    0,
    9007199254740993n,
    -(2n ** 63n),
    1.5,
    2 ** 63,
  ]);
  assert.equal(formatReal(0.1 + 0.2), '0.3');
  assert.equal(formatReal(1e300), '1e+300');
  assert.equal(formatReal(-1.5e-7), '-1.5e-07');
  assert.equal(formatReal(123456789012345680000), '1.23456789012346e+20');
});

test('words that are kept are the words, also beside others of the same place', () => {
  // More words than the table has places, twice, as names and as values.
  for (const round of [0, 1]) {
    for (let i = 0; i < 5000; i++) {
      const name = `n${(i * 7919) % 5000}`;
      assert.deepEqual(
        parseJson(`{"${name}":"${name}x","${round}":"T"}`),
        new Map([
          [name, `${name}x`],
          [`${round}`, 'T'],
        ]),
      );
    }
  }
});

test('faults are told in the words of the reference', () => {
  const fault = (text: string): string => {
    try {
      parseJson(text);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.equal(fault('["Open_vSwitch",'), 'line 0, column 16, byte 16: unexpected end of input');
  assert.equal(fault('x'), "line 0, column 1, byte 1: invalid keyword 'x'");
  assert.equal(fault('{"a":1} x'), "line 0, column 9, byte 9: invalid keyword 'x'");
  assert.match(fault('['.repeat(1001)), /input exceeds maximum nesting depth 1000$/);
});

test('a number too small to be kept whole is refused, one so small that it is zero is not', () => {
  for (const text of ['5e-324', '2.2e-308', '-1e-310', '1e400']) assert.throws(() => parseJson(`[${text}]`), JsonError, text);
  assert.deepEqual(parseJson('[1e-400,2.2250738585072014e-308,-0.0]'), [0, 2.2250738585072014e-308, 0]);
  assert.equal(formatReal(-0), '-0');
  assert.equal(formatReal(1e15), '1e+15');
  assert.equal(formatReal(999999999999999), '999999999999999');
});

test('a message that grows beyond the limit is a fault, however it comes; many small ones are none', () => {
  for (const begin of ['["', '[', '{"a":[', ' [["', '1', 'x', '"']) {
    const stream = new JsonStream(100_000);
    const push = (text: string): void => {
      stream.push(Buffer.from(text));
      while (stream.next() !== undefined);
      stream.keep();
    };
    push(begin);
    assert.throws(
      () => {
        for (let i = 0; i < 30; i++) push(begin.endsWith('[') ? '1,'.repeat(2500) : '1'.repeat(5000));
      },
      (error: Error) => error instanceof JsonError && /message exceeds 100000 bytes|trailing|beginning|number/.test(error.message),
      begin,
    );
    assert.ok(stream.pendingSize < 120_000);
  }
  const stream = new JsonStream(100_000);
  for (let i = 0; i < 30; i++) {
    stream.push(Buffer.from(`{"a":"${'x'.repeat(50_000)}"}`));
    assert.notEqual(stream.next(), undefined);
    stream.keep();
  }
});
