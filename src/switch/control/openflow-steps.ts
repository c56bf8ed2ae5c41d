// Requests that change the bridge, as steps of it: one by one or together in a bundle.
import { PeerError } from '../../base/errors.ts';
import { W } from '../../flow/key.ts';
import { OFPP } from '../../openflow/action.ts';
import { inPortOf } from '../../openflow/codec/packet-codec.ts';
import { BUNDLE, type Framed, type Message, type PacketOut } from '../../openflow/message.ts';
import type { BridgeStep, PacketOutStep } from '../core.ts';
import { bundleRequest } from './openflow-bundles.ts';
import type { OpenFlowSession } from './openflow-session.ts';

const NO_BUFFER = 0xffffffff;
/** What a frame needs to have a header at all. */
const ETHERNET_SIZE = 14;

/** A packet-out as a step; undefined for a frame without an Ethernet header, which the reference takes and sends nowhere. */
export function packetOutStep(message: PacketOut): PacketOutStep | undefined {
  if (message.bufferId !== NO_BUFFER) throw new PeerError('OFPBRC_BUFFER_UNKNOWN', `buffer ${message.bufferId}`);
  const inPort = inPortOf(message.match);
  if (inPort >= OFPP.MAX && inPort !== OFPP.LOCAL && inPort !== OFPP.CONTROLLER && inPort !== OFPP.NONE) {
    throw new PeerError('OFPBRC_BAD_PORT', `in_port ${inPort}`);
  }
  if (message.data.length < ETHERNET_SIZE && (message.match.key[W.PACKET_TYPE] ?? 0) === 0) return undefined;
  return { kind: 'packetOut', frame: message.data, match: message.match, actions: message.actions };
}

/** What can be said against a message when it is added to a bundle. The rest waits for the commit: other messages may make it right. */
export function checkBundled(message: Message, tableCount: number): void {
  if (message.kind === 'flowMod' && message.table === tableCount) throw new PeerError('OFPBRC_EPERM', `table ${tableCount} is read-only`);
}

/** A message of a bundle as a step. */
function stepOf(message: Message): BridgeStep | undefined {
  switch (message.kind) {
    case 'flowMod':
    case 'portMod':
    case 'groupMod':
      return message;
    case 'packetOut':
      return packetOutStep(message);
    default:
      throw new PeerError('OFPBFC_MSG_UNSUP', `${message.kind} in a bundle`);
  }
}

/** OFPT_BUNDLE_CONTROL. */
export function bundleControl(session: OpenFlowSession, request: Framed, bytes: Uint8Array): undefined {
  const { message, xid } = request;
  if (message.kind !== 'bundleControl') return undefined;
  const { bundleId, type, flags } = message;
  const kind = bundleRequest(type);
  switch (kind) {
    case 'open':
      session.bundles.open(bundleId, flags, bytes);
      break;
    case 'close':
      session.bundles.close(bundleId, flags);
      break;
    case 'commit':
      commit(session, bundleId, flags);
      break;
    case 'discard':
      session.bundles.discard(bundleId);
      break;
    default:
      if (type <= BUNDLE.DISCARD + 1) throw new PeerError('OFPBFC_BAD_TYPE', `bundle control type ${type} from a controller`);
      // A type that does not exist is answered as if it had been 0, as the reference does.
      session.send({ kind: 'bundleControl', bundleId, type: BUNDLE.OPEN, flags: 0 }, xid);
      return undefined;
  }
  session.send({ kind: 'bundleControl', bundleId, type: (type + 1) as 1, flags: 0 }, xid);
  return undefined;
}

/** Applies a bundle: all or nothing. The culprit is answered with its own error, the commit with OFPBFC_MSG_FAILED. */
function commit(session: OpenFlowSession, id: number, flags: number): void {
  const messages = session.bundles.commit(id, flags);
  const steps: BridgeStep[] = [];
  const culprits: number[] = [];
  const refuse = (error: unknown, index: number): never => {
    if (!(error instanceof PeerError)) throw error;
    const culprit = messages[index];
    if (culprit !== undefined) session.sendError(error.code, culprit.bytes);
    throw new PeerError('OFPBFC_MSG_FAILED', `message ${index} of bundle ${id}: ${error.code}`);
  };
  for (const [index, { message }] of messages.entries()) {
    try {
      const step = stepOf(message);
      if (step === undefined) continue;
      steps.push(step);
      culprits.push(index);
    } catch (error) {
      refuse(error, index);
    }
  }
  try {
    session.core.apply(steps, session);
  } catch (error) {
    const { step } = error as { step?: number };
    refuse(error, culprits[step ?? -1] ?? -1);
  }
  for (const { message } of messages) if (message.kind === 'flowMod') session.countFlowMod(message.command);
}
