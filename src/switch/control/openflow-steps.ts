// Requests that change the bridge, as steps of it: one by one or together in a bundle.
import { PeerError } from '../../base/errors.ts';
import { extractKey } from '../../flow/extract.ts';
import { newKey, W } from '../../flow/key.ts';
import { type Action, OFPP } from '../../openflow/action.ts';
import { checkActionList } from '../../openflow/action-check.ts';
import { inPortOf } from '../../openflow/codec/packet-codec.ts';
import { BUNDLE, type FlowMod, type Framed, type Message, type OfVersion, type PacketOut } from '../../openflow/message.ts';
import type { TlvTable } from '../../openflow/tlv-table.ts';
import type { BridgeStep, PacketOutStep } from '../core.ts';
import { bundleRequest, carrierOf } from './openflow-bundles.ts';
import type { OpenFlowSession } from './openflow-session.ts';

const NO_BUFFER = 0xffffffff;

/** There are no buffers: a flow mod that wants a frame out of one is refused. A deletion's buffer means nothing. */
export function requireNoBuffer(mod: FlowMod): void {
  if (mod.bufferId !== NO_BUFFER && !mod.command.startsWith('delete'))
    throw new PeerError('OFPBRC_BUFFER_UNKNOWN', `buffer ${mod.bufferId}`);
}

/** Fields that the datapath fills on a frame's way back are for the bridge's own flows; that a frame has not been away may be asked. */
export function requireOwnFields({ command, match, packed }: FlowMod): void {
  if (command === 'delete' || command === 'delete_strict') return;
  let isForeign: boolean;
  if (packed === undefined) isForeign = (match.mask[W.RECIRC_ID] !== 0 && match.key[W.RECIRC_ID] !== 0) || match.mask[W.DP_HASH] !== 0;
  else {
    const { words } = packed.mask;
    isForeign = false;
    for (let i = 0; i < words.length; i++)
      if (words[i] === W.DP_HASH || (words[i] === W.RECIRC_ID && packed.values[i] !== 0)) isForeign = true;
  }
  if (isForeign) throw new PeerError('OFPBRC_EPERM', 'recirc_id and dp_hash are not for matching');
}

/** Fields for tunnel options exist once the TLV table says where. */
export function requireMapped(actions: readonly Action[], table: TlvTable | undefined): void {
  for (const action of actions) {
    if (action.kind === 'clone' || action.kind === 'writeActions') requireMapped(action.actions, table);
    if (action.kind !== 'deleteField' || !action.field.name.startsWith('tun_metadata')) continue;
    if (table?.has(Number(action.field.name.slice('tun_metadata'.length))) !== true)
      throw new PeerError('NXFMFC_INVALID_TLV_FIELD', action.field.name);
  }
}

/** A packet-out as a step. */
export function packetOutStep(message: PacketOut, version: OfVersion): PacketOutStep {
  const inPort = inPortOf(message.match);
  if (inPort >= OFPP.MAX && inPort !== OFPP.LOCAL && inPort !== OFPP.CONTROLLER && inPort !== OFPP.NONE) {
    throw new PeerError('OFPBRC_BAD_PORT', `in_port ${inPort}`);
  }
  if (message.bufferId !== NO_BUFFER) throw new PeerError('OFPBRC_BUFFER_UNKNOWN', `buffer ${message.bufferId}`);
  requireConsistent(message, version);
  return { kind: 'packetOut', frame: message.data, match: message.match, actions: message.actions };
}

/** The actions must fit the frame as it is. OpenFlow 1.0 lets pass what has nothing to work on. */
function requireConsistent({ actions, data, match }: PacketOut, version: OfVersion): void {
  const key = newKey();
  for (let i = 0; i < key.length; i++) key[i] = match.key[i]! & match.mask[i]!;
  extractKey(data, 0, data.length, key);
  const isConsistent = checkActionList(actions, { key, mask: newKey().fill(0xffffffff) });
  if (!isConsistent && version > 1) throw new PeerError('OFPBAC_MATCH_INCONSISTENT', 'actions do not fit the frame');
}

/** What can be said against a message when it is added to a bundle. The rest waits for the commit: other messages may make it right. */
export function checkBundled(message: Message, tableCount: number): void {
  if (message.kind === 'flowMod' && message.table === tableCount && !message.command.startsWith('delete'))
    throw new PeerError('OFPBRC_EPERM', `table ${tableCount} is read-only`);
}

/** A message of a bundle as a step. */
function stepOf(message: Message, version: OfVersion): BridgeStep {
  switch (message.kind) {
    case 'flowMod':
    case 'portMod':
    case 'groupMod':
      return message;
    case 'packetOut':
      return packetOutStep(message, version);
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
  const isAtomic = (flags & BUNDLE.ATOMIC) !== 0;
  const steps: BridgeStep[] = [];
  const refuse = (error: unknown, index: number): never => {
    if (!(error instanceof PeerError)) throw error;
    const culprit = messages[index];
    const isPort = isAtomic && culprit?.message.kind === 'portMod';
    if (culprit !== undefined) session.sendError(isPort ? 'OFPBFC_MSG_FAILED' : error.code, carrierOf(culprit));
    throw new PeerError('OFPBFC_MSG_FAILED', `message ${index} of bundle ${id}: ${error.code}`);
  };
  try {
    for (const { message } of messages) {
      const step = stepOf(message, session.version);
      // Ports cannot be changed atomically: that fails when its turn comes.
      steps.push(isAtomic && step.kind === 'portMod' ? { ...step, port: OFPP.NONE } : step);
    }
  } catch (error) {
    refuse(error, steps.length);
  }
  try {
    session.core.apply(steps, session);
  } catch (error) {
    const { step } = error as { step?: number };
    refuse(error, step ?? -1);
  }
  for (const { message } of messages) {
    if (message.kind === 'flowMod') session.countFlowMod(message.command);
  }
}
