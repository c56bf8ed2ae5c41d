// ovs-ofctl packet-out, in both of its forms.
import { ConfigError } from '../../base/errors.ts';
import { parsePort } from '../../flow/field-text.ts';
import { inPortMatch } from '../../openflow/codec/packet-codec.ts';
import type { PacketOut } from '../../openflow/message.ts';
import { packetOutProtocols } from '../../openflow/protocols.ts';
import { parseFrame, parsePacketOut, parsePacketOutActions } from '../../openflow/text/packet-out-text.ts';
import { agreeOnFormat, openAndRead } from './flow-send.ts';
import { type FlowOptions, lookupNames } from './flows.ts';

/** packet-out FLOW: the place of arrival, the frame (`packet=`) and the actions as one text. */
export async function packetOutText(bridge: string, text: string, options: FlowOptions): Promise<number> {
  const read = (): Promise<PacketOut> => lookupNames(bridge, options, (names) => parsePacketOut(text, names));
  const { session, value: packet, usable } = await openAndRead(bridge, options, read, packetOutProtocols);
  try {
    await agreeOnFormat(session, usable, options);
    session.connection.send(packet);
    await session.barrier();
    return 0;
  } finally {
    session.close();
  }
}

/** packet-out IN_PORT ACTIONS PACKET..., the frames in hexadecimal: each is read when its turn comes. */
export async function packetOut(bridge: string, args: readonly string[], options: FlowOptions): Promise<number> {
  const [inPort = '', actionsText = '', ...frames] = args;
  if (frames.length === 0) throw new ConfigError(`Too many arguments (${args.length + 2})`);
  const read = (): Promise<PacketOut> =>
    lookupNames(bridge, options, (names) => {
      const actions = parsePacketOutActions(actionsText, names);
      // What is no number is looked for among names, and told to be no number a second time.
      const port = parsePort(inPort) ?? parsePort(inPort, names);
      if (port === undefined) throw new ConfigError(`${bridge}: unknown port \`${inPort}'`);
      return { kind: 'packetOut', bufferId: 0xffffffff, match: inPortMatch(port), actions, data: new Uint8Array(0) };
    });
  const { session, value: packet, usable } = await openAndRead(bridge, options, read, packetOutProtocols);
  try {
    await agreeOnFormat(session, usable, options);
    for (const frame of frames) {
      session.connection.send({ ...packet, data: parseFrame(frame) });
      await session.barrier();
    }
    return 0;
  } finally {
    session.close();
  }
}
