// Commands that show how the codec understands bytes given as text, and what it makes of them when it writes them anew: parse-actions,
// parse-instructions, parse-nxm, parse-oxm, parse-ofp10-match, parse-ofp11-match, check-vlan, and the small ones about errors and hellos.
import { ConfigError, PeerError } from '../../base/errors.ts';
import { hexDump } from '../../base/hex-dump.ts';
import { type Match, matchAll, W } from '../../flow/key.ts';
import { formatMatch } from '../../flow/match-text.ts';
import type { Action } from '../../openflow/action.ts';
import { checkActionList } from '../../openflow/action-check.ts';
import { decodeActionBytes, encodeActions } from '../../openflow/codec/actions/action-codec.ts';
import { decodeInstructionBytes, encodeInstructions } from '../../openflow/codec/actions/instruction-codec.ts';
import { ByteReader, ByteWriter } from '../../openflow/codec/bytes.ts';
import { encodeMessage } from '../../openflow/codec/codec.ts';
import { decodeOfp10Match, decodeOfp11Match, encodeOfp10Match, encodeOfp11Match } from '../../openflow/codec/fields/ofp10-match.ts';
import { decodeMatchEntries, encodeMatchEntries } from '../../openflow/codec/fields/oxm.ts';
import { errorCode, errorMessage } from '../../openflow/errors.ts';
import type { OfVersion } from '../../openflow/message.ts';
import { normalizeLogged } from '../../openflow/normalize.ts';
import { formatActions } from '../../openflow/text/action-format.ts';
import { formatEntries, parseEntries } from '../../openflow/text/entries-text.ts';
import { splitKeyValues } from '../../openflow/text/key-value-text.ts';
import { printBytes } from '../../openflow/text/message-print.ts';
import { hexData, inputLines, standardInput } from './input.ts';

const print = (text: string): void => void process.stdout.write(text);

/** `OpenFlow13` as a version. */
function versionNamed(name: string): OfVersion | undefined {
  const m = /^OpenFlow1([0-5])$/i.exec(name);
  return m === null ? undefined : ((Number(m[1]) + 1) as OfVersion);
}

/** Bytes that the second list has otherwise, a line each. */
function differences(before: Uint8Array, after: Uint8Array, prefix = ''): string {
  const at = (bytes: Uint8Array, i: number): string => (i < bytes.length ? (bytes[i] ?? 0).toString(16).padStart(2, '0') : '(none)');
  let text = '';
  for (let i = 0; i < Math.max(before.length, after.length); i++) {
    if (at(before, i) !== at(after, i)) text += `${prefix}${String(i).padStart(2)}: ${at(before, i)} -> ${at(after, i)}\n`;
  }
  return text;
}

function parseLists(
  versionName: string,
  what: string,
  decode: (bytes: Uint8Array, version: OfVersion) => Action[],
  encode: (out: ByteWriter, actions: Action[], version: OfVersion) => void,
): number {
  const version = versionNamed(versionName);
  if (version === undefined) throw new ConfigError(`${versionName}: not a valid OpenFlow version`);
  for (const line of inputLines()) {
    const bytes = hexData(line);
    let actions: Action[];
    try {
      actions = decode(bytes, version);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      print(`bad ${versionName} ${what}: ${error.code}\n\n`);
      continue;
    }
    print(`actions=${formatActions(actions)}\n`);
    const out = new ByteWriter();
    encode(out, actions, version);
    print(`${differences(bytes, out.result())}\n`);
  }
  return 0;
}

/** parse-actions VERSION */
export const parseActionsCommand = (version: string): number =>
  parseLists(
    version,
    'actions',
    (bytes, v) => decodeActionBytes(bytes, v, 'plain'),
    (out, actions, v) => encodeActions(out, actions, v),
  );

/** Instructions that a flow of the first table, which matches anything, may have. */
function checkedInstructions(bytes: Uint8Array, version: OfVersion): Action[] {
  const actions = decodeInstructionBytes(bytes, version);
  const isConsistent = checkActionList(actions, matchAll(), 0);
  if (!isConsistent && version > 1) throw new PeerError('OFPBAC_MATCH_INCONSISTENT', 'actions do not fit the match');
  return actions;
}

/** parse-instructions VERSION */
export const parseInstructionsCommand = (version: string): number =>
  parseLists(version, 'instructions', checkedInstructions, (out, actions, v) => {
    if (v === 1) encodeActions(out, actions, v);
    else encodeInstructions(out, actions, v);
  });

/** NXM entries as a message has them, with zeros to 8 bytes. */
function padded(entries: Uint8Array): Uint8Array {
  const out = new ByteWriter();
  out.put(entries).pad(0, 8);
  return out.result();
}

/** OXM entries in their envelope. */
function inEnvelope(entries: Uint8Array): Uint8Array {
  const out = new ByteWriter();
  out
    .u16(1)
    .u16(entries.length + 4)
    .put(entries)
    .pad(0, 8);
  return out.result();
}

/** parse-nxm and parse-oxm VERSION: entries read as a match and written anew; with `dumps` the bytes of what is written, too. */
export function parseEntriesCommand(versionName: string | undefined, strict: boolean, dumps: boolean): number {
  const version = versionName === undefined ? 1 : versionNamed(versionName);
  if (version === undefined || (versionName !== undefined && version < 3)) {
    throw new ConfigError(`${versionName}: not a valid version for OXM`);
  }
  const input = standardInput();
  const lines = input === '' ? [] : input.replace(/\n$/, '').split('\n');
  for (const line of lines) {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) {
      print(`${line}\n`);
      continue;
    }
    const bytes = parseEntries(line);
    try {
      const { match, cookie } = decodeMatchEntries(new ByteReader(bytes, 'OFPBMC_BAD_LEN'), strict, versionName === undefined);
      const out = new ByteWriter();
      encodeMatchEntries(out, match, version, cookie);
      print(`${formatEntries(out.result())}\n`);
      if (dumps) print(hexDump(versionName === undefined ? padded(out.result()) : inEnvelope(out.result()), 'bare'));
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      print(`nx_pull_match() returned error ${error.code}\n`);
    }
  }
  return 0;
}

/** parse-ofp10-match and parse-ofp11-match */
export function parseFixedMatchCommand(is10: boolean): number {
  const size = is10 ? 40 : 88;
  for (const line of inputLines()) {
    const bytes = hexData(line);
    if (bytes.length !== size) throw new ConfigError(`Input is ${bytes.length} bytes, expected ${size}`);
    const encode = is10 ? encodeOfp10Match : encodeOfp11Match;
    try {
      const match = is10 ? decodeOfp10Match(new ByteReader(bytes)) : decodeOfp11Match(new ByteReader(bytes), false);
      print(`${formatMatch(match)}\n`);
      const out = new ByteWriter();
      encode(out, match);
      print(differences(bytes, out.result()));
      if (is10) {
        const normal = new ByteWriter();
        encode(normal, normalizeLogged(match));
        print(differences(out.result(), normal.result(), 'normal: '));
      }
      print('\n');
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      print(`bad ${is10 ? 'ofp10_match' : 'ofp11_match'}: ${error.code}\n\n`);
    }
  }
  return 0;
}

/** print-error NAME */
export function printErrorCommand(name: string): number {
  let text = '';
  for (const version of [1, 2, 3, 4, 5, 6] as const) {
    const code = errorCode(version, name);
    if (code === 'unknown') throw new ConfigError(`unknown error "${name}"`);
    if (code === undefined) continue;
    const vendor = code.vendor === 0 ? '0' : `0x${code.vendor.toString(16)}`;
    text += `OpenFlow 1.${version - 1}: vendor ${vendor}, type ${code.type}, code ${code.code}\n`;
  }
  print(text);
  return 0;
}

/** encode-error-reply ERROR REQUEST */
export function encodeErrorReplyCommand(name: string, request: string): number {
  if (errorCode(1, name) === 'unknown') throw new ConfigError(`unknown error "${name}"`);
  const bytes = hexData(request);
  if (bytes.length < 8) throw new ConfigError('Request too short');
  const view = new DataView(bytes.buffer);
  if (view.getUint16(2) !== bytes.length) throw new ConfigError('Request size inconsistent');
  const version = (bytes[0] ?? 0) as OfVersion;
  print(hexDump(encodeMessage(version, view.getUint32(4), errorMessage(version, name, bytes)), 'bare'));
  return 0;
}

/** encode-hello BITMAP */
export function encodeHelloCommand(text: string): number {
  const versions = Number.parseInt(text, /^0x/i.test(text) ? 16 : 10) >>> 0;
  const highest = 31 - Math.clz32(versions);
  // There is no version 0.
  const bytes = encodeMessage(highest as OfVersion, 1, { kind: 'hello', versions: (versions & ~1) >>> 0 });
  print(hexDump(bytes, 'bare'));
  print(printBytes(bytes, { verbosity: 0 }));
  return 0;
}

/** parse-key-value STRING... */
export function parseKeyValueCommand(strings: readonly string[]): number {
  for (const text of strings) {
    const words = splitKeyValues(text).map(({ key, value = '' }) => (value === '' ? key : `${key}=${value}`));
    print(`${words.join(', ')}\n`);
  }
  return 0;
}

const hex4 = (value: number): string => value.toString(16).padStart(4, '0');
const tciOf = (match: Match): string => `${hex4((match.key[W.VLAN0] ?? 0) & 0xffff)}/${hex4((match.mask[W.VLAN0] ?? 0) & 0xffff)}`;

/** check-vlan TCI MASK: a VLAN match through every form it has on the wire. */
export function checkVlanCommand(tciText: string, maskText: string): number {
  const number = (text: string): number => (Number.parseInt(text, 16) || 0) & 0xffff;
  const match = matchAll();
  match.mask[W.VLAN0] = number(maskText);
  // The reference keeps value bits outside the mask, which is why it then rejects its own bytes.
  match.key[W.VLAN0] = number(tciText);
  const readBack = (bytes: Uint8Array, isOxm: boolean): string => {
    try {
      const back = decodeMatchEntries(new ByteReader(bytes, 'OFPBMC_BAD_LEN')).match;
      if (!isOxm) return tciOf(back);
      const [tci, mask] = [(back.key[W.VLAN0] ?? 0) & 0xffff, (back.mask[W.VLAN0] ?? 0) & 0xffff];
      const pcp = (mask & 0xe000) === 0 ? '--' : (tci >> 13).toString(16).padStart(2, '0');
      return `${hex4(tci & 0x1fff)}/${hex4(mask & 0x1fff)},${pcp}`;
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      return error.code;
    }
  };
  const masked = { key: match.key.slice(), mask: match.mask };
  masked.key[W.VLAN0] = (match.key[W.VLAN0] ?? 0) & (match.mask[W.VLAN0] ?? 0);
  print(`${formatMatch(match)} -> ${tciOf(masked)}\n`);
  for (const [name, version] of [
    ['NXM', 1],
    ['OXM', 3],
  ] as const) {
    const out = new ByteWriter();
    encodeMatchEntries(out, match, version);
    print(`${name}: ${formatEntries(out.result())} -> ${readBack(out.result(), name === 'OXM')}\n`);
  }
  const ten = new ByteWriter();
  encodeOfp10Match(ten, match);
  const eleven = new ByteWriter();
  encodeOfp11Match(eleven, match);
  const view = (writer: ByteWriter): DataView => new DataView(writer.result().buffer);
  const [v10, v11] = [view(ten), view(eleven)];
  const wild10 = v10.getUint32(0);
  const wild11 = v11.getUint32(8);
  const row = (name: string, vid: number, noVid: boolean, pcp: number, noPcp: boolean, back: Match): void =>
    print(`${name}: ${hex4(vid)}/${noVid ? 1 : 0},${pcp.toString(16).padStart(2, '0')}/${noPcp ? 1 : 0} -> ${tciOf(back)}\n`);
  const back10 = decodeOfp10Match(new ByteReader(ten.result()));
  row('OF1.0', v10.getUint16(18), (wild10 & 2) !== 0, v10.getUint8(20), (wild10 & 0x100000) !== 0, back10);
  const back11 = decodeOfp11Match(new ByteReader(eleven.result()));
  row('OF1.1', v11.getUint16(36), (wild11 & 2) !== 0, v11.getUint8(38), (wild11 & 4) !== 0, back11);
  return 0;
}
