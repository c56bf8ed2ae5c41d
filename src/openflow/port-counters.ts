// Counters of ports beyond OpenFlow's: those of RFC 2819 section 5 and those that a device names itself, as Intel's properties (experimenter
// 0xaa01) carry them in OpenFlow 1.4 and later.

const SIZES = [
  '1_to_64_packets',
  '65_to_127_packets',
  '128_to_255_packets',
  '256_to_511_packets',
  '512_to_1023_packets',
  '1024_to_1522_packets',
  '1523_to_max_packets',
];
const both = (direction: 'rx' | 'tx') => SIZES.map((name) => ({ direction, name }));

/** RFC 2819's counters in the order of the wire, with the names and the line in which they are printed. */
export const RFC2819_COUNTERS: readonly { direction: 'rx' | 'tx'; name: string }[] = [
  ...both('rx'),
  ...both('tx'),
  { direction: 'tx', name: 'multicast_packets' },
  { direction: 'rx', name: 'broadcast_packets' },
  { direction: 'tx', name: 'broadcast_packets' },
  { direction: 'rx', name: 'undersized_errors' },
  { direction: 'rx', name: 'oversize_errors' },
  { direction: 'rx', name: 'rx_fragmented_errors' },
  { direction: 'rx', name: 'rx_jabber_errors' },
];
