// What a switch needs to go on with a paused packet, as Open vSwitch 3.1 puts it into NXT_PACKET_IN2's continuation and expects it back in
// NXT_RESUME. To a controller these bytes mean nothing; ovs-ofctl shows them.

import { PeerError } from '../../base/errors.ts';
import type { Action } from '../action.ts';
import type { OfVersion } from '../message.ts';
import { packetLog as log, propertyLogs } from '../peer-logs.ts';
import { decodeUnplaced } from './actions/action-codec.ts';
import { checkPlaces } from './actions/list-check.ts';
import { ByteReader } from './bytes.ts';
import { eachProperty, refuseProperty } from './properties.ts';

/** Numbers of the properties. */
export const PROPERTY = {
  BRIDGE: 0x8000,
  STACK: 0x8001,
  MIRRORS: 0x8002,
  CONNTRACKED: 0x8003,
  TABLE: 0x8004,
  COOKIE: 0x8005,
  ACTIONS: 0x8006,
  ACTION_SET: 0x8007,
  ODP_PORT: 0x8008,
} as const;

export interface Continuation {
  /** The bridge's UUID. */
  bridge?: string;
  /** Values on the stack as hexadecimal, the uppermost first. */
  stack: string[];
  mirrors: number;
  conntracked: boolean;
  /** What is left to do, with the tables and cookies that it belongs to. */
  actions?: Action[];
  actionSet?: Action[];
  odpPort?: number;
}

const stackText = (digits: string): string => (digits === '' ? '0' : `0x${digits}`);

/** The UUID of four words in the order of the host that wrote them, taken for little-endian as x86 and ARM are. */
function uuidOf(from: ByteReader): string {
  const words = Array.from({ length: 4 }, () => Buffer.from(from.take(4)).reverse().toString('hex'));
  return words.join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Reads a continuation. Who only shows it passes over properties that are not known (`isLoose`). */
export function decodeContinuation(bytes: Uint8Array, version: OfVersion, isLoose = false): Continuation {
  const state: Continuation = { stack: [], mirrors: 0, conntracked: false };
  const from = new ByteReader(bytes, 'OFPBPC_BAD_LEN');
  if (from.left < 4) throw new PeerError('OFPBPC_BAD_LEN', 'continuation cut off');
  let table = 0;
  let cookie = 0n;
  for (const property of eachProperty(from.skip(4))) {
    const { number, body } = property;
    const sized = (size: number): ByteReader => {
      // A byte may have others behind it.
      if (size === 1 ? body.left < 1 : body.left !== size)
        throw new PeerError('OFPBPC_BAD_LEN', `property ${number} of ${body.left} bytes`);
      return body;
    };
    const actions = (): Action[] => {
      if (body.left < 4) {
        log.warn(`actions property has bad length ${body.left + 4}`);
        throw new PeerError('OFPBPC_BAD_LEN', 'actions property cut off');
      }
      return decodeUnplaced(body.skip(4), version);
    };
    const checked = (list: Action[]): Action[] => {
      checkPlaces(list, version, 'flow');
      return list;
    };
    switch (number) {
      case PROPERTY.BRIDGE:
        state.bridge = uuidOf(sized(16));
        break;
      case PROPERTY.STACK:
        state.stack.push(stackText(Buffer.from(body.rest()).toString('hex').replace(/^0+/, '')));
        break;
      case PROPERTY.MIRRORS:
        state.mirrors = sized(4).u32();
        break;
      case PROPERTY.CONNTRACKED:
        state.conntracked = true;
        break;
      case PROPERTY.TABLE:
        table = sized(1).u8();
        break;
      case PROPERTY.COOKIE:
        cookie = sized(12).skip(4).u64();
        break;
      case PROPERTY.ACTIONS:
        // What is there already counts for what may stand behind it.
        state.actions = checked([...(state.actions ?? []), { kind: 'unrollXlate', table, cookie }, ...actions()]);
        break;
      case PROPERTY.ACTION_SET:
        state.actionSet = checked(actions());
        break;
      case PROPERTY.ODP_PORT:
        state.odpPort = sized(4).u32();
        break;
      default:
        refuseProperty(propertyLogs.packet, isLoose, 'continuation', property);
    }
  }
  return state;
}
