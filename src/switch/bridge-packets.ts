// Frames that controllers send into a bridge, give back to it and get from it.
import type { Clock } from '../base/clock.ts';
import { PeerError } from '../base/errors.ts';
import { temporaryUuid } from '../base/temporary-uuid.ts';
import { type FrameOffload, NO_OFFLOAD } from '../datapath/datapath.ts';
import { extractKey } from '../flow/extract.ts';
import { type Key, newKey, W } from '../flow/key.ts';
import { type Action, OFPP } from '../openflow/action.ts';
import { decodeContinuation } from '../openflow/codec/continuation-codec.ts';
import type { OfVersion, Resume } from '../openflow/message.ts';
import type { BridgeState } from './bridge-state.ts';
import type { PacketInEvent, PacketOutRequest } from './core.ts';
import type { Megaflows, PacketIn } from './megaflows.ts';
import { references } from './tables/action-references.ts';
import { fromContinuation, toContinuation } from './translate/continuation.ts';
import { applyEffects } from './translate/effects.ts';
import { withFrameMetadata } from './translate/frame-metadata.ts';
import { translate } from './translate/translate.ts';
import type { Translation } from './translate/translation.ts';

/** What a frame needs to have a header at all. */
const ETHERNET_SIZE = 14;
/** In continuations: the frame came from no port of the datapath. */
const NO_DATAPATH_PORT = 0xffffffff;

export class BridgePackets {
  readonly #bridge: BridgeState & { readonly clock: Clock; readonly megaflows: Megaflows };
  /** Names this bridge, as long as it is there, in what controllers bring back. */
  readonly #uuid = temporaryUuid();

  constructor(bridge: BridgeState & { readonly clock: Clock; readonly megaflows: Megaflows }) {
    this.#bridge = bridge;
  }

  /** Goes on with a frame that waited at a controller. */
  resume(request: Resume, version: OfVersion): void {
    const bridge = this.#bridge;
    if (request.continuation === undefined) throw new PeerError('NXR_STALE', 'nothing to go on with');
    const rest = decodeContinuation(request.continuation, version);
    if (rest.bridge !== this.#uuid) throw new PeerError('NXR_STALE', 'of another bridge');
    const key = newKey();
    for (let i = 0; i < key.length; i++) key[i] = request.match.key[i]! & request.match.mask[i]!;
    extractKey(request.data, 0, request.data.length, key);
    key[W.IN_PORT] = key[W.IN_PORT]! & 0xffff;
    const isTunnelled = this.#bridge.ports.get(key[W.IN_PORT]!)?.tunnel !== undefined;
    const frozen = fromContinuation(rest, bridge, key, isTunnelled);
    const nowMs = this.#bridge.clock.now();
    const { actions, effects } = translate({ bridge, key, frozen, nowMs, sends: this.#bridge.megaflows.sends, isTunnelled });
    if (applyEffects(effects, 1, request.data.length, nowMs)) this.#bridge.megaflows.changed();
    if (actions.length === 0) return;
    key[W.IN_PORT] = rest.odpPort === undefined || rest.odpPort === NO_DATAPATH_PORT ? 0 : rest.odpPort;
    this.#bridge.megaflows.datapath.execute(request.data, key, actions, NO_OFFLOAD);
  }

  #checkReferences(actions: readonly Action[]): void {
    for (const { kind, id } of references(actions)) {
      if (kind === 'group' && !this.#bridge.groups.has(id)) throw new PeerError('OFPBAC_BAD_OUT_GROUP', `no group ${id}`);
      if (kind === 'meter' && !this.#bridge.meters.has(id)) throw new PeerError('OFPMMFC_INVALID_METER', `no meter ${id}`);
    }
  }

  /** Translates a packet-out now; what is given back sends its frames. */
  prepare(request: PacketOutRequest): () => void {
    const bridge = this.#bridge;
    const key = newKey();
    for (let i = 0; i < key.length; i++) key[i] = request.match.key[i]! & request.match.mask[i]!;
    extractKey(request.frame, 0, request.frame.length, key);
    // Port 0 is none that there is, but it is what the controller said.
    key[W.IN_PORT] = request.match.mask[W.IN_PORT] === 0 ? OFPP.NONE : key[W.IN_PORT]! & 0xffff;
    this.#checkReferences(request.actions);
    const now = this.#bridge.clock.now();
    const { sends } = this.#bridge.megaflows;
    const translation = translate({ bridge, key, actions: request.actions, nowMs: now, sends, isTunnelled: false });
    return this.#sendsOf(translation, request, key);
  }

  /** What sends the frames of a walk that a controller asked for. `key` has an OpenFlow port. */
  #sendsOf({ actions, effects, error }: Translation, request: { frame: Uint8Array; offload?: FrameOffload }, key: Key): () => void {
    const now = this.#bridge.clock.now();
    // A walk that was given up is the sender's fault, and has no better name.
    if (error !== undefined) throw new PeerError('OFPFMFC_UNKNOWN', error);
    return () => {
      if (applyEffects(effects, 1, request.frame.length, now)) this.#bridge.megaflows.changed();
      // A frame without an Ethernet header is taken, as in the reference, and goes nowhere.
      if (actions.length === 0 || (request.frame.length < ETHERNET_SIZE && key[W.PACKET_TYPE] === 0)) return;
      // Below the switch there are datapath ports. A frame of the controller's own has none, one of no port counts as the bridge's.
      key[W.IN_PORT] = this.#bridge.ports.get(key[W.IN_PORT] === OFPP.NONE ? OFPP.LOCAL : key[W.IN_PORT]!)?.dpPort ?? 0;
      this.#bridge.megaflows.datapath.execute(request.frame, key, actions, request.offload ?? NO_OFFLOAD);
    };
  }

  /** What controllers are told of a frame that a userspace action of a megaflow sent up. */
  event({ send, upcall }: PacketIn): PacketInEvent {
    const { reason, table, cookie, maxLen, controllerId, userdata, meterId, continuation } = send;
    const { frame, offload, key } = upcall;
    const match = withFrameMetadata(send.match, key, send.isConntracked);
    const dpPort = upcall.key[W.IN_PORT]!;
    const rest =
      continuation === undefined ? undefined : toContinuation(continuation, this.#uuid, dpPort === 0 ? NO_DATAPATH_PORT : dpPort);
    return {
      frame,
      reason,
      table,
      cookie,
      match,
      maxLen,
      controllerId,
      userdata,
      meterId,
      continuation: rest,
      offload,
      key,
    };
  }
}
