// The ports that a bundle may send to.
import { PeerError } from '../base/errors.ts';
import { OFPP } from './action.ts';
import { bundleMemberLog } from './peer-logs.ts';

/** Throws PeerError for what has no name among the reserved ports, and for the controller. */
export function checkMember(port: number): void {
  if (port < OFPP.MAX || (port >= OFPP.IN_PORT && port !== OFPP.CONTROLLER)) return;
  bundleMemberLog.warn(port === OFPP.CONTROLLER ? 'unsupported controller member' : `invalid member ${port}`);
  throw new PeerError('OFPBAC_BAD_OUT_PORT', `bundle member ${port}`);
}
