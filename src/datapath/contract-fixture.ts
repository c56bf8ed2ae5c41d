// What the shared suite is given by an implementation, and the frame that most of its tests send.
import type { Datapath, DpPort } from './datapath.ts';

export interface ContractFixture {
  datapath: Datapath;
  ports: readonly [DpPort, DpPort, DpPort];
  /** A frame arrives at a port. */
  inject(port: DpPort, frame: Uint8Array): void;
  /** Resolves with what has left the ports since the last call, when everything injected has been dealt with. */
  settle(): Promise<{ port: DpPort; frame: Uint8Array }[]>;
  close(): Promise<void>;
}

/** Bytes from hexadecimal text with spaces. */
export const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.replaceAll(/\s/g, '').match(/../g) ?? [], (b) => Number.parseInt(b, 16));

/** UDP over IPv4 from 10.0.0.1:1000 to 10.0.0.2:2000, 4 bytes, with right checksums. */
export const udpFrame = hex(`50540000000a 505400000009 0800
  45000020 00010000 401166ca 0a000001 0a000002 03e807d0000c1b55 61626364 000000000000000000000000000000000000`);
