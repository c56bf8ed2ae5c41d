// Translation: from a key, through the OpenFlow tables, to datapath actions and the mask of what they depend on.
//
// 1. `wild` starts with what is always read: packet type, Ethernet type, fragment bits; the outer header of a tunnelled frame.
// 2. Each table lookup, each condition and each value that is copied adds the bits it read. Bits are those of the frame as it came in:
//    where an action moves a value to another place, the place it came from is marked before.
// 3. Actions change `key` only. Right before an output `commit` puts out the sets that bring the frame (`base`) to what `key` says.
// 4. A patch port continues in the other bridge with fresh registers; afterwards `key` is as before, `base` is what it has become.
// 5. Nothing is changed outside: learning, counting and the like are returned as effects.
//
// Limits bound the work that a table can ask for: depth, number of resubmits, datapath actions, stack.
import type { DpAction, SetGroup } from '../../datapath/datapath.ts';
import { copyKey, FRAG, giveKey, type Key, takeKey, W } from '../../flow/key.ts';
import type { Action, NatSpec, OfPort, Subfield } from '../../openflow/action.ts';
import type { BridgeState } from '../bridge-state.ts';
import { PORT_CONFIG, type SwitchPort } from '../ports.ts';
import type { FlowTable } from '../tables/flow-table.ts';
import type { MissFlow } from '../tables/internal-table.ts';
import type { FlowRule } from '../tables/rule.ts';
import { outputOfSet, runActionSet } from './action-set.ts';
import { commit } from './commit.ts';
import { newPendingEncap, type PendingEncap } from './encap.ts';
import { dhcpToLocal, enter } from './entrance.ts';
import type { FrozenStep } from './frozen.ts';
import { finishMask } from './megaflow-mask.ts';
import { isForControllers, TABLES } from './misses.ts';
import { continueAt, output, send } from './output.ts';
import { Pause, recirculate, restore, thaw } from './pause.ts';
import { isIp, placedPart } from './subfield.ts';
import { toController } from './to-controller.ts';
import { runActions } from './translate-actions.ts';
import type { Effect, TraceNode, TranslateRequest, Translation } from './translation.ts';
import { placeOptions } from './tunnel-options.ts';
import { markTunnelInput } from './tunnel-translate.ts';

const MAX_DEPTH = 64;
const MAX_RESUBMITS = 4096;
const MAX_DP_ACTIONS = 16384;

/** What a flow does for a frame that is not to be received. */
const runNothing = (): void => {};

/** Headers that no datapath of the reference's changes by itself. */
const SLOW_GROUPS: ReadonlySet<SetGroup> = new Set<SetGroup>(['arp', 'icmp', 'icmpv6', 'nd']);

/** Thrown inside a walk to give it up. */
export class WalkFailure extends Error {}

/** One walk through the tables. */
export class Walk {
  bridge: BridgeState;
  readonly key: Key;
  readonly base: Key;
  readonly wild: Key = takeKey();
  /** The list being filled: the flow's own, or one inside a clone or a branch. */
  out: DpAction[] = [];
  readonly effects: Effect[] = [];
  readonly nowMs: number;
  /** The rule being executed and its table. */
  rule: FlowRule | undefined;
  table = 0;
  depth = 0;
  resubmits = 0;
  /** Bits of the mirrors of this bridge that have had the frame. */
  mirrored = 0;
  hasExited = false;
  /** Something that the reference's datapaths leave to the switch. */
  isSlow = false;
  isInActionSet = false;
  isInGroup = false;
  /** The datapath has hashed the frame; the hash may be 0 as far as a megaflow knows it. */
  isHashed = false;
  actionSet: Action[] = [];
  readonly stack: { value: bigint; bits: number }[] = [];
  /** Nothing is executed behind the action being run, so that it may spoil the frame. */
  isLast = true;
  /** The walk is being given up to go on when the frame comes back; every list leaves its rest in `steps`. */
  isFreezing = false;
  steps: FrozenStep[] = [];
  /** Whether connection tracking has seen the frame, as far as the tables that run now may know. */
  isConntracked = false;
  /** The last label went: what stands behind it is known only after the datapath has parsed the frame again. */
  wasMpls = false;
  /** Headers pushed or popped that the next commit puts out. */
  readonly encap: PendingEncap = newPendingEncap();
  /** The `nat` of the ct action whose actions are being run. */
  ctNat: NatSpec | undefined;
  readonly isTunnelled: boolean;
  /** The priority that the frame came with, for pop_queue. */
  readonly firstPriority: number;
  /** Where it stopped before, and is about to stop. */
  readonly pause = new Pause();
  readonly request: TranslateRequest;
  #nodes: TraceNode[] | undefined;

  constructor(request: TranslateRequest) {
    this.request = request;
    this.bridge = request.bridge;
    this.key = copyKey(request.key);
    this.base = copyKey(request.key);
    this.nowMs = request.nowMs;
    this.firstPriority = request.key[W.SKB_PRIORITY]!;
    const { frozen } = request;
    this.isTunnelled = frozen?.isTunnelled ?? request.isTunnelled;
    if (this.isTunnelled && frozen === undefined) placeOptions(this.key, request.bridge.tlvTable);
    if (frozen !== undefined) restore(this, frozen);
    this.key[W.ACTSET_OUTPUT] = outputOfSet(this.actionSet);
    this.#nodes = request.trace?.root;
  }

  get isTraced(): boolean {
    return this.#nodes !== undefined;
  }

  get isLearning(): boolean {
    return this.request.trace?.isLearning ?? false;
  }

  /** The cookie of the flow whose actions run; all ones for none. */
  get cookie(): bigint {
    return this.rule?.settings.cookie ?? this.pause.thawedCookie ?? 0xffffffffffffffffn;
  }

  get isPacketOut(): boolean {
    return this.request.actions !== undefined;
  }

  /** Adds a line to the trace. */
  report(kind: TraceNode['kind'], text: string): void {
    this.#nodes?.push({ kind, text, subs: [] });
  }

  reportAction(action: Action): void {
    if (this.#nodes !== undefined) this.report('action', this.request.trace!.text.actions([action]));
  }

  /** A part of a field where it stands in this bridge's keys. */
  placed(part: Subfield): Subfield {
    return placedPart(part, this.bridge.tlvTable);
  }

  /** Says what a part of a field holds now. */
  reportValue(part: Subfield): void {
    if (this.#nodes === undefined) return;
    this.report('detail', this.request.trace!.text.value(this.placed(part), this.key));
  }

  reportText(actions: readonly Action[]): string {
    return this.request.trace?.text.actions(actions) ?? '';
  }

  /** Runs `fn` with what it reports nested below a new line. */
  nested(kind: TraceNode['kind'], text: string, fn: () => void): void {
    const outer = this.#nodes;
    if (outer === undefined) {
      fn();
      return;
    }
    const node: TraceNode = { kind, text, subs: [] };
    outer.push(node);
    this.#nodes = node.subs;
    try {
      fn();
    } finally {
      this.#nodes = outer;
    }
  }

  /** Adds bits of a word to what the result depends on. */
  mark(word: number, bits: number): void {
    this.wild[word] = this.wild[word]! | bits;
  }

  fail(reason: string): never {
    throw new WalkFailure(reason);
  }

  /** Walks from `table` on. The lookup sees `inPort` as the input port, the actions see the real one: NORMAL and in_port would surprise. */
  lookup(
    table: number,
    inPort: OfPort,
    honoursMiss: boolean,
    deepens: boolean,
    thenAlso?: () => void,
    runList?: (walk: Walk, actions: readonly Action[], isLast: boolean) => void,
  ): void {
    const { bridge, key } = this;
    const flowTable = bridge.tables.tableFor(table);
    const realPort = key[W.IN_PORT]!;
    key[W.IN_PORT] = inPort;
    const isFragment = isIp(key) && (key[W.TYPE]! & (FRAG.ANY << 8)) !== 0;
    const isDropped = isFragment && bridge.tables.fragments === 'drop';
    const rule = isDropped ? undefined : this.#find(flowTable, isFragment && bridge.tables.fragments === 'normal');
    key[W.IN_PORT] = realPort;
    if (!isDropped) this.effects.push({ kind: 'lookup', table: flowTable, rule });
    if (!isDropped && rule === undefined && honoursMiss && runList !== runNothing && this.#continues(table)) {
      // Controllers hear of the table in which it ends, a trace of an action names the one that it began in.
      const outer = this.#missedFirst;
      this.#missedFirst ??= table;
      this.lookup(table + 1, inPort, true, deepens, thenAlso, runList);
      this.#missedFirst = outer;
      return;
    }
    const before = [this.table, this.rule] as const;
    const { isLast } = this;
    // Of the tables that were gone through a trace names the last, but what an action named where one did.
    const shown = String(thenAlso === undefined ? (this.#missedFirst ?? table) : table).padStart(2);
    if (isDropped) {
      const text = `${shown}. Packets are IP fragments and the fragment handling mode is "drop".`;
      this.nested('table', text, () => {
        this.report('action', 'drop');
        thenAlso?.();
      });
    } else if (rule === undefined) {
      const isTold = honoursMiss && runList !== runNothing && isForControllers(this.bridge, this.key[W.IN_PORT]!, table);
      const text = `${shown}. No match${isTold ? ', and a "packet-in" is called for' : ''}.`;
      this.nested('table', text, () => {
        this.table = table;
        this.rule = undefined;
        if (!honoursMiss) this.#countMiss('drop');
        if (runList !== runNothing && (!honoursMiss || !this.#miss(table))) this.report('action', 'drop');
        thenAlso?.();
      });
    } else {
      this.#missedFirst = undefined;
      const text = this.isTraced ? `${shown}. ${this.request.trace!.text.rule(rule)}` : '';
      this.nested('table', text, () => {
        this.table = table;
        this.rule = rule;
        if (deepens) this.depth++;
        if (this.isTraced && rule.settings.actions.length === 0) this.report('action', 'drop');
        if (runList === undefined) runActions(this, rule.settings.actions, isLast);
        else runList(this, rule.settings.actions, isLast);
        if (deepens) this.depth--;
        thenAlso?.();
      });
    }
    [this.table, this.rule] = before;
  }

  /** The flow for the key. Where all fragments are to be treated alike, flows see the ports of the first as those of the later ones: as 0. */
  #find(flowTable: FlowTable, hidesPorts: boolean): FlowRule | undefined {
    const { key, wild } = this;
    const { version } = this.bridge.tables;
    if (!hidesPorts) return flowTable.classifier.lookup(key, version, wild);
    const ports = key[W.TP]!;
    key[W.TP] = 0;
    const rule = flowTable.classifier.lookup(key, version, wild);
    key[W.TP] = ports;
    return rule;
  }

  /** Where a frame that goes on through tables that do not match it began to. */
  #missedFirst: number | undefined;

  /** Whether what a table does not match goes on to the next. */
  #continues(table: number): boolean {
    return this.bridge.tables.missOf(table) === 'continue' && table + 1 < TABLES;
  }

  /** What the bridge's own flows do with a frame that nothing matched; false: nothing at all. */
  #miss(table: number): boolean {
    const isTold = isForControllers(this.bridge, this.key[W.IN_PORT]!, table);
    this.#countMiss(isTold ? 'controller' : 'drop');
    if (isTold) {
      this.report('action', 'controller(reason=)');
      toController(this, 'implicit_miss', undefined, 0, undefined, 0);
    }
    return isTold;
  }

  #countMiss(miss: MissFlow): void {
    const rule = this.bridge.tables.missRule(miss);
    if (rule !== undefined) this.effects.push({ kind: 'miss', rule });
  }

  /** resubmit and goto_table. */
  tableAction(inPort: OfPort, table: number, honoursMiss: boolean, deepens: boolean): void {
    this.#checkWork();
    this.lookup(table, inPort, honoursMiss, deepens);
  }

  /** Gives up where walks nest too deep. */
  checkDepth(): void {
    if (this.depth < MAX_DEPTH) return;
    this.report('error', `over max translation depth ${MAX_DEPTH}`);
    this.fail('Recursion too deep');
  }

  #checkWork(): void {
    this.checkDepth();
    if (++this.resubmits > MAX_RESUBMITS) {
      this.report('error', `over ${MAX_RESUBMITS} resubmit actions`);
      this.fail('Too many resubmits');
    }
  }

  /** Runs `fn` one level deeper, as what may run itself again must. */
  deeper(fn: () => void): void {
    this.#checkWork();
    this.depth++;
    fn();
    this.depth--;
  }

  commit(): void {
    if (this.out.length > MAX_DP_ACTIONS) this.fail('Too many datapath actions');
    const before = this.out.length;
    commit(this.key, this.base, this.wild, this.out, this.encap);
    for (let i = before; i < this.out.length; i++) {
      const made = this.out[i]!;
      if (made.kind === 'set' && SLOW_GROUPS.has(made.group)) this.isSlow = true;
    }
  }

  /** Runs a list. */
  run(actions: readonly Action[], isLast: boolean): void {
    runActions(this, actions, isLast);
  }

  /** Runs `fn` with the datapath actions that it makes gathered apart. */
  gather(fn: () => void): DpAction[] {
    const outer = this.out;
    const inner: DpAction[] = [];
    this.out = inner;
    try {
      fn();
    } finally {
      this.out = outer;
    }
    return inner;
  }

  /** The end of a pipeline or a branch of it: the action set, or what freezing left to do. */
  finish(): void {
    if (this.isFreezing) recirculate(this, undefined);
    else {
      runActionSet(this);
      if (this.isFreezing) recirculate(this, undefined);
    }
  }

  /** From here on lists only leave what they still had to do. */
  freeze(): void {
    this.hasExited = true;
    this.isFreezing = true;
  }

  /** The output action of any port number. */
  output(port: OfPort, maxLen: number, mayPacketIn: boolean): void {
    output(this, port, maxLen, mayPacketIn);
  }

  /** Sends the frame as `key` now has it out of one port, cut to `maxLength`. */
  send(port: OfPort, maxLength: number | undefined, isMirror = false): void {
    send(this, port, maxLength, isMirror);
  }

  /** The walk goes on in another bridge as if the frame, that `prepare` makes what it is there, had come in by that port. */
  continueAt(peer: SwitchPort, prepare: () => void): void {
    continueAt(this, peer, prepare);
  }

  /** Runs the whole walk. */
  translate(): Translation {
    const { key } = this;
    const request = this.request;
    let error: string | undefined;
    // 1. What is always read.
    this.mark(W.PACKET_TYPE, 0xffffffff);
    this.mark(W.RECIRC_ID, 0xffffffff);
    this.mark(W.TYPE, isIp(key) ? 0xffffff00 : 0xffff0000);
    const { frozen } = request;
    const isGood = !request.isTunnelled || frozen !== undefined || markTunnelInput(this);
    const port = this.bridge.ports.get(key[W.IN_PORT]!);
    try {
      this.nested('bridge', `bridge("${this.bridge.name}")`, () => {
        if (!isGood) {
          if (port?.tunnel !== undefined) this.effects.push({ kind: 'port', port, direction: 'rx' });
          this.report('warn', 'dropping tunnel packet marked ECN CE but is not ECN capable');
        } else if (frozen !== undefined) {
          thaw(this, frozen);
        } else if (request.actions !== undefined) {
          runActions(this, request.actions, true);
          this.finish();
        } else if (port !== undefined && (port.config & PORT_CONFIG.NO_RECV) !== 0) {
          // The frame counts for its flow, which does nothing.
          this.lookup(0, key[W.IN_PORT]!, false, false, undefined, runNothing);
        } else {
          if (port !== undefined && port.tunnel !== undefined) this.effects.push({ kind: 'port', port, direction: 'rx' });
          enter(this, port);
        }
        if (this.bridge.hasInBand === true) dhcpToLocal(this);
      });
    } catch (thrown) {
      // Where the stack is small, tables that go on to later tables can be too many for it.
      const isStackFull = thrown instanceof RangeError && thrown.message.includes('call stack');
      if (!(thrown instanceof WalkFailure) && !isStackFull) throw thrown;
      error = isStackFull ? 'Recursion too deep' : (thrown as Error).message;
      this.out.length = 0;
    }
    const isVlanRead = (this.wild[W.VLAN0]! & 0xffff) !== 0;
    const optionsRead = this.isTraced && this.isTunnelled ? this.wild.slice() : undefined;
    const mask = finishMask(this.wild, request.key, this.isTunnelled, request.bridge.tlvTable);
    giveKey(this.base);
    if (error === undefined) giveKey(this.wild);
    return {
      actions: this.out,
      mask,
      readUntilError: error === undefined ? undefined : this.wild,
      effects: this.effects,
      isVlanRead,
      ...(optionsRead === undefined ? {} : { optionsRead }),
      finalKey: key,
      recirculations: this.pause.recirculations,
      isSlow: this.isSlow && error === undefined && this.bridge.native !== undefined,
      error,
    };
  }
}

/** Translates one key. */
export const translate = (request: TranslateRequest): Translation => new Walk(request).translate();

/** Gives back the keys of a translation; its actions and effects live on. */
export function recycleTranslation({ mask, finalKey, readUntilError }: Translation): void {
  giveKey(mask);
  giveKey(finalKey);
  if (readUntilError !== undefined) giveKey(readUntilError);
}
