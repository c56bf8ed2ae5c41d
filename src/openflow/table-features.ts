// What flow tables can do, as OpenFlow 1.0 to 1.2 tell it with table statistics and 1.3 and later in messages of its own. OpenFlow 1.3.5
// section 7.3.5.5.
import type { Field } from '../flow/fields.ts';

/** What may be done with packets, be it on a match or on a miss. */
export interface TableInstructions {
  /** Tables that packets may go on to, ascending. */
  next: number[];
  /** Names, in the order of `TABLE_INSTRUCTIONS`. */
  instructions: string[];
  write: ActionFeatures;
  apply: ActionFeatures;
}

export interface ActionFeatures {
  /** Bit n: the action of OpenFlow 1.1 that stands at n in `ACTION_BITS`, or its like. */
  actions: number;
  /** What set_field may set, in the order of `fieldPlace`. */
  setFields: Field[];
}

export interface TableFeatures {
  table: number;
  name: string;
  /** OpenFlow 1.5. */
  command: 'replace' | 'modify' | 'enable' | 'disable';
  metadataMatch: bigint;
  metadataWrite: bigint;
  /** OpenFlow 1.1 and 1.2: what a miss does; undefined in other versions. */
  miss?: 'controller' | 'continue' | 'drop';
  /** OpenFlow 1.4 and later; undefined before. */
  canEvict?: boolean;
  canTellVacancy?: boolean;
  maxEntries: number;
  /** Whether the message says what follows; OpenFlow 1.5 need not. */
  hasProperties: boolean;
  onMatch: TableInstructions;
  onMiss: TableInstructions;
  /** Fields that can be matched, with any mask, or left out of a match. */
  match: Field[];
  masked: Field[];
  wildcarded: Field[];
}

/** Names of instructions in the order in which they are printed, with their numbers in OpenFlow 1.3. */
export const TABLE_INSTRUCTIONS: readonly (readonly [string, number])[] = [
  ['meter', 6],
  ['apply_actions', 4],
  ['clear_actions', 5],
  ['write_actions', 3],
  ['write_metadata', 2],
  ['goto_table', 1],
];

/** Names of actions with their bits, by wire version, in the order in which they are printed. */
const ACTIONS10 =
  'output:0 enqueue:11 set_vlan_vid:1 set_vlan_pcp:2 strip_vlan:3 mod_dl_src:4 mod_dl_dst:5 mod_nw_src:6 mod_nw_dst:7 mod_nw_tos:8 mod_tp_src:9 mod_tp_dst:10';
const ACTIONS11 =
  'output:0 group:22 set_vlan_vid:1 set_vlan_pcp:2 strip_vlan:18 push_vlan:17 mod_dl_src:3 mod_dl_dst:4 mod_nw_src:5 mod_nw_dst:6 mod_nw_tos:7 mod_nw_ecn:8 mod_nw_ttl:23 mod_tp_src:9 mod_tp_dst:10 dec_ttl:24 set_mpls_label:13 set_mpls_tc:14 set_mpls_ttl:15 dec_mpls_ttl:16 push_mpls:19 pop_mpls:20 set_queue:21';
const ACTIONS12 =
  'output:0 group:22 set_field:25 strip_vlan:18 push_vlan:17 mod_nw_ttl:23 dec_ttl:24 set_mpls_ttl:15 dec_mpls_ttl:16 push_mpls:19 pop_mpls:20 set_queue:21';

const PARSED = [ACTIONS10, ACTIONS11, ACTIONS12].map((text) =>
  text.split(' ').map((row): readonly [string, number] => {
    const [name = '', bit = ''] = row.split(':');
    return [name, Number(bit)];
  }),
);

/** Names of the actions whose bits are set, as a version numbers them. */
export const actionBitNames = (bits: number, version: number): string[] =>
  (PARSED[Math.min(version, 3) - 1] ?? []).filter(([, bit]) => ((bits >>> bit) & 1) === 1).map(([name]) => name);

/** The bits that mean something in a version. */
export const knownActionBits = (version: number): number =>
  (PARSED[Math.min(version, 3) - 1] ?? []).reduce((bits, [, bit]) => bits | (1 << bit), 0) >>> 0;
