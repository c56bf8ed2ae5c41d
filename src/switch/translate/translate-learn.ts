// The learn action: a flow mod made of the frame's fields. Nothing is changed here; the mod is an effect, carried out when frames of the
// megaflow have been seen. A learned flow is therefore seen by the next frame, not by this one.
import { tunFieldIndex } from '../../flow/fields.ts';
import { keyBits, type Match, matchAll, setKeyBits, W } from '../../flow/key.ts';
import { formatMatch } from '../../flow/match-text.ts';
import { addTunField, bytesOf, nextPlace } from '../../flow/tun-fields.ts';
import { type Action, OFPP, type Subfield } from '../../openflow/action.ts';
import type { FlowMod } from '../../openflow/message.ts';
import { formatActions } from '../../openflow/text/action-format.ts';
import { markSubfield, readSubfield, writeSubfield } from './subfield.ts';
import type { Walk } from './translate.ts';

type Learn = Extract<Action, { kind: 'learn' }>;

/** The flow mod that a frame with this key teaches; marks what it reads. */
export function learnedFlow(walk: Walk, action: Learn): FlowMod {
  const { key, wild } = walk;
  const match = matchAll();
  const actions: Action[] = [];
  if (action.finIdleTimeoutSec !== 0 || action.finHardTimeoutSec !== 0) {
    actions.push({ kind: 'finTimeout', idleTimeoutSec: action.finIdleTimeoutSec, hardTimeoutSec: action.finHardTimeoutSec });
  }
  for (const spec of action.specs) {
    let value: bigint;
    if (typeof spec.src === 'bigint') value = spec.src;
    else {
      const src = walk.placed(spec.src);
      markSubfield(wild, src);
      value = readSubfield(key, src);
    }
    switch (spec.kind) {
      case 'match':
        if (tunFieldIndex(spec.dst.field) >= 0) {
          matchOption(match, walk.placed(spec.dst), value);
          break;
        }
        writeSubfield(match.key, spec.dst, value);
        writeSubfield(match.mask, spec.dst, (1n << BigInt(spec.dst.bits)) - 1n);
        if (spec.dst.field.at >> 5 === W.VLAN0) {
          match.key[W.VLAN0] = match.key[W.VLAN0]! & 0xffff;
          match.mask[W.VLAN0] = match.mask[W.VLAN0]! & 0xffff;
          // A tag's id is matched together with there being a tag or not.
          if (spec.dst.field.name === 'vlan_vid') {
            match.mask[W.VLAN0] = match.mask[W.VLAN0]! | 0x1000;
            match.key[W.VLAN0] = match.key[W.VLAN0]! | (value === 0n && (key[W.VLAN0]! & 0x1000) === 0 ? 0 : 0x1000);
          }
        }
        break;
      case 'load':
        actions.push({ kind: 'regLoad', dst: spec.dst, value: value & ((1n << BigInt(spec.dst.bits)) - 1n) });
        break;
      case 'output': {
        const port = Number(value & 0xffffn);
        if (port < OFPP.MAX || isUsable(port)) actions.push({ kind: 'output', port, maxLen: 0 });
        break;
      }
    }
  }
  return {
    kind: 'flowMod',
    command: 'modify_strict',
    match,
    priority: action.priority,
    cookie: 0n,
    cookieMask: 0n,
    newCookie: action.cookie,
    table: action.table,
    idleTimeoutSec: action.idleTimeoutSec,
    hardTimeoutSec: action.hardTimeoutSec,
    importance: 0,
    bufferId: 0xffffffff,
    outPort: OFPP.NONE,
    outGroup: 0xffffffff,
    flags: {
      sendFlowRem: action.sendFlowRem,
      checkOverlap: false,
      resetCounts: false,
      noPacketCounts: false,
      noByteCounts: false,
    },
    actions,
  };
}

/** Matches a part of an option, in its place or, if it has none, as long as the part needs it to be. */
function matchOption(match: Match, { field, offset, bits }: Subfield, part: bigint): void {
  const index = tunFieldIndex(field);
  const mask = ((1n << BigInt(bits)) - 1n) << BigInt(offset);
  const value = (part << BigInt(offset)) & mask;
  const known = match.tunFields?.find((one) => one.index === index);
  if (known !== undefined) {
    setKeyBits(match.key, known.at, known.bits, keyBits(match.key, known.at, known.bits) | value);
    setKeyBits(match.mask, known.at, known.bits, keyBits(match.mask, known.at, known.bits) | mask);
    return;
  }
  const bound = { index, at: field.at, bits: field.bits, wireBytes: field.wireBytes, isBound: true };
  const place = field.isUnplaced === true ? nextPlace(match, index, bytesOf(mask)) : bound;
  if (place !== undefined) addTunField(match, place, value, mask);
}

const isUsable = (port: number): boolean => port >= OFPP.IN_PORT && port <= OFPP.LOCAL && port !== OFPP.TABLE;

/** The flow that is learned, as the trace has it. */
function learnedText(mod: FlowMod): string {
  // Options are told as if their size were not known.
  const tunFields = mod.match.tunFields?.map((place) => ({ ...place, isBound: false })) ?? [];
  const words = [`table=${mod.table}`, formatMatch({ ...mod.match, tunFields }, 0x8000), `priority=${mod.priority}`];
  if (mod.newCookie !== undefined && mod.newCookie !== 0n) words.push(`cookie=0x${mod.newCookie.toString(16)}`);
  if (mod.idleTimeoutSec !== 0) words.push(`idle=${mod.idleTimeoutSec}`);
  if (mod.hardTimeoutSec !== 0) words.push(`hard=${mod.hardTimeoutSec}`);
  if (mod.flags.sendFlowRem) words.push('send_flow_rem');
  words.push(`actions=${formatActions(mod.actions)}`);
  return words.filter((word) => word !== '').join(' ');
}

/** The learn action. */
export function learn(walk: Walk, action: Learn): void {
  const mod = learnedFlow(walk, action);
  if (walk.isTraced && !walk.isLearning) {
    walk.report('warn', 'suppressing side effects, so learn action ignored');
    return;
  }
  if (walk.isTraced) walk.report('detail', learnedText(mod));
  let isLimited = false;
  if (action.limit > 0) {
    const { tables } = walk.bridge;
    isLimited = tables.find(mod) === undefined && tables.countOfCookie(action.table, action.cookie) >= action.limit;
  }
  if (action.resultDst !== undefined) {
    const dst = walk.placed(action.resultDst);
    markSubfield(walk.wild, dst);
    writeSubfield(walk.key, dst, isLimited ? 0n : 1n);
    walk.reportValue(action.resultDst);
  }
  if (isLimited) walk.report('detail', 'Limit exceeded, learn failed');
  if (!isLimited) walk.effects.push({ kind: 'learnFlow', bridge: walk.bridge, mod, limit: action.limit });
}
