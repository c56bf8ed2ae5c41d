// Packet-Out Syntax of ovs-ofctl(8): where the frame came in, the frame in hexadecimal, and what to do with it.
import { type PortNames, parsePort, scanInteger } from '../../flow/field-text.ts';
import { fieldNamed } from '../../flow/fields.ts';
import { type Match, matchAll, W } from '../../flow/key.ts';
import { addFieldText } from '../../flow/match-text.ts';
import { type Action, OFPP } from '../action.ts';
import type { NamedField, PacketOut } from '../message.ts';
import { parseActions } from './action-parse.ts';
import { takeHex } from './entries-text.ts';
import { cutActions } from './flow-text.ts';
import { splitKeyValues } from './key-value-text.ts';
import { fault } from './number-text.ts';

/** Fields that a frame can have before it is one: OpenFlow 1.5.1 section 7.2.3.8. */
const PIPELINE_FIELDS = /^(in_port(_oxm)?|metadata|x{0,2}reg\d+|tun_(?!tos|ttl).*|gtpu_.*|packet_type)$/;

/** Parses one packet-out. Without a word about it the frame comes from the controller, and nothing is done with it. */
export function parsePacketOut(text: string, names: PortNames): PacketOut {
  const { actions = '' } = cutActions(text);
  // From that word on there are no fields, be there no actions either.
  const [before = ''] = text.split('action', 1);
  const match = matchAll();
  setInPort(match, OFPP.CONTROLLER);
  let data: Uint8Array | undefined;
  const named: NamedField[] = [];
  for (const { key, value } of splitKeyValues(before)) {
    if (value === undefined || value === '') fault(`field ${key} missing value`);
    const given = value ?? '';
    if (key === 'in_port') setInPort(match, origin(given, names));
    else if (key === 'packet_type') setPacketType(match, given);
    else if (key === 'packet') data = parseFrame(given, 'packet: ');
    else {
      const field = fieldNamed(key) ?? fault(`unknown keyword ${key}`);
      addFieldText(match, key, given, names, (field, mask) => named.push({ field, mask }));
      if (!PIPELINE_FIELDS.test(field.name)) fault(`${key} is not a valid pipeline field for PACKET_OUT`);
    }
  }
  const frame = data ?? fault('must specify packet');
  return { kind: 'packetOut', bufferId: 0xffffffff, match, actions: parsePacketOutActions(actions, names), data: frame, named };
}

/** Where a frame comes from: a port, or what stands for the switch or its controller. */
function origin(text: string, names: PortNames): number {
  const port = parsePort(text, names) ?? fault(`${text} is not a valid OpenFlow port`);
  const isOrigin = port <= OFPP.MAX || port === OFPP.LOCAL || port === OFPP.NONE || port === OFPP.CONTROLLER;
  return isOrigin ? port : fault(`${text} is not a valid OpenFlow port for PACKET_OUT`);
}

const ETHERNET_HEADER = 14;

/** A frame in hexadecimal. Throws ConfigError, whose text begins with `prefix`. */
export function parseFrame(text: string, prefix = ''): Uint8Array {
  const { bytes, rest } = takeHex(text);
  if (rest !== '') fault(`${prefix}Trailing garbage in packet data`);
  if (bytes.length < ETHERNET_HEADER) fault(`${prefix}Packet data too short for Ethernet`);
  return Uint8Array.from(bytes);
}

function setInPort(match: Match, port: number): void {
  match.key[W.IN_PORT] = port;
  match.mask[W.IN_PORT] = 0xffff;
}

const MOST = (1n << 64n) - 1n;

/** The namespace is lost, as in the reference, and Ethernet is said as any other type is. */
function setPacketType(match: Match, text: string): void {
  // What stands for the namespace is not looked at, nor what follows the type's number, of which 32 bits count.
  const [, word] = /^\([^,]*,([^)]*)/.exec(text) ?? fault(`packet_type(${text}) can't be interpreted`);
  const number = scanInteger(word ?? '') ?? 0n;
  const type = (number < MOST ? number : MOST) & 0xffff_ffffn;
  match.key[W.PACKET_TYPE] = Number(type);
  match.mask[W.PACKET_TYPE] = 0xffffffff;
}

/** Actions without instructions. */
export const parsePacketOutActions = (text: string, names?: PortNames): Action[] => parseActions(text, { names, isPacketOut: true });
