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

/** Whether an address is an IPv4 one inside IPv6. */
export const isMapped = (address: Uint8Array): boolean =>
  address.subarray(0, 10).every((byte) => byte === 0) && address[10] === 0xff && address[11] === 0xff;
