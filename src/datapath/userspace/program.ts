// Action lists as the frame path wants them: one shape of object, numbered kinds, and known beforehand whether a list changes the frame.

import type { DpAction, TunnelKey, UserspaceCookie } from '../datapath.ts';
import type { CtRequest } from './conntrack/tracker.ts';

/** Numbers of the operations; the order is of no meaning. */
export const OP = {
  output: 1,
  userspace: 2,
  pushVlan: 3,
  popVlan: 4,
  set: 5,
  setTunnel: 6,
  recirc: 7,
  clone: 8,
  sample: 9,
  trunc: 10,
  hash: 11,
  drop: 12,
  pushMpls: 13,
  popMpls: 14,
  checkPktLen: 15,
  meter: 16,
  ctClear: 17,
  setMark: 18,
  setPriority: 19,
  ct: 20,
  pushEth: 21,
  popEth: 22,
  pushNsh: 23,
  popNsh: 24,
  addMpls: 25,
  tunnelPush: 26,
  tunnelPop: 27,
} as const;

export interface Op {
  code: number;
  a: number;
  b: number;
  words: Int32Array;
  actions: readonly Op[];
  otherwise: readonly Op[];
  /** Whether `actions` (or this) leaves the frame other than it was. */
  changes: boolean;
  tunnel: TunnelKey | undefined;
  cookie: UserspaceCookie | undefined;
  group: string;
  ct: CtRequest | undefined;
  header: Uint8Array;
}

const noWords = new Int32Array(0);
const noBytes = new Uint8Array(0);
const noOps: readonly Op[] = [];

function op(code: number, a = 0, b = 0, more: Partial<Op> = {}): Op {
  return {
    code,
    a,
    b,
    words: noWords,
    actions: noOps,
    otherwise: noOps,
    changes: false,
    tunnel: undefined,
    cookie: undefined,
    group: '',
    ct: undefined,
    header: noBytes,
    ...more,
  };
}

const changed = { changes: true };
const anyChanges = (ops: readonly Op[]): boolean => ops.some((o) => o.changes);

let lastActions: readonly DpAction[] = [];
let lastOps: readonly Op[] = [];

/** Translates an action list. Nobody changes a list once it has been given away, so that the flows of a batch share one translation. */
export function compileActions(actions: readonly DpAction[]): readonly Op[] {
  if (actions !== lastActions) {
    lastOps = actions.map(compileAction);
    lastActions = actions;
  }
  return lastOps;
}

/** The same for programs that do the same, of operations that numbers tell all of; undefined for others. */
export function simpleName(program: readonly Op[]): string | undefined {
  let name = '';
  for (const { code, a, b, words, actions, otherwise, tunnel, cookie, ct, header } of program) {
    const isSimple = words === noWords && actions === noOps && otherwise === noOps && header === noBytes;
    if (!isSimple || tunnel !== undefined || cookie !== undefined || ct !== undefined) return undefined;
    name += `${code} ${a} ${b},`;
  }
  return name;
}

function compileAction(action: DpAction): Op {
  switch (action.kind) {
    case 'output':
      return op(OP.output, action.port);
    case 'userspace':
      return op(OP.userspace, 0, 0, { cookie: action.cookie });
    case 'pushVlan':
      return op(OP.pushVlan, action.tpid, action.tci, changed);
    case 'popVlan':
      return op(OP.popVlan, 0, 0, changed);
    case 'pushMpls':
      return op(OP.pushMpls, action.ethertype, action.lse, changed);
    case 'popMpls':
      return op(OP.popMpls, action.ethertype, 0, changed);
    case 'set': {
      const words = Int32Array.from(action.words);
      if (action.group === 'skb_mark') return op(OP.setMark, words[1], words[2], changed);
      if (action.group === 'skb_priority') return op(OP.setPriority, words[1], words[2], changed);
      return op(OP.set, 0, 0, { words, changes: true, group: action.group });
    }
    case 'setTunnel':
      return op(OP.setTunnel, 0, 0, { tunnel: action.tunnel });
    case 'tunnelPush':
      return op(OP.tunnelPush, action.tunnelPort, action.outPort, { ...changed, header: action.header });
    case 'tunnelPop':
      return op(OP.tunnelPop, action.port, 0, { ...changed, group: action.protocol });
    case 'recirc':
      return op(OP.recirc, action.id, 0, changed);
    case 'hash':
      return op(OP.hash, action.algorithm, action.basis, changed);
    case 'sample':
    case 'clone': {
      const inner = action.actions.map(compileAction);
      const code = action.kind === 'sample' ? OP.sample : OP.clone;
      // A list inside never changes the frame for what follows; `b` says that it must be given a copy.
      return op(code, action.kind === 'sample' ? action.probability : 0, anyChanges(inner) ? 1 : 0, { actions: inner });
    }
    case 'checkPktLen': {
      const larger = action.larger.map(compileAction);
      const smaller = action.smaller.map(compileAction);
      return op(OP.checkPktLen, action.length, anyChanges(larger) || anyChanges(smaller) ? 1 : 0, { actions: larger, otherwise: smaller });
    }
    case 'trunc':
      return op(OP.trunc, action.maxLength);
    case 'meter':
      return op(OP.meter, action.meter);
    case 'ctClear':
      return op(OP.ctClear, 0, 0, changed);
    case 'drop':
      return op(OP.drop, action.reason);
    case 'ct':
      return op(OP.ct, 0, 0, { ...changed, ct: compileCt(action) });
    case 'pushEth': {
      const header = new Uint8Array(12);
      const view = new DataView(header.buffer);
      view.setUint32(0, action.dst[0]);
      view.setUint16(4, action.dst[1]);
      view.setUint32(6, action.src[0]);
      view.setUint16(10, action.src[1]);
      return op(OP.pushEth, 0, 0, { ...changed, header });
    }
    case 'popEth':
      return op(OP.popEth, 0, 0, changed);
    case 'addMpls':
      return op(OP.addMpls, action.ethertype, action.lse, changed);
    case 'pushNsh':
      return op(OP.pushNsh, 0, 0, { ...changed, header: action.header });
    case 'popNsh':
      return op(OP.popNsh, 0, 0, changed);
  }
}

function compileCt(action: Extract<DpAction, { kind: 'ct' }>): CtRequest {
  const { commit, force, zone, mark, label, helper, nat } = action;
  return {
    zone,
    commit: commit || force,
    force,
    markValue: mark?.[0] ?? 0,
    markMask: mark?.[1] ?? 0,
    label: label === undefined ? undefined : Uint32Array.from(label[0]),
    labelMask: label === undefined ? undefined : Uint32Array.from(label[1]),
    helper,
    nat,
  };
}
