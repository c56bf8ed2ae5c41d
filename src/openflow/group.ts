// Groups as values, for all versions of OpenFlow and Nicira's form in 1.0 and 1.1. Facts: OpenFlow 1.5.1 section 7.3.4.3 and ovs-ofctl(8),
// "Group Syntax".
import type { Field } from '../flow/fields.ts';
import type { Action, OfPort } from './action.ts';

export type GroupType = 'all' | 'select' | 'indirect' | 'ff';
/** By their number on the wire. */
export const GROUP_TYPES: readonly GroupType[] = ['all', 'select', 'indirect', 'ff'];

/** Group numbers: 0..MAX are groups. */
export const OFPG = { MAX: 0xffffff00, ALL: 0xfffffffc, ANY: 0xffffffff } as const;

/** Bucket numbers: 0..MAX are buckets, the others stand for places in a command. */
export const BUCKET = { MAX: 0xffffff00, FIRST: 0xfffffffd, LAST: 0xfffffffe, ALL: 0xffffffff } as const;

export interface GroupBucket {
  bucketId: number;
  /** Share in a select group; 0 in others. */
  weight: number;
  /** OFPP.NONE = none. */
  watchPort: OfPort;
  /** OFPG.ANY = none. */
  watchGroup: number;
  actions: Action[];
}

/** A field that a select group hashes, with the bits of it that count. */
export interface HashField {
  field: Field;
  mask: bigint;
}

/** How a select group chooses; an empty method leaves it to the switch. */
export interface GroupSelection {
  method: string;
  param: bigint;
  /** Each field once, in the order of the field table. */
  fields: HashField[];
}

export const noSelection = (): GroupSelection => ({ method: '', param: 0n, fields: [] });

export type GroupCommand = 'add' | 'modify' | 'add_or_mod' | 'delete' | 'insert_bucket' | 'remove_bucket';

export interface GroupMod {
  kind: 'groupMod';
  command: GroupCommand;
  type: GroupType;
  group: number;
  /** For insert_bucket and remove_bucket. */
  commandBucket: number;
  buckets: GroupBucket[];
  selection: GroupSelection;
  /** Its text says how to select, be it by the switch's own way: not every format can tell. */
  namesSelection?: boolean;
}

export interface GroupDesc {
  group: number;
  type: GroupType;
  buckets: GroupBucket[];
  selection: GroupSelection;
}

/** A description as a switch sent it: of a type that may have no name. */
export type ReadGroupDesc = Omit<GroupDesc, 'type'> & { type: GroupType | 'unknown' };

export interface GroupStats {
  group: number;
  refCount: number;
  packetCount: bigint;
  byteCount: bigint;
  /** 0xffffffff = unknown. */
  durationSec: number;
  durationNsec: number;
  buckets: { packetCount: bigint; byteCount: bigint }[];
}

/** Capabilities: 1 select_weight, 2 select_liveness, 4 chaining, 8 chaining_checks. Four entries: all, select, indirect, ff. */
export interface GroupFeatures {
  types: number;
  capabilities: number;
  maxGroups: number[];
  /** Action bits as the version on the wire numbers them. */
  actions: number[];
}
