// NXST_IPFIX_BRIDGE and NXST_IPFIX_FLOW: the counters of IPFIX sampling.
import type { IpfixStats } from '../ipfix.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';

/** Reads one set of counters. */
export function decodeIpfix(from: ByteReader): IpfixStats {
  const stats = {
    totalFlows: from.u64(),
    currentFlows: from.u64(),
    packets: from.u64(),
    ipv4Packets: from.u64(),
    ipv6Packets: from.u64(),
    errorPackets: from.u64(),
    ipv4ErrorPackets: from.u64(),
    ipv6ErrorPackets: from.u64(),
    txPackets: from.u64(),
    txErrors: from.u64(),
    collectorSetId: from.u32(),
  };
  from.skip(4);
  return stats;
}

/** Writes one set of counters. */
export function encodeIpfix(out: ByteWriter, stats: IpfixStats): void {
  out.u64(stats.totalFlows).u64(stats.currentFlows).u64(stats.packets).u64(stats.ipv4Packets).u64(stats.ipv6Packets);
  out.u64(stats.errorPackets).u64(stats.ipv4ErrorPackets).u64(stats.ipv6ErrorPackets).u64(stats.txPackets).u64(stats.txErrors);
  out.u32(stats.collectorSetId).u32(0);
}
