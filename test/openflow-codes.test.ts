// Every code of the tables of fields, errors and actions goes through bytes: one that nothing here writes or reads fails the test.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, PeerError } from '../src/base/errors.ts';
import { FIELDS, type Field } from '../src/flow/fields.ts';
import { keyBits, type Match } from '../src/flow/key.ts';
import { formatMatch, MASKED_BY_VALUE } from '../src/flow/match-text.ts';
import type { Action } from '../src/openflow/action.ts';
import { decodeActionBytes, encodeActions } from '../src/openflow/codec/actions/action-codec.ts';
import { NXAST } from '../src/openflow/codec/actions/action-constants.ts';
import { ByteReader, ByteWriter } from '../src/openflow/codec/bytes.ts';
import { decodeMessage, encodeMessage } from '../src/openflow/codec/codec.ts';
import { decodeMatchEntries, encodeMatchEntries } from '../src/openflow/codec/fields/oxm.ts';
import { codeFor } from '../src/openflow/codec/fields/oxm-table.ts';
import { errorCode, errorMessage, errorNames } from '../src/openflow/errors.ts';
import type { OfVersion } from '../src/openflow/message.ts';
import { parseActions } from '../src/openflow/text/action-parse.ts';
import { formatEntries, parseEntries } from '../src/openflow/text/entries-text.ts';
import { parseFlow } from '../src/openflow/text/flow-text.ts';
import { ACTION_MAKERS, prerequisite, valueText } from './compare/flow-lines.ts';
import { Dice } from './compare/random.ts';

const VERSIONS: readonly OfVersion[] = [1, 2, 3, 4, 5, 6];
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function entriesOf(match: Match, version: OfVersion): Uint8Array {
  const out = new ByteWriter();
  encodeMatchEntries(out, match, version);
  return out.result();
}

const read = (bytes: Uint8Array): Match => decodeMatchEntries(new ByteReader(bytes, 'OFPBMC_BAD_LEN')).match;

/** What refuses an input, as it may; undefined then. */
function unlessRefused<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof PeerError || error instanceof ConfigError) return undefined;
    throw error;
  }
}

/** Registers of 64 and 128 bits, which are two or four of 32. */
const WIDE_REGISTER = /^xx?reg\d/;
const bigToBytes = (value: bigint, size: number): Uint8Array => Buffer.from(value.toString(16).padStart(size * 2, '0'), 'hex');

/** A match on a field, whatever else that needs. */
function matchOn(d: Dice, field: Field): Match | undefined {
  const needs = prerequisite(d, field);
  return unlessRefused(() => parseFlow(`${needs}${needs === '' ? '' : ','}${field.name}=${valueText(d, field)},actions=drop`, 'add').match);
}

test('fields: what each is written as in each version is read and written again byte by byte, and each of its codes is read', () => {
  for (const [i, field] of FIELDS.entries()) {
    // Options of tunnels have places where a switch's table gives them one.
    if (field.codes.length === 0 || field.name.startsWith('tun_metadata')) continue;
    const d = new Dice(21_000 + i);
    const written = new Set<string>();
    const readCodes = new Set<string>();
    for (let tries = 0; tries < 60; tries++) {
      const match = matchOn(d, field);
      if (match === undefined) continue;
      for (const version of VERSIONS) {
        const bytes = entriesOf(match, version);
        const back = unlessRefused(() => read(bytes));
        if (back === undefined) continue;
        const again = entriesOf(back, version);
        // The mask of some becomes the bits that are set.
        if (!MASKED_BY_VALUE.has(field.name)) assert.equal(hex(again), hex(bytes), `${field.name}, version ${version}`);
        assert.equal(hex(entriesOf(read(again), version)), hex(again), `${field.name}, version ${version}`);
        const text = formatEntries(bytes);
        const own = codeFor(field, version)?.label ?? '';
        if (!new RegExp(`\\b${own}(_W)?\\(`).test(text)) continue;
        written.add(own);
        for (const { label } of field.codes) {
          const other = unlessRefused(() => read(parseEntries(text.replace(new RegExp(`\\b${own}(?=(_W)?\\()`), label))));
          if (other === undefined) continue;
          assert.equal(formatMatch(other), formatMatch(back), `${field.name} as ${label}`);
          readCodes.add(label);
        }
      }
    }
    if (WIDE_REGISTER.test(field.name)) {
      // Written register by register, and read as a whole.
      for (const { label } of field.codes) {
        const value = d.bytes(field.wireBytes).fill(7, 0, 1);
        const back = read(parseEntries(`${label}(${hex(value)})`));
        assert.equal(hex(bigToBytes(keyBits(back.key, field.at, field.bits), field.wireBytes)), hex(value), label);
      }
      continue;
    }
    for (const version of VERSIONS)
      assert.ok(written.has(codeFor(field, version)!.label), `${codeFor(field, version)!.label} was not written`);
    for (const { label } of field.codes) assert.ok(readCodes.has(label), `${label} was not read`);
  }
});

test('errors: each in every version that has it is written, read by its name and written again byte by byte', () => {
  for (const name of errorNames()) {
    let count = 0;
    for (const version of VERSIONS) {
      const code = errorCode(version, name);
      assert.notEqual(code, 'unknown');
      if (code === undefined) continue;
      const bytes = encodeMessage(version, 7, errorMessage(version, name, Uint8Array.of(version, 0, 0, 8, 0, 0, 0, 7)));
      const { message, xid } = decodeMessage(bytes);
      assert.ok(message.kind === 'error' && message.name !== undefined, `${name}, version ${version}`);
      // Versions have one number for what others tell apart.
      assert.deepEqual(errorCode(version, message.name), code, `${name}, version ${version}`);
      assert.equal(hex(encodeMessage(version, xid, message)), hex(bytes), `${name}, version ${version}`);
      count++;
    }
    assert.ok(count > 0, `${name} is of no version`);
  }
});

/** Where lists stand within Nicira's actions. */
const NESTED: ReadonlyMap<number, number> = new Map([
  [NXAST.CT, 24],
  [NXAST.CLONE, 16],
]);

/** Types of the actions in a list: numbers of the standard's, `n` and the subtype of Nicira's. */
function typesIn(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const types: string[] = [];
  for (let at = 0; at + 4 <= bytes.length; at += view.getUint16(at + 2)) {
    const size = view.getUint16(at + 2);
    if (size < 8) break;
    const isNicira = view.getUint16(at) === 0xffff && view.getUint32(at + 4) === 0x2320;
    const number = isNicira ? view.getUint16(at + 8) : view.getUint16(at);
    types.push(isNicira ? `n${number}` : String(number));
    const from = isNicira ? NESTED.get(number) : undefined;
    if (from !== undefined) types.push(...typesIn(bytes.subarray(at + from, at + size)));
  }
  return types;
}

/** Standard types from each version on: OpenFlow 1.0 section 5.2.4, 1.1.0 A.2.5, 1.2 A.2.5, 1.5.1 section 7.2.6. */
const STANDARD: readonly (readonly number[])[] = [
  [],
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24],
  [0, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25],
  [0, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25],
  [0, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25],
  [0, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 28, 29],
];

/** What no text is written as: a resubmission that names a port alone, metadata as an action of OpenFlow 1.0. */
const BYTES = ['ffff0010000023200001000500000000', 'ffff00200000232000160000000000000000000000000005000000000000000f'];
/** For tests of the reference alone. */
const OF_TESTS: readonly number[] = [NXAST.DEBUG_SLOW, NXAST.DEBUG_RECIRC];

function written(actions: readonly Action[], version: OfVersion): Uint8Array {
  const out = new ByteWriter();
  encodeActions(out, actions, version);
  return out.result();
}

const MAKERS: Readonly<Record<string, (d: Dice, depth: number) => string>> = { ...ACTION_MAKERS, meter: () => 'meter:5' };

test('actions: what each is written as in each version is read and written again byte by byte, and there is one of each type', () => {
  const seen = new Map<OfVersion, Set<string>>(VERSIONS.map((version) => [version, new Set<string>()]));
  for (const [i, [name, make]] of Object.entries(MAKERS).entries()) {
    const d = new Dice(23_000 + i);
    for (let tries = 0; tries < 150; tries++) {
      const actions = unlessRefused(() => parseActions(make(d, 1)));
      if (actions === undefined) continue;
      for (const version of VERSIONS) {
        const bytes = unlessRefused((): Uint8Array => written(actions, version));
        if (bytes === undefined) continue;
        const back = unlessRefused((): Action[] => decodeActionBytes(bytes, version));
        if (back === undefined) continue;
        assert.equal(hex(written(back, version)), hex(bytes), `${name}, version ${version}`);
        for (const type of typesIn(bytes)) seen.get(version)?.add(type);
      }
    }
  }
  for (const text of BYTES) {
    const bytes = Uint8Array.from(Buffer.from(text, 'hex'));
    assert.equal(hex(written(decodeActionBytes(bytes, 1), 1)), text);
    for (const type of typesIn(bytes)) seen.get(1)?.add(type);
  }
  const nicira = Object.values(NXAST).filter((number) => !OF_TESTS.includes(number));
  const all = new Set([...seen.values()].flatMap((types) => [...types]));
  assert.deepEqual(
    nicira.filter((number) => !all.has(`n${number}`)),
    [],
  );
  for (const version of VERSIONS)
    assert.deepEqual(
      STANDARD[version]!.filter((number) => !seen.get(version)!.has(String(number))),
      [],
      `version ${version}`,
    );
});

test('fields: options of tunnels, whose places and sizes a table gives, are read and written again byte by byte', () => {
  let count = 0;
  for (const field of FIELDS.filter(({ name }) => /^tun_metadata\d/.test(name))) {
    for (const value of ['0x12345678', '0x5/0xff', '0x0102030405060708090a']) {
      const { match } = parseFlow(`${field.name}=${value},actions=drop`, 'add');
      for (const version of VERSIONS) {
        const bytes = entriesOf(match, version);
        assert.match(formatEntries(bytes), new RegExp(`\\b${field.codes[0]!.label}(_W)?\\(`), field.name);
        assert.equal(hex(entriesOf(read(bytes), version)), hex(bytes), `${field.name}=${value}, version ${version}`);
        count++;
      }
    }
  }
  assert.equal(count, 64 * 3 * VERSIONS.length);
});
