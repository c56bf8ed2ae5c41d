// NORMAL: the learning VLAN switch (IEEE 802.1Q), as one action.
//
// 1. Which bundle did the frame come in by, and may it carry the frame's VLAN? An access port takes untagged frames (and priority tags).
// 2. Frames to addresses that no bridge forwards are dropped unless forward-bpdu is on.
// 3. The source address is learned (as an effect).
// 4. A known destination gets the frame unless it is where the frame came from; otherwise all bundles of the VLAN do.
// 5. On the way out the tag is what the outgoing bundle wants.
import { formatMac } from '../../base/addresses.ts';
import { bondHash } from '../../flow/bond-hash.ts';
import { VLAN_CFI, W } from '../../flow/key.ts';
import { OFPP } from '../../openflow/action.ts';
import type { Announcement } from '../../protocols/mac-learning.ts';
import type { BundleRequest } from '../contract.ts';
import { includesVlan, PORT_CONFIG, type PortBundle } from '../ports.ts';
import { isArp } from './subfield.ts';
import type { Walk } from './translate.ts';

const trunkOfAll: BundleRequest = {
  name: '',
  members: [],
  vlanMode: 'trunk',
  vlan: -1,
  trunks: [],
  cvlans: [],
  qinqEthertype: 0x8100,
  priorityTags: 'never',
  protectedPort: false,
};
/** What a frame of the controller's own making comes in by. */
const noBundle: PortBundle = { name: '', request: trunkOfAll, members: [], trunks: undefined };

/** Runs NORMAL on the walk's key. */
export function normal(walk: Walk): void {
  const { key, bridge } = walk;
  walk.mark(W.ETH, -1);
  walk.mark(W.ETH + 1, -1);
  walk.mark(W.ETH + 2, -1);
  // Without a tag it is enough to know that there is none, which the mask always says.
  if ((key[W.VLAN0]! & VLAN_CFI) !== 0) walk.mark(W.VLAN0, 0x0fff | VLAN_CFI);

  // 1.
  const inPort = key[W.IN_PORT]!;
  const port = bridge.ports.get(inPort);
  const from = inPort === OFPP.NONE || inPort === OFPP.CONTROLLER ? noBundle : port?.bundle;
  if (from === undefined) {
    if (port === undefined) walk.report('error', `received packet on unknown port ${inPort}`);
    walk.report('warn', 'no input bundle, dropping');
    return;
  }
  const tag = key[W.VLAN0]!;
  const vid = (tag & VLAN_CFI) !== 0 ? tag & 0xfff : 0;
  if (!takesVlan(walk, from, vid)) {
    walk.report('warn', 'disallowed VLAN VID for this input port, dropping');
    return;
  }
  const vlan = vlanOf(from, vid);

  // 2.
  const high = key[W.ETH]!;
  const low = key[W.ETH + 1]! >>> 16;
  if (port !== undefined && !bridge.isBpduForwarded && isReserved(high, low)) {
    walk.report('detail', 'packet has reserved destination MAC, dropping');
    return;
  }

  if (port !== undefined && from.bond !== undefined) {
    const admission = from.bond.admission(port.name, (high & 0x01000000) !== 0);
    if (admission === 'drop') {
      walk.report('detail', 'bonding refused admissibility, dropping');
      return;
    }
    // What another port of ours sent comes back by the other links.
    if (admission === 'drop if moved') {
      const known = bridge.macs.lookup(vlan, sourceHigh(walk), sourceLow(walk), walk.nowMs);
      if (known !== undefined && known.port !== from && announcementOf(walk, from) === 'none') {
        walk.report('detail', 'SLB bond thinks this packet looped back, dropping');
        return;
      }
    }
  }

  // 3. What is no Ethernet frame has no source.
  const announcement = announcementOf(walk, from);
  if (from !== noBundle && key[W.PACKET_TYPE] === 0 && !bridge.floodVlans.has(vlan)) {
    const srcHigh = sourceHigh(walk);
    const srcLow = sourceLow(walk);
    const known = walk.isLearning ? bridge.macs.lookup(vlan, srcHigh, srcLow, walk.nowMs) : undefined;
    const isNew = walk.isLearning && known?.port !== from && known?.isStatic !== true;
    if (isNew && (srcHigh & 0x01000000) === 0) {
      walk.report('detail', `learned that ${formatMac(srcHigh, srcLow)} is on port ${from.name} in VLAN ${vlan}`);
    }
    walk.effects.push({ kind: 'learn', bridge, vlan, high: srcHigh, low: srcLow, bundle: from, announcement });
  }

  // 4.
  const entry = bridge.floodVlans.has(vlan) ? undefined : bridge.macs.lookup(vlan, high, low, walk.nowMs);
  const target = isToItself(walk, from, announcement) && entry?.isStatic !== true ? from : entry?.port;
  if (target !== undefined) {
    if (target === from) {
      walk.report('detail', 'learned port is input port, dropping');
      return;
    }
    walk.report('detail', 'forwarding to learned port');
    sendTagged(walk, target, vlan, undefined, from);
    return;
  }
  walk.report('detail', 'no learned MAC for destination, flooding');
  const innerVid = (from.request.vlanMode === 'dot1q-tunnel' ? tag : key[W.VLAN1]!) & 0xfff;
  for (const bundle of bridge.bundles.values()) {
    if (bundle === from || !includesVlan(bundle, vlan)) continue;
    const readsInner = bundle.request.vlanMode === 'access' || bundle.request.cvlans.length > 0;
    if (readsInner && (tag & VLAN_CFI) !== 0) walk.mark(W.VLAN1, 0xfff | VLAN_CFI);
    if (!takesInner(bundle, innerVid) || bridge.mirrors.isOutput(bundle)) continue;
    if (bundle.members.some((member) => (member.config & PORT_CONFIG.NO_FLOOD) !== 0)) continue;
    if (bundle.request.protectedPort && from.request.protectedPort) continue;
    sendTagged(walk, bundle, vlan, undefined, from);
  }
}

/** Whether the station that this very frame teaches is the one that it is for. */
function isToItself(walk: Walk, from: PortBundle, announcement: Announcement): boolean {
  const high = walk.key[W.ETH]!;
  if (
    walk.key[W.PACKET_TYPE] !== 0 ||
    high !== sourceHigh(walk) ||
    walk.key[W.ETH + 1]! >>> 16 !== sourceLow(walk) ||
    (high & 0x01000000) !== 0
  )
    return false;
  return from !== noBundle && announcement === 'none' && (!walk.isTraced || walk.isLearning);
}

/** The VLAN that a frame with tag `vid` (0 = none) is in when it comes by a bundle. */
export function vlanOf(from: PortBundle, vid: number): number {
  const { vlanMode } = from.request;
  return vlanMode === 'trunk' || (vid !== 0 && vlanMode !== 'access' && vlanMode !== 'dot1q-tunnel') ? vid : Math.max(0, from.request.vlan);
}

/** Whether a bundle takes a frame with that tag. */
export function takesVlan(walk: Walk, from: PortBundle, vid: number): boolean {
  const { vlanMode, vlan } = from.request;
  if (vlanMode === 'access') {
    if (vid === 0) return true;
    walk.report(
      'error',
      `dropping VLAN ${vid} tagged packet received on port ${from.name} configured as VLAN ${Math.max(0, vlan)} access port`,
    );
    return false;
  }
  if (vlanMode === 'dot1q-tunnel') {
    const { cvlans } = from.request;
    if (cvlans.length === 0 || cvlans.includes(vid)) return true;
    walk.report('error', `dropping VLAN ${vid} packet received on dot1q-tunnel port ${from.name} that excludes this VLAN`);
    return false;
  }
  if ((vid === 0 && vlanMode !== 'trunk') || includesVlan(from, vid)) return true;
  walk.report('error', `dropping VLAN ${vid} packet received on port ${from.name} not configured for trunking VLAN ${vid}`);
  return false;
}

/** 5. Sends through a bundle with the tag it wants, then puts the tag back. */
export function sendTagged(walk: Walk, bundle: PortBundle, vlan: number, maxLength?: number, from?: PortBundle): void {
  const member = chooseMember(walk, bundle, vlan);
  if (member === undefined) return;
  const { key } = walk;
  const before = key[W.VLAN0]!;
  const second = key[W.VLAN1]!;
  const { vlanMode, priorityTags } = bundle.request;
  const own = Math.max(0, bundle.request.vlan);
  // What the frame has while it is in the VLAN: a tunnel port puts the VLAN around the tag that came in.
  const isTunnelled = from?.request.vlanMode === 'dot1q-tunnel';
  const pcp = before & 0xe000;
  const tpid = (before & VLAN_CFI) !== 0 ? before >>> 16 : 0x8100;
  const outer = isTunnelled ? newTag(from.request.qinqEthertype, vlan) : vlan === 0 ? before : newTag(tpid, pcp | vlan);
  const inner = isTunnelled ? before : second;
  let first = outer;
  let next = inner;
  if (vlanMode === 'access') first = next = 0;
  else if (vlanMode === 'dot1q-tunnel' || (vlanMode === 'native-untagged' && vlan === own)) [first, next] = [inner, 0];
  if (priorityTags !== 'never' && pcp !== 0) first = ((first === 0 ? 0x81000000 : first & ~0xe000) | pcp | VLAN_CFI) >>> 0;
  // A tag that stays does not depend on its priority; one that changes is marked where it is put out.
  if ((before & VLAN_CFI) !== 0 && (priorityTags !== 'never' || (before & 0xfff) === 0)) {
    if (first !== before || (first & 0xfff) === 0) walk.mark(W.VLAN0, 0xe000);
  }
  // Of a tag with neither VLAN nor priority nothing is left.
  const keeps = (tag: number): number => ((tag & 0xefff) !== 0 || priorityTags === 'always' ? tag : 0);
  if (isTunnelled) next = keeps(next);
  first = keeps(first);
  key[W.VLAN0] = first === 0 ? next : first;
  key[W.VLAN1] = first === 0 ? 0 : next;
  walk.send(member, maxLength, maxLength !== undefined);
  key[W.VLAN0] = before;
  key[W.VLAN1] = second;
}

const newTag = (tpid: number, tci: number): number => ((tpid << 16) | VLAN_CFI | tci) >>> 0;

/** Whether a bundle of the VLAN also takes the tag inside it: an access port takes none, a tunnel those of its customer's VLANs. */
function takesInner({ request }: PortBundle, vid: number): boolean {
  if (request.vlanMode === 'access') return vid === 0;
  return request.vlanMode !== 'dot1q-tunnel' || request.cvlans.length === 0 || request.cvlans.includes(vid);
}

const sourceHigh = ({ key }: Walk): number => (((key[W.ETH + 1]! & 0xffff) << 16) | (key[W.ETH + 2]! >>> 16)) >>> 0;
const sourceLow = ({ key }: Walk): number => key[W.ETH + 2]! & 0xffff;

/** The member of a bond that carries a station's frames in a VLAN; undefined while none does. */
function chooseMember(walk: Walk, { members, bond }: PortBundle, vlan: number): number | undefined {
  if (bond === undefined || members.length <= 1) return members[0]?.port;
  const bucket = bond.settings.mode === 'balance-slb' ? bondHash([sourceHigh(walk), sourceLow(walk)], vlan, bond.settings.hashBasis) : 0;
  const name = bond.choose(bucket)?.name;
  return members.find((member) => member.name === name)?.port;
}

function announcementOf(walk: Walk, from: PortBundle): Announcement {
  const { key } = walk;
  if (!isArp(key) || key[W.ETH] !== 0xffffffff || key[W.ETH + 1]! >>> 16 !== 0xffff) return 'none';
  walk.mark(W.TYPE, 0xff);
  const op = key[W.TYPE]! & 0xff;
  let isGratuitous = op === 2;
  if (op === 1) {
    walk.mark(W.NW_SRC, -1);
    walk.mark(W.NW_DST, -1);
    isGratuitous = key[W.NW_SRC] === key[W.NW_DST];
  }
  if (!isGratuitous) return 'none';
  return from.members.length > 1 ? 'gratuitousFromBond' : 'gratuitous';
}

/** Destinations of protocols between bridges (ovs-vswitchd.conf.db(5), forward-bpdu). */
export function isReserved(high: number, low: number): boolean {
  switch (high) {
    case 0x0180c200:
      return low <= 0x0f;
    case 0x00e02b00:
      return low === 0 || low === 4 || low === 6;
    case 0x01000ccc:
      return (low & 0xfff0) === 0xccc0;
    case 0x01000ccd:
      return low === 0xcdcd;
    case 0x01000c00:
      return low === 0;
    default:
      return false;
  }
}
