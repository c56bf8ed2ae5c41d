// Messages to bytes and back: what is known of a message by its header comes from the table of messages, bodies are in the files beside
// this one.
//
// Some questions have an answer that the bytes alone do not hold, so a caller may give it: `CodecOptions`.
import { PeerError } from '../../base/errors.ts';
import type { Framed, Message, OfVersion } from '../message.ts';
import { isOfAllVersions, type MessageForm, messageForm, messageHead } from '../message-table.ts';
import { deprecatedRead } from './actions/action-forms.ts';
import { decodeBundledFlowMod, OFPT_BUNDLE_ADD_MESSAGE } from './bundle-codec.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import type { CodecOptions } from './codec-options.ts';
import { DECODERS } from './message-decode.ts';
import { ENCODERS, type EncoderRow } from './message-encode.ts';
import { decodeMultipart } from './multipart-decode.ts';
import { MULTIPART_ENCODERS } from './multipart-encode.ts';
import { decodePackedFlowMod, decodePackedFlowMod10, packFlowMod } from './packed/packed-flow-mod.ts';
import { decodeHello } from './session-codec.ts';

const OFPT_HELLO = 0;
const OFPT_ERROR = 1;
const OFPT_EXPERIMENTER = 4;
const OFPT_FLOW_MOD = 14;
const HEADER_SIZE = 8;
/** Of a multipart message, and the one flag that there is. */
const FLAGS_AT = 10;
const MORE = 1;

const OFPT10_BARRIER_REQUEST = 18;
/** From OpenFlow 1.1 on. */
const OFPT_BARRIER_REQUEST = 20;

/** Reads one whole message. Throws PeerError named by the OpenFlow error that should answer it. */
export function decodeMessage(bytes: Uint8Array, options: CodecOptions = {}): Framed {
  if (options.packsFlows === true) {
    const framed = decodeQuickly(bytes, options);
    if (framed !== undefined) return framed;
  }
  const from = new ByteReader(bytes, undefined, { tlvTable: options.tlvTable });
  const versionNumber = from.u8();
  const type = from.u8();
  const length = from.u16();
  const xid = from.u32();
  if (length < 8 || length !== bytes.length) throw new PeerError('OFPBRC_BAD_LEN', `message length ${length}, ${bytes.length} bytes`);
  if (type === OFPT_HELLO) return { version: clampVersion(versionNumber), xid, message: decodeHello(from, versionNumber) };
  const isKnown = versionNumber >= 1 && versionNumber <= 6;
  if (!isKnown && (versionNumber < 1 || !isOfAllVersions(type))) throw new PeerError('OFPBRC_BAD_VERSION', `version ${versionNumber}`);
  // What an error means is not known of versions that there are not.
  if (!isKnown && type === OFPT_ERROR) throw new PeerError('OFPBRC_BAD_LEN', `error of version ${versionNumber}`);
  const version = clampVersion(versionNumber);
  const form = messageForm(bytes);
  const deprecatedBefore = deprecatedRead();
  const framed: Framed = {
    version,
    xid,
    name: form.name,
    message: decodeBody(from, version, form, xid, options),
  };
  if (options.packsFlows === true && framed.message.kind === 'flowMod') packFlowMod(framed.message, bytes, version, deprecatedBefore);
  if (form.isMultipart) framed.multipartFlags = ((bytes[10] ?? 0) << 8) | (bytes[11] ?? 0);
  return framed;
}

/** A barrier, or a flow mod, alone or on its way into a bundle, where it is like others before; undefined for all else. */
function decodeQuickly(bytes: Uint8Array, { tlvTable, flowModTableId }: CodecOptions): Framed | undefined {
  const version = bytes[0] as OfVersion;
  const type = bytes[1];
  if (version < 1 || version > 6 || version === 2 || ((bytes[2]! << 8) | bytes[3]!) !== bytes.length) return undefined;
  const barrier = version === 1 ? OFPT10_BARRIER_REQUEST : OFPT_BARRIER_REQUEST;
  if (type !== OFPT_FLOW_MOD && type !== OFPT_BUNDLE_ADD_MESSAGE && type !== barrier) return undefined;
  const xid = ((bytes[4]! << 24) | (bytes[5]! << 16) | (bytes[6]! << 8) | bytes[7]!) >>> 0;
  if (type === barrier)
    return bytes.length === HEADER_SIZE ? { version, xid, name: 'OFPT_BARRIER_REQUEST', message: { kind: 'barrierRequest' } } : undefined;
  if (type === OFPT_FLOW_MOD) {
    const message =
      version === 1
        ? decodePackedFlowMod10(bytes, flowModTableId === true, tlvTable)
        : decodePackedFlowMod(bytes, 0, bytes.length, version, tlvTable);
    return message && { version, xid, name: 'OFPT_FLOW_MOD', message };
  }
  const message = version >= 5 ? decodeBundledFlowMod(bytes, version, tlvTable) : undefined;
  return message && { version, xid, name: 'OFPT_BUNDLE_ADD_MESSAGE', message };
}

const clampVersion = (number: number): OfVersion => Math.min(6, Math.max(1, number)) as OfVersion;

function decodeBody(from: ByteReader, version: OfVersion, { name, isMultipart }: MessageForm, xid: number, options: CodecOptions): Message {
  if (isMultipart) return decodeMultipart(from, version, name, options.isStrict === true);
  const decode = DECODERS[name];
  if (decode === undefined) throw new Error(`no way to read ${name}`);
  // An experimenter's number and subtype.
  if (!name.startsWith('OFPT')) from.skip(8);
  return decode(from, version, options, xid);
}

/** Writes one whole message. */
export function encodeMessage(version: OfVersion, xid: number, message: Message, options: CodecOptions = {}): Uint8Array {
  const out = spare ?? new ByteWriter();
  spare = undefined;
  try {
    return encodeInto(out, version, xid, message, options);
  } finally {
    out.cut(0);
    if (out.bytes.length <= MAX_SPARE) spare = out;
  }
}

/** What was written with last: it has room, and what a message needs of it is copied. */
let spare: ByteWriter | undefined;
const MAX_SPARE = 1 << 18;

/** Writes what has to be said of a message before its length and transaction id are, and its body. */
function encodeParts(out: ByteWriter, version: OfVersion, message: Message, options: CodecOptions): void {
  if (message.kind === 'unknown') {
    out.u8(version).u8(message.type).u16(0).u32(0);
    if (message.type === OFPT_EXPERIMENTER) out.u32(message.experimenter).u32(message.subtype);
    out.put(message.body);
    return;
  }
  const row = (ENCODERS[message.kind] ?? MULTIPART_ENCODERS[message.kind]) as EncoderRow<Message> | undefined;
  if (row === undefined) throw new Error(`no way to write ${message.kind}`);
  const name = row.name(version, message, options);
  const isFollowed = name.endsWith(' reply') && 'more' in message && message.more;
  out.put(messageHead(name, version));
  if (isFollowed) out.patch16(FLAGS_AT, MORE);
  row.body?.(out, message, version, options);
}

function encodeInto(out: ByteWriter, version: OfVersion, xid: number, message: Message, options: CodecOptions): Uint8Array {
  encodeParts(out, version, message, options);
  if (out.size > 0xffff) throw new Error(`${message.kind} of ${out.size} bytes does not fit a message`);
  out.patch16(2, out.size);
  out.patch32(4, xid >>> 0);
  return out.result();
}
