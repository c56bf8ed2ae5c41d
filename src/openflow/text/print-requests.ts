// Requests and settings as text: what a controller asks of a switch, where the rest of the files beside this one print what it answers.
import { formatMac } from '../../base/addresses.ts';
import { formatPort } from '../../flow/field-text.ts';
import { formatMatch } from '../../flow/match-text.ts';
import { OFPP } from '../action.ts';
import type { FlowStatsRequest, Message } from '../message.ts';
import type { BodyPrinters, PrintContext } from './print-context.ts';
import { configNames, featureNames } from './print-ports.ts';

const PACKET_IN_FORMATS = ['standard', 'nxt_packet_in', 'nxt_packet_in2'];

function flowRequest({ request }: { request: FlowStatsRequest }, { names }: PrintContext): string {
  let text = '';
  if (request.table !== 255) text += ` table=${request.table}`;
  if (request.outPort !== OFPP.NONE) text += ` out_port=${formatPort(request.outPort, names)}`;
  const match = formatMatch(request.match, 0x8000, names);
  return `${text}${match === '' ? '' : ` ${match}`}\n`;
}

function portMod(mod: Extract<Message, { kind: 'portMod' }>, { names }: PrintContext): string {
  const list = (words: readonly string[]): string => (words.length === 0 ? '0' : words.join(' '));
  return (
    ` port: ${formatPort(mod.port, names)}: addr:${formatMac(...mod.mac)}\n` +
    `     config: ${list(configNames(mod.config))}\n     mask:   ${list(configNames(mod.mask))}\n` +
    `     advertise: ${featureNames(mod.advertise).join(' ') || 'UNCHANGED'}\n`
  );
}

/** Bodies of these messages. */
export const REQUEST_BODIES: BodyPrinters = {
  flowStatsRequest: flowRequest,
  aggregateRequest: flowRequest,
  portStatsRequest: ({ port }, { names }) => ` port_no=${formatPort(port, names)}\n`,
  portDescRequest: ({ port }, { names }) => ` port=${formatPort(port, names)}\n`,
  portMod,
  flowModTableId: ({ enabled }) => ` ${enabled ? 'enable' : 'disable'}\n`,
  setControllerId: ({ controllerId }) => ` id=${controllerId}\n`,
  setPacketInFormat: ({ format }) => ` format=${PACKET_IN_FORMATS[format] ?? format}\n`,
  setFlowFormat: ({ format }) => ` format=${format === 0 ? 'openflow10' : format === 2 ? 'nxm' : '(unknown)'}\n`,
};
