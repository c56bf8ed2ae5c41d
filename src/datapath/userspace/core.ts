// The frame path, without any operating system: flows, actions, upcalls and counters. It runs on the main thread over dummy ports and in a
// worker over devices.
//
//   1. A port hands in a packet; its key is extracted and its metadata filled in.
//   2. The flow table is asked; a miss goes to the upcall queue with frame and key.
//   3. The flow's program runs on the packet (`action-runner.ts`). Outputs are queued at the ports, which may refer to the packet's own memory.
//   4. When the receiving port has no more, everything queued is flushed, and only then the memory is given back.
//
// Order: while upcalls are on their way, further frames of the same new flow follow them through the queue of upcalls and do not overtake
// them. Not for long (`held-flows.ts`): then a flow that never pauses has its frames forwarded directly.
import { extractKey, setVlanLimit } from '../../flow/extract.ts';
import { type Key, W } from '../../flow/key.ts';
import { newPacket, type Packet } from '../../netdev/packet.ts';
import type { UpcallOrder } from '../../netdev/punt-ring.ts';
import { type DpAction, type FrameOffload, USERSPACE_REASONS } from '../datapath.ts';
import { ActionRunner, type FramePath } from './action-runner.ts';
import { Conntrack } from './conntrack/tracker.ts';
import { ExecutedPackets } from './executed-packets.ts';
import { FlowTable } from './flow-table.ts';
import { HeldFlows } from './held-flows.ts';
import { Meters } from './meters.ts';
import { type FramePort, Outputs } from './outputs.ts';
import { compileActions, type Op } from './program.ts';
import { countDrop, FLOW, FLOW_HELD, FLOW_WORD, PORT, type SharedState, STAT } from './shared-state.ts';
import { writeTunnelKey } from './tunnel-key.ts';
import type { UpcallQueue } from './upcall-queue.ts';
import { extractWalk, newWalk, type Walk } from './walk.ts';

export class UserspaceCore implements FramePath {
  readonly state: SharedState;
  readonly flows: FlowTable;
  readonly meters: Meters;
  readonly #upcalls: UpcallQueue;
  readonly #outputs: Outputs;
  readonly #runner: ActionRunner;
  /** Lists that a program in the kernel hands frames with. */
  readonly #lists = new Map<number, readonly Op[]>();
  readonly #top: Walk;
  readonly #executed: ExecutedPackets;
  readonly #held: HeldFlows;
  readonly conntrack: Conntrack;
  /** How far upcalls have been queued, and dealt with. */
  readonly upcallOrder: UpcallOrder & { done: number };
  /** Fetches lists that may be on their way here. */
  onUnknownList: () => void = () => {};
  /** Datapath clock, set by the owner once a batch. */
  nowMs = 0;

  /** `makePacket` gives packets whose memory the ports can send from; `basis` keeps hashes of connections from being guessed. */
  constructor(state: SharedState, upcalls: UpcallQueue, makePacket: () => Packet = newPacket, basis = 0) {
    this.conntrack = new Conntrack(basis);
    this.state = state;
    this.flows = new FlowTable(state);
    this.#held = new HeldFlows(state.flowWords);
    this.meters = new Meters(state.meters);
    this.#upcalls = upcalls;
    this.upcallOrder = {
      get written() {
        return upcalls.written;
      },
      done: 0,
      refusesMiss: (port, length) => upcalls.refusesMiss(port, length),
      hasRoomAgain: (port) => upcalls.hasRoomAgain(port),
    };
    this.#outputs = new Outputs(state, makePacket);
    this.#runner = new ActionRunner(
      this,
      { state, outputs: this.#outputs, upcalls, meters: this.meters, conntrack: this.conntrack },
      makePacket,
    );
    this.#executed = new ExecutedPackets(this.#outputs, makePacket);
    this.#top = newWalk(makePacket());
  }

  /** The time is `nowMs`; what time ends is ended, a part at each call. */
  tick(nowMs: number): void {
    this.nowMs = nowMs;
    this.conntrack.tick(nowMs);
  }

  portAdd(number: number, port: FramePort): void {
    this.#outputs.add(number, port);
    this.state.ports.fill(0, number * PORT.SIZE, (number + 1) * PORT.SIZE);
  }

  portDelete(number: number): void {
    this.#outputs.delete(number);
  }

  flowPut(slot: number, generation: number, indices: Int32Array, masks: Int32Array, words: Int32Array, actions: readonly DpAction[]): void {
    this.flows.put(slot, indices, masks, words, compileActions(actions));
    this.state.flows[slot * FLOW.SIZE + FLOW.generation] = generation;
    this.#held.begin(slot, this.upcallOrder, this.nowMs);
    this.state.stats[STAT.masks] = this.flows.maskCount;
  }

  flowModify(slot: number, actions: readonly DpAction[]): void {
    this.flows.setProgram(slot, compileActions(actions));
  }

  flowDelete(slot: number): void {
    this.flows.remove(slot);
    this.#held.end(slot);
    this.state.flows[slot * FLOW.SIZE + FLOW.generation] = 0;
    this.state.stats[STAT.masks] = this.flows.maskCount;
  }

  flowFlush(): void {
    this.flows.clear();
    this.state.stats[STAT.masks] = 0;
  }

  /** A frame came in at a port. The packet is the core's until it returns, its memory until the next flush. */
  receive(port: number, packet: Packet): void {
    const at = port * PORT.SIZE;
    const counters = this.state.ports;
    counters[at]! += 1;
    counters[at + PORT.rxBytes]! += packet.length;
    const walk = this.#top;
    const { key } = walk;
    key[W.IN_PORT] = port;
    for (let i = W.RECIRC_ID; i < W.SKB_PRIORITY; i++) key[i] = 0;
    if (walk.hasCtKey) {
      key.fill(0, W.CT_LABEL, W.TUN_ID);
      walk.hasCtKey = false;
    }
    key[W.SKB_PRIORITY] = packet.priority;
    key[W.PKT_MARK] = packet.mark;
    walk.packetType = 0;
    if (packet.tunnel !== undefined) {
      writeTunnelKey(key, packet.tunnel);
      walk.hasTunnelKey = true;
    } else if (walk.hasTunnelKey) {
      key.fill(0, W.TUN_ID, W.DP_END);
      walk.hasTunnelKey = false;
    }
    key[W.RECIRC_ID] = packet.recircId;
    key[W.DP_HASH] = packet.dpHash;
    walk.packet = packet;
    walk.recircs = 0;
    if (packet.ctState !== 0) this.#recall(walk);
    if (packet.cause !== 0) this.#deliver(packet, key);
    else if (packet.token !== 0) this.#runList(walk);
    else this.lookup(walk, 0);
  }

  listPut(token: number, actions: readonly DpAction[]): void {
    this.#lists.set(token, compileActions(actions));
  }

  listDelete(token: number): void {
    this.#lists.delete(token);
  }

  /** The kernel ran a part of a list, and leaves the rest to us. */
  #runList(walk: Walk): void {
    const { token } = walk.packet;
    if (!this.#lists.has(token)) this.onUnknownList();
    const ops = this.#lists.get(token);
    if (ops === undefined) {
      // Of a former daemon's.
      countDrop(this.state, 'ring_stale');
      return;
    }
    walk.layout = extractWalk(walk);
    walk.isStale = false;
    walk.tunnel = undefined;
    walk.trunc = 0;
    // The kernel counts it as one that it could not deal with.
    this.state.stats[STAT.hit]! += 1;
    this.#runner.run(ops, walk, 0);
  }

  /** The kernel tracked the frame before it handed it on. */
  #recall(walk: Walk): void {
    const { packet, key } = walk;
    key[W.CT_STATE] = packet.ctState;
    key[W.CT_ZONE] = packet.ctZone;
    key[W.CT_MARK] = packet.ctMark;
    this.conntrack.nowMs = this.nowMs;
    this.conntrack.recall(packet, key, extractWalk(walk));
    walk.hasCtKey = true;
  }

  /** A copy that a userspace action in the kernel made. */
  #deliver(packet: Packet, key: Key): void {
    extractKey(packet.bytes, packet.start, packet.length, key);
    const cookie = { reason: USERSPACE_REASONS[packet.cause - 1] ?? 'slow_path', token: packet.token };
    if (this.#upcalls.put('action', packet, key, cookie)) return;
    this.state.stats[STAT.lost]! += 1;
    countDrop(this.state, 'upcall_queue_full');
  }

  /** Runs actions on a frame of the control plane's; what they send has left after the next flush. */
  execute(frame: Uint8Array, key: Key, actions: readonly DpAction[], offload: FrameOffload): void {
    const walk = this.#top;
    walk.packet = this.#executed.take(frame, offload);
    for (let i = 0; i < W.DP_END; i++) walk.key[i] = key[i]!;
    walk.hasTunnelKey = true;
    walk.hasCtKey = true;
    walk.packetType = key[W.PACKET_TYPE]!;
    walk.layout = extractWalk(walk);
    walk.isStale = false;
    walk.tunnel = undefined;
    walk.trunc = 0;
    walk.recircs = 0;
    this.#runner.run(compileActions(actions), walk, 0);
    this.#executed.done();
  }

  /** See `flow/extract`. */
  setVlanLimit(limit: number): void {
    setVlanLimit(limit);
  }

  /** Sends what ports have queued; afterwards no port refers to any packet. */
  flush(): void {
    this.#outputs.flush();
  }

  /** Runs the program of the flow that a packet meets, or tells the control plane of it. */
  lookup(walk: Walk, depth: number): void {
    const { packet, key } = walk;
    const { stats, flows: counters, flowWords } = this.state;
    walk.layout = extractWalk(walk);
    walk.isStale = false;
    walk.tunnel = undefined;
    walk.trunc = 0;
    const slot = packet.isMiss ? this.flows.lookupRare(key) : this.flows.lookup(key);
    if (slot < 0) {
      this.#tell(packet, key);
      return;
    }
    const flags = slot * FLOW_WORD.SIZE + FLOW_WORD.tcpFlags;
    if ((flowWords[flags]! & FLOW_HELD) !== 0 && this.#follow(slot, packet, key)) return;
    stats[STAT.hit]! += 1;
    const at = slot * FLOW.SIZE;
    if (!packet.isCounted) {
      counters[at]! += 1;
      counters[at + FLOW.bytes]! += packet.length;
    }
    packet.isCounted = false;
    packet.hasFlow = false;
    packet.isMiss = false;
    counters[at + FLOW.usedMs] = this.nowMs;
    const tcpFlags = key[W.TOS]! & 0xfff;
    if (tcpFlags !== 0) flowWords[flags]! |= tcpFlags;
    const program = this.flows.program(slot)!;
    if (program.length === 0) countDrop(this.state, 'action_drop');
    else this.#runner.run(program, walk, depth);
  }

  #tell(packet: Packet, key: Key): void {
    const { stats } = this.state;
    // The flow that the kernel has counts what follows others.
    if (!packet.hasFlow) stats[STAT.missed]! += 1;
    if (this.#upcalls.put('miss', packet, key, undefined, packet.hasFlow)) return;
    stats[STAT.lost]! += 1;
    countDrop(this.state, 'upcall_queue_full');
  }

  /** Sends the frame after the upcalls of its flow; false when they have been dealt with. */
  #follow(slot: number, packet: Packet, key: Key): boolean {
    if (!this.#held.follows(slot, this.upcallOrder.done, this.nowMs)) return false;
    if (!this.#upcalls.put('miss', packet, key, undefined)) {
      this.#held.end(slot);
      return false;
    }
    this.#held.moveOn(slot, this.upcallOrder.written);
    return true;
  }
}
