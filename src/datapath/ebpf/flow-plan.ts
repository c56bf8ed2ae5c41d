// How the keys of one mask of the control plane become keys of a mask in the kernel: which words are looked at, and which are zero in every
// frame that the program sees, so that a key that has them zero needs no lookup of them.
import { W } from '../../flow/key.ts';
import type { PackedMatch } from '../userspace/flow-registry.ts';
import { isCtMore } from './compiler/ct-program.ts';
import { EXTRACTED_WORDS, TUNNEL_WORD_SET } from './compiler/extract-program.ts';
import { MAX_MASK_WORDS, NSH_WORDS } from './compiler/frame-context.ts';

export interface FlowPlan {
  /** The port is a device, no tunnel. */
  isOfDevice: boolean;
  /** The frame has not been looked up before. */
  isFresh: boolean;
  /** Indices in the match of the words that are kept, and of those that must be 0. */
  kept: readonly number[];
  zeros: readonly number[];
}

/** Words that are zero in every frame on its first way through the program. */
const ZERO_WORDS: ReadonlySet<number> = new Set([W.CT_STATE, W.CT_ZONE, W.CT_MARK, W.PACKET_TYPE]);

/** The plan for a match and others of its mask, or why such flows are user space's. */
export function planFlow({ indices, words }: PackedMatch, isOfDevice: boolean, isFresh: boolean): FlowPlan | string {
  const kept: number[] = [];
  const zeros: number[] = [];
  for (const [at, word] of indices.entries()) {
    // Connection fields of frames that have not been looked up before, and tunnel fields of frames from devices, are zero.
    if (NSH_WORDS.includes(word)) {
      kept.push(at);
    } else if (!isOfDevice && word >= W.TUN_ID) {
      // The size of options is one word.
      if (word === W.TUN_METADATA_MAP + 1 && words[at] === 0) zeros.push(at);
      else if (TUNNEL_WORD_SET.has(word)) kept.push(at);
      else return 'tunnel_field';
    } else if (!isFresh && ((word >= W.CT_STATE && word <= W.CT_MARK) || isCtMore(word))) {
      kept.push(at);
    } else if (ZERO_WORDS.has(word) || word >= W.CT_LABEL) {
      if (words[at] !== 0) return word >= W.CT_STATE && word <= W.CT_MARK ? 'connection_state' : 'key_field';
      zeros.push(at);
    } else if (EXTRACTED_WORDS.has(word)) {
      kept.push(at);
    } else {
      return 'key_field';
    }
  }
  if (kept.length === 0) return 'empty_mask';
  return kept.length > MAX_MASK_WORDS ? 'mask_too_wide' : { isOfDevice, isFresh, kept, zeros };
}

/** Whether a match is as the plan supposes. */
export function fitsPlan({ zeros }: FlowPlan, words: Int32Array): boolean {
  for (let i = 0; i < zeros.length; i++) if (words[zeros[i]!] !== 0) return false;
  return true;
}

/** Writes the key of the kernel's map. */
export function writeKey({ kept }: FlowPlan, words: Int32Array, bytes: Uint8Array, at: number): void {
  for (let i = 0; i < kept.length; i++) {
    const value = words[kept[i]!]!;
    bytes[at + i * 4] = value >>> 24;
    bytes[at + i * 4 + 1] = value >>> 16;
    bytes[at + i * 4 + 2] = value >>> 8;
    bytes[at + i * 4 + 3] = value;
  }
}
