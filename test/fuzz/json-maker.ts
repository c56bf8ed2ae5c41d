// JSON that makes sense, with something else put into it somewhere, and its text with something wrong.
import { asObject, type Json } from '../../src/ovsdb/json/json.ts';
import { formatJson } from '../../src/ovsdb/json/json-format.ts';
import { parseJson } from '../../src/ovsdb/json/json-text.ts';
import type { Dice } from '../compare/random.ts';

export const UUIDS: readonly string[] = Array.from({ length: 8 }, (_, i) => `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`);
const WORDS = [
  '',
  'a',
  'A',
  'B',
  'n',
  's',
  'm',
  'r',
  'w',
  'uuid',
  'set',
  'map',
  'named-uuid',
  '__proto__',
  'constructor',
  '_uuid',
  'x'.repeat(40),
  '\u20ac',
  '==',
  '+=',
];

/** Any value, not deep. */
export function anyJson(d: Dice, depth = 0): Json {
  switch (d.below(depth > 2 ? 7 : 11)) {
    case 0:
      return null;
    case 1:
      return d.chance(1, 2);
    case 2:
      return d.below(10) - 3;
    case 3:
      return d.pick<Json>([0.5, 1e300, 2 ** 63, -(2 ** 31), 9007199254740993n, 2n ** 63n - 1n, -(2n ** 63n)]);
    case 4:
    case 5:
      return d.pick(WORDS);
    case 6:
      return d.pick(UUIDS);
    case 7:
      return ['uuid', d.pick(UUIDS)];
    case 8:
      return ['set', d.some(3, () => anyJson(d, depth + 1))];
    case 9:
      return ['map', d.some(3, () => d.some(2, () => anyJson(d, depth + 1)))];
    default:
      return d.chance(1, 2)
        ? d.some(4, () => anyJson(d, depth + 1))
        : new Map(d.some(3, (): [string, Json] => [d.pick(WORDS), anyJson(d, depth + 1)]));
  }
}

/** The value with one part of it gone, doubled or something else. */
export function mutateJson(d: Dice, json: Json): Json {
  const items: readonly [string, Json][] | undefined = Array.isArray(json)
    ? json.map((item, i): [string, Json] => [String(i), item])
    : asObject(json) && [...asObject(json)!];
  if (items === undefined || items.length === 0 || d.chance(1, 8)) return anyJson(d);
  const at = d.below(items.length);
  const [name, value] = items[at]!;
  const changed: [string, Json][] = [...items];
  switch (d.below(8)) {
    case 0:
      changed.splice(at, 1);
      break;
    case 1:
      changed.splice(at, 0, [Array.isArray(json) ? '' : d.pick(WORDS), d.chance(1, 2) ? value : anyJson(d)]);
      break;
    case 2:
      changed[at] = [d.pick(WORDS), value];
      break;
    default:
      changed[at] = [name, mutateJson(d, value)];
  }
  return Array.isArray(json) ? changed.map(([, item]) => item) : new Map(changed);
}

/** One of the texts, changed as a value up to three times. */
export function hostileJson(d: Dice, samples: readonly string[]): Json {
  let json = (parseJson(`[${d.pick(samples)}]`) as Json[])[0] as Json;
  for (let i = d.below(4); i > 0; i--) json = mutateJson(d, json);
  return json;
}

/** The text of a value with some bytes of it wrong. */
export function spoiltText(d: Dice, json: Json): Buffer {
  const bytes = Buffer.from(formatJson(json, { pretty: d.chance(1, 4) }));
  for (let i = d.below(3); i > 0 && bytes.length > 0; i--)
    bytes[d.below(bytes.length)] = d.chance(1, 2) ? d.below(256) : Buffer.from('{}[]",:\\0e-nu')[d.below(13)]!;
  return d.chance(1, 10) ? bytes.subarray(0, d.below(bytes.length + 1)) : bytes;
}
