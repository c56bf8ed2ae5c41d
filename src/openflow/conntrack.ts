// What names a tracked connection in requests: one direction's addresses and ports. IPv4 addresses stand mapped into IPv6.

export interface CtTuple {
  src?: Uint8Array;
  dst?: Uint8Array;
  srcPort?: number;
  dstPort?: number;
  icmpId?: number;
  icmpType?: number;
  icmpCode?: number;
}
