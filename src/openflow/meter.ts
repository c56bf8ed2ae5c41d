// Meters as values. OpenFlow 1.3.5 section 7.3.4.4; ovs-ofctl(8), "Meter Syntax".

/** Meter numbers: 1..MAX are meters. */
export const OFPM = { MAX: 0xffff0000, SLOWPATH: 0xfffffffd, CONTROLLER: 0xfffffffe, ALL: 0xffffffff } as const;

/** Whether a flow may name a meter of that number. */
export const isMeter = (meter: number): boolean => meter >= 1 && meter <= OFPM.MAX;

/** Bits of a meter's flags. */
export const METER_FLAG = { KBPS: 1, PKTPS: 2, BURST: 4, STATS: 8 } as const;

export interface MeterBand {
  kind: 'drop' | 'dscp_remark';
  rate: number;
  burstSize: number;
  precLevel: number;
}

export interface MeterConfig {
  meter: number;
  flags: number;
  bands: MeterBand[];
}

export type MeterCommand = 'add' | 'modify' | 'delete';

export interface MeterMod {
  kind: 'meterMod';
  command: MeterCommand;
  config: MeterConfig;
}

export interface MeterStats {
  meter: number;
  flowCount: number;
  packetInCount: bigint;
  byteInCount: bigint;
  durationSec: number;
  durationNsec: number;
  bands: { packetCount: bigint; byteCount: bigint }[];
}

export interface MeterFeatures {
  maxMeters: number;
  /** Bit n: band type n. */
  bandTypes: number;
  /** METER_FLAG bits. */
  capabilities: number;
  maxBands: number;
  maxColor: number;
}
