// Packet-Out Syntax of ovs-ofctl(8): where the frame came in, the frame in hexadecimal, and what to do with it.
import { type PortNames, parsePort } from '../../flow/field-text.ts';
import { fieldNamed } from '../../flow/fields.ts';
import { type Match, matchAll, W } from '../../flow/key.ts';
import { addFieldText } from '../../flow/match-text.ts';
import { type Action, OFPP } from '../action.ts';
import type { PacketOut } from '../message.ts';
import { parseActions } from './action-parse.ts';
import { cutActions } from './flow-text.ts';
import { INSTRUCTIONS } from './group-text.ts';
import { splitKeyValues } from './key-value-text.ts';
import { fault } from './number-text.ts';

/** Fields that a frame can have before it is one: OpenFlow 1.5.1 section 7.2.3.8. */
const PIPELINE_FIELDS = /^(in_port(_oxm)?|metadata|x{0,2}reg\d+|tun_.*|gtpu_.*|packet_type)$/;

/** Parses one packet-out. Without a word about it the frame comes from the controller, and nothing is done with it. */
export function parsePacketOut(text: string, names: PortNames): PacketOut {
  const { before, actions = '' } = cutActions(text);
  const match = matchAll();
  setInPort(match, OFPP.CONTROLLER);
  let data: Uint8Array | undefined;
  for (const { key, value } of splitKeyValues(before)) {
    if (value === undefined || value === '') fault(`field ${key} missing value`);
    const given = value ?? '';
    if (key === 'in_port') setInPort(match, parsePort(given, names) ?? fault(`${given} is not a valid OpenFlow port`));
    else if (key === 'packet') {
      if (!/^([0-9a-f]{2})*$/i.test(given)) fault('packet: Trailing garbage in packet data');
      data = Uint8Array.from(Buffer.from(given, 'hex'));
    } else {
      const field = fieldNamed(key) ?? fault(`unknown keyword ${key}`);
      if (!PIPELINE_FIELDS.test(field.name)) fault(`${key} is not a valid pipeline field for PACKET_OUT`);
      addFieldText(match, key, given, names);
    }
  }
  return {
    kind: 'packetOut',
    bufferId: 0xffffffff,
    match,
    actions: parsePacketOutActions(actions, names),
    data: data ?? fault('must specify packet'),
  };
}

function setInPort(match: Match, port: number): void {
  match.key[W.IN_PORT] = port;
  match.mask[W.IN_PORT] = 0xffff;
}

/** Actions without instructions. */
export function parsePacketOutActions(text: string, names: PortNames): Action[] {
  const actions = parseActions(text, { names });
  for (const { kind } of actions) {
    const name = kind === 'meter' ? undefined : INSTRUCTIONS.get(kind);
    if (name !== undefined) fault(`${name} instruction not allowed here`);
  }
  return actions;
}
