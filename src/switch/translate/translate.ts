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
import type { DpAction } from '../../datapath/datapath.ts';
import { copyMatch, type Key, keyBits, type Match, matchAll, newKey, VLAN_CFI, W } from '../../flow/key.ts';
import { addTunField } from '../../flow/tun-fields.ts';
import { type Action, type NatSpec, OFPP, type OfPort, type PacketInReason, type Subfield } from '../../openflow/action.ts';
import { OFPM } from '../../openflow/meter.ts';
import type { TlvTable } from '../../openflow/tlv-table.ts';
import type { BridgeState } from '../bridge-state.ts';
import { PORT_CONFIG, type SwitchPort } from '../ports.ts';
import type { MissFlow } from '../tables/internal-table.ts';
import type { FlowRule } from '../tables/rule.ts';
import { runActionSet } from './action-set.ts';
import { commit } from './commit.ts';
import { newPendingEncap, type PendingEncap } from './encap.ts';
import { type FrozenState, type FrozenStep, keptWords, restoreWords } from './frozen.ts';
import { mirrorInput, mirrorOutput } from './mirror.ts';
import { nativeInput } from './native-tunnel.ts';
import { normal } from './normal.ts';
import { CT_WORDS, isArp, isIp, isMpls } from './subfield.ts';
import { runActions } from './translate-actions.ts';
import { runReversibly } from './translate-branches.ts';
import { clearConntrack } from './translate-ct.ts';
import type { ControllerSend, Effect, Recirculation, TraceNode, TranslateRequest, Translation } from './translation.ts';
import { maskOptions, optionsOf, placeOptions, presentFields } from './tunnel-options.ts';
import { markTunnelInput, tunnelOutput } from './tunnel-translate.ts';

const MAX_DEPTH = 64;
const MAX_RESUBMITS = 4096;
const MAX_DP_ACTIONS = 16384;

/** Thrown inside a walk to give it up. */
export class WalkFailure extends Error {}

/** One walk through the tables. */
export class Walk {
  bridge: BridgeState;
  readonly key: Key;
  readonly base: Key;
  readonly wild: Key = newKey();
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
  readonly #recirculations: Recirculation[] = [];
  /** The frame goes to a controller with all that is left to do. */
  #paused: ControllerSend | undefined;
  /** Of steps whose flow a controller remembered. */
  #thawedCookie: bigint | undefined;
  /** What the datapath is to hash before the frame comes back. */
  #hash: DpAction | undefined;
  readonly #request: TranslateRequest;
  #nodes: TraceNode[] | undefined;

  constructor(request: TranslateRequest) {
    this.#request = request;
    this.bridge = request.bridge;
    this.key = request.key.slice();
    this.base = request.key.slice();
    this.nowMs = request.nowMs;
    this.firstPriority = request.key[W.SKB_PRIORITY]!;
    const { frozen } = request;
    this.isTunnelled = frozen?.isTunnelled ?? request.isTunnelled;
    if (this.isTunnelled && frozen === undefined) placeOptions(this.key, request.bridge.tlvTable);
    if (frozen !== undefined) {
      restoreWords(frozen, this.key);
      restoreWords(frozen, this.base);
      this.stack.push(...frozen.stack);
      this.actionSet = [...frozen.actionSet];
      this.isConntracked = frozen.isConntracked;
      this.mirrored = frozen.mirrored;
      this.isHashed = frozen.isHashed;
    }
    this.#nodes = request.trace?.root;
  }

  get isTraced(): boolean {
    return this.#nodes !== undefined;
  }

  get isLearning(): boolean {
    return this.#request.trace?.isLearning ?? false;
  }

  /** The cookie of the flow whose actions run; all ones for none. */
  get cookie(): bigint {
    return this.rule?.settings.cookie ?? this.#thawedCookie ?? 0xffffffffffffffffn;
  }

  get isPacketOut(): boolean {
    return this.#request.actions !== undefined;
  }

  /** Adds a line to the trace. */
  report(kind: TraceNode['kind'], text: string): void {
    this.#nodes?.push({ kind, text, subs: [] });
  }

  reportAction(action: Action): void {
    if (this.#nodes !== undefined) this.report('action', this.#request.trace!.text.actions([action]));
  }

  /** Says what a part of a field holds now. */
  reportValue(part: Subfield): void {
    if (this.#nodes === undefined) return;
    this.report('detail', this.#request.trace!.text.value(part, this.key));
  }

  reportText(actions: readonly Action[]): string {
    return this.#request.trace?.text.actions(actions) ?? '';
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
    const rule = flowTable.classifier.lookup(key, bridge.tables.version, this.wild);
    key[W.IN_PORT] = realPort;
    this.effects.push({ kind: 'lookup', table: flowTable, rule });
    const before = [this.table, this.rule] as const;
    const { isLast } = this;
    if (rule === undefined) {
      const text = `${String(table).padStart(2)}. No match.`;
      this.nested('table', text, () => {
        this.table = table;
        this.rule = undefined;
        if (!honoursMiss) this.#countMiss('drop');
        if (!honoursMiss || !this.#miss(table, inPort)) this.report('action', 'drop');
        thenAlso?.();
      });
    } else {
      const text = this.isTraced ? `${String(table).padStart(2)}. ${this.#request.trace!.text.rule(rule)}` : '';
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

  /** What the bridge's own flows do with a frame that nothing matched; false: nothing at all. */
  #miss(table: number, inPort: OfPort): boolean {
    const { tables } = this.bridge;
    const config = tables.missOf(table);
    if (config === 'continue' && table + 1 < 254) {
      this.lookup(table + 1, inPort, true, false);
      return true;
    }
    const port = this.bridge.ports.get(this.key[W.IN_PORT]!);
    const isForControllers =
      // Behind the last table there is none to continue in.
      (config === 'controller' || config === 'continue' || (config === 'default' && this.bridge.wantsPacketInOnMiss)) &&
      // Who asked for the controller meant frames of real ports.
      (port === undefined ? config === 'default' : (port.config & PORT_CONFIG.NO_PACKET_IN) === 0);
    this.#countMiss(isForControllers ? 'controller' : 'drop');
    if (isForControllers) this.toController('implicit_miss', undefined, 0, undefined, 0);
    return isForControllers;
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

  #checkWork(): void {
    if (this.depth >= MAX_DEPTH) {
      this.report('error', `over max translation depth ${MAX_DEPTH}`);
      this.fail('Recursion too deep');
    }
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

  /** Has the datapath hash the frame and bring it back to do `action`, and what stands behind it, with the hash. */
  freezeForHash(action: Action, algorithm: number, basis: number): void {
    this.steps.push({ actions: [action], table: this.table, rule: this.rule });
    this.#hash = { kind: 'hash', algorithm, basis };
    this.freeze();
  }

  commit(): void {
    if (this.out.length > MAX_DP_ACTIONS) this.fail('Too many datapath actions');
    commit(this.key, this.base, this.wild, this.out, this.encap);
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
    if (this.isFreezing) this.recirculate(undefined);
    else {
      runActionSet(this);
      if (this.isFreezing) this.recirculate(undefined);
    }
  }

  /** From here on lists only leave what they still had to do. */
  freeze(): void {
    this.hasExited = true;
    this.isFreezing = true;
  }

  /** What a later frame needs to go on from here. */
  frozenState(table: number | undefined): FrozenState {
    const { bridge, actionSet, stack, isConntracked, steps, isTunnelled } = this;
    return {
      bridge,
      table,
      steps: table === undefined ? steps : [],
      actionSet: [...actionSet],
      stack: [...stack],
      isConntracked,
      isHashed: this.isHashed || this.#hash !== undefined,
      key: keptWords(this.key),
      isTunnelled,
      mirrored: this.mirrored,
    };
  }

  /** Puts out the recirculation: to a table, or to what freezing gathered, which ends the freezing. */
  recirculate(table: number | undefined, ct?: Recirculation['ct']): void {
    this.commit();
    const paused = this.#paused;
    if (table === undefined && paused !== undefined) {
      this.#paused = undefined;
      // Lists have been left: what the controller is told of is where the walk is now.
      this.#toUserspace({ ...paused, table: this.table, cookie: this.cookie, continuation: this.frozenState(undefined) });
      this.steps = [];
      this.isFreezing = false;
      return;
    }
    const state = this.frozenState(table);
    const id = this.#request.sends.recirculations.put(state, this.nowMs);
    if (id === 0) this.fail('Failed to allocate a recirculation id');
    this.effects.push({ kind: 'recirc', id });
    if (table === undefined && this.#hash !== undefined) {
      this.out.push(this.#hash);
      this.#hash = undefined;
    }
    this.out.push({ kind: 'recirc', id });
    this.#recirculations.push({ id, key: this.key.slice(), ct });
    if (table !== undefined) return;
    this.steps = [];
    this.isFreezing = false;
    this.wasMpls = false;
  }

  /** The output action of any port number. */
  output(port: OfPort, maxLen: number, mayPacketIn: boolean): void {
    const inPort = this.key[W.IN_PORT]!;
    switch (port) {
      case OFPP.IN_PORT:
        this.send(inPort, undefined);
        return;
      case OFPP.TABLE:
        this.tableAction(inPort, 0, mayPacketIn, true);
        return;
      case OFPP.NORMAL:
        this.isLast = false;
        normal(this);
        return;
      case OFPP.FLOOD:
        this.#flood(false);
        return;
      case OFPP.ALL:
        this.#flood(true);
        return;
      case OFPP.CONTROLLER:
        this.toController(this.#reason(), maxLen, 0, undefined, 0);
        return;
      case OFPP.NONE:
        return;
      default:
        if (port !== inPort) this.send(port, undefined);
        else this.report('warn', 'skipping output to input port');
    }
  }

  #reason(): PacketInReason {
    if (this.isInGroup) return 'group';
    if (this.isInActionSet) return 'action_set';
    if (this.rule === undefined) return this.isPacketOut ? 'packet_out' : 'action';
    // A table-miss flow (OpenFlow 1.3.5 section 5.4): what it sends up "missed".
    return this.rule.priority === 0 && this.rule.mask.words.length === 0 ? 'explicit_miss' : 'action';
  }

  #flood(isAll: boolean): void {
    this.isLast = false;
    const inPort = this.key[W.IN_PORT]!;
    for (const port of floodOrder(this.bridge)) {
      if (port.port === inPort || (!isAll && (port.config & PORT_CONFIG.NO_FLOOD) !== 0)) continue;
      this.send(port.port, undefined);
    }
  }

  /** Sends the frame as `key` now has it out of one port, cut to `maxLength`. */
  send(number: OfPort, maxLength: number | undefined, isMirror = false): void {
    const port = this.bridge.ports.get(number);
    if (port === undefined) {
      this.report('warn', 'Nonexistent output port');
      return;
    }
    if ((port.config & PORT_CONFIG.NO_FWD) !== 0) {
      this.report('detail', 'OFPPC_NO_FWD set, skipping output');
      return;
    }
    if (port.kind.kind === 'patch') {
      this.#patch(port);
      return;
    }
    if (port.dpPort === undefined) {
      this.report('warn', 'Nonexistent output port');
      return;
    }
    if (this.key[W.PACKET_TYPE] !== 0 && port.tunnel === undefined) {
      this.mark(W.PACKET_TYPE, -1);
      this.report('warn', 'Trying to send non-Ethernet packet through legacy L2 port. Dropping packet.');
      return;
    }
    if (port.tunnel !== undefined) {
      tunnelOutput(this, port, port.tunnel);
      return;
    }
    const { native } = this.bridge;
    const tunnel = native === undefined ? undefined : nativeInput(this, native, port);
    // An output's cut stands before what is set for it, a mirror's behind, as in Open vSwitch; it holds for the next output.
    if (isMirror) this.commit();
    if (maxLength !== undefined) this.out.push({ kind: 'trunc', maxLength });
    this.commit();
    if (tunnel?.tunnel !== undefined) this.out.push({ kind: 'tunnelPop', port: tunnel.dpPort!, protocol: tunnel.tunnel.protocol });
    else this.out.push({ kind: 'output', port: port.dpPort });
    if (port.bundle !== undefined && !this.bridge.mirrors.isEmpty) mirrorOutput(this, port.bundle);
  }

  /** Goes on at the other end of a patch port. */
  #patch(port: SwitchPort): void {
    const peer = port.bridge.patchPeer(port);
    if (peer === undefined) {
      this.report('warn', 'Nonexistent patch port peer');
      return;
    }
    if (this.depth >= MAX_DEPTH) {
      this.report('error', `over max translation depth ${MAX_DEPTH}`);
      this.fail('Recursion too deep');
    }
    this.effects.push({ kind: 'port', port, direction: 'tx' }, { kind: 'port', port: peer, direction: 'rx' });
    if ((peer.config & PORT_CONFIG.NO_RECV) !== 0) return;
    this.continueAt(peer, () => {
      for (let i = W.TUN_ID; i < W.NSH; i++) this.key[i] = 0;
      for (let i = W.TUN_METADATA; i < this.key.length; i++) this.key[i] = 0;
    });
  }

  /** The walk goes on in another bridge as if the frame, that `prepare` makes what it is there, had come in by that port. */
  continueAt(peer: SwitchPort, prepare: () => void): void {
    const saved = this.key.slice();
    const { bridge, actionSet, hasExited, table, rule, isConntracked, wasMpls, isLast, mirrored } = this;
    const stack = this.stack.splice(0);
    this.bridge = peer.bridge;
    this.mirrored = 0;
    this.actionSet = [];
    prepare();
    clearConntrack(this);
    this.wasMpls = false;
    this.key[W.IN_PORT] = peer.port;
    this.depth++;
    this.nested('bridge', `bridge("${peer.bridge.name}")`, () =>
      // The peer's first list is in a clone of its own where it could not be undone.
      // Mirrors see what comes in by a device, not what another bridge passes on.
      this.lookup(0, peer.port, true, false, () => this.finish(), runReversibly),
    );
    this.depth--;
    this.bridge = bridge;
    this.mirrored = mirrored;
    this.actionSet = actionSet;
    this.hasExited = hasExited;
    this.isConntracked = isConntracked;
    this.wasMpls = wasMpls;
    this.isLast = isLast;
    this.table = table;
    this.rule = rule;
    this.stack.length = 0;
    this.stack.push(...stack);
    this.key.set(saved);
  }

  /** A frame comes into the bridge by a port: mirrors first, then table 0. */
  #enter(port: SwitchPort | undefined): void {
    const bundle = port?.bundle;
    const { mirrors } = this.bridge;
    if (bundle !== undefined && mirrors.isOutput(bundle)) {
      const drop = (): void =>
        this.report('error', `dropping packet received on port ${port!.name}, which is reserved exclusively for mirroring`);
      this.lookup(0, this.key[W.IN_PORT]!, false, false, undefined, drop);
      return;
    }
    if (bundle === undefined || mirrors.isEmpty) {
      this.lookup(0, this.key[W.IN_PORT]!, true, false, () => this.finish());
      return;
    }
    let hasMirrored = false;
    const mirrorOnce = (): void => {
      if (!hasMirrored) mirrorInput(this, bundle);
      hasMirrored = true;
    };
    this.lookup(
      0,
      this.key[W.IN_PORT]!,
      true,
      false,
      () => {
        mirrorOnce();
        this.finish();
      },
      (walk, actions, isLast) => {
        mirrorOnce();
        runActions(walk, actions, isLast);
      },
    );
  }

  /** Sends the frame to the controllers. */
  toController(
    reason: PacketInReason,
    maxLen: number | undefined,
    controllerId: number,
    userdata: Uint8Array | undefined,
    meterId: number,
    isPaused = false,
  ): void {
    this.commit();
    if (isPaused) this.freeze();
    // The metadata that goes with the frame is part of the action.
    if (this.isTunnelled) for (const word of TUNNEL_WORDS) this.mark(word, -1);
    if (this.isTunnelled) optionsOf(this.key, this.wild, this.bridge.tlvTable);
    const send: ControllerSend = {
      bridge: this.bridge,
      reason,
      table: this.table,
      cookie: this.cookie,
      match: metadataOf(this.key, this.bridge.tlvTable),
      maxLen,
      controllerId,
      userdata,
      meterId,
      continuation: undefined,
    };
    if (isPaused) {
      // What the lists still have to do goes with the frame; it is complete when they have been left.
      this.#paused = send;
      return;
    }
    this.#toUserspace(send);
  }

  #toUserspace(send: ControllerSend): void {
    const token = this.#request.sends.put(send);
    const toUserspace: DpAction = { kind: 'userspace', cookie: { reason: 'controller', token } };
    const { meters } = this.bridge;
    // A meter of the action's own goes before the one for all that controllers get. Both end what is inside a list alone.
    const meter = meters.numberOf(send.meterId) ?? meters.numberOf(OFPM.CONTROLLER);
    if (meter === undefined) this.out.push(toUserspace);
    else this.out.push({ kind: 'sample', probability: 0xffffffff, actions: [{ kind: 'meter', meter }, toUserspace] });
  }

  /** Runs the whole walk. */
  translate(): Translation {
    const { key } = this;
    const request = this.#request;
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
          this.#thaw(frozen);
        } else if (request.actions !== undefined) {
          runActions(this, request.actions, true);
          this.finish();
        } else if (port !== undefined && (port.config & PORT_CONFIG.NO_RECV) !== 0) {
          this.report('detail', 'OFPPC_NO_RECV set, dropping');
        } else {
          if (port !== undefined && port.tunnel !== undefined) this.effects.push({ kind: 'port', port, direction: 'rx' });
          this.#enter(port);
        }
      });
    } catch (thrown) {
      // Where the stack is small, tables that go on to later tables can be too many for it.
      const isStackFull = thrown instanceof RangeError && thrown.message.includes('call stack');
      if (!(thrown instanceof WalkFailure) && !isStackFull) throw thrown;
      error = isStackFull ? 'Recursion too deep' : (thrown as Error).message;
      this.out.length = 0;
    }
    const isVlanRead = (this.wild[W.VLAN0]! & 0xffff) !== 0;
    return {
      actions: this.out,
      mask: finishMask(this.wild, request.key, this.isTunnelled, request.bridge.tlvTable),
      readUntilError: error === undefined ? undefined : this.wild,
      effects: this.effects,
      isVlanRead,
      finalKey: key,
      recirculations: this.#recirculations,
      error,
    };
  }

  /** Goes on where an earlier walk stopped. */
  #thaw(frozen: FrozenState): void {
    const { table, steps, actionSet } = frozen;
    this.nested('thaw', 'thaw', () => {
      const all = steps.flatMap((step) => step.actions);
      if (actionSet.length > 0) this.report('thaw', `Restoring action set: ${this.reportText(actionSet)}`);
      if (all.length > 0) this.report('thaw', `Restoring actions: ${this.reportText(all)}`);
      if (table !== undefined) this.report('thaw', `Resuming from table ${table}`);
    });
    if (table !== undefined) {
      this.lookup(table, this.key[W.IN_PORT]!, true, false, () => this.finish());
      return;
    }
    for (const [i, step] of steps.entries()) {
      this.table = step.table;
      this.rule = step.rule;
      this.#thawedCookie = step.cookie;
      if (this.isFreezing) this.steps.push(step);
      else runActions(this, step.actions, i === steps.length - 1);
    }
    this.finish();
  }
}

/** LOCAL first, then by number. */
function* floodOrder(bridge: BridgeState): Generator<SwitchPort> {
  const local = bridge.ports.get(OFPP.LOCAL);
  if (local !== undefined) yield local;
  for (const port of bridge.ports.values()) if (port !== local) yield port;
}

/** Turns what the walk read into a mask over what the datapath knows. */
function finishMask(wild: Key, original: Key, isTunnelled: boolean, options: TlvTable): Key {
  const mask = wild.slice();
  // Registers, metadata and the like start as zero for every frame.
  mask.fill(0, W.DP_END);
  mask[W.IN_PORT] = 0xffffffff;
  // Whether a tag is present always counts: the Ethernet type alone does not say it here.
  mask[W.VLAN0] = mask[W.VLAN0]! | VLAN_CFI;
  if ((mask[W.VLAN1]! & 0xffff) !== 0) mask[W.VLAN1] = mask[W.VLAN1]! | VLAN_CFI;
  // A frame that came through no tunnel has no outer header, whatever the tables wrote and read there.
  if (!isTunnelled) {
    mask.fill(0, W.TUN_ID, W.NSH);
    mask.fill(0, W.TUN_METADATA);
  } else maskOptions(mask, original, options);
  const type = original[W.TYPE]!;
  if (!isMpls(original)) mask.fill(0, W.MPLS, W.MPLS + 3);
  if (type >>> 16 !== 0x894f) mask.fill(0, W.NSH, W.TUN_METADATA);
  if (isIp(original)) {
    // The transport header is there only in first fragments; ICMP's type and code have 8 bits each.
    const proto = type & 0xff;
    if (mask[W.TP] !== 0) mask[W.TYPE] = mask[W.TYPE]! | 0xff;
    if (proto === 1 || proto === 58) mask[W.TP] = mask[W.TP]! & 0x00ff00ff;
  } else if (!isArp(original)) {
    mask[W.NW_SRC] = 0;
    mask[W.NW_DST] = 0;
  }
  return mask;
}

const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);
/** Of the outer header, what identifies the tunnel. */
const TUNNEL_WORDS = [W.TUN_ID, W.TUN_ID + 1, W.TUN_SRC, W.TUN_DST, ...range(W.TUN_IPV6_SRC, 8), W.TUN_GBP];
const METADATA_WORDS = [...TUNNEL_WORDS.filter((word) => word > W.TUN_ID + 1), ...range(W.REGS, 16)];
/** Values of two words, of which both count when one is not zero. */
const METADATA_PAIRS = [W.TUN_ID, W.METADATA];

/** The same with its mark and what connection tracking says of it, which the frame brings itself. */
export function withFrameMetadata(match: Match, frameKey: Key): Match {
  if (frameKey[W.CT_STATE] === 0 && frameKey[W.PKT_MARK] === 0) return match;
  const both = copyMatch(match);
  for (const word of [W.PKT_MARK, ...CT_WORDS]) {
    const bits = frameKey[word]!;
    if (bits === 0) continue;
    // The zone shares its word with the protocol of the connection's first packet.
    const mask = word === W.CT_ZONE ? (bits >>> 16 === 0 ? 0xff00 : (bits & 0xff00) === 0 ? 0xffff0000 : 0xffffff00) : 0xffffffff;
    both.key[word] = bits & mask;
    both.mask[word] = mask;
  }
  // Addresses of that packet need the type of its protocol.
  if ((frameKey[W.CT_ZONE]! & 0xff00) !== 0) {
    both.key[W.TYPE] = frameKey[W.TYPE]! & 0xffff0000;
    both.mask[W.TYPE] = 0xffff0000;
  }
  return both;
}

/** The pipeline fields that a packet-in carries: in_port always, the others where they are not zero. */
export function metadataOf(key: Key, table?: TlvTable): Match {
  const match = matchAll();
  match.key[W.IN_PORT] = key[W.IN_PORT]!;
  match.mask[W.IN_PORT] = 0xffffffff;
  for (const word of METADATA_WORDS) {
    if (key[word] === 0) continue;
    match.key[word] = key[word]!;
    match.mask[word] = 0xffffffff;
  }
  for (const word of METADATA_PAIRS) {
    if (key[word] === 0 && key[word + 1] === 0) continue;
    match.key.set(key.subarray(word, word + 2), word);
    match.mask.fill(0xffffffff, word, word + 2);
  }
  const fields = table === undefined ? [] : presentFields(key, table);
  for (const field of fields) addTunField(match, field, keyBits(key, field.at, field.bits), (1n << BigInt(field.bits)) - 1n);
  return match;
}

/** Translates one key. */
export const translate = (request: TranslateRequest): Translation => new Walk(request).translate();
