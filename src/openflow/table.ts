// What OpenFlow 1.4 lets a controller set of a flow table.

/** Bits of a table's configuration. */
export const TABLE_CONFIG = { EVICTION: 4, VACANCY: 8 } as const;
/** What eviction goes by. */
export const EVICT = { OTHER: 1, IMPORTANCE: 2, LIFETIME: 4, ALL: 7 } as const;

export interface TableSettings {
  /** A full table makes room for a new flow by ending another. */
  evicts?: boolean;
  /** EVICT bits. */
  evictionFlags?: number;
  /** Controllers hear when the table gets full, and when it has room again. */
  tellsVacancy?: boolean;
  /** Free entries in percent: told of below `down`, and again above `up`; `now` is how many there are. */
  vacancy?: { down: number; up: number; now: number };
}

export interface TableDesc extends TableSettings {
  table: number;
}

/** A queue of a port as its configuration is told; rates are thousandths of the port's, undefined when not set. */
export interface QueueConfig {
  port: number;
  queue: number;
  minRate?: number;
  maxRate?: number;
}
