// An action list cut in two: its shape, which decides instructions, and its parameters, which lie in the flow's value. Flows whose lists
// differ only in addresses, ports and tags share a shape, so that a new flow is a map update and not a new program.
//
// A list ends in one step that consumes the frame: the last output, a tunnel, a copy for the control plane, a lookup once more, or a choice
// between two lists. What has to come last but does not is moved there, where only outputs stand behind it. A nested list changes nothing
// for what follows it: the two are put one behind the other so that this holds, or user space runs them.
//
// Parameters are in network order where they are compared with or copied to a frame, in host order where the kernel takes numbers.
import { W } from '../../flow/key.ts';
import { type DpAction, type TunnelKey, USERSPACE_REASONS } from '../datapath.ts';
import type { PatchGuard } from './field-patch.ts';
import { patchesOf } from './field-patch.ts';
import type { PooledOuter } from './outer-pool.ts';
import type { PatchStep } from './patch-program.ts';

/** Bytes of parameters in a flow's value. */
export const PARAM_SIZE = 128;
/** Steps of a shape, those of nested lists among them: the same list may stand behind several choices. */
const MAX_STEPS = 48;
const MAX_DEPTH = 4;
/** "Always", of a sample. */
const CERTAIN = 0xffffffff;

/** One step; `at` is the offset of its parameters. */
export type ShapeStep =
  /** Parameters, host order: ifindex (32), flags of bpf_redirect (32), datapath port (32). */
  | { op: 'output'; at: number; isLast: boolean }
  /** The last output, cut to the parameter behind those of an output (32). */
  | { op: 'truncated'; at: number }
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
  /** A link-layer address in options of neighbour discovery. Parameters: the new bits of its three 16-bit words, network order. */
  | { op: 'ndOption'; option: number; masks: readonly number[]; at: number }
  /** Parameters: the new bits of each word, network order. `masks` are host-order words. */
  | { op: 'ethernet'; words: readonly number[]; masks: readonly number[]; at: number }
  | { op: 'patch'; guard: PatchGuard; patches: readonly PatchStep[] }
  /** Parameter: the new bits (32, network order). */
  | { op: 'metadata'; field: 'mark' | 'priority'; mask: number; at: number }
  /** Parameter: the basis (32, host order). */
  | { op: 'hash'; at: number }
  /**
   * Parameters: the zone (16) above 16 bits of 0, and with `checksMark` value and mask that the connection's mark must have; network order.
   */
  | { op: 'ct'; at: number; nat: boolean; checksMark: boolean }
  | { op: 'ctClear' }
  /** What a meter drops goes no further. Parameter: the meter's place (32, host order). */
  | { op: 'meter'; at: number }
  /**
   * The last step. Parameters: index in `outers` (32), datapath port (32), host order. `size`: bytes of the header from outer IP on;
   * `mayPush`: the list pushes a tag.
   */
  | { op: 'tunnel'; at: number; size: number; isIpv6: boolean; isUdp: boolean; mayPush: boolean }
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
  /** The outer header that the list uses. */
  outer?: PooledOuter;
}

/** Where a datapath port is in the kernel: a device (`flags` is 1, BPF_F_INGRESS, for an internal port), or a tunnel with its outer headers. */
export type OutputDevice = { ifindex: number; flags: number } | { outer(tunnel: TunnelKey): PooledOuter | string };
type FindDevice = (port: number) => OutputDevice | undefined;
/** The place of a meter that programs can run. */
type FindMeter = (meter: number) => number | undefined;

/** Whether a list leaves frame and metadata as they are for what follows. */
const changesNothing = (actions: readonly DpAction[]): boolean =>
  actions.every(({ kind }) => kind === 'output' || kind === 'setTunnel' || kind === 'userspace' || kind === 'trunc' || kind === 'drop');

/** Why a list is user space's; thrown within this file alone. */
class Refusal extends Error {}

class Cutter {
  readonly params: Uint8Array = new Uint8Array(PARAM_SIZE);
  outer: PooledOuter | undefined;
  readonly #view = new DataView(this.params.buffer);
  readonly #device: FindDevice;
  readonly #meter: FindMeter;
  #used = 0;
  #steps = 0;
  #tracks = false;

  constructor(device: FindDevice, meter: FindMeter) {
    this.#device = device;
    this.#meter = meter;
  }

  #take(...words: readonly number[]): number {
    const at = this.#used;
    this.#used += words.length * 4;
    if (this.#used > PARAM_SIZE) throw new Refusal('too_many_parameters');
    for (const [i, word] of words.entries()) this.#view.setUint32(at + i * 4, word, true);
    return at;
  }

  /** Network order. */
  #takeNetwork(...words: readonly number[]): number {
    const at = this.#take(...words);
    for (const [i, word] of words.entries()) this.#view.setUint32(at + i * 4, word, false);
    return at;
  }

  /** Cuts a list. `isUntagged`: the frame has no tag here. */
  cut(actions: readonly DpAction[], depth = 0): ShapeStep[] {
    if (depth > MAX_DEPTH) throw new Refusal('nested_too_deep');
    const steps: ShapeStep[] = [];
    let last: ShapeStep | undefined;
    let tunnel: TunnelKey | undefined;
    let trunc = 0;
    let hasPushed = false;
    let hasLabel = false;
    let isHashed = true;
    for (const [index, action] of actions.entries()) {
      if (++this.#steps > MAX_STEPS) throw new Refusal('too_many_steps');
      const rest = actions.slice(index + 1);
      /** A list goes on with the tunnel that is set here. */
      const inTunnel = (list: readonly DpAction[]): DpAction[] =>
        tunnel === undefined ? [...list] : [{ kind: 'setTunnel', tunnel }, ...list];
      switch (action.kind) {
        case 'setTunnel':
          tunnel = action.tunnel;
          continue;
        case 'trunc':
          trunc = action.maxLength;
          continue;
        case 'output': {
          const target = this.#device(action.port);
          if (target === undefined) throw new Refusal('output_not_in_kernel');
          const isTunnel = 'outer' in target;
          if (!isTunnel && trunc === 0) {
            steps.push({ op: 'output', at: this.#take(target.ifindex, target.flags, action.port), isLast: false });
            continue;
          }
          if (last !== undefined) throw new Refusal(isTunnel ? 'several_tunnels' : 'trunc_not_last');
          if (!isTunnel) {
            last = { op: 'truncated', at: this.#take(target.ifindex, target.flags, action.port, trunc) };
            trunc = 0;
            continue;
          }
          if (trunc !== 0) throw new Refusal('trunc_tunnel');
          last = this.#tunnel(target.outer, tunnel, action.port, hasPushed);
          continue;
        }
        case 'userspace':
          if (last !== undefined) throw new Refusal('userspace_not_last');
          last = { op: 'userspace', at: this.#take(USERSPACE_REASONS.indexOf(action.cookie.reason) + 1, action.cookie.token) };
          continue;
        case 'drop':
          if (rest.length > 0 || last !== undefined) throw new Refusal('drop_not_last');
          last = { op: 'drop' };
          continue;
        default:
      }
      if (last !== undefined) throw new Refusal(`${last.op}_then_change`);
      if (trunc !== 0) throw new Refusal('trunc_then_change');
      switch (action.kind) {
        case 'popVlan':
          steps.push({ op: 'popVlan' });
          break;
        case 'pushVlan': {
          const at = this.#take(0);
          this.#view.setUint16(at, action.tpid, false);
          this.#view.setUint16(at + 2, action.tci & 0xefff, true);
          steps.push({ op: 'pushVlan', at });
          hasPushed = true;
          break;
        }
        case 'pushMpls': {
          if (hasPushed) throw new Refusal('mpls_after_vlan');
          const at = this.#takeNetwork(action.lse, action.ethertype << 16);
          steps.push({ op: 'pushMpls', at });
          hasLabel = true;
          break;
        }
        case 'popMpls':
          if (hasPushed) throw new Refusal('mpls_after_vlan');
          // The kernel would take the type for a tag, or the frame for one of IEEE 802.3.
          if (action.ethertype < 0x600 || action.ethertype === 0x8100 || action.ethertype === 0x88a8) throw new Refusal('popMpls');
          steps.push({ op: 'popMpls', at: this.#takeNetwork(action.ethertype << 16) });
          hasLabel = true;
          break;
        case 'set':
          this.#set(action, hasLabel, steps);
          if (action.words.some((word, i) => i % 3 === 0 && isHashWord(word))) isHashed = false;
          break;
        case 'hash':
          // Of the two hashes the program makes the plain one.
          if (action.algorithm !== 0) throw new Refusal('hash_symmetric');
          if (!isHashed || hasLabel) throw new Refusal('hash_after_change');
          steps.push({ op: 'hash', at: this.#take(action.basis) });
          break;
        case 'ct':
          if (!isHashed || hasLabel) throw new Refusal('ct_after_change');
          this.#track(action, steps);
          // The addresses may be others now.
          if (action.nat !== undefined) isHashed = false;
          break;
        case 'ctClear':
          steps.push({ op: 'ctClear' });
          break;
        case 'meter': {
          const place = this.#meter(action.meter);
          if (place === undefined) throw new Refusal('meter');
          steps.push({ op: 'meter', at: this.#take(place) });
          break;
        }
        case 'recirc':
          if (rest.length > 0) throw new Refusal('recirc_not_last');
          last = { op: 'recirculate', at: this.#takeNetwork(action.id) };
          break;
        case 'clone':
          return this.#finish([...steps, ...this.cut(behind(inTunnel(action.actions), inTunnel(rest)), depth + 1)], undefined);
        case 'sample': {
          if (action.probability >>> 0 === CERTAIN)
            return this.#finish([...steps, ...this.cut(behind(inTunnel(action.actions), inTunnel(rest)), depth + 1)], undefined);
          const at = this.#take(action.probability);
          const yes = this.cut(behind(inTunnel(action.actions), inTunnel(rest)), depth + 1);
          return [...steps, { op: 'choice', by: 'chance', at, yes, no: this.cut(inTunnel(rest), depth + 1) }];
        }
        case 'checkPktLen': {
          const at = this.#take(action.length);
          const yes = this.cut(behind(inTunnel(action.larger), inTunnel(rest)), depth + 1);
          return [
            ...steps,
            { op: 'choice', by: 'length', at, yes, no: this.cut(behind(inTunnel(action.smaller), inTunnel(rest)), depth + 1) },
          ];
        }
        default:
          throw new Refusal(action.kind);
      }
    }
    return this.#finish(steps, last);
  }

  #finish(steps: ShapeStep[], last: ShapeStep | undefined): ShapeStep[] {
    if (last !== undefined) return [...steps, last];
    const end = steps.at(-1);
    return end?.op === 'output' ? [...steps.slice(0, -1), { ...end, isLast: true }] : steps;
  }

  #tunnel(take: (tunnel: TunnelKey) => PooledOuter | string, tunnel: TunnelKey | undefined, port: number, mayPush: boolean): ShapeStep {
    if (this.outer !== undefined) throw new Refusal('several_tunnels');
    const made = tunnel === undefined ? 'tunnel_no_key' : take(tunnel);
    if (typeof made === 'string') throw new Refusal(made);
    this.outer = made;
    const { index, size, isIpv6, isUdp } = made;
    return { op: 'tunnel', at: this.#take(index, port), size, isIpv6, isUdp, mayPush };
  }

  #track({ zone, commit, force, mark, label, nat }: Extract<DpAction, { kind: 'ct' }>, steps: ShapeStep[]): void {
    if (this.#tracks) throw new Refusal('several_ct');
    if (force) throw new Refusal('ct_force');
    if (commit && label?.[1].some((bits) => bits !== 0) === true) throw new Refusal('ct_label');
    this.#tracks = true;
    const [value, bits] = mark ?? [0, 0];
    const checksMark = commit && bits !== 0;
    const at = checksMark ? this.#takeNetwork((zone << 16) >>> 0, value >>> 0, bits >>> 0) : this.#takeNetwork((zone << 16) >>> 0);
    steps.push({ op: 'ct', at, nat: nat !== undefined, checksMark });
  }

  /** Adds steps for the link-layer addresses among the triples; gives the other triples. */
  #ndOptions(words: Uint32Array, steps: ShapeStep[]): Uint32Array {
    const rest: number[] = [];
    const [value, mask] = [new DataView(new ArrayBuffer(12)), new DataView(new ArrayBuffer(12))];
    for (let i = 0; i + 2 < words.length; i += 3) {
      const at = (words[i]! - W.ARP_HW) * 4;
      if (at < 0 || at > 8) {
        rest.push(words[i]!, words[i + 1]!, words[i + 2]!);
        continue;
      }
      value.setUint32(at, words[i + 1]! & words[i + 2]!);
      mask.setUint32(at, words[i + 2]!);
    }
    // nd_sll is option 1, nd_tll option 2.
    for (const option of [1, 2]) {
      const at = (option - 1) * 6;
      const masks = [0, 2, 4].map((i) => mask.getUint16(at + i));
      if (masks.every((bits) => bits === 0)) continue;
      const params = this.#takeNetwork(value.getUint32(at), value.getUint16(at + 4) << 16);
      steps.push({ op: 'ndOption', option, masks, at: params });
    }
    return Uint32Array.from(rest);
  }

  #set(action: Extract<DpAction, { kind: 'set' }>, hasLabel: boolean, steps: ShapeStep[]): void {
    const { group, words } = action;
    const [word = 0, value = 0, mask = 0] = words;
    if (group === 'skb_mark' || group === 'skb_priority') {
      const at = this.#takeNetwork((value & mask) >>> 0);
      steps.push({ op: 'metadata', field: group === 'skb_mark' ? 'mark' : 'priority', mask, at });
      return;
    }
    if (group === 'vlan') {
      if (words.length !== 3 || word !== W.VLAN0) throw new Refusal('set_vlan');
      const bits = mask & 0xefff;
      steps.push({ op: 'setVlan', at: this.#take(value & bits), mask: bits });
      return;
    }
    if (group === 'eth') {
      const indices: number[] = [];
      const masks: number[] = [];
      const values: number[] = [];
      for (let i = 0; i + 2 < words.length; i += 3) {
        if (words[i]! < W.ETH || words[i]! > W.ETH + 2) throw new Refusal('set_eth');
        indices.push(words[i]!);
        values.push((words[i + 1]! & words[i + 2]!) >>> 0);
        masks.push(words[i + 2]! >>> 0);
      }
      steps.push({ op: 'ethernet', words: indices, masks, at: this.#takeNetwork(...values) });
      return;
    }
    const made = patchesOf(group, group === 'nd' ? this.#ndOptions(words, steps) : words);
    if (made === undefined) throw new Refusal(`set_${group}`);
    // Behind a label there is no network header for a program, as there is none for user space.
    if (hasLabel && made.guard !== 'mpls') throw new Refusal('set_after_mpls');
    if (made.patches.length === 0) return;
    const patches: PatchStep[] = made.patches.map(({ value: bits, ...patch }) => ({
      ...patch,
      at: this.#takeNetwork(patch.size === 2 ? (bits << 16) >>> 0 : bits),
    }));
    steps.push({ op: 'patch', guard: made.guard, patches });
  }
}

/** Whether the hash of a flow is made from a word. */
const isHashWord = (word: number): boolean =>
  word === W.TYPE || word === W.NW_SRC || word === W.NW_DST || word === W.TP || (word >= W.IPV6_SRC && word < W.IPV6_DST + 4);

/** A nested list and what follows it, which sees the frame as it was before. */
function behind(nested: readonly DpAction[], rest: readonly DpAction[]): DpAction[] {
  if (rest.length === 0 || changesNothing(nested)) return [...nested.filter(({ kind }) => kind !== 'drop' || rest.length === 0), ...rest];
  if (changesNothing(rest)) return [...rest, ...nested];
  throw new Refusal('nested_change');
}

/**
 * Cuts a list. Gives why not, when user space has to run it: a reason for a counter. `device` finds an output, `meter` a meter's place;
 * undefined = not in the kernel.
 */
export function shapeActions(actions: readonly DpAction[], device: FindDevice, meter: FindMeter = () => undefined): ShapedActions | string {
  const cutter = new Cutter(device, meter);
  try {
    const steps = cutter.cut(actions);
    const { params, outer } = cutter;
    return outer === undefined ? { shape: { steps }, params } : { shape: { steps }, params, outer };
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}
