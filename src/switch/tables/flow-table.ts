// One OpenFlow table: its flows, and what is set and counted of it as a whole.
import { Classifier } from '../../flow/classifier.ts';
import type { FlowRule } from './rule.ts';
import { TableRoom } from './table-room.ts';

/** Tables that a peer can use: 0..253. Table 254 is the bridge's own, 255 means all. */
export const TABLE_COUNT = 254;
export const INTERNAL_TABLE = 254;
export const ALL_TABLES = 255;
/** A cookie mask. */
export const ALL_COOKIE_BITS = 0xffffffffffffffffn;

export type TableMiss = 'default' | 'controller' | 'continue' | 'drop';
export class FlowTable {
  readonly id: number;
  readonly classifier = new Classifier<FlowRule>();
  miss: TableMiss = 'default';
  lookups = 0;
  matches = 0;
  hidden = 0;
  readonly room = new TableRoom();
  /** Flows that leave with the batch that is being staged. */
  leaving = 0;
  /** Flows by cookie, for the limit of the learn action; counted from the first time on that one asks. */
  cookies: Map<bigint, number> | undefined;

  constructor(id: number) {
    this.id = id;
  }

  /** Flows that peers can see, those staged counted in. */
  get count(): number {
    return this.classifier.count - this.hidden - this.leaving;
  }
}
