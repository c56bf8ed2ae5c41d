// The frame goes to controllers, as it is now.
import type { DpAction } from '../../datapath/datapath.ts';
import type { PacketInReason } from '../../openflow/action.ts';
import { OFPM } from '../../openflow/meter.ts';
import { metadataOf, TUNNEL_WORDS } from './frame-metadata.ts';
import type { Walk } from './translate.ts';
import type { ControllerSend } from './translation.ts';
import { optionsOf } from './tunnel-options.ts';

/** Sends the frame to the controllers. */
export function toController(
  walk: Walk,
  reason: PacketInReason | number,
  maxLen: number | undefined,
  controllerId: number,
  userdata: Uint8Array | undefined,
  meterId: number,
  isPaused = false,
): void {
  const { bridge } = walk;
  walk.commit();
  if (isPaused) walk.freeze();
  // The metadata that goes with the frame is part of the action.
  if (walk.isTunnelled) for (const word of TUNNEL_WORDS) walk.mark(word, -1);
  if (walk.isTunnelled) optionsOf(walk.key, walk.wild, bridge.tlvTable);
  const send: ControllerSend = {
    bridge,
    reason,
    table: walk.table,
    // No flow of a user's has called for it.
    cookie: reason === 'implicit_miss' ? 0n : walk.cookie,
    match: metadataOf(walk.key, bridge.tlvTable),
    isConntracked: walk.isConntracked,
    maxLen,
    controllerId,
    userdata,
    meterId,
    continuation: undefined,
  };
  // What the lists still have to do goes with the frame that pauses; it is complete when they have been left.
  if (isPaused) walk.pause.send = send;
  else toUserspace(walk, send);
}

/** Puts out what brings the frame to us, and we to controllers. */
export function toUserspace(walk: Walk, send: ControllerSend): void {
  const token = walk.request.sends.put(send);
  const made: DpAction = { kind: 'userspace', cookie: { reason: 'controller', token } };
  const { meters } = walk.bridge;
  // A meter of the action's own goes before the one for all that controllers get. Both end what is inside a list alone.
  const meter = meters.numberOf(send.meterId) ?? meters.numberOf(OFPM.CONTROLLER);
  if (meter === undefined) walk.out.push(made);
  else walk.out.push({ kind: 'sample', probability: 0xffffffff, actions: [{ kind: 'meter', meter }, made] });
}
