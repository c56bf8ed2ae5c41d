// What translation reads of a bridge. Translation changes nothing here: what it wants to learn or count it returns as effects.

import type { OfPort } from '../openflow/action.ts';
import type { FlowMod } from '../openflow/message.ts';
import type { TlvTable } from '../openflow/tlv-table.ts';
import type { MacTable } from '../protocols/mac-learning.ts';
import type { MirrorSet } from './mirrors.ts';
import type { PortBundle, SwitchPort } from './ports.ts';
import type { FlowTables } from './tables/flow-tables.ts';
import type { GroupTable } from './tables/group-table.ts';
import type { MeterTable } from './tables/meter-table.ts';
import type { NativeTunnels } from './underlay/native.ts';

export interface BridgeState {
  readonly name: string;
  readonly tables: FlowTables;
  readonly groups: GroupTable;
  readonly meters: MeterTable;
  readonly tlvTable: TlvTable;
  readonly macs: MacTable<PortBundle>;
  readonly ports: ReadonlyMap<OfPort, SwitchPort>;
  /** In the order of a flood: LOCAL first, then as configured. */
  readonly bundles: ReadonlyMap<string, PortBundle>;
  readonly mirrors: MirrorSet;
  readonly isBpduForwarded: boolean;
  readonly floodVlans: ReadonlySet<number>;
  readonly wantsPacketInOnMiss: boolean;
  /** Controllers are reached through the bridge itself: DHCP replies are for the local port, too. */
  readonly hasInBand?: boolean;
  /** Adds or refreshes a flow that a frame taught at `usedMs`. */
  learnFlow(mod: FlowMod, limit: number, usedMs: number): void;
  /** Present where the datapath puts outer headers on itself. */
  readonly native?: NativeTunnels | undefined;
  /** The port at the other end of a patch port; undefined while there is none. */
  patchPeer(port: SwitchPort): SwitchPort | undefined;
}
