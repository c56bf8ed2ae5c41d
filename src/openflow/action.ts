// OpenFlow actions and instructions as values, one closed union for all versions. The codec and the text syntax are derived from a
// table beside this file; translation walks these values. Facts: ovs-actions(7).
import type { Field } from '../flow/fields.ts';
import type { Key } from '../flow/key.ts';

/** OpenFlow port number, 16-bit space as inside the switch: 1..0xfeff real ports, the reserved ones below. */
export type OfPort = number;

export const OFPP = {
  MAX: 0xff00,
  UNSET: 0xfff7,
  IN_PORT: 0xfff8,
  TABLE: 0xfff9,
  NORMAL: 0xfffa,
  FLOOD: 0xfffb,
  ALL: 0xfffc,
  CONTROLLER: 0xfffd,
  LOCAL: 0xfffe,
  NONE: 0xffff,
} as const;

/** Part of a field: `bits` bits of `field`, the lowest being bit `offset` counted from the value's least significant. */
export interface Subfield {
  field: Field;
  offset: number;
  bits: number;
}

/** A source for learn and other specs: an immediate or part of a field. */
export type LearnSpec =
  | { kind: 'match'; bits: number; src: Subfield | bigint; dst: Subfield }
  | { kind: 'load'; bits: number; src: Subfield | bigint; dst: Subfield }
  | { kind: 'output'; bits: number; src: Subfield };

export type PacketInReason =
  | 'no_match'
  | 'action'
  | 'invalid_ttl'
  | 'action_set'
  | 'group'
  | 'packet_out'
  | 'explicit_miss'
  | 'implicit_miss';

/** One NAT range, `ct(nat(...))`. */
export interface NatSpec {
  direction: 'src' | 'dst' | 'none';
  persistent: boolean;
  hash: boolean;
  random: boolean;
  family: 0 | 4 | 6;
  /** Addresses as 4 words (IPv4 in the last). */
  addrMin?: readonly number[];
  addrMax?: readonly number[];
  portMin?: number;
  portMax?: number;
}

export type Action =
  | { kind: 'output'; port: OfPort; maxLen: number }
  /** `isReg2`: it came in the later form, and goes on in it. */
  | { kind: 'outputReg'; src: Subfield; maxLen: number; isReg2?: boolean }
  | { kind: 'outputTrunc'; port: OfPort; maxLen: number }
  | {
      kind: 'controller';
      maxLen: number;
      /** A number where there is no name. */
      reason: PacketInReason | number;
      controllerId: number;
      userdata: Uint8Array;
      pause: boolean;
      meterId: number;
      providerMeterId?: number;
      /** It came in the form that lists properties, and goes on in it. */
      hasProperties?: boolean;
    }
  /** Of a continuation: what follows belongs to a flow of this table and cookie. */
  | { kind: 'unrollXlate'; table: number; cookie: bigint }
  | { kind: 'enqueue'; port: OfPort; queue: number }
  | { kind: 'group'; group: number }
  | { kind: 'bundle'; fields: string; basis: number; algorithm: string; members: OfPort[]; dst?: Subfield }
  | {
      kind: 'setField';
      field: Field;
      value: Key;
      mask: Key;
      ofpatVersion?: string;
      flowHasVlan?: boolean;
      /** It came with a mask of all bits that the field has, fewer than its bytes have: that is printed and sent on. */
      isMasked?: boolean;
      /** Bits of its mask above those that the field has: they change nothing, and are printed and sent on. */
      aboveMask?: bigint;
      /** It came as Nicira's load of a whole entry, and goes on so until OpenFlow 1.5, which has no other. */
      isLoad2?: boolean;
    }
  | { kind: 'regLoad'; dst: Subfield; value: bigint }
  | {
      kind: 'regMove';
      src: Subfield;
      dst: Subfield;
      /** It came as copy-field, the standard's or ONF's, and goes on so where there is that: OpenFlow 1.3 and 1.5. */
      isCopy?: boolean;
    }
  | { kind: 'setVlanVid'; vid: number; pushIfNeeded: boolean }
  | { kind: 'setVlanPcp'; pcp: number; pushIfNeeded: boolean }
  | {
      kind: 'stripVlan';
      /** It came as OpenFlow 1.1's pop_vlan and is printed so. */
      pop?: boolean;
    }
  | { kind: 'pushVlan'; ethertype: number }
  | { kind: 'setEthSrc' | 'setEthDst'; mac: readonly [number, number] }
  | { kind: 'setIpv4Src' | 'setIpv4Dst'; ip: number }
  | { kind: 'setIpDscp'; dscp: number }
  | { kind: 'setIpEcn'; ecn: number }
  | { kind: 'setIpTtl'; ttl: number }
  | { kind: 'setL4SrcPort' | 'setL4DstPort'; port: number }
  | {
      kind: 'decTtl';
      controllerIds: number[];
      /** Controllers are named one by one, be it none. */
      listed?: boolean;
    }
  | { kind: 'setMplsLabel'; label: number }
  | { kind: 'setMplsTc'; tc: number }
  | { kind: 'setMplsTtl'; ttl: number }
  | { kind: 'decMplsTtl' }
  | { kind: 'pushMpls'; ethertype: number }
  | { kind: 'popMpls'; ethertype: number }
  | { kind: 'decNshTtl' }
  | { kind: 'deleteField'; field: Field }
  | { kind: 'setTunnel'; tunnelId: bigint; wide: boolean }
  | { kind: 'setQueue'; queue: number }
  | { kind: 'popQueue' }
  | { kind: 'finTimeout'; idleTimeoutSec: number; hardTimeoutSec: number }
  | {
      kind: 'resubmit';
      port: OfPort;
      table: number;
      withCtTuple: boolean;
      /** It came in the older form that has a port alone, and goes on in it. */
      portOnly?: boolean;
    }
  | {
      kind: 'learn';
      idleTimeoutSec: number;
      hardTimeoutSec: number;
      priority: number;
      cookie: bigint;
      table: number;
      finIdleTimeoutSec: number;
      finHardTimeoutSec: number;
      sendFlowRem: boolean;
      deleteLearned: boolean;
      limit: number;
      resultDst?: Subfield;
      specs: LearnSpec[];
      /** It came in the later form, and goes on in it. */
      isLearn2?: boolean;
    }
  | { kind: 'conjunction'; id: number; clause: number; clauses: number }
  | { kind: 'multipath'; fields: string; basis: number; algorithm: string; maxLink: number; arg: number; dst: Subfield }
  | { kind: 'note'; data: Uint8Array }
  | { kind: 'exit' }
  | {
      kind: 'sample';
      probability: number;
      collectorSetId: number;
      obsDomainId: number;
      obsPointId: number;
      samplingPort: OfPort;
      direction: '' | 'ingress' | 'egress';
      /** Which of its three forms it came in, where that is not the first; it goes on in no lesser one. */
      generation?: 1 | 2 | 3;
    }
  | { kind: 'push' | 'pop'; subfield: Subfield }
  | { kind: 'clone'; actions: Action[] }
  | { kind: 'checkPktLarger'; length: number; dst: Subfield }
  | {
      kind: 'ct';
      commit: boolean;
      force: boolean;
      recircTable: number /* 255 = none */;
      zone: number | Subfield;
      alg: number;
      exec: Action[];
      /** Flags that mean nothing and go on as they came; 0 when absent. */
      spareFlags?: number;
    }
  | { kind: 'nat'; nat: NatSpec }
  | { kind: 'ctClear' }
  | {
      kind: 'encap';
      packetType: number;
      props: { class: number; type: number; value: Uint8Array }[];
      /** A word that means nothing and goes on as it came; 0 when absent. */
      headerSize?: number;
    }
  | { kind: 'decap'; newPacketType?: number }
  | { kind: 'debugRecirc' }
  | { kind: 'debugSlow' }
  // Instructions stand in the same list, in the specification's order.
  | { kind: 'meter'; meter: number }
  | { kind: 'clearActions' }
  | { kind: 'writeActions'; actions: Action[] }
  | { kind: 'writeMetadata'; metadata: bigint; mask: bigint }
  | { kind: 'gotoTable'; table: number };

export type ActionKind = Action['kind'];
