// An action list cut in two: its shape, which decides instructions, and its parameters, which lie in the flow's value. Flows whose lists
// differ only in addresses, ports and tags share a shape, so that a new flow is a map update and not a new program.
//
// A list ends in one step that consumes the frame: the last output, a tunnel, a copy for the control plane, a lookup once more, or a choice
// between two lists. Of several such steps one comes last, the others become lists of their own that run on a copy of the frame (`fork`).
// What needs the frame's headers read anew, and what is too long, goes on in a list of its own too (`continue`). `action-cutter.ts` does it.
//
// Parameters are in network order where they are compared with or copied to a frame, in host order where the kernel takes numbers.
import type { DpAction, TunnelKey } from '../../datapath.ts';
import type { PooledOuter } from '../outer-pool.ts';
import type { PatchGuard } from './field-patch.ts';
import type { PatchStep } from './patch-program.ts';

/** Bytes of parameters in a flow's value. */
export const PARAM_SIZE = 128;

/** One step; `at` is the offset of its parameters. */
export type ShapeStep =
  /** Parameters, host order: ifindex (32), flags of bpf_redirect (32), datapath port (32). */
  | { op: 'output'; at: number; isLast: boolean }
  /** The last output, cut to the parameter behind those of an output (32). */
  /** `isShort`: cut off where a checksum may have to be filled in yet. */
  | { op: 'truncated'; at: number; isShort: boolean }
  | { op: 'popVlan' }
  /** The last step. */
  | { op: 'drop' }
  /** Parameters: TPID (16, network order), TCI without the present bit (16, host order). */
  | { op: 'pushVlan'; at: number }
  /** Parameter: the new bits of the TCI (32, host order). */
  | { op: 'setVlan'; at: number; mask: number }
  /** Parameters: label stack entry (32), Ethernet type (16), network order. */
  | { op: 'pushMpls'; at: number }
  /** Parameter: Ethernet type (16), network order. */
  | { op: 'popMpls'; at: number }
  /**
   * Headers of `size` bytes and an Ethernet header go before the whole frame. Parameters: the Ethernet header (112), nothing (16), the other
   * headers, network order.
   */
  | { op: 'wrap'; at: number; size: number }
  /** An Ethernet header and an NSH go, behind which an Ethernet frame stands. */
  | { op: 'unwrap' }
  /** A link-layer address in options of neighbour discovery. Parameters: the new bits of its three 16-bit words, network order. */
  | { op: 'ndOption'; option: number; masks: readonly number[]; at: number }
  /** Parameters: the new bits of each word, network order. `masks` are host-order words. */
  | { op: 'ethernet'; words: readonly number[]; masks: readonly number[]; at: number }
  | { op: 'patch'; guard: PatchGuard; patches: readonly PatchStep[] }
  /** Parameter: the new bits (32, network order). */
  | { op: 'metadata'; field: 'mark' | 'priority'; mask: number; at: number }
  /** Parameter: the basis (32, host order). */
  | { op: 'hash'; at: number; isSymmetric: boolean }
  /**
   * Parameters: the zone (16) above 16 bits of 0, and with `checksMark` value and mask that the connection's mark must have; for each word
   * of the label in `checksLabel` the same. Network order. `force`: a packet of the direction of answers begins a connection anew.
   */
  | { op: 'ct'; at: number; nat: boolean; force: boolean; checksMark: boolean; checksLabel: readonly number[] }
  | { op: 'ctClear' }
  /** What a meter drops goes no further. Parameter: the meter's place (32, host order). */
  | { op: 'meter'; at: number }
  /**
   * The last step. Parameters: index in `outers` (32), datapath port (32), host order. `size`: bytes of the header from outer IP on;
   * `hasSum`: a checksum covers the inner frame; `pushes`: how many tags the list pushes before, 2 = more than one;
   * `trims`: cut off first, at a third parameter (32); `isShort` as with `truncated`.
   */
  | {
      op: 'tunnel';
      at: number;
      size: number;
      isIpv6: boolean;
      isUdp: boolean;
      hasSum: boolean;
      pushes: number;
      trims: boolean;
      isShort: boolean;
    }
  /** Another list runs on a copy of the frame. Parameters: its place in `actions` (32), its name for user space (32), host order. */
  | { op: 'fork'; at: number }
  /** The last step: another list goes on with the frame. Parameters as those of `fork`. */
  | { op: 'continue'; at: number }
  /** The last step. Parameters: reason + 1 (32), token (32). */
  | { op: 'userspace'; at: number }
  /** The last step. Parameter: recirc_id (32, network order). */
  | { op: 'recirculate'; at: number }
  /** The last step: `yes` where a random number is below the parameter (32), or a segment is longer than it. */
  | { op: 'choice'; by: 'chance' | 'length'; at: number; yes: readonly ShapeStep[]; no: readonly ShapeStep[] };

/** A list of steps. */
export interface Shape {
  steps: readonly ShapeStep[];
}

/** The name that all lists of a shape share. */
export const shapeName = (shape: Shape): string => JSON.stringify(shape.steps);

/** All steps, those of nested lists among them. */
export function* allSteps(steps: readonly ShapeStep[]): Generator<ShapeStep> {
  for (const step of steps) {
    yield step;
    if (step.op === 'choice') {
      yield* allSteps(step.yes);
      yield* allSteps(step.no);
    }
  }
}

export interface ShapedActions {
  shape: Shape;
  params: Uint8Array;
  /** The outer headers that the list uses. */
  outers: readonly PooledOuter[];
  /** Lists that it hands frames to; `at` is where their place and name belong among the parameters. */
  children: readonly ChildList[];
}

/** A list under another. What user space has to run of it has no shape; `actions` is what it says. */
export interface ChildList {
  at: number;
  actions: readonly DpAction[];
  shaped: ShapedActions | undefined;
}

/** Where a datapath port is in the kernel: a device (`flags` is 1, BPF_F_INGRESS, for an internal port), or a tunnel with its outer headers. */
export type OutputDevice = { ifindex: number; flags: number } | { outer(tunnel: TunnelKey): PooledOuter | string };
export type FindDevice = (port: number) => OutputDevice | undefined;
/** The place of a meter that programs can run. */
export type FindMeter = (meter: number) => number | undefined;
