// Hello, error, echo, configuration and flow messages as text.
import { PeerError } from '../../base/errors.ts';
import { hexDump } from '../../base/hex-dump.ts';
import { formatPort } from '../../flow/field-text.ts';
import { type Match, W } from '../../flow/key.ts';
import { formatMatch } from '../../flow/match-text.ts';
import { ETH, matchedEthType } from '../../flow/prerequisites.ts';
import { checkActionList } from '../action-check.ts';
import { inPortOf } from '../codec/packet-codec.ts';
import type { Message } from '../message.ts';
import { formatActions } from './action-format.ts';
import { formatContinuation } from './continuation-text.ts';
import { formatFlowMod, formatFlowRemoved, formatFlowStats } from './flow-text.ts';
import { formatPacket } from './packet-text.ts';
import type { BodyPrinters, PrintContext } from './print-context.ts';

const UNKNOWN = 0xffffffffffffffffn;

/** `set-frags` modes by the low bits of the switch configuration's flags. */
export const FRAG_MODES: readonly string[] = ['normal', 'drop', 'reassemble', 'nx-match'];

function versionList(bits: number): string {
  const versions: string[] = [];
  for (let version = 1; version < 31; version++)
    if ((bits & (1 << version)) !== 0) versions.push(`0x${version.toString(16).padStart(2, '0')}`);
  return versions.join(', ');
}

function printError(error: Extract<Message, { kind: 'error' }>, { inner }: PrintContext): string {
  const { name } = error;
  if (name === undefined) throw new PeerError('OFPBRC_BAD_LEN', `error type ${error.type} code ${error.code}`);
  if (error.type === 0 && error.experimenter === 0) return ` ${name}\n${Buffer.from(error.data).toString('latin1')}\n`;
  return ` ${name}\n${inner(error.data)}`;
}

const echo = (message: { data: Uint8Array }, { verbosity }: PrintContext): string =>
  ` ${message.data.length} bytes of payload\n${verbosity > 1 ? hexDump(message.data) : ''}`;

const config = ({ flags, missSendLength }: { flags: number; missSendLength: number }, { version }: PrintContext): string => {
  const invalid = version <= 4 && (flags & 4) !== 0 ? ' invalid_ttl_to_controller' : '';
  return ` frags=${FRAG_MODES[flags & 3] ?? 'unknown'}${invalid} miss_send_len=${missSendLength}\n`;
};

/** The frame in a message: a line about it, and at the highest verbosity its bytes. */
function frame(data: Uint8Array, verbosity: number): string {
  if (verbosity <= 0 || data.length === 0) return '';
  return formatPacket(data) + (verbosity > 2 ? hexDump(data, 'log') : '');
}

/** Addresses of a connection's first packet ask for the network protocol that has such. */
function isConnectionConsistent(match: Match): boolean {
  const asks = (word: number, count: number): boolean => match.mask.subarray(word, word + count).some((bits) => bits !== 0);
  const type = matchedEthType(match);
  return !(asks(W.CT_NW_SRC, 2) && type !== ETH.IPV4) && !(asks(W.CT_IPV6_SRC, 8) && type !== ETH.IPV6);
}

/** Bodies of these messages. */
export const BASIC_BODIES: BodyPrinters = {
  hello: (message) => `\n version bitmap: ${versionList(message.versions)}\n`,
  error: printError,
  echoRequest: echo,
  echoReply: echo,
  getConfigReply: config,
  setConfig: config,
  flowMod: (message, { names, version }) => {
    // What a switch would refuse cannot be decoded, as the reference sees it.
    const isConsistent = checkActionList(message.actions, message.match, message.table);
    if (!isConnectionConsistent(message.match) || (!isConsistent && version > 1))
      throw new PeerError('OFPBAC_MATCH_INCONSISTENT', 'actions do not fit the match');
    return `${formatFlowMod(message, names)}\n`;
  },
  flowRemoved: (message, { names }) => `${formatFlowRemoved(message, names)}\n`,
  flowStatsReply: (message, { names }) => `${message.flows.map((flow) => `\n ${formatFlowStats(flow, names)}`).join('')}\n`,
  aggregateReply: (message) => ` packet_count=${message.packetCount} byte_count=${message.byteCount} flow_count=${message.flowCount}\n`,
  descReply: (message) =>
    `\nManufacturer: ${message.manufacturer}\nHardware: ${message.hardware}\nSoftware: ${message.software}\n` +
    `Serial Num: ${message.serial}\nDP Description: ${message.datapath}\n`,
  packetIn: (message, { version, verbosity, names }) => {
    const data = ` data_len=${message.data.length}`;
    const table = message.table === 0 || version === 1 ? '' : ` table_id=${message.table}`;
    const cookie = message.cookie === UNKNOWN ? '' : ` cookie=0x${message.cookie.toString(16)}`;
    const buffer = message.bufferId === 0xffffffff ? ' (unbuffered)' : ` buffer=0x${message.bufferId.toString(16).padStart(8, '0')}`;
    const userdata =
      message.userdata === undefined
        ? ''
        : ` userdata=${Buffer.from(message.userdata)
            .toString('hex')
            .replace(/..(?=.)/g, '$&.')}\n`;
    const rest = message.continuation === undefined ? '' : formatContinuation(message.continuation, names);
    const head = `${table}${cookie} total_len=${message.totalLength} ${formatMatch(message.match, 0x8000, names)} (via ${message.reason})`;
    return `${head}${data}${buffer}\n${userdata}${rest}${frame(message.data, verbosity)}`;
  },
  resume: (message, context) => BASIC_BODIES.packetIn!({ ...message, kind: 'packetIn' }, context),
  packetOut: (message, { names, verbosity }) => {
    const inPort = formatPort(inPortOf(message.match), names);
    const tail =
      message.bufferId === 0xffffffff ? ` data_len=${message.data.length}` : ` buffer=0x${message.bufferId.toString(16).padStart(8, '0')}`;
    return ` in_port=${inPort} actions=${formatActions(message.actions, names)}${tail}\n${frame(message.data, verbosity)}`;
  },
};
