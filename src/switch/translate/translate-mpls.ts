// What actions do to MPLS labels: the three outermost are in the key.
import { W } from '../../flow/key.ts';
import { labelCount } from './commit.ts';
import { isIp, isIpv6, isMpls } from './subfield.ts';
import { toController } from './to-controller.ts';
import type { Walk } from './translate.ts';

/** Sets some bits of the outermost label, if there is one. */
export function setMpls(walk: Walk, bits: number, value: number): undefined {
  if (!isMpls(walk.key)) return;
  walk.mark(W.MPLS, bits);
  walk.key[W.MPLS] = (walk.key[W.MPLS]! & ~bits) | (value & bits);
}

/** A frame without a label has none that lives on, and nobody is told. */
export function decrementMplsTtl(walk: Walk): 'stop' | undefined {
  const { key } = walk;
  if (isMpls(key)) {
    walk.mark(W.MPLS, 0xff);
    const ttl = key[W.MPLS]! & 0xff;
    if (ttl > 1) return setMpls(walk, 0xff, ttl - 1);
    toController(walk, 'invalid_ttl', 0xffff, 0, undefined, 0);
  }
  walk.report('warn', 'MPLS decrement TTL exception');
  return 'stop';
}

/** A new label copies the old outer one, or takes TTL and class from IP (RFC 3032, OpenFlow 1.3.5 section 5.12.1). */
export function pushMpls(walk: Walk, ethertype: number): void {
  const { key } = walk;
  for (let i = 0; i < Math.max(1, labelCount(key)); i++) walk.mark(W.MPLS + i, -1);
  for (let i = 1; isMpls(key) && i < 3 && (key[W.MPLS + i - 1]! & 0x100) === 0; i++) walk.mark(W.MPLS + i, 0x100);
  let label: number;
  // What was pushed and set before belongs to the frame below the label.
  if (!isMpls(key)) walk.commit();
  if (isMpls(key)) {
    if (key[W.MPLS + 2] !== 0) walk.fail('Too many MPLS labels');
    label = key[W.MPLS]! & ~0x100;
  } else {
    let ttl = 64;
    let tc = 0;
    if (isIp(key)) {
      walk.mark(W.TOS, 0xfcff0000);
      ttl = (key[W.TOS]! >>> 16) & 0xff;
      tc = (key[W.TOS]! >>> 26) & 7;
      if (ttl === 0) ttl = 64;
    }
    // Label 0 or 2: the explicit null of what is inside.
    label = ((isIpv6(key) ? 2 : 0) << 12) | (tc << 9) | 0x100 | ttl;
  }
  key[W.MPLS + 2] = key[W.MPLS + 1]!;
  key[W.MPLS + 1] = key[W.MPLS]!;
  key[W.MPLS] = label;
  key[W.TYPE] = (key[W.TYPE]! & 0xffff) | (ethertype << 16);
}

/** The labels below the outermost move up; behind the last is what the action says, of which nothing is known yet. */
export function popMpls(walk: Walk, ethertype: number): void {
  const { key } = walk;
  if (!isMpls(key)) return;
  const count = labelCount(key);
  // How many there are, the bottom says.
  for (let i = 0; i < 3; i++) {
    walk.mark(W.MPLS + i, 0x100);
    if ((key[W.MPLS + i]! & 0x100) !== 0) break;
  }
  if (count === 0) return;
  if (count === 3 && (key[W.MPLS + 2]! & 0x100) === 0) walk.fail('Too many MPLS labels');
  if (ethertype !== 0x8847 && ethertype !== 0x8848) walk.wasMpls = true;
  for (let i = 1; i < count; i++) walk.mark(W.MPLS + i, -1);
  key[W.TYPE] = ((key[W.TYPE]! & 0xffff) | (ethertype << 16)) >>> 0;
  key[W.MPLS] = key[W.MPLS + 1]!;
  key[W.MPLS + 1] = key[W.MPLS + 2]!;
  key[W.MPLS + 2] = 0;
}
