// What was sampled for IPFIX, by a bridge or by one collector set. ovs-ofctl(8), dump-ipfix-bridge and dump-ipfix-flow.

/** All ones in a counter means that it is not known. */
export interface IpfixStats {
  totalFlows: bigint;
  currentFlows: bigint;
  packets: bigint;
  ipv4Packets: bigint;
  ipv6Packets: bigint;
  errorPackets: bigint;
  ipv4ErrorPackets: bigint;
  ipv6ErrorPackets: bigint;
  txPackets: bigint;
  txErrors: bigint;
  collectorSetId: number;
}
