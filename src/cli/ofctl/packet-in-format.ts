// The formats of packet-ins by name: ovs-ofctl(8), --packet-in-format.
import { ConfigError } from '../../base/errors.ts';

/** Names by number. */
export const PACKET_IN_FORMATS = ['standard', 'nxt_packet_in', 'nxt_packet_in2'] as const;

/** The number of a packet-in format by name; ConfigError for none. */
export function parsePacketInFormat(text: string): number {
  const format = PACKET_IN_FORMATS.indexOf(text as 'standard');
  const short = ['openflow10', 'nxm', 'nxm2'].indexOf(text);
  if (format < 0 && short < 0) throw new ConfigError(`unknown packet-in format \`${text}'`);
  return Math.max(format, short);
}
