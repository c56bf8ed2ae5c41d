// Whom a frame that no flow of a table matches is for, as the table's settings of OpenFlow 1.1 and 1.2 and the bridge's controllers have it.
import type { OfPort } from '../../openflow/action.ts';
import type { BridgeState } from '../bridge-state.ts';
import { PORT_CONFIG } from '../ports.ts';

/** Tables that users see. */
export const TABLES = 254;

/** Whether controllers are told of such a frame from a port. */
export function isForControllers(bridge: BridgeState, inPort: OfPort, table: number): boolean {
  const config = bridge.tables.missOf(table);
  const port = bridge.ports.get(inPort);
  return (
    // Behind the last table there is none to continue in.
    (config === 'controller' || (config === 'continue' && table + 1 >= TABLES) || (config === 'default' && bridge.wantsPacketInOnMiss)) &&
    // Who asked for the controller meant frames of real ports.
    (port === undefined ? config === 'default' : (port.config & PORT_CONFIG.NO_PACKET_IN) === 0)
  );
}
