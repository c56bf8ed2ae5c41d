// What the codec has to be told beside the bytes.
import type { TlvTable } from '../tlv-table.ts';

export interface CodecOptions {
  /** OpenFlow 1.0: the flow-mod command's upper byte is a table (NXT_FLOW_MOD_TABLE_ID). */
  flowModTableId?: boolean;
  /**
   * Send flow messages in Nicira's form, of which OpenFlow 1.1 and later have flow-mods alone. Undefined: flow-mods of OpenFlow 1.0 in
   * whichever form can say their match, others plain.
   */
  nxFlows?: boolean;
  /** Form of packet-ins sent: 0 the version's own, 1 NXT_PACKET_IN, 2 NXT_PACKET_IN2. */
  packetInFormat?: number;
  /** What tun_metadata fields stand for; without one their values are taken as long as they are. */
  tlvTable?: TlvTable;
  /** Flow mods come with `packed` in the place of `match`, and share lists of actions: the way of a switch, which takes many. */
  packsFlows?: boolean;
  /** Properties of requests that are not known are faults: the way of a switch. Who only shows messages passes over them. */
  isStrict?: boolean;
}
