// Ports and bundles of a bridge, as translation sees them.
import type { DpPort } from '../datapath/datapath.ts';
import type { OfPort } from '../openflow/action.ts';
import type { Bond } from '../protocols/bond.ts';
import type { BridgeState } from './bridge-state.ts';
import type { BundleRequest, PortKind, PortLink } from './contract.ts';
import type { TunnelConfig } from './translate/tunnel-config.ts';

/** The bit of a port's state that says it can be sent to, OFPPS_LIVE. */
export const LIVE = 4;

/** Bits of a port's OpenFlow configuration. */
export const PORT_CONFIG = { DOWN: 1, NO_STP: 2, NO_RECV: 4, NO_RECV_STP: 8, NO_FLOOD: 16, NO_FWD: 32, NO_PACKET_IN: 64 } as const;

/** Counters of ports that have none in the datapath: patch ports, and tunnels that share a datapath port. */
export interface VirtualCounters {
  rxPackets: number;
  rxBytes: number;
  txPackets: number;
  txBytes: number;
}

export interface SwitchPort {
  readonly bridge: BridgeState;
  readonly port: OfPort;
  readonly name: string;
  kind: PortKind;
  /** Undefined for patch ports. */
  dpPort: DpPort | undefined;
  tunnel: TunnelConfig | undefined;
  bundle: PortBundle | undefined;
  config: number;
  link: PortLink | undefined;
  /** What OFPT_PORT_MOD asked of the device, which has not done it yet. */
  isGoingDown: boolean | undefined;
  readonly createdMs: number;
  readonly virtual: VirtualCounters;
}

export interface PortBundle {
  readonly name: string;
  request: BundleRequest;
  members: SwitchPort[];
  /** Undefined = all VLANs. */
  trunks: ReadonlySet<number> | undefined;
  /** How several members carry it; undefined for one. */
  bond?: Bond | undefined;
}

/** Whether a bundle carries a VLAN. */
export function includesVlan(bundle: PortBundle, vlan: number): boolean {
  const { vlanMode, vlan: own } = bundle.request;
  switch (vlanMode) {
    case 'access':
      return vlan === Math.max(0, own);
    case 'native-tagged':
    case 'native-untagged':
      if (vlan === Math.max(0, own)) return true;
      // What has no VLAN has the native one there.
      if (vlan === 0) return false;
      return bundle.trunks === undefined || bundle.trunks.has(vlan);
    case 'dot1q-tunnel':
      return vlan === Math.max(0, own);
    case 'trunk':
      return bundle.trunks === undefined || bundle.trunks.has(vlan);
  }
}
