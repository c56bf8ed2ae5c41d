// Whole messages: sound ones of every row of the table of messages, the same with something wrong, and the comparison of thousands of them
// in one process each: both programs read them from a file with an echo between them, by which the answers are told apart.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ByteWriter } from '../../src/openflow/codec/bytes.ts';
import type { OfVersion } from '../../src/openflow/message.ts';
import { type MessageForm, messageHeads } from '../../src/openflow/message-table.ts';
import { BODIES } from './message-bodies.ts';
import { type Case, type Difference, type Result, runOurs, runReference, withoutTime } from './programs.ts';
import type { Dice } from './random.ts';

export const HEADS = messageHeads();

export interface Drawn {
  form: MessageForm;
  version: number;
  bytes: Uint8Array;
}

/** A message that its maker means to be sound. */
export function soundMessage(d: Dice, index = d.below(HEADS.length)): Drawn {
  const { form, head, version } = HEADS[index] as (typeof HEADS)[number];
  const out = new ByteWriter();
  out.put(head);
  const make = BODIES[form.name];
  if (make !== undefined) make({ d, version: version as OfVersion, out });
  if (out.size < form.minSize) out.zeros(form.minSize - out.size);
  const bytes = out.result();
  const view = new DataView(bytes.buffer);
  view.setUint16(2, bytes.length);
  if (form.isMultipart && d.chance(1, 15)) view.setUint16(10, d.below(4));
  return { form, version, bytes };
}

/** Places in a message that may hold a length: where two bytes say a small number, and what is behind them is that long. */
function lengthPlaces(bytes: Uint8Array, from: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const places: number[] = [];
  for (let at = from; at + 2 <= bytes.length; at += 2) {
    const value = view.getUint16(at);
    if (value >= 4 && at + value <= bytes.length + 8) places.push(at);
  }
  return places;
}

/** A sound message with one to three bits turned, its end cut off, or a length in it changed; the length in the header is right. */
export function damagedMessage(d: Dice, index?: number): Drawn {
  const drawn = soundMessage(d, index);
  const { bytes } = drawn;
  const from = 8;
  if (bytes.length <= from) return drawn;
  let damaged = bytes;
  const kind = d.below(3);
  const places = kind === 2 ? lengthPlaces(bytes, from) : [];
  if (kind === 1) damaged = bytes.slice(0, from + d.below(bytes.length - from));
  else if (places.length > 0) {
    const view = new DataView(bytes.buffer);
    const at = d.pick(places);
    const said = view.getUint16(at);
    view.setUint16(
      at,
      d.pick([said + 1, said - 1, said + 4, said - 4, said + 8, said - 8, 0, 1, 3, 4, 7, 8, 0xffff, 0xfff8, d.below(256)]) & 0xffff,
    );
  } else
    for (let i = 1 + d.below(3); i > 0; i--) {
      const at = from + d.below(bytes.length - from);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << d.below(8));
    }
  new DataView(damaged.buffer).setUint16(2, damaged.length);
  return { ...drawn, bytes: damaged };
}

/** Bytes of any message, whatever its row. */
export const formOf = (bytes: Uint8Array): Drawn => ({ form: HEADS[0]!.form, version: bytes[0] ?? 0, bytes });

/** Messages that once differed: see `printed-messages.test.ts`. */
export function keptMessages(): Drawn[] {
  const path = join(import.meta.dirname, '../../src/openflow/text/printed-messages.txt');
  return [...readFileSync(path, 'utf8').matchAll(/^> ([0-9a-f]+)$/gm)].map(([, hex = '']) =>
    formOf(Uint8Array.from(Buffer.from(hex, 'hex'))),
  );
}

const ERROR_TYPES = 20;
const ERROR_CODES = 40;
const EXPERIMENTER_CODES = [...Array(70).keys(), ...Array.from({ length: 20 }, (_, i) => 2300 + i)];

/** Errors of every type and code that any version might have, OpenFlow's and experimenters'. */
export function errorMessages(): Drawn[] {
  const drawn: Drawn[] = [];
  for (let version = 1; version <= 6; version++) {
    const add = (...words: number[]): void => {
      const out = new ByteWriter().u8(version).u8(1).u16(0).u32(1);
      for (const word of words) out.u32(word >>> 0);
      out.patch16(2, out.size);
      drawn.push(formOf(out.result()));
    };
    for (let type = 0; type < ERROR_TYPES; type++) for (let code = 0; code < ERROR_CODES; code++) add((type << 16) | code);
    for (const vendor of [0x2320, 0x4f4e4600]) {
      for (const code of EXPERIMENTER_CODES) add(0xffff0000 | code, vendor);
      if (version > 2) continue;
      for (let type = 0; type < ERROR_TYPES; type++)
        for (const code of [
          ...Array(8).keys(),
          ...Array.from({ length: 30 }, (_, i) => 256 + i),
          ...Array.from({ length: 30 }, (_, i) => 512 + i),
        ])
          add(0xb0c20000, vendor, (type << 16) | code);
    }
  }
  return drawn;
}

/** As sound, or with a byte changed, a word changed, or a piece missing or doubled; the length in the header is right. */
export function anyMessage(d: Dice, index?: number): Drawn {
  const drawn = soundMessage(d, index);
  const { bytes } = drawn;
  const from = 8;
  if (bytes.length <= from || d.chance(2, 3)) return drawn;
  let changed = bytes;
  const at = from + d.below(bytes.length - from);
  switch (d.below(4)) {
    case 0:
      bytes[at] = d.u32() & 0xff;
      break;
    case 1:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << d.below(8));
      break;
    case 2:
      changed = bytes.slice(0, d.chance(1, 2) ? at & ~7 : at);
      break;
    default:
      changed = new Uint8Array(bytes.length + 8);
      changed.set(bytes.subarray(0, at & ~7));
      changed.set(bytes.subarray(at & ~7), (at & ~7) + 8);
  }
  new DataView(changed.buffer).setUint16(2, changed.length);
  return { ...drawn, bytes: changed };
}

const AT_ONCE = 1000;
const FIRST_XID = 0xfeed0000;
const ECHO = Buffer.from('0102000800000000', 'hex');

/** The text of each message out of all texts with an echo behind each; undefined where the program did not come so far. */
function split(text: string, count: number): (string | undefined)[] {
  const texts: (string | undefined)[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const mark = `OFPT_ECHO_REQUEST (xid=0x${(FIRST_XID + i).toString(16)}): 0 bytes of payload\n`;
    const end = text.indexOf(mark, at);
    if (end < 0) break;
    texts.push(text.slice(at, end));
    at = end + mark.length;
  }
  return texts;
}

/** One message that was compared. */
export interface Compared extends Drawn {
  verbosity: number;
  reference: string | undefined;
  ours: string | undefined;
}

/** Prints each message by a command line of its own, at verbosities 0 to 3, with what is said on standard error. */
export function comparePrints(messages: readonly Drawn[], verbosity: number): Compared[] {
  const cases = messages.map(({ bytes }): Case => ({ args: ['ofp-print', Buffer.from(bytes).toString('hex'), String(verbosity)] }));
  const text = ({ stdout, stderr, status }: Result): string => `${stdout}${withoutTime(stderr)}exit ${status}`;
  const [theirs, ours] = [runReference(cases).map(text), runOurs(cases).map(text)];
  return messages.map((drawn, i) => ({ ...drawn, verbosity, reference: theirs[i], ours: ours[i] }));
}

/** Prints messages through both programs, many by one command line: ofp-parse shows a message as ofp-print does at 2 and, with -m, at 3 and 4. */
export function compareMessages(messages: readonly Drawn[], verbosity: number): Compared[] {
  const dir = mkdtempSync(join(tmpdir(), 'ofp-messages-'));
  try {
    const cases: Case[] = [];
    for (let at = 0; at < messages.length; at += AT_ONCE) {
      const path = join(dir, String(at));
      const parts: Uint8Array[] = [];
      for (const [i, { bytes }] of messages.slice(at, at + AT_ONCE).entries()) {
        const echo = Buffer.from(ECHO);
        echo.writeUInt32BE(FIRST_XID + i, 4);
        parts.push(bytes, echo);
      }
      writeFileSync(path, Buffer.concat(parts));
      cases.push({ args: [...Array.from({ length: verbosity - 2 }, () => '-m'), 'ofp-parse', path] });
    }
    const [theirs, ours] = [runReference(cases), runOurs(cases)];
    return messages.map((drawn, index) => {
      const [batch, i] = [Math.floor(index / AT_ONCE), index % AT_ONCE];
      return { ...drawn, verbosity, reference: textOf(theirs, batch)[i], ours: textOf(ours, batch)[i] };
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const splits = new WeakMap<object, (string | undefined)[]>();
function textOf(results: readonly { stdout: string }[], batch: number): (string | undefined)[] {
  const result = results[batch];
  if (result === undefined) return [];
  let texts = splits.get(result);
  if (texts === undefined) {
    texts = split(result.stdout, AT_ONCE);
    splits.set(result, texts);
  }
  return texts;
}

/** As a difference of command lines, for `describe`. */
export const asDifference = ({ bytes, verbosity, reference, ours }: Compared): Difference => ({
  case: { args: ['ofp-print', Buffer.from(bytes).toString('hex'), String(verbosity)] },
  reference: { stdout: reference ?? '(ended before)', stderr: '', status: 0 },
  ours: { stdout: ours ?? '(ended before)', stderr: '', status: 0 },
});
