// ovs-ofctl packet-out, in both of its forms.
import { ConfigError } from '../../base/errors.ts';
import { type PortNames, parsePort } from '../../flow/field-text.ts';
import { inPortMatch } from '../../openflow/codec/packet-codec.ts';
import type { PacketOut } from '../../openflow/message.ts';
import { packetOutProtocols } from '../../openflow/protocols.ts';
import { parsePacketOut, parsePacketOutActions } from '../../openflow/text/packet-out-text.ts';
import { agreeOnFormat, allowedOf } from './flow-send.ts';
import { type FlowOptions, lookupNames, XID_AFTER_NAMES } from './flows.ts';
import { Session } from './session.ts';

/** packet-out FLOW: the place of arrival, the frame (`packet=`) and the actions as one text. */
export function packetOutText(bridge: string, text: string, options: FlowOptions): Promise<number> {
  return sendPackets(bridge, options, (names) => [parsePacketOut(text, names)]);
}

/** Sends frames in a form that can say what is to be done with them. */
async function sendPackets(bridge: string, options: FlowOptions, parse: (names: PortNames) => PacketOut[]): Promise<number> {
  const session = await Session.open(bridge, options, options.names === false ? 1 : XID_AFTER_NAMES);
  try {
    const packets = await lookupNames(bridge, options, parse);
    // All of them do the same.
    if (packets[0] !== undefined) await agreeOnFormat(session, allowedOf(packetOutProtocols(packets[0]), options));
    for (const packet of packets) session.connection.send(packet);
    await session.barrier();
    return 0;
  } finally {
    session.close();
  }
}

/** packet-out IN_PORT ACTIONS PACKET..., the frames in hexadecimal */
export async function packetOut(bridge: string, args: readonly string[], options: FlowOptions): Promise<number> {
  const [inPort = '', actions = '', ...frames] = args;
  if (frames.length === 0) throw new ConfigError(`Too many arguments (${args.length + 2})`);
  return sendPackets(bridge, options, (names) => {
    const port = parsePort(inPort, names);
    if (port === undefined) throw new ConfigError(`${bridge}: unknown port \`${inPort}'`);
    const parsed = parsePacketOutActions(actions, names);
    return frames.map((hex) => {
      if (!/^([0-9a-f]{2})+$/i.test(hex)) throw new ConfigError('Trailing garbage in packet data');
      return { kind: 'packetOut', bufferId: 0xffffffff, match: inPortMatch(port), actions: parsed, data: Buffer.from(hex, 'hex') };
    });
  });
}
