// Why connections end, as `onClose` is told it, and whose fault that was.
import { logger } from '../../base/log.ts';

const rpcLog = logger('jsonrpc');
export const BAD_MESSAGE = 'received bad JSON-RPC message';
export const BAD_TEXT = 'error parsing stream';
export const NO_SIGN = 'no response to inactivity probe';

/** Whose fault the end of a connection was, from the reason that `onClose` is given. */
export function faultKind(reason: string): 'none' | 'protocol' | 'silence' | 'other' {
  if (reason === '') return 'none';
  if (reason.startsWith(BAD_MESSAGE) || reason.startsWith(BAD_TEXT)) return 'protocol';
  return reason.startsWith(NO_SIGN) ? 'silence' : 'other';
}

/** Has the log say what a server did wrong that we were connected to; gives the reason in the reference's one word for all of it. */
export function sayPeerFault(name: string, reason: string): string {
  if (faultKind(reason) !== 'protocol') return reason;
  rpcLog.warn(`${name}: ${reason}`);
  return 'Protocol error';
}
