// Lists of actions to bytes and back, for all versions. An action is 16 bits type, 16 bits length (a multiple of 8), body; type 0xffff is
// an experimenter's. The standard's own are in `standard-*.ts`, Nicira's in `nicira-*.ts`.
import { PeerError } from '../../../base/errors.ts';
import { hexDump } from '../../../base/hex-dump.ts';
import type { Action } from '../../action.ts';
import type { OfVersion } from '../../message.ts';
import { actionsLog as log } from '../../peer-logs.ts';
import { ByteReader, type ByteWriter } from '../bytes.ts';
import { encodeSetField } from '../fields/set-field-codec.ts';
import { EXPERIMENTER, NX_VENDOR, NXAST, ONF_VENDOR } from './action-constants.ts';
import { type ActionContext, follow } from './action-context.ts';
import { checkActionForm, unknownVendor } from './action-forms.ts';
import { checkPlaces, checkWhole, type ListPlace } from './list-check.ts';
import { NICIRA_DECODERS } from './nicira-decode.ts';
import { encodeNicira } from './nicira-encode.ts';
import { decode10, decode11, decodeCopyField } from './standard-decode.ts';
import { encode10, encode11 } from './standard-encode.ts';

/** How deep clones, ct and write_actions may nest before a list is refused. */
const MAX_DEPTH = 32;

/** Actions that are all of some bytes. */
export function decodeActionBytes(bytes: Uint8Array, version: OfVersion, place: ListPlace = 'flow'): Action[] {
  return decodeActions(new ByteReader(bytes, 'OFPBAC_BAD_LEN'), version, place);
}

/** Reads actions to the end of `from`. What cannot be read is told in the log with its place. */
export function decodeActions(from: ByteReader, version: OfVersion, place: ListPlace = 'flow', depth = 0): Action[] {
  const actions = decodeUnplaced(from, version, depth);
  checkPlaces(actions, version, place);
  return actions;
}

/** The same, wherever they stand. */
export function decodeUnplaced(from: ByteReader, version: OfVersion, depth = 0): Action[] {
  const start = from.at;
  const bytes = from.bytes.subarray(start);
  checkWhole(bytes, 'actions');
  const place = { at: 0 };
  try {
    return decodeList(from, version, depth, place);
  } catch (error) {
    if (error instanceof PeerError) {
      const { code } = error;
      log.warn(() => `bad action at offset ${place.at - start} (${code}):\n${hexDump(bytes, 'log')}`);
    }
    throw error;
  }
}

function decodeList(from: ByteReader, version: OfVersion, depth: number, place: { at: number }): Action[] {
  if (depth > MAX_DEPTH) throw new PeerError('OFPBAC_BAD_ARGUMENT', 'actions nest too deeply');
  const actions: Action[] = [];
  while (from.left > 0) {
    place.at = from.at;
    const type = from.u16();
    const length = from.u16();
    if (type === EXPERIMENTER) {
      const vendor = from.u32();
      if (vendor !== NX_VENDOR && vendor !== ONF_VENDOR) unknownVendor(vendor);
      if (from.left < 2) throw new PeerError('OFPBAC_BAD_LEN', `experimenter action of ${length} bytes`);
      const subtype = from.u16();
      checkActionForm(version, vendor, subtype, length, from.left + 10);
      actions.push(decodeExperimenter(from.sub(length - 10, 'OFPBAC_BAD_LEN'), vendor, subtype, version, depth));
      continue;
    }
    checkActionForm(version, 0, type, length, from.left + 4);
    const body = from.sub(length - 4, 'OFPBAC_BAD_LEN');
    actions.push(version === 1 ? decode10(type, body) : decode11(type, body, version));
  }
  return actions;
}

let takesDebugActions = false;

/** Has this process take debug_recirc and debug_slow from peers, as --enable-dummy does. */
export function takeDebugActions(): void {
  takesDebugActions = true;
}

function decodeExperimenter(body: ByteReader, vendor: number, subtype: number, version: OfVersion, depth: number): Action {
  if (vendor === ONF_VENDOR) {
    body.skip(2);
    return decodeCopyField(body);
  }
  const decode = NICIRA_DECODERS.get(subtype);
  if (decode === undefined || (subtype >= NXAST.DEBUG_SLOW && !takesDebugActions))
    throw new PeerError('OFPBAC_BAD_VENDOR_TYPE', `Nicira action ${subtype}`);
  return decode(body, (from, outer) => decodeActions(from.sub(from.left, 'OFPBAC_BAD_LEN'), version, outer, depth + 1));
}

/** Writes actions for a version. Instructions other than those that are actions in that version are passed over. */
export function encodeActions(out: ByteWriter, actions: readonly Action[], version: OfVersion, context: ActionContext = {}): void {
  encodeInContext(out, actions, version, { ...context });
}

/** Writes actions and leaves in `context` what they made of the packet. */
export function encodeInContext(out: ByteWriter, actions: readonly Action[], version: OfVersion, context: ActionContext): void {
  for (const action of actions) {
    encodeAction(out, action, version, context);
    follow(context, action);
  }
}

function encodeAction(out: ByteWriter, action: Action, version: OfVersion, context: ActionContext): void {
  if (action.kind === 'setField') {
    const isLoad2 = action.isLoad2 === true && version < 6;
    const form = isLoad2 ? (action.isMasked === true ? 'masked-load2' : 'load2') : action.isMasked === true ? 'masked' : '';
    encodeSetField(out, action.field, action.value, action.mask, version, context, form, action.aboveMask);
    return;
  }
  if (version === 1 ? encode10(out, action) : encode11(out, action, version, context)) return;
  const list = (o: ByteWriter, nested: readonly Action[]): void => encodeActions(o, nested, version, context);
  encodeNicira(out, action, list);
}
