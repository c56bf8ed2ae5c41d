// What the switch's groups can do, for OFPMP_GROUP_FEATURES: all types, weights, liveness and chaining, without checks of chains.
import { type GroupFeatures, OFPG } from '../../openflow/group.ts';
import type { OfVersion } from '../../openflow/message.ts';

const ALL_TYPES = 0xf;
/** select_weight, select_liveness, chaining. */
const CAPABILITIES = 0x7;
/** Actions as OpenFlow 1.0, 1.1, and 1.2 and later number them. */
const ACTIONS10 = 0xfff;
const ACTIONS11 = 0x01ffe7ff;
const ACTIONS12 = 0x03ff8001;

/** The features for a version. */
export function groupFeatures(version: OfVersion): GroupFeatures {
  const actions = version === 1 ? ACTIONS10 : version === 2 ? ACTIONS11 : ACTIONS12;
  const four = (value: number): number[] => [value, value, value, value];
  return { types: ALL_TYPES, capabilities: CAPABILITIES, maxGroups: four(OFPG.MAX), actions: four(actions) };
}
