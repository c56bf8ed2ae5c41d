// The actions that send a frame somewhere: output, controller, enqueue, resubmit.
import { ConfigError } from '../../base/errors.ts';
import { parsePort } from '../../flow/field-text.ts';
import type { Action } from '../action.ts';
import { OFPP } from '../action.ts';
import { PACKET_IN_REASONS } from '../codec/actions/action-constants.ts';
import { hexBytes } from './action-argument.ts';
import { splitKeyValues } from './key-value-text.ts';
import type { ActionTextContext } from './number-text.ts';
import { fault, numberOf, portOf, tableOf, u32 } from './number-text.ts';
import { fieldOfText, parseSubfieldPart } from './subfield-text.ts';

/** What a reader gives, if it can read. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

/** An Ethernet header must be left. */
const MIN_TRUNCATED = 14;

/** output, to a port or to the one that a field names, or with what is cut off. */
export function parseOutput(arg: string, context: ActionTextContext, word: { mark: string }): Action {
  if (word.mark === '(' && arg.includes('port') && arg.includes('max_len')) {
    let port: number = OFPP.NONE;
    let maxLen = 0;
    for (const { key, value = '' } of splitKeyValues(arg)) {
      if (key === 'port') {
        port = portOf(value, context, `output to unknown truncate port: ${value}`);
        const isReserved = port > OFPP.MAX && port !== OFPP.LOCAL && port !== OFPP.IN_PORT;
        if (isReserved) fault(`output to unsupported truncate port: ${value}`);
      } else if (key === 'max_len') {
        maxLen = u32(value);
        if (maxLen < MIN_TRUNCATED) fault(`max_len ${maxLen} is less than the minimum value ${MIN_TRUNCATED}`);
      } else fault(`invalid key '${key}' in output_trunc argument`);
    }
    return { kind: 'outputTrunc', port, maxLen };
  }
  const port = parsePort(arg, context.names);
  if (port !== undefined) return { kind: 'output', port, maxLen: port === OFPP.CONTROLLER ? 0xffff : 0 };
  const name = /^[^[]*/.exec(arg)?.[0] ?? '';
  const found = fieldOfText(name) === undefined ? undefined : readable(() => parseSubfieldPart(arg));
  if (found === undefined || found.rest !== '') return fault(`${arg}: output to unknown port`);
  return { kind: 'outputReg', src: found.subfield, maxLen: 0xffff };
}

const SPOKEN_REASONS = PACKET_IN_REASONS.filter((reason) => !reason.endsWith('_miss'));

/** controller. */
export function parseController(arg: string): Action {
  const action: Extract<Action, { kind: 'controller' }> = {
    kind: 'controller',
    maxLen: 0xffff,
    reason: 'action',
    controllerId: 0,
    userdata: new Uint8Array(0),
    pause: false,
    meterId: 0,
  };
  if (arg === '') return { kind: 'output', port: OFPP.CONTROLLER, maxLen: 0xffff };
  if (/^[0-9]+$/.test(arg)) return { kind: 'output', port: OFPP.CONTROLLER, maxLen: numberOf(arg, 16, 'max_len') };
  // Data that are there, be they none, are told in this form alone.
  let userdata: string | undefined;
  for (const { key, value = '' } of splitKeyValues(arg)) {
    if (key === 'reason') {
      // The reasons of a switch's own misses have no words: none stands for the first of them.
      action.reason =
        value === ''
          ? 'explicit_miss'
          : (SPOKEN_REASONS.find((reason) => reason === value.toLowerCase()) ?? fault(`unknown reason "${value}"`));
    } else if (key === 'max_len') action.maxLen = numberOf(value, 16, 'max_len');
    else if (key === 'id') action.controllerId = numberOf(value, 16, 'id');
    else if (key === 'userdata') userdata = value;
    else if (key === 'pause') action.pause = true;
    else if (key === 'meter_id') action.meterId = u32(value);
    else fault(`unknown key "${key}" parsing controller action`);
  }
  // The last of several counts, when all other words are read.
  if (userdata !== undefined) action.userdata = hexBytes(userdata, "`controller' action `userdata'");
  const isPlain =
    action.reason === 'action' && action.controllerId === 0 && userdata === undefined && !action.pause && action.meterId === 0;
  return isPlain ? { kind: 'output', port: OFPP.CONTROLLER, maxLen: action.maxLen } : action;
}

/** enqueue. */
export function parseEnqueue(arg: string, context: ActionTextContext): Action {
  // As strtok cuts it: marks in front of the port are passed over, and all behind the one that ends it is the queue.
  const [, portText = '', queueText = ''] = /^[:,]*([^:,]*)[:,]?(.*)$/s.exec(arg) ?? [];
  if (queueText === '') return fault('"enqueue" syntax is "enqueue:PORT:QUEUE" or "enqueue(PORT,QUEUE)"');
  return { kind: 'enqueue', port: portOf(portText, context, `${portText}: enqueue to unknown port`), queue: u32(queueText) };
}

/** resubmit. */
export function parseResubmit(arg: string, context: ActionTextContext): Action {
  const [portText = '', tableText = '', ct = ''] = arg.split(',');
  const port = portText === '' ? OFPP.IN_PORT : portOf(portText, context, `${portText}: resubmit to unknown port`);
  const table = tableText === '' ? 255 : tableOf(tableText, context.names, `${tableText}: resubmit to unknown table`);
  if (ct !== '' && ct !== 'ct') return fault(`${ct}: unknown parameter`);
  if (port === OFPP.IN_PORT && table === 255) return fault('at least one "in_port" or "table" must be specified on resubmit');
  return { kind: 'resubmit', port, table, withCtTuple: ct === 'ct' };
}
