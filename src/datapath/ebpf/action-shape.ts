// An action list cut in two: its shape, which decides instructions, and its parameters, which lie in the flow's value. Flows whose lists
// differ only in addresses, ports and tags share a shape, so that a new flow is a map update and not a new program.
//
// Parameters are in network order where they are compared with or copied to a frame, in host order where the kernel takes numbers.
import { W } from '../../flow/key.ts';
import type { DpAction, SetGroup, TunnelKey } from '../datapath.ts';
import type { PooledOuter } from './outer-pool.ts';

/** Bytes of parameters in a flow's value. */
export const PARAM_SIZE = 128;

/** One step; `at` is the offset of its parameters. */
export type ShapeStep =
  /** Parameters, host order: ifindex (32), flags of bpf_redirect (32), datapath port (32). */
  | { op: 'output'; at: number; isLast: boolean }
  | { op: 'popVlan' }
  /** Parameters: TPID (16, network order), TCI without the present bit (16, host order). */
  | { op: 'pushVlan'; at: number }
  /** Parameters: the new bits of each word, network order. `masks` are host-order words. */
  | { op: 'set'; group: SetGroup; words: readonly number[]; masks: readonly number[]; at: number }
  /**
   * The last step. Parameters: index in `outers` (32), datapath port (32), host order. `size`: bytes of the header from outer IP on;
   * `mayPush`: the list pushes a tag.
   */
  | { op: 'tunnel'; at: number; size: number; isIpv6: boolean; isUdp: boolean; mayPush: boolean };

/** A list of steps. */
export interface Shape {
  steps: readonly ShapeStep[];
}

/** The name that all lists of a shape share. */
export const shapeName = (shape: Shape): string => JSON.stringify(shape.steps);

export interface ShapedActions {
  shape: Shape;
  params: Uint8Array;
  /** The outer header that the list uses. */
  outer?: PooledOuter;
}

/** Where a datapath port is in the kernel: a device (`flags` is 1, BPF_F_INGRESS, for an internal port), or a tunnel with its outer headers. */
export type OutputDevice = { ifindex: number; flags: number } | { outer(tunnel: TunnelKey): PooledOuter | string };

const SET_WORDS: Partial<Record<SetGroup, ReadonlySet<number>>> = {
  eth: new Set([W.ETH, W.ETH + 1, W.ETH + 2]),
  ipv4: new Set([W.NW_SRC, W.NW_DST, W.TOS]),
  ipv6: new Set([W.TOS, ...Array.from({ length: 8 }, (_, i) => W.IPV6_SRC + i)]),
  tcp: new Set([W.TP]),
  udp: new Set([W.TP]),
  skb_mark: new Set([W.PKT_MARK]),
  skb_priority: new Set([W.SKB_PRIORITY]),
};

/**
 * Cuts a list. Gives why not, when user space has to run it: a reason for a counter.
 * `isUntagged`: the flow matches only frames without a VLAN tag. `device` finds an output; undefined = no kernel device.
 */
export function shapeActions(
  actions: readonly DpAction[],
  isUntagged: boolean,
  device: (port: number) => OutputDevice | undefined,
): ShapedActions | string {
  const steps: ShapeStep[] = [];
  const params = new Uint8Array(PARAM_SIZE);
  const view = new DataView(params.buffer);
  let used = 0;
  const take = (size: number): number => {
    used += size;
    return used - size;
  };
  let mayPush = isUntagged;
  let hasPushed = false;
  let tunnel: TunnelKey | undefined;
  let outer: PooledOuter | undefined;
  let outerPort = 0;
  for (const [index, action] of actions.entries()) {
    if (action.kind === 'setTunnel') {
      tunnel = action.tunnel;
    } else if (action.kind === 'output') {
      const target = device(action.port);
      if (target === undefined) return 'output_not_in_kernel';
      if ('outer' in target) {
        // Wrapping cannot be undone: it comes last, and once.
        if (outer !== undefined) return 'several_tunnels';
        const made = tunnel === undefined ? 'tunnel_no_key' : target.outer(tunnel);
        if (typeof made === 'string') return made;
        outer = made;
        outerPort = action.port;
        continue;
      }
      const at = take(12);
      if (used > PARAM_SIZE) return 'too_many_parameters';
      view.setUint32(at, target.ifindex, true);
      view.setUint32(at + 4, target.flags, true);
      view.setUint32(at + 8, action.port, true);
      steps.push({ op: 'output', at, isLast: index === actions.length - 1 && outer === undefined });
    } else if (outer !== undefined) {
      return 'tunnel_then_change';
    } else if (action.kind === 'popVlan') {
      steps.push({ op: 'popVlan' });
      mayPush = true;
    } else if (action.kind === 'pushVlan') {
      // A second tag would move the headers.
      if (!mayPush) return 'push_vlan_on_tagged';
      mayPush = false;
      hasPushed = true;
      const at = take(4);
      if (used > PARAM_SIZE) return 'too_many_parameters';
      view.setUint16(at, action.tpid, false);
      view.setUint16(at + 2, action.tci & 0xefff, true);
      steps.push({ op: 'pushVlan', at });
    } else if (action.kind === 'set') {
      const allowed = SET_WORDS[action.group];
      if (allowed === undefined) return `set_${action.group}`;
      const words: number[] = [];
      const masks: number[] = [];
      const at = take((action.words.length / 3) * 4);
      if (used > PARAM_SIZE) return 'too_many_parameters';
      for (let i = 0; i + 2 < action.words.length; i += 3) {
        const word = action.words[i]!;
        const mask = action.words[i + 2]!;
        // The TCP flags share a word with TOS and TTL, and are not to be set.
        if (!allowed.has(word) || (word === W.TOS && (mask & 0xffff) !== 0)) return `set_${action.group}`;
        view.setUint32(at + words.length * 4, action.words[i + 1]! & mask, false);
        words.push(word);
        masks.push(mask >>> 0);
      }
      steps.push({ op: 'set', group: action.group, words, masks, at });
    } else {
      return action.kind;
    }
  }
  if (outer === undefined) return { shape: { steps }, params };
  const at = take(8);
  if (used > PARAM_SIZE) return 'too_many_parameters';
  view.setUint32(at, outer.index, true);
  view.setUint32(at + 4, outerPort, true);
  steps.push({ op: 'tunnel', at, size: outer.size, isIpv6: outer.isIpv6, isUdp: outer.isUdp, mayPush: hasPushed });
  return { shape: { steps }, params, outer };
}
