// Prefixes of one 32-bit value (classifier-prefixes.ts makes wider ones of them): which lengths of prefix match a value at all, and how many leading bits had to be read to know.
//
// A path-compressed binary trie. A node spells `length` bits and counts the rules whose prefix ends with it. Every inner node other than
// the root has two children or rules of its own.
import type { PackedMask, PackedValues } from './mask.ts';

interface Node {
  /** Left-aligned bits that this node adds to its parent's. */
  bits: number;
  length: number;
  rules: number;
  zero: Node | undefined;
  one: Node | undefined;
}

export const topMask = (length: number): number => (length === 0 ? 0 : length >= 32 ? -1 : ~(0xffffffff >>> length));

/** How many of the first `limit` bits are alike. */
const commonBits = (a: number, b: number, limit: number): number => Math.min(Math.clz32(a ^ b), limit);

export class PrefixTrie {
  #root: Node | undefined;
  /** Of the last `lookup`: bit n-1 is set when a prefix of n bits matches. */
  lengths = 0;
  /** Of the last `lookup`: how many leading bits decided that. */
  bits = 0;

  insert(value: number, length: number): void {
    let parent: Node | undefined;
    let side = 0;
    let node = this.#root;
    let rest = value & topMask(length);
    let left = length;
    for (;;) {
      if (node === undefined) {
        this.#link(parent, side, { bits: rest, length: left, rules: 1, zero: undefined, one: undefined });
        return;
      }
      const same = commonBits(rest, node.bits, Math.min(left, node.length));
      if (same < node.length) {
        // Splits the node: what is alike stays above, its remainder goes below.
        const lower: Node = { ...node, bits: node.bits << same, length: node.length - same };
        const upper: Node = { bits: node.bits & topMask(same), length: same, rules: 0, zero: undefined, one: undefined };
        if (lower.bits < 0) upper.one = lower;
        else upper.zero = lower;
        this.#link(parent, side, upper);
        node = upper;
      }
      if (same === left) {
        node.rules++;
        return;
      }
      rest = same === 32 ? 0 : rest << same;
      left -= same;
      parent = node;
      side = rest < 0 ? 1 : 0;
      node = side === 1 ? node.one : node.zero;
    }
  }

  remove(value: number, length: number): void {
    const path: { node: Node; side: number }[] = [];
    let node = this.#root;
    let rest = value & topMask(length);
    let left = length;
    while (node !== undefined) {
      if (commonBits(rest, node.bits, Math.min(left, node.length)) < node.length) return;
      left -= node.length;
      rest = node.length === 32 ? 0 : rest << node.length;
      if (left === 0) break;
      const side: number = rest < 0 ? 1 : 0;
      path.push({ node, side });
      node = side === 1 ? node.one : node.zero;
    }
    if (node === undefined || node.rules === 0) return;
    node.rules--;
    // Prunes upwards: a node without rules goes when it has no child, and is merged with its only one.
    for (let at: Node | undefined = node; at !== undefined && at.rules === 0; ) {
      if (at.zero !== undefined && at.one !== undefined) return;
      const child: Node | undefined = at.zero ?? at.one;
      const above = path.pop();
      if (child !== undefined) {
        this.#link(above?.node, above?.side ?? 0, {
          ...child,
          bits: at.bits | (at.length === 32 ? 0 : child.bits >>> at.length),
          length: at.length + child.length,
        });
        return;
      }
      this.#link(above?.node, above?.side ?? 0, undefined);
      at = above?.node;
    }
  }

  #link(parent: Node | undefined, side: number, node: Node | undefined): void {
    if (parent === undefined) this.#root = node;
    else if (side === 1) parent.one = node;
    else parent.zero = node;
  }

  /** Fills `lengths` and `bits` for `value`. */
  lookup(value: number): void {
    let node = this.#root;
    let before: Node | undefined;
    let rest = value | 0;
    let at = 0;
    this.lengths = 0;
    while (node !== undefined) {
      const same = commonBits(rest, node.bits, node.length);
      if (same < node.length) {
        this.bits = at + same + 1;
        return;
      }
      at += node.length;
      if (node.rules > 0) this.lengths |= 1 << (at - 1);
      if (at >= 32) {
        this.bits = 32;
        return;
      }
      rest = node.length === 0 ? rest : rest << node.length;
      before = node;
      node = rest < 0 ? node.one : node.zero;
    }
    // One more bit was read if it chose between a child that is there and one that is not.
    this.bits = before === undefined || (before.zero === undefined && before.one === undefined) ? at : at + 1;
  }
}

/** Transport ports, of which each subtable has a trie of its own. */
export function packedValue(mask: PackedMask, values: PackedValues, word: number): number {
  for (let i = 0; i < mask.words.length; i++) if (mask.words[i] === word) return values[i]!;
  return 0;
}
