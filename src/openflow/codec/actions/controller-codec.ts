// The controller action in its two forms: the older is of a fixed size, the other a list of properties. Facts: ovs-actions(7).

import type { Action, PacketInReason } from '../../action.ts';
import { propertyLogs } from '../../peer-logs.ts';
import type { ByteReader, ByteWriter } from '../bytes.ts';
import { eachProperty, refuseProperty } from '../properties.ts';
import { NXAST, PACKET_IN_REASONS } from './action-constants.ts';
import { niciraAction } from './nicira-envelope.ts';

type Controller = Extract<Action, { kind: 'controller' }>;

/** Numbers that have no name are kept. */
const reasonOf = (number: number): PacketInReason | number => PACKET_IN_REASONS[number] ?? number;

const NO_METER = 0;
const PLAIN = { kind: 'controller', maxLen: 0xffff, reason: 'action', controllerId: 0, pause: false, meterId: NO_METER } as const;

/** Whether the older form can say it all. */
const isShort = ({ userdata, pause, meterId }: Controller): boolean => userdata.length === 0 && !pause && meterId === NO_METER;

/** Reads the older form behind its subtype. */
export const decodeController = (from: ByteReader): Controller => ({
  ...PLAIN,
  maxLen: from.u16(),
  controllerId: from.u16(),
  reason: reasonOf(from.u8()),
  userdata: new Uint8Array(0),
});

/** Reads the form with properties behind its subtype. */
export function decodeControllerProperties(from: ByteReader): Controller {
  const action: Controller = { ...PLAIN, userdata: new Uint8Array(0) };
  for (const property of eachProperty(from.zeros(6))) {
    const { number, body } = property;
    if (number === 0) action.maxLen = body.u16();
    else if (number === 1) action.controllerId = body.u16();
    else if (number === 2) action.reason = reasonOf(body.u8());
    else if (number === 3) action.userdata = body.rest().slice();
    else if (number === 4) action.pause = true;
    else if (number === 5) action.meterId = body.u32();
    else refuseProperty(propertyLogs.actions, false, 'NXAST_RAW_CONTROLLER2', property);
  }
  if (isShort(action)) action.hasProperties = true;
  return action;
}

/** Writes an action in the form that it came in, or the shortest that can say it. */
export function encodeController(out: ByteWriter, action: Controller): void {
  const reason = typeof action.reason === 'number' ? action.reason : PACKET_IN_REASONS.indexOf(action.reason);
  const noMeter = action.meterId === NO_METER;
  if (isShort(action) && action.hasProperties !== true) {
    niciraAction(out, NXAST.CONTROLLER, (o) => o.u16(action.maxLen).u16(action.controllerId).u8(reason));
    return;
  }
  niciraAction(out, NXAST.CONTROLLER2, (o) => {
    o.zeros(6);
    const property = (type: number, body: (o: ByteWriter) => void): void => {
      const start = o.size;
      o.u16(type).u16(0);
      body(o);
      o.patch16(start + 2, o.size - start);
      o.pad(start, 8);
    };
    // The length of a 16-bit property takes in its padding, as the reference has it.
    if (action.maxLen !== 0xffff) property(0, (p) => p.u16(action.maxLen).zeros(2));
    if (action.controllerId !== 0) property(1, (p) => p.u16(action.controllerId).zeros(2));
    if (action.reason !== 'action') property(2, (p) => p.u8(reason));
    if (action.userdata.length > 0) property(3, (p) => p.put(action.userdata));
    if (action.pause) property(4, () => {});
    if (!noMeter) property(5, (p) => p.u32(action.meterId));
  });
}
