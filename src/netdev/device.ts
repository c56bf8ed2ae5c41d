// The device contract of the frame path.
//
// A device is opened on the main thread, where errors can be told, into a plain description of descriptors and addresses; the frame path
// attaches to that description. Its memory is the receiver's until `release`, which comes after everything queued has been flushed.
import type { Packet } from './packet.ts';

/** Counts what a device did; given by whoever attaches it. */
export interface DeviceCounters {
  sent(packets: number, bytes: number): void;
  sendFailed(packets: number): void;
  sendDropped(packets: number): void;
  receiveFailed(packets: number): void;
  receiveDropped(packets: number): void;
}

/** Outer header for a device that needs one. Addresses are 4 words, IPv4 in the last with the first three 0. `flags` as TUN_FLAG. */
export interface OuterHeader {
  id: bigint;
  src: readonly number[];
  dst: readonly number[];
  ipv6: boolean;
  tos: number;
  ttl: number;
  tpSrc: number;
  tpDst: number;
  flags: number;
  gbpId: number;
  gbpFlags: number;
  /** Geneve options as on the wire. */
  options: Uint8Array;
  /** Mark of the outer packet's route lookup (egress_pkt_mark). */
  mark: number;
}

export interface Device {
  /** Descriptors to watch for input. */
  readonly fds: readonly number[];
  /** Whether `receive` costs a system call, so that it is worth asking only when a descriptor is ready. */
  readonly needsReadiness: boolean;
  /** Hands over up to `budget` frames; gives how many. */
  receive(budget: number, onPacket: (packet: Packet) => void): number;
  /** Gives the memory of received frames back. */
  release(): void;
  /** Queues a frame; its memory must stay as it is until `flush` when `isQueued` is set on it. */
  send(packet: Packet, outer: OuterHeader | undefined): void;
  flush(): void;
  /** Upcalls of frames that were received have been dealt with. */
  settle?(): void;
  /** Counts frames that were lost before we saw them; asked about once a second. */
  countOverruns?(): void;
  /** A descriptor reported an error: clears it, and tells whether the device still exists. */
  stillExists(): boolean;
  close(): void;
}
