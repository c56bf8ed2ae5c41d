// Packet-Out Syntax of ovs-ofctl(8): where the frame came in, the frame in hexadecimal, and what to do with it.
import { ConfigError } from '../../base/errors.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { W } from '../../flow/key.ts';
import type { PacketOut } from '../message.ts';
import { parseFlow } from './flow-text.ts';

/** Parses one packet-out. */
export function parsePacketOut(text: string, names: PortNames): PacketOut {
  const hex = /(?:^|[,\s])packet=([^,\s]*)/.exec(text);
  if (hex === null) throw new ConfigError('must specify packet');
  if (!/^([0-9a-f]{2})*$/i.test(hex[1] ?? '')) throw new ConfigError('Trailing garbage in packet data');
  const { match, actions } = parseFlow(text.replace(hex[0], ' '), 'add', names);
  if (match.mask[W.IN_PORT] === 0) throw new ConfigError('must specify in_port');
  return { kind: 'packetOut', bufferId: 0xffffffff, match, actions, data: Uint8Array.from(Buffer.from(hex[1] ?? '', 'hex')) };
}
