// Messages about the connection itself as text: roles, asynchronous configuration, forwarded requests.
import { PeerError } from '../../base/errors.ts';
import type { Message } from '../message.ts';
import { messageForm } from '../message-table.ts';
import type { BodyPrinters, PrintContext } from './print-context.ts';

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>;

/** Names of the events' reasons, a bit each. */
const EVENTS: readonly (readonly [string, string, readonly (string | undefined)[]])[] = [
  ['packetIn', 'PACKET_IN', ['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out']],
  ['portStatus', 'PORT_STATUS', ['add', 'delete', 'modify']],
  ['flowRemoved', 'FLOW_REMOVED', ['idle', 'hard', 'delete', 'group_delete', 'meter_delete', 'eviction']],
  ['roleStatus', 'ROLE_STATUS', ['primary_request', 'configuration_changed', 'experimenter_data_changed']],
  ['tableStatus', 'TABLE_STATUS', [undefined, undefined, undefined, 'vacancy_down', 'vacancy_up']],
  ['requestForward', 'REQUESTFORWARD', ['group_mod_request', 'meter_mod_request']],
];

function asyncText({ masks }: { masks: ReadonlyMap<string, number> }): string {
  let text = '\n';
  for (const role of ['primary', 'secondary']) {
    text += `${role === 'primary' ? '' : '\n'} ${role}:\n`;
    for (const [event, title, reasons] of EVENTS) {
      const bits = masks.get(`${event}.${role}`) ?? 0;
      const names = reasons.filter((name, bit) => name !== undefined && ((bits >>> bit) & 1) === 1);
      text += `${title.padStart(16)}:${names.length === 0 ? ' (off)' : names.map((name) => ` ${name}`).join('')}\n`;
    }
  }
  return text;
}

const generation = (id: bigint | undefined): string => (id === undefined ? '' : ` generation_id=${id}`);
const role = ({ role: name, generationId }: Of<'roleRequest' | 'roleReply'>): string => ` role=${name}${generation(generationId)}\n`;

/** What is forwarded, and why it is. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ['OFPT_GROUP_MOD', 'group_mod'],
  ['NXT_GROUP_MOD', 'group_mod'],
  ['OFPT_METER_MOD', 'meter_mod'],
]);

/** What is forwarded, told by its type: the message that another controller sent without its head. */
function forwarded({ inner }: Of<'requestForward'>, { version, body }: PrintContext): string {
  const view = new DataView(inner.buffer, inner.byteOffset, inner.byteLength);
  const size = inner.length < 8 ? 0 : view.getUint16(2);
  if (size < 8 || size > inner.length) throw new PeerError('OFPBFC_MSG_BAD_LEN', `message of ${size} bytes in ${inner.length}`);
  const type = inner[1];
  if (inner[0] !== version) throw new PeerError('OFPBRC_BAD_VERSION', `version ${inner[0]} in a message of ${version}`);
  const reason = REASONS.get(messageForm(inner.subarray(0, size)).name);
  if (reason === undefined) throw new PeerError('OFPBFC_MSG_UNSUP', `type ${type} forwarded`);
  return ` reason=${reason}${body(inner.subarray(0, size))}`;
}

/** Bodies of these messages. */
export const SESSION_BODIES: BodyPrinters = {
  roleRequest: role,
  roleReply: role,
  roleStatus: ({ role: name, reason, generationId }) => ` role=${name}${generation(generationId)} reason=${reason ?? '(unknown)'}\n`,
  setAsync: asyncText,
  getAsyncReply: asyncText,
  requestForward: forwarded,
};
