// Mirroring: a copy of a frame, with the tag of its VLAN, to where a mirror wants it.
//
// 1. A frame that comes in goes to the mirrors of its bundle before any action; one that goes out, to those of the bundle it left by.
// 2. A mirror has each frame once in a bridge, however often it matches; mirrors with one output count as one.
// 3. What goes to a mirror is not mirrored again.
import { VLAN_CFI, W } from '../../flow/key.ts';
import { includesVlan, type PortBundle } from '../ports.ts';
import { isReserved, sendTagged, takesVlan, vlanOf } from './normal.ts';
import type { Walk } from './translate.ts';

/** Gives the frame, as it came in, to the mirrors of its bundle. */
export function mirrorInput(walk: Walk, bundle: PortBundle): void {
  // The reference looks at the tag first, and says so, whether a mirror wants the frame or not.
  if (takesVlan(walk, bundle, tagOf(walk))) mirror(walk, bundle, walk.bridge.mirrors.ofSource(bundle));
}

/** Gives the frame, as it goes out, to the mirrors of the bundle it leaves by. */
export function mirrorOutput(walk: Walk, bundle: PortBundle): void {
  const selected = walk.bridge.mirrors.ofDestination(bundle) & ~walk.mirrored;
  if (selected !== 0 && takesVlan(walk, bundle, tagOf(walk))) mirror(walk, bundle, selected);
}

/** VLAN of the frame's tag; 0 = none. */
function tagOf(walk: Walk): number {
  const tag = walk.key[W.VLAN0]!;
  return (tag & VLAN_CFI) !== 0 ? tag & 0xfff : 0;
}

function mirror(walk: Walk, bundle: PortBundle, selected: number): void {
  let left = selected & ~walk.mirrored;
  if (left === 0) return;
  const { key, bridge } = walk;
  const vlan = vlanOf(bundle, tagOf(walk));
  // 2. and 3. Marked before anything is sent.
  walk.mirrored |= left;
  for (const one of bridge.mirrors.all) {
    if ((left & one.bit) === 0) continue;
    if (one.vlans !== undefined) {
      walk.mark(W.VLAN0, 0xfff | VLAN_CFI);
      if (!one.vlans.has(vlan)) continue;
    }
    left &= ~one.same;
    walk.mirrored |= one.same;
    walk.effects.push({ kind: 'mirror', mirror: one });
    const { outputBundle, outputVlan, snaplen } = one.request;
    const length = snaplen === 0 ? undefined : snaplen;
    if (outputBundle !== undefined) {
      const to = bridge.bundles.get(outputBundle);
      if (to !== undefined) sendTagged(walk, to, vlan, length);
    } else if (vlan !== outputVlan && !isReserved(key[W.ETH]!, key[W.ETH + 1]! >>> 16)) {
      for (const to of bridge.bundles.values()) {
        if (includesVlan(to, outputVlan) && !bridge.mirrors.isOutput(to)) sendTagged(walk, to, outputVlan, length);
      }
    }
  }
}
