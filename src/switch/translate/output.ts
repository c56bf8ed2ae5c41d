// The frame leaves: by a port, by all, to the controller, through a patch port into another bridge.
import { W } from '../../flow/key.ts';
import { OFPP, type OfPort, type PacketInReason } from '../../openflow/action.ts';
import type { BridgeState } from '../bridge-state.ts';
import { PORT_CONFIG, type SwitchPort } from '../ports.ts';
import { outputOfSet } from './action-set.ts';
import { mirrorOutput } from './mirror.ts';
import { nativeInput } from './native-tunnel.ts';
import { normal } from './normal.ts';
import { toController } from './to-controller.ts';
import type { Walk } from './translate.ts';
import { runReversibly } from './translate-branches.ts';
import { clearConntrack } from './translate-ct.ts';
import { tunnelOutput } from './tunnel-translate.ts';

/** The output action of any port number. */
export function output(walk: Walk, port: OfPort, maxLen: number, mayPacketIn: boolean): void {
  const inPort = walk.key[W.IN_PORT]!;
  switch (port) {
    case OFPP.IN_PORT:
      send(walk, inPort, undefined);
      return;
    case OFPP.TABLE:
      walk.tableAction(inPort, 0, mayPacketIn, true);
      return;
    case OFPP.NORMAL:
      walk.isLast = false;
      normal(walk);
      return;
    case OFPP.FLOOD:
      flood(walk, false);
      return;
    case OFPP.ALL:
      flood(walk, true);
      return;
    case OFPP.CONTROLLER:
      toController(walk, reasonOf(walk), maxLen, 0, undefined, 0);
      return;
    case OFPP.NONE:
      return;
    default:
      if (port !== inPort) send(walk, port, undefined);
      else walk.report('warn', 'skipping output to input port');
  }
}

function reasonOf(walk: Walk): PacketInReason {
  // Wherever it came to: a controller's own frame. A trace has none.
  if (walk.isPacketOut && !walk.isTraced) return 'packet_out';
  if (walk.isInGroup) return 'group';
  if (walk.isInActionSet) return 'action_set';
  if (walk.rule === undefined) return 'action';
  // A table-miss flow (OpenFlow 1.3.5 section 5.4): what it sends up "missed".
  return walk.rule.priority === 0 && walk.rule.mask.words.length === 0 ? 'explicit_miss' : 'action';
}

function flood(walk: Walk, isAll: boolean): void {
  walk.isLast = false;
  const inPort = walk.key[W.IN_PORT]!;
  for (const port of floodOrder(walk.bridge)) {
    if (port.port === inPort || (!isAll && (port.config & PORT_CONFIG.NO_FLOOD) !== 0)) continue;
    send(walk, port.port, undefined);
  }
}

/** Sends the frame as `key` now has it out of one port, cut to `maxLength`. */
export function send(walk: Walk, number: OfPort, maxLength: number | undefined, isMirror = false): void {
  const port = walk.bridge.ports.get(number);
  if (port === undefined) {
    walk.report('warn', 'Nonexistent output port');
    return;
  }
  if ((port.config & PORT_CONFIG.NO_FWD) !== 0) {
    walk.report('detail', 'OFPPC_NO_FWD set, skipping output');
    return;
  }
  if (port.kind.kind === 'patch') {
    throughPatch(walk, port);
    return;
  }
  if (port.dpPort === undefined) {
    walk.report('warn', 'Nonexistent output port');
    return;
  }
  if (walk.key[W.PACKET_TYPE] !== 0 && port.tunnel === undefined) {
    walk.mark(W.PACKET_TYPE, -1);
    walk.report('warn', 'Trying to send non-Ethernet packet through legacy L2 port. Dropping packet.');
    return;
  }
  const { native } = walk.bridge;
  const tunnel = native === undefined || port.tunnel !== undefined ? undefined : nativeInput(walk, native, port);
  // An output's cut stands before what is set for it, a mirror's behind, as in Open vSwitch; it holds for the next output.
  if (isMirror) walk.commit();
  if (maxLength !== undefined) walk.out.push({ kind: 'trunc', maxLength });
  if (port.tunnel !== undefined) {
    if (!tunnelOutput(walk, port, port.tunnel)) return;
  } else {
    walk.commit();
    if (tunnel?.tunnel !== undefined) walk.out.push({ kind: 'tunnelPop', port: tunnel.dpPort!, protocol: tunnel.tunnel.protocol });
    else walk.out.push({ kind: 'output', port: port.dpPort });
  }
  if (port.bundle !== undefined && !walk.bridge.mirrors.isEmpty) mirrorOutput(walk, port.bundle);
}

/** Goes on at the other end of a patch port. */
function throughPatch(walk: Walk, port: SwitchPort): void {
  const peer = port.bridge.patchPeer(port);
  if (peer === undefined) {
    walk.report('warn', 'Nonexistent patch port peer');
    return;
  }
  walk.checkDepth();
  walk.effects.push({ kind: 'port', port, direction: 'tx' }, { kind: 'port', port: peer, direction: 'rx' });
  if ((peer.config & PORT_CONFIG.NO_RECV) !== 0) return;
  continueAt(walk, peer, () => {
    for (let i = W.TUN_ID; i < W.NSH; i++) walk.key[i] = 0;
    for (let i = W.TUN_METADATA; i < walk.key.length; i++) walk.key[i] = 0;
  });
}

/** The walk goes on in another bridge as if the frame, that `prepare` makes what it is there, had come in by that port. */
export function continueAt(walk: Walk, peer: SwitchPort, prepare: () => void): void {
  const saved = walk.key.slice();
  const { bridge, actionSet, hasExited, table, rule, isConntracked, wasMpls, isLast, mirrored } = walk;
  const stack = walk.stack.splice(0);
  walk.bridge = peer.bridge;
  walk.mirrored = 0;
  walk.actionSet = [];
  prepare();
  walk.key[W.ACTSET_OUTPUT] = outputOfSet(walk.actionSet);
  clearConntrack(walk);
  walk.wasMpls = false;
  walk.key[W.IN_PORT] = peer.port;
  walk.depth++;
  walk.nested('bridge', `bridge("${peer.bridge.name}")`, () =>
    // The peer's first list is in a clone of its own where it could not be undone.
    // Mirrors see what comes in by a device, not what another bridge passes on.
    walk.lookup(0, peer.port, true, false, () => walk.finish(), runReversibly),
  );
  walk.depth--;
  walk.bridge = bridge;
  walk.mirrored = mirrored;
  walk.actionSet = actionSet;
  walk.hasExited = hasExited;
  walk.isConntracked = isConntracked;
  walk.wasMpls = wasMpls;
  walk.isLast = isLast;
  walk.table = table;
  walk.rule = rule;
  walk.stack.length = 0;
  walk.stack.push(...stack);
  walk.key.set(saved);
}

/** LOCAL first, then by number. */
function* floodOrder(bridge: BridgeState): Generator<SwitchPort> {
  const local = bridge.ports.get(OFPP.LOCAL);
  if (local !== undefined) yield local;
  for (const port of bridge.ports.values()) if (port !== local) yield port;
}
