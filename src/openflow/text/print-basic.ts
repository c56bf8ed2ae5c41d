// Hello, error, echo, configuration and flow messages as text.
import { PeerError } from '../../base/errors.ts';
import { hexDump } from '../../base/hex-dump.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { W } from '../../flow/key.ts';
import { formatMatch } from '../../flow/match-text.ts';
import { type Continuation, decodeContinuation } from '../codec/continuation-codec.ts';
import { requireConsistentFlow } from '../flow-mod-check.ts';
import type { Message, OfVersion, PacketIn, Resume } from '../message.ts';
import { formatActions } from './action-format.ts';
import { formatEntries } from './entries-text.ts';
import { formatFlowMod, formatFlowRemoved, formatFlowStats } from './flow-text.ts';
import { formatOfp10Match } from './ofp10-match-text.ts';
import { formatPacket } from './packet-text.ts';
import { type BodyPrinters, LOG_VERBOSITY, type PrintContext } from './print-context.ts';

const UNKNOWN = 0xffffffffffffffffn;
const OFPT_FLOW_MOD = 14;
const OFPT_VENDOR = 4;

/** `set-frags` modes by the low bits of the switch configuration's flags. */
export const FRAG_MODES: readonly string[] = ['normal', 'drop', 'reassemble', 'nx-match'];

function versionList(bits: number): string {
  const versions: string[] = [];
  for (let version = 1; version < 32; version++)
    if ((bits & (1 << version)) !== 0) versions.push(`0x${version.toString(16).padStart(2, '0')}`);
  return versions.join(', ');
}

function printError(error: Extract<Message, { kind: 'error' }>, { inner }: PrintContext): string {
  const { name } = error;
  if (name === undefined) throw new PeerError('OFPBRC_BAD_LEN', `error type ${error.type} code ${error.code}`);
  if (error.type === 0 && error.experimenter === 0) {
    const text = printable(error.data).replace(/ $/, '');
    return ` ${name}\n${text === '' ? '' : `${text}\n`}`;
  }
  return ` ${name}\n${inner(error.data, LOG_VERBOSITY)}`;
}

/** Bytes as text: what is no plain character, and quotes and backslashes, as three octal digits. */
function printable(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    text += isPlain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`;
  }
  return text;
}

const echo = (message: { data: Uint8Array }, { verbosity }: PrintContext): string =>
  ` ${message.data.length} bytes of payload\n${verbosity > 1 ? hexDump(message.data) : ''}`;

const config = ({ flags, missSendLength }: { flags: number; missSendLength: number }, { version }: PrintContext): string => {
  const invalid = version <= 3 && (flags & 4) !== 0 ? ' invalid_ttl_to_controller' : '';
  return ` frags=${FRAG_MODES[flags & 3] ?? 'unknown'}${invalid} miss_send_len=${missSendLength}\n`;
};

/** The frame in a message: a line about it, and at the highest verbosity its bytes. */
function frame(data: Uint8Array, verbosity: number, evenEmpty = false, packetType = 0): string {
  if (verbosity <= 0 || (data.length === 0 && !evenEmpty)) return '';
  return formatPacket(data, packetType) + (verbosity > 2 ? hexDump(data, 'log') : '');
}

/** Reasons of packets that a table's own miss sends have no name. */
const reasonText = (reason: PacketIn['reason']): string => (reason === 'explicit_miss' || reason === 'implicit_miss' ? '' : String(reason));

function packetInText(message: PacketIn | Resume, context: PrintContext): string {
  const { verbosity, names, version } = context;
  const { table, cookie, bufferId, totalLength, data, userdata, continuation } = message;
  let text = table === 0 ? '' : ` table_id=${table}`;
  if (cookie !== UNKNOWN) text += ` cookie=0x${cookie.toString(16)}`;
  text += ` total_len=${totalLength} ${formatMatch(message.match, 0x8000, names)} (via ${reasonText(message.reason)}) data_len=${data.length}`;
  if (bufferId === 0xffffffff) text += ` (unbuffered)${totalLength === data.length ? '' : ' (***total_len != data_len***)'}`;
  else text += ` buffer=0x${bufferId.toString(16).padStart(8, '0')}${totalLength < data.length ? ' (***total_len < data_len***)' : ''}`;
  text += '\n';
  if (userdata !== undefined && userdata.length > 0)
    text += ` userdata=${Buffer.from(userdata)
      .toString('hex')
      .replace(/..(?=.)/g, '$&.')}\n`;
  if (continuation !== undefined) text += continuationText(decodeContinuation(continuation, version, true), names);
  return text + frame(data, verbosity, true, message.match.key[W.PACKET_TYPE]);
}

/** What a paused packet has to go on with, a line each. */
function continuationText(state: Continuation, names: PortNames | undefined): string {
  const line = (name: string, value: string): string => ` continuation.${name}=${value}\n`;
  let text = state.bridge === undefined ? '' : line('bridge', state.bridge);
  if (state.stack.length > 0) text += line('stack', `(top) ${state.stack.join(' ')} (bottom)`);
  if (state.mirrors !== 0) text += line('mirrors', `0x${state.mirrors.toString(16)}`);
  if (state.conntracked) text += line('conntracked', 'true');
  if (state.actions !== undefined) text += line('actions', formatActions(state.actions, names));
  if (state.actionSet !== undefined && state.actionSet.length > 0) text += line('action_set', formatActions(state.actionSet, names));
  if (state.odpPort !== undefined && state.odpPort !== 0) text += line('odp_port', String(state.odpPort));
  return text;
}

/** Where NXT_FLOW_MOD has the length of its match, and the match. */
const NXM_LENGTH_AT = 40;
const NXM_AT = 48;

/** A flow-mod's match as it stands on the wire, in OpenFlow 1.0's form or in Nicira's. */
function matchOnWire(bytes: Uint8Array, version: OfVersion, names?: PortNames): string | undefined {
  if (version === 1 && bytes[1] === OFPT_FLOW_MOD) return formatOfp10Match(bytes.subarray(8, 48), names);
  if (bytes[1] !== OFPT_VENDOR) return undefined;
  const length = ((bytes[NXM_LENGTH_AT] ?? 0) << 8) | (bytes[NXM_LENGTH_AT + 1] ?? 0);
  return formatEntries(bytes.subarray(NXM_AT, NXM_AT + length));
}

/** Bodies of these messages. */
export const BASIC_BODIES: BodyPrinters = {
  hello: (message, { bytes }) =>
    `\n version bitmap: ${versionList(message.versions)}\n${message.hasUnknown === true ? ` unknown data in hello:\n${hexDump(bytes)}` : ''}`,
  error: printError,
  echoRequest: echo,
  echoReply: echo,
  getConfigReply: config,
  setConfig: config,
  flowMod: (message, { names, version, verbosity, bytes }) => {
    const wireMatch = verbosity > 2 ? matchOnWire(bytes, version, names) : undefined;
    // What a switch would refuse cannot be decoded, as the reference sees it.
    requireConsistentFlow(message, version);
    return `${formatFlowMod(message, names, wireMatch)}\n`;
  },
  flowRemoved: (message, { names }) => `${formatFlowRemoved(message, names)}\n`,
  flowStatsReply: (message, { names, framed }) =>
    framed.fault !== undefined && message.flows.length === 0
      ? ''
      : `${message.flows.map((flow) => `\n ${formatFlowStats(flow, names)}`).join('')}\n`,
  aggregateReply: (message) => ` packet_count=${message.packetCount} byte_count=${message.byteCount} flow_count=${message.flowCount}\n`,
  descReply: (message) =>
    `\nManufacturer: ${message.manufacturer}\nHardware: ${message.hardware}\nSoftware: ${message.software}\n` +
    `Serial Num: ${message.serial}\nDP Description: ${message.datapath}\n`,
  packetIn: packetInText,
  resume: packetInText,
  packetOut: (message, { names, verbosity }) => {
    const tail =
      message.bufferId === 0xffffffff ? ` data_len=${message.data.length}` : ` buffer=0x${message.bufferId.toString(16).padStart(8, '0')}`;
    return ` ${formatMatch(message.match, 0x8000, names)} actions=${formatActions(message.actions, names)}${tail}\n${message.bufferId === 0xffffffff ? frame(message.data, verbosity, false, message.match.key[W.PACKET_TYPE]) : ''}`;
  },
};
