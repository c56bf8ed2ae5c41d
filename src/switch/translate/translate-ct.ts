// Connection tracking in translation: ct, its nat, ct_clear. The tracker itself is the datapath's; here it is an action that is put out at
// once, and a recirculation after which tables see what it found.
import type { DpNat } from '../../datapath/datapath.ts';
import { W } from '../../flow/key.ts';
import type { Action, NatSpec } from '../../openflow/action.ts';
import { recirculate } from './pause.ts';
import { CT_WORDS, markSubfield, readSubfield } from './subfield.ts';
import type { Walk } from './translate.ts';

type Ct = Extract<Action, { kind: 'ct' }>;
const NO_TABLE = 255;
const LABEL_WORDS = [0, 1, 2, 3];

/** Forgets what connection tracking said of the frame. */
export function clearConntrack(walk: Walk): void {
  walk.isConntracked = false;
  for (const word of CT_WORDS) walk.key[word] = 0;
}

/** The ct_clear action. */
export function ctClear(walk: Walk): void {
  if (!walk.isConntracked && walk.key[W.CT_STATE] === 0) return;
  clearConntrack(walk);
  walk.out.push({ kind: 'ctClear' });
}

/** Fields that `frozen` keeps are no part of the key of a frame that came back. */
const isMetadata = (word: number): boolean => word >= W.METADATA || (word >= W.TUN_ID && word < W.NSH);

/** The ct action. */
export function ct(walk: Walk, action: Ct): void {
  const { key, wild } = walk;
  walk.commit();
  // What the inner actions write is gathered under an empty mask; that they read those fields is nobody's business.
  const oldMask = CT_WORDS.map((word) => wild[word]!);
  for (const word of CT_WORDS) if (word === W.CT_MARK || (word >= W.CT_LABEL && word < W.CT_LABEL + 4)) wild[word] = 0;
  const outerNat = walk.ctNat;
  walk.ctNat = undefined;
  const { isLast } = walk;
  // The reference runs them as a list of their own, and an empty list says so.
  if (action.exec.length === 0) walk.report('action', 'drop');
  walk.run(action.exec, isLast);
  const markMask = wild[W.CT_MARK]!;
  const labelMask = LABEL_WORDS.map((i) => wild[W.CT_LABEL + i]!);
  CT_WORDS.forEach((word, i) => {
    wild[word] = oldMask[i]!;
  });
  let zone: number;
  if (typeof action.zone === 'number') zone = action.zone;
  else {
    const part = walk.placed(action.zone);
    zone = Number(readSubfield(key, part) & 0xffffn);
    if (!isMetadata(part.field.at >> 5)) markSubfield(wild, part);
  }
  const nat = walk.ctNat === undefined ? undefined : dpNat(walk.ctNat);
  walk.out.push({
    kind: 'ct',
    commit: action.commit,
    force: action.force,
    zone,
    ...(markMask === 0 ? {} : { mark: [(key[W.CT_MARK]! & markMask) >>> 0, markMask] as const }),
    ...(labelMask.every((bits) => bits === 0)
      ? {}
      : { label: [LABEL_WORDS.map((i) => (key[W.CT_LABEL + i]! & labelMask[i]!) >>> 0), labelMask] as const }),
    helper: action.alg === 21 ? 'ftp' : action.alg === 69 ? 'tftp' : '',
    timeout: '',
    ...(nat === undefined ? {} : { nat }),
  });
  walk.ctNat = outerNat;
  if (action.recircTable !== NO_TABLE) {
    walk.isConntracked = true;
    walk.report(
      'detail',
      `A clone of the packet is forked to recirculate. The forked pipeline will be resumed at table ${action.recircTable}.`,
    );
    recirculate(walk, action.recircTable, { zone, nat });
  }
  clearConntrack(walk);
  walk.report('detail', 'Sets the packet to an untracked state, and clears all the conntrack fields.');
}

function dpNat(spec: NatSpec): DpNat {
  const none = [0, 0, 0, 0];
  return {
    direction: spec.direction === 'none' ? '' : spec.direction,
    addrMin: spec.addrMin ?? none,
    addrMax: spec.addrMax ?? none,
    portMin: spec.portMin ?? 0,
    portMax: spec.portMax ?? 0,
    persistent: spec.persistent,
    hash: spec.hash,
    random: spec.random,
    // An address that could be of either.
    ...(spec.family === 6 && spec.addrMin?.slice(0, 3).every((word) => word === 0) ? { family: 6 as const } : {}),
  };
}
