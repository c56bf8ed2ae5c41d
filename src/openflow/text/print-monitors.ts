// Flow monitors as text.
import { formatPort, formatTable } from '../../flow/field-text.ts';
import { formatMatch } from '../../flow/match-text.ts';
import { type FlowMonitorRequest, MONITOR, type MonitorUpdate } from '../flow-monitor.ts';
import { formatActions } from './action-format.ts';
import type { BodyPrinters, PrintContext } from './print-context.ts';

/** Priority is not shown: as if all had the usual one. */
const USUAL_PRIORITY = 0x8000;
const ANY_GROUP = 0xffffffff;
const NO_PORT = 0xffff;
const FLAGS = ['initial', 'add', 'delete', 'modify', 'actions', 'own'] as const;

const hex = (value: bigint | number): string => (BigInt(value) === 0n ? '0' : `0x${value.toString(16)}`);

function requestText(request: FlowMonitorRequest, { names }: PrintContext): string {
  let text = `\n id=${request.id}`;
  if (request.command === 'delete') return `${text} command=delete`;
  const known = FLAGS.filter((_, bit) => (request.flags & (1 << bit)) !== 0);
  const unknown = request.flags & ~(MONITOR.OWN * 2 - 1);
  text += ` flags=${[...known, ...(unknown === 0 ? [] : [hex(unknown)])].join(',')}`;
  if (request.outPort !== NO_PORT) text += ` out_port=${formatPort(request.outPort, names)}`;
  if (request.outGroup !== ANY_GROUP && request.outGroup !== 0) text += ` out_group=${request.outGroup | 0}`;
  if (request.table !== 255) text += ` table=${formatTable(request.table, names)}`;
  const match = formatMatch(request.match, USUAL_PRIORITY, names);
  return match === '' ? text : `${text} ${match}`;
}

function updateText(update: MonitorUpdate, { names }: PrintContext): string {
  const head = `\n event=${update.event.toUpperCase()}`;
  if (update.event === 'abbrev') return `${head} xid=0x${update.xid.toString(16)}`;
  if (update.event === 'paused' || update.event === 'resumed') return head;
  let text = head;
  if (update.event === 'deleted') text += ` reason=${update.reason}`;
  text += ` table=${formatTable(update.table, names)}`;
  if (update.idleTimeoutSec !== 0) text += ` idle_timeout=${update.idleTimeoutSec}`;
  if (update.hardTimeoutSec !== 0) text += ` hard_timeout=${update.hardTimeoutSec}`;
  const match = formatMatch(update.match, USUAL_PRIORITY, names);
  // The space stands even before a match of all, but for the last update's.
  text += ` cookie=${hex(update.cookie)} ${match}`;
  if (update.actions.length > 0) text += `${match === '' ? '' : ' '}actions=${formatActions(update.actions, names)}`;
  return text;
}

const lines = (list: readonly string[], { framed }: PrintContext): string =>
  framed.fault !== undefined && list.length === 0 ? '' : `${list.join('').replace(/ $/, '')}\n`;

/** Bodies of these messages. */
export const MONITOR_BODIES: BodyPrinters = {
  flowMonitorRequest: ({ requests }, context) =>
    lines(
      requests.map((request) => requestText(request, context)),
      context,
    ),
  flowMonitorReply: ({ updates }, context) =>
    lines(
      updates.map((update) => updateText(update, context)),
      context,
    ),
  flowMonitorCancel: (message) => ` id=${message.id}\n`,
};
