// The datapath contract. A datapath has ports, flows and a miss sink; it knows nothing of OpenFlow.
//
// A flow is key + mask + actions + counters in the vocabulary of Open vSwitch's datapath. The key is `flow/key.ts` below W.DP_END, with
// datapath port numbers in W.IN_PORT. A miss delivers the frame and its key once, in order per port, to the sink; between them stands a
// bounded queue with fair shares between ports, and what it cannot take is counted as dropped with a reason.
//
// Control calls come from the main thread. Implementations may move frames in worker threads; `ready` promises settle when the
// frame path has taken the change. Counters are read without asking the frame path.
import type { Key } from '../flow/key.ts';
import type { OuterHeader } from '../netdev/device.ts';
import type { CtAnswer, CtRequestMessage } from './userspace/conntrack/request.ts';

/** Datapath port number, 32 bits; 0 is the datapath's own internal port in Open vSwitch's numbering. */
export type DpPort = number;

/** What kind of thing carries frames. Patch ports do not exist here: they vanish in translation. */
export type DpPortSpec =
  | { kind: 'system'; device: string }
  | { kind: 'internal'; device: string; mac: readonly [number, number]; mtu: number }
  | { kind: 'dummy'; device: string }
  | { kind: 'tunnel'; device: string; protocol: 'gre' | 'vxlan' | 'geneve'; dstPort: number };

export interface DpPortInfo {
  port: DpPort;
  name: string;
  spec: DpPortSpec;
}

/** Frames and bytes of a port since it was added. */
export interface DpPortCounters {
  rxPackets: bigint;
  rxBytes: bigint;
  txPackets: bigint;
  txBytes: bigint;
  rxErrors: bigint;
  txErrors: bigint;
  rxDropped: bigint;
  txDropped: bigint;
}

/** Outer header of a tunnel output: what the device needs. */
export type TunnelKey = OuterHeader;

/** Header groups of a masked set; each is one `set(...)` of the datapath's notation. */
export type SetGroup =
  | 'eth'
  | 'vlan'
  | 'ipv4'
  | 'ipv6'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmp'
  | 'icmpv6'
  | 'arp'
  | 'nd'
  | 'mpls'
  | 'nsh'
  | 'skb_mark'
  | 'skb_priority';

/** Why a list sends frames to user space; the order is that of numbers that stand for them. */
export const USERSPACE_REASONS = ['slow_path', 'controller', 'sflow', 'ipfix', 'flow_sample'] as const;
export type UserspaceReason = (typeof USERSPACE_REASONS)[number];

/** What a translated action list asks of user space; opaque to the datapath, handed back with the frame. */
export interface UserspaceCookie {
  reason: UserspaceReason;
  /** An index that the switch gave out. */
  token: number;
}

/** `said` is how it was written by hand, where its other parts cannot tell. */
export type DpAction = DpActionParts & { said?: string };

type DpActionParts =
  | { kind: 'output'; port: DpPort }
  | { kind: 'userspace'; cookie: UserspaceCookie }
  | { kind: 'pushVlan'; tpid: number; tci: number }
  | { kind: 'popVlan' }
  | { kind: 'pushMpls'; ethertype: number; lse: number }
  | { kind: 'popMpls'; ethertype: number }
  /** A label before the whole frame, which then is no Ethernet frame any more (`isL3` false: behind its Ethernet header). */
  | { kind: 'addMpls'; ethertype: number; lse: number; isL3: boolean }
  /** Masked set: triples (key word index, value, mask); bits outside the mask stay. Checksums follow. */
  | { kind: 'set'; group: SetGroup; words: Uint32Array }
  | { kind: 'setTunnel'; tunnel: TunnelKey }
  /** A whole outer header before the frame, of a tunnel at `tunnelPort`, that is on its way out of `outPort`. */
  | { kind: 'tunnelPush'; tunnelPort: DpPort; outPort: DpPort; protocol: 'gre' | 'vxlan' | 'geneve'; header: Uint8Array }
  /** The outer header off: the frame comes in again at the tunnel's port. */
  | { kind: 'tunnelPop'; port: DpPort; protocol: 'gre' | 'vxlan' | 'geneve' }
  | { kind: 'recirc'; id: number }
  | { kind: 'hash'; algorithm: number; basis: number }
  | {
      kind: 'ct';
      commit: boolean;
      force: boolean;
      zone: number;
      mark?: readonly [number, number];
      label?: readonly [readonly number[], readonly number[]];
      helper: string;
      timeout: string;
      nat?: DpNat;
    }
  | { kind: 'ctClear' }
  | { kind: 'sample'; probability: number; actions: DpAction[] }
  | { kind: 'clone'; actions: DpAction[] }
  | { kind: 'meter'; meter: number }
  | { kind: 'trunc'; maxLength: number }
  | { kind: 'checkPktLen'; length: number; larger: DpAction[]; smaller: DpAction[] }
  | { kind: 'pushEth'; dst: readonly [number, number]; src: readonly [number, number] }
  | { kind: 'popEth' }
  | { kind: 'pushNsh'; header: Uint8Array }
  | { kind: 'popNsh' }
  | { kind: 'drop'; reason: number };

export interface DpNat {
  direction: 'src' | 'dst' | '';
  addrMin: readonly number[];
  addrMax: readonly number[];
  portMin: number;
  portMax: number;
  persistent: boolean;
  hash: boolean;
  random: boolean;
  /** Where it was written by hand: of which family the address is. */
  family?: 4 | 6;
}

/** Handle of an installed flow, from `flowPut`; never given twice. */
export type FlowId = number;

/** Flows that a datapath holds at most, a power of two. */
export const MAX_FLOWS: number = 1 << 18;

/** A number below MAX_FLOWS that no other flow installed at the same time has: the low bits of its id. */
export const slotOf = (id: FlowId): number => id & (MAX_FLOWS - 1);

export interface DpFlow {
  id: FlowId;
  key: Key;
  mask: Key;
  actions: readonly DpAction[];
  /** The key of the frame that it was made for, with the bits that do not matter; absent where they are not kept. */
  sample?: Key;
}

export interface DpFlowStats {
  packets: bigint;
  bytes: bigint;
  /** Datapath clock in milliseconds of the last frame, 0 = never. */
  usedMs: number;
  /** OR of the TCP flags seen. */
  tcpFlags: number;
}

/**
 * A frame on its way to user space. All of an `action` is the receiver's, of a `miss` until it returns. A super-segment keeps its `gsoSize`.
 */
export interface Upcall {
  kind: 'miss' | 'action';
  frame: Uint8Array;
  key: Key;
  /** For `action`: the cookie of the action. */
  cookie?: UserspaceCookie;
  /** Offload state to give back to `execute`; opaque to the switch. */
  offload: FrameOffload;
}

/** What virtio_net_hdr says of a frame (virtio 1.2 section 5.1.6): a partial checksum to complete and a segment size to split at. */
export interface FrameOffload {
  /** Where the partial checksum starts and its place from there; csumStart 0 = the checksum is complete. */
  csumStart: number;
  csumOffset: number;
  /** 0 none, 1 TCPv4, 3 UDP, 4 TCPv6, 5 UDP_L4; 0x80 ECN */
  gsoType: number;
  gsoSize: number;
}

export const NO_OFFLOAD: FrameOffload = Object.freeze({ csumStart: 0, csumOffset: 0, gsoType: 0, gsoSize: 0 });

/** What a datapath that is partly in the kernel says of that part. */
export interface DpOffload {
  isOffloaded(id: FlowId): boolean;
  /** Whether a flow in the kernel has actions that user space carries out. */
  isPartial(id: FlowId): boolean;
  /** Flows and masks in the kernel. */
  flows: number;
  masks: number;
  /** Programs loaded so far: each took the place of the one before. */
  programs: number;
  /** Frames that the kernel handed to user space: no flow there, headers it does not read, actions it does not run; in order after such frames. */
  punted: { order: bigint; miss: bigint; unusual: bigint; actions: bigint };
  /** Flows that stayed in user space, by reason. */
  refused: ReadonlyMap<string, number>;
}

/** A flow that a former process left in the datapath, and that still forwards. */
export interface DpInheritedFlow {
  /** One of the keys that it matches; bits that it does not look at are 0. */
  key: Key;
  stats: DpFlowStats;
}

/** A meter: the unit is kilobits or packets. A frame beyond the rate of some band is dropped. */
export interface DpMeter {
  countsPackets: boolean;
  /** Units a second, and units that may come at once. */
  bands: readonly { rate: number; burst: number }[];
}

export interface DpMeterStats {
  packets: bigint;
  bytes: bigint;
  /** What each band dropped. */
  bands: { packets: bigint; bytes: bigint }[];
}

export interface Datapath {
  /** `netdev`, `system` or `dummy`. */
  readonly type: string;
  /** e.g. `ovs-netdev`, `ovs-system`. */
  readonly name: string;
  /** A simulation, whatever its type: ports are no devices, frames come from commands. */
  readonly isSimulated?: boolean;

  /** Opens the device and attaches it, under the wanted number if it is free. Rejects with ConfigError or KernelError whose message is what Interface.error shows. */
  portAdd(spec: DpPortSpec, wanted?: DpPort): Promise<DpPort>;
  portDelete(port: DpPort): Promise<void>;
  ports(): Iterable<DpPortInfo>;
  portCounters(port: DpPort): DpPortCounters | undefined;
  /** To be called when devices have come or gone. True when a port's frames go another way from now on: flows put before do not know it. */
  devicesMoved?(): boolean;

  /** Installs or replaces the flow of that key and mask; frames meet it from when the frame path has taken it. Both stay the caller's. */
  flowPut(key: Key, mask: Key, actions: readonly DpAction[], sample?: Key): FlowId;
  /** Replaces the actions of an installed flow, keeping its counters. */
  flowModify(id: FlowId, actions: readonly DpAction[]): void;
  flowDelete(id: FlowId): void;
  /** Frames of the flow come up as misses all the same: where user space has been spared a flow that the kernel carries, it gets it now. */
  flowToUserspace?(id: FlowId): void;
  flowFlush(): void;
  flows(): Iterable<DpFlow>;
  flowCount(): number;
  /** The flow of that key and mask. */
  flowFind(key: Key, mask: Key): FlowId | undefined;
  /** Writes an installed flow's key, as far as its mask goes; all zeros when it is gone. */
  flowKey(id: FlowId, key: Key): void;
  /** An installed flow's mask, not to be changed. */
  flowMask(id: FlowId): Key | undefined;
  flowStats(id: FlowId): DpFlowStats | undefined;
  /** Packets of a flow, 0 when it is gone: a quick look at whether there is more to read. */
  flowPackets(id: FlowId): number;
  /** Resolves when all frames meet what has been put, changed and deleted so far. */
  flowBarrier?(): Promise<void>;

  /** Runs actions on a frame that did not come from a port, or came as an upcall. `key` holds its metadata (in_port, tunnel, mark, ...). */
  execute(frame: Uint8Array, key: Key, actions: readonly DpAction[], offload?: FrameOffload): void;

  /** Meters that there may be and bands that one may have; absent where there are no meters. Numbers begin at 0. */
  readonly maxMeters?: number;
  readonly maxBands?: number;
  /** Puts a meter in place, its counters at zero; `meter` actions name it by its number. */
  meterSet?(meter: number, config: DpMeter): void;
  meterDelete?(meter: number): void;
  meterStats?(meter: number): DpMeterStats | undefined;

  /** Who is told of misses and userspace actions. Called in batches on the main thread. */
  setUpcallSink(sink: (upcalls: Upcall[]) => void): void;

  /** Frames dropped, by reason. */
  drops(): ReadonlyMap<string, bigint>;
  /** Lookup statistics for `dpctl/show`: hits, misses, lost. */
  lookupStats(): { hit: bigint; missed: bigint; lost: bigint; masks: number };

  /** Present where flows are compiled into the kernel. */
  offload?(): DpOffload;

  /** Asks the connection tracker. */
  conntrack?(request: CtRequestMessage): Promise<CtAnswer>;

  /** With `keep`, what forwards without this process goes on doing so, and the next process finds it. */
  close(keep?: boolean): Promise<void>;

  /** Flows of a former process. Each that is still wanted is put again and then named with `flowInherit`, so that it keeps its counters. */
  inheritedFlows?(): Iterable<DpInheritedFlow>;
  flowInherit?(id: FlowId, former: DpInheritedFlow): void;
  /** All inherited flows that are still wanted have been put: the others end. Called once the first ports are there, with or without any. */
  takeOver?(): void;

  /** How many VLAN tags keys tell (1 or 2); flows put before are meaningless afterwards. */
  setVlanLimit?(limit: number): void;
  /** Outer UDP source ports of tunnels: from `low` up to `high`, where it makes them. */
  setSourcePorts?(low: number, high: number): void;
}

/** Whether two lists are surely the same: the same object, or outputs to the same ports. Costs next to nothing. */
export function areSurelySame(a: readonly DpAction[], b: readonly DpAction[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    const x = a[i]!;
    const y = b[i]!;
    if (x.kind !== 'output' || y.kind !== 'output' || x.port !== y.port) return false;
  }
  return true;
}
