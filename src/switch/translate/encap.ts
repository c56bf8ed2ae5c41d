// Headers that encap and decap put on or take off the whole frame. The action changes the key at once; the datapath action is put out by
// the next commit, so that what the tables write into a new header goes out with it.
import type { DpAction } from '../../datapath/datapath.ts';
import { type Key, W } from '../../flow/key.ts';
import type { Action } from '../../openflow/action.ts';
import { toController } from './to-controller.ts';
import type { Walk } from './translate.ts';

/** Packet types: namespace 0 is Ethernet, namespace 1 an Ethernet type (OpenFlow 1.5.1 section 7.2.3.11). */
export const PT = {
  ETHERNET: 0,
  IPV4: 0x10800,
  IPV6: 0x186dd,
  MPLS: 0x18847,
  MPLS_MULTICAST: 0x18848,
  NSH: 0x1894f,
  /** "Whatever the next-protocol field says", an argument of decap. */
  NEXT: 0xfffe,
} as const;

/** The `np` field of NSH (RFC 8300 section 2.2). */
const NEXT_PROTOCOL = [
  [PT.IPV4, 1],
  [PT.IPV6, 2],
  [PT.ETHERNET, 3],
  [PT.NSH, 4],
  [PT.MPLS, 5],
] as const;

/** Of a label that is put before a whole packet. */
const DEFAULT_TTL = 64;

export interface PendingEncap {
  encap: boolean;
  decap: boolean;
  /** Context headers of an NSH of type 2 being pushed. */
  metadata: Uint8Array;
}

const NO_METADATA = new Uint8Array(0);

export const newPendingEncap = (): PendingEncap => ({ encap: false, decap: false, metadata: NO_METADATA });

/** Forgets the network and transport header. */
function clearInner(key: Key): void {
  key[W.TYPE] = key[W.TYPE]! & 0xffff0000;
  key[W.NW_SRC] = 0;
  key[W.NW_DST] = 0;
  key[W.TP] = 0;
  key[W.TOS] = 0;
  key.fill(0, W.IPV6_LABEL, W.MPLS);
  key[W.IGMP_GROUP] = 0;
  key[W.ND_RESERVED] = 0;
  key[W.ND_OPTIONS] = 0;
}

/** The encap action. */
export function encap(walk: Walk, action: Extract<Action, { kind: 'encap' }>): void {
  const { key } = walk;
  // What was meant for the inner headers goes out before they are inner ones.
  walk.commit();
  walk.mark(W.PACKET_TYPE, -1);
  const inner = key[W.PACKET_TYPE]!;
  switch (action.packetType) {
    case PT.ETHERNET:
      if (inner >>> 16 !== 1) {
        walk.report('action', 'Dropping packet as encap(ethernet) is not supported for packet type ethernet.');
        walk.fail('Unsupported packet type');
      }
      key.fill(0, W.ETH, W.ETH + 3);
      key[W.TYPE] = ((inner << 16) | (key[W.TYPE]! & 0xffff)) >>> 0;
      key[W.PACKET_TYPE] = 0;
      break;
    case PT.NSH:
      pushNsh(walk, action, inner);
      break;
    case PT.MPLS:
    case PT.MPLS_MULTICAST:
      pushMplsHeader(walk, action.packetType);
      break;
    default:
      walk.fail('Unsupported packet type');
  }
  walk.encap.encap = true;
}

function pushNsh(walk: Walk, action: Extract<Action, { kind: 'encap' }>, inner: number): void {
  const { key } = walk;
  const next = NEXT_PROTOCOL.find(([type]) => type === inner)?.[1];
  if (next === undefined) walk.fail('Unsupported packet type');
  let mdType = 1;
  const metadata: number[] = [];
  for (const { class: cls, type, value } of action.props) {
    // Class 4 is NSH: type 1 says the metadata type, type 2 carries one context header.
    if (cls !== 4) continue;
    if (type === 1) mdType = value[0] ?? 1;
    else if (type === 2 && value.length >= 4) {
      const length = value[3]! & 0x7f;
      metadata.push(value[0]!, value[1]!, value[2]!, length, ...value.subarray(4, 4 + length));
      while ((metadata.length & 3) !== 0) metadata.push(0);
    }
  }
  key[W.TYPE] = 0x894f0000;
  clearInner(key);
  key.fill(0, W.ETH, W.ETH + 3);
  key.fill(0, W.NSH, W.NSH + 6);
  key.fill(0, W.MPLS, W.MPLS + 3);
  key[W.VLAN0] = 0;
  key[W.VLAN1] = 0;
  key[W.PACKET_TYPE] = PT.NSH;
  key[W.NSH] = (63 << 16) | (mdType << 8) | next;
  key[W.NSH_PATH] = 255;
  walk.encap.metadata = mdType === 2 ? Uint8Array.from(metadata) : new Uint8Array(0);
}

function pushMplsHeader(walk: Walk, packetType: number): void {
  const { key } = walk;
  const type = packetType & 0xffff;
  const etherType = key[W.TYPE]! >>> 16;
  const isMpls = etherType === 0x8847 || etherType === 0x8848;
  if (isMpls && key[W.PACKET_TYPE] !== 0) {
    key[W.MPLS + 2] = key[W.MPLS + 1]!;
    key[W.MPLS + 1] = key[W.MPLS]!;
    key[W.MPLS] = key[W.MPLS]! & ~0x100;
  } else {
    key.fill(0, W.MPLS, W.MPLS + 3);
    // Explicit null of what is inside (RFC 3032 section 2.1).
    key[W.MPLS] = (etherType === 0x86dd ? 2 << 12 : 0) | 0x100 | DEFAULT_TTL;
  }
  clearInner(key);
  key[W.TYPE] = (type << 16) >>> 0;
  key[W.PACKET_TYPE] = packetType;
  key.fill(0, W.ETH, W.ETH + 3);
}

/** The decap action; true when the walk cannot go on before the datapath has parsed what is left. */
export function decap(walk: Walk): boolean {
  const { key } = walk;
  // Pending encap and changes are for the header that goes.
  walk.commit();
  const type = key[W.PACKET_TYPE]!;
  walk.mark(W.PACKET_TYPE, -1);
  switch (type) {
    case PT.ETHERNET: {
      if ((key[W.VLAN0]! & 0x1000) !== 0) {
        walk.report('action', 'Dropping packet, cannot decap Ethernet if VLAN is present.');
        walk.fail('Unsupported packet type');
      }
      key[W.PACKET_TYPE] = (0x10000 | (key[W.TYPE]! >>> 16)) >>> 0;
      key.fill(0, W.ETH, W.ETH + 3);
      walk.encap.decap = true;
      return false;
    }
    case PT.NSH: {
      const next = NEXT_PROTOCOL.find(([, np]) => np === (key[W.NSH]! & 0xff))?.[0];
      walk.mark(W.NSH, 0xff);
      if (next === undefined || next === PT.MPLS) {
        walk.fail('Unsupported packet type');
      }
      key[W.PACKET_TYPE] = next;
      walk.encap.decap = true;
      return true;
    }
    case PT.MPLS:
    case PT.MPLS_MULTICAST:
      walk.encap.decap = true;
      key[W.PACKET_TYPE] = PT.ETHERNET;
      return true;
    default:
      walk.report('action', 'Dropping packet as the decap() does not support its packet type.');
      walk.fail('Unsupported packet type');
  }
}

/** Puts out what is pending; `base` becomes `key` where a header was pushed. */
export function commitEncap(pending: PendingEncap, key: Key, base: Key, wild: Key, out: DpAction[]): void {
  if (pending.encap) {
    pending.encap = false;
    const type = key[W.PACKET_TYPE]!;
    if (type === PT.ETHERNET) {
      // Left over from an encap in a list apart, as in the reference: the addresses are the frame's own.
      if (base[W.PACKET_TYPE] === PT.ETHERNET) wild.fill(0xffffffff, W.ETH, W.ETH + 3);
      const dst = [key[W.ETH]!, key[W.ETH + 1]! >>> 16] as const;
      const high = ((key[W.ETH + 1]! & 0xffff) << 16) | (key[W.ETH + 2]! >>> 16);
      out.push({ kind: 'pushEth', dst, src: [high >>> 0, key[W.ETH + 2]! & 0xffff] });
      for (let i = 0; i < 3; i++) base[W.ETH + i] = key[W.ETH + i]!;
      base[W.TYPE] = key[W.TYPE]!;
    } else if (type === PT.NSH) {
      out.push({ kind: 'pushNsh', header: nshHeader(key, pending.metadata) });
      for (let i = 0; i < W.DP_END; i++) if (i >= W.ETH && !isMetadata(i)) base[i] = key[i]!;
    } else {
      out.push({ kind: 'addMpls', ethertype: type & 0xffff, lse: key[W.MPLS]!, isL3: true });
      for (let i = 0; i < W.DP_END; i++) if (i >= W.ETH && !isMetadata(i)) base[i] = key[i]!;
    }
    base[W.PACKET_TYPE] = type;
  } else if (pending.decap) {
    pending.decap = false;
    const type = base[W.PACKET_TYPE]!;
    if (type === PT.ETHERNET) {
      out.push({ kind: 'popEth' });
      for (let i = 0; i < 3; i++) base[W.ETH + i] = key[W.ETH + i]!;
    } else if (type === PT.NSH) {
      out.push({ kind: 'popNsh' });
    } else {
      out.push({ kind: 'popMpls', ethertype: key[W.TYPE]! >>> 16 });
    }
    base[W.PACKET_TYPE] = key[W.PACKET_TYPE]!;
  }
}

const isMetadata = (word: number): boolean =>
  (word >= W.RECIRC_ID && word <= W.PKT_MARK) || (word >= W.CT_LABEL && word < W.NSH) || word >= W.TUN_METADATA;

/** The bytes of an NSH from the key (RFC 8300 section 2). */
export function nshHeader(key: Key, metadata: Uint8Array): Uint8Array {
  const isType1 = ((key[W.NSH]! >>> 8) & 0xff) === 1;
  const size = 8 + (isType1 ? 16 : metadata.length);
  const header = new Uint8Array(size);
  const view = new DataView(header.buffer);
  const flags = key[W.NSH]! >>> 24;
  const ttl = (key[W.NSH]! >>> 16) & 0x3f;
  view.setUint16(0, ((flags & 3) << 12) | (ttl << 6) | (size >> 2));
  header[2] = (key[W.NSH]! >>> 8) & 0xf;
  header[3] = key[W.NSH]! & 0xff;
  view.setUint32(4, key[W.NSH_PATH]!);
  if (isType1) for (let i = 0; i < 4; i++) view.setUint32(8 + 4 * i, key[W.NSH_C + i]!);
  else header.set(metadata, 8);
  return header;
}

/** dec_nsh_ttl; true when the frame goes no further. */
export function decrementNshTtl(walk: Walk): boolean {
  const { key } = walk;
  const exception = 'NSH decrement TTL exception';
  if (key[W.PACKET_TYPE] !== PT.NSH && key[W.TYPE]! >>> 16 !== 0x894f) {
    walk.report('warn', exception);
    return true;
  }
  walk.mark(W.NSH, 0x00ff0000);
  const ttl = (key[W.NSH]! >>> 16) & 0xff;
  if (ttl > 1) {
    key[W.NSH] = (key[W.NSH]! & 0xff00ffff) | ((ttl - 1) << 16);
    return false;
  }
  toController(walk, 'invalid_ttl', 0xffff, 0, undefined, 0);
  walk.report('warn', exception);
  return true;
}
