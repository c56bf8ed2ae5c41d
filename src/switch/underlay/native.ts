// What translation needs of the world below tunnels, where the datapath puts outer headers on itself.
import type { SwitchPort } from '../ports.ts';
import type { Underlay } from './underlay.ts';

export interface NativeTunnels {
  readonly underlay: Underlay;
  /** The port of that name in any bridge of the datapath. */
  portNamed(device: string): SwitchPort | undefined;
  /** A frame of the switch's own enters its port's bridge there. */
  send(port: SwitchPort, frame: Uint8Array): void;
}
