// Port numbers: 16 bits inside and in OpenFlow 1.0, 32 bits since 1.1, where the reserved ones stand at the top of the 32-bit space.

import { PeerError } from '../base/errors.ts';
import type { OfPort } from './action.ts';
import { OFPP } from './action.ts';
import { portLog as log } from './peer-logs.ts';

const OFFSET = 0xffff0000;

/** A 16-bit port as OpenFlow 1.1 and later write it. */
export const portToWire32 = (port: OfPort): number => (port >= OFPP.MAX ? (port + OFFSET) >>> 0 : port);

/** Whether 32 bits name a port. */
export const isWirePort32 = (wire: number): boolean => wire < OFPP.MAX || wire >= OFPP.MAX + OFFSET;

/** Says in the log of 32 bits that they name no port; gives what was said. */
export function tellOddPort(wire: number): string {
  const text = `port ${wire} is outside the supported range 0 through 65279 or 0xffffff00 through 0xffffffff`;
  if (!isWirePort32(wire)) log.warn(text);
  return text;
}

/** A 32-bit port as held inside; what does not fit is the peer's error `code`. */
export function portFromWire32(wire: number, code = 'OFPBAC_BAD_OUT_PORT'): OfPort {
  if (wire < OFPP.MAX) return wire;
  if (wire >= OFPP.MAX + OFFSET) return wire - OFFSET;
  throw new PeerError(code, tellOddPort(wire));
}

/** Whether something can be sent to a port: not to the numbers below the reserved names, nor to none. */
export const isOutputPort = (port: number): boolean => port < OFPP.MAX || (port >= OFPP.IN_PORT && port !== OFPP.NONE);

/** Whether a port can have queues: those of the switch, its own, and that by which a frame came. */
export const isQueuePort = (port: number): boolean => port < OFPP.MAX || port === OFPP.IN_PORT || port === OFPP.LOCAL;
